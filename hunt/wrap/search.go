package wrap

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// search asks the source, and asks it again, until the answer is complete or it makes no sense to go on. Its goroutine is its flight's.
type search struct {
	c        *Connection
	t        *hunt.Translation
	out      *flight
	progress *progress
	clock    *clock
	ceiling  int64 // rows that one search can give; 0 for no ceiling
	tries    int   // since the answer began or came to the ceiling
	barren   int   // in a row that brought no new row
	rows     int64 // new ones of this try
	more     bool  // this try came to the ceiling, so there may be rows after the last
	repeats  int64 // rows that the source left out; the most of any try, see hunt.End
}

// run asks until the answer is complete. The error is the last one, and says how many tries there were.
func (s *search) run(ctx context.Context) *hunt.Error {
	for {
		s.tries++
		s.rows, s.more = 0, false
		err := s.try(ctx)
		switch {
		case err != nil:
		case !s.more:
			return nil
		case s.out.drained(ctx) != nil: // a reader who has enough must not cost the source another search
			return stopped(ctx)
		}
		if err = s.again(ctx, err); err != nil {
			return s.final(err)
		}
	}
}

// again waits, if the last try failed, until the search may be tried again, and translates what is left of it; the error says why it may
// not. A translation that fails for a while, as that of a process which is being started does, counts as a try that brought nothing.
func (s *search) again(ctx context.Context, err *hunt.Error) *hunt.Error {
	if s.rows > 0 {
		s.barren = 0
	}
	if err == nil {
		s.tries = 0
	}
	for {
		if err != nil {
			if e := s.pause(ctx, err); e != nil {
				return e
			}
			s.c.health.count(func(h *Health) { h.Retries++ })
			s.c.options.Log("a search is tried again", "connection", s.c.options.Ref.String(), "try", s.tries+1)
		}
		t, failure := s.translate(ctx)
		switch {
		case failure == nil:
			s.t = t
			return nil
		case ctx.Err() != nil:
			return stopped(ctx)
		}
		s.tries++
		err = failure
	}
}

// translate translates what is left of the request, in the time that is left for the source.
func (s *search) translate(ctx context.Context) (*hunt.Translation, *hunt.Error) {
	defer s.clock.spend(time.Now())
	if s.clock.limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, s.clock.left, late("search", "the source did not answer before its deadline"))
		defer cancel()
	}
	return s.c.translate(ctx, s.progress.resume())
}

// pause waits after a try that failed; the error says why there is to be none after it.
func (s *search) pause(ctx context.Context, err *hunt.Error) *hunt.Error {
	if ctx.Err() != nil || !err.Retryable || err.Code == hunt.SourceSuspended {
		return err
	}
	if s.barren++; s.barren >= s.c.options.Retry.Tries {
		return err
	}
	wait := s.c.options.Retry.Backoff.after(s.barren)
	if err.RetryAfter > 0 {
		wait = err.RetryAfter
	}
	if end, ok := s.deadline(); ok && !time.Now().Add(wait).Before(end) {
		return err
	}
	if err.RetryAfter > 0 || err.Code == hunt.SourceThrottled {
		s.out.give(hunt.Throttled{RetryAfter: wait})
	}
	return s.sleep(ctx, wait)
}

func (s *search) sleep(ctx context.Context, d time.Duration) *hunt.Error {
	defer s.clock.spend(time.Now())
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return stopped(ctx)
	}
}

// final says how many tries there were.
func (s *search) final(err *hunt.Error) *hunt.Error {
	if s.tries == 1 {
		return err
	}
	e := *err
	if e.Message == "" && e.Cause != nil {
		e.Message = e.Cause.Error()
	}
	e.Message += fmt.Sprintf(" (tried %d times)", s.tries)
	return &e
}

// deadline returns when the answer must be there: before the last reader goes, and within the time of the source.
func (s *search) deadline() (at time.Time, ok bool) {
	at, ok = s.out.deadline()
	if s.clock.limited {
		if own := time.Now().Add(s.clock.left); !ok || own.Before(at) {
			at, ok = own, true
		}
	}
	return at, ok
}

// try asks once. A frame that cannot be read (a batch without its columns, say) is a defect of the connector.
func (s *search) try(ctx context.Context) (err *hunt.Error) {
	inner, err := s.c.opening.connector(ctx)
	if err != nil {
		return err
	}
	defer inner.leave()
	if err := s.c.searching.refuses(); err != nil {
		return err
	}
	slot, err := s.admit(ctx)
	if err != nil {
		return err
	}
	permit, err := s.c.searching.acquire()
	if err != nil {
		slot.release()
		return err
	}
	defer func() {
		s.settle(ctx, permit, err)
		if err != nil && ctx.Err() == nil {
			s.c.learn(inner, err)
		}
	}()
	g := guardSearch(ctx, guardOptions{s.c.tasks, s.clock, s.c.options.FrameDeadline}, func(ctx context.Context) iter.Seq2[hunt.Frame, error] {
		return inner.Search(ctx, s.t)
	})
	defer func() {
		if r := recover(); r != nil {
			err = defect("search", r)
		}
		g.stop()
		slot.releaseAfter(g.task)
	}()
	return s.read(ctx, g)
}

// read reads one try to its end.
func (s *search) read(ctx context.Context, g *guard) *hunt.Error {
	var end *hunt.End
	for {
		if s.out.room(ctx) != nil {
			return stopped(ctx)
		}
		frame, ok, err := g.next(ctx)
		switch {
		case ctx.Err() != nil:
			return stopped(ctx)
		case err != nil:
			return hunt.AsError(err, hunt.SourceFailed)
		case !ok && end == nil:
			return &hunt.Error{Op: "search", Code: hunt.StreamWithoutEnd, Message: "the source stopped without saying that it was complete", Retryable: true}
		case !ok:
			s.ended(*end)
			return nil
		case end != nil:
			return &hunt.Error{Op: "search", Code: hunt.SourceFailed, Message: "the source went on after it had said that it was complete"}
		case frame == nil:
			return &hunt.Error{Op: "search", Code: hunt.SourceFailed, Message: "the source gave an empty frame"}
		}
		if end = s.take(g, frame); end != nil {
			continue // whether it is the last is known when the source has nothing more
		}
	}
}

// ended hands the end on, unless the source has come to its ceiling: then what comes after the last row is asked for next. A source that
// came to it without a row after the one from which it was asked would give the same again for ever, so the answer ends truncated.
func (s *search) ended(end hunt.End) {
	s.repeats = max(s.repeats, end.Duplicates)
	end.Duplicates = s.repeats
	full := s.ceiling > 0 && (end.Truncated || s.progress.came >= s.ceiling)
	if s.more = full && s.progress.moved(); s.more {
		s.out.give(s.progress.sum())
		return
	}
	if full && s.progress.came > 0 {
		end.Truncated, end.Reason = true, "the source was asked for what comes after a row and gave nothing new, but as many rows as one search of it may"
	}
	s.out.give(end)
}

// take hands a frame on, but for End, which it returns.
func (s *search) take(g *guard, frame hunt.Frame) (end *hunt.End) {
	g.extra = 0
	frame = s.progress.take(frame)
	switch f := frame.(type) {
	case nil:
		return nil
	case hunt.End:
		return &f
	case hunt.Throttled:
		g.extra = max(0, f.RetryAfter)
		s.c.hold(f.RetryAfter)
	case *hunt.Batch:
		s.rows += f.Record.NumRows()
		s.c.health.count(func(h *Health) { h.Rows += f.Record.NumRows() })
	}
	s.out.give(frame)
	return nil
}

// settle tells breaker, limits and health what came of a try. A try that brought rows before it broke speaks neither for nor against
// the source: it is resumed.
func (s *search) settle(ctx context.Context, p *permit, err *hunt.Error) {
	switch {
	case err == nil:
		p.settle(nil)
		s.c.health.succeeded()
		return
	case ctx.Err() != nil:
		p.drop()
		return
	case s.rows > 0:
		p.drop()
	default:
		p.settle(err)
	}
	s.c.health.failed(err)
}

// admit takes the search through the limits of the source. It does not wait beyond the deadline.
func (s *search) admit(ctx context.Context) (*slot, *hunt.Error) {
	defer s.clock.spend(time.Now())
	end, limited := s.deadline()
	waiting, cancel := ctx, context.CancelFunc(func() {})
	if limited {
		waiting, cancel = context.WithDeadlineCause(ctx, end, fullError(0))
	}
	defer cancel()
	slot, err := s.c.options.Limits.acquire(waiting, s.c.options.Ref.Tenant, s.c.scopes(), func(d time.Duration) error {
		if limited && !time.Now().Add(d).Before(end) {
			return fullError(d)
		}
		s.out.give(hunt.Throttled{RetryAfter: d})
		return nil
	})
	var full *hunt.Error
	switch {
	case err == nil:
		return slot, nil
	case errors.As(err, &full):
		return nil, full
	}
	return nil, stopped(ctx)
}

// fullError says that the limits of the source leave no room in time.
func fullError(wait time.Duration) *hunt.Error {
	return &hunt.Error{Op: "search", Code: hunt.SourceThrottled, Retryable: true, RetryAfter: wait,
		Message: "the limits of the source leave no room before the deadline"}
}

// stopped is the error of a search whose context ended.
func stopped(ctx context.Context) *hunt.Error {
	cause := context.Cause(ctx)
	var e *hunt.Error
	switch {
	case errors.As(cause, &e):
		return e
	case errors.Is(cause, context.DeadlineExceeded):
		return &hunt.Error{Op: "search", Code: hunt.SourceTimeout, Retryable: true, Cause: cause,
			Message: "the source did not answer before the deadline of the hunt"}
	}
	return &hunt.Error{Op: "search", Code: hunt.Cancelled, Message: "the search was cancelled", Cause: cause}
}
