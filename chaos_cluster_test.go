package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
)

// wire is what stands between a connection and its search node, and spoils what passes.
type wire struct {
	*httptest.Server
	node   *node.Node
	spoil  atomic.Pointer[http.HandlerFunc] // in place of the node, nil for none
	direct http.Handler
}

// newWire stands in front of a node.
func newWire(t *testing.T, n *node.Node) *wire {
	t.Helper()
	to, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(to)
	proxy.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, err error) { w.WriteHeader(http.StatusBadGateway) }
	w := &wire{node: n, direct: proxy}
	w.Server = httptest.NewServer(w)
	t.Cleanup(w.Close)
	return w
}

// ServeHTTP implements http.Handler.
func (w *wire) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	if spoil := w.spoil.Load(); spoil != nil {
		(*spoil)(out, r)
		return
	}
	w.direct.ServeHTTP(out, r)
}

// cluster adds a connection to a search node behind a wire; where no node can be started there is none.
func (w *chaos) cluster(data string) {
	if err := node.Available(node.OpenSearch); err != nil {
		w.t.Logf("no search node takes part: %v", err)
		return
	}
	n := nodetest.Start(w.t, node.Options{Product: node.OpenSearch})
	between := newWire(w.t, n)
	connection := fmt.Sprintf("connector: elastic, settings: {urls: [%q], refresh: 200ms}", between.URL)
	conf := configuration(w.t, connection)
	if status, _, errs := run(w.t, "ingest", "-c", conf, "--into", "demo", data); status != 0 {
		w.t.Fatalf("ingest: %s", errs)
	}
	w.process("cluster", connection)
	last := w.victims[len(w.victims)-1]
	last.faults, last.pid = between.faults(), nil
}

// answers is a fault in which the wire answers in place of the node.
func (w *wire) answers(name string, allowed []string, spoil http.HandlerFunc) fault {
	return fault{name, allowed, func(*victim) func() {
		w.spoil.Store(&spoil)
		return func() { w.spoil.Store(nil) }
	}}
}

func (w *wire) faults() []fault {
	down := []string{"FAILED SOURCE_UNAVAILABLE", "FAILED SOURCE_SUSPENDED", "PARTIAL SOURCE_UNAVAILABLE", "TIMED_OUT SOURCE_TIMEOUT"}
	return []fault{
		w.answers("503", down, func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusServiceUnavailable) }),
		w.answers("429", []string{"THROTTLED SOURCE_THROTTLED", "TIMED_OUT SOURCE_TIMEOUT", "FAILED SOURCE_SUSPENDED", "PARTIAL SOURCE_THROTTLED"}, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Retry-After", "1")
			out.WriteHeader(http.StatusTooManyRequests)
		}),
		w.answers("401", []string{"DENIED SOURCE_DENIED", "FAILED SOURCE_SUSPENDED", "PARTIAL SOURCE_DENIED"}, func(out http.ResponseWriter, _ *http.Request) { out.WriteHeader(http.StatusUnauthorized) }),
		w.answers("garbage", []string{"FAILED SOURCE_DAMAGED", "FAILED SOURCE_UNAVAILABLE", "FAILED SOURCE_FAILED", "FAILED SOURCE_SUSPENDED", "PARTIAL SOURCE_DAMAGED"}, func(out http.ResponseWriter, _ *http.Request) {
			out.Header().Set("Content-Type", "application/json")
			_, _ = out.Write([]byte(`{"took": 1, "hits": {"hits": [{"_id": "x", "_sou`))
		}),
		w.answers("cut", append([]string{"FAILED SOURCE_DAMAGED", "PARTIAL SOURCE_DAMAGED"}, down...), func(out http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(out).Hijack(); err == nil {
				_, _ = conn.Write([]byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4000\r\n\r\n{\"took\""))
				_ = conn.(*net.TCPConn).SetLinger(0)
				_ = conn.Close()
			}
		}),
		w.answers("slow", []string{"COMPLETE", "TIMED_OUT SOURCE_TIMEOUT", "FAILED SOURCE_SUSPENDED"}, func(out http.ResponseWriter, r *http.Request) {
			select {
			case <-time.After(20 * time.Millisecond): // the fault itself
				w.direct.ServeHTTP(out, r)
			case <-r.Context().Done():
			}
		}),
		{"node restarts", append([]string{"COMPLETE"}, down...), func(*victim) func() {
			done := make(chan error, 1)
			go func() { done <- w.node.Restart(context.Background()) }()
			return func() { <-done }
		}},
	}
}
