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
		p := &pieces{s: s, ceiling: ceiling}
		for {
			p.begin(&t.Request)
			if !p.pass(s.src.conn.Search(ctx, t), yield) || !p.full {
				return
			}
			next := t.Request
			next.After = p.last
			var err error
			if t, err = s.src.conn.Translate(next); err != nil || t == nil {
				yield(nil, err) // whether it may fail is for the check to say: the source may have been closed or broken meanwhile
				return
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

// pieces makes one answer of the searches of a stream with a ceiling. Each of them is judged by itself, and the figures of those before
// are added to it.
type pieces struct {
	s          *subject
	ceiling    int
	before     hunt.Progress // of the searches before this one
	duplicates int64         // the most that one of them counted

	request *hunt.Request // of this search, as all below
	said    answer        // its progress and its end
	rows    int
	last    *hunt.Key // of its last row
	full    bool      // it came to the ceiling, and there is a row to go on from
}

// begin goes on to the next search.
func (p *pieces) begin(r *hunt.Request) {
	p.before = p.sum(p.said.progress)
	p.request, p.said, p.rows, p.last, p.full = r, answer{}, 0, nil, false
}

// sum adds the searches before.
func (p *pieces) sum(f hunt.Progress) hunt.Progress {
	return hunt.Progress{RowsScanned: p.before.RowsScanned + f.RowsScanned, Done: p.before.Done + f.Done, Total: p.before.Total + f.Total}
}

// pass hands on what the search gives, but for an End at the ceiling; false if the consumer has enough.
func (p *pieces) pass(in iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) bool {
	for frame, err := range in {
		if p.full {
			p.s.errorf("Search %s: %T came after End", brief(*p.request), frame)
		}
		if err == nil {
			frame = p.take(frame)
		}
		if (err != nil || !p.full) && !yield(frame, err) {
			return false
		}
	}
	return true
}

// take judges a frame and returns it as one of the whole answer.
func (p *pieces) take(frame hunt.Frame) hunt.Frame {
	switch f := frame.(type) {
	case *hunt.Batch:
		p.batch(f)
	case hunt.Progress:
		p.s.note(&p.said, p.request, f)
		return p.sum(f)
	case hunt.End:
		p.s.noteEnd(&p.said, p.request, f)
		return p.end(f)
	}
	return frame
}

// batch counts rows and remembers the last.
func (p *pieces) batch(b *hunt.Batch) {
	if b == nil || b.Record == nil || b.Record.NumRows() == 0 {
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
	p.last = &hunt.Key{Time: us, Tenant: p.s.id.Tenant, Connection: p.s.id.Connection, UID: strings.Clone(uid)}
}

// end finds out whether the search came to the ceiling, notes one that gives nothing new although there is more, and adds up figures.
func (p *pieces) end(end hunt.End) hunt.End {
	more := end.Truncated || p.rows >= p.ceiling
	moved := p.last != nil && (p.request.After == nil || compareIn(p.request.Order, *p.last, *p.request.After) > 0)
	if p.full = more && moved; more && !moved {
		p.s.errorf("Search %s: there is more, but it gives no row after the one from which it was asked, so what is left cannot be asked for", brief(*p.request))
	}
	p.duplicates = max(p.duplicates, end.Duplicates)
	end.Duplicates = p.duplicates
	if end.RowsScanned >= 0 {
		p.said.progress.RowsScanned = max(p.said.progress.RowsScanned, end.RowsScanned)
		end.RowsScanned = p.sum(p.said.progress).RowsScanned
	}
	return end
}
