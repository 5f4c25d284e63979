package wrap

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// closeWait is how long Close waits for searches, and then for the connector's own Close.
const closeWait = 10 * time.Second

// Connection is a connector with everything that the host keeps around it. It is safe for concurrent use.
type Connection struct {
	options    Options
	opening    *opening
	tasks      *tasks
	describing *breaker
	searching  *breaker
	health     health
	life       context.Context
	end        context.CancelCauseFunc
	done       chan struct{} // closed when Close is over
	closeErr   error

	mu      sync.Mutex
	said    *hunt.Description // the last one; nil before
	passes  []*scope          // of said
	flights map[digest]*flight
}

var _ hunt.Connector = (*Connection)(nil)

// New keeps the connection that open opens. It is opened at its first use; what it costs until then is nothing.
func New(open Opener, o Options) *Connection {
	c := &Connection{options: o.withDefaults(), done: make(chan struct{}), flights: map[digest]*flight{}}
	ref := c.options.Ref.String()
	c.tasks = &tasks{log: func(event string, fields ...any) { c.options.Log(event, append(fields, "connection", ref)...) }}
	c.life, c.end = context.WithCancelCause(context.Background())
	c.opening = &opening{opener: open, backoff: c.options.Reopen, tasks: c.tasks, report: c.opened, over: make(chan struct{})}
	changed := func(of string) func(from, to string) {
		return func(from, to string) { c.tasks.log("the breaker of "+of+" changed", "from", from, "to", to) }
	}
	c.describing = newBreaker(c.options.Breaker, changed("describe"))
	c.searching = newBreaker(c.options.Breaker, changed("search"))
	c.passes = c.options.Limits.declare(c.options.Ref, nil, nil)
	return c
}

// opened reports the outcome of a try to open.
func (c *Connection) opened(err *hunt.Error, took time.Duration) {
	if err == nil {
		c.tasks.log("the connection is open", "took", took)
		return
	}
	c.health.described(err, took)
	c.tasks.log("the connection could not be opened", "code", string(err.Code), "error", err.Error())
}

// Describe implements hunt.Connector. It opens the connection if need be. The error is that of opening (BAD_CONFIG is final, others say
// with RetryAfter when it is tried again), SOURCE_SUSPENDED, SOURCE_TIMEOUT if the connector does not answer in time, or its own. If the
// source throttles and the wait that it asks for fits into the deadline, it is asked again.
func (c *Connection) Describe(ctx context.Context) (*hunt.Description, error) {
	inner, err := c.opening.connector(ctx)
	if err != nil {
		return nil, c.located(err)
	}
	defer inner.leave()
	permit, err := c.describing.acquire()
	if err != nil {
		return nil, c.located(err)
	}
	began := time.Now()
	d, err := c.describe(ctx, inner)
	if ctx.Err() != nil && err != nil {
		permit.drop()
		return nil, c.located(err)
	}
	permit.settle(err)
	c.health.described(err, time.Since(began))
	if err != nil {
		c.learn(inner, err)
		return nil, c.located(err)
	}
	c.heard(d)
	return d, nil
}

func (c *Connection) describe(ctx context.Context, inner hunt.Connector) (*hunt.Description, *hunt.Error) {
	if d := c.options.DescribeDeadline; d > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, d, late("describe", "the source did not say in time what it holds"))
		defer cancel()
	}
	for {
		d, err := bounded(ctx, c, func() (*hunt.Description, *hunt.Error) { return describeOnce(ctx, inner) })
		if err == nil || !c.waited(ctx, err) {
			return d, err
		}
	}
}

// waited keeps the wait that a throttling source asks for, and reports whether it fits into ctx's time.
func (c *Connection) waited(ctx context.Context, err *hunt.Error) bool {
	end, limited := ctx.Deadline()
	if err.Code != hunt.SourceThrottled || err.RetryAfter <= 0 || limited && !time.Now().Add(err.RetryAfter).Before(end) {
		return false
	}
	c.hold(err.RetryAfter)
	timer := time.NewTimer(err.RetryAfter)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-c.life.Done():
	}
	return false
}

func describeOnce(ctx context.Context, inner hunt.Connector) (d *hunt.Description, failure *hunt.Error) {
	defer recovered("describe", &failure)
	d, err := inner.Describe(ctx)
	switch {
	case err != nil:
		return nil, hunt.AsError(err, hunt.SourceUnavailable)
	case d == nil:
		return nil, &hunt.Error{Op: "describe", Code: hunt.Internal, Message: "the connector gave no description"}
	}
	return d, nil
}

// bounded makes a call of the connector in a goroutine of its own, so that one that does not listen keeps nobody waiting: it ends with
// ctx or with the connection, and the call is left behind.
func bounded[T any](ctx context.Context, c *Connection, call func() (*T, *hunt.Error)) (*T, *hunt.Error) {
	type outcome struct {
		value *T
		err   *hunt.Error
	}
	answer := make(chan outcome, 1)
	t, err := c.tasks.start(func() {
		value, err := call()
		answer <- outcome{value, err}
	})
	if err != nil {
		return nil, err
	}
	select {
	case a := <-answer:
		return a.value, a.err
	case <-ctx.Done():
		c.tasks.abandon(t)
		return nil, stopped(ctx)
	case <-c.life.Done():
		c.tasks.abandon(t)
		return nil, errClosed()
	}
}

// late is the error of a call that did not answer in time.
func late(op, message string) *hunt.Error {
	return &hunt.Error{Op: op, Code: hunt.SourceTimeout, Message: message, Retryable: true, Cause: context.DeadlineExceeded}
}

// recovered turns a panic of the connector into the failure of the call; it is to be deferred.
func recovered(op string, failure **hunt.Error) {
	if r := recover(); r != nil {
		*failure = defect(op, r)
	}
}

// heard keeps what the connection said of itself.
func (c *Connection) heard(d *hunt.Description) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said == nil && len(d.Limits) > 0 || c.said != nil && !slices.Equal(c.said.Limits, d.Limits) {
		c.passes = c.options.Limits.declare(c.options.Ref, d.Limits, c.passes)
	}
	c.said = d
}

// scopes returns the limits that searches pass.
func (c *Connection) scopes() []*scope {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.passes
}

// learn draws the consequences of a call of inner that failed.
func (c *Connection) learn(inner *live, err *hunt.Error) {
	switch err.Code {
	case hunt.SourceThrottled:
		c.hold(err.RetryAfter)
	case hunt.SourceDenied:
		c.opening.renew(inner)
	}
}

// hold keeps searches back because the source asked for it.
func (c *Connection) hold(d time.Duration) {
	if d > 0 {
		c.options.Limits.hold(c.scopes(), d)
		c.tasks.log("the source asks to wait", "wait", d)
	}
}

// Translate implements hunt.Connector. It does not open the connection; the error is SOURCE_UNAVAILABLE, or that of opening, while it
// is not open, and SOURCE_TIMEOUT if the connector does not answer: its process may hang.
func (c *Connection) Translate(r hunt.Request) (*hunt.Translation, error) {
	t, err := c.translate(context.Background(), r)
	if err != nil {
		return nil, c.located(err)
	}
	return t, nil
}

func (c *Connection) translate(ctx context.Context, r hunt.Request) (*hunt.Translation, *hunt.Error) {
	inner, failure := c.opening.now()
	if failure != nil {
		return nil, failure
	}
	defer inner.leave()
	ctx, cancel := context.WithTimeoutCause(ctx, c.options.TranslateDeadline, late("translate", "the connector did not say in time what it would ask"))
	defer cancel()
	return bounded(ctx, c, func() (*hunt.Translation, *hunt.Error) { return translateOnce(inner, r) })
}

func translateOnce(inner hunt.Connector, r hunt.Request) (t *hunt.Translation, failure *hunt.Error) {
	defer recovered("translate", &failure)
	t, err := inner.Translate(r)
	switch {
	case err != nil:
		return nil, hunt.AsError(err, hunt.SourceFailed)
	case t == nil:
		return nil, &hunt.Error{Op: "translate", Code: hunt.Internal, Message: "the connector gave no translation"}
	}
	return t, nil
}

// Search implements hunt.Connector. Throttled frames say that the search waits for the limits of the source or for its next try.
func (c *Connection) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		c.health.count(func(h *Health) { h.Searches++ })
		a := &answer{c: c, yield: yield, progress: newProgress(c.options.Ref, t.Request)}
		if err := a.run(ctx, t); err != nil {
			yield(nil, c.located(err))
		}
	}
}

// answer is what one caller reads: of one flight, or of another one after it was too slow for that.
type answer struct {
	c        *Connection
	yield    func(hunt.Frame, error) bool
	progress *progress
}

// run reads to the end; an error is for the caller to yield.
func (a *answer) run(ctx context.Context, t *hunt.Translation) *hunt.Error {
	key := searchDigest(t)
	if frames := a.c.kept(t, key); frames != nil {
		a.replay(ctx, frames)
		return nil
	}
	for shared := true; ; shared = false {
		r, err := a.c.join(ctx, t, key, shared)
		if err != nil {
			return err
		}
		failure := a.read(ctx, r)
		switch {
		case !errors.Is(failure, errCut):
			return failed(ctx, failure)
		case ctx.Err() != nil:
			return stopped(ctx)
		}
		a.c.tasks.log("a slow reader goes on alone")
		if t, err = a.c.translate(ctx, a.progress.resume()); err != nil {
			return err
		}
		key = searchDigest(t)
	}
}

// failed returns the error of a reader, nil if there is none.
func failed(ctx context.Context, err error) *hunt.Error {
	var e *hunt.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	}
	return stopped(ctx)
}

// read reads one flight. It returns nil after End, and when the caller has enough.
func (a *answer) read(ctx context.Context, r *reader) error {
	defer r.leave()
	for {
		e, err := r.next(ctx)
		if err != nil {
			return err
		}
		frame := a.progress.take(e.frame)
		if frame == nil {
			continue
		}
		_, last := frame.(hunt.End)
		if !a.give(frame, e.bytes) || last {
			return nil
		}
	}
}

// give yields a frame, a big batch in pieces.
func (a *answer) give(frame hunt.Frame, size int64) bool {
	b, ok := frame.(*hunt.Batch)
	if !ok {
		return a.yield(frame, nil)
	}
	return pieces(b, size, a.c.options.Memory.slice(), func(piece *hunt.Batch) bool { return a.yield(piece, nil) })
}

// replay yields a kept answer.
func (a *answer) replay(ctx context.Context, frames []hunt.Frame) {
	a.c.health.count(func(h *Health) { h.Cached++ })
	for _, f := range frames {
		if ctx.Err() != nil {
			a.yield(nil, a.c.located(stopped(ctx)))
			return
		}
		if !a.give(f, sizeOf(f)) {
			return
		}
	}
}

// cacheKey returns the key of an answer in the cache; ok is false if answers to it are not kept.
func (c *Connection) cacheKey(t *hunt.Translation, key digest) (k cacheKey, ok bool) {
	if c.options.Cache == nil || t.Request.Snapshot == "" && c.options.CacheTTL <= 0 || c.life.Err() != nil {
		return k, false
	}
	c.mu.Lock()
	d := c.said
	c.mu.Unlock()
	s := streamOf(d, &t.Request)
	if s == nil {
		return k, false
	}
	return cacheKey{c.options.Ref, key, streamDigest(d, s)}, true
}

// streamOf returns what a description says of the stream that is asked; nil if it knows none, or is nil itself.
func streamOf(d *hunt.Description, r *hunt.Request) *hunt.Stream {
	if d == nil || r.Class == nil {
		return nil
	}
	i := slices.IndexFunc(d.Streams, func(s hunt.Stream) bool { return s.Name == r.Stream && s.Class.UID == r.Class.UID })
	if i < 0 {
		return nil
	}
	return &d.Streams[i]
}

// kept returns a complete answer from the cache, nil if there is none.
func (c *Connection) kept(t *hunt.Translation, key digest) []hunt.Frame {
	if k, ok := c.cacheKey(t, key); ok {
		return c.options.Cache.find(k)
	}
	return nil
}

// join makes a reader of a flight that runs already, if shared, or of a new one.
func (c *Connection) join(ctx context.Context, t *hunt.Translation, key digest, shared bool) (*reader, *hunt.Error) {
	record := c.recording(t, key)
	c.mu.Lock()
	defer c.mu.Unlock()
	if f := c.flights[key]; shared && f != nil {
		if r := f.join(ctx, false); r != nil {
			c.health.count(func(h *Health) { h.Shared++ })
			return r, nil
		}
	}
	f := newFlight(c.options.Memory, key, shared)
	f.record = record
	return c.fly(ctx, t, f)
}

// recording returns what records the answer for the cache, nil if it is not to be kept.
func (c *Connection) recording(t *hunt.Translation, key digest) *recording {
	k, ok := c.cacheKey(t, key)
	switch {
	case !ok:
		return nil
	case t.Request.Snapshot != "":
		return c.options.Cache.record(k, 0)
	}
	return c.options.Cache.record(k, c.options.CacheTTL)
}

// fly starts a flight and makes its first reader. The caller holds c.mu.
func (c *Connection) fly(ctx context.Context, t *hunt.Translation, f *flight) (*reader, *hunt.Error) {
	r := f.join(ctx, true)
	own, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	f.cancel = cancel
	s := &search{c: c, t: t, out: f, progress: newProgress(c.options.Ref, t.Request), clock: newClock(c.options.Deadline)}
	if st := streamOf(c.said, &t.Request); st != nil {
		s.ceiling = int64(st.Ceiling)
	}
	task, err := c.tasks.start(func() { c.flown(own, s) })
	if err != nil {
		cancel(err)
		return nil, err
	}
	f.task = task
	if f.joinable {
		c.flights[f.key] = f
	}
	return r, nil
}

// flown is the goroutine of a flight.
func (c *Connection) flown(ctx context.Context, s *search) {
	f := s.out
	unlink := context.AfterFunc(c.life, func() { f.cancel(errClosed()) })
	c.health.count(func(h *Health) { h.InFlight++ })
	err := s.run(ctx)
	c.health.count(func(h *Health) { h.InFlight-- })
	c.mu.Lock()
	if c.flights[f.key] == f {
		delete(c.flights, f.key)
	}
	c.mu.Unlock()
	f.finish(err)
	unlink()
	f.cancel(nil)
}

// located says of which connection an error is, if it does not itself.
func (c *Connection) located(err *hunt.Error) *hunt.Error {
	if err.Source != "" {
		return err
	}
	e := *err
	e.Source = c.options.Ref.String()
	return &e
}

// Close implements hunt.Connector: it ends searches, waits for them and closes the connector. A connector that does not stop is left
// behind; the error is SOURCE_TIMEOUT then.
func (c *Connection) Close() error {
	if !c.tasks.close() {
		<-c.done
		return c.closeErr
	}
	defer close(c.done)
	c.end(errClosed())
	c.health.close()
	inner := c.opening.close()
	defer c.options.Limits.forget(c.options.Ref)
	idle := c.tasks.wait(closeWait)
	if inner != nil {
		defer inner.release()
		c.closeErr = c.closeInner(inner)
	}
	if !idle && c.closeErr == nil {
		c.closeErr = c.located(&hunt.Error{Op: "close", Code: hunt.SourceTimeout, Message: "calls of the connection did not stop and were left behind"})
	}
	return c.closeErr
}

// closeInner closes the connector, at most for closeWait.
func (c *Connection) closeInner(inner hunt.Connector) error {
	outcome := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				outcome <- c.located(defect("close", r))
			}
		}()
		outcome <- inner.Close()
	}()
	timer := time.NewTimer(closeWait)
	defer timer.Stop()
	select {
	case err := <-outcome:
		return err
	case <-timer.C:
		return c.located(&hunt.Error{Op: "close", Code: hunt.SourceTimeout, Message: "the connector did not close and was left behind"})
	}
}
