package transport

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// stream writes every response as an event `next` and ends with `complete`. A stream that
// is cut, by the client or by a shutdown, has no `complete`: clients must be able to tell.
func (c *call) stream(ctx context.Context, cancel context.CancelFunc, op *run) {
	s := &events{w: c.w, control: http.NewResponseController(c.w), timeout: c.opts.WriteTimeout, gone: cancel}
	if err := s.open(); errors.Is(err, http.ErrNotSupported) {
		c.opts.OnFault(ctx, err, nil)
		Refuse(c.w, c.r, Refusal{Code: CodeInternal, Message: "this server cannot stream; report it to its operator"})
		return
	}
	stop := s.beat(ctx, c.opts)
	defer stop()
	defer cancel() // before stop waits for the heartbeat
	if c.pump(ctx, s, op) {
		s.send([]byte("event: complete\ndata:\n\n"))
	}
}

// pump writes responses until they end, and reports whether the stream may be completed.
func (c *call) pump(ctx context.Context, s *events, op *run) (ended bool) {
	defer func() {
		if fault := recover(); fault != nil {
			c.opts.OnFault(ctx, fault, debug.Stack())
			ended = s.next(c.failure()) == nil
		}
	}()
	for resp := op.next(); resp != nil; resp = op.next() {
		out, err := render(resp, c.opts.MaxErrors)
		if err != nil {
			c.opts.OnFault(ctx, err, nil)
			out = c.failure()
		}
		if s.next(out) != nil || errors.Is(ctx.Err(), context.Canceled) {
			return false
		}
	}
	return !op.cut
}

func (c *call) failure() rendered {
	out, _ := render(&graphql.Response{Errors: gqlerror.List{internalError().asError()}}, 1) // fixed text always encodes
	return out
}

// events is the writing end of one event stream, shared by the responses and the heartbeat.
type events struct {
	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	timeout time.Duration
	gone    context.CancelFunc // called when a write fails
}

// open sends the headers, so that the client knows of the stream before its first event.
func (s *events) open() error {
	h := s.w.Header()
	commonHeaders(h, eventStream)
	h.Set("X-Accel-Buffering", "no") // nginx would hold events back
	if err := s.control.Flush(); err != nil {
		h.Del("X-Accel-Buffering")
		return err
	}
	return s.send([]byte(":\n\n"))
}

// next writes one response as an event.
func (s *events) next(out rendered) error {
	return s.send([]byte("event: next\ndata: "), out.head, oneLine(out.data), out.tail, []byte("\n\n"))
}

// oneLine keeps a line break in the data from ending the event. A valid JSON text has
// raw line breaks only between tokens, where a space means the same.
func oneLine(data []byte) []byte {
	if bytes.IndexByte(data, '\r') < 0 && bytes.IndexByte(data, '\n') < 0 {
		return data
	}
	line := bytes.ReplaceAll(data, []byte("\r"), []byte(" "))
	return bytes.ReplaceAll(line, []byte("\n"), []byte(" "))
}

// send writes and flushes one event or comment.
func (s *events) send(parts ...[]byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control.SetWriteDeadline(time.Now().Add(s.timeout))
	if errors.Is(err, http.ErrNotSupported) {
		err = nil // a writer without deadlines blocks as long as its owner lets it
	}
	for _, part := range parts {
		if err == nil {
			_, err = s.w.Write(part)
		}
	}
	if err == nil {
		err = s.control.Flush()
	}
	if err != nil {
		s.gone()
	}
	return err
}

// beat starts the heartbeat. The returned function stops it and waits for it; the context
// must be cancelled first.
func (s *events) beat(ctx context.Context, o Options) (stop func()) {
	ticks, stopTicks := o.Ticker(o.Heartbeat)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticks:
				s.send([]byte(":\n\n"))
			}
		}
	})
	return func() {
		running.Wait()
		stopTicks()
	}
}
