package conformance

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// checkFrames: read judges the frames of every search of every behaviour; this one makes searches of every shape.
func checkFrames(s *subject) {
	for _, h := range s.held() {
		for _, order := range bothOrders() {
			for _, limit := range []int{0, max(len(h.ref.keys)/8, 2)} {
				r := ordered(h.full(), order)
				r.Limit = limit
				a := s.compare(h, r)
				if a.end != nil && a.end.Untimed != h.Untimed && limit == 0 {
					s.errorf("Search %s: End counts %d events without a time, Describe %d", brief(r), a.end.Untimed, h.Untimed)
				}
			}
			r := ordered(h.request(), order)
			r.Where = hunt.Or{}
			s.compare(h, r)
		}
		s.twice(h)
	}
}

// twice searches one translation twice.
func (s *subject) twice(h *held) {
	t := s.translate(h.asking(s.random(h)))
	if t == nil {
		return
	}
	a, b := s.read(t, nil), s.read(t, nil)
	if a.err == nil && b.err == nil && !slices.Equal(a.rows, b.rows) {
		s.errorf("Search %s: two searches of one translation differ:%s", brief(t.Request), difference(b.rows, a.rows))
	}
}

// checkBatches compares every batch with what it was when it came, after its search has ended and after another one.
func checkBatches(s *subject) {
	var batches, copies []arrow.RecordBatch
	for _, h := range s.held() {
		for _, limit := range []int{0, max(len(h.ref.keys)/8, 2)} {
			r := h.full()
			r.Limit = limit
			t := s.translate(r)
			if t == nil {
				return
			}
			a := s.read(t, func(a *answer) bool {
				for _, rec := range a.batches[len(a.copies):] {
					a.copies = append(a.copies, copied(rec))
				}
				return false
			})
			batches, copies = append(batches, a.batches...), append(copies, a.copies...)
			s.compare(h, h.full())
		}
	}
	for i, rec := range batches {
		if !array.RecordEqual(rec, copies[i]) {
			s.errorf("a batch of %d rows is not what it was when it came: batches are immutable", rec.NumRows())
			return
		}
	}
}

// copied returns a copy that shares no memory.
func copied(rec arrow.RecordBatch) arrow.RecordBatch {
	index := make([]int, rec.NumRows())
	for i := range index {
		index[i] = i
	}
	return vector.Take(rec, index)
}

// checkArrow looks at the memory of a batch; false if it must not be read.
func (s *subject) checkArrow(r *hunt.Request, rec arrow.RecordBatch) bool {
	sound := true
	for i, col := range rec.Columns() {
		f := rec.Schema().Field(i)
		err := valid(col, f.Type)
		if err == nil && int64(col.Len()) != rec.NumRows() {
			err = fmt.Errorf("it has %d values for %d rows", col.Len(), rec.NumRows())
		}
		if err == nil && !f.Nullable && col.NullN() > 0 {
			err = fmt.Errorf("it has %d nulls and may have none", col.NullN())
		}
		if err != nil {
			s.errorf("Search %s: column %s is no valid Arrow: %v", brief(*r), f.Name, err)
			sound = false
		}
	}
	return sound
}

// valid checks an array and all below it.
func valid(col arrow.Array, want arrow.DataType) error {
	if !arrow.TypeEqual(col.DataType(), want) {
		return fmt.Errorf("it is %s, not %s", col.DataType(), want)
	}
	if v, ok := col.(interface{ Validate() error }); ok {
		if err := v.Validate(); err != nil {
			return err
		}
	}
	nulls := 0
	for i := range col.Len() {
		if col.IsNull(i) {
			nulls++
		}
	}
	if nulls != col.NullN() {
		return fmt.Errorf("it says %d nulls and has %d", col.NullN(), nulls)
	}
	switch c := col.(type) {
	case *array.String: // its bytes need not be UTF-8: sources send what they have
		for i := range c.Len() {
			if from, n := c.ValueOffset(i), c.ValueLen(i); from < 0 || n < 0 || n > 0 && from+n > c.Data().Buffers()[2].Len() {
				return fmt.Errorf("text %d begins at %d and has %d bytes", i, from, n)
			}
		}
	case *array.List:
		return validList(c)
	case *array.Struct:
		for i := range c.NumField() {
			if c.Field(i).Len() != c.Len() {
				return fmt.Errorf("field %d has %d values for %d objects", i, c.Field(i).Len(), c.Len())
			}
			if err := valid(c.Field(i), c.DataType().(*arrow.StructType).Field(i).Type); err != nil {
				return err
			}
		}
	}
	return nil
}

func validList(c *array.List) error {
	last := int64(0)
	for i := range c.Len() {
		from, to := c.ValueOffsets(i)
		if from < last || to < from || to > int64(c.ListValues().Len()) {
			return fmt.Errorf("row %d has the values %d to %d of %d", i, from, to, c.ListValues().Len())
		}
		last = from
	}
	return valid(c.ListValues(), c.DataType().(*arrow.ListType).Elem())
}
