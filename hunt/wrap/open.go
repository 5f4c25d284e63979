package wrap

import (
	"context"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

const (
	// openTimeout is how long an opener may take before its context ends.
	openTimeout = 5 * time.Minute
	// reopenWait is how long a caller waits for a connection that failed to open before and is tried again: long enough for a source
	// that is back, and too short to hold up every hunt for one that is not.
	reopenWait = time.Second
)

// opening opens a connection at its first use, and again after that failed, so that a source which was down at the start comes back by
// itself. The opener runs in a goroutine of its own, for all who ask.
type opening struct {
	opener  Opener
	backoff Backoff
	tasks   *tasks
	report  func(err *hunt.Error, took time.Duration)

	mu       sync.Mutex
	inner    hunt.Connector // nil until it is open
	err      *hunt.Error    // of the last try
	failures int
	retryAt  time.Time
	trying   chan struct{}      // closed when the try that is under way ends; nil if none is
	cancel   context.CancelFunc // of the last try; a connection that is open may still use its context
	closed   bool
}

// connector returns the open connection. The error is that of the last try, with when it is tried next; BAD_CONFIG stays.
func (o *opening) connector(ctx context.Context) (hunt.Connector, *hunt.Error) {
	trying, inner, err := o.begin()
	if trying == nil {
		return inner, err
	}
	patience := reopenWait
	if err == nil {
		patience, err = openTimeout, o.unopened("the connection is still being opened")
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-trying:
		return o.now()
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil, err
}

func (o *opening) unopened(message string) *hunt.Error {
	return &hunt.Error{Op: "open", Code: hunt.SourceUnavailable, Message: message, Retryable: true, RetryAfter: o.backoff.First}
}

// begin returns the connection or why there is none, and a try that is under way if that may change soon.
func (o *opening) begin() (trying chan struct{}, c hunt.Connector, err *hunt.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inner == nil && o.trying == nil && o.due() {
		done := make(chan struct{})
		if _, err := o.tasks.start(func() { o.try(done) }); err != nil {
			return nil, nil, err
		}
		o.trying = done
	}
	return o.trying, o.inner, o.failure()
}

// due says whether to try now.
func (o *opening) due() bool {
	return o.err == nil || o.err.Code != hunt.BadConfig && !time.Now().Before(o.retryAt)
}

// now returns the connection or why there is none, without waiting.
func (o *opening) now() (hunt.Connector, *hunt.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inner == nil && o.err == nil {
		return nil, o.unopened("the connection is not open yet")
	}
	return o.inner, o.failure()
}

// nextTry returns when the connection is tried again; the zero time if it is open, was not tried or cannot be opened at all.
func (o *opening) nextTry() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inner != nil || o.err == nil || o.err.Code == hunt.BadConfig {
		return time.Time{}
	}
	return o.retryAt
}

// failure returns the error of the last try with the time that is left until the next one; nil if there is none.
func (o *opening) failure() *hunt.Error {
	if o.inner != nil || o.err == nil {
		return nil
	}
	e := *o.err
	if e.Retryable = e.Code != hunt.BadConfig; e.Retryable {
		e.RetryAfter = max(0, time.Until(o.retryAt))
	} else {
		e.RetryAfter = 0
	}
	return &e
}

// try calls the opener once.
func (o *opening) try(done chan struct{}) {
	defer close(done)
	ctx, cancel := context.WithCancel(context.Background())
	if !o.begun(cancel) {
		cancel()
		return
	}
	began, timer := time.Now(), time.AfterFunc(openTimeout, cancel)
	inner, err := o.call(ctx)
	timer.Stop()
	if err != nil {
		cancel()
	}
	o.report(err, time.Since(began))
	if !o.ended(inner, err) && inner != nil {
		_ = inner.Close() // it came too late, and nobody waits for it
	}
}

// begun notes how to end the try and says whether it is still wanted.
func (o *opening) begun(cancel context.CancelFunc) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancel = cancel
	return !o.closed
}

// ended takes what came of the try and says whether it is still wanted.
func (o *opening) ended(inner hunt.Connector, err *hunt.Error) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trying = nil
	if o.closed {
		return false
	}
	if o.inner, o.err = inner, err; err == nil {
		o.failures = 0
		return true
	}
	o.failures++
	o.retryAt = time.Now().Add(max(o.backoff.after(o.failures), err.RetryAfter))
	return true
}

// close ends a try that is under way and returns the open connection, nil if there is none. release ends the context in which it was
// opened; it is for after the connection's own Close.
func (o *opening) close() (inner hunt.Connector, release func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.cancel == nil {
		return nil, func() {}
	}
	if o.inner == nil {
		o.cancel()
	}
	return o.inner, o.cancel
}

func (o *opening) call(ctx context.Context) (inner hunt.Connector, failure *hunt.Error) {
	defer func() {
		if r := recover(); r != nil {
			inner, failure = nil, defect("open", r)
		}
	}()
	inner, err := o.opener(ctx)
	switch {
	case err != nil:
		return nil, hunt.AsError(err, hunt.SourceUnavailable)
	case inner == nil:
		return nil, &hunt.Error{Op: "open", Code: hunt.Internal, Message: "the opener gave no connection"}
	}
	return inner, nil
}
