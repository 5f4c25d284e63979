package wrap_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// gated is a search that waits for the test before its first frame, and then gives batches of n rows.
func gated(gate chan struct{}, n int) func(context.Context, int, *hunt.Translation, frames) frames {
	return func(ctx context.Context, _ int, _ *hunt.Translation, plain frames) frames {
		select {
		case <-gate:
		case <-ctx.Done():
			return fails(ctx.Err())
		}
		return in(n, plain)
	}
}

func TestTheSameIsAskedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, gate := newSource(t, acme(), 100), make(chan struct{})
		s.search = gated(gate, 10)
		c := described(t, s, wrap.Options{})
		var hunts sync.WaitGroup
		for range 20 {
			hunts.Go(func() { wantAll(t, ask(t, c), 100) })
		}
		synctest.Wait()
		close(gate)
		hunts.Wait()
		if h := c.Health(); s.searches != 1 || h.Searches != 20 || h.Shared != 19 || h.Rows != 100 {
			t.Errorf("%d searches at the source; health is %+v", s.searches, h)
		}
		wantAll(t, ask(t, c), 100)
		if s.searches != 2 {
			t.Error("an answer that is over was given again")
		}
	})
}

// TestReadersComeAndGo joins late and leaves early; who stays gets everything.
func TestReadersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, gate := newSource(t, acme(), 100), make(chan struct{})
		s.search = gated(gate, 10)
		c := described(t, s, wrap.Options{})
		tr := translated(t, c, everything())
		var hunts sync.WaitGroup
		hunts.Go(func() { // the first leaves after 3 batches
			a := read(t.Context(), c, tr, func(a *answer) bool { return a.frames == 3 })
			if !slices.Equal(a.rows, upTo(30)) {
				t.Errorf("%d rows", len(a.rows))
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		hunts.Go(func() { // the second is cancelled before the first row
			wantError(t, read(ctx, c, tr, nil).err, hunt.Cancelled)
		})
		paused := make(chan struct{})
		hunts.Go(func() { // the third stays
			wantAll(t, read(t.Context(), c, tr, func(a *answer) bool {
				if a.frames == 4 {
					<-paused
				}
				return false
			}), 100)
		})
		synctest.Wait()
		cancel()
		synctest.Wait()
		close(gate)
		synctest.Wait()
		hunts.Go(func() { wantAll(t, read(t.Context(), c, tr, nil), 100) }) // the fourth comes when frames were given already
		synctest.Wait()
		close(paused)
		hunts.Wait()
		if s.searches != 1 {
			t.Errorf("%d searches at the source", s.searches)
		}
	})
}

// TestWhenAllHaveLeftTheSearchIsCancelled, within a second, while the source works and while it waits.
func TestWhenAllHaveLeftTheSearchIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, gate := newSource(t, acme(), 100), make(chan struct{})
		s.search = gated(gate, 10)
		c := described(t, s, wrap.Options{})
		tr := translated(t, c, everything())
		ctx, cancel := context.WithCancel(t.Context())
		var hunts sync.WaitGroup
		for range 3 {
			hunts.Go(func() { wantError(t, read(ctx, c, tr, nil).err, hunt.Cancelled) })
		}
		synctest.Wait()
		began := time.Now()
		cancel()
		hunts.Wait()
		if _, live, _ := s.counts(); live != 0 || time.Since(began) > time.Second || c.Health().InFlight != 0 {
			t.Errorf("%d searches run after %v", live, time.Since(began))
		}
		close(gate)
		wantAll(t, ask(t, c), 100)
	})
}

// TestASlowReaderIsCutLoose stops reading beside one that goes on: that one is not held up, and both get every row once, also where
// gaps are told.
func TestASlowReaderIsCutLoose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, gate := newSource(t, acme(), 5000), make(chan struct{})
		s.search = func(_ context.Context, _ int, tr *hunt.Translation, plain frames) frames {
			<-gate
			return func(yield func(hunt.Frame, error) bool) {
				for f, err := range withGaps(tr, in(100, plain)) {
					time.Sleep(time.Millisecond) // until all who read have read
					if !yield(f, err) {
						return
					}
				}
			}
		}
		memory := wrap.NewMemory(1<<20, 8<<10)
		c := described(t, s, wrap.Options{Memory: memory})
		tr := translated(t, c, everything())
		var hunts sync.WaitGroup
		resume := make(chan struct{})
		for range 2 {
			hunts.Go(func() {
				a := read(t.Context(), c, tr, func(a *answer) bool {
					if len(a.rows) == 200 {
						<-resume
					}
					return false
				})
				wantAll(t, a, 5000)
				if len(a.gaps) != 5 {
					t.Errorf("told of %d gaps, want each once", len(a.gaps))
				}
			})
		}
		hunts.Go(func() {
			wantAll(t, read(t.Context(), c, tr, nil), 5000)
		})
		synctest.Wait()
		close(gate)
		time.Sleep(time.Second)
		if memory.Used() > 8<<10+6<<10 {
			t.Errorf("%d bytes are kept for readers that do not read", memory.Used())
		}
		close(resume)
		hunts.Wait()
		if s.searches != 3 || memory.Used() != 0 {
			t.Errorf("%d searches, %d bytes are left", s.searches, memory.Used())
		}
		for _, r := range s.requests[1:] {
			if r.After == nil || r.After.Time != 199 {
				t.Errorf("who was cut loose asked after %v, and had 200 rows", r.After)
			}
		}
	})
}

// TestSharedSearchesProperty runs readers with random speeds, patience and beginnings over a source that breaks: everybody who stays gets
// every row once and in order, and nothing is left.
func TestSharedSearchesProperty(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(40) {
			rng := rand.New(rand.NewPCG(seed, 3))
			var mu sync.Mutex
			roll := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return rng.IntN(n)
			}
			s := newSource(t, acme(), 1000)
			s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
				at := roll(30)
				return func(yield func(hunt.Frame, error) bool) {
					for f, err := range in(1+roll(80), plain) {
						time.Sleep(time.Duration(roll(100)) * time.Millisecond)
						if at--; at == 0 {
							yield(nil, failure(hunt.SourceFailed))
							return
						}
						if !yield(f, err) {
							return
						}
					}
				}
			}
			memory := wrap.NewMemory(1<<20, 6<<10)
			c := described(t, s, wrap.Options{Memory: memory, Retry: wrap.Retry{Tries: 50}, Breaker: wrap.Breaker{Failures: 1000}})
			tr := translated(t, c, everything())
			var hunts sync.WaitGroup
			for range 8 {
				begin, pause, stop := time.Duration(roll(3000))*time.Millisecond, roll(400), roll(3)*roll(40)
				hunts.Go(func() {
					time.Sleep(begin)
					a := read(t.Context(), c, tr, func(a *answer) bool {
						time.Sleep(time.Duration(roll(pause+1)) * time.Millisecond)
						return stop > 0 && a.frames == stop
					})
					if a.err != nil || !slices.Equal(a.rows, upTo(len(a.rows))) || stop == 0 && len(a.rows) != 1000 {
						t.Errorf("seed %d: %d rows, error %v", seed, len(a.rows), a.err)
					}
				})
			}
			hunts.Wait()
			if h := c.Health(); h.InFlight != 0 || memory.Used() != 0 {
				t.Errorf("seed %d: %d searches, %d bytes are left", seed, h.InFlight, memory.Used())
			}
		}
	})
}
