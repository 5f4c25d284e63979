package transport_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/graph/guard"
	"github.com/harrier-xdr/harrier/graph/transport"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	plain    = "application/json"
	response = "application/graphql-response+json"
	stream   = "text/event-stream"
	urql     = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)

// behaviour answers one root field of the test schema.
type behaviour func(ctx context.Context) graphql.ResponseHandler

// schema is a gqlgen executable schema written by hand.
type schema struct {
	parsed *ast.Schema
	fields map[string]behaviour
}

func (s schema) Schema() *ast.Schema { return s.parsed }

func (s schema) Complexity(context.Context, string, string, int, map[string]any) (int, bool) {
	return 0, false
}

func (s schema) Exec(ctx context.Context) graphql.ResponseHandler {
	op := graphql.GetOperationContext(ctx).Operation
	return s.fields[op.SelectionSet[0].(*ast.Field).Name](ctx)
}

func data(text string) behaviour {
	return func(context.Context) graphql.ResponseHandler {
		return graphql.OneShot(&graphql.Response{Data: json.RawMessage(text)})
	}
}

func failing(data json.RawMessage, errs ...*gqlerror.Error) behaviour {
	return func(context.Context) graphql.ResponseHandler {
		return graphql.OneShot(&graphql.Response{Data: data, Errors: errs})
	}
}

func coded(code string) *gqlerror.Error {
	return &gqlerror.Error{Message: "refused", Extensions: map[string]any{"code": code}}
}

const secret = "hunter2"

// newExecutor makes a real gqlgen executor; more adds or replaces fields.
func newExecutor(more map[string]behaviour) *executor.Executor {
	fields := map[string]behaviour{
		"text":    data(`{"text":"<a href=\"x\">&</a>"}`),
		"pretty":  data("{\n  \"pretty\":\r\n \"x\"\r}"),
		"act":     data(`{"act":"done"}`),
		"partial": failing(json.RawMessage(`{"partial":null}`), &gqlerror.Error{Message: "source <a> failed"}),
		"none":    failing(nil, &gqlerror.Error{Message: "nothing"}),
		"denied":  failing(nil, coded("FORBIDDEN")),
		"login":   failing(nil, coded("UNAUTHENTICATED")),
		"silent": func(context.Context) graphql.ResponseHandler {
			return func(context.Context) *graphql.Response { return nil }
		},
		"panics":      func(context.Context) graphql.ResponseHandler { panic(secret) },
		"unencodable": failing(json.RawMessage(`{"unencodable":1}`), &gqlerror.Error{Message: "x", Extensions: map[string]any{"f": func() {}}}),
		"many": func(context.Context) graphql.ResponseHandler {
			errs := make(gqlerror.List, 50)
			for i := range errs {
				errs[i] = &gqlerror.Error{Message: "one of many"}
			}
			return graphql.OneShot(&graphql.Response{Data: json.RawMessage(`{"many":null}`), Errors: errs})
		},
		"blocks": func(ctx context.Context) graphql.ResponseHandler {
			return func(context.Context) *graphql.Response { <-ctx.Done(); return nil }
		},
		"ticks": sequence(`{"ticks":1}`, `{"ticks":2}`),
	}
	for name, b := range more {
		fields[name] = b
	}
	text := "schema{query:Query mutation:Mutation subscription:Subscription} type Mutation{act:String} " +
		"type Query{echo(n:Int):String text:String pretty:String partial:String none:String denied:String login:String silent:String panics:String unencodable:String many:String blocks:String} " +
		"type Subscription{ticks(n:Int):Int blocks:Int panics:Int custom:Int}"
	exec := executor.New(schema{gqlparser.MustLoadSchema(&ast.Source{Input: text}), fields})
	exec.Use(guard.Default())
	return exec
}

// sequence is a subscription that sends the given data and ends.
func sequence(items ...string) behaviour {
	return func(context.Context) graphql.ResponseHandler {
		next := 0
		return func(context.Context) *graphql.Response {
			if next == len(items) {
				return nil
			}
			next++
			return &graphql.Response{Data: json.RawMessage(items[next-1])}
		}
	}
}

// faults collects what the handler reports to its operator.
type faults struct{ seen []any }

func (f *faults) options() transport.Options {
	return transport.Options{OnFault: func(_ context.Context, fault any, _ []byte) { f.seen = append(f.seen, fault) }}
}

func newHandler() http.Handler { return transport.New(newExecutor(nil), (&faults{}).options()) }

// request is a well-formed POST; headers are name, value pairs that replace its own.
func request(body string, headers ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func query(text string) string {
	b, err := json.Marshal(map[string]string{"query": text})
	if err != nil {
		panic(err)
	}
	return string(b)
}

func serve(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// firstCode returns extensions.code of the first error of a JSON response.
func firstCode(t *testing.T, body *bytes.Buffer) string {
	t.Helper()
	var parsed struct {
		Errors []struct {
			Message    string
			Extensions struct{ Code string }
		}
	}
	if err := json.Unmarshal(body.Bytes(), &parsed); err != nil {
		t.Fatalf("the response is not JSON: %v: %s", err, body)
	}
	if len(parsed.Errors) == 0 {
		return ""
	}
	if parsed.Errors[0].Message == "" {
		t.Errorf("an error without a message: %s", body)
	}
	return parsed.Errors[0].Extensions.Code
}

var errBroken = errors.New("broken pipe")

// tickBy makes a ticker out of a channel that the test writes to.
func tickBy(ticks chan time.Time) func(time.Duration) (<-chan time.Time, func()) {
	return func(time.Duration) (<-chan time.Time, func()) { return ticks, func() {} }
}
