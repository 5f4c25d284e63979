package elastic

import (
	"context"
	"errors"
	"sync"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
)

// SharedNode returns the node of a product that all tests share, those of package elastic_test too. The first test that wants one starts
// it; StopNodes ends it. Tests take names of indices of their own and put back what they change of the cluster. It skips the test where
// there is no Java that is new enough, no Maven or no jars; any other failure fails it.
func SharedNode(t testing.TB, p node.Product) *node.Node {
	t.Helper()
	n, err := sharedNodes[p]()
	switch {
	case errors.Is(err, node.ErrNoJava) || errors.Is(err, node.ErrNoJars):
		t.Skip(err)
	case err != nil:
		t.Fatal(err)
	}
	return n
}

var sharedNodes = func() map[node.Product]func() (*node.Node, error) {
	all := map[node.Product]func() (*node.Node, error){}
	for _, p := range node.Products() {
		all[p] = startOnce(p)
	}
	return all
}()

var startedNodes struct {
	sync.Mutex
	list []*node.Node
}

func startOnce(p node.Product) func() (*node.Node, error) {
	return sync.OnceValues(func() (*node.Node, error) {
		if err := node.Available(p); err != nil {
			return nil, err
		}
		o := node.Options{Product: p, HeapMB: 1024}
		if p == node.Elasticsearch9 { // it counts a document four times, and by default takes no more than a tenth of the heap
			o.Settings = map[string]string{"indexing_pressure.memory.limit": "25%"}
		}
		n, err := node.Start(context.Background(), o)
		if err != nil {
			return nil, err
		}
		startedNodes.Lock()
		defer startedNodes.Unlock()
		startedNodes.list = append(startedNodes.list, n)
		return n, nil
	})
}

// StopNodes ends the shared nodes.
func StopNodes() error {
	startedNodes.Lock()
	defer startedNodes.Unlock()
	var err error
	for _, n := range startedNodes.list {
		if e := n.Stop(); e != nil {
			err = e
		}
	}
	return err
}
