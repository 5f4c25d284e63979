package plan

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Source is a connection that a hunt may ask.
type Source struct {
	Ref         hunt.ConnectionRef
	Description *hunt.Description // nil if the connection cannot be used
	Err         *hunt.Error       // why it cannot
	Translate   func(hunt.Request) (*hunt.Translation, error)
}

// Step is what is planned for one stream of one connection.
type Step struct {
	Ref         hunt.ConnectionRef
	Stream      string
	State       hunt.State // Complete: it is searched; Pruned, ImpossibleState, Failed: it is not
	Reason      string
	Missing     []string // attributes that the stream lacks, if ImpossibleState
	Err         *hunt.Error
	Untimed     int64
	Nulled      int64
	NulledFirst string
	Notes       []string // what the connection does not search, and why
	Watermark   int64    // microseconds; 0 if the source does not say
	// Kept is what the source still has of the hunt's range; nil if that is all of it or the source does not say. The rest may have
	// held such rows, so the answer is not complete.
	Kept        *hunt.TimeRange
	Translation *hunt.Translation
	Residual    hunt.Expr // checked on the rows that come back
}

// Plan is a hunt ready to run.
type Plan struct {
	Query *hunt.Query
	Steps []*Step // by tenant, connection and stream
	// Snapshots are the states that the hunt sees, by connection; later pages pin them, also of connections that were all pruned.
	Snapshots map[hunt.ConnectionRef]string
}

// New plans a query. Sources of other tenants, and connections that the query does not name, are not part of the plan.
func New(q *hunt.Query, sources []Source) *Plan {
	p := &Plan{Query: q, Snapshots: map[hunt.ConnectionRef]string{}}
	sources = slices.DeleteFunc(slices.Clone(sources), func(s Source) bool {
		return !slices.Contains(q.Tenants, s.Ref.Tenant) || len(q.Connections) > 0 && !slices.Contains(q.Connections, s.Ref.Connection)
	})
	for _, s := range sources {
		if snapshot := snapshotOf(q, s); snapshot != "" {
			p.Snapshots[s.Ref] = snapshot
		}
	}
	plain := *q
	plain.Where = hunt.Simplify(q.Where)
	for _, planned := range each(&plain, sources) {
		p.Steps = append(p.Steps, planned...)
	}
	p.Steps = append(p.Steps, unconnected(q, p.Steps)...)
	slices.SortStableFunc(p.Steps, func(a, b *Step) int {
		return cmp.Or(cmp.Compare(a.Ref.Tenant, b.Ref.Tenant), cmp.Compare(a.Ref.Connection, b.Ref.Connection), cmp.Compare(a.Stream, b.Stream))
	})
	return p
}

// each plans all sources at once, and steps all streams of one: a translation may have to cross a process boundary, and one that hangs must
// not hold up the others.
func each(q *hunt.Query, sources []Source) [][]*Step {
	out := make([][]*Step, len(sources))
	var all sync.WaitGroup
	for i, s := range sources {
		all.Go(func() { out[i] = steps(q, s) })
	}
	all.Wait()
	return out
}

// snapshotOf is the state of a connection that the hunt sees: that of its first page, else what was described now.
func snapshotOf(q *hunt.Query, s Source) string {
	if pinned := q.Snapshots[s.Ref]; pinned != "" || s.Description == nil {
		return pinned
	}
	return s.Description.Snapshot
}

// unconnected makes a step for every tenant that has no connection to search: nothing of it is searched, so nothing is known of it.
func unconnected(q *hunt.Query, planned []*Step) []*Step {
	var out []*Step
	for _, tenant := range q.Tenants {
		if !slices.ContainsFunc(planned, func(s *Step) bool { return s.Ref.Tenant == tenant }) {
			out = append(out, &Step{Ref: hunt.ConnectionRef{Tenant: tenant}, State: hunt.ImpossibleState, Reason: "the tenant has no connection to search"})
		}
	}
	return out
}

// steps plans the streams of one connection. A connection without a stream of the class is one pruned step, not an absence.
func steps(q *hunt.Query, s Source) []*Step {
	if s.Err != nil {
		return []*Step{{Ref: s.Ref, State: hunt.StateOf(s.Err.Code), Reason: "the connection cannot be used", Err: s.Err}}
	}
	if len(s.Description.Streams) == 0 && len(s.Description.Notes) > 0 {
		return []*Step{{Ref: s.Ref, State: hunt.ImpossibleState, Reason: "nothing of the connection can be searched", Notes: s.Description.Notes}}
	}
	var out []*Step
	var all sync.WaitGroup
	for i := range s.Description.Streams {
		if stream := &s.Description.Streams[i]; stream.Class.UID == q.Class.UID {
			st := &Step{Ref: s.Ref, Stream: stream.Name}
			out = append(out, st)
			all.Go(func() { step(q, s, stream, st) })
		}
	}
	all.Wait()
	switch why := s.Description.Unread; {
	case why != "":
		// What it cannot show may be of this class, whatever else it has of it.
		out = append(out, &Step{Ref: s.Ref, State: hunt.Partial, Err: &hunt.Error{Code: hunt.RecordsRejected, Message: why}})
	case len(out) == 0:
		out = append(out, &Step{Ref: s.Ref, State: hunt.Pruned, Reason: "holds no " + q.Class.Name})
	}
	out[0].Notes = s.Description.Notes // they are of the connection: one line of it has them
	return out
}

// step plans one stream.
func step(q *hunt.Query, s Source, stream *hunt.Stream, st *Step) {
	st.State, st.Residual, st.Watermark = hunt.Complete, hunt.True(), stream.Watermark
	st.Untimed, st.Nulled, st.NulledFirst = stream.Untimed, stream.Nulled, stream.NulledFirst
	kept := kept(q, stream)
	switch verdict, missing := possible(q.Where, stream); {
	case verdict == never:
		st.State, st.Reason = hunt.Pruned, "its "+closedReason(q.Where, stream)+" cannot satisfy the hunt"
	case stream.Time != nil && !stream.Time.Overlaps(q.Range):
		st.State, st.Reason = hunt.Pruned, "its events are of "+stream.Time.String()
	case verdict == unknown:
		st.State, st.Missing, st.Reason = hunt.ImpossibleState, missing, "the stream has no such attribute"
	case kept.Start >= kept.End:
		st.State, st.Reason, st.Err = hunt.ImpossibleState, "the source no longer has events of that time", retention(stream)
	default:
		if kept != q.Range {
			st.Kept, st.Err = &kept, retention(stream)
		}
		translate(q, s, stream, st)
	}
}

// kept is the part of the hunt's range that the source has not dropped yet.
func kept(q *hunt.Query, stream *hunt.Stream) hunt.TimeRange {
	r := q.Range
	if stream.Retention > 0 && q.Now > 0 {
		r.Start = max(r.Start, q.Now-stream.Retention.Microseconds())
	}
	return r
}

func retention(stream *hunt.Stream) *hunt.Error {
	return &hunt.Error{Op: "plan", Code: hunt.BeyondRetention, Message: fmt.Sprintf("the source keeps events for %s; the earlier part of the range is not there to search", days(stream.Retention))}
}

// days writes a duration as people say it of retention.
func days(d time.Duration) string {
	if day := 24 * time.Hour; d%day == 0 {
		return fmt.Sprintf("%d days", d/day)
	}
	return d.String()
}

// translate asks the connector for the native form and keeps what must be checked again.
func translate(q *hunt.Query, s Source, stream *hunt.Stream, st *Step) {
	t, err := s.Translate(hunt.Request{
		Stream: stream.Name, Class: q.Class, Range: q.Range, Where: q.Where, Columns: columns(q, stream), Order: q.Order,
		After: q.After, Limit: q.Limit, Snapshot: snapshotOf(q, s),
	})
	if err != nil {
		st.Err = hunt.AsError(err, hunt.SourceFailed)
		st.State = hunt.StateOf(st.Err.Code)
		return
	}
	for _, d := range t.Predicates {
		if d.Disposition == hunt.Impossible {
			st.State, st.Reason = hunt.ImpossibleState, "the source cannot be asked for it"
			st.Missing = append(st.Missing, d.Predicate.Path)
		}
	}
	st.Translation = t
	st.Residual = hunt.Residual(q.Where, t.Of())
}

// columns is what the source must return: what the answer shows and what may be checked again. Columns that the stream cannot fill
// are left out; they read as missing.
func columns(q *hunt.Query, stream *hunt.Stream) []string {
	var out []string
	add := func(path string) {
		if stream.Provides(path) && path != ocsf.ColUID && path != ocsf.ColTime {
			out = append(out, path)
		}
	}
	for _, c := range slices.Concat(q.Columns, hunt.Paths(q.Where, q.Class)) {
		add(c)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
