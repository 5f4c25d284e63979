package wrap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// capped makes one search of s give no more than n rows, as its description says. It tells of the truncation if says is set; else it stops
// as if that were all.
func capped(s *source, n int, says bool) {
	s.said = func(d *hunt.Description) { d.Streams[0].Ceiling = n }
	s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
		return atMost(n, says, plain)
	}
}

func atMost(n int, says bool, plain frames) frames {
	end := hunt.End{RowsScanned: int64(n), Duplicates: 1}
	if says {
		end.Truncated, end.Reason = true, "no more than so many rows at a time"
	}
	return func(yield func(hunt.Frame, error) bool) {
		left := int64(n)
		for f, err := range plain {
			b, ok := f.(*hunt.Batch)
			if ok && b.Record.NumRows() > left {
				if left == 0 || yield(&hunt.Batch{Record: b.Record.NewSlice(0, left)}, nil) {
					yield(end, nil)
				}
				return
			}
			if ok {
				left -= b.Record.NumRows()
			}
			if e, last := f.(hunt.End); last {
				e.Duplicates = 1
				f = e
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// TestASourceWithACeilingIsAskedOn: a source that gives so many rows at a time is asked until there are no more, whether it says that it
// has more or not, in both orders and from a key on; rows, their order and gaps are those of one search.
func TestASourceWithACeilingIsAskedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(60) {
			rng := rand.New(rand.NewPCG(seed, 11))
			s := newSource(t, acme(), 400)
			ceiling, breaks := 1+rng.IntN(120), 0
			capped(s, ceiling, seed%2 == 0)
			cut := s.search
			s.search = func(ctx context.Context, n int, tr *hunt.Translation, plain frames) frames {
				frames := withGaps(tr, cut(ctx, n, tr, in(1+rng.IntN(60), plain)))
				if seed%5 == 0 {
					frames = broken(rng, frames, &breaks)
				}
				return frames
			}
			c := described(t, s, wrap.Options{Retry: wrap.Retry{Tries: 40}, Breaker: wrap.Breaker{Failures: 1000}})
			r := everything()
			r.Order = []hunt.Order{hunt.TimeAsc, hunt.TimeDesc}[seed/2%2]
			if seed%3 == 0 {
				r.After = &hunt.Key{Time: 200, Tenant: "acme", Connection: "edr", UID: "00000200"}
			}
			tr := translated(t, c, r)
			got, want := read(t.Context(), c, tr, nil), read(t.Context(), s.Memory, tr, nil)
			if got.err != nil || got.end == nil || got.end.Truncated || !slices.Equal(got.rows, want.rows) {
				t.Fatalf("seed %d: %d rows at a time, %d breaks: %d rows, end %+v, error %v; want %d rows", seed, ceiling, breaks, len(got.rows), got.end, got.err, len(want.rows))
			}
			if text := fmt.Sprint(got.gaps); text != fmt.Sprint(gapsOf(t.Context(), s, tr)) {
				t.Errorf("seed %d: told of %v, want each gap once", seed, text)
			}
		}
	})
}

// whole cuts an answer after n rows, and gives the source's own figures at the end.
func whole(n int64, plain frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		left, more := n, false
		for f, err := range plain {
			switch frame := f.(type) {
			case *hunt.Batch:
				more = more || frame.Record.NumRows() > left
				f = &hunt.Batch{Record: frame.Record.NewSlice(0, min(left, frame.Record.NumRows()))}
				left -= min(left, frame.Record.NumRows())
			case hunt.End:
				frame.Truncated = more
				f = frame
			}
			if !yield(f, err) {
				return
			}
		}
	}
}

// TestFiguresOfManySearches: what the searches of one answer scanned is added up, what each of them counts of the whole stream is not,
// and none of them was a retry.
func TestFiguresOfManySearches(t *testing.T) {
	s := newSource(t, acme(), 250)
	if err := s.Append(&hunt.Stream{Name: "s", Class: class(), Attributes: map[string]bool{}}, events(20, 30)); err != nil {
		t.Fatal(err)
	}
	plain := ask(t, s.Memory)
	capped(s, 100, true)
	s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames { return whole(100, plain) }
	c := described(t, s, wrap.Options{})
	a := ask(t, c)
	wantAll(t, a, 250)
	if searches, _, _ := s.counts(); searches != 3 || plain.end.Duplicates != 10 || a.end.Duplicates != 10 || a.end.RowsScanned != 3*plain.end.RowsScanned || c.Health().Retries != 0 {
		t.Errorf("%d searches, end %+v, of one search %+v, health %+v", searches, a.end, plain.end, c.Health())
	}
}

// TestProgressAcrossACeiling: the rows scanned never go back, the end says what the last progress said, and the watermark is the least.
func TestProgressAcrossACeiling(t *testing.T) {
	s := newSource(t, acme(), 250)
	capped(s, 100, true)
	s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
		first := give(hunt.Watermark{Time: int64(1000 * n)}, hunt.Progress{RowsScanned: 50, Done: 1, Total: 2})
		return after(first, atMost(100, true, plain))
	}
	c := described(t, s, wrap.Options{})
	var scanned, marks []int64
	for f, err := range c.Search(t.Context(), translated(t, c, everything())) {
		switch f := f.(type) {
		case nil:
			t.Fatal(err)
		case hunt.Progress:
			scanned = append(scanned, f.RowsScanned)
		case hunt.Watermark:
			marks = append(marks, f.Time)
		case hunt.End:
			scanned = append(scanned, f.RowsScanned)
		}
	}
	if want := []int64{50, 100, 150, 200, 250, 450}; !slices.Equal(scanned, want) {
		t.Errorf("scanned %v, want %v", scanned, want)
	}
	if want := []int64{1000, 1000, 1000}; !slices.Equal(marks, want) {
		t.Errorf("watermarks %v, want %v: rows of the first search may be missing from then on", marks, want)
	}
}

// after gives what all of several searches give.
func after(list ...frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for _, frames := range list {
			for f, err := range frames {
				if !yield(f, err) {
					return
				}
			}
		}
	}
}

// TestWhatIsTruncatedForGood: without a ceiling nobody knows how to go on, without a row there is nothing to go on from, and a source
// that gives nothing after the key would be asked for ever. So the answer stays truncated, with a reason.
func TestWhatIsTruncatedForGood(t *testing.T) {
	repeats := func(says bool) func(*source, *hunt.Translation, frames) frames {
		return func(s *source, tr *hunt.Translation, _ frames) frames {
			r := tr.Request
			r.After = nil
			return atMost(100, says, s.Memory.Search(t.Context(), translated(t, s.Memory, r)))
		}
	}
	unordered := vector.Take(events(3, 6), []int{2, 0})
	for name, c := range map[string]struct {
		ceiling        int
		rows, searches int
		search         func(*source, *hunt.Translation, frames) frames
	}{
		"no ceiling": {0, 100, 1, func(_ *source, _ *hunt.Translation, plain frames) frames { return atMost(100, true, plain) }},
		"no row":     {100, 0, 1, func(_ *source, _ *hunt.Translation, plain frames) frames { return atMost(0, true, plain) }},
		"no row after the first search": {100, 100, 2, func(_ *source, tr *hunt.Translation, plain frames) frames {
			if tr.Request.After != nil {
				return atMost(0, true, plain)
			}
			return atMost(100, true, plain)
		}},
		"the key is ignored":                {100, 100, 2, repeats(true)},
		"the key is ignored without a word": {100, 100, 2, repeats(false)},
		"more at an instant than the ceiling, and only its time is asked for": {2, 3, 3, func(s *source, tr *hunt.Translation, _ frames) frames {
			r := tr.Request
			if r.After != nil {
				r.Range.Start, r.After = r.After.Time, nil
			}
			return instant(r.Range.Start, 2)
		}},
		"rows in no order": {2, 4, 2, func(*source, *hunt.Translation, frames) frames {
			return give(&hunt.Batch{Record: unordered}, hunt.End{Truncated: true, Reason: "so many at a time"})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSource(t, acme(), 250)
			s.said = func(d *hunt.Description) { d.Streams[0].Ceiling = c.ceiling }
			s.search = func(_ context.Context, _ int, tr *hunt.Translation, plain frames) frames {
				return c.search(s, tr, plain)
			}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			conn := described(t, s, wrap.Options{})
			a := read(ctx, conn, translated(t, conn, everything()), nil)
			searches, _, _ := s.counts()
			if a.err != nil || a.end == nil || !a.end.Truncated || a.end.Reason == "" || len(a.rows) != c.rows || searches != c.searches {
				t.Errorf("%d rows in %d searches, end %+v, error %v; want %d rows in %d searches, truncated", len(a.rows), searches, a.end, a.err, c.rows, c.searches)
			}
		})
	}
}

// instant gives the first n rows from a time on of a source that holds an event at 1 and five at 2.
func instant(from int64, n int) frames {
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, hunt.Schema(class(), nil))
	for i, us := range []int64{1, 2, 2, 2, 2, 2} {
		if us >= from && n > 0 {
			n--
			b.Field(0).(*array.StringBuilder).Append(fmt.Sprint(i))
			b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(us))
		}
	}
	return give(&hunt.Batch{Record: b.NewRecordBatch()}, hunt.End{})
}

// TestAKeyIsEnough: sources that ask for the key's time and give its rows again get on, as long as an instant has fewer than the ceiling.
func TestAKeyIsEnough(t *testing.T) {
	s := newSource(t, acme(), 250)
	capped(s, 100, false)
	s.search = func(_ context.Context, _ int, tr *hunt.Translation, plain frames) frames {
		if r := tr.Request; r.After != nil {
			r.Range.Start, r.After = r.After.Time, nil
			plain = s.Memory.Search(t.Context(), translated(t, s.Memory, r))
		}
		return atMost(100, false, plain)
	}
	wantAll(t, ask(t, described(t, s, wrap.Options{})), 250)
}

// TestWhoHasEnoughCostsNoSearch: what comes after a ceiling is asked for when somebody waits for it, not before.
func TestWhoHasEnoughCostsNoSearch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 250)
		capped(s, 100, true)
		c := described(t, s, wrap.Options{})
		read(t.Context(), c, translated(t, c, everything()), func(a *answer) bool {
			if len(a.rows) < 100 {
				return false
			}
			synctest.Wait() // the search has done all that it does by itself
			return true
		})
		if searches, _, _ := s.counts(); searches != 1 {
			t.Errorf("%d searches for a reader of 100 rows", searches)
		}
		wantAll(t, ask(t, c), 250)
	})
}

// TestSlowReadersAtACeiling: readers of one answer, each at its own pace, get every row once, also those who are cut loose.
func TestSlowReadersAtACeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 2000)
		capped(s, 90, true)
		cut := s.search
		s.search = func(ctx context.Context, n int, tr *hunt.Translation, plain frames) frames {
			return cut(ctx, n, tr, in(7, plain))
		}
		c := described(t, s, wrap.Options{Memory: wrap.NewMemory(1<<20, 8<<10)})
		tr := translated(t, c, everything())
		var hunts sync.WaitGroup
		for pace := range 4 {
			hunts.Go(func() {
				wantAll(t, read(t.Context(), c, tr, func(*answer) bool {
					time.Sleep(time.Duration(pace*pace) * time.Millisecond)
					return false
				}), 2000)
			})
		}
		hunts.Wait()
	})
}

// TestAnAnswerBeyondTheCeilingIsKept: the cache keeps the whole answer of many searches.
func TestAnAnswerBeyondTheCeilingIsKept(t *testing.T) {
	s := newSource(t, acme(), 250)
	capped(s, 100, true)
	c := described(t, s, wrap.Options{Cache: wrap.NewCache(1 << 20), CacheTTL: time.Hour})
	for range 2 {
		wantAll(t, ask(t, c), 250)
	}
	if searches, _, _ := s.counts(); searches != 3 || c.Health().Cached != 1 {
		t.Errorf("%d searches, health %+v", searches, c.Health())
	}
}

// TestEverySearchAtACeilingIsCounted by the limits of the source.
func TestEverySearchAtACeilingIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 250)
		capped(s, 100, true)
		said := s.said
		s.said = func(d *hunt.Description) {
			said(d)
			d.Limits = []hunt.Limit{{Scope: hunt.PerConnection, Searches: 1, Per: time.Minute}}
		}
		c := described(t, s, wrap.Options{})
		began := time.Now()
		a := ask(t, c)
		wantAll(t, a, 250)
		if took := time.Since(began); took < 2*time.Minute || took > 3*time.Minute || len(a.waits) != 2 {
			t.Errorf("three searches of one a minute took %v, and %d waits were told", took, len(a.waits))
		}
	})
}

// TestATranslateThatHangsAtACeiling keeps nobody beyond the deadline, and a reader who leaves at once.
func TestATranslateThatHangsAtACeiling(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newSource(t, acme(), 250), make(chan struct{})
		capped(s, 100, true)
		c := described(t, s, wrap.Options{Deadline: time.Second})
		tr := translated(t, c, everything())
		s.refuse = func(int) error { <-release; return nil }
		began := time.Now()
		a := read(t.Context(), c, tr, nil)
		if wantError(t, a.err, hunt.SourceTimeout); len(a.rows) != 100 || time.Since(began) > 2*time.Second {
			t.Errorf("%d rows after %v", len(a.rows), time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		began = time.Now()
		wantError(t, read(ctx, c, tr, nil).err, hunt.SourceTimeout)
		if took := time.Since(began); took > 200*time.Millisecond {
			t.Errorf("a reader with 100 ms was kept for %v", took)
		}
		close(release)
	})
}
