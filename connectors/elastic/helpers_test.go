package elastic_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := elastic.StopNodes(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// onAll runs a test on every product, on all at the same time.
func onAll(t *testing.T, test func(t *testing.T, n *node.Node)) {
	for _, p := range node.Products() {
		t.Run(string(p), func(t *testing.T) {
			t.Parallel()
			test(t, sharedNode(t, p))
		})
	}
}

func sharedNode(t testing.TB, p node.Product) *node.Node { t.Helper(); return elastic.SharedNode(t, p) }

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
