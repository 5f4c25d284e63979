package transport

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Options adjust a handler. Every zero field takes the default that its comment names.
type Options struct {
	// MaxBody is the largest request body in bytes; 1 MiB.
	MaxBody int64
	// MaxErrors is the largest number of errors in one response, the final note
	// included; 20.
	MaxErrors int
	// Heartbeat is the time between comments on an event stream, which keep proxies from
	// closing a quiet one and find out that a client has gone; 15 s.
	Heartbeat time.Duration
	// WriteTimeout is how long one event may take to be written before the client counts
	// as gone; 30 s. It replaces the server's own write timeout on streams.
	WriteTimeout time.Duration
	// Ticker makes the clock of the heartbeats and the function that stops it; time.NewTicker.
	Ticker func(every time.Duration) (ticks <-chan time.Time, stop func())
	// OnFault is told of panics and of responses that cannot be encoded, which the client
	// sees only as INTERNAL; the default logs them with slog.
	OnFault func(ctx context.Context, fault any, stack []byte)
}

// New returns a handler that executes POST requests with exec. It may be used by many
// goroutines at once, as exec may. The handler returns when the answer or the stream has
// ended and leaves no goroutine behind; a subscription whose resolver ignores its context
// holds it up.
func New(exec graphql.GraphExecutor, opts Options) http.Handler {
	return &handler{exec: exec, opts: opts.withDefaults()}
}

func (o Options) withDefaults() Options {
	if o.MaxBody <= 0 {
		o.MaxBody = 1 << 20
	}
	if o.MaxErrors <= 0 {
		o.MaxErrors = 20
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.WriteTimeout <= 0 {
		o.WriteTimeout = 30 * time.Second
	}
	if o.Ticker == nil {
		o.Ticker = realTicker
	}
	if o.OnFault == nil {
		o.OnFault = logFault
	}
	return o
}

func realTicker(every time.Duration) (<-chan time.Time, func()) {
	t := time.NewTicker(every)
	return t.C, t.Stop
}

func logFault(ctx context.Context, fault any, stack []byte) {
	slog.ErrorContext(ctx, "fault in a GraphQL request", "fault", fault, "stack", string(stack))
}

type handler struct {
	exec graphql.GraphExecutor
	opts Options
}

// ServeHTTP answers one request.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	out := &commitWriter{ResponseWriter: w}
	defer h.recoverFault(out, r)
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		Refuse(out, r, Refusal{Code: CodeMethodNotAllowed, Message: "GraphQL is served by POST only; send the operation as a JSON body"})
		return
	}
	accept := negotiate(r.Header.Values("Accept"))
	if len(accept) == 0 {
		Refuse(out, r, Refusal{
			Code:    CodeNotAcceptable,
			Message: "the Accept header allows none of application/graphql-response+json, application/json, text/event-stream",
		})
		return
	}
	params, refusal := h.read(out, r)
	if refusal != nil {
		Refuse(out, r, *refusal)
		return
	}
	h.execute(&call{handler: h, w: out, r: r, accept: accept}, params)
}

func (h *handler) read(w http.ResponseWriter, r *http.Request) (*graphql.RawParams, *Refusal) {
	start := graphql.Now()
	body, refusal := readBody(w, r, h.opts.MaxBody)
	if refusal != nil {
		return nil, refusal
	}
	params, err := decode(body)
	if err != nil {
		return nil, &Refusal{Code: CodeBadRequest, Message: err.Error()}
	}
	params.Headers = r.Header
	params.ReadTime = graphql.TraceTiming{Start: start, End: graphql.Now()}
	return params, nil
}

// call is one request on its way to an answer.
type call struct {
	*handler
	w      http.ResponseWriter
	r      *http.Request
	accept accepted
}

func (h *handler) execute(c *call, params *graphql.RawParams) {
	ctx, cancel := context.WithCancel(graphql.StartOperationTrace(c.r.Context()))
	defer cancel()
	op, errs := h.exec.CreateOperationContext(ctx, params)
	if len(errs) > 0 {
		c.invalid(ctx, cancel, h.exec.DispatchError(graphql.WithOperationContext(ctx, op), errs))
		return
	}
	subscription := op != nil && op.Operation != nil && op.Operation.Operation == ast.Subscription
	switch {
	case subscription && !c.accept.stream():
		Refuse(c.w, c.r, Refusal{
			Code:    CodeNotAcceptable,
			Message: "a subscription is answered as text/event-stream; add it to the Accept header",
		})
	case subscription || c.accept.streamFirst():
		c.stream(ctx, cancel, h.dispatch(ctx, op))
	default:
		c.answer(h.dispatch(ctx, op))
	}
}

// invalid answers a request that the executor refused. For a client that wants a stream
// the errors are its only event, because a browser's EventSource cannot read the body of
// an error status.
func (c *call) invalid(ctx context.Context, cancel context.CancelFunc, resp *graphql.Response) {
	if !c.accept.streamFirst() {
		c.reply(resp, CodeBadRequest)
		return
	}
	c.stream(ctx, cancel, &run{ctx: ctx, responses: graphql.OneShot(resp), single: true})
}

// run is an executing operation: its responses, and the context that the executor made
// for them.
type run struct {
	ctx       context.Context
	responses graphql.ResponseHandler
	single    bool // a query or mutation has one response
	ended     bool
	cut       bool // ended by cancellation, not by itself
}

func (h *handler) dispatch(ctx context.Context, op *graphql.OperationContext) *run {
	responses, inner := h.exec.DispatchOperation(ctx, op)
	single := op == nil || op.Operation == nil || op.Operation.Operation != ast.Subscription
	return &run{ctx: inner, responses: responses, single: single}
}

// next returns the next response, or nil after the last. A deadline is told to the client
// as a last response. A cancellation is not: the client is gone, or the server shuts down
// and the cut must show.
func (r *run) next() *graphql.Response {
	if r.ended {
		return nil
	}
	resp := r.responses(r.ctx)
	r.ended = r.single || resp == nil
	if resp != nil {
		return resp
	}
	if errors.Is(r.ctx.Err(), context.DeadlineExceeded) {
		timeout := Refusal{Code: CodeTimeout, Message: "the operation did not finish within its deadline; ask for less or raise the deadline"}
		return &graphql.Response{Errors: gqlerror.List{timeout.asError()}}
	}
	r.cut = r.ctx.Err() != nil
	return nil
}

// answer writes the only response of a query or mutation.
func (c *call) answer(op *run) {
	resp := op.next()
	switch {
	case resp != nil:
		c.reply(resp, CodeInternal)
	case op.cut:
		Refuse(c.w, c.r, Refusal{Code: CodeUnavailable, Message: "the operation was cancelled before it had an answer; try again"})
	default:
		c.opts.OnFault(op.ctx, errors.New("the executor returned no response"), nil)
		Refuse(c.w, c.r, internalError())
	}
}

// reply writes a response as JSON. Execution that produced data is a success whatever
// errors came with it; without data the first telling code decides.
func (c *call) reply(resp *graphql.Response, fallback Code) {
	out, err := render(resp, c.opts.MaxErrors)
	if err != nil {
		c.opts.OnFault(c.r.Context(), err, nil)
		Refuse(c.w, c.r, internalError())
		return
	}
	as, code := c.accept.json(), http.StatusOK
	if out.data == nil {
		code = status(leading(resp.Errors, fallback), as)
	}
	out.write(c.w, as, code)
}

// recoverFault turns a panic into INTERNAL. Once bytes are out it aborts the connection
// instead, so that the client cannot take a part for the whole.
func (h *handler) recoverFault(w *commitWriter, r *http.Request) {
	fault := recover()
	if fault == nil {
		return
	}
	if fault == http.ErrAbortHandler {
		panic(fault)
	}
	h.opts.OnFault(r.Context(), fault, debug.Stack())
	if w.committed {
		panic(http.ErrAbortHandler)
	}
	Refuse(w, r, internalError())
}

// commitWriter remembers whether the status line is out.
type commitWriter struct {
	http.ResponseWriter
	committed bool
}

// WriteHeader sends the status line.
func (w *commitWriter) WriteHeader(code int) {
	w.committed = true
	w.ResponseWriter.WriteHeader(code)
}

// Write sends bytes, and the status line before the first.
func (w *commitWriter) Write(p []byte) (int, error) {
	w.committed = true
	return w.ResponseWriter.Write(p)
}

// FlushError sends what is buffered, and the status line before it. It returns
// http.ErrNotSupported, with nothing sent, if the writer underneath cannot flush.
func (w *commitWriter) FlushError() error {
	err := http.NewResponseController(w.ResponseWriter).Flush()
	w.committed = w.committed || err == nil
	return err
}

// Unwrap lets http.ResponseController reach SetWriteDeadline.
func (w *commitWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
