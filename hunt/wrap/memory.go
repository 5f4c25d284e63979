package wrap

import (
	"cmp"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// Memory bounds the bytes of batches in flight, for each search and for the whole gateway. Make it with NewMemory.
//
// In flight is what a search took from its source and what a reader of it has not read, or has in its hands: a reader holds a frame
// until it asks for the next one. What a reader keeps beyond that is the reader's own.
//
// The invariant: the bytes in flight are never more than the bound plus one batch for each search. A search asks its source for more if
// one of its readers waits and has nothing to read, whatever the bound says; ahead of its readers it asks only if the bound has room
// for a batch like the last one. So no search ever waits for memory that another one holds: a merge of many searches, which waits for
// the next batch of each, gets it, and there is no deadlock. While a search has no room it just works in step with its reader; the
// source is not being asked then, so that its deadline does not run.
type Memory struct {
	total, search int64
	mu            sync.Mutex
	used          int64
}

// NewMemory makes a bound of total bytes for all searches together and search bytes for each; 0 is 512 MiB and 32 MiB.
func NewMemory(total, search int64) *Memory {
	return &Memory{total: cmp.Or(total, 512<<20), search: cmp.Or(search, 32<<20)}
}

// Used returns the bytes in flight now.
func (m *Memory) Used() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.used
}

// slice is the size of the pieces that readers get: a big batch is cut, so that what follows (rechecking, merging, writing) works on little.
func (m *Memory) slice() int64 { return max(1, m.search/4) }

// reserve takes n bytes if there is room.
func (m *Memory) reserve(n int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.used+n > m.total {
		return false
	}
	m.used += n
	return true
}

// add takes n bytes, whatever the bound says; a negative n gives them back.
func (m *Memory) add(n int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.used += n
}

// smallFrame is what a frame without rows counts.
const smallFrame = 256

// sizeOf returns the bytes of a frame.
func sizeOf(f hunt.Frame) int64 {
	n := int64(smallFrame)
	if b, ok := f.(*hunt.Batch); ok {
		for _, col := range b.Record.Columns() {
			n += columnBytes(col)
		}
	}
	return n
}

// columnBytes returns the bytes of the values that a column shows. Buffers may be longer, if the batch is a piece of one that the
// source keeps; that memory is the source's.
func columnBytes(col arrow.Array) int64 {
	rows := int64(col.Len())
	n := (rows + 7) / 8
	switch c := col.(type) {
	case *array.String:
		n += 4 * rows
		if rows > 0 {
			n += int64(len(c.ValueBytes()))
		}
	case *array.List:
		n += 4 * rows
		if rows > 0 {
			from, _ := c.ValueOffsets(0)
			_, to := c.ValueOffsets(int(rows) - 1)
			n += listBytes(c.ListValues(), from, to)
		}
	case *array.Boolean:
		n += rows / 8
	default:
		if fixed, ok := col.DataType().(arrow.FixedWidthDataType); ok {
			n += rows * int64(fixed.Bytes())
		}
	}
	return n
}

// listBytes returns the bytes of the elements from to to of a list.
func listBytes(items arrow.Array, from, to int64) int64 {
	part := array.NewSlice(items, from, to)
	structs, ok := part.(*array.Struct)
	if !ok {
		return columnBytes(part)
	}
	n := int64(0)
	for i := range structs.NumField() {
		n += columnBytes(structs.Field(i))
	}
	return n
}

// pieces calls yield with slices of a batch of size bytes, each of about most, and returns false if yield did.
func pieces(b *hunt.Batch, size, most int64, yield func(*hunt.Batch) bool) bool {
	rows := b.Record.NumRows()
	step := max(1, int64(float64(rows)*float64(most)/float64(size)))
	if size <= most || step >= rows {
		return yield(b)
	}
	for from := int64(0); from < rows; from += step {
		if !yield(&hunt.Batch{Record: b.Record.NewSlice(from, min(from+step, rows))}) {
			return false
		}
	}
	return true
}
