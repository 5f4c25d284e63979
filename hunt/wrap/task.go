package wrap

import (
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// tasks counts the goroutines of a connection, and those among them that call a connector which does not listen.
type tasks struct {
	mu        sync.Mutex
	closed    bool
	running   sync.WaitGroup
	abandoned atomic.Int64
	log       func(event string, fields ...any)
}

// task is one call of a connector, or one search, in a goroutine of its own.
type task struct {
	done  chan struct{}
	state atomic.Int32
}

// The states of a task.
const (
	taskRuns int32 = iota
	taskEnded
	taskAbandoned
)

// start runs f in a goroutine, if the connection is open.
func (g *tasks) start(f func()) (*task, *hunt.Error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, errClosed()
	}
	return g.spawn(f), nil
}

// spawn runs f in a goroutine. The caller is a task itself, or closes the connection.
func (g *tasks) spawn(f func()) *task {
	t := &task{done: make(chan struct{})}
	g.running.Go(func() {
		defer close(t.done)
		defer func() {
			if !t.state.CompareAndSwap(taskRuns, taskEnded) {
				g.abandoned.Add(-1)
				g.log("a call that did not stop has ended")
			}
		}()
		f()
	})
	return t
}

// abandon leaves a task that does not listen to its own devices; it is counted until it ends.
func (g *tasks) abandon(t *task) {
	g.abandoned.Add(1)
	if t.state.CompareAndSwap(taskRuns, taskAbandoned) {
		g.log("a call did not stop and is left behind")
	} else {
		g.abandoned.Add(-1)
	}
}

// close lets no task begin any more and says whether this is the first time.
func (g *tasks) close() (first bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	first = !g.closed
	g.closed = true
	return first
}

// wait waits for all tasks, at most so long.
func (g *tasks) wait(d time.Duration) bool {
	done := make(chan struct{})
	go func() {
		g.running.Wait()
		close(done)
	}()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// defect is the error of a connector that panicked, to be called with what recover returned.
func defect(op string, fault any) *hunt.Error {
	stack := fmt.Errorf("panic: %v\n%s", fault, debug.Stack())
	return &hunt.Error{Op: op, Code: hunt.Internal, Message: "the connector failed with a defect", Cause: stack}
}

func errClosed() *hunt.Error {
	return hunt.Errorf(hunt.SourceUnavailable, "the connection is closed")
}
