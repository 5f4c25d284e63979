package wrap_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestConformance holds a wrapped connection to the contract of every connector: as it is, with so little memory that every batch is cut
// and nothing is read ahead, and with a cache.
func TestConformance(t *testing.T) {
	for name, options := range map[string]func() wrap.Options{
		"default":       func() wrap.Options { return wrap.Options{} },
		"little memory": func() wrap.Options { return wrap.Options{Memory: wrap.NewMemory(4096, 1024)} },
		"cache":         func() wrap.Options { return wrap.Options{Cache: wrap.NewCache(1 << 20)} },
	} {
		t.Run(name, func(t *testing.T) {
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
				o := options()
				o.Ref = hunt.ConnectionRef(hunttest.Identity())
				c := wrap.New(wrap.Opened(m), o)
				if _, err := c.Describe(t.Context()); err != nil {
					t.Fatal(err)
				}
				return c
			}
			hunttest.Suite{Open: open, Grow: add}.Run(t)
		})
	}
}
