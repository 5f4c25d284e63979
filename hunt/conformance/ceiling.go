package conformance

import (
	"context"
	"iter"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// asked searches as a host does: where the stream says that one search gives no more than so many rows, and one came to that, it goes on
// with a search for what comes after the last row. Other streams are searched once. So every behaviour is checked across ceilings, and a
// search that gives other rows than the first of the order loses some.
func (s *subject) asked(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	ceiling := s.ceiling(&t.Request)
	if ceiling == 0 {
		return s.src.conn.Search(ctx, t)
	}
	return func(yield func(hunt.Frame, error) bool) {
		for more := true; more; {
			one := piece{s: s, request: &t.Request, ceiling: ceiling}
			if !one.pass(s.src.conn.Search(ctx, t), yield) || one.last == nil {
				return
			}
			next := t.Request
			next.After = one.last
			if t = s.translate(next); t == nil {
				return // noted, and the answer has no end
			}
		}
	}
}

// ceiling returns how many rows one search of a stream can give, as described last; 0 if there is no bound.
func (s *subject) ceiling(r *hunt.Request) int {
	d := s.src.said.Load()
	if d == nil {
		d = s.describe() // of a source that was just opened
	}
	if d == nil {
		return 0
	}
	if st := findStream(d, &hunt.Stream{Name: r.Stream, Class: r.Class}); st != nil {
		return st.Ceiling
	}
	return 0
}

// piece is one search of a stream with a ceiling.
type piece struct {
	s       *subject
	request *hunt.Request
	ceiling int
	rows    int
	key     *hunt.Key // of the last row
	last    *hunt.Key // key, if the search came to the ceiling
}

// pass hands on what the search gives, but for an End at the ceiling; false if the consumer has enough.
func (p *piece) pass(in iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) bool {
	for frame, err := range in {
		if end, ok := frame.(hunt.End); ok && err == nil && p.full(end) {
			p.last = p.key
			continue
		}
		p.take(frame)
		if !yield(frame, err) {
			return false
		}
	}
	return true
}

// full says whether a search ended at the ceiling, and notes one that gives nothing although there is more.
func (p *piece) full(end hunt.End) bool {
	if end.Truncated && p.rows == 0 {
		p.s.errorf("Search %s: it ends truncated without a row, so what is left cannot be asked for", brief(*p.request))
	}
	return p.rows > 0 && (end.Truncated || p.rows >= p.ceiling)
}

// take counts rows and remembers the last.
func (p *piece) take(frame hunt.Frame) {
	b, ok := frame.(*hunt.Batch)
	if !ok || b == nil || b.Record == nil || b.Record.NumRows() == 0 {
		return
	}
	p.rows += int(b.Record.NumRows())
	if p.rows > p.ceiling {
		p.s.errorf("Search %s: it gives %d rows, and the description says that %d are the most", brief(*p.request), p.rows, p.ceiling)
	}
	if !b.Record.Schema().Equal(hunt.Schema(p.request.Class, p.request.Columns)) {
		return // which is noted where batches are checked
	}
	us, uid := vector.KeyAt(b.Record, int(b.Record.NumRows())-1)
	p.key = &hunt.Key{Time: us, Tenant: p.s.id.Tenant, Connection: p.s.id.Connection, UID: strings.Clone(uid)}
}
