package vector

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// Place is a row of one of several batches.
type Place struct{ Batch, Row int }

// Gather returns the rows at places of batches of one schema, in that order, as a new batch. There is at least one batch.
func Gather(batches []arrow.RecordBatch, at []Place) arrow.RecordBatch {
	cols := make([]arrow.Array, batches[0].NumCols())
	parts := make([]arrow.Array, len(batches))
	for i := range cols {
		for k, rec := range batches {
			parts[k] = rec.Column(i)
		}
		cols[i] = gather(parts, at)
	}
	return array.NewRecordBatch(batches[0].Schema(), cols, int64(len(at)))
}

// gather takes values out of columns of one type. The types of most columns are taken in loops of their own.
func gather(parts []arrow.Array, at []Place) arrow.Array {
	b := array.NewBuilder(memory.DefaultAllocator, parts[0].DataType())
	b.Reserve(len(at))
	switch b := b.(type) {
	case *array.StringBuilder:
		gatherText(b, typed[*array.String](parts), at)
	case *array.Int64Builder:
		gatherValues(b, typed[*array.Int64](parts), at)
	case *array.TimestampBuilder:
		gatherValues(b, typed[*array.Timestamp](parts), at)
	case *array.Float64Builder:
		gatherValues(b, typed[*array.Float64](parts), at)
	case *array.BooleanBuilder:
		gatherValues(b, typed[*array.Boolean](parts), at)
	default:
		for _, p := range at {
			AppendFrom(b, parts[p.Batch], p.Row)
		}
	}
	return b.NewArray()
}

// typed returns columns as what they are.
func typed[A arrow.Array](parts []arrow.Array) []A {
	out := make([]A, len(parts))
	for i, p := range parts {
		out[i] = p.(A)
	}
	return out
}

// column is a column of values of type T, and appender the builder of one.
type (
	column[T any] interface {
		arrow.Array
		Value(int) T
	}
	appender[T any] interface {
		AppendNull()
		UnsafeAppend(T)
	}
)

// gatherValues appends values; the builder has room for them.
func gatherValues[T any, A column[T], B appender[T]](b B, parts []A, at []Place) {
	for _, p := range at {
		if c := parts[p.Batch]; c.IsNull(p.Row) {
			b.AppendNull()
		} else {
			b.UnsafeAppend(c.Value(p.Row))
		}
	}
}

func gatherText(b *array.StringBuilder, parts []*array.String, at []Place) {
	size := 0
	for _, p := range at {
		size += parts[p.Batch].ValueLen(p.Row)
	}
	b.ReserveData(size)
	for _, p := range at {
		if c := parts[p.Batch]; c.IsNull(p.Row) {
			b.AppendNull()
		} else {
			b.Append(c.Value(p.Row))
		}
	}
}
