package lake_test

import (
	"fmt"
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
	grown := 0
	hunttest.Suite{
		Open: func(t *testing.T, data []hunttest.Data) hunt.Connector {
			l = open(t, t.TempDir())
			ingest(t, l, "first", data...)
			return l
		},
		Grow: func(t *testing.T, more hunttest.Data) {
			grown++
			ingest(t, l, fmt.Sprint("more", grown), more)
		},
	}.Run(t)
}
