package demo

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// instant is a time in microseconds since 1970, UTC: the finest unit that any
// of the four formats writes.
type instant int64

func instantOf(t time.Time) instant { return instant(t.UnixMicro()) }

func (i instant) time() time.Time { return time.UnixMicro(int64(i)).UTC() }

func (i instant) plus(d time.Duration) instant { return i + instant(d.Microseconds()) }

func (i instant) format(layout string) string { return i.time().Format(layout) }

// Layouts of the four sources.
const (
	layoutSysmon  = "2006-01-02 15:04:05.000"
	layoutWindows = "2006-01-02T15:04:05.000Z"
	layoutSeconds = "2006-01-02T15:04:05Z"
	layoutEntra   = "2006-01-02T15:04:05.000000Z"
	layoutZeek    = "2006-01-02-15-04-05"
	layoutDay     = "20060102"
)

// appendEpoch writes Zeek's time type: seconds with six decimals.
func (i instant) appendEpoch(b []byte) []byte { return appendSeconds(b, int64(i)) }

func appendSeconds(b []byte, micros int64) []byte {
	b = strconv.AppendInt(b, micros/1e6, 10)
	b = append(b, '.')
	frac := strconv.FormatInt(1e6+micros%1e6, 10)
	return append(b, frac[1:]...)
}

// slot is the grain in which noise is scheduled. What is in flight at any
// moment, and so the memory, is bounded by a slot's worth of records.
const slot = time.Minute

// quiet is the end of the window in which no noise begins, so that no episode
// is cut by the end: related records of an episode lie within it.
const quiet = 2 * time.Minute

// schedule returns, for every slot from start, the share of the volume (0 to 1,
// rising to exactly 1) that has happened by the slot's end.
func schedule(r *rand.Rand, start, end instant) []float64 {
	n := max(1, int(end.plus(-quiet)-start)/int(slot.Microseconds()))
	shares := make([]float64, n)
	sum := 0.0
	for i := range shares {
		at := start.plus(time.Duration(i) * slot).time()
		sum += activity(at) * (0.6 + 0.8*r.Float64())
		shares[i] = sum
	}
	for i := range shares {
		shares[i] /= sum
	}
	shares[n-1] = 1
	return shares
}

// activity is the relative load of the company at a time of day; its people
// work in UTC.
func activity(t time.Time) float64 {
	if day := t.Weekday(); day == time.Saturday || day == time.Sunday {
		return 0.08
	}
	switch h := t.Hour(); {
	case h == 12:
		return 0.7
	case h >= 9 && h < 17:
		return 1
	case h == 8 || h == 17:
		return 0.6
	case h == 7 || h >= 18 && h < 21:
		return 0.2
	default:
		return 0.07
	}
}
