package conformance

import (
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// bothOrders lists the orders of an answer.
func bothOrders() []hunt.Order { return []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} }

// checkOrder: an answer without rows ends as well.
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

func checkPaging(s *subject) {
	for i, h := range s.held() {
		where := s.random(h)
		all := []hunt.Expr{hunt.True(), where, hunt.Not{Expr: where}}
		switch {
		case s.suite.Thorough || i == 0:
			for _, e := range all {
				for _, order := range bothOrders() {
					s.page(h, ordered(h.asking(e), order), 1000)
					s.page(h, ordered(h.asking(e), order), 7)
					s.page(h, ordered(h.narrow(e), order), 1)
				}
			}
		case h.volume:
			s.page(h, h.asking(hunt.True()), 700)
			s.page(h, ordered(h.asking(where), hunt.TimeDesc), 300)
		default:
			s.page(h, ordered(h.asking(all[i%3]), bothOrders()[i%2]), 10)
		}
	}
}

func ordered(r hunt.Request, order hunt.Order) hunt.Request {
	r.Order = order
	return r
}

// narrow is asking for few rows, those of the busiest times among them.
func (h *held) narrow(e hunt.Expr) hunt.Request {
	r, n := h.asking(e), len(h.ref.keys)
	if n > 30 {
		r.Range = hunt.TimeRange{Start: h.ref.keys[n/2].Time, End: h.ref.keys[min(n/2+15, n-1)].Time + 1}
	}
	return r
}

// page reads a request to exhaustion in pages.
func (s *subject) page(h *held, r hunt.Request, size int) {
	want, got := h.expected(r), []hunt.Key{}
	r.Limit = size
	for len(got) <= len(want) {
		rows, ok := s.onePage(r)
		if !ok {
			return
		}
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

// onePage reads as many rows as the limit; false if that failed, which is noted.
func (s *subject) onePage(r hunt.Request) ([]hunt.Key, bool) {
	t := s.translate(r)
	if t == nil {
		return nil, false
	}
	a := s.read(t, func(a *answer) bool { return len(a.rows) >= r.Limit })
	if a.err != nil || a.end == nil && len(a.rows) < r.Limit {
		s.errorf("Search %s after %v: the page broke off: %v", brief(r), r.After, a.err)
		return nil, false
	}
	return a.rows[:min(len(a.rows), r.Limit)], true
}

func checkForeignKeys(s *subject) {
	for i, h := range s.held() {
		n := len(h.ref.keys)
		step := max(n/2, 1)
		if i == 0 || s.suite.Thorough {
			step = max(n/6, 1)
		}
		for at := step / 2; at < n; at += step {
			for _, key := range s.foreign(h.ref.keys[at]) {
				for _, order := range bothOrders() {
					r := ordered(h.request(), order)
					r.After = &key
					s.compare(h, r)
				}
			}
		}
	}
}

// foreign makes keys of other tenants and connections at the time of a row, and keys that no row has.
func (s *subject) foreign(k hunt.Key) []hunt.Key {
	return []hunt.Key{
		{Time: k.Time, Tenant: "", Connection: s.id.Connection, UID: k.UID},
		{Time: k.Time, Tenant: s.id.Tenant + "z", Connection: s.id.Connection, UID: k.UID},
		{Time: k.Time, Tenant: s.id.Tenant, Connection: "", UID: k.UID},
		{Time: k.Time, Tenant: s.id.Tenant, Connection: s.id.Connection + "z", UID: k.UID},
		{Time: k.Time + 1, Tenant: s.id.Tenant + "z"},
		{Time: k.Time, Tenant: s.id.Tenant, Connection: s.id.Connection},
	}
}

func checkRange(s *subject) {
	for i, h := range s.held() {
		cuts := h.cuts(i == 0 || s.suite.Thorough)
		for j, from := range cuts {
			for _, to := range cuts[j:] {
				r := h.request()
				r.Range = hunt.TimeRange{Start: max(from, h.span.Start), End: min(to, h.span.End)}
				s.compare(h, r)
			}
		}
	}
}

// cuts picks instants at and around those of events; many says how many.
func (h *held) cuts(many bool) []int64 {
	n := len(h.ref.keys)
	if n == 0 {
		return []int64{0, 1}
	}
	busy := h.ref.keys[n/2].Time
	out := []int64{busy, busy + 1, h.ref.keys[n-1].Time, h.ref.keys[n-1].Time + 1}
	if many {
		w := sample.Window()
		out = append(out, h.ref.keys[0].Time, h.ref.keys[0].Time+1, busy-1, 0, w.Start, w.Start+1, w.End)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func checkLimit(s *subject) {
	for _, h := range s.held() {
		for i := range s.fewer(8, 40) {
			r := h.asking(s.random(h))
			if i%4 == 0 {
				r = h.request()
			}
			r.Order, r.Limit = bothOrders()[i%2], 1+s.rng.IntN(50)
			s.compare(h, r)
		}
	}
}

func checkProjection(s *subject) {
	for _, h := range s.held() {
		all := h.columns()
		for n := range s.fewer(4, 12) {
			r := h.request()
			for range n * n {
				r.Columns = append(r.Columns, all[s.rng.IntN(len(all))])
			}
			schema := hunt.Schema(h.Class, r.Columns)
			a, wrong := s.differs(h, r)
			if !wrong && a.end != nil && !array.RecordEqual(a.concat(schema), vector.Project(h.ref.rec, schema)) {
				s.errorf("Search %s, columns %v: the values are not those of a search for all columns", brief(r), r.Columns)
			}
		}
	}
}
