package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Take returns the rows of rec at index, in that order, as a new batch.
func Take(rec arrow.RecordBatch, index []int) arrow.RecordBatch {
	at := make([]Place, len(index))
	for i, row := range index {
		at[i].Row = row
	}
	return Gather([]arrow.RecordBatch{rec}, at)
}

// Select returns the rows that the mask selects; rec itself if it selects all.
func Select(rec arrow.RecordBatch, m Mask) arrow.RecordBatch {
	index := make([]int, 0, len(m))
	for i, on := range m {
		if on {
			index = append(index, i)
		}
	}
	if len(index) == len(m) {
		return rec
	}
	return Take(rec, index)
}

// Project returns rec with exactly the columns of schema; a column that rec lacks is null in every row.
func Project(rec arrow.RecordBatch, schema *arrow.Schema) arrow.RecordBatch {
	cols := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		if cols[i] = Column(rec, f.Name); cols[i] == nil {
			cols[i] = array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, int(rec.NumRows()))
		}
	}
	return array.NewRecordBatch(schema, cols, rec.NumRows())
}

// AppendFrom appends the value of col at i to a builder of the same type. It knows the types that hunt.Schema makes.
func AppendFrom(b array.Builder, col arrow.Array, i int) {
	if col.IsNull(i) {
		b.AppendNull()
		return
	}
	switch c := col.(type) {
	case *array.String:
		b.(*array.StringBuilder).Append(c.Value(i))
	case *array.Int64:
		b.(*array.Int64Builder).Append(c.Value(i))
	case *array.Float64:
		b.(*array.Float64Builder).Append(c.Value(i))
	case *array.Boolean:
		b.(*array.BooleanBuilder).Append(c.Value(i))
	case *array.Timestamp:
		b.(*array.TimestampBuilder).Append(c.Value(i))
	case *array.FixedSizeBinary:
		b.(*array.FixedSizeBinaryBuilder).Append(c.Value(i))
	case *array.List:
		appendList(b.(*array.ListBuilder), c, i)
	}
}

func appendList(b *array.ListBuilder, list *array.List, i int) {
	b.Append(true)
	items := list.ListValues().(*array.Struct)
	structs := b.ValueBuilder().(*array.StructBuilder)
	from, to := list.ValueOffsets(i)
	for at := from; at < to; at++ {
		structs.Append(true)
		for f := range items.NumField() {
			AppendFrom(structs.FieldBuilder(f), items.Field(f), int(at))
		}
	}
}

// ReserveLike makes room in builders for a batch like the last one, whose columns they have made, so that columns do not grow step by
// step.
func ReserveLike(builders []array.Builder, last []arrow.Array) {
	for i, b := range builders {
		b.Reserve(last[i].Len())
		if s, ok := b.(*array.StringBuilder); ok {
			s.ReserveData(len(last[i].(*array.String).ValueBytes()))
		}
	}
}
