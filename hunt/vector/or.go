package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// compileOr gathers the `contains` of one column under an `or`, so that a list of thousands of keywords is one pass.
func compileOr(o hunt.Or) node {
	type column struct {
		path          string
		caseSensitive bool
	}
	needles := map[column][]string{}
	first := map[column]*hunt.Predicate{}
	var out orNode
	for _, e := range o {
		p, ok := e.(*hunt.Predicate)
		if !ok || p.Op != hunt.Contains {
			out = append(out, compile(e))
			continue
		}
		c := column{p.Path, p.CaseSensitive}
		if first[c] == nil {
			first[c] = p
		}
		needles[c] = append(needles[c], p.Needles()...)
	}
	for c, p := range first {
		text := containsAny(needles[c], c.caseSensitive)
		out = append(out, leafNode{p, func(col arrow.Array, m Mask) {
			if s, ok := col.(*array.String); ok {
				text(s, m)
			}
		}})
	}
	return out
}
