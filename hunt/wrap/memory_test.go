package wrap_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestMemoryIsBoundedAndNobodyStarves merges many searches of many hunts under a bound that has room for hardly any: the merges need
// the next batch of each search at the same time. All must end, with all rows, and the bytes in flight must stay below the bound
// and one batch for each search.
func TestMemoryIsBoundedAndNobodyStarves(t *testing.T) {
	const rows, sources, mergers, most = 1500, 5, 4, 300*21 + 300
	const total = 10 << 10
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(10) {
			rng := rand.New(rand.NewPCG(seed, 5))
			var mu sync.Mutex
			roll := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				return rng.IntN(n)
			}
			memory, highest := wrap.NewMemory(total, 4<<10), atomic.Int64{}
			var connections []*wrap.Connection
			for i := range sources {
				s := newSource(t, hunt.ConnectionRef{Tenant: "acme", Connection: string(rune('a' + i))}, rows)
				s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
					return func(yield func(hunt.Frame, error) bool) {
						for f, err := range in(1+roll(300), plain) {
							time.Sleep(time.Duration(roll(20)) * time.Millisecond)
							highest.Store(max(highest.Load(), memory.Used()))
							if !yield(f, err) {
								return
							}
						}
					}
				}
				connections = append(connections, described(t, s, wrap.Options{Memory: memory}))
			}
			var hunts sync.WaitGroup
			for m := range mergers {
				hunts.Go(func() {
					if got := merged(t, connections, m, roll); got != rows*sources {
						t.Errorf("seed %d: merged %d rows, want %d", seed, got, rows*sources)
					}
				})
			}
			hunts.Wait()
			if h := highest.Load(); h > total+sources*mergers*most || h == 0 {
				t.Errorf("seed %d: %d bytes in flight, the bound is %d and one batch for each search", seed, h, total)
			}
			if memory.Used() != 0 {
				t.Errorf("seed %d: %d bytes are left", seed, memory.Used())
			}
		}
	})
}

// merged merges one search of each connection and counts rows; only the merge itself waits for batches.
func merged(t *testing.T, connections []*wrap.Connection, m int, roll func(int) int) int {
	var inputs []vector.Input
	for _, c := range connections {
		batches := make(chan arrow.RecordBatch)
		tr := distinct(t, c, m%2) // half of the hunts ask the same
		go func() {
			defer close(batches)
			for f, err := range c.Search(t.Context(), tr) {
				if err != nil {
					t.Error(err)
				}
				if b, ok := f.(*hunt.Batch); ok {
					batches <- b.Record
				}
			}
		}()
		inputs = append(inputs, vector.Input{Ref: acme(), Next: func() arrow.RecordBatch { return <-batches }})
	}
	for i := range inputs {
		inputs[i].Ref.Connection = string(rune('a' + i))
	}
	rows := 0
	for run := range vector.Merge(inputs, hunt.TimeAsc, func(int) {}) {
		rows += run.To - run.From
		time.Sleep(time.Duration(roll(10)) * time.Microsecond)
	}
	return rows
}

// TestBigBatchesAreSliced: what readers get is small, whatever the source gives.
func TestBigBatchesAreSliced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 8000)
		c := described(t, s, wrap.Options{Memory: wrap.NewMemory(1<<20, 16<<10)})
		most := int64(0)
		for f, err := range c.Search(t.Context(), translated(t, c, everything())) {
			if err != nil {
				t.Fatal(err)
			}
			if b, ok := f.(*hunt.Batch); ok {
				most = max(most, b.Record.NumRows())
			}
		}
		if most > 4<<10/20 || most < 100 {
			t.Errorf("a batch of %d rows; 4 KiB are about 200", most)
		}
		wantAll(t, ask(t, c), 8000)
	})
}

// TestAheadOfTheReader: a source is asked for at most one batch more than the reader has in hand, and for none without memory.
func TestAheadOfTheReader(t *testing.T) {
	for name, c := range map[string]struct {
		memory *wrap.Memory
		ahead  int
	}{"room": {wrap.NewMemory(0, 0), 2}, "none": {wrap.NewMemory(100, 100), 1}} {
		synctest.Test(t, func(t *testing.T) {
			s, given := newSource(t, acme(), 100), 0
			s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
				return func(yield func(hunt.Frame, error) bool) {
					in(10, plain)(func(f hunt.Frame, err error) bool { given++; return yield(f, err) })
				}
			}
			conn := described(t, s, wrap.Options{Memory: c.memory})
			a := read(t.Context(), conn, translated(t, conn, everything()), func(a *answer) bool {
				if synctest.Wait(); len(a.rows) == 10 && given != c.ahead {
					t.Errorf("%s: %d frames were taken while the first was read, want %d", name, given, c.ahead)
				}
				return false
			})
			wantAll(t, a, 100)
		})
	}
}
