package wrap_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestResumeLosesAndRepeatsNothing compares searches of a source that breaks at random frames with those of one that does not: rows,
// their order and what is told of gaps are the same, upwards and downwards, in one piece and in pages.
func TestResumeLosesAndRepeatsNothing(t *testing.T) {
	const rows = 400
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(150) {
			rng := rand.New(rand.NewPCG(seed, 7))
			s := newSource(t, acme(), rows)
			breaks := 0
			s.search = func(_ context.Context, _ int, tr *hunt.Translation, plain frames) frames {
				return broken(rng, withGaps(tr, in(1+rng.IntN(60), plain)), &breaks)
			}
			c := wrap.New(wrap.Opened(s), wrap.Options{Ref: acme(), Retry: wrap.Retry{Tries: 40}, Breaker: wrap.Breaker{Failures: 1000}})
			if _, err := c.Describe(t.Context()); err != nil {
				t.Fatal(err)
			}
			r := everything()
			r.Order = []hunt.Order{hunt.TimeAsc, hunt.TimeDesc}[seed%2]
			if seed%3 == 0 {
				r.After = &hunt.Key{Time: 200, Tenant: "acme", Connection: "edr", UID: "00000200"}
			}
			tr := translated(t, c, r)
			got := read(t.Context(), c, tr, nil)
			want := read(t.Context(), s.Memory, tr, nil)
			if got.err != nil || got.end == nil || !slices.Equal(got.rows, want.rows) {
				t.Errorf("seed %d: after %d breaks %d rows, error %v; want %d rows", seed, breaks, len(got.rows), got.err, len(want.rows))
			}
			if text := fmt.Sprint(got.gaps); text != fmt.Sprint(gapsOf(t.Context(), s, tr)) {
				t.Errorf("seed %d: told of %v, want each gap once", seed, text)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// withGaps tells of two failed parts and rejected records: at the start, and before the row 250, if that is asked for.
func withGaps(tr *hunt.Translation, plain frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for _, f := range []hunt.Frame{
			hunt.PartFailed{Part: "shard 1", Err: failure(hunt.SourceDamaged)},
			hunt.PartFailed{Part: "shard 1", Lost: &hunt.TimeRange{Start: 1, End: 2}, Err: failure(hunt.SourceDamaged)},
			hunt.Rejected{Part: "a.log", Offset: 10, Count: 2, Reason: "no JSON"},
			hunt.Rejected{Part: "a.log", Offset: 10, Count: 3, Reason: "no JSON"},
			hunt.Rejected{Part: "b.log", Offset: 10, Count: 1, Reason: "no JSON"},
		} {
			if !yield(f, nil) {
				return
			}
		}
		plain(yield)
	}
}

// gapsOf are the gaps that a search tells of if nothing breaks.
func gapsOf(ctx context.Context, s *source, tr *hunt.Translation) (out []hunt.Frame) {
	for f := range withGaps(tr, s.Memory.Search(ctx, tr)) {
		switch f.(type) {
		case hunt.PartFailed, hunt.Rejected:
			out = append(out, f)
		}
	}
	return out
}

// broken breaks an iterator at a random frame, in one of three ways, or not at all.
func broken(rng *rand.Rand, plain frames, breaks *int) frames {
	at, way := rng.IntN(12), rng.IntN(3)
	return func(yield func(hunt.Frame, error) bool) {
		for f, err := range plain {
			if at == 0 {
				*breaks++
				switch way {
				case 0:
					yield(nil, failure(hunt.SourceFailed))
				case 1:
					yield(nil, &hunt.Error{Code: hunt.SourceUnavailable, Retryable: true, RetryAfter: time.Second})
				}
				return // without End
			}
			at--
			if !yield(f, err) {
				return
			}
		}
	}
}

func TestOnlyRetryableErrorsAreTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, code := range []hunt.Code{hunt.BadUserInput, hunt.SourceDenied, hunt.SourceChanged, hunt.SourceFailed} {
			s := newSource(t, acme(), 3)
			s.search = func(context.Context, int, *hunt.Translation, frames) frames { return fails(&hunt.Error{Code: code}) }
			a := ask(t, described(t, s, wrap.Options{}))
			if n, _, _ := s.counts(); a.err == nil || a.err.Code != code || n != 1 || strings.Contains(a.err.Error(), "tried") {
				t.Errorf("%s: error %v after %d searches, want one search", code, a.err, n)
			}
		}
	})
}

func TestTriesAreBoundedAndCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		cause := errors.New("connection reset")
		s.search = func(context.Context, int, *hunt.Translation, frames) frames {
			return fails(&hunt.Error{Code: hunt.SourceUnavailable, Retryable: true, Cause: cause})
		}
		c := described(t, s, wrap.Options{Retry: wrap.Retry{Tries: 3, Backoff: wrap.Backoff{First: 8 * time.Second, Max: 10 * time.Second}}})
		began := time.Now()
		a := ask(t, c)
		if e := wantError(t, a.err, hunt.SourceUnavailable); !strings.Contains(e.Error(), "connection reset (tried 3 times)") || !errors.Is(e, cause) {
			t.Errorf("error is %q", e)
		}
		if took := time.Since(began); took < 9*time.Second || took > 18*time.Second {
			t.Errorf("two waits took %v, want 4 to 8 and 5 to 10 seconds", took)
		}
		if h := c.Health(); h.Retries != 2 || h.Failures != 3 || h.State != wrap.Degraded || h.LastError == nil {
			t.Errorf("health is %+v", h)
		}
	})
}

// TestTranslationFailsForAWhile: what is left of a search cannot be translated while the process of its connector starts again.
func TestTranslationFailsForAWhile(t *testing.T) {
	for _, tc := range []struct {
		failures int
		err      *hunt.Error
		want     hunt.Code // of the answer, "" for all rows
		said     string
	}{
		{2, &hunt.Error{Code: hunt.PluginCrashed, Retryable: true}, "", ""},
		{3, &hunt.Error{Code: hunt.PluginCrashed, Message: "gone", Retryable: true}, hunt.PluginCrashed, "gone (tried 4 times)"},
		{1, &hunt.Error{Code: hunt.SourceChanged, Message: "no such stream"}, hunt.SourceChanged, "no such stream (tried 2 times)"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, acme(), 9)
			s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
				if n == 1 {
					return fails(failure(hunt.SourceUnavailable))
				}
				return plain
			}
			s.refuse = func(n int) error {
				if n > 1 && n <= 1+tc.failures { // the first is that of the hunt
					return tc.err
				}
				return nil
			}
			a := ask(t, described(t, s, wrap.Options{Retry: wrap.Retry{Tries: 4}}))
			if tc.want == "" {
				wantAll(t, a, 9)
			} else if e := wantError(t, a.err, tc.want); !strings.Contains(e.Error(), tc.said) {
				t.Errorf("error is %q, want %q in it", e, tc.said)
			}
		})
	}
}

// TestDescribeWaits: a source that throttles is asked again if the wait fits into the deadline.
func TestDescribeWaits(t *testing.T) {
	for wait, want := range map[time.Duration]hunt.Code{4 * time.Second: "", time.Minute: hunt.SourceThrottled, 0: hunt.SourceThrottled} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, acme(), 3)
			s.describe = func(ctx context.Context, n int) (*hunt.Description, error) {
				if n == 1 {
					return nil, &hunt.Error{Code: hunt.SourceThrottled, Retryable: true, RetryAfter: wait}
				}
				return s.Memory.Describe(ctx)
			}
			c := kept(t, s, wrap.Options{DescribeDeadline: 10 * time.Second})
			began := time.Now()
			_, err := c.Describe(t.Context())
			took := time.Since(began)
			if want == "" && (err != nil || took != wait) {
				t.Errorf("%v after %v, want an answer after %v", err, took, wait)
			}
			if want != "" {
				if wantError(t, err, want); took != 0 {
					t.Errorf("the error came after %v, want it at once", took)
				}
			}
		})
	}
}

func TestRetryAfterIsKeptAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
			if n == 1 {
				return fails(&hunt.Error{Code: hunt.SourceThrottled, Retryable: true, RetryAfter: 42 * time.Second})
			}
			return plain
		}
		c := described(t, s, wrap.Options{})
		began := time.Now()
		a := ask(t, c)
		wantAll(t, a, 3)
		if took := time.Since(began); took != 42*time.Second || len(a.waits) != 1 || a.waits[0].RetryAfter != 42*time.Second {
			t.Errorf("took %v, told of %v", took, a.waits)
		}
	})
}

func TestNoWaitBeyondTheDeadline(t *testing.T) {
	for name, o := range map[string]wrap.Options{"of the hunt": {}, "of the source": {Deadline: 30 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, acme(), 3)
			s.search = func(context.Context, int, *hunt.Translation, frames) frames {
				return fails(&hunt.Error{Code: hunt.SourceThrottled, Message: "slow down", Retryable: true, RetryAfter: time.Minute})
			}
			c := described(t, s, o)
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			if name == "of the hunt" {
				ctx, cancel = context.WithTimeout(t.Context(), 30*time.Second)
			}
			defer cancel()
			began := time.Now()
			tr := translated(t, c, everything())
			for i := range 2 { // the second is held back before it asks the source
				a := read(ctx, c, tr, nil)
				if e := wantError(t, a.err, hunt.SourceThrottled); time.Since(began) != 0 || e.RetryAfter != time.Minute {
					t.Errorf("deadline %s, search %d: %v after %v, retry after %v; want it at once", name, i, e, time.Since(began), e.RetryAfter)
				}
			}
			if n, _, _ := s.counts(); n != 1 {
				t.Errorf("the source was asked %d times", n)
			}
		})
	}
}

func TestADefectOfTheConnectorIsAnErrorOfItsSearch(t *testing.T) {
	for name, search := range map[string]func(context.Context, int, *hunt.Translation, frames) frames{
		"panic":      func(context.Context, int, *hunt.Translation, frames) frames { panic("oops") },
		"no record":  func(context.Context, int, *hunt.Translation, frames) frames { return give(&hunt.Batch{}) },
		"late panic": func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames { return latePanic(plain) },
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, acme(), 3)
			s.search = search
			c := described(t, s, wrap.Options{})
			wantError(t, ask(t, c).err, hunt.Internal)
			if n, _, _ := s.counts(); n != 1 {
				t.Errorf("%s: tried %d times", name, n)
			}
		})
	}
}

func latePanic(plain frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for f, err := range plain {
			yield(f, err)
			panic("oops")
		}
	}
}

func TestWhatIsNoAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, c := range map[string]struct {
			frames frames
			code   hunt.Code
		}{
			"no end":         {give(&hunt.Batch{Record: events(0, 2)}), hunt.StreamWithoutEnd},
			"after the end":  {give(hunt.End{}, &hunt.Batch{Record: events(0, 2)}), hunt.SourceFailed},
			"an empty frame": {give(nil), hunt.SourceFailed},
		} {
			s := newSource(t, acme(), 3)
			s.search = func(context.Context, int, *hunt.Translation, frames) frames { return c.frames }
			if a := ask(t, described(t, s, wrap.Options{})); a.err == nil || a.err.Code != c.code || a.end != nil {
				t.Errorf("%s: error %v, end %v", name, a.err, a.end)
			}
		}
	})
}

func TestRowsThatWereGivenAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 100)
		s.search = func(ctx context.Context, n int, tr *hunt.Translation, plain frames) frames {
			if n == 1 {
				return give(&hunt.Batch{Record: events(0, 40)}, hunt.Progress{RowsScanned: 70}, failure(hunt.SourceFailed))
			}
			whole := *tr
			whole.Request.After = nil // more than was asked
			return in(15, s.Memory.Search(ctx, &whole))
		}
		a := ask(t, described(t, s, wrap.Options{}))
		wantAll(t, a, 100)
		if a.end.RowsScanned != 170 {
			t.Errorf("%d rows were scanned, want those of both tries: 170", a.end.RowsScanned)
		}
	})
}

func TestKeysOfDifferentSearchesDiffer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		values := make([]hunt.Value, 30)
		for i := range values {
			values[i] = hunt.Int(int64(i))
		}
		in := func(list []hunt.Value) hunt.Expr {
			p, err := hunt.NewPredicate(class().Column("dst_endpoint.port"), hunt.In, false, list...)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		a, b := in(values), in(append(slices.Clone(values[:29]), hunt.Int(99)))
		if a.String() != b.String() {
			t.Fatal("the texts must be the same for this test to say anything")
		}
		s := newSource(t, acme(), 3)
		hold := make(chan struct{})
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			<-hold
			return plain
		}
		c := described(t, s, wrap.Options{})
		requests := []hunt.Request{everything()}
		for _, change := range []func(*hunt.Request){
			func(r *hunt.Request) { r.Where = a }, func(r *hunt.Request) { r.Where = b },
			func(r *hunt.Request) { r.Where = hunt.Not{Expr: a} }, func(r *hunt.Request) { r.Where = hunt.Or{a} },
			func(r *hunt.Request) { r.Where = hunt.And{a} }, func(r *hunt.Request) { r.Where = hunt.Or{} },
			func(r *hunt.Request) { r.Limit = 1 }, func(r *hunt.Request) { r.Order = hunt.TimeDesc }, func(r *hunt.Request) { r.Snapshot = "1" },
			func(r *hunt.Request) { r.Range = hunttest.Window() }, func(r *hunt.Request) { r.After = &hunt.Key{} }, func(r *hunt.Request) { r.After = &hunt.Key{Tenant: "a"} },
			func(r *hunt.Request) { r.Columns = []string{"metadata.log_name"} },
		} {
			r := everything()
			change(&r)
			requests = append(requests, r)
		}
		for _, r := range append(requests, requests...) {
			tr := translated(t, c, r)
			go read(t.Context(), c, tr, nil)
		}
		other := translated(t, c, everything())
		other.Native = "something else"
		go read(t.Context(), c, other, nil)
		synctest.Wait()
		if n, _, _ := s.counts(); n != len(requests)+1 {
			t.Errorf("%d searches at the source, want one for each of %d requests", n, len(requests)+1)
		}
		close(hold)
		synctest.Wait()
	})
}

// TestASearchThatGetsOnMayBreakOften counts only tries in a row that bring nothing, and the breaker does not count the others.
func TestASearchThatGetsOnMayBreakOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 200)
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				for f, err := range in(10, plain) {
					_, last := f.(hunt.End)
					if !yield(f, err) || last {
						return
					}
					yield(nil, failure(hunt.SourceFailed))
					return
				}
			}
		}
		c := described(t, s, wrap.Options{Retry: wrap.Retry{Tries: 2}, Breaker: wrap.Breaker{Failures: 2}})
		wantAll(t, ask(t, c), 200)
		if s.searches != 21 {
			t.Errorf("%d searches", s.searches)
		}
	})
}
