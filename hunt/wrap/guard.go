package wrap

import (
	"context"
	"iter"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// grace is how long a connector that was told to stop may take before it is left behind. It is well within the second that the contract
// allows, because the host has to stop within that second itself.
const grace = 250 * time.Millisecond

// guard runs one search of a connector in a goroutine of its own and reads it frame by frame: the connector works only while a frame
// is asked of it. A connector that does not listen to its context, or that gives nothing in time, is left behind.
type guard struct {
	cancel context.CancelCauseFunc
	task   *task
	want   chan struct{}
	out    chan step
	timer  *time.Timer
	extra  time.Duration // that the source announced to wait itself
	late   bool          // the source gave nothing in time
	guardOptions
}

// guardOptions are the deadlines of a search.
type guardOptions struct {
	tasks *tasks
	clock *clock
	frame time.Duration // deadline of a frame; not positive for none
}

// step is what an iterator yielded.
type step struct {
	frame hunt.Frame
	err   error
}

// clock is the deadline of a search: the time left for the source, in all tries. It runs only while somebody waits for the source.
type clock struct {
	limited bool
	left    time.Duration
}

// newClock makes a deadline; not positive is none.
func newClock(d time.Duration) *clock { return &clock{limited: d > 0, left: d} }

// spend counts the time since an instant.
func (c *clock) spend(since time.Time) { c.left -= time.Since(since) }

// guardSearch begins a search, which does not work before its first frame is asked for. The caller must stop it.
func guardSearch(ctx context.Context, o guardOptions, frames func(context.Context) iter.Seq2[hunt.Frame, error]) *guard {
	ctx, cancel := context.WithCancelCause(ctx)
	out := &guard{guardOptions: o, cancel: cancel, want: make(chan struct{}), out: make(chan step)}
	out.task = o.tasks.spawn(func() { out.run(ctx, frames) })
	return out
}

// run is the goroutine of the connector.
func (g *guard) run(ctx context.Context, frames func(context.Context) iter.Seq2[hunt.Frame, error]) {
	defer close(g.out)
	defer func() {
		if r := recover(); r != nil {
			g.give(ctx, step{err: defect("search", r)})
		}
	}()
	if !g.wanted(ctx) {
		return
	}
	for frame, err := range frames(ctx) {
		if !g.give(ctx, step{frame, err}) || !g.wanted(ctx) {
			return
		}
	}
}

func (g *guard) wanted(ctx context.Context) bool {
	select {
	case <-g.want:
		return true
	case <-ctx.Done():
		return false
	}
}

func (g *guard) give(ctx context.Context, s step) bool {
	select {
	case g.out <- s:
		return true
	case <-ctx.Done():
		return false
	}
}

// next returns the next frame; ok is false after the last. The error is the connector's, SOURCE_TIMEOUT, or the cause of ctx's end.
func (g *guard) next(ctx context.Context) (frame hunt.Frame, ok bool, err error) {
	expired, limit := g.arm()
	began := time.Now()
	defer g.clock.spend(began)
	select {
	case g.want <- struct{}{}:
	case <-g.task.done:
		return nil, false, nil
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
	select {
	case s, ok := <-g.out:
		return s.frame, ok, s.err
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	case <-expired:
		g.late = true
		return nil, false, g.timeout(limit)
	}
}

// arm starts the timer of the next frame.
func (g *guard) arm() (expired <-chan time.Time, limit time.Duration) {
	bounded := g.frame > 0
	limit = g.frame + g.extra
	if g.clock.limited && (!bounded || g.clock.left < limit) {
		bounded, limit = true, max(g.clock.left, 0)
	}
	if !bounded {
		return nil, 0
	}
	if g.timer == nil {
		g.timer = time.NewTimer(limit)
	} else {
		g.timer.Reset(limit)
	}
	return g.timer.C, limit
}

func (g *guard) timeout(limit time.Duration) *hunt.Error {
	e := &hunt.Error{Op: "search", Code: hunt.SourceTimeout, Retryable: true, Cause: context.DeadlineExceeded,
		Message: "the source gave nothing for " + limit.Round(time.Millisecond).String() + " while it was asked"}
	if g.clock.limited && limit >= g.clock.left {
		e.Message = "the source did not answer before its deadline"
	}
	return e
}

// stop ends the search. A connector that gave nothing in time had its time; any other may take the grace to end properly.
func (g *guard) stop() {
	g.cancel(errStopped)
	if g.timer != nil {
		g.timer.Stop()
	}
	select {
	case <-g.task.done:
		return
	default:
	}
	if !g.late {
		timer := time.NewTimer(grace)
		defer timer.Stop()
		select {
		case <-g.task.done:
			return
		case <-timer.C:
		}
	}
	g.tasks.abandon(g.task)
}
