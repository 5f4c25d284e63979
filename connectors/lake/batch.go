package lake

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/arrow/util"

	"github.com/harrier-xdr/harrier/hunt"
)

// Bounds of a batch that is sent. DuckDB's own batches have 2,048 rows.
const (
	batchRows  = 16 * 1024
	batchBytes = 8 << 20
)

// collector makes large batches in Go's memory out of DuckDB's small ones.
type collector struct {
	schema  *arrow.Schema
	escaped bool // some text may have stored bytes
	chunks  []arrow.RecordBatch
	rows    int64
	bytes   int64
}

// add keeps a batch and says whether it is time to take.
func (c *collector) add(rec arrow.RecordBatch) bool {
	rec.Retain()
	c.chunks = append(c.chunks, rec)
	c.rows += rec.NumRows()
	c.bytes += util.TotalRecordSize(rec)
	return c.rows >= batchRows || c.bytes >= batchBytes
}

// take copies what was kept into one batch of the schema; nil if there is nothing.
func (c *collector) take() (arrow.RecordBatch, error) {
	defer c.release()
	if c.rows == 0 {
		return nil, nil
	}
	if got := int(c.chunks[0].NumCols()); got != c.schema.NumFields() {
		return nil, fmt.Errorf("DuckDB gave %d columns, not %d", got, c.schema.NumFields())
	}
	rec, err := concatenate(c.chunks[0].Schema(), c.chunks)
	if err != nil {
		return nil, err
	}
	cols := make([]arrow.Array, rec.NumCols())
	for i, f := range c.schema.Fields() {
		data, err := retype(rec.Column(i).Data(), f.Type)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", f.Name, err)
		}
		cols[i] = array.MakeFromData(data)
	}
	out := array.NewRecordBatch(c.schema, cols, rec.NumRows())
	if c.escaped {
		decoded, _ := mapText(out, func(s string) bool { return !hunt.HasEscape(s) }, hunt.UnescapeText)
		return decoded, nil
	}
	return out, nil
}

func (c *collector) release() {
	for _, r := range c.chunks {
		r.Release()
	}
	c.chunks, c.rows, c.bytes = nil, 0, 0
}

// retype gives values the type of the schema: the same buffers where they fit, addresses copied from variable to fixed width.
func retype(d arrow.ArrayData, want arrow.DataType) (arrow.ArrayData, error) {
	have := d.DataType()
	switch {
	case want.ID() == arrow.FIXED_SIZE_BINARY && have.ID() == arrow.BINARY:
		return fixed(array.NewBinaryData(d), want.(*arrow.FixedSizeBinaryType))
	case have.ID() != want.ID():
		return nil, fmt.Errorf("DuckDB gave %s, not %s", have, want)
	case want.ID() == arrow.TIMESTAMP && have.(*arrow.TimestampType).Unit != arrow.Microsecond:
		return nil, fmt.Errorf("DuckDB gave %s, not %s", have, want)
	}
	var types []arrow.DataType
	switch t := want.(type) {
	case *arrow.ListType:
		types = []arrow.DataType{t.Elem()}
	case *arrow.StructType:
		for _, f := range t.Fields() {
			types = append(types, f.Type)
		}
	}
	if len(types) != len(d.Children()) {
		return nil, fmt.Errorf("DuckDB gave %s, not %s", have, want)
	}
	kids := make([]arrow.ArrayData, len(types))
	for i, k := range d.Children() {
		kid, err := retype(k, types[i])
		if err != nil {
			return nil, err
		}
		kids[i] = kid
	}
	return array.NewData(want, d.Len(), d.Buffers(), kids, d.NullN(), d.Offset()), nil
}

func fixed(col *array.Binary, t *arrow.FixedSizeBinaryType) (arrow.ArrayData, error) {
	b := array.NewFixedSizeBinaryBuilder(memory.DefaultAllocator, t)
	b.Reserve(col.Len())
	for i := range col.Len() {
		switch {
		case col.IsNull(i):
			b.AppendNull()
		case col.ValueLen(i) != t.ByteWidth:
			return nil, fmt.Errorf("a value of %d bytes, not %d", col.ValueLen(i), t.ByteWidth)
		default:
			b.Append(col.Value(i))
		}
	}
	return b.NewArray().Data(), nil
}
