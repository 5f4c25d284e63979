package exec

import (
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
	if e.options.Deadline > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, e.options.Deadline)
		defer stop()
	}
	err := e.search(ctx, s)
	s.line.Took = time.Since(began)
	if err == nil && !s.ended {
		err = ctx.Err() // a source that gave up in silence when its time was over
	}
	s.finish(ctx, e.plan.Query.Range, err)
}

// search feeds the stream's frames into the line and its batches into the merge. A connector that panics fails its own stream only.
func (e *Execution) search(ctx context.Context, s *stream) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = &hunt.Error{Op: "search", Source: s.step.Ref.String(), Code: hunt.Internal, Message: "the connector failed with a defect", Cause: fmt.Errorf("panic: %v", r)}
		}
	}()
	c := e.options.Find(s.step.Ref)
	if c == nil {
		return &hunt.Error{Op: "search", Source: s.step.Ref.String(), Code: hunt.SourceUnavailable, Message: "the connection is not open"}
	}
	for frame, err := range c.Search(ctx, s.step.Translation) {
		if err != nil {
			return err
		}
		if b, ok := frame.(*hunt.Batch); ok {
			if err := e.send(ctx, s, b.Record); err != nil {
				return err
			}
			continue
		}
		s.note(frame)
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
	select {
	case s.batches <- rec:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if s.count(rec); e.plan.Query.Limit > 0 && s.taken >= e.plan.Query.Limit {
		return errStopped // the answer cannot hold more rows of this stream
	}
	return nil
}

// count counts the distinct rows that the merge gets; repeats follow each other, because rows come in order.
func (s *stream) count(rec arrow.RecordBatch) {
	uids := vector.UIDs(rec)
	for i := range uids.Len() {
		if uid := uids.Value(i); uid != s.lastUID {
			s.taken++
			s.lastUID = uid
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

// keptRejects is how many rejects and failed parts a line shows in detail; the counts are exact.
const keptRejects = 20

// note takes what a frame says into the coverage line.
func (s *stream) note(f hunt.Frame) {
	switch f := f.(type) {
	case hunt.Progress:
		s.line.RowsScanned = f.RowsScanned
	case hunt.Watermark:
		s.line.Watermark = f.Time
	case hunt.PartFailed:
		if len(s.line.Parts) < keptRejects {
			s.line.Parts = append(s.line.Parts, f)
		}
		if s.line.Err == nil {
			s.line.Err = f.Err
		}
	case hunt.Rejected:
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
func (s *stream) finish(ctx context.Context, r hunt.TimeRange, err error) {
	l := &s.line
	l.Searched = r
	enough := errors.Is(err, errStopped) || errors.Is(context.Cause(ctx), errStopped)
	switch {
	case err != nil && !enough && errors.Is(ctx.Err(), context.DeadlineExceeded):
		l.State, l.Err = hunt.TimedOut, &hunt.Error{Code: hunt.SourceTimeout, Message: "the source did not answer before its deadline", Retryable: true, Cause: err}
	case err != nil && !enough && ctx.Err() != nil:
		l.State, l.Err = hunt.Partial, &hunt.Error{Code: hunt.Cancelled, Message: "the caller went away", Cause: err}
	case err != nil && !enough:
		l.State, l.Err = hunt.Failed, hunt.AsError(err, hunt.SourceFailed)
	case !s.ended && !enough:
		l.State, l.Err = hunt.Failed, &hunt.Error{Code: hunt.StreamWithoutEnd, Message: "the source stopped without saying that it was complete"}
	case len(l.Parts) > 0:
		l.State = hunt.Partial
	case l.Rejected > 0:
		l.State, l.Err = hunt.Partial, rejectedError(l)
	}
	if l.State == hunt.Failed {
		l.Searched = hunt.TimeRange{}
	}
}

func rejectedError(l *hunt.Line) *hunt.Error {
	first := l.Rejects[0]
	return &hunt.Error{Code: hunt.RecordsRejected, Message: fmt.Sprintf("%d records could not be decoded and were not searched; the first is in %s at byte %d: %s", l.Rejected, first.Part, first.Offset, first.Reason)}
}
