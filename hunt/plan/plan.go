package plan

import (
	"cmp"
	"slices"

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
	Translation *hunt.Translation
	Residual    hunt.Expr // checked on the rows that come back
}

// Plan is a hunt ready to run.
type Plan struct {
	Query *hunt.Query
	Steps []*Step // by tenant, connection and stream
}

// New plans a query. Sources of other tenants, and connections that the query does not name, are not part of the plan.
func New(q *hunt.Query, sources []Source) *Plan {
	p := &Plan{Query: q}
	for _, s := range sources {
		if slices.Contains(q.Tenants, s.Ref.Tenant) && (len(q.Connections) == 0 || slices.Contains(q.Connections, s.Ref.Connection)) {
			p.Steps = append(p.Steps, steps(q, s)...)
		}
	}
	slices.SortStableFunc(p.Steps, func(a, b *Step) int {
		return cmp.Or(cmp.Compare(a.Ref.Tenant, b.Ref.Tenant), cmp.Compare(a.Ref.Connection, b.Ref.Connection), cmp.Compare(a.Stream, b.Stream))
	})
	return p
}

// steps plans the streams of one connection. A connection without a stream of the class is one pruned step, not an absence.
func steps(q *hunt.Query, s Source) []*Step {
	if s.Err != nil {
		return []*Step{{Ref: s.Ref, State: hunt.Failed, Reason: "the connection cannot be used", Err: s.Err}}
	}
	var out []*Step
	for i := range s.Description.Streams {
		if stream := &s.Description.Streams[i]; stream.Class.UID == q.Class.UID {
			out = append(out, step(q, s, stream))
		}
	}
	if len(out) == 0 {
		out = append(out, &Step{Ref: s.Ref, State: hunt.Pruned, Reason: "holds no " + q.Class.Name})
	}
	return out
}

func step(q *hunt.Query, s Source, stream *hunt.Stream) *Step {
	st := &Step{Ref: s.Ref, Stream: stream.Name, State: hunt.Complete, Untimed: stream.Untimed, Residual: hunt.True()}
	switch verdict, missing := possible(q.Where, stream); {
	case verdict == never:
		st.State, st.Reason = hunt.Pruned, "its "+closedReason(q.Where, stream)+" cannot satisfy the hunt"
	case stream.Time != nil && !stream.Time.Overlaps(q.Range):
		st.State, st.Reason = hunt.Pruned, "its events are of "+stream.Time.String()
	case verdict == unknown:
		st.State, st.Missing, st.Reason = hunt.ImpossibleState, missing, "the stream has no such attribute"
	default:
		translate(q, s, stream, st)
	}
	return st
}

// translate asks the connector for the native form and keeps what must be checked again.
func translate(q *hunt.Query, s Source, stream *hunt.Stream, st *Step) {
	t, err := s.Translate(hunt.Request{
		Stream: stream.Name, Class: q.Class, Range: q.Range, Where: q.Where, Columns: columns(q, stream), Order: q.Order,
		After: q.After, Limit: q.Limit, Snapshot: cmp.Or(q.Snapshots[s.Ref], s.Description.Snapshot),
	})
	if err != nil {
		st.State, st.Err = hunt.Failed, hunt.AsError(err, hunt.SourceFailed)
		return
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
	for _, c := range q.Columns {
		add(c)
	}
	hunt.Walk(q.Where, func(p *hunt.Predicate) { add(p.Path) })
	slices.Sort(out)
	return slices.Compact(out)
}
