package lake_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

func open(t *testing.T, root string) *lake.Lake {
	t.Helper()
	l, err := lake.Open(t.Context(), hunttest.Identity(), lake.Config{Path: root, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func ingest(t *testing.T, l *lake.Lake, digest string, data ...hunttest.Data) {
	t.Helper()
	w, err := l.Begin(t.Context(), hunt.Input{Name: digest + ".jsonl", Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range data {
		if err := w.Append(d.Stream, d.Record); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(hunt.Counts{}); err != nil {
		t.Fatal(err)
	}
}

func TestConformance(t *testing.T) {
	var l *lake.Lake
	var root string
	grown := 0
	hunttest.Suite{
		Open: func(t *testing.T, data []hunttest.Data) hunt.Connector {
			root = t.TempDir()
			l = open(t, root)
			ingest(t, l, "first", data...)
			return l
		},
		Connect: func(t *testing.T) hunt.Connector { return open(t, root) },
		Grow: func(t *testing.T, more hunttest.Data) {
			grown++
			ingest(t, l, fmt.Sprint("more", grown), more)
		},
		Fault: func(t *testing.T) func() { return cutFiles(t, root) },
	}.Run(t)
}

// cutFiles cuts every second Parquet file in half, and returns how to make them whole again.
func cutFiles(t *testing.T, root string) (mend func()) {
	t.Helper()
	whole := map[string][]byte{}
	for i, path := range parquetFiles(t, root) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			whole[path] = text
			writeFile(t, path, text[:len(text)/2])
		}
	}
	return func() {
		for path, text := range whole {
			writeFile(t, path, text)
		}
	}
}

func writeFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
