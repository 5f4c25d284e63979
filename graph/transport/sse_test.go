package transport_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/graph/transport"
)

const opened, completed = ":\n\n", "event: complete\ndata:\n\n"

func next(body string) string { return "event: next\ndata: " + body + "\n\n" }

func TestStreams(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"subscription", "subscription{ticks}", next(`{"data":{"ticks":1}}`) + next(`{"data":{"ticks":2}}`)},
		{"query", "{text}", next(`{"data":{"text":"<a href=\"x\">&</a>"}}`)},
		{"partial data", "{partial}", next(`{"errors":[{"message":"source <a> failed"}],"data":{"partial":null}}`)},
		{"line breaks in data", "{pretty}", next(`{"data":{   "pretty":   "x" }}`)},
		{"extension that cannot be encoded", "{unencodable}", next(`{"errors":[{"message":"the service failed on this request; the fault was logged","extensions":{"code":"INTERNAL"}}]}`)},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(newHandler(), request(query(c.text), "Accept", stream))
			if got := w.Body.String(); w.Code != 200 || got != opened+c.want+completed {
				t.Errorf("status %d, got %q, want %q", w.Code, got, opened+c.want+completed)
			}
			h := w.Header()
			if h.Get("Content-Type") != stream || h.Get("Cache-Control") != "no-store" || h.Get("Vary") != "Accept" || !w.Flushed {
				t.Errorf("headers %v, flushed %v", h, w.Flushed)
			}
		})
	}
}

func TestInvalidDocumentOnAStream(t *testing.T) {
	w := serve(newHandler(), request(query("{nosuch}"), "Accept", stream))
	got := w.Body.String()
	if w.Code != 200 || !strings.Contains(got, "GRAPHQL_VALIDATION_FAILED") || !strings.HasSuffix(got, completed) || strings.Count(got, "event: next") != 1 {
		t.Errorf("status %d: %s", w.Code, got)
	}
	w = serve(newHandler(), request("{", "Accept", stream))
	if w.Code != 400 || firstCode(t, w.Body) != "BAD_REQUEST" {
		t.Errorf("bad body: status %d", w.Code)
	}
}

func TestErrorsMidStream(t *testing.T) {
	exec := newExecutor(map[string]behaviour{"custom": func(context.Context) graphql.ResponseHandler {
		step := 0
		return func(context.Context) *graphql.Response {
			step++
			switch step {
			case 1:
				return &graphql.Response{Data: json.RawMessage(`{"custom":1}`)}
			case 2:
				return &graphql.Response{Data: json.RawMessage(`{"custom":null}`), Errors: gqlerror.List{{Message: "a source failed"}}}
			case 3:
				return &graphql.Response{Data: json.RawMessage(`{"custom":3}`)}
			}
			panic(secret)
		}
	}})
	var f faults
	w := serve(transport.New(exec, f.options()), request(query("subscription{custom}"), "Accept", stream))
	want := opened + next(`{"data":{"custom":1}}`) +
		next(`{"errors":[{"message":"a source failed"}],"data":{"custom":null}}`) + next(`{"data":{"custom":3}}`) +
		next(`{"errors":[{"message":"the service failed on this request; the fault was logged","extensions":{"code":"INTERNAL"}}]}`) + completed
	if got := w.Body.String(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if len(f.seen) != 1 || f.seen[0] != secret {
		t.Errorf("reported %v", f.seen)
	}
}

func TestPanicBeforeTheStream(t *testing.T) {
	w := serve(newHandler(), request(query("subscription{panics}"), "Accept", stream))
	if w.Code != 500 || firstCode(t, w.Body) != "INTERNAL" || strings.Contains(w.Body.String(), secret) {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestDeadlineOnAStream(t *testing.T) {
	exec := newExecutor(nil)
	exec.AroundOperations(func(ctx context.Context, next graphql.OperationHandler) graphql.ResponseHandler {
		ctx, cancel := context.WithTimeout(ctx, time.Nanosecond)
		defer cancel()
		<-ctx.Done()
		return next(ctx)
	})
	w := serve(transport.New(exec, transport.Options{}), request(query("subscription{blocks}"), "Accept", stream))
	got := w.Body.String()
	if strings.Count(got, "event: next") != 1 || !strings.Contains(got, "TIMEOUT") || !strings.HasSuffix(got, completed) {
		t.Errorf("got %q", got)
	}
}

func TestCancelledStreamIsNotCompleted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	exec := newExecutor(map[string]behaviour{"custom": func(ctx context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response {
			cancel() // the server shuts down
			<-ctx.Done()
			return nil
		}
	}})
	w := serve(transport.New(exec, transport.Options{}), request(query("subscription{custom}"), "Accept", stream).WithContext(ctx))
	if got := w.Body.String(); got != opened {
		t.Errorf("got %q, want only the opening comment", got)
	}
}

// live is a server whose one handler call can be awaited.
type live struct {
	*httptest.Server
	done chan struct{} // closed when the handler has returned
}

func newLive(t *testing.T, h http.Handler) live {
	l := live{done: make(chan struct{})}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(l.done)
		h.ServeHTTP(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l live) post(t *testing.T, ctx context.Context, text string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, l.URL, strings.NewReader(query(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", stream)
	resp, err := l.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp
}

// event reads up to the next empty line.
func event(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	var b strings.Builder
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatalf("the stream ended in %q: %v", b.String()+line, err)
		}
		b.WriteString(line)
		if line == "\n" {
			return b.String()
		}
	}
}

func TestClientGoesAway(t *testing.T) {
	released := make(chan struct{})
	exec := newExecutor(map[string]behaviour{"custom": func(ctx context.Context) graphql.ResponseHandler {
		// Not after a second call, which there need not be.
		context.AfterFunc(ctx, func() { close(released) })
		sent := false
		return func(context.Context) *graphql.Response {
			if !sent {
				sent = true
				return &graphql.Response{Data: json.RawMessage(`{"custom":1}`)}
			}
			<-ctx.Done()
			return nil
		}
	}})
	l := newLive(t, transport.New(exec, transport.Options{}))
	ctx, cancel := context.WithCancel(t.Context())
	body := bufio.NewReader(l.post(t, ctx, "subscription{custom}").Body)
	if got := event(t, body); got != opened {
		t.Fatalf("got %q", got)
	}
	if got := event(t, body); got != next(`{"data":{"custom":1}}`) { // flushed although the stream goes on
		t.Fatalf("got %q", got)
	}
	cancel()
	<-released
	<-l.done
}

func TestHeartbeats(t *testing.T) {
	ticks, release := make(chan time.Time), make(chan struct{})
	exec := newExecutor(map[string]behaviour{"custom": func(context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response { <-release; return nil }
	}})
	l := newLive(t, transport.New(exec, transport.Options{Ticker: tickBy(ticks)}))
	body := bufio.NewReader(l.post(t, t.Context(), "subscription{custom}").Body)
	event(t, body)
	for range 3 {
		ticks <- time.Time{}
		if got := event(t, body); got != ":\n\n" {
			t.Fatalf("heartbeat %q", got)
		}
	}
	close(release)
	if rest, err := io.ReadAll(body); err != nil || string(rest) != completed {
		t.Errorf("the end is %q, %v", rest, err)
	}
	<-l.done
}

// broken accepts a number of writes and then fails, as a connection does whose client is
// gone without a word.
type broken struct {
	*httptest.ResponseRecorder
	writes int
}

func (b *broken) Write(p []byte) (int, error) {
	if b.writes == 0 {
		return 0, errBroken
	}
	b.writes--
	return b.ResponseRecorder.Write(p)
}

func TestFailedHeartbeatCancelsTheOperation(t *testing.T) {
	ticks := make(chan time.Time)
	exec := newExecutor(map[string]behaviour{"custom": func(ctx context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response {
			ticks <- time.Time{}
			<-ctx.Done() // ends only because the heartbeat could not be written
			return nil
		}
	}})
	w := &broken{httptest.NewRecorder(), 1}
	transport.New(exec, transport.Options{Ticker: tickBy(ticks)}).ServeHTTP(w, request(query("subscription{custom}"), "Accept", stream))
	if got := w.Body.String(); got != opened {
		t.Errorf("got %q", got)
	}
}

func TestFailedEventEndsTheLoop(t *testing.T) {
	asked := 0
	exec := newExecutor(map[string]behaviour{"custom": func(context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response {
			asked++
			return &graphql.Response{Data: json.RawMessage(`{}`)}
		}
	}})
	w := &broken{httptest.NewRecorder(), 1}
	transport.New(exec, transport.Options{}).ServeHTTP(w, request(query("subscription{custom}"), "Accept", stream))
	if asked != 1 {
		t.Errorf("asked %d times for a response after the client had gone", asked)
	}
}

func TestAStreamOverAWriterThatCannotFlush(t *testing.T) {
	w := struct{ http.ResponseWriter }{httptest.NewRecorder()}
	var f faults
	transport.New(newExecutor(nil), f.options()).ServeHTTP(w, request(query("subscription{ticks}"), "Accept", stream))
	rec := w.ResponseWriter.(*httptest.ResponseRecorder)
	if rec.Code != 500 || firstCode(t, rec.Body) != "INTERNAL" || len(f.seen) != 1 {
		t.Errorf("status %d: %s", rec.Code, rec.Body)
	}
}

func TestClientThatStopsReading(t *testing.T) {
	big := json.RawMessage(`{"custom":"` + strings.Repeat("x", 1<<20) + `"}`)
	exec := newExecutor(map[string]behaviour{"custom": func(context.Context) graphql.ResponseHandler {
		return func(context.Context) *graphql.Response { return &graphql.Response{Data: big} } // endless
	}})
	l := newLive(t, transport.New(exec, transport.Options{WriteTimeout: 50 * time.Millisecond}))
	l.post(t, t.Context(), "subscription{custom}") // its body is never read
	<-l.done
}

func TestHeartbeatInterval(t *testing.T) {
	for given, want := range map[time.Duration]time.Duration{0: 15 * time.Second, time.Minute: time.Minute} {
		var got time.Duration
		stopped := false
		opts := transport.Options{Heartbeat: given, Ticker: func(every time.Duration) (<-chan time.Time, func()) {
			got = every
			return nil, func() { stopped = true }
		}}
		serve(transport.New(newExecutor(nil), opts), request(query("subscription{ticks}"), "Accept", stream))
		if got != want || !stopped {
			t.Errorf("interval %v, want %v; stopped %v", got, want, stopped)
		}
	}
}

func BenchmarkStream(b *testing.B) {
	batch := `{"custom":"` + strings.Repeat("x", 200) + `"}`
	items := make([]string, 1000)
	for i := range items {
		items[i] = batch
	}
	h := transport.New(newExecutor(map[string]behaviour{"custom": sequence(items...)}), transport.Options{})
	b.ReportAllocs()
	for b.Loop() {
		serve(h, request(query("subscription{custom}"), "Accept", stream))
	}
}
