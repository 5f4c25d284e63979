package wrap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/harrier-xdr/harrier/hunt"
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

// TestFiguresOfManySearchesAreSums: what the searches of one answer scanned and left out is added up, and none of them was a retry.
func TestFiguresOfManySearchesAreSums(t *testing.T) {
	s := newSource(t, acme(), 250)
	capped(s, 100, true)
	c := described(t, s, wrap.Options{})
	a := ask(t, c)
	wantAll(t, a, 250)
	if searches, _, _ := s.counts(); searches != 3 || a.end.Duplicates != 3 || a.end.RowsScanned < 200 || c.Health().Retries != 0 {
		t.Errorf("%d searches, end %+v, health %+v", searches, a.end, c.Health())
	}
}

// TestWhatIsTruncatedForGood: without a ceiling nobody knows how to go on, and without a row there is nothing to go on from. So the answer
// stays truncated, and the source is asked once more at most.
func TestWhatIsTruncatedForGood(t *testing.T) {
	for _, c := range []struct {
		ceiling, gives, rows, searches int
	}{{0, 100, 100, 1}, {100, 0, 0, 1}} {
		s := newSource(t, acme(), 250)
		capped(s, c.gives, true)
		s.said = func(d *hunt.Description) { d.Streams[0].Ceiling = c.ceiling }
		a := ask(t, described(t, s, wrap.Options{}))
		searches, _, _ := s.counts()
		if a.err != nil || a.end == nil || !a.end.Truncated || a.end.Reason == "" || len(a.rows) != c.rows || searches != c.searches {
			t.Errorf("ceiling %d: %d rows in %d searches, end %+v, error %v", c.ceiling, len(a.rows), searches, a.end, a.err)
		}
	}
}
