package columnar

import (
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Writer writes rows of batches by a plan. It belongs to one goroutine.
type Writer struct {
	plan  *Plan
	id    func(hunt.Key) string // global id of a row
	bound map[arrow.RecordBatch]*binding
}

// NewWriter makes a writer. id gives the global id of a row.
func NewWriter(p *Plan, id func(hunt.Key) string) *Writer {
	return &Writer{plan: p, id: id, bound: map[arrow.RecordBatch]*binding{}}
}

// binding is a plan bound to the columns of one batch.
type binding struct {
	root boundObject
}

// boundObject writes an object; it says whether any value in it is there.
type boundObject struct {
	fields []boundField
}

type boundField struct {
	key   []byte
	write func(b []byte, row int, in *exec.Rows) ([]byte, bool)
}

// Append appends row of the rows as a JSON object.
func (w *Writer) Append(b []byte, rows *exec.Rows, row int) []byte {
	bind := w.bound[rows.Record]
	if bind == nil {
		bind = w.bind(rows.Record)
		w.bound[rows.Record] = bind
	}
	b, _ = bind.root.append(b, row, rows)
	return b
}

// Key returns the place of a row in the order of the answer.
func Key(rows *exec.Rows, row int) hunt.Key {
	rec := rows.Record
	return hunt.Key{Time: int64(rec.Column(1).(*array.Timestamp).Value(row)), Tenant: rows.Ref.Tenant, Connection: rows.Ref.Connection,
		UID: rec.Column(0).(*array.String).Value(row)}
}

func (o *boundObject) append(b []byte, row int, in *exec.Rows) ([]byte, bool) {
	b = append(b, '{')
	found := false
	for i := range o.fields {
		f := &o.fields[i]
		if i > 0 {
			b = append(b, ',')
		}
		var there bool
		b, there = f.write(append(b, f.key...), row, in)
		found = found || there
	}
	return append(b, '}'), found
}

func (w *Writer) bind(rec arrow.RecordBatch) *binding {
	b := &binding{}
	b.root = w.object(w.plan.root, func(path string) arrow.Array { return vector.Column(rec, path) })
	return b
}

// object binds a selection; column finds the array of a path.
func (w *Writer) object(o *object, column func(string) arrow.Array) boundObject {
	var out boundObject
	for _, f := range o.fields {
		out.fields = append(out.fields, boundField{f.key, w.field(o, f, column)})
	}
	return out
}

func (w *Writer) field(o *object, f field, column func(string) arrow.Array) func([]byte, int, *exec.Rows) ([]byte, bool) {
	switch f.kind {
	case typeNameField:
		name := AppendString(nil, o.typeName)
		return func(b []byte, _ int, _ *exec.Rows) ([]byte, bool) { return append(b, name...), false }
	case fixedField:
		return w.fixed(f.fixed)
	case objectField:
		return nested(w.object(f.sub, column))
	case listField:
		if list, ok := column(f.list).(*array.List); ok {
			return w.list(f.sub, list, f.list)
		}
		return null
	}
	if f.col == nil {
		return null
	}
	return leaf(f.col, column(f.col.Path))
}

func null(b []byte, _ int, _ *exec.Rows) ([]byte, bool) { return append(b, "null"...), false }

// nested writes an object, or null if nothing of what is selected in it is there.
func nested(o boundObject) func([]byte, int, *exec.Rows) ([]byte, bool) {
	return func(b []byte, row int, in *exec.Rows) ([]byte, bool) {
		start := len(b)
		b, found := o.append(b, row, in)
		if !found {
			return append(b[:start], "null"...), false
		}
		return b, true
	}
}

// list writes an array of objects; null if it is missing. An element of which nothing is selected that is there is still an object.
func (w *Writer) list(o *object, list *array.List, path string) func([]byte, int, *exec.Rows) ([]byte, bool) {
	items := list.ListValues().(*array.Struct)
	elem := w.object(o, func(p string) arrow.Array {
		if len(p) <= len(path) {
			return nil
		}
		if i, ok := items.DataType().(*arrow.StructType).FieldIdx(p[len(path)+1:]); ok {
			return items.Field(i)
		}
		return nil
	})
	return func(b []byte, row int, in *exec.Rows) ([]byte, bool) {
		if list.IsNull(row) {
			return append(b, "null"...), false
		}
		b = append(b, '[')
		from, to := list.ValueOffsets(row)
		for i := from; i < to; i++ {
			if i > from {
				b = append(b, ',')
			}
			b, _ = elem.append(b, int(i), in)
		}
		return append(b, ']'), true
	}
}

// fixed writes what all events have and no column holds.
func (w *Writer) fixed(name string) func([]byte, int, *exec.Rows) ([]byte, bool) {
	switch name {
	case "id":
		return func(b []byte, row int, in *exec.Rows) ([]byte, bool) {
			return AppendString(b, w.id(Key(in, row))), true
		}
	case "tenant":
		return func(b []byte, _ int, in *exec.Rows) ([]byte, bool) { return AppendString(b, in.Ref.Tenant), true }
	case "connection":
		return func(b []byte, _ int, in *exec.Rows) ([]byte, bool) { return AppendString(b, in.Ref.Connection), true }
	}
	class := AppendString(nil, ocsf.ClassCaption(w.plan.class.UID))
	return func(b []byte, _ int, _ *exec.Rows) ([]byte, bool) { return append(b, class...), true }
}

// leaf writes the values of one column; a column that the batch lacks is null in every row.
func leaf(col *ocsf.Column, values arrow.Array) func([]byte, int, *exec.Rows) ([]byte, bool) {
	put := leafWriter(col, values)
	if put == nil {
		return null
	}
	return func(b []byte, row int, in *exec.Rows) ([]byte, bool) {
		if values.IsNull(row) {
			return append(b, "null"...), false
		}
		return put(b, row), true
	}
}

func leafWriter(col *ocsf.Column, values arrow.Array) func([]byte, int) []byte {
	switch c := values.(type) {
	case *array.String:
		if col.Type == ocsf.JSON {
			return func(b []byte, i int) []byte { return appendJSON(b, c.Value(i)) }
		}
		return func(b []byte, i int) []byte { return AppendString(b, c.Value(i)) }
	case *array.Int64:
		if col.Type == ocsf.Enum {
			return enumWriter(col.Enum, c)
		}
		return func(b []byte, i int) []byte { return strconv.AppendInt(b, c.Value(i), 10) }
	case *array.Float64:
		return func(b []byte, i int) []byte { return appendFloat(b, c.Value(i)) }
	case *array.Boolean:
		return func(b []byte, i int) []byte { return strconv.AppendBool(b, c.Value(i)) }
	case *array.Timestamp:
		return func(b []byte, i int) []byte { return appendTime(b, int64(c.Value(i))) }
	case *array.FixedSizeBinary:
		return func(b []byte, i int) []byte {
			return append(append(append(b, '"'), hunt.FormatIP([16]byte(c.Value(i)))...), '"')
		}
	}
	return nil
}

// enumWriter writes captions; a number without one is null.
func enumWriter(table *ocsf.EnumTable, c *array.Int64) func([]byte, int) []byte {
	captions := map[int64][]byte{}
	for _, v := range table.Values {
		captions[v.ID] = AppendString(nil, v.Name)
	}
	other := []byte("null")
	if text := table.Caption(-1); text != "" {
		other = AppendString(nil, text)
	}
	return func(b []byte, i int) []byte {
		if text, ok := captions[c.Value(i)]; ok {
			return append(b, text...)
		}
		return append(b, other...)
	}
}

// appendJSON appends a JSON value as it is; a text that is no JSON, or no UTF-8, as a string.
func appendJSON(b []byte, s string) []byte {
	if utf8.ValidString(s) && json.Valid([]byte(s)) {
		return append(b, s...)
	}
	return AppendString(b, s)
}
