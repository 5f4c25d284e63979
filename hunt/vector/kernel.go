package vector

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// kernel selects in m, which is all false, the rows of a column whose value satisfies the comparison.
type kernel func(col arrow.Array, m Mask)

// compilePredicate picks the kernel of a predicate; Exists needs none.
func compilePredicate(p *hunt.Predicate) kernel {
	if p.Op == hunt.Exists {
		return nil
	}
	text := compileText(p)
	return func(col arrow.Array, m Mask) {
		switch c := col.(type) {
		case *array.String:
			text(c, m)
		case *array.Int64:
			selectOrdered(c.Int64Values(), arguments(p, hunt.Value.Num), p.Op, m)
			dropNulls(c, m)
		case *array.Timestamp:
			selectOrdered(c.TimestampValues(), arguments(p, timestamp), p.Op, m)
			dropNulls(c, m)
		case *array.Float64:
			selectEach(c, p, m) // == and Match disagree about NaN
		case *array.Boolean:
			selectEach(c, p, m)
		case *array.FixedSizeBinary:
			selectIP(c, p, m)
		}
	}
}

// arguments returns the arguments of p as the column holds its values.
func arguments[T any](p *hunt.Predicate, arg func(hunt.Value) T) []T {
	out := make([]T, len(p.Args))
	for i, a := range p.Args {
		out[i] = arg(a)
	}
	return out
}

func timestamp(v hunt.Value) arrow.Timestamp { return arrow.Timestamp(v.Num()) }

// selectOrdered compares numbers and times. What it says of a row without a value means nothing.
func selectOrdered[T cmp.Ordered](values, args []T, op hunt.Op, m Mask) {
	if op == hunt.Eq || op == hunt.In {
		for i, v := range values {
			m[i] = slices.Contains(args, v)
		}
		return
	}
	a := args[0]
	for i, v := range values {
		c := cmp.Compare(v, a)
		var on bool
		switch op {
		case hunt.LT:
			on = c < 0
		case hunt.LTE:
			on = c <= 0
		case hunt.GT:
			on = c > 0
		case hunt.GTE:
			on = c >= 0
		}
		m[i] = on
	}
}

// selectEach compares value by value as Match does; it serves the types that have no column worth a loop of its own.
func selectEach(col arrow.Array, p *hunt.Predicate, m Mask) {
	var v []hunt.Value
	for i := range m {
		v = appendValue(v[:0], col, i)
		m[i] = len(v) == 1 && p.Compare(v[0])
	}
}

// selectIP compares addresses as 16 bytes; a block is a range of two of them.
func selectIP(col *array.FixedSizeBinary, p *hunt.Predicate, m Mask) {
	if p.Op != hunt.CIDR {
		selectEach(col, p, m)
		return
	}
	lo, hi := p.Block()
	for i := range m {
		if col.IsValid(i) {
			v := col.Value(i)
			m[i] = bytes.Compare(v, lo[:]) >= 0 && bytes.Compare(v, hi[:]) <= 0
		}
	}
}
