package transport_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/harrier-xdr/harrier/graph/transport"
)

func TestStatus(t *testing.T) {
	big := query(strings.Repeat(" ", 1<<20))
	for _, c := range []struct {
		name, body, accept string
		status             int
		code               string
	}{
		{"query", query("{text}"), response, 200, ""},
		{"query, plain", query("{text}"), plain, 200, ""},
		{"mutation", query("mutation{act}"), response, 200, ""},
		{"partial data", query("{partial}"), response, 200, ""},
		{"parse", query("{"), response, 400, "GRAPHQL_PARSE_FAILED"},
		{"parse, plain", query("{"), plain, 200, "GRAPHQL_PARSE_FAILED"},
		{"validation", query("{nosuch}"), response, 400, "GRAPHQL_VALIDATION_FAILED"},
		{"validation, plain", query("{nosuch}"), plain, 200, "GRAPHQL_VALIDATION_FAILED"},
		{"too complex", query("{" + strings.Repeat("text ", 9) + "}"), response, 400, "QUERY_TOO_COMPLEX"},
		{"coercion", `{"query":"query($n:Int!){echo(n:$n)}","variables":{"n":"x"}}`, response, 400, "GRAPHQL_VALIDATION_FAILED"},
		{"unknown operation", `{"query":"query a{text}","operationName":"b"}`, response, 400, "GRAPHQL_VALIDATION_FAILED"},
		{"no data, no code", query("{none}"), response, 500, ""},
		{"no data, forbidden", query("{denied}"), response, 403, "FORBIDDEN"},
		{"no data, forbidden, plain", query("{denied}"), plain, 403, "FORBIDDEN"},
		{"no data, unauthenticated", query("{login}"), response, 401, "UNAUTHENTICATED"},
		{"no response", query("{silent}"), response, 500, "INTERNAL"},
		{"panic", query("{panics}"), response, 500, "INTERNAL"},
		{"panic, plain", query("{panics}"), plain, 500, "INTERNAL"},
		{"unencodable extension", query("{unencodable}"), response, 500, "INTERNAL"},
		{"body over limit", big, plain, 413, "PAYLOAD_TOO_LARGE"},
		{"not JSON", "query=" + secret, plain, 400, "BAD_REQUEST"},
		{"subscription without a stream", query("subscription{ticks}"), plain, 406, "NOT_ACCEPTABLE"},
		{"nothing acceptable", query("{text}"), "text/html", 406, "NOT_ACCEPTABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := serve(newHandler(), request(c.body, "Accept", c.accept))
			if w.Code != c.status {
				t.Errorf("status %d, want %d: %.300s", w.Code, c.status, w.Body)
			}
			if code := firstCode(t, w.Body); code != c.code {
				t.Errorf("code %q, want %q", code, c.code)
			}
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the response repeats what it must not: %s", w.Body)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"} {
		r := httptest.NewRequest(method, "/graphql?query={text}", nil)
		w := serve(newHandler(), r)
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: status %d, Allow %q", method, w.Code, w.Header().Get("Allow"))
		}
	}
}

func TestContentTypes(t *testing.T) {
	for contentType, want := range map[string]int{
		"application/json":                    200,
		"application/json; charset=UTF-8":     200,
		"application/json;charset=iso-8859-1": 415,
		"":                                    415,
		"text/plain":                          415,
		"application/x-www-form-urlencoded":   415,
		"multipart/form-data; boundary=x":     415,
		"application/graphql":                 415,
		"application/jsonp":                   415,
		"application/json, application/json":  415,
	} {
		w := serve(newHandler(), request(query("{text}"), "Content-Type", contentType))
		if w.Code != want {
			t.Errorf("%q: status %d, want %d", contentType, w.Code, want)
		}
	}
	if w := serve(newHandler(), request(query("{text}"), "Content-Encoding", "gzip")); w.Code != 415 {
		t.Errorf("compressed body: status %d, want 415", w.Code)
	}
}

func TestNegotiation(t *testing.T) {
	for _, c := range []struct{ accept, query, subscription string }{
		{"", plain, stream},
		{"*/*", plain, stream},
		{"application/*", plain, ""},
		{"text/*", stream, stream},
		{plain, plain, ""},
		{response, response, ""},
		{stream, stream, stream},
		{urql, response, stream},
		{"application/json, application/graphql-response+json", plain, ""},
		{"application/graphql-response+json, application/json;q=0.9", response, ""},
		{"application/json;q=0.5, application/graphql-response+json", response, ""},
		{"*/*, application/graphql-response+json", response, stream},
		{"*/*;q=0.1, application/json;q=0", response, stream},
		{"text/event-stream, application/json", stream, stream},
		{"text/event-stream;q=0.5, application/json", plain, stream},
		{"application/json, text/event-stream;q=0", plain, ""},
		{"text/event-stream;q=0, */*", plain, ""},
		{"application/json; charset=utf-8", plain, ""},
		{"application/json; charset=utf-16", "", ""},
		{"APPLICATION/JSON", plain, ""},
		{"nonsense;;=, application/json", plain, ""},
		{"application/json;q=nan", "", ""},
		{"text/html", "", ""},
		{"multipart/mixed", "", ""},
	} {
		t.Run(c.accept, func(t *testing.T) {
			for text, want := range map[string]string{"{text}": c.query, "subscription{ticks}": c.subscription} {
				w := serve(newHandler(), request(query(text), "Accept", c.accept))
				if want == "" {
					if w.Code != 406 || firstCode(t, w.Body) != "NOT_ACCEPTABLE" {
						t.Errorf("%s: status %d, want 406", text, w.Code)
					}
					continue
				}
				got, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
				if w.Code != 200 || got != want {
					t.Errorf("%s: status %d as %q, want %q", text, w.Code, got, want)
				}
			}
		})
	}
}

func TestSeveralAcceptHeaders(t *testing.T) {
	r := request(query("{text}"))
	r.Header.Add("Accept", "text/html")
	r.Header.Add("Accept", response)
	if w := serve(newHandler(), r); w.Header().Get("Content-Type") != response+"; charset=utf-8" {
		t.Errorf("content type %q", w.Header().Get("Content-Type"))
	}
}

func TestBytesOfAResponse(t *testing.T) {
	for text, want := range map[string]string{
		"{text}":    `{"data":{"text":"<a href=\"x\">&</a>"}}`,
		"{pretty}":  "{\"data\":{\n  \"pretty\":\r\n \"x\"\r}}",
		"{partial}": `{"errors":[{"message":"source <a> failed"}],"data":{"partial":null}}`,
		"{none}":    `{"errors":[{"message":"nothing"}]}`,
	} {
		w := serve(newHandler(), request(query(text)))
		if got := w.Body.String(); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
		if got := w.Header().Get("Content-Length"); got != fmt.Sprint(len(want)) {
			t.Errorf("%s: Content-Length %s, want %d", text, got, len(want))
		}
	}
}

func TestHeaders(t *testing.T) {
	w := httptest.NewRecorder()
	w.Header().Set("Vary", "Accept-Encoding")
	newHandler().ServeHTTP(w, request(query("{text}")))
	h := w.Header()
	if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || strings.Join(h.Values("Vary"), ",") != "Accept-Encoding,Accept" {
		t.Errorf("headers %v", h)
	}
}

func TestErrorsAreCapped(t *testing.T) {
	w := serve(newHandler(), request(query("{many}")))
	var parsed struct {
		Errors []struct {
			Message    string
			Extensions map[string]any
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &parsed); err != nil {
		t.Fatal(err)
	}
	if len(parsed.Errors) != 20 {
		t.Fatalf("%d errors, want 20", len(parsed.Errors))
	}
	if last := parsed.Errors[19]; last.Extensions["code"] != "ERRORS_LEFT_OUT" || last.Extensions["leftOut"] != 31.0 {
		t.Errorf("the last error is %+v, want the note of 31", last)
	}
	if parsed.Errors[18].Message != "one of many" {
		t.Errorf("error 19 is %+v", parsed.Errors[18])
	}
}

func TestPanicsAreReportedToTheOperator(t *testing.T) {
	var f faults
	serve(transport.New(newExecutor(nil), f.options()), request(query("{panics}")))
	if len(f.seen) != 1 || f.seen[0] != secret {
		t.Errorf("reported %v", f.seen)
	}
}

func TestAbortHandlerPasses(t *testing.T) {
	exec := newExecutor(map[string]behaviour{"text": func(context.Context) graphql.ResponseHandler { panic(http.ErrAbortHandler) }})
	defer func() {
		if got := recover(); got != http.ErrAbortHandler {
			t.Errorf("recovered %v", got)
		}
	}()
	serve(transport.New(exec, transport.Options{}), request(query("{text}")))
}

func TestCancelledAndTimedOut(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	expired, stop := context.WithTimeout(t.Context(), 0)
	defer stop()
	for _, c := range []struct {
		ctx    context.Context
		status int
		code   string
	}{{cancelled, 503, "UNAVAILABLE"}, {expired, 504, "TIMEOUT"}} {
		w := serve(newHandler(), request(query("{blocks}")).WithContext(c.ctx))
		if code := firstCode(t, w.Body); w.Code != c.status || code != c.code {
			t.Errorf("status %d, code %s; want %d %s", w.Code, code, c.status, c.code)
		}
	}
}

// fake is an executor without gqlgen's: New needs no more than the interface.
type fake struct{ resp *graphql.Response }

func (f fake) CreateOperationContext(_ context.Context, p *graphql.RawParams) (*graphql.OperationContext, gqlerror.List) {
	if p.Query == "bad" {
		return nil, gqlerror.List{{Message: "uncoded"}}
	}
	f.resp.Extensions = map[string]any{"variables": p.Variables, "operation": p.OperationName, "sent": p.Extensions, "<": ">"}
	return &graphql.OperationContext{Operation: &ast.OperationDefinition{Operation: ast.Query}}, nil
}

func (f fake) DispatchOperation(ctx context.Context, _ *graphql.OperationContext) (graphql.ResponseHandler, context.Context) {
	return graphql.OneShot(f.resp), ctx
}

func (f fake) DispatchError(_ context.Context, list gqlerror.List) *graphql.Response {
	return &graphql.Response{Errors: list}
}

func TestEnvelopeReachesTheExecutor(t *testing.T) {
	h := transport.New(fake{&graphql.Response{}}, transport.Options{})
	w := serve(h, request(`{"query":"q","operationName":"op","variables":{"n":9007199254740993},"extensions":{"a":1}}`))
	want := `{"data":null,"extensions":{"<":">","operation":"op","sent":{"a":1},"variables":{"n":9007199254740993}}}`
	if w.Body.String() != want {
		t.Errorf("got %s, want %s", w.Body, want)
	}
	if w := serve(h, request(query("bad"))); w.Code != 400 {
		t.Errorf("an uncoded request error: status %d, want 400", w.Code)
	}
}

func TestRefuse(t *testing.T) {
	for code, want := range map[transport.Code]int{
		transport.CodeUnauthenticated: 401, transport.CodeForbidden: 403, transport.CodeThrottled: 429,
		transport.CodeUnavailable: 503, transport.CodeBadRequest: 400, transport.CodeInternal: 500,
	} {
		w := httptest.NewRecorder()
		transport.Refuse(w, request("", "Accept", response), transport.Refusal{
			Code: code, Message: "no <token>", Extensions: map[string]any{"requestId": "r1", "code": "forged"},
		})
		body := fmt.Sprintf(`{"errors":[{"message":"no <token>","extensions":{"code":%q,"requestId":"r1"}}]}`, code)
		if w.Code != want || w.Body.String() != body || !strings.HasPrefix(w.Header().Get("Content-Type"), response) {
			t.Errorf("%s: status %d, body %s", code, w.Code, w.Body)
		}
		if has := w.Header().Get("WWW-Authenticate") != ""; has != (want == 401) {
			t.Errorf("%s: WWW-Authenticate %q", code, w.Header().Get("WWW-Authenticate"))
		}
	}
}

// BenchmarkLargeResponse shows that finished data is copied and not encoded again.
func BenchmarkLargeResponse(b *testing.B) {
	big := `{"text":"` + strings.Repeat("<cmd> & ", 1<<17) + `"}`
	h := transport.New(newExecutor(map[string]behaviour{"text": failing(json.RawMessage(big))}), transport.Options{})
	b.SetBytes(int64(len(big)))
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(discard{http.Header{}}, request(query("{text}")))
	}
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}
