package elastic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// conformanceKey is the API key of the connections under test. The shared nodes have no security and do not look at it.
const conformanceKey = "aGFycmllcjpub3QtYS1yZWFsLWtleQ=="

// underTest is the source that the suite opened last.
type underTest struct {
	node   *node.Node
	proxy  *proxy
	prefix string
	opened int
	inputs int
	faults int
	conn   *elastic.Elastic
}

func (u *underTest) connect(t *testing.T) *elastic.Elastic {
	// Pages are small, so that searches have many.
	cfg := elastic.Config{URLs: []string{u.proxy.URL}, Prefix: u.prefix, APIKey: "env:KEY", PageBytes: 40_000}
	return open(t, cfg, elastic.Options{Secret: func(string) (string, error) { return conformanceKey, nil }})
}

func (u *underTest) open(t *testing.T, data []hunttest.Data) hunt.Connector {
	u.opened++
	u.prefix = fmt.Sprint("conformance", u.opened)
	u.conn = u.connect(t)
	u.ingest(t, data...)
	return u.conn
}

// again connects once more and describes, as a gateway does that starts.
func (u *underTest) again(t *testing.T) hunt.Connector {
	e := u.connect(t)
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return e
}

func (u *underTest) ingest(t *testing.T, data ...hunttest.Data) {
	u.inputs++
	if err := ingest(t.Context(), u.conn, fmt.Sprint("input", u.inputs), data...); err != nil {
		t.Fatal(err)
	}
}

// remove deletes documents as a retention job does: by id, wherever they are.
func (u *underTest) remove(t *testing.T, gone hunttest.Data) {
	var ids []string
	for i := range int(gone.Record.NumRows()) {
		_, uid := vector.KeyAt(gone.Record, i)
		ids = append(ids, uid)
	}
	query, err := json.Marshal(map[string]any{"size": len(ids), "_source": false, "query": map[string]any{"ids": map[string]any{"values": ids}}})
	if err != nil {
		t.Fatal(err)
	}
	hits := do(t, "POST", u.node.URL()+"/"+u.prefix+"-*-events-*/_search", string(query))["hits"].(map[string]any)["hits"].([]any)
	if len(hits) != len(ids) {
		t.Fatalf("%d of %d documents are there", len(hits), len(ids))
	}
	var b bytes.Buffer
	for _, h := range hits {
		fmt.Fprintf(&b, "{\"delete\":{\"_index\":%q,\"_id\":%q}}\n", h.(map[string]any)["_index"], h.(map[string]any)["_id"])
	}
	if answer := do(t, "POST", u.node.URL()+"/_bulk?refresh=true", b.String()); answer["errors"] != false {
		t.Fatalf("documents were not deleted: %v", answer)
	}
}

// fault breaks the way to the node, in turn: connections end, answers are cut, and something between answers that repeats what was sent.
func (u *underTest) fault(*testing.T) func() {
	u.faults++
	switch u.faults % 3 {
	case 0:
		u.proxy.set(hangUp, nil)
		u.proxy.CloseClientConnections()
	case 1:
		u.proxy.set(nil, cutAnswer)
	case 2:
		u.proxy.set(func(w http.ResponseWriter, r *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprintf(w, `{"error":"no route for %s %s"}`, r.URL.Path, r.Header.Get("Authorization"))
			return true
		}, nil)
	}
	return func() { u.proxy.set(nil, nil) }
}

func (u *underTest) throttle(_ *testing.T, requests int, retryAfter time.Duration) {
	var left atomic.Int64
	left.Store(int64(requests))
	u.proxy.set(func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodDelete || left.Add(-1) < 0 { // points in time of searches before are deleted in the background
			return false
		}
		if retryAfter > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"error":{"type":"circuit_breaking_exception","reason":"[parent] Data too large"},"status":429}`)
		return true
	}, nil)
}

// streams are two of the suite's own streams with a part of their attributes, of every type and in every array: a node takes some
// milliseconds for each of thousands of requests.
func streams() []hunt.Stream {
	var out []hunt.Stream
	for uid, each := range map[int64]int{ocsf.ProcessActivity: 2, ocsf.Authentication: 1} {
		class, kinds := ocsf.ByUID(uid), map[string]int{}
		st := hunt.Stream{Name: "conformance", Class: class, Attributes: map[string]bool{}}
		for i := range class.Columns {
			c := &class.Columns[i]
			kind := fmt.Sprint(c.Type, c.List)
			if kinds[kind]++; kinds[kind] <= each {
				st.Attributes[c.Path] = true
			}
		}
		out = append(out, st)
	}
	slices.SortFunc(out, func(a, b hunt.Stream) int { return int(a.Class.UID - b.Class.UID) })
	return out
}

func TestConformance(t *testing.T) {
	var beside sync.RWMutex
	onAll(t, func(t *testing.T, n *node.Node) {
		u := &underTest{node: n, proxy: newProxy(t, n)}
		hunttest.Suite{
			Open:     u.open,
			Connect:  u.again,
			Grow:     func(t *testing.T, more hunttest.Data) { u.ingest(t, more) },
			Remove:   u.remove,
			Fault:    u.fault,
			Throttle: u.throttle,
			Streams:  streams(),
			Rows:     700,
			Secrets:  []string{conformanceKey},
			Beside:   &beside,
		}.Run(t)
	})
}
