package exec

import (
	"context"
	"errors"
	"iter"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// Options bound an execution.
type Options struct {
	// Find returns the connector of a connection that is in the plan.
	Find func(hunt.ConnectionRef) hunt.Connector
	// Notify is called with frames other than batches as they come, from several goroutines at once; nil if nobody listens.
	Notify func(*plan.Step, hunt.Frame)
}

// Execution is one running hunt. Range over Rows once, then Close, then read Coverage.
type Execution struct {
	plan    *plan.Plan
	options Options
	cancel  context.CancelFunc
	done    sync.WaitGroup
	gaps    atomic.Bool
	streams []*stream // one per plan step
}

// stream is one step under way. Its goroutine alone writes line until done.
type stream struct {
	step    *plan.Step
	batches chan arrow.RecordBatch
	line    hunt.Line
	ended   bool              // End came
	taken   int               // distinct rows handed to the merge
	last    arrow.RecordBatch // the last of them, nil before the first
	dups    int64
	rows    int64
	program *vector.Program // residual, nil if there is none
}

// queued is how many batches a stream may be ahead of the merge; with the batch size it bounds the memory of a hunt.
const queued = 2

// errStopped ends a stream of which enough rows have been seen, by the consumer or by the limit of the query.
var errStopped = errors.New("enough rows")

// Start asks every stream of the plan at once. The caller must Close.
func Start(ctx context.Context, p *plan.Plan, o Options) *Execution {
	e := &Execution{plan: p, options: o}
	ctx, cancel := context.WithCancelCause(ctx)
	e.cancel = func() { cancel(errStopped) }
	for _, st := range p.Steps {
		s := &stream{step: st, batches: make(chan arrow.RecordBatch, queued), line: lineOf(p, st)}
		if !hunt.IsTrue(st.Residual) {
			s.program = vector.Compile(st.Residual)
		}
		e.streams = append(e.streams, s)
		if st.State != hunt.Complete {
			e.gaps.Store(e.gaps.Load() || st.State != hunt.Pruned)
			close(s.batches)
			continue
		}
		e.done.Go(func() { e.run(ctx, s) })
	}
	return e
}

// lineOf starts the coverage line of a step.
func lineOf(p *plan.Plan, st *plan.Step) hunt.Line {
	l := hunt.Line{
		Tenant: st.Ref.Tenant, Connection: st.Ref.Connection, Stream: st.Stream, Class: p.Query.Class.Name, State: st.State,
		Reason: st.Reason, Missing: st.Missing, Untimed: st.Untimed, Nulled: st.Nulled, NulledFirst: st.NulledFirst, Notes: st.Notes, RowsScanned: -1, Err: st.Err,
		Watermark: st.Watermark, Kept: st.Kept,
	}
	if st.Translation != nil {
		l.Native, l.Dispositions = st.Translation.Native, st.Translation.Predicates
	}
	return l
}

// Rows merges the streams into the order of the query. It ends when all streams have, or when the consumer breaks.
func (e *Execution) Rows() iter.Seq[vector.Run] {
	inputs := make([]vector.Input, len(e.streams))
	for i, s := range e.streams {
		inputs[i] = vector.Input{Ref: s.step.Ref, Next: func() arrow.RecordBatch { return <-s.batches }}
	}
	return vector.Merge(inputs, e.plan.Query.Order, func(source int) { e.streams[source].dups++ })
}

// Gaps says whether the execution has found, so far, something that it cannot search.
func (e *Execution) Gaps() bool { return e.gaps.Load() }

// Close ends what still runs and waits for it. Coverage may be read after it.
func (e *Execution) Close() {
	e.cancel()
	for _, s := range e.streams {
		for range s.batches { // let a sender that waits go on and see the end
		}
	}
	e.done.Wait()
}

// Coverage returns what was and was not searched, one line per stream.
func (e *Execution) Coverage() *hunt.Coverage {
	c := &hunt.Coverage{}
	for _, s := range e.streams {
		l := s.line
		l.RowsReturned = s.rows
		l.Duplicates += s.dups
		c.Lines = append(c.Lines, l)
	}
	return c
}
