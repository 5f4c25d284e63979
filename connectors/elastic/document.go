package elastic

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// A document that this package writes is the OCSF event as nested objects: `{"process":{"name":"cmd.exe"}}`. Missing values are left
// out, arrays of objects stay arrays, an address is its shortest text, a time is microseconds since 1970 as an integer. `@timestamp` is
// the time of the event once more, in milliseconds, for dashboards. Columns of JSON hold it as text. Text that is no UTF-8 is written
// as escape.go says. What JSON has no number for is the text Infinity, -Infinity or NaN.
//
// harrier.writer is the request that wrote the document.
//
// harrier.long lists what a query of the index alone would get wrong: the paths of text columns whose value is longer than the index
// takes or holds escaped bytes, and PATH=+Inf, PATH=-Inf and PATH=NaN for such numbers. An object in an array has a list of its own.

// timestampField is the field of the time for dashboards.
const timestampField = "@timestamp"

// writerField is the field of the request that wrote the document: if a connection breaks, it tells events that were taken all the same
// from those that were there before.
const writerField = "harrier.writer"

// encoder writes the rows of batches of one class as documents. It belongs to one goroutine.
type encoder struct {
	root   *docNode
	writer string   // the request that writes the document
	long   []string // of the row, or of the element
	time   *docNode
}

// docNode is an object, a value or an array of objects in a document.
type docNode struct {
	key   string // `"name":`
	path  string // of a value: the column's
	kids  []*docNode
	field int // of a value or an array: which column, or which field of an element; -1 of an object
	list  bool
	index bool // text that is indexed
	col   arrow.Array
}

// newEncoder makes an encoder of batches of class with the schema.
func newEncoder(class *ocsf.Class, schema *arrow.Schema) *encoder {
	e := &encoder{root: &docNode{field: -1}}
	for i, f := range schema.Fields() {
		n := e.root.at(f.Name)
		n.field, n.path = i, f.Name
		n.index = f.Name != ocsf.ColRaw && f.Name != ocsf.ColUnmapped
		if f.Name == ocsf.ColTime {
			e.time = n
		}
		for k, c := range class.List(f.Name) {
			n.list = true
			kid := n.at(c.Leaf())
			kid.field, kid.path, kid.index = k, c.Path, true
		}
	}
	return e
}

// at finds the place of a dotted path, and makes it if there is none.
func (n *docNode) at(path string) *docNode {
	name, rest, more := strings.Cut(path, ".")
	key := quote(name) + ":"
	i := slices.IndexFunc(n.kids, func(k *docNode) bool { return k.key == key })
	if i < 0 {
		i = len(n.kids)
		n.kids = append(n.kids, &docNode{key: key, field: -1})
	}
	if !more {
		return n.kids[i]
	}
	return n.kids[i].at(rest)
}

// bind makes the encoder write rows of rec, which must have its schema and stay alive.
func (e *encoder) bind(rec arrow.RecordBatch) {
	e.root.bind(func(field int) arrow.Array { return rec.Column(field) })
}

func (n *docNode) bind(column func(int) arrow.Array) {
	if n.field >= 0 {
		n.col = column(n.field)
	}
	if n.list {
		elements := n.col.(*array.List).ListValues().(*array.Struct)
		column = elements.Field
	}
	for _, k := range n.kids {
		k.bind(column)
	}
}

// append appends the document of a row of the batch that was bound last.
func (e *encoder) append(dst []byte, row int) []byte {
	e.long = e.long[:0]
	dst = append(dst, '{')
	if e.time != nil && e.time.col.IsValid(row) {
		ms := floorBy(int64(e.time.col.(*array.Timestamp).Value(row)), 1000)
		dst = strconv.AppendInt(append(dst, `"@timestamp":`...), ms, 10)
	}
	dst = e.kids(dst, e.root, row)
	dst = append(append(append(comma(dst), `"harrier":{"writer":"`...), e.writer...), '"')
	return append(e.marks(dst), "}}"...)
}

// marks appends the list of what the index does not hold as it is.
func (e *encoder) marks(dst []byte) []byte {
	if len(e.long) == 0 {
		return dst
	}
	dst = append(comma(dst), `"long":[`...)
	for i, path := range e.long {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendQuoted(dst, path)
	}
	return append(dst, ']')
}

// comma appends a comma unless dst ends with the beginning of an object or array.
func comma(dst []byte) []byte {
	if c := dst[len(dst)-1]; c != '{' && c != '[' {
		return append(dst, ',')
	}
	return dst
}

func (e *encoder) kids(dst []byte, n *docNode, row int) []byte {
	for _, k := range n.kids {
		dst = e.member(dst, k, row)
	}
	return dst
}

// member appends a value with its key, or nothing if there is none.
func (e *encoder) member(dst []byte, n *docNode, row int) []byte {
	start := len(dst)
	if n.field < 0 {
		dst = append(append(comma(dst), n.key...), '{')
		inside := len(dst)
		if dst = e.kids(dst, n, row); len(dst) == inside {
			return dst[:start]
		}
		return append(dst, '}')
	}
	if n.col.IsNull(row) {
		return dst
	}
	dst = append(comma(dst), n.key...)
	if n.list {
		return e.list(dst, n, row)
	}
	return e.value(dst, n, row)
}

// list appends an array of objects. Its elements list what the index does not hold of them.
func (e *encoder) list(dst []byte, n *docNode, row int) []byte {
	outer := e.long
	dst = append(dst, '[')
	col := n.col.(*array.List)
	elements := col.ListValues()
	from, to := col.ValueOffsets(row)
	for i := from; i < to; i++ {
		e.long = nil
		dst = append(comma(dst), '{')
		if elements.IsValid(int(i)) {
			dst = e.kids(dst, n, int(i))
		}
		if len(e.long) > 0 {
			dst = append(e.marks(append(comma(dst), `"harrier":{`...)), '}')
		}
		dst = append(dst, '}')
	}
	e.long = outer
	return append(dst, ']')
}

func (e *encoder) value(dst []byte, n *docNode, row int) []byte {
	switch c := n.col.(type) {
	case *array.String:
		return e.text(dst, n, c.Value(row))
	case *array.Int64:
		return strconv.AppendInt(dst, c.Value(row), 10)
	case *array.Float64:
		return e.float(dst, n, c.Value(row))
	case *array.Boolean:
		return strconv.AppendBool(dst, c.Value(row))
	case *array.Timestamp:
		return strconv.AppendInt(dst, int64(c.Value(row)), 10)
	case *array.FixedSizeBinary:
		return append(append(append(dst, '"'), hunt.FormatIP([16]byte(c.Value(row)))...), '"')
	}
	return append(dst, "null"...) // hunt.Schema has no other types
}

func (e *encoder) text(dst []byte, n *docNode, s string) []byte {
	plain := hunt.IsPlainText(s)
	if !plain {
		s = hunt.EscapeText(s)
	}
	if n.index && (!plain || len(s) > longest && utf16Len(s) > longest) {
		e.long = append(e.long, n.path)
	}
	return appendQuoted(dst, s)
}

func (e *encoder) float(dst []byte, n *docNode, f float64) []byte {
	switch {
	case f == 0 && math.Signbit(f):
		return append(dst, "-0.0"...)
	case !math.IsInf(f, 0) && !math.IsNaN(f):
		return strconv.AppendFloat(dst, f, 'g', -1, 64)
	}
	e.long = append(e.long, oddFloat(n.path, f))
	name := "NaN"
	if math.IsInf(f, 1) {
		name = "Infinity"
	} else if math.IsInf(f, -1) {
		name = "-Infinity"
	}
	return append(append(append(dst, '"'), name...), '"')
}
