package host_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// TestConformance holds that a connector behind the wire is the connector that it is without it.
func TestConformance(t *testing.T) {
	folder := ""
	add := func(t *testing.T, d hunttest.Data) { save(t, folder, d) }
	hunttest.Suite{Grow: add, Open: func(t *testing.T, data []hunttest.Data) hunt.Connector {
		folder = t.TempDir()
		for _, d := range data {
			add(t, d)
		}
		s := setup(t)
		s.Settings, s.BaseFolder = []byte("folder: ."), folder
		return open(t, config(t, "files"), s)
	}}.Run(t)
}
