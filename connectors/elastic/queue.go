package elastic

import "context"

// queue holds windows in the request's order, from the goroutine that plans them to the one that hands their rows on. It bounds how much is
// read ahead: by a number of windows, and, if the consumer may soon have enough, by rows.
type queue struct {
	windows chan *window
	handed  chan struct{} // an element for each counted window whose rows were handed on

	// Of the planning goroutine.
	allowed int64 // rows that may be started now; 0 for any number
	started int64 // rows of all counted windows
	open    int   // counted windows that were not handed on yet; never more than ahead
}

// newQueue makes a queue for a consumer that may have enough after some rows; 0 if it wants all.
func newQueue(enough int) *queue {
	return &queue{windows: make(chan *window, ahead), handed: make(chan struct{}, ahead+1), allowed: int64(enough)}
}

// put queues a window.
func (q *queue) put(ctx context.Context, w *window) error {
	select {
	case q.windows <- w:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// admit waits until a window of some rows may be started: while fewer windows than most are started and not handed on, and fewer rows than
// may be enough. When all of those rows were handed on and it was not enough, twice as many may be started.
func (q *queue) admit(ctx context.Context, w *window, rows int64, most int) error {
	q.drain()
	for q.open >= most || q.allowed > 0 && q.open > 0 && q.started >= q.allowed {
		select {
		case <-q.handed:
			q.open--
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for q.allowed > 0 && q.started >= q.allowed {
		q.allowed *= 2
	}
	w.counted = true
	q.started += rows
	q.open++
	return nil
}

// drain takes note of what was handed on meanwhile.
func (q *queue) drain() {
	for {
		select {
		case <-q.handed:
			q.open--
		default:
			return
		}
	}
}

// full says whether these rows and those that are started may be enough.
func (q *queue) full(rows int64) bool {
	return q.allowed > 0 && q.started < q.allowed && q.started+rows >= q.allowed
}

// done notes that all rows of a window were handed on.
func (q *queue) done(ctx context.Context, w *window) {
	if !w.counted {
		return
	}
	select {
	case q.handed <- struct{}{}:
	case <-ctx.Done():
	}
}
