package wrap_test

import (
	"context"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// BenchmarkStack reads searches of a memory connection bare and with everything around it; the ratio is what the host costs. The
// last two are of a source that costs nothing, so that they show the cost of a batch alone.
func BenchmarkStack(b *testing.B) {
	const rows = 400_000
	s := newSource(b, acme(), rows)
	batches := make([]any, 0, 1001)
	batch := &hunt.Batch{Record: events(0, 10_000)}
	for range 1000 {
		batches = append(batches, batch)
	}
	free := newSource(b, acme(), 1)
	free.search = func(context.Context, int, *hunt.Translation, frames) frames {
		return give(append(batches, hunt.End{})...)
	}
	for _, c := range []struct {
		name string
		open func() hunt.Connector
	}{
		{"memory/bare", func() hunt.Connector { return s }},
		{"memory/wrapped", func() hunt.Connector { return described(b, s, wrap.Options{}) }},
		{"free/bare", func() hunt.Connector { return free }},
		{"free/wrapped", func() hunt.Connector { return described(b, free, wrap.Options{}) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			conn := c.open()
			t := translated(b, conn, everything())
			n := 0
			for b.Loop() {
				for f, err := range conn.Search(b.Context(), t) {
					if err != nil {
						b.Fatal(err)
					}
					if _, ok := f.(*hunt.Batch); ok {
						n++
					}
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/batch")
		})
	}
}
