package exec

import (
	"context"
	"time"
)

// watch is the deadline of one stream. It counts the time that the connector takes, not the time that its rows wait for the reader:
// a slow reader, or another source that is awaited, is not the source's fault.
type watch struct {
	timer *time.Timer // nil without a deadline
	left  time.Duration
	since time.Time
}

// newWatch starts a deadline that cancels with context.DeadlineExceeded; 0 is none.
func newWatch(d time.Duration, cancel context.CancelCauseFunc) *watch {
	w := &watch{left: d, since: time.Now()}
	if d > 0 {
		w.timer = time.AfterFunc(d, func() { cancel(context.DeadlineExceeded) })
	}
	return w
}

// pause stops the clock. A deadline that has come already stays so.
func (w *watch) pause() {
	if w.timer != nil && w.timer.Stop() {
		w.left -= time.Since(w.since)
	}
}

// resume starts the clock again.
func (w *watch) resume() {
	if w.timer != nil {
		w.since = time.Now()
		w.timer.Reset(max(w.left, 0))
	}
}

func (w *watch) stop() {
	if w.timer != nil {
		w.timer.Stop()
	}
}
