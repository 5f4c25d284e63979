package elastic_test

import (
	"fmt"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

func TestConformance(t *testing.T) {
	onBoth(t, func(t *testing.T, n *node.Node) {
		var e *elastic.Elastic
		grown := 0
		hunttest.Suite{
			Open: func(t *testing.T, data []hunttest.Data) hunt.Connector {
				grown++
				e = open(t, elastic.Config{URLs: []string{n.URL()}, Prefix: fmt.Sprint("conformance", grown)}, elastic.Options{})
				if err := ingest(t.Context(), e, "first", data...); err != nil {
					t.Fatal(err)
				}
				return e
			},
			Grow: func(t *testing.T, more hunttest.Data) {
				grown++
				if err := ingest(t.Context(), e, fmt.Sprint("more", grown), more); err != nil {
					t.Fatal(err)
				}
			},
		}.Run(t)
	})
}
