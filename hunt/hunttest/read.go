package hunttest

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// answer is what a search gave, as a host sees it: rows that satisfy the residual.
type answer struct {
	rows     []hunt.Key
	batches  []arrow.RecordBatch // as they came
	selected [][]int             // rows of each batch that satisfy the residual
	end      *hunt.End
	err      error
}

// held is a described stream with all its events as the source gives them back, ordered by (time, uid).
type held struct {
	hunt.Stream
	rec arrow.RecordBatch
}

// request asks a stream for everything.
func (h *held) request() hunt.Request {
	return hunt.Request{Stream: h.Name, Class: h.Class, Range: Always(), Where: hunt.True()}
}

// asking is request for a condition, with the columns that a host needs to check it again.
func (h *held) asking(e hunt.Expr) hunt.Request {
	r := h.request()
	r.Where = e
	hunt.Walk(e, func(p *hunt.Predicate) { r.Columns = append(r.Columns, p.Path) })
	return r
}

// columns returns the columns that the stream can fill.
func (h *held) columns() []string {
	out := []string{}
	for _, p := range Paths(h.Class) {
		if h.Provides(p) {
			out = append(out, p)
		}
	}
	return out
}

// describe returns the description, nil after noting an error.
func (s *subject) describe() *hunt.Description {
	d, err := s.conn.Describe(s.ctx)
	if err != nil || d == nil {
		s.errorf("Describe: %v, %v", d, err)
		return nil
	}
	return d
}

// held reads every stream that the suite loaded.
func (s *subject) held() []*held {
	var out []*held
	d := s.describe()
	if d == nil {
		return nil
	}
	for _, data := range s.data {
		at := slices.IndexFunc(d.Streams, func(st hunt.Stream) bool {
			return st.Name == data.Stream.Name && st.Class != nil && st.Class.UID == data.Stream.Class.UID
		})
		if at < 0 {
			s.errorf("Describe: stream %s of %s is not there", data.Stream.Name, data.Stream.Class.Name)
			continue
		}
		h := &held{Stream: d.Streams[at]}
		r := h.request()
		r.Columns = h.columns()
		h.rec = concat(hunt.Schema(h.Class, r.Columns), s.search(r))
		out = append(out, h)
	}
	return out
}

// concat copies the rows of an answer into one batch.
func concat(schema *arrow.Schema, a answer) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, rec := range a.batches {
		if !rec.Schema().Equal(schema) {
			continue // noted by search
		}
		for _, row := range a.selected[i] {
			for f, col := range rec.Columns() {
				vector.AppendFrom(b.Field(f), col, row)
			}
		}
	}
	return b.NewRecordBatch()
}

// search runs a request to its end and notes everything that breaks the contract on the way.
func (s *subject) search(r hunt.Request) answer {
	t, err := s.conn.Translate(r)
	if err != nil || t == nil {
		s.errorf("Translate %s: %v", brief(r), err)
		return answer{err: err}
	}
	a := s.read(s.ctx, t, -1)
	if a.err != nil {
		s.errorf("Search %s: %v", brief(r), a.err)
	} else if a.end == nil {
		s.errorf("Search %s: the stream stopped without End", brief(r))
	}
	return a
}

// read consumes a search: until its end, or until rows rows that satisfy the residual came, if rows is not negative.
func (s *subject) read(ctx context.Context, t *hunt.Translation, rows int) answer {
	a := answer{}
	residual := hunt.Residual(t.Request.Where, t.Of())
	for frame, err := range s.conn.Search(ctx, t) {
		if a.end != nil {
			s.errorf("Search %s: %T came after End", brief(t.Request), frame)
		}
		if err != nil {
			a.err = err
			break
		}
		switch f := frame.(type) {
		case *hunt.Batch:
			s.take(&a, t, residual, f.Record)
		case hunt.End:
			a.end = &f
		case nil:
			s.errorf("Search %s: a frame is nil without an error", brief(t.Request))
		}
		if rows >= 0 && len(a.rows) >= rows {
			break
		}
	}
	return a
}

// take checks a batch and takes the rows that satisfy the residual.
func (s *subject) take(a *answer, t *hunt.Translation, residual hunt.Expr, rec arrow.RecordBatch) {
	r := &t.Request
	if n := rec.NumRows(); n < 1 || n > 64<<10 {
		s.errorf("Search %s: a batch has %d rows; 1 to 65536 are allowed", brief(*r), n)
	}
	if want := hunt.Schema(r.Class, r.Columns); !rec.Schema().Equal(want) {
		s.errorf("Search %s: a batch has %s, want %s", brief(*r), rec.Schema(), want)
		return
	}
	var selected []int
	for i := range int(rec.NumRows()) {
		us, timed := timeAt(rec, i)
		if !timed || !r.Range.Contains(us) {
			s.errorf("Search %s: a row at %d (has a time: %v) is not in the range", brief(*r), us, timed)
		}
		if !residual.Match(vector.Row{Record: rec, Index: i}) {
			continue
		}
		key := hunt.Key{Time: us, Tenant: Identity().Tenant, Connection: Identity().Connection, UID: strings.Clone(uidAt(rec, i))}
		s.checkPlace(a, r, key)
		a.rows = append(a.rows, key)
		selected = append(selected, i)
	}
	a.batches, a.selected = append(a.batches, rec), append(a.selected, selected)
}

// checkPlace compares a row's key with the one before it and with the request's key.
func (s *subject) checkPlace(a *answer, r *hunt.Request, key hunt.Key) {
	last := r.After
	if len(a.rows) > 0 {
		last = &a.rows[len(a.rows)-1]
	}
	if last == nil {
		return
	}
	if c := compareIn(r.Order, key, *last); c <= 0 {
		s.errorf("Search %s: row %v does not come after %v in %s", brief(*r), key, *last, r.Order)
	}
}

func compareIn(order hunt.Order, a, b hunt.Key) int {
	if order == hunt.TimeDesc {
		a, b = b, a
	}
	return a.Compare(b)
}

// expected returns the keys that a request must give, by the plain reference.
func (h *held) expected(r hunt.Request) []hunt.Key {
	keys := []hunt.Key{}
	for _, i := range Expect(h.rec, r.Where, r.Range) {
		us, _ := timeAt(h.rec, i)
		key := hunt.Key{Time: us, Tenant: Identity().Tenant, Connection: Identity().Connection, UID: uidAt(h.rec, i)}
		if r.After == nil || compareIn(r.Order, key, *r.After) > 0 {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b hunt.Key) int { return compareIn(r.Order, a, b) })
	return keys
}

// compare searches and compares the rows with the reference.
func (s *subject) compare(h *held, r hunt.Request) answer {
	a := s.search(r)
	if want := h.expected(r); a.end != nil && !slices.Equal(a.rows, want) {
		s.errorf("Search %s: %s", brief(r), difference(a.rows, want))
	}
	return a
}

// difference says how two lists of keys differ.
func difference(got, want []hunt.Key) string {
	missing := slices.DeleteFunc(slices.Clone(want), func(k hunt.Key) bool { return slices.Contains(got, k) })
	extra := slices.DeleteFunc(slices.Clone(got), func(k hunt.Key) bool { return slices.Contains(want, k) })
	var b strings.Builder
	b.WriteString(cmp.Or(listed("missing", missing)+listed("too many", extra), " the rows are in another order or come twice;"))
	return strings.TrimSuffix(b.String(), ";")
}

func listed(what string, keys []hunt.Key) string {
	if len(keys) == 0 {
		return ""
	}
	text := " " + what + ":"
	for _, k := range keys[:min(len(keys), 3)] {
		text += " (" + hunt.FormatTime(k.Time) + ", " + k.UID + ")"
	}
	if len(keys) > 3 {
		text += " and more"
	}
	return text + ";"
}

// brief names a request in an error.
func brief(r hunt.Request) string {
	where := "all"
	if !hunt.IsTrue(r.Where) {
		where = r.Where.String()
	}
	if len(where) > 400 {
		where = where[:400] + "..."
	}
	return r.Stream + " " + r.Class.Name + " (" + where + ")"
}
