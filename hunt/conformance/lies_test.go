package conformance_test

import (
	"context"
	"errors"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

type frames = iter.Seq2[hunt.Frame, error]

// liar is a memory connection that lies: each function that is set replaces a method. src is the source that it is connected to.
type liar struct {
	*memory.Memory
	src       *memorySource
	describe  func(context.Context, *hunt.Description)
	translate func(*hunt.Translation)
	request   func(*hunt.Request)
	search    func(context.Context, *hunt.Translation, frames) frames
	close     func() error
	refuse    func() error // of Translate
	asked     atomic.Int64 // for a lie to count
	deaf      bool         // it does not hear that the source is broken
}

func (l *liar) Describe(ctx context.Context) (*hunt.Description, error) {
	d, err := l.Memory.Describe(ctx)
	if err == nil && l.describe != nil {
		l.describe(ctx, d)
	}
	return d, err
}

func (l *liar) Translate(r hunt.Request) (*hunt.Translation, error) {
	if l.refuse != nil {
		if err := l.refuse(); err != nil {
			return nil, err
		}
	}
	t, err := l.Memory.Translate(r)
	if err == nil && l.translate != nil {
		l.translate(t)
	}
	return t, err
}

func (l *liar) Search(ctx context.Context, t *hunt.Translation) frames {
	asked := *t
	if l.request != nil {
		l.request(&asked.Request)
		asked.Predicates = exactly(asked.Request.Where)
	}
	in := l.Memory.Search(ctx, &asked)
	if !l.deaf {
		in = l.src.troubled(in)
	}
	if l.search == nil {
		return in
	}
	return l.search(ctx, t, in)
}

// exactly disposes of the predicates that a lie asks for instead.
func exactly(e hunt.Expr) []hunt.Disposed {
	var out []hunt.Disposed
	hunt.Walk(e, func(p *hunt.Predicate) { out = append(out, hunt.Disposed{Predicate: p, Disposition: hunt.Exact}) })
	return out
}

func (l *liar) Close() error {
	if l.close != nil {
		return l.close()
	}
	return l.Memory.Close()
}

// memorySource is a source that can be opened again, can lose events, fail and throttle, as memory alone cannot.
type memorySource struct {
	mu      sync.Mutex
	data    []conformance.Data
	conn    *memory.Memory // the newest
	gone    map[string]bool
	broken  atomic.Bool
	refused atomic.Int64
	wait    atomic.Int64 // nanoseconds
}

// troubled answers as a source that may break at every frame, or refuse to answer.
func (m *memorySource) troubled(in frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		if m.refused.Load() > 0 {
			m.refused.Add(-1)
			err := hunt.Errorf(hunt.SourceThrottled, "the source asks to wait")
			err.Retryable = true
			err.RetryAfter = time.Duration(m.wait.Load())
			yield(nil, err)
			return
		}
		for f, err := range in {
			if m.broken.Load() {
				yield(nil, hunt.Errorf(hunt.SourceFailed, "the source broke off"))
				return
			}
			if b, ok := f.(*hunt.Batch); ok {
				if f = m.without(b); f == nil {
					continue
				}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// without leaves out what was deleted; nil if nothing is left.
func (m *memorySource) without(b *hunt.Batch) hunt.Frame {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.gone) == 0 {
		return b
	}
	var left []int
	for i := range int(b.Record.NumRows()) {
		if _, uid := vector.KeyAt(b.Record, i); !m.gone[uid] {
			left = append(left, i)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return &hunt.Batch{Record: vector.Take(b.Record, left)}
}

func (m *memorySource) connect() (*memory.Memory, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.conn = memory.Open(conformance.Identity())
	for _, d := range m.data {
		if err := m.conn.Append(d.Stream, d.Record); err != nil {
			return nil, err
		}
	}
	return m.conn, nil
}

// suite tests memory connections after change, which gets each of them.
func suite(change func(*liar)) conformance.Suite {
	var src *memorySource
	connect := func(context.Context) (hunt.Connector, error) {
		m, err := src.connect()
		if err != nil {
			return nil, err
		}
		l := &liar{Memory: m, src: src}
		change(l)
		return l, nil
	}
	return conformance.Suite{
		Streams: streams(), Rows: 400, Secrets: []string{"hunter2"},
		Open: func(ctx context.Context, data []conformance.Data) (hunt.Connector, error) {
			src = &memorySource{data: slices.Clone(data), gone: map[string]bool{}}
			return connect(ctx)
		},
		Connect: connect,
		Grow: func(_ context.Context, d conformance.Data) error {
			src.data = append(src.data, d)
			return src.conn.Append(d.Stream, d.Record)
		},
		Remove: func(_ context.Context, d conformance.Data) error {
			src.mu.Lock()
			defer src.mu.Unlock()
			for i := range int(d.Record.NumRows()) {
				_, uid := vector.KeyAt(d.Record, i)
				src.gone[strings.Clone(uid)] = true
			}
			return nil
		},
		Fault: func(context.Context) (func() error, error) {
			src.broken.Store(true)
			return func() error { src.broken.Store(false); return nil }, nil
		},
		Throttle: func(_ context.Context, requests int, wait time.Duration) error {
			src.refused.Store(int64(requests))
			src.wait.Store(int64(wait))
			return nil
		},
	}
}

func streams() []hunt.Stream {
	var out []hunt.Stream
	for _, name := range []string{"process_activity", "network_activity"} {
		class := ocsf.ByName(name)
		out = append(out, hunt.Stream{Name: name, Class: class, Attributes: sample.AllAttributes(class)})
	}
	delete(out[1].Attributes, "src_endpoint.ip")
	return out
}

// each changes every frame of a stream; nil leaves it out.
func each(in frames, change func(hunt.Frame) hunt.Frame) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for f, err := range in {
			if err == nil {
				if f = change(f); f == nil {
					continue
				}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// batches replaces the batches of all searches; an empty one is left out.
func batches(change func(arrow.RecordBatch) arrow.RecordBatch) func(*liar) {
	return func(l *liar) {
		l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames { return eachBatch(in, change) }
	}
}

func eachBatch(in frames, change func(arrow.RecordBatch) arrow.RecordBatch) frames {
	return each(in, func(f hunt.Frame) hunt.Frame {
		if b, ok := f.(*hunt.Batch); ok {
			if rec := change(b.Record); rec.NumRows() > 0 {
				return &hunt.Batch{Record: rec}
			}
			return nil
		}
		return f
	})
}

func asking(change func(*hunt.Request)) func(*liar) {
	return func(l *liar) { l.request = change }
}

// searching replaces what comes of a search; yield may go on after the consumer has stopped.
func searching(run func(ctx context.Context, in frames, yield func(hunt.Frame, error) bool)) func(*liar) {
	return func(l *liar) {
		l.search = func(ctx context.Context, _ *hunt.Translation, in frames) frames {
			return func(yield func(hunt.Frame, error) bool) { run(ctx, in, yield) }
		}
	}
}

// ending yields what instead of End.
func ending(what ...hunt.Frame) func(*liar) {
	return searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
		for frame, err := range in {
			next := []hunt.Frame{frame}
			if _, ok := frame.(hunt.End); ok {
				next = what
			}
			for _, n := range next {
				if !yield(n, err) {
					return
				}
			}
		}
	})
}

// changedEnd changes End.
func changedEnd(change func(*hunt.End)) func(*liar) {
	return func(l *liar) {
		l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
			return each(in, func(f hunt.Frame) hunt.Frame {
				if end, ok := f.(hunt.End); ok {
					change(&end)
					return end
				}
				return f
			})
		}
	}
}

// describing changes the first stream of descriptions.
func describing(change func(*hunt.Stream)) func(*liar) {
	return func(l *liar) {
		l.describe = func(_ context.Context, d *hunt.Description) { change(&d.Streams[0]) }
	}
}

// capped makes a source of which one search gives no more than n rows: the first, or those that pick takes of all.
func capped(n int, pick func(arrow.RecordBatch) arrow.RecordBatch) func(*liar) {
	return func(l *liar) {
		l.describe = func(_ context.Context, d *hunt.Description) {
			for i := range d.Streams {
				d.Streams[i].Ceiling = n
			}
		}
		l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
			if pick != nil {
				in = eachBatch(in, pick)
			}
			return cut(n, in)
		}
	}
}

// atCeiling gives other frames instead of the end of a search that came to its ceiling of 37 rows.
func atCeiling(instead func(hunt.End) []hunt.Frame) func(*liar) {
	return func(l *liar) {
		capped(37, nil)(l)
		at := l.search
		l.search = func(ctx context.Context, t *hunt.Translation, in frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				for f, err := range at(ctx, t, in) {
					list := []hunt.Frame{f}
					if end, ok := f.(hunt.End); ok && end.Truncated {
						list = instead(end)
					}
					for _, f := range list {
						if !yield(f, err) {
							return
						}
					}
				}
			}
		}
	}
}

// cut ends an answer after n rows, truncated if there are more.
func cut(n int, in frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		left := int64(n)
		for f, err := range in {
			b, ok := f.(*hunt.Batch)
			switch {
			case ok && left == 0:
				yield(hunt.End{Truncated: true, Reason: "no more than so many rows at a time"}, nil)
				return
			case ok && b.Record.NumRows() > left:
				if yield(&hunt.Batch{Record: b.Record.NewSlice(0, left)}, nil) {
					yield(hunt.End{Truncated: true, Reason: "no more than so many rows at a time"}, nil)
				}
				return
			case ok:
				left -= b.Record.NumRows()
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// disposing changes every disposition.
func disposing(change func(*hunt.Disposed)) func(*liar) {
	return func(l *liar) {
		l.translate = func(t *hunt.Translation) {
			for i := range t.Predicates {
				change(&t.Predicates[i])
			}
		}
	}
}

func both(list ...func(*liar)) func(*liar) {
	return func(l *liar) {
		for _, change := range list {
			change(l)
		}
	}
}

// rows takes rows of a batch.
func rows(pick func(i, n int) bool) func(arrow.RecordBatch) arrow.RecordBatch {
	return func(rec arrow.RecordBatch) arrow.RecordBatch {
		var index []int
		for i := range int(rec.NumRows()) {
			if pick(i, int(rec.NumRows())) {
				index = append(index, i)
			}
		}
		return vector.Take(rec, index)
	}
}

func reversed(rec arrow.RecordBatch) arrow.RecordBatch {
	index := make([]int, rec.NumRows())
	for i := range index {
		index[i] = len(index) - 1 - i
	}
	return vector.Take(rec, index)
}

// replaced replaces a column.
func replaced(rec arrow.RecordBatch, name string, change func(arrow.Array) arrow.Array) arrow.RecordBatch {
	at := rec.Schema().FieldIndices(name)
	if len(at) == 0 {
		return rec
	}
	cols := slices.Clone(rec.Columns())
	cols[at[0]] = change(cols[at[0]])
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows())
}

// blankNames makes process.name null.
func blankNames(rec arrow.RecordBatch) arrow.RecordBatch {
	return replaced(rec, "process.name", func(col arrow.Array) arrow.Array {
		return array.MakeArrayOfNull(arrowmemory.DefaultAllocator, col.DataType(), col.Len())
	})
}

// uidsWith changes every uid.
func uidsWith(text string) func(arrow.RecordBatch) arrow.RecordBatch {
	return func(rec arrow.RecordBatch) arrow.RecordBatch {
		return replaced(rec, "uid", func(col arrow.Array) arrow.Array {
			b := array.NewStringBuilder(arrowmemory.DefaultAllocator)
			for i := range col.Len() {
				b.Append(col.(*array.String).Value(i) + text)
			}
			return b.NewArray()
		})
	}
}

// scribble changes the text of a column in place.
func scribble(rec arrow.RecordBatch) {
	if raw, ok := vector.Column(rec, ocsf.ColRaw).(*array.String); ok && raw.ValueLen(0) > 0 {
		raw.Data().Buffers()[2].Bytes()[raw.ValueOffset(0)] ^= 1
	}
}

// brokenOffsets makes a text column with an offset that lies beyond its bytes.
func brokenOffsets(rec arrow.RecordBatch) arrow.RecordBatch {
	return replaced(rec, "process.cmd_line", func(col arrow.Array) arrow.Array {
		data := col.Data()
		offsets := slices.Clone(data.Buffers()[1].Bytes())
		offsets[3] = 0x7f // of the first row
		buffers := []*arrowmemory.Buffer{data.Buffers()[0], arrowmemory.NewBufferBytes(offsets), data.Buffers()[2]}
		return array.MakeFromData(array.NewData(data.DataType(), data.Len(), buffers, nil, data.NullN(), 0))
	})
}

// leak makes a goroutine that ends with the test only.
func leak(t *testing.T) {
	go func() { <-t.Context().Done() }()
}

// lie is a wrong connector and the behaviours that must show it.
type lie struct {
	name   string
	make   func(*testing.T, *liar)
	caught []string
}

func plainly(change func(*liar)) func(*testing.T, *liar) {
	return func(_ *testing.T, l *liar) { change(l) }
}

func lies() []lie {
	return slices.Concat(liesAboutMeaning(), liesAboutRows(), liesAboutFrames(), liesOfDescriptions(), liesAboutState(), liesAboutStopping())
}

func conditional(r *hunt.Request) bool { return !hunt.IsTrue(r.Where) }

func liesAboutMeaning() []lie {
	return []lie{
		{"drops a row", plainly(batches(rows(func(i, n int) bool { return i < n-1 }))), []string{"Contents"}},
		{"drops rows under a condition", plainly(func(l *liar) {
			l.search = func(_ context.Context, t *hunt.Translation, in frames) frames {
				if !conditional(&t.Request) {
					return in
				}
				return eachBatch(in, rows(func(i, n int) bool { return i < n-1 }))
			}
		}), []string{"Predicates", "Expressions", "Hostile", "Lists"}},
		{"drops rows where two conditions meet", plainly(func(l *liar) {
			l.search = func(_ context.Context, t *hunt.Translation, in frames) frames {
				if _, ok := t.Request.Where.(hunt.And); !ok || !conditional(&t.Request) {
					return in
				}
				return eachBatch(in, rows(func(i, n int) bool { return i < n-1 }))
			}
		}), []string{"Expressions"}},
		{"ignores a condition", plainly(asking(func(r *hunt.Request) { r.Where = hunt.True() })), []string{"Predicates", "Expressions"}},
		{"ignores the conditions of one column", plainly(asking(func(r *hunt.Request) {
			if p, ok := r.Where.(*hunt.Predicate); ok && p.Path == "process.pid" {
				r.Where = hunt.True()
			}
		})), []string{"Predicates"}},
		{"claims WIDENED and loses rows", plainly(both(disposing(widen), asking(func(r *hunt.Request) {
			if conditional(r) {
				r.Where = hunt.Or{}
			}
		}))), []string{"Predicates", "Expressions"}},
		{"claims EXACT and gives more", plainly(asking(func(r *hunt.Request) {
			if p, ok := r.Where.(*hunt.Predicate); ok && p.CaseSensitive {
				again, err := hunt.NewPredicate(r.Class.Column(p.Path), p.Op, false, p.Args...)
				if err == nil {
					r.Where = again
				}
			}
		})), []string{"Predicates"}},
		{"claims LOCAL and asks nevertheless", plainly(func(l *liar) {
			l.translate = func(t *hunt.Translation) {
				for i := range t.Predicates {
					t.Predicates[i].Disposition, t.Predicates[i].Reason = hunt.Lossy, "analysed text"
				}
			}
			l.search = func(_ context.Context, t *hunt.Translation, in frames) frames {
				program := vector.Compile(t.Request.Where)
				return eachBatch(in, func(rec arrow.RecordBatch) arrow.RecordBatch { return vector.Select(rec, program.Filter(rec)) })
			}
		}), []string{"Predicates"}},
		{"compares case where it must not", plainly(asking(func(r *hunt.Request) {
			if p, ok := r.Where.(*hunt.Predicate); ok {
				again, err := hunt.NewPredicate(r.Class.Column(p.Path), p.Op, true, p.Args...)
				if err == nil {
					r.Where = again
				}
			}
		})), []string{"Predicates"}},
		{"does not find texts longer than 8191 characters", plainly(batches(longTexts)), []string{"Contents"}},
		{"cuts long arguments", plainly(asking(func(r *hunt.Request) { r.Where = mapped(r.Where, r.Class, cutArgs) })), []string{"Hostile"}},
		{"looks at the first thousand values of a list", plainly(asking(func(r *hunt.Request) { r.Where = mapped(r.Where, r.Class, firstArgs) })), []string{"Lists"}},
		{"takes IMPOSSIBLE for false", plainly(disposing(func(d *hunt.Disposed) { d.Disposition = hunt.Exact })), []string{"Impossible"}},
		{"leaves a disposition out", plainly(func(l *liar) {
			l.translate = func(t *hunt.Translation) { t.Predicates = t.Predicates[:max(len(t.Predicates)-1, 0)] }
		}), []string{"Translate", "Impossible"}},
		{"translates at random", plainly(func(l *liar) {
			var n atomic.Int64
			l.translate = func(t *hunt.Translation) { t.Native += strings.Repeat("x", int(n.Add(1))%7) }
		}), []string{"Translate"}},
		{"widens without a reason", plainly(disposing(func(d *hunt.Disposed) { d.Disposition = hunt.Widened })), []string{"Translate"}},
		{"translates another range", plainly(func(l *liar) {
			l.translate = func(t *hunt.Translation) { t.Request.Range.End-- }
		}), []string{"Translate"}},
		{"shows its password in the native query", plainly(func(l *liar) {
			l.translate = func(t *hunt.Translation) { t.Native += " user:hunter2" }
		}), []string{"Secrets"}},
	}
}

func widen(d *hunt.Disposed) { d.Disposition, d.Reason = hunt.Widened, "a superset" }

// longTexts makes long texts null.
func longTexts(rec arrow.RecordBatch) arrow.RecordBatch {
	for i, f := range rec.Schema().Fields() {
		text, ok := rec.Column(i).(*array.String)
		if !ok || f.Name == ocsf.ColUID {
			continue
		}
		rec = replaced(rec, f.Name, func(arrow.Array) arrow.Array {
			b := array.NewStringBuilder(arrowmemory.DefaultAllocator)
			for j := range text.Len() {
				if text.IsNull(j) || len(text.Value(j)) > 8191 {
					b.AppendNull()
				} else {
					b.Append(text.Value(j))
				}
			}
			return b.NewArray()
		})
	}
	return rec
}

// mapped changes the arguments of every predicate.
func mapped(e hunt.Expr, class *ocsf.Class, change func(*hunt.Predicate) []hunt.Value) hunt.Expr {
	switch e := e.(type) {
	case hunt.Not:
		return hunt.Not{Expr: mapped(e.Expr, class, change)}
	case hunt.Or:
		out := hunt.Or{}
		for _, x := range e {
			out = append(out, mapped(x, class, change))
		}
		return out
	case *hunt.Predicate:
		p, err := hunt.NewPredicate(class.Column(e.Path), e.Op, e.CaseSensitive, change(e)...)
		if err == nil {
			return p
		}
	}
	return e
}

func cutArgs(p *hunt.Predicate) []hunt.Value {
	var out []hunt.Value
	for _, a := range p.Args {
		if text := a.Str(); len(text) > 200 && (p.Op == hunt.Contains || p.Op == hunt.StartsWith || p.Op == hunt.Eq) {
			a = hunt.String(text[:200])
		}
		out = append(out, a)
	}
	return out
}

func firstArgs(p *hunt.Predicate) []hunt.Value { return p.Args[:min(len(p.Args), 900)] }

func liesAboutRows() []lie {
	return []lie{
		{"gives a row twice", plainly(batches(func(r arrow.RecordBatch) arrow.RecordBatch { return vector.Take(r, []int{0, 0}) })), []string{"Order"}},
		{"orders the wrong way", plainly(batches(reversed)), []string{"Order", "Paging"}},
		{"orders upwards only", plainly(asking(func(r *hunt.Request) { r.Order = hunt.TimeAsc })), []string{"Order", "Paging"}},
		{"ignores After", plainly(asking(func(r *hunt.Request) { r.After = nil })), []string{"Paging", "ForeignKeys"}},
		{"compares After by time alone", plainly(asking(func(r *hunt.Request) {
			if r.After != nil {
				r.After = &hunt.Key{Time: r.After.Time + 1}
			}
		})), []string{"Paging"}},
		{"repeats the rows of the last instant in the next page", plainly(asking(func(r *hunt.Request) {
			if r.After != nil {
				r.After = &hunt.Key{Time: r.After.Time}
			}
		})), []string{"Paging", "Removal"}},
		{"counts rows instead of remembering the last", plainly(offsets), []string{"Removal"}},
		{"looks at the uid of a foreign key", plainly(asking(func(r *hunt.Request) {
			if r.After != nil {
				id := conformance.Identity()
				r.After = &hunt.Key{Time: r.After.Time, Tenant: id.Tenant, Connection: id.Connection, UID: r.After.UID}
			}
		})), []string{"ForeignKeys"}},
		{"ignores the range", plainly(asking(func(r *hunt.Request) { r.Range = sample.Always() })), []string{"Range"}},
		{"takes the end of a range in", plainly(asking(func(r *hunt.Request) { r.Range.End++ })), []string{"Range"}},
		{"leaves the start of a range out", plainly(asking(func(r *hunt.Request) { r.Range.Start++ })), []string{"Range"}},
		{"cuts before the condition", plainly(cutting), []string{"Limit"}},
		{"leaves columns out", plainly(asking(func(r *hunt.Request) { r.Columns = nil })), []string{"Projection", "Contents", "Batches"}},
		{"gives columns that nobody asked for", plainly(asking(func(r *hunt.Request) { r.Columns = sample.Paths(r.Class) })), []string{"Projection"}},
		{"gives other values", plainly(batches(blankNames)), []string{"Contents"}},
		{"gives other values where few columns are asked for", plainly(batches(func(r arrow.RecordBatch) arrow.RecordBatch {
			if r.NumCols() < 12 {
				for _, f := range r.Schema().Fields()[2:] {
					r = replaced(r, f.Name, func(col arrow.Array) arrow.Array {
						return array.MakeArrayOfNull(arrowmemory.DefaultAllocator, col.DataType(), col.Len())
					})
				}
			}
			return r
		})), []string{"Projection"}},
	}
}

// offsets pages by counting: what comes after a key is what comes after as many rows as were given before.
func offsets(l *liar) {
	var mu sync.Mutex
	given := map[string]int{}
	l.search = func(ctx context.Context, t *hunt.Translation, _ frames) frames {
		if t.Request.Limit == 0 {
			return l.src.troubled(l.Memory.Search(ctx, t))
		}
		skip, asked := 0, *t
		mu.Lock()
		if t.Request.After != nil {
			skip = given[t.Request.After.UID]
		}
		mu.Unlock()
		asked.Request.After, asked.Request.Limit = nil, 0
		n := 0
		return eachBatch(l.src.troubled(l.Memory.Search(ctx, &asked)), func(rec arrow.RecordBatch) arrow.RecordBatch {
			out := rows(func(i, _ int) bool { return n+i >= skip })(rec)
			mu.Lock()
			defer mu.Unlock()
			for i := range int(rec.NumRows()) {
				_, uid := vector.KeyAt(rec, i)
				given[strings.Clone(uid)] = n + i + 1
			}
			n += int(rec.NumRows())
			return out
		})
	}
}

// cutting applies the limit to rows that the host still filters.
func cutting(l *liar) {
	l.translate = func(t *hunt.Translation) {
		for i := range t.Predicates {
			t.Predicates[i].Disposition, t.Predicates[i].Reason = hunt.Local, "not pushed"
		}
	}
	l.search = func(_ context.Context, t *hunt.Translation, in frames) frames {
		left := int64(t.Request.Limit)
		return eachBatch(in, func(r arrow.RecordBatch) arrow.RecordBatch {
			if t.Request.Limit == 0 {
				return r
			}
			n := min(left, r.NumRows())
			left -= n
			return r.NewSlice(0, n)
		})
	}
}

func liesAboutFrames() []lie {
	return []lie{
		{"forgets End", plainly(ending()), []string{"Frames", "Order"}},
		{"ends twice", plainly(ending(hunt.End{}, hunt.End{})), []string{"Frames"}},
		{"gives a frame after End", plainly(ending(hunt.End{}, hunt.Progress{})), []string{"Frames"}},
		{"gives rows after End", plainly(searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
			var last hunt.Frame
			for f, err := range in {
				if b, ok := f.(*hunt.Batch); ok {
					last = b
				}
				if !yield(f, err) {
					return
				}
			}
			if last != nil {
				yield(last, nil)
			}
		})), []string{"Frames"}},
		{"gives a nil frame", plainly(ending(nil, hunt.End{})), []string{"Frames"}},
		{"gives a nil batch", plainly(ending((*hunt.Batch)(nil), hunt.End{})), []string{"Frames"}},
		{"gives an empty batch", plainly(func(l *liar) {
			l.search = func(_ context.Context, t *hunt.Translation, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					empty := array.NewRecordBuilder(arrowmemory.DefaultAllocator, hunt.Schema(t.Request.Class, t.Request.Columns)).NewRecordBatch()
					if yield(&hunt.Batch{Record: empty}, nil) {
						in(yield)
					}
				}
			}
		}), []string{"Frames", "Batches"}},
		{"does not count events without a time", plainly(changedEnd(func(e *hunt.End) { e.Untimed = 0 })), []string{"Frames"}},
		{"counts less than no event without a time", plainly(changedEnd(func(e *hunt.End) { e.Untimed = -1 })), []string{"Frames"}},
		{"counts duplicates that there are not", plainly(changedEnd(func(e *hunt.End) { e.Duplicates *= 100 })), []string{"Duplicates"}},
		{"gives other rows than the first at its ceiling", plainly(capped(37, rows(func(i, n int) bool { return n < 37 || i > 0 }))), []string{"Contents", "Paging"}},
		{"gives more rows than its ceiling", plainly(describing(func(s *hunt.Stream) { s.Ceiling = 37 })), []string{"Contents"}},
		{"ends at its ceiling without a row", plainly(func(l *liar) {
			capped(37, nil)(l)
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				return each(in, func(f hunt.Frame) hunt.Frame {
					if _, ok := f.(hunt.End); ok {
						return hunt.End{Truncated: true, Reason: "no more today"}
					}
					return nil
				})
			}
		}), []string{"Contents"}},
		{"gives the same rows again at its ceiling", plainly(func(l *liar) {
			capped(37, nil)(l)
			l.request = func(r *hunt.Request) { r.After = nil }
		}), []string{"Contents", "Order"}},
		{"truncates at its ceiling without a reason", plainly(atCeiling(func(hunt.End) []hunt.Frame { return []hunt.Frame{hunt.End{Truncated: true}} })), []string{"Frames"}},
		{"counts less than nothing at its ceiling", plainly(atCeiling(func(e hunt.End) []hunt.Frame {
			e.Duplicates = -5
			return []hunt.Frame{e}
		})), []string{"Frames"}},
		{"goes on after the end at its ceiling", plainly(atCeiling(func(e hunt.End) []hunt.Frame { return []hunt.Frame{e, hunt.Watermark{Time: 1}} })), []string{"Frames"}},
		{"ends twice at its ceiling", plainly(atCeiling(func(e hunt.End) []hunt.Frame { return []hunt.Frame{e, e} })), []string{"Frames"}},
		{"progress goes back before its ceiling", plainly(atCeiling(func(e hunt.End) []hunt.Frame {
			return []hunt.Frame{hunt.Progress{RowsScanned: 9}, hunt.Progress{RowsScanned: 8}, e}
		})), []string{"Frames"}},
		{"does not translate beyond its ceiling", func(_ *testing.T, l *liar) {
			capped(37, nil)(l)
			l.refuse = func() error {
				if l.asked.Add(1)%2 == 0 {
					return hunt.Errorf(hunt.SourceFailed, "not that one")
				}
				return nil
			}
		}, []string{"Contents"}},
		{"truncates without a reason", plainly(changedEnd(func(e *hunt.End) { e.Truncated = true })), []string{"Frames"}},
		{"progress goes back", plainly(ending(hunt.Progress{RowsScanned: 9}, hunt.Progress{RowsScanned: 8}, hunt.End{})), []string{"Frames"}},
		{"tells a gap without an error", plainly(ending(hunt.PartFailed{Part: "x"}, hunt.End{})), []string{"Frames"}},
		{"changes a batch after giving it", plainly(func(l *liar) {
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					var last arrow.RecordBatch
					for f, err := range in {
						if last != nil {
							scribble(last)
						}
						if b, ok := f.(*hunt.Batch); ok {
							last = b.Record
						}
						if !yield(f, err) {
							return
						}
					}
				}
			}
		}), []string{"Batches"}},
		{"gives a batch with broken offsets", plainly(batches(brokenOffsets)), []string{"Batches"}},
		{"gives a batch of another schema", plainly(batches(func(r arrow.RecordBatch) arrow.RecordBatch {
			fields := slices.Clone(r.Schema().Fields())
			fields[0].Name = "id"
			return array.NewRecordBatch(arrow.NewSchema(fields, nil), r.Columns(), r.NumRows())
		})), []string{"Batches", "Frames"}},
	}
}

func liesOfDescriptions() []lie {
	return []lie{
		{"describes at random", plainly(func(l *liar) {
			var n atomic.Int64
			l.describe = func(_ context.Context, d *hunt.Description) { d.Streams[0].Rows = n.Add(1) }
		}), []string{"Describe"}},
		{"describes a stream twice", plainly(func(l *liar) {
			l.describe = func(_ context.Context, d *hunt.Description) { d.Streams = append(d.Streams, d.Streams[0]) }
		}), []string{"Describe"}},
		{"claims a column that the class lacks", plainly(describing(func(s *hunt.Stream) { s.Attributes["nonsense"] = true })), []string{"Describe"}},
		{"claims an attribute that it does not have", plainly(func(l *liar) {
			l.describe = func(_ context.Context, d *hunt.Description) {
				for i := range d.Streams {
					if d.Streams[i].Class.UID == ocsf.NetworkActivity {
						d.Streams[i].Attributes["src_endpoint.ip"] = true
					}
				}
			}
		}), []string{"Facts"}},
		{"hides an attribute", plainly(describing(func(s *hunt.Stream) { delete(s.Attributes, "process.name") })), []string{"Facts", "Impossible"}},
		{"describes a narrower range", plainly(describing(func(s *hunt.Stream) { s.Time = &hunt.TimeRange{} })), []string{"Facts"}},
		{"describes fewer rows", plainly(describing(func(s *hunt.Stream) { s.Rows-- })), []string{"Facts"}},
		{"closes values that occur", plainly(describing(func(s *hunt.Stream) {
			s.Closed = map[string][]hunt.Value{"activity_id": {hunt.Int(1)}}
		})), []string{"Facts"}},
		{"closes a column that it does not have", plainly(describing(func(s *hunt.Stream) {
			s.Closed = map[string][]hunt.Value{"nonsense": nil}
		})), []string{"Describe"}},
		{"denies without saying what", plainly(func(l *liar) {
			l.describe = func(_ context.Context, d *hunt.Description) { d.Denied = []hunt.Denial{{Object: "x"}} }
		}), []string{"Describe"}},
	}
}

func liesAboutState() []lie {
	var opened atomic.Int64
	return []lie{
		{"ignores the snapshot", plainly(asking(func(r *hunt.Request) { r.Snapshot = "" })), []string{"Snapshot"}},
		{"shows an old state", plainly(func(l *liar) {
			l.describe = func(_ context.Context, d *hunt.Description) { d.Snapshot = "3" }
			l.request = func(r *hunt.Request) { r.Snapshot = "2" }
		}), []string{"Snapshot"}},
		{"gives new uids when it is opened again", plainly(func(l *liar) {
			suffix := strings.Repeat("x", int(opened.Add(1)))
			batches(uidsWith(suffix))(l)
		}), []string{"UIDs"}},
		{"gives the same uid to all events", plainly(batches(func(rec arrow.RecordBatch) arrow.RecordBatch {
			return replaced(rec, "uid", func(col arrow.Array) arrow.Array {
				b := array.NewStringBuilder(arrowmemory.DefaultAllocator)
				for range col.Len() {
					b.Append("one")
				}
				return b.NewArray()
			})
		})), []string{"UIDs"}},
		{"makes a second event of one that is added again", plainly(func(l *liar) {
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				grown := len(l.src.data) > 2
				return eachBatch(in, func(rec arrow.RecordBatch) arrow.RecordBatch {
					if !grown {
						return rec
					}
					return vector.Take(rec, append([]int{0}, indexes(int(rec.NumRows()))...))
				})
			}
		}), []string{"Duplicates"}},
		{"swallows a fault", plainly(searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
			for f, err := range in {
				if err != nil {
					f, err = hunt.End{}, nil
				}
				if !yield(f, err) {
					return
				}
			}
		})), []string{"Fault", "Cancel", "Throttle"}},
		{"stops in silence at a fault", plainly(searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
			for f, err := range in {
				if err != nil || !yield(f, err) {
					return
				}
			}
		})), []string{"Fault"}},
		{"tells a gap after the rows that come after it", plainly(func(l *liar) {
			l.deaf = true
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				lost := false
				in = eachBatch(in, func(rec arrow.RecordBatch) arrow.RecordBatch {
					if lost = lost || l.src.broken.Load(); lost {
						return rows(func(i, _ int) bool { return i > 2 })(rec)
					}
					return rec
				})
				return func(yield func(hunt.Frame, error) bool) {
					for f, err := range in {
						if _, ok := f.(hunt.End); ok && lost {
							if !yield(hunt.PartFailed{Part: "p", Err: hunt.Errorf(hunt.SourceFailed, "lost")}, nil) {
								return
							}
						}
						if !yield(f, err) {
							return
						}
					}
				}
			}
		}), []string{"Fault"}},
		{"does not say how long to wait", plainly(searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
			for f, err := range in {
				if e := (*hunt.Error)(nil); errors.As(err, &e) && e.Code == hunt.SourceThrottled {
					err = hunt.Errorf(hunt.SourceThrottled, "wait")
				}
				if !yield(f, err) {
					return
				}
			}
		})), []string{"Throttle"}},
		{"fails with a plain error", plainly(searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
			for f, err := range in {
				if err != nil {
					err = errors.New("no")
				}
				if !yield(f, err) {
					return
				}
			}
		})), []string{"Fault", "Cancel", "Close"}},
	}
}

func indexes(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func liesAboutStopping() []lie {
	goOn := func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
		for f, err := range in {
			yield(f, err)
		}
	}
	return []lie{
		{"hangs when cancelled", func(t *testing.T, l *liar) {
			searching(func(ctx context.Context, in frames, yield func(hunt.Frame, error) bool) {
				for f, err := range in {
					if ctx.Err() != nil {
						<-t.Context().Done()
					}
					if !yield(f, err) {
						return
					}
				}
			})(l)
		}, []string{"Cancel"}},
		{"goes on after the consumer stopped", plainly(searching(goOn)), []string{"Break"}},
		{"leaks a goroutine when the consumer stops", func(t *testing.T, l *liar) {
			searching(func(_ context.Context, in frames, yield func(hunt.Frame, error) bool) {
				for f, err := range in {
					if !yield(f, err) {
						leak(t)
						return
					}
				}
			})(l)
		}, []string{"Break"}},
		{"leaks a goroutine with every search", func(t *testing.T, l *liar) {
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames { leak(t); return in }
		}, []string{"Leaks"}},
		{"keeps the batches of every search", plainly(func(l *liar) {
			var mu sync.Mutex
			var kept []hunt.Frame
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				return each(in, func(f hunt.Frame) hunt.Frame {
					mu.Lock()
					defer mu.Unlock()
					kept = append(kept, f)
					return f
				})
			}
		}), []string{"Leaks"}},
		{"mixes up searches that run at the same time", plainly(func(l *liar) {
			var running atomic.Int64
			l.search = func(_ context.Context, _ *hunt.Translation, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					n := running.Add(1)
					defer running.Add(-1)
					for f, err := range in {
						if b, ok := f.(*hunt.Batch); ok && n > 1 {
							f = &hunt.Batch{Record: b.Record.NewSlice(0, 1)}
						}
						if !yield(f, err) {
							return
						}
					}
				}
			}
		}), []string{"Concurrency"}},
		{"leaks a goroutine at Close", func(t *testing.T, l *liar) {
			l.close = func() error { leak(t); return l.Memory.Close() }
		}, []string{"Close"}},
		{"fails the second Close", plainly(func(l *liar) {
			var times atomic.Int64
			l.close = func() error {
				if times.Add(1) == 2 {
					return context.Canceled
				}
				return l.Memory.Close()
			}
		}), []string{"Close"}},
		{"searches on after Close", plainly(func(l *liar) { l.close = func() error { return nil } }), []string{"Close"}},
		{"panics", plainly(asking(func(*hunt.Request) { panic("oops") })), []string{"Order"}},
	}
}

// TestLiesAreCaught proves that the suite can fail: each lie is found by the behaviours that say so.
func TestLiesAreCaught(t *testing.T) {
	for _, l := range lies() {
		t.Run(l.name, func(t *testing.T) {
			for _, behaviour := range l.caught {
				r := suite(func(c *liar) { l.make(t, c) }).Check(t.Context(), behaviour)
				if len(r.Problems) == 0 {
					t.Errorf("%s does not find it (%d cases, skipped: %q)", behaviour, r.Cases, r.Skipped)
				} else {
					t.Logf("caught by %s: %.300s", behaviour, r.Problems[0])
				}
			}
		})
	}
}

// careful is a sound source of which one search gives no more than 37 rows: it tells how far it has come, and translates nothing while it
// is broken and after it was closed, as a process that is gone.
func careful(l *liar) {
	capped(37, nil)(l)
	at := l.search
	l.search = func(ctx context.Context, t *hunt.Translation, in frames) frames { return counted(at(ctx, t, in)) }
	var closed atomic.Bool
	l.close = func() error { closed.Store(true); return l.Memory.Close() }
	l.refuse = func() error {
		if closed.Load() || l.src.broken.Load() {
			return hunt.Errorf(hunt.SourceUnavailable, "the process is gone")
		}
		return nil
	}
}

// counted tells after each batch how many rows have come.
func counted(in frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		rows := int64(0)
		for f, err := range in {
			if !yield(f, err) {
				return
			}
			if b, ok := f.(*hunt.Batch); ok {
				rows += b.Record.NumRows()
				if !yield(hunt.Progress{RowsScanned: rows, Done: 1, Total: 2}, nil) {
					return
				}
			}
		}
	}
}

// TestTruthPasses is the other half: the same connection without a lie, loaded and surveyed.
func TestTruthPasses(t *testing.T) {
	loaded := suite(func(*liar) {})
	surveyed := suite(func(*liar) {})
	if _, err := surveyed.Open(t.Context(), fewData()); err != nil {
		t.Fatal(err)
	}
	surveyed.Open, surveyed.Rows = nil, 120 // so that a part of the events is compared
	bounded := suite(careful)
	for name, s := range map[string]conformance.Suite{"loaded": loaded, "surveyed": surveyed, "loaded, 37 rows a search": bounded} {
		t.Run(name, func(t *testing.T) {
			session, err := s.Begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer session.Close()
			for _, b := range conformance.Behaviours() {
				r := session.Check(t.Context(), b.Name)
				for _, problem := range r.Problems {
					t.Errorf("%s: %v", b.Name, problem)
				}
				if name != "surveyed" && r.Skipped != "" {
					t.Errorf("%s is skipped: %s", b.Name, r.Skipped)
				}
				if r.Skipped == "" && r.Cases == 0 {
					t.Errorf("%s made no request", b.Name)
				}
				t.Logf("%-12s %4d requests in %s %s %v", b.Name, r.Cases, r.Took.Round(1e6), r.Skipped, r.Notes)
			}
		})
	}
}

// fewData is what a surveyed source holds.
func fewData() []conformance.Data {
	var out []conformance.Data
	for _, s := range streams() {
		out = append(out, conformance.Data{Stream: &s, Record: sample.RandomBatch(rand.New(rand.NewPCG(1, uint64(s.Class.UID))), s.Class, 150, sample.Untimed(), sample.Only(s.Attributes))})
	}
	return out
}

// TestSurveyCatchesLies: a survey finds what does not depend on what was loaded. One lie for each behaviour is enough: the checks are
// the same.
func TestSurveyCatchesLies(t *testing.T) {
	left := []string{"Describe", "Predicates", "Expressions", "Hostile", "Order", "Paging", "Range", "Limit", "Projection", "Frames", "Break", "Close", "UIDs"}
	for _, l := range lies() {
		at := slices.IndexFunc(left, func(b string) bool { return slices.Contains(l.caught, b) })
		if at < 0 {
			continue
		}
		behaviour := left[at]
		left = slices.Delete(left, at, at+1)
		t.Run(behaviour, func(t *testing.T) {
			s := suite(func(c *liar) { l.make(t, c) })
			if _, err := s.Open(t.Context(), fewData()); err != nil {
				t.Fatal(err)
			}
			s.Open = nil
			if r := s.Check(t.Context(), behaviour); len(r.Problems) == 0 {
				t.Errorf("a connector that %s passes (%d cases, skipped: %q)", l.name, r.Cases, r.Skipped)
			}
		})
	}
	if len(left) > 0 {
		t.Errorf("no lie was tried for %v", left)
	}
}

func TestEveryBehaviourIsProvedToFail(t *testing.T) {
	proved := map[string]bool{}
	for _, l := range lies() {
		for _, b := range l.caught {
			proved[b] = true
		}
	}
	for _, b := range conformance.Behaviours() {
		if !proved[b.Name] {
			t.Errorf("no lie is caught by %s", b.Name)
		}
		if b.Contract == "" || strings.Count(b.Contract, ".") == 0 {
			t.Errorf("%s has no sentence for a contract", b.Name)
		}
		delete(proved, b.Name)
	}
	if len(proved) > 0 {
		t.Errorf("there is no behaviour %v", slices.Collect(maps.Keys(proved)))
	}
}

func TestCheckOfAnUnknownBehaviour(t *testing.T) {
	if r := (conformance.Suite{}).Check(t.Context(), "Nonsense"); len(r.Problems) != 1 {
		t.Errorf("got %v, want one error", r.Problems)
	}
}
