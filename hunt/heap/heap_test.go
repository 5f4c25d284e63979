package heap_test

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"

	"github.com/harrier-xdr/harrier/hunt/heap"
)

// collections counts how often the heap is collected while 100 MB of garbage are made.
func collections() uint32 {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 100 {
		garbage = make([]byte, 1<<20)
	}
	runtime.ReadMemStats(&after)
	return after.NumGC - before.NumGC
}

var garbage []byte // where the compiler cannot see that nobody reads it

func TestReserve(t *testing.T) {
	byDefault(t)
	without := collections()
	release := heap.Reserve(128 << 20)
	with := collections()
	release()
	if without < 10 || with > 0 {
		t.Errorf("%d collections without a reserve and %d with one; wanted at least 10, and none", without, with)
	}
	if again := collections(); again < 10 {
		t.Errorf("%d collections after the release, wanted at least 10", again)
	}
}

func TestReserveLeavesWhatIsSet(t *testing.T) {
	for name, set := range map[string]func(){
		"GOGC":       func() { debug.SetGCPercent(99) },
		"GOMEMLIMIT": func() { debug.SetMemoryLimit(8 << 30) },
	} {
		t.Run(name, func(t *testing.T) {
			byDefault(t)
			set()
			defer heap.Reserve(128 << 20)()
			if n := collections(); n < 10 {
				t.Errorf("%d collections, wanted at least 10", n)
			}
		})
	}
}

// TestWithin: a process without a bound has a reserve; a bounded one collects before it reaches the bound, and has one only if that is
// roomy.
func TestWithin(t *testing.T) {
	for name, c := range map[string]struct {
		bytes, limit int64
		reserves     bool
	}{
		"no bound": {0, math.MaxInt64, true},
		"little":   {100 << 20, 90 << 20, false},
		"much":     {1000 << 20, 900 << 20, true},
	} {
		t.Run(name, func(t *testing.T) {
			byDefault(t)
			before := collections()
			defer heap.Within(c.bytes)()
			after := collections()
			if limit := debug.SetMemoryLimit(-1); limit != c.limit {
				t.Errorf("the limit is %d, want %d", limit, c.limit)
			}
			if c.reserves != (after < before/2) {
				t.Errorf("%d collections, and %d before", after, before)
			}
		})
	}
}

// byDefault sets the collector as Go does, until the test ends.
func byDefault(t *testing.T) {
	percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(math.MaxInt64)
	t.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	})
}
