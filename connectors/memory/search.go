package memory

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

const (
	batchRows = 8 << 10  // rows of a batch that is yielded, at most
	scanRows  = 64 << 10 // rows that are filtered before the context is asked again
)

// Search implements hunt.Connector. What satisfies the request is found first, as places; rows are copied batch by batch as the host
// reads. With a limit only the rows that are read get ordered.
func (m *Memory) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		s := &search{m: m, req: &t.Request, where: vector.Compile(hunt.Push(t.Request.Where, t.Of()))}
		if err := s.run(ctx, yield); err != nil {
			yield(nil, m.fail("memory: search", err))
		}
	}
}

// search is one running search.
type search struct {
	m      *Memory
	req    *hunt.Request
	where  *vector.Program
	chunks []arrow.RecordBatch
	found  places
	end    hunt.End
}

// run yields everything; an error is for the caller to yield.
func (s *search) run(ctx context.Context, yield func(hunt.Frame, error) bool) *hunt.Error {
	parts, err := s.snapshot()
	if err != nil {
		return err
	}
	for _, p := range parts {
		if err := s.scan(ctx, p); err != nil {
			return err
		}
	}
	next := s.order()
	for {
		if err := s.alive(ctx); err != nil {
			return err
		}
		rec := s.batch(next)
		if rec == nil {
			break
		}
		if !yield(&hunt.Batch{Record: rec}, nil) {
			return nil
		}
	}
	yield(s.end, nil)
	return nil
}

// alive says whether the search may go on.
func (s *search) alive(ctx context.Context) *hunt.Error {
	switch err := ctx.Err(); {
	case errors.Is(err, context.DeadlineExceeded):
		return hunt.Errorf(hunt.SourceTimeout, "the search did not end before its deadline: %w", err)
	case err != nil:
		return hunt.Errorf(hunt.Cancelled, "the search was cancelled: %w", err)
	case s.m.isClosed():
		return closed()
	}
	return nil
}

// snapshot returns what had been appended at the request's snapshot, or until now.
func (s *search) snapshot() ([]part, *hunt.Error) {
	s.m.mu.RLock()
	defer s.m.mu.RUnlock()
	if s.m.closed {
		return nil, closed()
	}
	st := s.m.find(s.req.Stream, s.req.Class)
	if st == nil {
		return nil, unknown(s.req.Stream)
	}
	seq := s.m.seq
	if text := s.req.Snapshot; text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 || n > seq {
			return nil, hunt.Errorf(hunt.BadCursor, "snapshot %q is not one of this connection; ask without it", text)
		}
		seq = n
	}
	parts := st.parts
	for len(parts) > 0 && parts[len(parts)-1].seq > seq {
		parts = parts[:len(parts)-1]
	}
	return parts, nil
}

// scan finds the rows of a part that satisfy the request.
func (s *search) scan(ctx context.Context, p part) *hunt.Error {
	s.end.Duplicates += p.duplicates
	s.end.Untimed += p.untimed
	s.end.RowsScanned += p.rec.NumRows()
	for from := int64(0); from < p.rec.NumRows(); from += scanRows {
		if err := s.alive(ctx); err != nil {
			return err
		}
		chunk := p.rec.NewSlice(from, min(from+scanRows, p.rec.NumRows()))
		s.chunks = append(s.chunks, chunk)
		timed := vector.InRange(chunk, s.req.Range)
		if timed.Count() == 0 {
			continue
		}
		for row, on := range s.where.Filter(chunk) {
			if on && timed[row] {
				s.found.add(len(s.chunks)-1, chunk, row)
			}
		}
	}
	return nil
}

// order drops what is not after the request's key and returns how to take the rest one by one, in order.
func (s *search) order() func() place {
	s.found.desc = s.req.Order == hunt.TimeDesc
	if s.req.After != nil {
		s.found.list = slices.DeleteFunc(s.found.list, func(p place) bool { return !s.after(p) })
	}
	if s.req.Limit > 0 {
		heap.Init(&s.found)
		return func() place { return heap.Pop(&s.found).(place) }
	}
	slices.SortFunc(s.found.list, s.found.compare)
	return func() place {
		p := s.found.list[0]
		s.found.list = s.found.list[1:]
		return p
	}
}

// after says whether a row comes after the request's key.
func (s *search) after(p place) bool {
	c := hunt.Key{Time: p.us, Tenant: s.m.id.Tenant, Connection: s.m.id.Connection, UID: p.uid}.Compare(*s.req.After)
	if s.found.desc {
		return c < 0
	}
	return c > 0
}

// batch copies the next rows, nil if there are none.
func (s *search) batch(next func() place) arrow.RecordBatch {
	n := min(len(s.found.list), batchRows)
	if s.req.Limit > 0 {
		n = min(n, s.req.Limit)
	}
	if n == 0 {
		return nil
	}
	rows := make([]place, n)
	for i := range rows {
		rows[i] = next()
	}
	schema := hunt.Schema(s.req.Class, s.req.Columns)
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, schema)
	for i, f := range schema.Fields() {
		s.fill(b.Field(i), f.Name, rows)
	}
	return b.NewRecordBatch()
}

// fill copies one column; one that a part lacks is null.
func (s *search) fill(b array.Builder, name string, rows []place) {
	columns := make([]arrow.Array, len(s.chunks))
	for i, c := range s.chunks {
		columns[i] = vector.Column(c, name)
	}
	for _, p := range rows {
		if col := columns[p.chunk]; col != nil {
			vector.AppendFrom(b, col, p.row)
		} else {
			b.AppendNull()
		}
	}
}

// place says where a row that was found lies and where it comes in the order.
type place struct {
	us    int64
	uid   string
	chunk int
	row   int
}

// places is a heap of rows with the first of the order on top.
type places struct {
	list []place
	desc bool
}

func (p *places) add(chunk int, rec arrow.RecordBatch, row int) {
	us, uid := vector.KeyAt(rec, row)
	p.list = append(p.list, place{us, uid, chunk, row})
}

func (p *places) compare(a, b place) int {
	c := cmp.Or(cmp.Compare(a.us, b.us), strings.Compare(a.uid, b.uid))
	if p.desc {
		return -c
	}
	return c
}

// Len implements heap.Interface.
func (p *places) Len() int { return len(p.list) }

// Less implements heap.Interface.
func (p *places) Less(i, j int) bool { return p.compare(p.list[i], p.list[j]) < 0 }

// Swap implements heap.Interface.
func (p *places) Swap(i, j int) { p.list[i], p.list[j] = p.list[j], p.list[i] }

// Push implements heap.Interface; rows are added before the heap is made.
func (p *places) Push(x any) { p.list = append(p.list, x.(place)) }

// Pop implements heap.Interface.
func (p *places) Pop() any {
	last := p.list[len(p.list)-1]
	p.list = p.list[:len(p.list)-1]
	return last
}
