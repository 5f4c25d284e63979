package hunt

import (
	"context"
	"iter"
	"time"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Connector is one connection to one source of one tenant. It is safe for concurrent use. The host (package exec) keeps what a
// connector must not get wrong: rechecking, merge order, de-duplication, deadlines and what is said about gaps.
type Connector interface {
	// Describe says what the source holds and can do now, as plain data that nobody changes any more. It is called at the start and after failures, so it is the
	// health check as well. An error means that the source cannot be used; it is a *Error.
	Describe(ctx context.Context) (*Description, error)
	// Translate turns a request into native form without I/O. It never guesses: every predicate of the request gets a disposition.
	Translate(Request) (*Translation, error)
	// Search runs a translation and yields frames; the last frame is End. A stream that stops without End has failed. Batches come in
	// the request's order and after its key; rows out of order fail the stream. A gap (PartFailed, Rejected) is told before the rows
	// that come after it in the order, because the host stops reading when it has enough rows. It may yield more rows than asked,
	// never fewer. It stops within a second of ctx's end and of the consumer's break.
	Search(ctx context.Context, t *Translation) iter.Seq2[Frame, error]
	// Close releases what the connection holds and waits for its goroutines.
	Close() error
}

// Identity says which connection a connector is.
type Identity struct{ Tenant, Connection string }

// Description is what a connection holds and can do.
type Description struct {
	Connector string // kind: "files", "lake", "elastic"
	Version   string // of the connector
	Backend   string // product and version behind it, such as "Elasticsearch 8.19.21"; "" if there is none
	Streams   []Stream
	Notes     []string // what the connection does not search and why, one line each
	Denied    []Denial // what the credential may not do, as a probe found it
	Limits    []Limit  // what the source asks of its callers; the host keeps them
	Quota     []Quota  // what is left of the source's quotas, as it last said
	// ClockSkew is the source's clock minus ours, if the source tells its time; 0 if not known or below a second.
	ClockSkew time.Duration
	// Artifact is the executable that serves the connection, nil for a connector of this program.
	Artifact *Artifact
	// Unread says that the connection holds events which it cannot show, so that nobody knows of which class they are; "" if it shows
	// all that it holds. No hunt of the connection is complete then.
	Unread string
	// Snapshot names the state that was described. A request with it is answered from that state, whatever has been added since, so
	// that plan, search and later pages see the same events; "" if the source cannot do that. The host describes before every hunt,
	// so Describe must be cheap.
	Snapshot string
}

// Denial is something that the credential of a connection may not do.
type Denial struct {
	Action  string // in the source's words: "read", "monitor", "view_index_metadata"
	Object  string // what it may not do that to: an index, a role, an endpoint
	Message string // what follows for hunts and what to grant, in one line
}

// LimitScope says who shares a limit.
type LimitScope string

// The scopes of limits. Connections that share an account or an endpoint share its limit, whatever tenant they are of.
const (
	PerConnection LimitScope = "CONNECTION"
	PerAccount    LimitScope = "ACCOUNT"
	PerEndpoint   LimitScope = "ENDPOINT"
)

// Limit is what a source allows its callers.
type Limit struct {
	Scope      LimitScope
	Key        string        // names the account or endpoint that is shared; "" for PerConnection
	Concurrent int           // searches at a time; 0 for no limit
	Searches   int           // searches started in Per; 0 for no limit
	Per        time.Duration // 0 if Searches is 0
}

// Quota is what is left of something that a source rations.
type Quota struct {
	Name  string // in the source's words: "requests", "query units"
	Left  int64
	Of    int64 // 0 if not known
	Reset int64 // when it is full again, microseconds, UTC; 0 if not known
}

// Artifact is an executable that serves a connection.
type Artifact struct {
	Name     string // of the plugin, as it says
	Version  string // of the plugin, as it says
	Digest   string // "sha256:" and the hex digest of the executable
	Protocol int    // version of the plugin protocol that was agreed
	PID      int    // of the process that runs now
	Restarts int    // since the gateway started
	Confined string // what the operating system bounds: "memory 512 MiB, CPU 2 (cgroup)"; "" if nothing
	// Egress is the hosts that its author says it talks to, such as "*.example.com:443"; nil if its author does not say. Nothing is
	// enforced from it.
	Egress []string
}

// Stream is a part of a connection that shares one mapping and one class, so that an attribute is provided by all of it or none.
type Stream struct {
	Name       string // unique within the connection and class: the mapping's name
	Class      *ocsf.Class
	Attributes map[string]bool // dotted OCSF paths that the stream can fill; others are IMPOSSIBLE there
	// Closed lists, for attributes whose values are known beforehand, all values that occur, so that a stream which cannot hold a
	// row is pruned. An attribute that is not in it may have any value.
	Closed map[string][]Value
	// Time is the range of the events that the stream holds, nil if not known. A hunt outside of it is pruned.
	Time *TimeRange
	// Untimed counts events without a time: they are in no range, and coverage says how many there are.
	Untimed int64
	// Nulled counts values of the records that are no value of their column's type (no number, no time, no address): they read as
	// missing and stay in raw; -1 if not known. NulledFirst says where the first of them is and of which column.
	Nulled      int64
	NulledFirst string
	Rows        int64 // events that the stream holds; -1 if not known
	// Retention is how long the source keeps events; a hunt that reaches further back is told what was not there to search. 0 if it
	// keeps them for ever or does not say.
	Retention time.Duration
	// Watermark is the instant (microseconds, UTC) before which the source holds every event; 0 if it does not say.
	Watermark int64
	// Lag is how long after it happened an event can usually be found; 0 if not known.
	Lag time.Duration
	// Ceiling is the largest number of rows that one search can give; 0 for no ceiling. A search that comes to it gives the first rows of
	// the order and ends truncated; the host asks on after the last of them.
	Ceiling int
	// MaxValues is the largest number of values that an `in` may have at the source; 0 for no limit.
	MaxValues int
}

// Provides says whether the stream can fill the column at path. The fixed columns are always there.
func (s *Stream) Provides(path string) bool {
	switch path {
	case ocsf.ColUID, ocsf.ColTime, ocsf.ColRaw, ocsf.ColUnmapped:
		return true
	}
	return s.Attributes[path]
}

// Request is what the host asks of one stream.
type Request struct {
	Stream   string
	Class    *ocsf.Class
	Range    TimeRange
	Where    Expr     // And{} for everything
	Columns  []string // dotted OCSF paths that the batches must hold, besides uid and time; the host has added what it rechecks
	Order    Order
	After    *Key   // rows after this one in the order
	Limit    int    // the host needs no more than that many rows that satisfy Where; 0 for all
	Snapshot string // Description.Snapshot of the first page; "" for the newest state
}

// Translation is a request in native form.
type Translation struct {
	Request    Request
	Native     string     // the native query, for people; what explain prints
	Predicates []Disposed // one for each predicate of Request.Where, in the order of Walk
}

// Of returns what became of each predicate, for Push and Residual. A predicate that has no disposition is Local.
func (t *Translation) Of() func(*Predicate) Disposition {
	table := make(map[*Predicate]Disposition, len(t.Predicates))
	for _, d := range t.Predicates {
		table[d.Predicate] = d.Disposition
	}
	return func(p *Predicate) Disposition {
		if d, ok := table[p]; ok {
			return d
		}
		return Local
	}
}
