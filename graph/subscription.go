package graph

import (
	"context"

	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/plan"
)

// Hunt runs a hunt to its end. The channel is closed when it has ended, or when the client has gone.
func (s *subscriptionResolver) Hunt(ctx context.Context, input model.Input, batch int, resumeFrom *string) (<-chan model.HuntUpdate, error) {
	if batch < 1 || batch > maxFirst {
		return nil, bad("batch", "batch is %d; it takes 1 to %d", batch, maxFirst)
	}
	a, err := huntArgs(input)
	if err != nil {
		return nil, err
	}
	if a.OnFailure == model.OnSourceFailureFail {
		return nil, bad("input.onSourceFailure", "a stream cannot fail as a whole once events are out; ask for PARTIAL and read the coverage of HuntDone")
	}
	a.After = resumeFrom
	req, err := s.huntRequest(ctx, a)
	if err != nil {
		if e := hunt.AsError(err, hunt.Internal); e.Path == "after" {
			e.Path = "resumeFrom"
		}
		return nil, err
	}
	req.query.Columns = selectedColumns(ctx, req.query.Class)
	out := make(chan model.HuntUpdate)
	run := &streamed{resolver: s.Resolver, req: req, batch: batch, out: out, notices: make(chan model.HuntUpdate, 16)}
	go run.run(ctx)
	return out, nil
}

// streamed is one running subscription. Its goroutine alone sends on out.
type streamed struct {
	resolver *Resolver
	req      *request
	batch    int
	out      chan<- model.HuntUpdate
	notices  chan model.HuntUpdate // progress that waits to be sent; more than its room is left out
	sent     int64
}

func (s *streamed) run(ctx context.Context) {
	defer close(s.out)
	e := s.resolver.Engine.Start(ctx, s.req.query, s.notice)
	ok := s.rows(ctx, e)
	e.Close()
	if ok && ctx.Err() == nil {
		s.send(ctx, &model.HuntDone{Coverage: s.coverage(e), Rows: s.sent})
	}
}

// coverage is that of the whole hunt: a part before a resume that had gaps leaves it incomplete.
func (s *streamed) coverage(e *exec.Execution) *model.Coverage {
	c := coverageOf(e.Coverage(), s.req.query.Range, s.req.before()+s.sent)
	if s.req.gaps() {
		c.Complete = false
		if c.Verdict == model.VerdictNotFoundComplete {
			c.Verdict = model.VerdictNotFoundPartial
		}
	}
	return c
}

// notice queues progress. It comes from the goroutines of the sources, so it never waits.
func (s *streamed) notice(st *plan.Step, f hunt.Frame) {
	p := &model.HuntProgress{Tenant: st.Ref.Tenant, Connection: st.Ref.Connection, Stream: st.Stream}
	switch f := f.(type) {
	case hunt.Progress:
		p.RowsScanned = &f.RowsScanned
		if f.Total > 0 {
			p.PartsDone, p.PartsTotal = &f.Done, &f.Total
		}
	case hunt.Throttled:
		ms := f.RetryAfter.Milliseconds()
		p.ThrottledMs = &ms
	default:
		return
	}
	select {
	case s.notices <- p:
	default:
	}
}

// rows sends the rows in batches, and progress between them; false if the client has gone.
func (s *streamed) rows(ctx context.Context, e *exec.Execution) bool {
	page := e.NewPage()
	for run := range e.Rows() {
		for run.From < run.To {
			n := min(run.To-run.From, s.batch-page.Count)
			part := run
			part.To = run.From + n
			page.Add(e, part)
			run.From = part.To
			if page.Count == s.batch {
				if !s.flush(ctx, e, page) {
					return false
				}
				page = e.NewPage()
			}
		}
		if !s.progress(ctx) {
			return false
		}
	}
	return s.progress(ctx) && (page.Count == 0 || s.flush(ctx, e, page))
}

func (s *streamed) progress(ctx context.Context) bool {
	for {
		select {
		case p := <-s.notices:
			if !s.send(ctx, p) {
				return false
			}
		default:
			return true
		}
	}
}

func (s *streamed) flush(ctx context.Context, e *exec.Execution, page *exec.Page) bool {
	s.sent += int64(page.Count)
	cursor := s.resolver.signer().seal(s.req.id, &cursor{Range: s.req.query.Range, Key: *page.Last, Rows: s.req.before() + s.sent, Snapshots: snapshotText(page.Snapshots), Gaps: s.req.gaps() || e.Gaps()})
	return s.send(ctx, &model.HuntEvents{Page: page, Cursor: cursor})
}

func (s *streamed) send(ctx context.Context, u model.HuntUpdate) bool {
	select {
	case s.out <- u:
		return true
	case <-ctx.Done():
		return false
	}
}
