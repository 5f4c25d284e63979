package vector

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// Row is one row of a batch as hunt.Expr.Match sees it.
type Row struct {
	Record arrow.RecordBatch
	Index  int
}

var _ hunt.Row = Row{}

// Values implements hunt.Row.
func (r Row) Values(path string) []hunt.Value {
	if col := Column(r.Record, path); col != nil {
		return appendValue(nil, col, r.Index)
	}
	list, child := listColumn(r.Record, path)
	if child == nil || list.IsNull(r.Index) {
		return nil
	}
	var out []hunt.Value
	from, to := list.ValueOffsets(r.Index)
	for i := from; i < to; i++ {
		out = appendValue(out, child, int(i))
	}
	return out
}

// Elements implements hunt.Row.
func (r Row) Elements(path string) []hunt.Row {
	list, ok := Column(r.Record, path).(*array.List)
	if !ok || list.IsNull(r.Index) {
		return nil
	}
	var out []hunt.Row
	from, to := list.ValueOffsets(r.Index)
	for i := from; i < to; i++ {
		out = append(out, element{path, list.ListValues().(*array.Struct), int(i)})
	}
	return out
}

// element is one object of an array of objects.
type element struct {
	list  string
	items *array.Struct
	index int
}

func (e element) Values(path string) []hunt.Value {
	leaf, ok := strings.CutPrefix(path, e.list+".")
	if !ok {
		return nil
	}
	if child := structField(e.items, leaf); child != nil {
		return appendValue(nil, child, e.index)
	}
	return nil
}

func (element) Elements(string) []hunt.Row { return nil }

// Column returns the physical column of that name, nil if the batch has none.
func Column(rec arrow.RecordBatch, name string) arrow.Array {
	if i := rec.Schema().FieldIndices(name); len(i) > 0 {
		return rec.Column(i[0])
	}
	return nil
}

// listColumn finds the array of objects that holds path, and the values of path in all its elements.
func listColumn(rec arrow.RecordBatch, path string) (*array.List, arrow.Array) {
	for at := strings.LastIndexByte(path, '.'); at > 0; at = strings.LastIndexByte(path[:at], '.') {
		if list, ok := Column(rec, path[:at]).(*array.List); ok {
			return list, structField(list.ListValues().(*array.Struct), path[at+1:])
		}
	}
	return nil, nil
}

func structField(s *array.Struct, name string) arrow.Array {
	if i, ok := s.DataType().(*arrow.StructType).FieldIdx(name); ok {
		return s.Field(i)
	}
	return nil
}

// appendValue appends the value at i, or nothing if it is missing.
func appendValue(dst []hunt.Value, col arrow.Array, i int) []hunt.Value {
	if col.IsNull(i) {
		return dst
	}
	switch c := col.(type) {
	case *array.String:
		return append(dst, hunt.String(c.Value(i)))
	case *array.Int64:
		return append(dst, hunt.Int(c.Value(i)))
	case *array.Float64:
		return append(dst, hunt.Float(c.Value(i)))
	case *array.Boolean:
		return append(dst, hunt.Bool(c.Value(i)))
	case *array.Timestamp:
		return append(dst, hunt.Time(int64(c.Value(i))))
	case *array.FixedSizeBinary:
		return append(dst, hunt.IPFrom16([16]byte(c.Value(i))))
	}
	return dst
}
