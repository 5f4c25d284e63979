package vector

import (
	"cmp"
	"iter"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
)

// Input is one ordered stream of batches that Merge takes rows from.
type Input struct {
	Ref hunt.ConnectionRef
	// Next returns the next batch, which has at least one row, or nil at the end. It is called by Merge alone.
	Next func() arrow.RecordBatch
}

// Run is rows From to To (exclusive) of a batch of input Source, in the order of the answer.
type Run struct {
	Source   int
	Record   arrow.RecordBatch
	From, To int
}

// cursor is the place of the merge in one input.
type cursor struct {
	Input
	source int
	rec    arrow.RecordBatch
	keys   keys
	row    int
}

func (c *cursor) load() bool {
	c.rec, c.row = c.Next(), 0
	if c.rec != nil {
		c.keys = keysOf(c.rec)
	}
	return c.rec != nil
}

// compare orders the current rows upwards by (time, tenant, connection, uid).
func (c *cursor) compare(o *cursor) int {
	return cmp.Or(cmp.Compare(c.keys.times[c.row], o.keys.times[o.row]), strings.Compare(c.Ref.Tenant, o.Ref.Tenant),
		strings.Compare(c.Ref.Connection, o.Ref.Connection), strings.Compare(c.keys.uid.Value(c.row), o.keys.uid.Value(o.row)))
}

// same says whether the current rows are one event.
func (c *cursor) same(o *cursor) bool {
	return c.Ref == o.Ref && c.keys.times[c.row] == o.keys.times[o.row] && c.keys.uid.Value(c.row) == o.keys.uid.Value(o.row)
}

// Merge merges inputs, each of which is in the given order and has a time in every row, into one. It copies no rows: it yields runs
// of the inputs' own batches. An event that several inputs of one connection hold, or that follows itself in one, is yielded once;
// dup is called with the input of every row that is left out.
func Merge(inputs []Input, order hunt.Order, dup func(source int)) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		m := merger{order: order, dup: dup, yield: yield}
		for i, in := range inputs {
			if c := (&cursor{Input: in, source: i}); c.load() {
				m.live = append(m.live, c)
			}
		}
		for len(m.live) > 0 && m.step() {
		}
	}
}

type merger struct {
	order hunt.Order
	dup   func(int)
	yield func(Run) bool
	live  []*cursor
	last  cursor // the row that was yielded last
	any   bool
}

// step yields the longest run of the first input that comes before all other inputs.
func (m *merger) step() bool {
	first, second := m.smallest()
	c := m.live[first]
	run := Run{Source: c.source, Record: c.rec, From: c.row, To: c.row}
	for ; c.row < int(c.rec.NumRows()); c.row++ {
		if second != nil && m.before(second, c) {
			break
		}
		if m.any && m.last.same(c) {
			if !m.emit(run) {
				return false
			}
			m.dup(c.source)
			run.From, run.To = c.row+1, c.row+1
			continue
		}
		m.last, m.any = *c, true
		run.To = c.row + 1
	}
	if c.row == int(c.rec.NumRows()) {
		rec := c.rec
		run.Record = rec
		if !c.load() {
			m.live = append(m.live[:first], m.live[first+1:]...)
		}
	}
	return m.emit(run)
}

func (m *merger) emit(r Run) bool { return r.From == r.To || m.yield(r) }

// before says whether a comes strictly before b in the order of the answer.
func (m *merger) before(a, b *cursor) bool {
	if m.order == hunt.TimeDesc {
		a, b = b, a
	}
	return a.compare(b) < 0
}

// smallest returns the index of the input that is next, and the input after it, nil if there is none.
func (m *merger) smallest() (first int, second *cursor) {
	for i := 1; i < len(m.live); i++ {
		if m.before(m.live[i], m.live[first]) {
			second, first = m.live[first], i
		} else if second == nil || m.before(m.live[i], second) {
			second = m.live[i]
		}
	}
	return first, second
}
