package hunttest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// bothOrders lists the orders of an answer.
func bothOrders() []hunt.Order { return []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} }

// checkOrder: rows come by (time, uid), upwards or downwards, across batches. An answer without rows ends as well.
func checkOrder(s *subject) {
	for _, h := range s.held() {
		for _, order := range bothOrders() {
			r := h.request()
			r.Order = order
			s.compare(h, r)
			r.Where = hunt.Or{}
			s.compare(h, r)
		}
	}
}

// checkPaging: pages of 1, 7 and 1000 rows, each after the last row of the one before, give every row once.
func checkPaging(s *subject) {
	for _, h := range s.held() {
		where := RandomExprOver(s.rng, Columns(h.Class, h.Attributes), h.rec)
		for _, e := range []hunt.Expr{hunt.True(), where, hunt.Not{Expr: where}} {
			for _, order := range bothOrders() {
				for _, size := range []int{1, 7, 1000} {
					r := h.asking(e)
					r.Order = order
					s.page(h, r, size)
				}
			}
		}
	}
}

// page reads a request to exhaustion in pages.
func (s *subject) page(h *held, r hunt.Request, size int) {
	want, got := h.expected(r), []hunt.Key{}
	r.Limit = size
	for len(got) <= len(want) {
		t, err := s.conn.Translate(r)
		if err != nil {
			s.errorf("Translate %s: %v", brief(r), err)
			return
		}
		a := s.read(s.ctx, t, size)
		if a.err != nil || a.end == nil && len(a.rows) < size {
			s.errorf("Search %s after %v: page broke off: %v", brief(r), r.After, a.err)
			return
		}
		rows := a.rows[:min(len(a.rows), size)]
		got = append(got, rows...)
		if len(rows) < size {
			break
		}
		r.After = &rows[size-1]
	}
	if !slices.Equal(got, want) {
		s.errorf("Search %s in pages of %d, %s: %s", brief(r), size, r.Order, difference(got, want))
	}
}

// checkForeignKeys: a key of another tenant or connection has its place among the rows of one instant.
func checkForeignKeys(s *subject) {
	id := Identity()
	for _, h := range s.held() {
		for i := 0; i < int(h.rec.NumRows()); i += 5 {
			us, _ := timeAt(h.rec, i)
			uid := uidAt(h.rec, i)
			for _, key := range []hunt.Key{
				{Time: us, Tenant: "a", Connection: id.Connection, UID: uid}, {Time: us, Tenant: "z", Connection: id.Connection, UID: uid},
				{Time: us, Tenant: id.Tenant, Connection: "a", UID: uid}, {Time: us, Tenant: id.Tenant, Connection: "z", UID: uid},
				{Time: us + 1, Tenant: "z"}, {Time: us, Tenant: id.Tenant, Connection: id.Connection},
			} {
				for _, order := range bothOrders() {
					r := h.request()
					r.Order, r.After = order, &key
					s.compare(h, r)
				}
			}
		}
	}
}

// checkRange: ranges are half-open, to the microsecond.
func checkRange(s *subject) {
	for _, h := range s.held() {
		w := Window()
		cuts := []int64{w.Start - 1, w.Start, w.Start + 1, w.End - 1, w.End, w.End + 1, w.End + 2}
		for i, from := range cuts {
			for _, to := range cuts[i:] {
				r := h.request()
				r.Range = hunt.TimeRange{Start: from, End: to}
				s.compare(h, r)
			}
		}
	}
}

// checkLimit: with a limit at least that many rows come, the first ones, also where a part of the condition is checked afterwards.
func checkLimit(s *subject) {
	for _, h := range s.held() {
		columns := Columns(h.Class, h.Attributes)
		for i := range 40 {
			r := h.asking(RandomExprOver(s.rng, columns, h.rec))
			if i%4 == 0 {
				r = h.request()
			}
			r.Order = bothOrders()[i%2]
			r.Limit = 1 + s.rng.IntN(50)
			a, want := s.search(r), h.expected(r)
			if a.end == nil {
				continue
			}
			if len(a.rows) < min(r.Limit, len(want)) || len(a.rows) > len(want) || !slices.Equal(a.rows, want[:len(a.rows)]) {
				s.errorf("Search %s, limit %d, %s: %d rows that are not the first of %d", brief(r), r.Limit, r.Order, len(a.rows), len(want))
			}
		}
	}
}

// checkProjection: batches hold the columns that were asked for, uid and time, with the values that the events have.
func checkProjection(s *subject) {
	for _, h := range s.held() {
		all := h.columns()
		for n := range 10 {
			r := h.request()
			for range n {
				r.Columns = append(r.Columns, pick(s.rng, all))
			}
			schema := hunt.Schema(h.Class, r.Columns)
			got, want := concat(schema, s.compare(h, r)), vector.Project(h.rec, schema)
			if !array.RecordEqual(got, want) {
				s.errorf("Search %s, columns %v: the values are not those of a search for all columns", brief(r), r.Columns)
			}
		}
	}
}

// checkSnapshot: a request with the snapshot of a description gives the same rows after events were added; one without it gives the
// new ones too.
func checkSnapshot(s *subject) {
	d, all := s.describe(), s.held()
	if d == nil || d.Snapshot == "" || len(all) == 0 {
		return // the source says that it cannot
	}
	if s.suite.Grow != nil {
		s.suite.Grow(s.t, s.newData(*s.data[0].Stream))
		if now := s.describe(); now != nil && now.Snapshot == d.Snapshot {
			s.errorf("Describe: events were added and the snapshot is still %q", d.Snapshot)
		}
		if a := s.search(all[0].request()); len(a.rows) <= int(all[0].rec.NumRows()) {
			s.errorf("stream %s of %s: %d rows after events were added to %d", all[0].Name, all[0].Class.Name, len(a.rows), all[0].rec.NumRows())
		}
	}
	for _, h := range all {
		for range 10 {
			r := h.asking(RandomExprOver(s.rng, Columns(h.Class, h.Attributes), h.rec))
			r.Snapshot = d.Snapshot
			s.compare(h, r)
		}
	}
}

// checkConcurrency: searches at the same time give what they give alone. The race detector sees the rest.
func checkConcurrency(s *subject) {
	all := s.held()
	var group sync.WaitGroup
	for i := range 4 {
		other := &subject{t: s.t, ctx: s.ctx, suite: s.suite, conn: s.conn, data: s.data}
		defer func() { s.errs = append(s.errs, other.errs...) }()
		group.Go(func() {
			for _, h := range all {
				r := h.request()
				r.Order = bothOrders()[i%2]
				other.compare(h, r)
				other.describe()
			}
		})
	}
	group.Wait()
}

// checkCancel: a search stops within a second of its context's end, before the first frame and after it, and leaves nothing behind.
// If it ends as if it were complete, then it is.
func checkCancel(s *subject) {
	for _, h := range s.held() {
		for _, after := range []int{0, 1} {
			s.cancel(h, after)
		}
	}
	s.leaks("after cancelling")
}

func (s *subject) cancel(h *held, after int) {
	r := h.request()
	t, err := s.conn.Translate(r)
	if err != nil {
		s.errorf("Translate %s: %v", brief(r), err)
		return
	}
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	cancelled, done := make(chan struct{}), make(chan string, 1)
	go func() {
		at := func(frame int) {
			if frame == after {
				stop()
				close(cancelled)
			}
		}
		done <- consumer{s.conn, t, at}.consume(ctx, int(h.rec.NumRows()))
	}()
	select {
	case <-cancelled:
	case <-s.ctx.Done():
		s.errorf("Search %s: no frame and no end", brief(r))
		return
	}
	select {
	case problem := <-done:
		if problem != "" {
			s.errorf("Search %s, cancelled after %d frames: %s", brief(r), after, problem)
		}
	case <-time.After(time.Second):
		s.errorf("Search %s, cancelled after %d frames: it has not stopped within a second", brief(r), after)
	}
}

// consumer reads a search and calls at: before it with 0, then after each frame with their number.
type consumer struct {
	conn hunt.Connector
	t    *hunt.Translation
	at   func(frame int)
}

// consume says what is wrong with an answer that should have rows rows if it is complete.
func (c consumer) consume(ctx context.Context, rows int) string {
	c.at(0)
	frames, got, ended := 0, 0, false
	for frame, err := range c.conn.Search(ctx, c.t) {
		if err != nil {
			break
		}
		switch f := frame.(type) {
		case *hunt.Batch:
			got += int(f.Record.NumRows())
		case hunt.End:
			ended = !f.Truncated
		}
		frames++
		c.at(frames)
	}
	if frames == 0 {
		c.at(1)
	}
	if ended && got < rows {
		return fmt.Sprintf("End came after %d of %d rows", got, rows)
	}
	return ""
}

// checkBreak: a consumer that stops reading leaves nothing behind, and the connection works on.
func checkBreak(s *subject) {
	for _, h := range s.held() {
		t, err := s.conn.Translate(h.request())
		if err != nil {
			s.errorf("Translate %s: %v", brief(h.request()), err)
			continue
		}
		for range 5 {
			for range s.conn.Search(s.ctx, t) {
				break
			}
		}
	}
	s.leaks("after the consumer stopped")
	for _, h := range s.held() {
		s.compare(h, h.request())
	}
}

// checkClose: Close can be called twice, waits for goroutines, and a search after it does not pass for complete.
func checkClose(s *subject) {
	all := s.held()
	var translations []*hunt.Translation
	for _, h := range all {
		t, err := s.conn.Translate(h.request())
		if err != nil {
			s.errorf("Translate %s: %v", brief(h.request()), err)
			return
		}
		translations = append(translations, t)
	}
	for range 2 {
		if err := s.conn.Close(); err != nil {
			s.errorf("Close: %v", err)
		}
	}
	s.leaks("after Close")
	for _, t := range translations {
		if a := s.read(s.ctx, t, -1); a.err == nil {
			s.errorf("Search %s after Close: no error", brief(t.Request))
		}
	}
}
