package wrap

import (
	"math/rand/v2"
	"time"
)

// after returns how long to wait after the nth failure in a row, which counts from 1.
func (b Backoff) after(n int) time.Duration {
	d := b.Max
	if n < 32 && b.First<<(n-1) > 0 {
		d = min(b.Max, b.First<<(n-1))
	}
	return d - rand.N(d/2+1)
}
