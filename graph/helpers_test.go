package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wide is a range that holds every time of a random batch; its ends are what RFC 3339 can write.
const wide = `{start: "0001-01-02T00:00:00Z", end: "9999-12-31T00:00:00Z"}`

// world is a gateway in process: connections, a clock and who asks.
type world struct {
	t        testing.TB
	resolver *graph.Resolver
	exec     *executor.Executor
	who      *access.Principal
	now      *time.Time
}

// newWorld makes a gateway over connections, asked by alice of tenant acme.
func newWorld(t testing.TB, conns ...exec.Connection) *world {
	now := time.UnixMicro(hunttest.Window().End)
	w := &world{t: t, who: &access.Principal{Name: "alice", Tenants: []string{"acme"}}, now: &now}
	w.resolver = &graph.Resolver{
		Engine: &exec.Engine{Connections: conns}, CursorKey: []byte("a key of thirty-two bytes, no less"),
		Now: func() time.Time { return *w.now },
	}
	w.exec = graph.NewExecutor(w.resolver)
	return w
}

// as is the same gateway asked by somebody else.
func (w *world) as(name string, tenants ...string) *world {
	other := *w
	other.who = &access.Principal{Name: name, Tenants: tenants}
	return &other
}

// connection keeps a connector of a tenant, without retries.
func connection(tenant, name string, c hunt.Connector) exec.Connection {
	return opening(tenant, name, wrap.Opened(c), 0)
}

// opening keeps what open opens, with a deadline.
func opening(tenant, name string, open wrap.Opener, deadline time.Duration) exec.Connection {
	return exec.Connect("memory", open, wrap.Options{Ref: hunt.ConnectionRef{Tenant: tenant, Connection: name}, Retry: wrap.Retry{Tries: 1}, Deadline: deadline})
}

// stream is a stream of a class that fills every column.
func stream(class *ocsf.Class) *hunt.Stream {
	return &hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}
}

// filled is a connection with random events of classes.
func filled(t testing.TB, seed uint64, tenant, name string, rows int, classes ...int64) (*memory.Memory, exec.Connection) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1))
	m := memory.Open(hunt.Identity{Tenant: tenant, Connection: name})
	for _, uid := range classes {
		class := ocsf.ByUID(uid)
		add(t, m, stream(class), hunttest.RandomBatch(rng, class, rows, hunttest.Untimed()))
	}
	return m, connection(tenant, name, m)
}

func add(t testing.TB, m *memory.Memory, st *hunt.Stream, rec arrow.RecordBatch) {
	t.Helper()
	if err := m.Append(st, rec); err != nil {
		t.Fatal(err)
	}
}

// reply is a response as a client reads it.
type reply struct {
	Data   map[string]any
	Errors []*gqlerror.Error
	raw    []byte
}

type vars = map[string]any

// ask runs a document with the executor of the world. Variables go through JSON, as they do over HTTP.
func (w *world) ask(query string, variables vars) *reply {
	w.t.Helper()
	return w.run(w.exec, query, variables)
}

// response is what the executor gives, before it is read.
func (w *world) response(e *executor.Executor, query string, variables vars) *graphql.Response {
	w.t.Helper()
	resp, err := graph.Execute(w.context(), e, w.who, &graphql.RawParams{Query: query, Variables: wire(w.t, variables)})
	if err != nil {
		w.t.Fatalf("%s: %v", query, err)
	}
	return resp
}

func (w *world) run(e *executor.Executor, query string, variables vars) *reply {
	w.t.Helper()
	resp := w.response(e, query, variables)
	r := &reply{Errors: resp.Errors, raw: resp.Data}
	if len(resp.Data) > 0 {
		dec := json.NewDecoder(bytes.NewReader(resp.Data))
		dec.UseNumber()
		if err := dec.Decode(&r.Data); err != nil {
			w.t.Fatalf("%s: %v in %s", query, err, resp.Data)
		}
	}
	return r
}

func (w *world) context() context.Context {
	if t, ok := w.t.(*testing.T); ok {
		return t.Context()
	}
	return context.Background()
}

// wire passes variables through JSON, with numbers as the transport reads them.
func wire(t testing.TB, v vars) vars {
	t.Helper()
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	out := vars{}
	if err := dec.Decode(&out); err != nil {
		t.Fatal(err)
	}
	return out
}

// must is ask for what has to succeed without errors.
func (w *world) must(query string, variables vars) *reply {
	w.t.Helper()
	r := w.ask(query, variables)
	if len(r.Errors) > 0 {
		w.t.Fatalf("%s\n%v: %v", query, variables, r.Errors)
	}
	return r
}

// at walks an answer: names of objects and numbers of lists, split at dots.
func at(v any, path string) any {
	for _, key := range strings.Split(path, ".") {
		switch x := v.(type) {
		case map[string]any:
			v = x[key]
		case []any:
			var i int
			if _, err := fmt.Sscan(key, &i); err != nil || i >= len(x) {
				return nil
			}
			v = x[i]
		default:
			return nil
		}
	}
	return v
}

func (r *reply) at(path string) any { return at(r.Data, path) }

// text is the value at a path as text.
func (r *reply) text(path string) string { return fmt.Sprint(r.at(path)) }

// list is the list at a path.
func (r *reply) list(path string) []any { l, _ := r.at(path).([]any); return l }

// uids are the uids of the nodes of a root field.
func (r *reply) uids(root string) []string {
	out := []string{}
	for _, n := range r.list(root + ".nodes") {
		out = append(out, at(n, "uid").(string))
	}
	return out
}

// refused checks that an answer is one error with a code and a path, and no data.
func (r *reply) refused(t testing.TB, what, code, path string) {
	t.Helper()
	if len(r.Errors) != 1 {
		t.Errorf("%s: errors are %v, want one of code %s; data %s", what, r.Errors, code, r.raw)
		return
	}
	for name, v := range r.Data {
		if v != nil {
			t.Errorf("%s: refused, but %s is there", what, name)
		}
	}
	ext := r.Errors[0].Extensions
	got, _ := ext["path"].(string)
	if ext["code"] != code || got != path {
		t.Errorf("%s: code %v, path %q (%s); want %s, %q", what, ext["code"], got, r.Errors[0].Message, code, path)
	}
}
