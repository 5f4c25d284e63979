package hunttest_test

import (
	"context"
	"iter"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

type frames = iter.Seq2[hunt.Frame, error]

// faulty is a memory connection with defects: each function that is set replaces a method.
type faulty struct {
	*memory.Memory
	describe  func(*hunt.Description)
	translate func(*hunt.Translation)
	request   func(*hunt.Request)
	search    func(context.Context, frames) frames
	close     func() error
}

func (f *faulty) Describe(ctx context.Context) (*hunt.Description, error) {
	d, err := f.Memory.Describe(ctx)
	if err == nil && f.describe != nil {
		f.describe(d)
	}
	return d, err
}

func (f *faulty) Translate(r hunt.Request) (*hunt.Translation, error) {
	t, err := f.Memory.Translate(r)
	if err == nil && f.translate != nil {
		f.translate(t)
	}
	return t, err
}

func (f *faulty) Search(ctx context.Context, t *hunt.Translation) frames {
	if f.request != nil {
		changed := *t
		f.request(&changed.Request)
		t = &changed
	}
	if f.search == nil {
		return f.Memory.Search(ctx, t)
	}
	return f.search(ctx, f.Memory.Search(ctx, t))
}

func (f *faulty) Close() error {
	if f.close != nil {
		return f.close()
	}
	return f.Memory.Close()
}

// overBatches replaces the batches of a stream.
func overBatches(in frames, change func(arrow.RecordBatch) arrow.RecordBatch) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for f, err := range in {
			if b, ok := f.(*hunt.Batch); ok {
				if f = (&hunt.Batch{Record: change(b.Record)}); f.(*hunt.Batch).Record.NumRows() == 0 {
					continue
				}
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

func changing(change func(arrow.RecordBatch) arrow.RecordBatch) func(*faulty) {
	return func(f *faulty) {
		f.search = func(_ context.Context, in frames) frames { return overBatches(in, change) }
	}
}

func asking(change func(*hunt.Request)) func(*faulty) {
	return func(f *faulty) { f.request = change }
}

// replaceEnd yields what instead of End.
func replaceEnd(what ...hunt.Frame) func(*faulty) {
	return func(f *faulty) {
		f.search = func(_ context.Context, in frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
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
			}
		}
	}
}

func reversed(rec arrow.RecordBatch) arrow.RecordBatch {
	index := make([]int, rec.NumRows())
	for i := range index {
		index[i] = len(index) - 1 - i
	}
	return vector.Take(rec, index)
}

// leak makes a goroutine that ends with the test only.
func leak(t *testing.T) {
	go func() { <-t.Context().Done() }()
}

// defect is a wrong connector and the behaviours that must show it.
type defect struct {
	name   string
	make   func(*testing.T, *faulty)
	caught []string
}

func plainly(change func(*faulty)) func(*testing.T, *faulty) {
	return func(_ *testing.T, f *faulty) { change(f) }
}

func defects() []defect {
	exact := func(r *hunt.Request) bool { return !hunt.IsTrue(r.Where) }
	return []defect{
		{"drops the last row of a batch", plainly(changing(func(r arrow.RecordBatch) arrow.RecordBatch { return r.NewSlice(0, r.NumRows()-1) })), []string{"Contents"}},
		{"gives a row twice", plainly(changing(func(r arrow.RecordBatch) arrow.RecordBatch { return vector.Take(r, []int{0, 0}) })), []string{"Order"}},
		{"ignores the condition", plainly(asking(func(r *hunt.Request) { r.Where = hunt.True() })), []string{"Predicates", "Expressions"}},
		{"drops rows that a condition finds", plainly(asking(func(r *hunt.Request) {
			if exact(r) {
				r.Where = hunt.Or{}
			}
		})), []string{"Predicates", "Expressions", "Limit"}},
		{"compares case where it must not", plainly(asking(func(r *hunt.Request) {
			if p, ok := r.Where.(*hunt.Predicate); ok {
				again, err := hunt.NewPredicate(r.Class.Column(p.Path), p.Op, true, p.Args...)
				if err == nil {
					r.Where = again
				}
			}
		})), []string{"Predicates"}},
		{"forgets End", plainly(replaceEnd()), []string{"Order", "Contents"}},
		{"gives End twice", plainly(replaceEnd(hunt.End{}, hunt.End{})), []string{"Order"}},
		{"gives a frame after End", plainly(replaceEnd(hunt.End{}, hunt.Progress{})), []string{"Order"}},
		{"does not count untimed events", plainly(replaceEnd(hunt.End{})), []string{"Contents"}},
		{"orders the wrong way", plainly(changing(reversed)), []string{"Order", "Paging"}},
		{"orders upwards only", plainly(asking(func(r *hunt.Request) { r.Order = hunt.TimeAsc })), []string{"Order", "Paging"}},
		{"ignores After", plainly(asking(func(r *hunt.Request) { r.After = nil })), []string{"Paging", "ForeignKeys"}},
		{"compares After by time alone", plainly(asking(func(r *hunt.Request) {
			if r.After != nil {
				r.After = &hunt.Key{Time: r.After.Time + 1}
			}
		})), []string{"Paging"}},
		{"looks at the uid of a foreign key", plainly(asking(func(r *hunt.Request) {
			if r.After != nil {
				id := hunttest.Identity()
				r.After = &hunt.Key{Time: r.After.Time, Tenant: id.Tenant, Connection: id.Connection, UID: r.After.UID}
			}
		})), []string{"ForeignKeys"}},
		{"takes the end of a range in", plainly(asking(func(r *hunt.Request) { r.Range.End++ })), []string{"Range"}},
		{"leaves the start of a range out", plainly(asking(func(r *hunt.Request) { r.Range.Start++ })), []string{"Range"}},
		{"cuts before the condition", plainly(func(f *faulty) {
			f.translate = func(t *hunt.Translation) {
				for i := range t.Predicates {
					t.Predicates[i].Disposition, t.Predicates[i].Reason = hunt.Local, "not pushed"
				}
			}
			limit := 0
			f.request = func(r *hunt.Request) { limit = r.Limit }
			f.search = func(_ context.Context, in frames) frames {
				return overBatches(in, func(r arrow.RecordBatch) arrow.RecordBatch {
					if limit == 0 {
						return r
					}
					n := min(int64(limit), r.NumRows())
					limit = -1
					return r.NewSlice(0, max(n, 0))
				})
			}
		}), []string{"Limit"}},
		{"leaves columns out", plainly(asking(func(r *hunt.Request) { r.Columns = nil })), []string{"Projection", "Contents"}},
		{"gives columns that nobody asked for", plainly(asking(func(r *hunt.Request) { r.Columns = hunttest.Paths(r.Class) })), []string{"Projection"}},
		{"gives other values", plainly(changing(blankNames)), []string{"Contents"}},
		{"describes streams at random", plainly(func(f *faulty) {
			n := int64(0)
			f.describe = func(d *hunt.Description) { n++; d.Streams[0].Rows = n }
		}), []string{"Describe"}},
		{"describes a narrower range", plainly(func(f *faulty) {
			f.describe = func(d *hunt.Description) { d.Streams[0].Time = &hunt.TimeRange{} }
		}), []string{"Describe"}},
		{"closes values that occur", plainly(func(f *faulty) {
			f.describe = func(d *hunt.Description) { d.Streams[0].Closed = map[string][]hunt.Value{"activity_id": nil} }
		}), []string{"Describe"}},
		{"hides an attribute", plainly(func(f *faulty) {
			f.describe = func(d *hunt.Description) { delete(d.Streams[0].Attributes, "process.name") }
		}), []string{"Describe"}},
		{"leaves a disposition out", plainly(func(f *faulty) {
			f.translate = func(t *hunt.Translation) { t.Predicates = t.Predicates[:max(len(t.Predicates)-1, 0)] }
		}), []string{"Translate", "Impossible"}},
		{"translates at random", plainly(func(f *faulty) {
			var n atomic.Int64
			f.translate = func(t *hunt.Translation) { t.Native += strings.Repeat("x", int(n.Add(1))) }
		}), []string{"Translate"}},
		{"takes IMPOSSIBLE for false", plainly(func(f *faulty) {
			f.translate = func(t *hunt.Translation) {
				for i := range t.Predicates {
					t.Predicates[i].Disposition = hunt.Exact
				}
			}
		}), []string{"Impossible"}},
		{"ignores the snapshot", plainly(asking(func(r *hunt.Request) { r.Snapshot = "" })), []string{"Snapshot"}},
		{"shows an old state", plainly(func(f *faulty) {
			f.describe = func(d *hunt.Description) { d.Snapshot = "4" }
			f.request = func(r *hunt.Request) { r.Snapshot = "4" }
		}), []string{"Snapshot"}},
		{"hangs when cancelled", func(t *testing.T, f *faulty) {
			f.search = func(ctx context.Context, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					for frame, err := range in {
						if ctx.Err() != nil {
							<-t.Context().Done()
						}
						if !yield(frame, err) {
							return
						}
					}
				}
			}
		}, []string{"Cancel"}},
		{"passes a cancelled search for complete", plainly(func(f *faulty) {
			f.search = func(_ context.Context, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					for frame, err := range in {
						if err != nil {
							frame, err = hunt.End{}, nil
						}
						if !yield(frame, err) {
							return
						}
					}
				}
			}
		}), []string{"Cancel", "Close"}},
		{"leaks a goroutine when the consumer stops", func(t *testing.T, f *faulty) {
			f.search = func(_ context.Context, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					for frame, err := range in {
						if !yield(frame, err) {
							leak(t)
							return
						}
					}
				}
			}
		}, []string{"Break"}},
		{"goes on after the consumer stopped", plainly(func(f *faulty) {
			f.search = func(_ context.Context, in frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					for frame, err := range in {
						yield(frame, err)
					}
				}
			}
		}), []string{"Break"}},
		{"leaks a goroutine at Close", func(t *testing.T, f *faulty) {
			f.close = func() error { leak(t); return f.Memory.Close() }
		}, []string{"Close"}},
		{"fails the second Close", plainly(func(f *faulty) {
			times := 0
			f.close = func() error {
				if times++; times == 2 {
					return context.Canceled
				}
				return f.Memory.Close()
			}
		}), []string{"Close"}},
	}
}

// blankNames makes process.name null.
func blankNames(rec arrow.RecordBatch) arrow.RecordBatch {
	at := rec.Schema().FieldIndices("process.name")
	if len(at) == 0 {
		return rec
	}
	cols := slices.Clone(rec.Columns())
	cols[at[0]] = array.MakeArrayOfNull(arrowmemory.DefaultAllocator, cols[at[0]].DataType(), int(rec.NumRows()))
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows())
}

// suite tests memory connections after change.
func suite(change func(*testing.T, *faulty)) hunttest.Suite {
	var m *memory.Memory
	grow := func(t *testing.T, d hunttest.Data) {
		if err := m.Append(d.Stream, d.Record); err != nil {
			t.Fatal(err)
		}
	}
	return hunttest.Suite{
		Streams: streams(),
		Grow:    grow,
		Open: func(t *testing.T, data []hunttest.Data) hunt.Connector {
			m = memory.Open(hunttest.Identity())
			for _, d := range data {
				grow(t, d)
			}
			f := &faulty{Memory: m}
			change(t, f)
			return f
		},
	}
}

func streams() []hunt.Stream {
	var out []hunt.Stream
	for _, name := range []string{"process_activity", "dns_activity"} {
		class := ocsf.ByName(name)
		out = append(out, hunt.Stream{Name: name, Class: class, Attributes: hunttest.AllAttributes(class)})
	}
	delete(out[1].Attributes, "answers.rdata")
	delete(out[1].Attributes, "query.hostname")
	return out
}

// TestSuiteFindsDefects proves that the suite can fail: each wrong connector is found by the behaviours that say so.
func TestSuiteFindsDefects(t *testing.T) {
	for _, d := range defects() {
		t.Run(d.name, func(t *testing.T) {
			for _, behaviour := range d.caught {
				if errs := suite(d.make).Check(t, behaviour); len(errs) == 0 {
					t.Errorf("%s does not find it", behaviour)
				}
			}
		})
	}
}

// TestSuitePassesARightConnector is the other half: the same wrapper without a defect.
func TestSuitePassesARightConnector(t *testing.T) {
	suite(func(*testing.T, *faulty) {}).Run(t)
}

func TestEveryBehaviourIsProvedToFail(t *testing.T) {
	proved := map[string]bool{"Concurrency": true} // it fails through the race detector
	for _, d := range defects() {
		for _, b := range d.caught {
			proved[b] = true
		}
	}
	for _, b := range hunttest.Behaviours() {
		if !proved[b] {
			t.Errorf("no defect is caught by %s", b)
		}
	}
}

func TestCheckOfAnUnknownBehaviour(t *testing.T) {
	if errs := (hunttest.Suite{}).Check(t, "Nonsense"); len(errs) != 1 {
		t.Errorf("got %v, want one error", errs)
	}
}
