package elastic_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// shared are the nodes that tests share, started when the first test wants one.
var shared = map[node.Product]func() (*node.Node, error){
	node.Elasticsearch: startOnce(node.Options{Product: node.Elasticsearch, HeapMB: 1024}),
	node.OpenSearch:    startOnce(node.Options{Product: node.OpenSearch, HeapMB: 1024}),
}

var started struct {
	sync.Mutex
	nodes []*node.Node
}

func startOnce(o node.Options) func() (*node.Node, error) {
	return sync.OnceValues(func() (*node.Node, error) {
		if err := node.Available(o.Product); err != nil {
			return nil, err
		}
		n, err := node.Start(context.Background(), o)
		if err == nil {
			started.Lock()
			defer started.Unlock()
			started.nodes = append(started.nodes, n)
		}
		return n, err
	})
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, n := range started.nodes {
		if err := n.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

func products() []node.Product { return []node.Product{node.Elasticsearch, node.OpenSearch} }

// onBoth runs a test on both products.
func onBoth(t *testing.T, test func(t *testing.T, n *node.Node)) {
	for _, p := range products() {
		t.Run(string(p), func(t *testing.T) { test(t, sharedNode(t, p)) })
	}
}

func sharedNode(t testing.TB, p node.Product) *node.Node {
	t.Helper()
	n, err := shared[p]()
	if err != nil {
		t.Skip(err)
	}
	return n
}

// open connects with settings for tests: descriptions are always new.
func open(t testing.TB, cfg elastic.Config, o elastic.Options) *elastic.Elastic {
	t.Helper()
	if cfg.Refresh == 0 {
		cfg.Refresh = 1
	}
	e, err := elastic.Open(t.Context(), hunttest.Identity(), cfg, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func ingest(ctx context.Context, e *elastic.Elastic, digest string, data ...hunttest.Data) error {
	w, err := e.Begin(ctx, hunt.Input{Name: digest + ".jsonl", Digest: digest})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, d := range data {
		if err := w.Append(d.Stream, d.Record); err != nil {
			return err
		}
	}
	return w.Commit(hunt.Counts{})
}
