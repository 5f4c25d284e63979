package conformance

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

func checkUIDs(s *subject) {
	for _, h := range s.held() {
		seen := map[string]bool{}
		for _, k := range h.ref.keys {
			if k.UID == "" || seen[k.UID] {
				s.errorf("%s: two events have the uid %q, or one has none", h.label(), k.UID)
			}
			seen[k.UID] = true
		}
		s.compare(h, h.request())
		s.compare(h, ordered(h.request(), hunt.TimeDesc))
		s.page(h, h.request(), 9)
	}
	if s.suite.Connect == nil {
		s.notef("the suite cannot open the source again (no Connect), so uids were compared within one connection")
		return
	}
	s.reopened()
}

// reopened compares what another connection gives.
func (s *subject) reopened() {
	conn, err := s.suite.Connect(s.ctx)
	if err != nil {
		s.errorf("Connect: %v", err)
		return
	}
	other := &subject{ctx: s.ctx, suite: s.suite, b: s.b, id: s.id, rng: s.rng, src: &source{conn: conn, data: s.src.data}, tag: s.tag}
	for _, h := range s.held() {
		again := other.search(h.full())
		if !slices.Equal(again.rows, h.ref.keys) {
			s.errorf("%s: events have other keys after the source was opened again:%s", h.label(), difference(again.rows, h.ref.keys))
		} else if rec := again.concat(hunt.Schema(h.Class, h.columns())); !array.RecordEqual(rec, h.ref.rec) {
			s.errorf("%s: events have other values after the source was opened again", h.label())
		}
	}
	other.close()
	result := other.result()
	for _, err := range result.Problems {
		s.errorf("after the source was opened again: %w", err)
	}
}

func checkSnapshot(s *subject) {
	d, all := s.describe(), s.held()
	if d == nil || len(all) == 0 {
		return
	}
	if d.Snapshot == "" {
		s.skip("the source says that it cannot show an earlier state (no Description.Snapshot)")
		return
	}
	if needsGrow().met(s.suite) {
		s.grow(d, all[0])
	} else {
		s.notef("nothing was added to the source: %s", needsGrow().why)
	}
	for _, h := range all {
		for i := range 10 {
			r := h.asking(s.random(h))
			if i == 0 {
				r = h.full()
			}
			r.Snapshot, r.Order = d.Snapshot, bothOrders()[i%2]
			s.compare(h, r)
		}
	}
}

// grow adds events to a stream and looks for them.
func (s *subject) grow(before *hunt.Description, h *held) {
	more := s.suite.newData(s.rng, *h.loaded.Stream, false)
	if err := s.suite.Grow(s.ctx, more); err != nil {
		s.errorf("Grow: %v", err)
		return
	}
	now := s.describe()
	if now == nil {
		return
	}
	if now.Snapshot == before.Snapshot {
		s.errorf("Describe: events were added and the snapshot is still %q", now.Snapshot)
	}
	want := len(h.ref.keys) + int(more.Record.NumRows()-untimedOf(more.Record))
	if a := s.search(h.request()); len(a.rows) != want {
		s.errorf("%s: %d events after some were added to %d, want %d", h.label(), len(a.rows), len(h.ref.keys), want)
	}
	r := h.request()
	r.Snapshot = now.Snapshot
	if a := s.search(r); len(a.rows) != want {
		s.errorf("%s: %d events in the new snapshot, want %d", h.label(), len(a.rows), want)
	}
}

func checkDuplicates(s *subject) {
	for _, h := range s.held() {
		again := *h.loaded
		again.Record = vector.Take(again.Record, []int{3, 3, 8, 9, 9, 9, 12, 13})
		timed := again.Record.NumRows() - untimedOf(again.Record)
		first := s.compare(h, h.full())
		if err := s.suite.Grow(s.ctx, again); err != nil {
			s.errorf("Grow with events that are there: %v", err)
			return
		}
		s.describe()
		a := s.compare(h, h.full())
		if a.end == nil || first.end == nil {
			continue
		}
		// A source may have made one event of them when they were written: then it has nothing to count.
		if more := a.end.Duplicates - first.end.Duplicates; more != 0 && (more < timed || more > again.Record.NumRows()) {
			s.errorf("%s: End counts %d duplicates after %d identical events were added, %d of them with a time", h.label(), more, again.Record.NumRows(), timed)
		}
		s.page(h, h.request(), 5)
	}
}

// checkRemoval reads pages and deletes events before and behind the last row between them.
func checkRemoval(s *subject) {
	for _, h := range s.held() {
		for _, order := range bothOrders() {
			s.removing(h, order)
		}
	}
}

func (s *subject) removing(h *held, order hunt.Order) {
	r := ordered(h.full(), order)
	start := s.search(r)
	all := start.concat(hunt.Schema(h.Class, r.Columns))
	n := len(start.rows)
	if n < 20 {
		s.notef("%s has too few events left to delete some", h.label())
		return
	}
	r.Limit = 7
	var got []hunt.Key
	gone := map[hunt.Key]bool{}
	for page := 0; len(got) <= n; page++ {
		rows, ok := s.onePage(r)
		if !ok {
			return
		}
		got = append(got, rows...)
		if len(rows) < r.Limit {
			break
		}
		r.After = &rows[len(rows)-1]
		if page == 0 {
			which := []int{2, 6, 7, 9, n - 2} // the first page ended with row 6
			for _, i := range which {
				gone[start.rows[i]] = true
			}
			if err := s.suite.Remove(s.ctx, Data{Stream: h.loaded.Stream, Record: vector.Take(all, which)}); err != nil {
				s.errorf("Remove: %v", err)
				return
			}
			s.describe()
		}
	}
	stayed := func(list []hunt.Key) []hunt.Key {
		return slices.DeleteFunc(slices.Clone(list), func(k hunt.Key) bool { return gone[k] })
	}
	if !slices.Equal(stayed(got), stayed(start.rows)) {
		s.errorf("%s in pages, %s, with events deleted meanwhile: %s", h.label(), order, difference(stayed(got), stayed(start.rows)))
	}
}
