package graph

import (
	"context"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/hunt/vector"
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
	run := &streamed{resolver: s.Resolver, req: req, batch: batch, out: out, noticed: make(chan struct{}, 1), latest: map[*plan.Step]*model.HuntProgress{}}
	go run.run(ctx)
	return out, nil
}

// streamed is one running subscription. Its goroutine alone sends on out.
type streamed struct {
	resolver *Resolver
	req      *request
	batch    int
	out      chan<- model.HuntUpdate
	sent     int64
	noticed  chan struct{} // there is something in latest

	mu     sync.Mutex
	latest map[*plan.Step]*model.HuntProgress // what sources said and was not sent yet
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

// notice keeps what a source says on the way. It comes from the goroutines of the sources, so it never waits: of one stream, what has
// not been sent yet is joined.
func (s *streamed) notice(st *plan.Step, f hunt.Frame) {
	switch f.(type) {
	case hunt.Progress, hunt.Throttled:
	default:
		return
	}
	s.mu.Lock()
	p := s.latest[st]
	if p == nil {
		p = &model.HuntProgress{Tenant: st.Ref.Tenant, Connection: st.Ref.Connection, Stream: st.Stream}
		s.latest[st] = p
	}
	join(p, f)
	s.mu.Unlock()
	select {
	case s.noticed <- struct{}{}:
	default:
	}
}

// join adds to progress what a frame says.
func join(p *model.HuntProgress, f hunt.Frame) {
	switch f := f.(type) {
	case hunt.Progress:
		p.RowsScanned = &f.RowsScanned
		if f.Total > 0 {
			p.PartsDone, p.PartsTotal = &f.Done, &f.Total
		}
	case hunt.Throttled:
		ms := f.RetryAfter.Milliseconds()
		if p.ThrottledMs != nil {
			ms += *p.ThrottledMs
		}
		p.ThrottledMs = &ms
	}
}

// idle is how long events wait for others to fill a message.
const idle = 100 * time.Millisecond

// rows sends the rows in batches as they come, and what sources say on the way when they say it; false if the client has gone.
func (s *streamed) rows(ctx context.Context, e *exec.Execution) bool {
	runs, gone := make(chan vector.Run), make(chan struct{})
	defer func() {
		close(gone)
		for range runs { // let the reader see the end
		}
	}()
	go func() {
		defer close(runs)
		for run := range e.Rows() {
			select {
			case runs <- run:
			case <-gone:
				return
			}
		}
	}()
	page := e.NewPage()
	for ok := true; ok; {
		var waited <-chan time.Time
		if page.Count > 0 {
			waited = time.After(idle)
		}
		select {
		case run, more := <-runs:
			if !more {
				return s.progress(ctx) && (page.Count == 0 || s.flush(ctx, e, page))
			}
			page, ok = s.add(ctx, e, page, run)
		case <-waited:
			ok = s.flush(ctx, e, page)
			page = e.NewPage()
		case <-s.noticed:
			ok = s.progress(ctx)
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// add takes a run into the page and sends every page that is full; it returns the page that is not.
func (s *streamed) add(ctx context.Context, e *exec.Execution, page *exec.Page, run vector.Run) (*exec.Page, bool) {
	for run.From < run.To {
		part := run
		part.To = run.From + min(run.To-run.From, s.batch-page.Count)
		page.Add(e, part)
		run.From = part.To
		if page.Count == s.batch {
			if !s.flush(ctx, e, page) {
				return page, false
			}
			page = e.NewPage()
		}
	}
	return page, true
}

// progress sends what sources have said since the last time.
func (s *streamed) progress(ctx context.Context) bool {
	s.mu.Lock()
	said := s.latest
	s.latest = map[*plan.Step]*model.HuntProgress{}
	s.mu.Unlock()
	for _, p := range said {
		if !s.send(ctx, p) {
			return false
		}
	}
	return true
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
