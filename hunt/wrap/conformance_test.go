package wrap_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestConformance holds a wrapped connection to the contract of every connector, with a cache, and with so little memory that batches
// are cut and hardly anything is read ahead.
func TestConformance(t *testing.T) {
	var m *memory.Memory
	add := func(t *testing.T, d hunttest.Data) {
		if err := m.Append(d.Stream, d.Record); err != nil {
			t.Fatal(err)
		}
	}
	open := func(t *testing.T, data []hunttest.Data) hunt.Connector {
		m = memory.Open(hunttest.Identity())
		for _, d := range data {
			add(t, d)
		}
		c := wrap.New(wrap.Opened(m), wrap.Options{
			Ref: hunt.ConnectionRef(hunttest.Identity()), Memory: wrap.NewMemory(64<<10, 8<<10), Cache: wrap.NewCache(1 << 20),
		})
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		return c
	}
	hunttest.Suite{Open: open, Grow: add}.Run(t)
}
