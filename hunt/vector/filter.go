package vector

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// Mask says for each row whether it is selected.
type Mask []bool

// Count returns the number of selected rows.
func (m Mask) Count() int {
	n := 0
	for _, on := range m {
		if on {
			n++
		}
	}
	return n
}

// Filter returns the rows of a batch that satisfy a compiled condition.
func (f *Program) Filter(rec arrow.RecordBatch) Mask {
	return f.root.eval(rows{rec: rec, n: int(rec.NumRows())})
}

// rows is what a condition is evaluated over: the rows of a batch, or all elements of an array of objects in it.
type rows struct {
	rec   arrow.RecordBatch
	items *array.Struct // elements, nil for the rows of the batch
	list  string        // path of the array of objects that items are of
	n     int
}

// column returns the values of path, one per row; nil if there are none.
func (r rows) column(path string) arrow.Array {
	if r.items == nil {
		return Column(r.rec, path)
	}
	leaf, ok := strings.CutPrefix(path, r.list+".")
	if !ok {
		return nil
	}
	return structField(r.items, leaf)
}

// node is a compiled condition.
type node interface{ eval(rows) Mask }

// Program is a condition compiled for columns. It is safe for concurrent use.
type Program struct{ root node }

// Compile prepares a condition for columnar evaluation: keyword lists under one `or` become one automaton.
func Compile(e hunt.Expr) *Program { return &Program{compile(e)} }

func compile(e hunt.Expr) node {
	switch e := e.(type) {
	case hunt.And:
		return andNode(compileAll(e))
	case hunt.Or:
		return compileOr(e)
	case hunt.Not:
		return notNode{compile(e.Expr)}
	case hunt.Some:
		return someNode{e.List, compile(e.Expr)}
	case *hunt.Predicate:
		return leafNode{e, compilePredicate(e)}
	}
	return constNode(true)
}

func compileAll(list []hunt.Expr) []node {
	out := make([]node, len(list))
	for i, e := range list {
		out[i] = compile(e)
	}
	return out
}

type constNode bool

func (c constNode) eval(r rows) Mask {
	m := make(Mask, r.n)
	if c {
		for i := range m {
			m[i] = true
		}
	}
	return m
}

type andNode []node

func (a andNode) eval(r rows) Mask {
	if len(a) == 0 {
		return constNode(true).eval(r)
	}
	m := a[0].eval(r)
	for _, n := range a[1:] {
		for i, on := range n.eval(r) {
			m[i] = m[i] && on
		}
	}
	return m
}

type orNode []node

func (o orNode) eval(r rows) Mask {
	m := make(Mask, r.n)
	for _, n := range o {
		for i, on := range n.eval(r) {
			m[i] = m[i] || on
		}
	}
	return m
}

type notNode struct{ inner node }

func (n notNode) eval(r rows) Mask {
	m := n.inner.eval(r)
	for i := range m {
		m[i] = !m[i]
	}
	return m
}

// someNode evaluates its condition over all elements at once and then asks each row whether one of its elements is selected.
type someNode struct {
	list  string
	inner node
}

func (s someNode) eval(r rows) Mask {
	m := make(Mask, r.n)
	list, ok := r.column(s.list).(*array.List)
	if !ok {
		return m
	}
	items := list.ListValues().(*array.Struct)
	selected := s.inner.eval(rows{rec: r.rec, items: items, list: s.list, n: items.Len()})
	return reduce(list, selected, m)
}

// reduce selects the rows of m that have a selected element.
func reduce(list *array.List, elements, m Mask) Mask {
	for i := range m {
		if list.IsNull(i) {
			continue
		}
		from, to := list.ValueOffsets(i)
		for _, on := range elements[from:to] {
			if on {
				m[i] = true
				break
			}
		}
	}
	return m
}

// leafNode compares one column.
type leafNode struct {
	p *hunt.Predicate
	k kernel
}

func (l leafNode) eval(r rows) Mask {
	if col := r.column(l.p.Path); col != nil {
		return l.values(col)
	}
	m := make(Mask, r.n)
	if r.items == nil {
		if list, child := listColumn(r.rec, l.p.Path); child != nil {
			return l.inList(list, child, m)
		}
	}
	return l.missing(m)
}

// values compares a column that has one value per row.
func (l leafNode) values(col arrow.Array) Mask {
	m := make(Mask, col.Len())
	if l.p.Op == hunt.Exists {
		want := l.p.Args[0].Num() == 1
		for i := range m {
			m[i] = col.IsValid(i) == want
		}
		return m
	}
	l.k(col, m)
	return m
}

// inList holds where any element's value does; `exists: false` where no element has a value.
func (l leafNode) inList(list *array.List, child arrow.Array, m Mask) Mask {
	if l.p.Op != hunt.Exists {
		return reduce(list, l.values(child), m)
	}
	has := make(Mask, child.Len())
	for i := range has {
		has[i] = child.IsValid(i)
	}
	m = reduce(list, has, m)
	if l.p.Args[0].Num() == 0 {
		for i := range m {
			m[i] = !m[i]
		}
	}
	return m
}

// missing is the answer of a column that is missing in every row.
func (l leafNode) missing(m Mask) Mask {
	if l.p.Op == hunt.Exists && l.p.Args[0].Num() == 0 {
		return constNode(true).eval(rows{n: len(m)})
	}
	return m
}
