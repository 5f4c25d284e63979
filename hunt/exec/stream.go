package exec

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// run searches one stream and writes its coverage line.
func (e *Execution) run(ctx context.Context, s *stream) {
	defer close(s.batches)
	began := time.Now()
	err := e.search(ctx, s)
	s.line.Took = time.Since(began)
	if err == nil && !s.ended {
		err = context.Cause(ctx) // a source that gave up in silence when it was told to
	}
	s.finish(ctx, e.plan.Query, err)
	if s.line.State != hunt.Complete {
		e.gaps.Store(true)
	}
}

// search feeds the stream's frames into the line and its batches into the merge.
func (e *Execution) search(ctx context.Context, s *stream) error {
	for frame, err := range e.options.Find(s.step.Ref).Search(ctx, s.step.Translation) {
		if err != nil {
			return err
		}
		if b, ok := frame.(*hunt.Batch); ok {
			if err := e.send(ctx, s, b.Record); err != nil {
				return err
			}
			continue
		}
		e.note(s, frame)
		if e.options.Notify != nil {
			e.options.Notify(s.step, frame)
		}
	}
	return nil
}

// send rechecks a batch and hands it to the merge.
func (e *Execution) send(ctx context.Context, s *stream, rec arrow.RecordBatch) error {
	if s.ended {
		return hunt.Errorf(hunt.SourceFailed, "rows came after the end")
	}
	rec = vector.Select(rec, e.recheck(s, rec))
	if rec.NumRows() == 0 {
		return nil
	}
	if err := s.inOrder(rec, e.plan.Query.Order); err != nil {
		return err
	}
	if err := s.hand(ctx, rec); err != nil {
		return err
	}
	if limit := e.plan.Query.Limit; limit > 0 && s.taken >= limit {
		return errStopped // the answer cannot hold more rows of this stream
	}
	return nil
}

// inOrder refuses rows that come before rows that were given: the merge would put them in the wrong place, and a later page would
// never show them.
func (s *stream) inOrder(rec arrow.RecordBatch, order hunt.Order) error {
	if s.last != nil {
		us, uid := vector.KeyAt(s.last, 0)
		nextUS, nextUID := vector.KeyAt(rec, 0)
		c := cmp.Or(cmp.Compare(us, nextUS), cmp.Compare(uid, nextUID))
		if order == hunt.TimeDesc {
			c = -c
		}
		if c > 0 {
			return errOrder()
		}
	}
	if !vector.InOrder(rec, order) {
		return errOrder()
	}
	s.count(rec)
	s.last = rec.NewSlice(rec.NumRows()-1, rec.NumRows())
	return nil
}

func errOrder() error {
	return &hunt.Error{Op: "search", Code: hunt.SourceFailed, Message: "the source gave its rows out of order, so pages would lose some"}
}

// hand gives a batch to the merge. What the reader makes the stream wait does not count against its deadline: package wrap counts the
// time that somebody waits for the source.
func (s *stream) hand(ctx context.Context, rec arrow.RecordBatch) error {
	select {
	case s.batches <- rec:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// count counts the distinct rows that the merge gets; repeats follow each other, because rows come in order.
func (s *stream) count(rec arrow.RecordBatch) {
	uids := vector.UIDs(rec)
	before := ""
	if s.last != nil {
		before = vector.UIDs(s.last).Value(0)
	}
	for i := range uids.Len() {
		if uid := uids.Value(i); uid != before {
			s.taken++
			before = uid
		}
	}
}

// recheck selects the rows that are in the range, after the key and satisfy the residual: a source may return more than was asked.
func (e *Execution) recheck(s *stream, rec arrow.RecordBatch) vector.Mask {
	m := vector.InRange(rec, e.plan.Query.Range)
	if key := e.plan.Query.After; key != nil {
		for i := range m {
			m[i] = m[i] && e.after(s.step.Ref, rec, i)
		}
	}
	if s.program != nil {
		for i, on := range s.program.Filter(rec) {
			m[i] = m[i] && on
		}
	}
	return m
}

func (e *Execution) after(ref hunt.ConnectionRef, rec arrow.RecordBatch, row int) bool {
	us, uid := vector.KeyAt(rec, row)
	c := hunt.Key{Time: us, Tenant: ref.Tenant, Connection: ref.Connection, UID: uid}.Compare(*e.plan.Query.After)
	if e.plan.Query.Order == hunt.TimeDesc {
		return c < 0
	}
	return c > 0
}

// keptRejects is how many rejects and failed parts a line shows in detail; their numbers are exact.
const keptRejects = 20

// note takes what a frame says into the coverage line.
func (e *Execution) note(s *stream, f hunt.Frame) {
	switch f := f.(type) {
	case hunt.Progress:
		s.line.RowsScanned = f.RowsScanned
	case hunt.Watermark:
		s.line.Watermark = f.Time
	case hunt.Throttled:
		s.line.Throttled += f.RetryAfter
	case hunt.PartFailed:
		e.gaps.Store(true)
		s.line.PartsFailed++
		if len(s.line.Parts) < keptRejects {
			s.line.Parts = append(s.line.Parts, f)
		}
		if s.line.PartsFailed == 1 {
			s.line.Err = f.Err // says more than that the source has dropped old events
		}
	case hunt.Rejected:
		e.gaps.Store(true)
		s.line.Rejected += f.Count
		if len(s.line.Rejects) < keptRejects {
			s.line.Rejects = append(s.line.Rejects, f)
		}
	case hunt.End:
		s.ended = true
		s.line.Truncated, s.line.Duplicates, s.line.Untimed = f.Truncated, f.Duplicates, f.Untimed
		if f.Reason != "" {
			s.line.Reason = f.Reason
		}
		if f.RowsScanned > 0 {
			s.line.RowsScanned = f.RowsScanned
		}
	}
}

// finish decides the state of the line. A consumer that has seen enough is no gap: the rows of the page are complete.
func (s *stream) finish(ctx context.Context, q *hunt.Query, err error) {
	l := &s.line
	l.Searched = q.Range
	if l.Kept != nil {
		l.Searched = *l.Kept
	}
	switch {
	case errors.Is(err, errStopped) || err != nil && errors.Is(context.Cause(ctx), errStopped):
		l.Searched = s.seen(l.Searched, q.Order)
		s.gap()
	case errors.Is(context.Cause(ctx), context.DeadlineExceeded) && err != nil:
		fail(l, &hunt.Error{Code: hunt.SourceTimeout, Message: "the source did not answer before the deadline of the caller", Retryable: true, Cause: err})
	case err != nil && ctx.Err() != nil:
		l.State, l.Searched = hunt.Partial, hunt.TimeRange{}
		l.Err = &hunt.Error{Code: hunt.Cancelled, Message: "the caller went away", Cause: err}
	case err != nil:
		fail(l, hunt.AsError(err, hunt.SourceFailed))
	case !s.ended:
		fail(l, &hunt.Error{Code: hunt.StreamWithoutEnd, Message: "the source stopped without saying that it was complete"})
	default:
		s.gap()
	}
}

// fail says that nothing can be relied on. The error is that of the source, not what the plan knew of its retention.
func fail(l *hunt.Line, err *hunt.Error) {
	l.State, l.Err, l.Searched = hunt.StateOf(err.Code), err, hunt.TimeRange{}
}

// gap makes the line PARTIAL if the source told of something that it could not search.
func (s *stream) gap() {
	l := &s.line
	switch {
	case l.PartsFailed > 0:
		l.State = hunt.Partial
	case l.Rejected > 0:
		l.State, l.Err = hunt.Partial, rejectedError(l)
	case l.Kept != nil:
		l.State = hunt.Partial
	}
}

// seen is the range that was searched when the stream was stopped because the page was full: up to its last row.
func (s *stream) seen(r hunt.TimeRange, order hunt.Order) hunt.TimeRange {
	if s.last == nil {
		return r
	}
	us, _ := vector.KeyAt(s.last, 0)
	if order == hunt.TimeDesc {
		r.Start = us
	} else {
		r.End = us + 1
	}
	return r
}

// rejectedError says how many records were not searched, and where the first of them is; a source that keeps no place gives offset 0.
func rejectedError(l *hunt.Line) *hunt.Error {
	first := l.Rejects[0]
	where := first.Part
	if first.Offset > 0 {
		where += fmt.Sprintf(" at byte %d", first.Offset)
	}
	return &hunt.Error{Code: hunt.RecordsRejected, Message: fmt.Sprintf("%d records could not be decoded and were not searched; the first is in %s: %s", l.Rejected, where, first.Reason)}
}
