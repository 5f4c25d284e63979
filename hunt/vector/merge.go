package vector

import (
	"cmp"
	"iter"
	"slices"
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

// place is one row of one connection's batch.
type place struct {
	ref  hunt.ConnectionRef
	keys keys
	row  int
}

// compare orders places upwards by (time, tenant, connection, uid). Most differ in time, so it looks no further than it must.
func (p *place) compare(o *place) int {
	if c := cmp.Compare(p.keys.times[p.row], o.keys.times[o.row]); c != 0 {
		return c
	}
	if p.ref != o.ref {
		return cmp.Or(strings.Compare(p.ref.Tenant, o.ref.Tenant), strings.Compare(p.ref.Connection, o.ref.Connection))
	}
	return strings.Compare(p.keys.uid.Value(p.row), o.keys.uid.Value(o.row))
}

// same says whether two places hold one event.
func (p *place) same(o *place) bool {
	return p.keys.times[p.row] == o.keys.times[o.row] && p.ref == o.ref && p.keys.uid.Value(p.row) == o.keys.uid.Value(o.row)
}

// follows says whether the row is the same event as the one before it in its batch.
func (k keys) follows(row int) bool {
	return k.times[row] == k.times[row-1] && k.uid.Value(row) == k.uid.Value(row-1)
}

// cursor is how far the merge has come in one input.
type cursor struct {
	place
	source int
	next   func() arrow.RecordBatch
	rec    arrow.RecordBatch
}

func (c *cursor) load() bool {
	c.rec, c.row = c.next(), 0
	if c.rec != nil {
		c.keys = keysOf(c.rec)
	}
	return c.rec != nil
}

// Merge merges inputs, each of which is in the given order and has a time in every row, into one. It copies no rows: it yields runs
// of the inputs' own batches. An event that several inputs of one connection hold, or that follows itself in one, is yielded once;
// dup is called with the input of every row that is left out.
func Merge(inputs []Input, order hunt.Order, dup func(source int)) iter.Seq[Run] {
	return func(yield func(Run) bool) {
		m := merger{order: order, dup: dup, yield: yield}
		for i, in := range inputs {
			c := &cursor{place: place{ref: in.Ref}, source: i, next: in.Next}
			if c.load() {
				m.live = append(m.live, c)
				m.enter()
			}
		}
		for len(m.live) > 0 {
			if !m.step() {
				return
			}
		}
	}
}

type merger struct {
	order hunt.Order
	dup   func(int)
	yield func(Run) bool
	live  []*cursor // in the order of their current rows; of equal ones the first input comes first
	last  place     // the last row of the step before
	begun bool      // whether there was one
}

// step yields the longest run of the first input that comes before all other inputs.
func (m *merger) step() bool {
	c := m.live[0]
	run := Run{Source: c.source, Record: c.rec, From: c.row, To: c.row}
	repeated := m.begun && m.last.same(&c.place)
	for {
		if repeated {
			if !m.emit(run) {
				return false
			}
			m.dup(c.source)
			run.From = c.row + 1
		}
		c.row++
		run.To = c.row
		if c.row == len(c.keys.times) || len(m.live) > 1 && m.compare(m.live[1], c) < 0 {
			break
		}
		repeated = c.keys.follows(c.row)
	}
	m.last, m.begun = place{c.ref, c.keys, c.row - 1}, true
	if c.row < len(c.keys.times) || c.load() {
		m.fallBack()
	} else {
		m.live = slices.Delete(m.live, 0, 1)
	}
	return m.emit(run)
}

func (m *merger) emit(r Run) bool { return r.From == r.To || m.yield(r) }

// compare orders the current rows of two inputs as the answer has them.
func (m *merger) compare(a, b *cursor) int {
	if m.order == hunt.TimeDesc {
		a, b = b, a
	}
	return a.place.compare(&b.place)
}

// before says whether a stands before b in live.
func (m *merger) before(a, b *cursor) bool {
	c := m.compare(a, b)
	return c < 0 || c == 0 && a.source < b.source
}

// enter moves the last input of live to where it belongs.
func (m *merger) enter() {
	for i := len(m.live) - 1; i > 0 && m.before(m.live[i], m.live[i-1]); i-- {
		m.live[i], m.live[i-1] = m.live[i-1], m.live[i]
	}
}

// fallBack moves the first input of live to where it belongs.
func (m *merger) fallBack() {
	c, i := m.live[0], 0
	for ; i+1 < len(m.live) && m.before(m.live[i+1], c); i++ {
		m.live[i] = m.live[i+1]
	}
	m.live[i] = c
}
