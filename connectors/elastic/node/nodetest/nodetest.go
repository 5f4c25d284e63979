package nodetest

import (
	"errors"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
)

// Start runs a node until the end of the test, its clean-up functions included that were registered later. It skips the test, with what
// to install, where there is no JDK or Maven or where the jars cannot be fetched; any other failure fails the test. Without a Log the
// node writes to the output of the test.
func Start(t testing.TB, o node.Options) *node.Node {
	t.Helper()
	if err := node.Available(o.Product); errors.Is(err, node.ErrNoJava) {
		t.Skip(err)
	}
	if o.Log == nil {
		o.Log = t.Output()
	}
	n, err := node.Start(t.Context(), o)
	if errors.Is(err, node.ErrNoJars) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}
