package lake

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// mapText replaces every text of a batch that change says must be changed, in arrays of objects too. It returns rec itself and false
// if there is none.
func mapText(rec arrow.RecordBatch, keep func(string) bool, change func(string) string) (arrow.RecordBatch, bool) {
	m := textMapper{keep, change}
	changed := false
	cols := make([]arrow.Array, rec.NumCols())
	for i, col := range rec.Columns() {
		data := m.data(col.Data())
		if cols[i] = col; data != col.Data() {
			cols[i], changed = array.MakeFromData(data), true
		}
	}
	if !changed {
		return rec, false
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows()), true
}

type textMapper struct {
	keep   func(string) bool
	change func(string) string
}

// data returns d itself if nothing in it must be changed.
func (m textMapper) data(d arrow.ArrayData) arrow.ArrayData {
	if d.DataType().ID() == arrow.STRING {
		return m.text(d)
	}
	kids, changed := make([]arrow.ArrayData, len(d.Children())), false
	for i, k := range d.Children() {
		kids[i] = m.data(k)
		changed = changed || kids[i] != k
	}
	if !changed {
		return d
	}
	return array.NewData(d.DataType(), d.Len(), d.Buffers(), kids, d.NullN(), d.Offset())
}

func (m textMapper) text(d arrow.ArrayData) arrow.ArrayData {
	col := array.NewStringData(d)
	at := 0
	for at < col.Len() && (col.IsNull(at) || m.keep(col.Value(at))) {
		at++
	}
	if at == col.Len() {
		return d
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Reserve(d.Offset() + col.Len())
	// The parent's offsets count from the start of the buffers, so the new array keeps as many values in front.
	b.AppendNulls(d.Offset())
	for i := range col.Len() {
		if col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(m.change(col.Value(i)))
		}
	}
	out := b.NewArray().Data()
	return array.NewData(out.DataType(), d.Len(), out.Buffers(), nil, array.UnknownNullCount, d.Offset())
}
