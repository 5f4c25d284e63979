package lake

import (
	"math"

	"github.com/harrier-xdr/harrier/hunt"
)

// A search runs as a series of queries over windows of time, one after the other in the request's order. So the first rows come soon,
// memory is bounded by a window and not by the answer, and a reader that has enough leaves the rest unread.

// windows cuts the range of a search.
type windows struct {
	files  []parquetDoc // all have times
	bounds hunt.TimeRange
	order  hunt.Order
	target int64 // rows to read in the next window
}

// Bounds of target, in rows.
const (
	minTarget = 16 * 1024
	maxTarget = 16 << 20
)

// Bytes of an answer of one window: above the first the next window is smaller, below the second it is larger.
const (
	manyBytes = 64 << 20
	fewBytes  = 8 << 20
)

// adapt chooses the next target from the size of a window's answer.
func (w *windows) adapt(bytes int64) {
	switch {
	case bytes > manyBytes:
		w.target = max(w.target/2, minTarget)
	case bytes < fewBytes:
		w.target = min(w.target*4, maxTarget)
	}
}

// next returns the next window and takes it off the range; false if nothing is left.
func (w *windows) next() (hunt.TimeRange, bool) {
	held := w.held()
	if held.Start >= held.End {
		return held, false
	}
	out := held
	if w.order == hunt.TimeDesc {
		out.Start = w.cut(held, func(at int64) float64 { return w.rows(hunt.TimeRange{Start: at, End: held.End}) })
		w.bounds.End = out.Start
	} else {
		out.End = w.cut(held, func(at int64) float64 { return w.rows(hunt.TimeRange{Start: held.Start, End: at}) })
		w.bounds.Start = out.End
	}
	return out, true
}

// held is the part of the bounds from the first to the last event that may lie in them.
func (w *windows) held() hunt.TimeRange {
	out := hunt.TimeRange{Start: math.MaxInt64, End: math.MinInt64}
	for _, f := range w.files {
		r := overlap(f, w.bounds)
		if r.Start < r.End {
			out.Start, out.End = min(out.Start, r.Start), max(out.End, r.End)
		}
	}
	return out
}

// cut returns the instant at which a window that starts at the near end of held has about target rows; the far end if it has fewer.
func (w *windows) cut(held hunt.TimeRange, rows func(at int64) float64) int64 {
	near, far := held.Start, held.End
	if w.order == hunt.TimeDesc {
		near, far = far, near
	}
	if rows(far) <= float64(w.target) {
		return far
	}
	for {
		mid := near + int64((uint64(far-near))/2)
		if w.order == hunt.TimeDesc {
			mid = near - int64((uint64(near-far))/2)
		}
		if mid == near {
			return far
		}
		if rows(mid) < float64(w.target) {
			near = mid
		} else {
			far = mid
		}
	}
}

// rows estimates the rows in a range, as if each file's were spread evenly.
func (w *windows) rows(r hunt.TimeRange) float64 {
	sum := 0.0
	for _, f := range w.files {
		if part := overlap(f, r); part.Start < part.End {
			whole := fileRange(f)
			sum += float64(f.Rows) * float64(uint64(part.End-part.Start)) / float64(uint64(whole.End-whole.Start))
		}
	}
	return sum
}

// in lists the files that may hold events of a range.
func (w *windows) in(r hunt.TimeRange) []parquetDoc {
	var out []parquetDoc
	for _, f := range w.files {
		if fileRange(f).Overlaps(r) {
			out = append(out, f)
		}
	}
	return out
}

func fileRange(f parquetDoc) hunt.TimeRange {
	return hunt.TimeRange{Start: *f.MinTime, End: after(*f.MaxTime)}
}

func overlap(f parquetDoc, r hunt.TimeRange) hunt.TimeRange {
	own := fileRange(f)
	return hunt.TimeRange{Start: max(own.Start, r.Start), End: min(own.End, r.End)}
}

// after is the next microsecond.
func after(us int64) int64 {
	if us == math.MaxInt64 {
		return us
	}
	return us + 1
}
