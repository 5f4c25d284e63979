package conformance

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// reference is events with their keys, ordered by (time, uid); all of them have a time.
type reference struct {
	rec  arrow.RecordBatch
	keys []hunt.Key
}

func (s Suite) reference(rec arrow.RecordBatch) reference {
	ref, id := reference{rec: vector.Sort(rec, hunt.TimeAsc)}, s.identity()
	for i := range int(rec.NumRows()) {
		us, uid := vector.KeyAt(ref.rec, i)
		ref.keys = append(ref.keys, hunt.Key{Time: us, Tenant: id.Tenant, Connection: id.Connection, UID: uid})
	}
	return ref
}

// before returns the events before an instant.
func (ref reference) before(us int64) arrow.RecordBatch {
	n, _ := slices.BinarySearchFunc(ref.keys, us, func(k hunt.Key, us int64) int { return cmp.Compare(k.Time, us) })
	return ref.rec.NewSlice(0, int64(n))
}

// answer is what a search gave, as a host sees it: rows that satisfy the residual.
type answer struct {
	rows     []hunt.Key
	raw      int                 // rows before the residual
	batches  []arrow.RecordBatch // as they came
	copies   []arrow.RecordBatch // of the batches when they came, where a check makes them
	selected [][]int             // rows of each batch that satisfy the residual
	frames   int
	progress hunt.Progress // the last
	gaps     []gap
	waits    []hunt.Throttled
	end      *hunt.End
	err      error
}

// gap is something that could not be searched, and after how many rows it was told.
type gap struct {
	lost *hunt.TimeRange // nil if anything
	rows int
	text string
}

// claimsAll says whether the answer claims to be whole: it ended without an error, a gap or a truncation.
func (a *answer) claimsAll() bool {
	return a.err == nil && a.end != nil && !a.end.Truncated && len(a.gaps) == 0
}

// concat copies the rows of an answer into one batch.
func (a answer) concat(schema *arrow.Schema) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, rec := range a.batches {
		if !rec.Schema().Equal(schema) {
			continue // noted by take
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
	t := s.translate(r)
	if t == nil {
		return answer{err: hunt.Errorf(hunt.Internal, "not translated")}
	}
	a := s.read(t, nil)
	s.healthy(r, a)
	if a.err == nil && a.end == nil {
		s.errorf("Search %s: the stream stopped without End", brief(r))
	}
	return a
}

// healthy notes failures and gaps, of which a sound source has none.
func (s *subject) healthy(r hunt.Request, a answer) {
	if a.err != nil {
		s.errorf("Search %s: failed with %v", brief(r), a.err)
	}
	for _, g := range a.gaps[:min(len(a.gaps), 1)] {
		if s.suite.survey() {
			s.notef("stream %s of %s has a gap, so what it lost is not compared: %s", r.Stream, r.Class.Name, g.text)
		} else {
			s.errorf("Search %s: nothing is wrong with the source, but a gap was told: %s", brief(r), g.text)
		}
	}
	if a.end != nil && a.end.Truncated && !s.suite.survey() {
		s.errorf("Search %s: the answer is truncated: %s", brief(r), a.end.Reason)
	}
}

// read consumes a search until its end, or until enough holds.
func (s *subject) read(t *hunt.Translation, enough func(*answer) bool) answer {
	return s.readIn(s.ctx, t, enough)
}

// readIn is read in a context of its own.
func (s *subject) readIn(ctx context.Context, t *hunt.Translation, enough func(*answer) bool) (a answer) {
	defer s.rescue()
	s.count()
	residual := hunt.Residual(t.Request.Where, t.Of())
	for frame, err := range s.asked(ctx, t) {
		if a.end != nil {
			s.errorf("Search %s: %T came after End", brief(t.Request), frame)
		}
		if err != nil {
			s.checkError("Search "+brief(t.Request), err)
			a.err = err
			break
		}
		a.frames++
		if b, ok := frame.(*hunt.Batch); ok && b != nil && b.Record != nil {
			s.take(&a, t, residual, b.Record)
		} else {
			s.note(&a, &t.Request, frame)
		}
		if enough != nil && enough(&a) {
			break
		}
	}
	return a
}

// note takes a frame that is no batch and judges it.
func (s *subject) note(a *answer, r *hunt.Request, frame hunt.Frame) {
	switch f := frame.(type) {
	case hunt.Progress:
		if f.RowsScanned < a.progress.RowsScanned || f.Done < a.progress.Done || f.Total > 0 && f.Done > f.Total || f.RowsScanned < 0 || f.Done < 0 {
			s.errorf("Search %s: progress goes from %+v to %+v", brief(*r), a.progress, f)
		}
		a.progress = f
	case hunt.Watermark:
	case hunt.Throttled:
		if f.RetryAfter < 0 {
			s.errorf("Search %s: throttled for %s", brief(*r), f.RetryAfter)
		}
		a.waits = append(a.waits, f)
	case hunt.PartFailed:
		text := "part " + f.Part + " failed without an error"
		if f.Err == nil || f.Part == "" {
			s.errorf("Search %s: a failed part has no name or no error: %+v", brief(*r), f)
		} else {
			s.checkError("Search "+brief(*r), f.Err)
			text = "part " + f.Part + ": " + f.Err.Error()
		}
		a.gaps = append(a.gaps, gap{f.Lost, len(a.rows), text})
	case hunt.Rejected:
		if f.Count < 1 {
			s.errorf("Search %s: %d records were rejected", brief(*r), f.Count)
		}
		a.gaps = append(a.gaps, gap{nil, len(a.rows), "rejected records in " + f.Part + ": " + f.Reason})
	case hunt.End:
		s.noteEnd(a, r, f)
	default:
		s.errorf("Search %s: a frame is %T, or nil or empty, without an error", brief(*r), frame)
	}
}

func (s *subject) noteEnd(a *answer, r *hunt.Request, end hunt.End) {
	if end.Duplicates < 0 || end.Untimed < 0 || end.RowsScanned < -1 {
		s.errorf("Search %s: End has a negative number: %+v", brief(*r), end)
	}
	if end.Truncated && end.Reason == "" {
		s.errorf("Search %s: End is truncated without a reason", brief(*r))
	}
	if end.RowsScanned > 0 && end.RowsScanned < a.progress.RowsScanned {
		s.errorf("Search %s: End says that %d rows were scanned, progress said %d", brief(*r), end.RowsScanned, a.progress.RowsScanned)
	}
	a.end = &end
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
	if !s.checkArrow(r, rec) {
		return
	}
	a.raw += int(rec.NumRows())
	var selected []int
	for i := range int(rec.NumRows()) {
		us, timed := sample.TimeAt(rec, i)
		if !timed || !r.Range.Contains(us) {
			s.errorf("Search %s: a row at %d (has a time: %v) is not in the range", brief(*r), us, timed)
		}
		if !residual.Match(vector.Row{Record: rec, Index: i}) {
			continue
		}
		_, uid := vector.KeyAt(rec, i)
		key := hunt.Key{Time: us, Tenant: s.id.Tenant, Connection: s.id.Connection, UID: strings.Clone(uid)}
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
	if last != nil && compareIn(r.Order, key, *last) <= 0 {
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
	for _, i := range sample.Expect(h.ref.rec, r.Where, r.Range) {
		if key := h.ref.keys[i]; r.After == nil || compareIn(r.Order, key, *r.After) > 0 {
			keys = append(keys, key)
		}
	}
	if r.Order == hunt.TimeDesc {
		slices.Reverse(keys)
	}
	return keys
}

// compare searches and compares the rows with the reference.
func (s *subject) compare(h *held, r hunt.Request) answer {
	a, _ := s.differs(h, r)
	return a
}

// differs is compare, and says whether the rows are others.
func (s *subject) differs(h *held, r hunt.Request) (answer, bool) {
	t := s.translate(r)
	if t == nil {
		return answer{}, false
	}
	a := s.read(t, nil)
	s.healthy(r, a)
	if a.err != nil {
		return a, false
	}
	if a.end == nil {
		s.errorf("Search %s: the stream stopped without End", brief(r))
		return a, false
	}
	want := h.expected(r)
	if r.Limit > 0 && len(a.rows) >= min(r.Limit, len(want)) {
		want = want[:min(len(a.rows), len(want))]
	}
	if !slices.Equal(a.rows, want) {
		s.errorf("Search %s, %s, limit %d, dispositions %s: %s", brief(r), r.Order, r.Limit, dispositions(t), difference(a.rows, want))
		return a, true
	}
	if pushed := hunt.Push(r.Where, t.Of()); hunt.IsTrue(pushed) && !hunt.IsTrue(r.Where) && r.Limit == 0 {
		everything := r
		everything.Where = hunt.True()
		if all := len(h.expected(everything)); a.raw != all {
			s.errorf("Search %s: nothing of it is EXACT or WIDENED, so nothing may be asked, but the source gave %d of %d rows", brief(r), a.raw, all)
		}
	}
	return a, false
}

func dispositions(t *hunt.Translation) string {
	var out []string
	for _, d := range t.Predicates[:min(len(t.Predicates), 8)] {
		out = append(out, d.Disposition.String())
	}
	return strings.Join(out, " ")
}

// difference says how two lists of keys differ.
func difference(got, want []hunt.Key) string {
	text := listed("missing", without(want, got)) + listed("too many", without(got, want))
	return strings.TrimSuffix(cmp.Or(text, " the rows are in another order or come twice;"), ";")
}

func without(list, other []hunt.Key) []hunt.Key {
	have := map[hunt.Key]bool{}
	for _, k := range other {
		have[k] = true
	}
	return slices.DeleteFunc(slices.Clone(list), func(k hunt.Key) bool { return have[k] })
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
