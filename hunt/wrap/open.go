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
// itself. It opens it anew when the source refuses the credential: another one may stand where the settings point to. The opener runs in
// a goroutine of its own, for all who ask.
type opening struct {
	opener  Opener
	backoff Backoff
	tasks   *tasks
	report  func(err *hunt.Error, took time.Duration)

	mu       sync.Mutex
	inner    *live       // nil until it is open
	err      *hunt.Error // of the last try
	failures int         // tries since it was open
	renewals int         // one soon after the other
	retryAt  time.Time
	trying   chan struct{}      // closed when the try that is under way ends; nil if none is
	cancel   context.CancelFunc // of the try that is under way, once it has begun
	closed   bool
	over     chan struct{} // closed with it
}

// live is an open connection.
type live struct {
	hunt.Connector
	release context.CancelFunc // ends the context in which it was opened, and which it may still use
	calls   sync.WaitGroup     // under way; none begins once another connection is in its place
}

// leave ends a call that connector or now has begun.
func (l *live) leave() { l.calls.Done() }

// discard closes a connection in whose place another one is when its calls are over, or the opening is.
func (l *live) discard(over <-chan struct{}) {
	defer l.release()
	defer func() { _ = recover() }() // nobody waits for it
	idle := make(chan struct{})
	go func() {
		l.calls.Wait()
		close(idle)
	}()
	select {
	case <-idle:
	case <-over:
	}
	_ = l.Close()
}

// connector returns the open connection for a call, which the caller ends by leave. The error is that of the last try, with when it is
// tried next; BAD_CONFIG stays.
func (o *opening) connector(ctx context.Context) (*live, *hunt.Error) {
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
func (o *opening) begin() (trying chan struct{}, l *live, err *hunt.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.inner != nil {
		o.inner.calls.Add(1)
		return nil, o.inner, nil // also while another is opened
	}
	if o.trying == nil && o.due() {
		if err := o.startLocked(); err != nil {
			return nil, nil, err
		}
	}
	return o.trying, nil, o.failure()
}

func (o *opening) startLocked() *hunt.Error {
	done := make(chan struct{})
	if _, err := o.tasks.start(func() { o.try(done) }); err != nil {
		return err
	}
	o.trying, o.cancel = done, nil
	return nil
}

// renew opens the connection anew because the source refuses the credential of refused. That one stays until another is open, and for good
// if none can be opened.
func (o *opening) renew(refused *live) {
	o.mu.Lock()
	defer o.mu.Unlock()
	since := time.Since(o.retryAt)
	if o.inner != refused || o.trying != nil || since < 0 {
		return
	}
	if since > o.backoff.Max {
		o.renewals = 0
	}
	_ = o.startLocked() // it fails only when the connection is being closed
}

// due says whether to try now.
func (o *opening) due() bool {
	return o.err == nil || o.err.Code != hunt.BadConfig && !time.Now().Before(o.retryAt)
}

// now returns the connection for a call or why there is none, without waiting.
func (o *opening) now() (*live, *hunt.Error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.inner != nil:
		o.inner.calls.Add(1)
		return o.inner, nil
	case o.err == nil:
		return nil, o.unopened("the connection is not open yet")
	}
	return nil, o.failure()
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
	opened, err := o.call(ctx)
	timer.Stop()
	var inner *live
	if err == nil {
		inner = &live{Connector: opened, release: cancel}
	} else {
		cancel()
	}
	o.report(err, time.Since(began))
	if useless := o.ended(inner, err); useless != nil {
		useless.discard(o.over)
	}
}

// begun notes how to end the try and says whether it is still wanted.
func (o *opening) begun(cancel context.CancelFunc) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.cancel = cancel
	return !o.closed
}

// ended takes what came of a try, inner or err. It returns the connection that is of no use any more: the new one if it came too late, or
// the one in whose place it is.
func (o *opening) ended(inner *live, err *hunt.Error) (useless *live) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.trying = nil
	switch {
	case o.closed:
		return inner
	case err != nil:
		o.failures++
		o.retryAt = time.Now().Add(max(o.backoff.after(o.failures), err.RetryAfter))
		if o.inner == nil {
			o.err = err
		}
		return nil
	}
	useless, o.inner, o.err, o.failures = o.inner, inner, nil, 0
	if useless != nil {
		o.renewals++
		o.retryAt = time.Now().Add(o.backoff.after(o.renewals)) // if this one is refused as well
	}
	return useless
}

// close ends a try that is under way and returns the open connection, nil if there is none. Its context ends with its release, which is
// for after its own Close.
func (o *opening) close() *live {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	close(o.over)
	if o.trying != nil && o.cancel != nil {
		o.cancel()
	}
	return o.inner
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
