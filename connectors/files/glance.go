package files

import (
	"context"
	"sync"
	"time"
)

// look is one look at the folder under way. It belongs to the connection and not to the call that began it: what it has read is kept,
// however long it takes and whoever waits for it.
type look struct {
	began time.Time
	over  chan struct{}      // closed at the end
	hurry chan chan struct{} // asks it to publish what it has read so far, and is told when it has
	err   error              // set before over is closed
}

// join returns the look that is under way; if there is none it begins one. The caller keeps the connection from closing.
func (f *Files) join() *look {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.current == nil {
		l := &look{began: time.Now(), over: make(chan struct{}), hurry: make(chan chan struct{})}
		f.current = l
		f.running.Go(func() {
			l.err = f.run(l)
			f.mu.Lock()
			f.current = nil
			f.mu.Unlock()
			close(l.over)
		})
	}
	return f.current
}

// fresh says whether the folder was looked at within the debounce, and nobody looks now.
func (f *Files) fresh() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.current == nil && time.Since(f.state.Load().looked) < f.debounce
}

// look brings the state up to date with the folder. If reading what is new takes longer than the caller has time, the state says which
// files are still being read.
func (f *Files) look(ctx context.Context) error {
	if f.fresh() {
		return nil
	}
	since := time.Now().Add(-f.debounce)
	enough := time.NewTimer(f.waitFor(ctx))
	defer enough.Stop()
	for {
		l := f.join()
		select {
		case <-l.over:
			if l.err != nil || !l.began.Before(since) {
				return l.err
			}
		case <-enough.C:
			return f.hurry(ctx, l)
		case <-ctx.Done():
			return f.cancelled(ctx)
		}
	}
}

// waitFor is how long a call waits for files to be read: it leaves time to answer.
func (f *Files) waitFor(ctx context.Context) time.Duration {
	if end, ok := ctx.Deadline(); ok {
		return min(f.patience, time.Until(end)*2/3)
	}
	return f.patience
}

// hurry has a look publish what it has read so far.
func (f *Files) hurry(ctx context.Context, l *look) error {
	told := make(chan struct{})
	select {
	case l.hurry <- told:
		<-told
		return nil
	case <-l.over:
		return l.err
	case <-ctx.Done():
		return f.cancelled(ctx)
	}
}

// run looks at the folder, reads what is not as it was and publishes it.
func (f *Files) run(l *look) error {
	found, err := f.walk(f.closing)
	if err != nil {
		return err
	}
	done, jobs := f.changes(f.state.Load(), found)
	left := map[string]bool{}
	for _, j := range jobs {
		left[j.name] = true
	}
	for results := f.read(jobs); ; {
		select {
		case c, more := <-results:
			if !more {
				return f.finish(l, done)
			}
			delete(left, c.name)
			done = append(done, c)
		case told := <-l.hurry:
			f.publish(done, left, l.began)
			done = nil
			close(told)
		}
	}
}

// finish publishes the end of a look, unless it was stopped.
func (f *Files) finish(l *look, done []change) error {
	if f.closing.Err() != nil {
		return f.cancelled(f.closing)
	}
	f.publish(done, nil, l.began)
	return nil
}

// read reads files, several at once. The channel is closed when all are read or the connection closes, and must be read to its end.
func (f *Files) read(jobs []job) <-chan change {
	out := make(chan change)
	next := make(chan job, len(jobs))
	for _, j := range jobs {
		next <- j
	}
	close(next)
	var wg sync.WaitGroup
	for range min(f.workers, len(jobs)) {
		wg.Go(func() {
			for j := range next {
				now, err := f.update(f.closing, j)
				if err != nil {
					return // the connection closes
				}
				out <- change{j.name, j.was, now}
			}
		})
	}
	go func() { wg.Wait(); close(out) }()
	return out
}
