package vector

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// keys are the columns that order the rows of a batch.
type keys struct {
	times []arrow.Timestamp
	time  *array.Timestamp
	uid   *array.String
}

func keysOf(rec arrow.RecordBatch) keys {
	t := Column(rec, ocsf.ColTime).(*array.Timestamp)
	return keys{times: t.TimestampValues(), time: t, uid: Column(rec, ocsf.ColUID).(*array.String)}
}

// compare orders row i of k and row j of o upwards by (time, uid); rows without a time come after all others.
func (k keys) compare(i int, o keys, j int) int {
	c := 0
	if a, b := k.time.IsNull(i), o.time.IsNull(j); a || b {
		c = boolCompare(a, b)
	} else {
		c = cmp.Compare(k.times[i], o.times[j])
	}
	if c == 0 {
		c = strings.Compare(k.uid.Value(i), o.uid.Value(j)) // which lie elsewhere in memory, and seldom decide
	}
	return c
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// InOrder says whether the rows of rec are ordered by (time, uid); repeats of a row are in order.
func InOrder(rec arrow.RecordBatch, order hunt.Order) bool {
	k := keysOf(rec)
	for i := 1; i < int(rec.NumRows()); i++ {
		c := k.compare(i-1, k, i)
		if order == hunt.TimeDesc {
			c = -c
		}
		if c > 0 {
			return false
		}
	}
	return true
}

// Ordered is rows of a batch in an order.
type Ordered struct {
	Record arrow.RecordBatch
	Rows   []int // of Record, in order
	order  hunt.Order
}

// Order orders the rows that a mask selects, all if it is nil, by (time, uid). Repeats of a row stay as they were.
func Order(rec arrow.RecordBatch, m Mask, order hunt.Order) Ordered {
	k := keysOf(rec)
	rows := make([]timed, 0, rec.NumRows())
	for i := range int(rec.NumRows()) {
		switch {
		case m != nil && !m[i]:
		case k.time.IsValid(i):
			rows = append(rows, timed{int64(k.times[i]), i})
		default:
			rows = append(rows, timed{math.MaxInt64, i})
		}
	}
	sign := 1
	if order == hunt.TimeDesc {
		sign = -1
	}
	compare := func(a, b timed) int {
		c := cmp.Compare(a.us, b.us)
		if c == 0 {
			c = k.compare(a.row, k, b.row)
		}
		if c == 0 {
			return a.row - b.row
		}
		return sign * c
	}
	if !slices.IsSortedFunc(rows, compare) {
		slices.SortFunc(rows, compare)
	}
	o := Ordered{Record: rec, Rows: make([]int, len(rows)), order: order}
	for i, r := range rows {
		o.Rows[i] = r.row
	}
	return o
}

// After leaves out the rows that do not come strictly after key for a connection. A nil key is before all rows.
func (o Ordered) After(ref hunt.ConnectionRef, key *hunt.Key) Ordered {
	if key == nil {
		return o
	}
	at, _ := slices.BinarySearchFunc(o.Rows, key, func(i int, key *hunt.Key) int {
		us, uid := KeyAt(o.Record, i)
		c := hunt.Key{Time: us, Tenant: ref.Tenant, Connection: ref.Connection, UID: uid}.Compare(*key)
		if o.order == hunt.TimeDesc {
			c = -c
		}
		if c > 0 {
			return 1
		}
		return -1
	})
	o.Rows = o.Rows[at:]
	return o
}

// Take returns the rows as a batch; Record itself if they are all of its rows as they stand there.
func (o Ordered) Take() arrow.RecordBatch {
	for i, row := range o.Rows {
		if i != row {
			return Take(o.Record, o.Rows)
		}
	}
	return o.Record.NewSlice(0, int64(len(o.Rows)))
}

// Sort returns rec with its rows ordered by (time, uid); rec itself if they are already. Repeats of a row stay as they were.
func Sort(rec arrow.RecordBatch, order hunt.Order) arrow.RecordBatch {
	if InOrder(rec, order) {
		return rec
	}
	return Order(rec, nil, order).Take()
}

// timed is a row with its time beside it, so that sorting seldom looks elsewhere; the greatest time if it has none.
type timed struct {
	us  int64
	row int
}

// UIDs returns the column uid of a batch.
func UIDs(rec arrow.RecordBatch) *array.String { return Column(rec, ocsf.ColUID).(*array.String) }

// KeyAt returns the (time, uid) of a row. The time of a row without one is the greatest there is.
func KeyAt(rec arrow.RecordBatch, row int) (us int64, uid string) {
	k := keysOf(rec)
	if k.time.IsNull(row) {
		return 1<<63 - 1, k.uid.Value(row)
	}
	return int64(k.times[row]), k.uid.Value(row)
}

// After returns the rows of rec, which is in the request's order, that come strictly after key for a connection. A nil key is
// before all rows.
func After(rec arrow.RecordBatch, ref hunt.ConnectionRef, order hunt.Order, key *hunt.Key) arrow.RecordBatch {
	if key == nil {
		return rec
	}
	n := rec.NumRows()
	left := Ordered{rec, rowsUpTo(int(n)), order}.After(ref, key)
	return rec.NewSlice(n-int64(len(left.Rows)), n)
}

func rowsUpTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// InRange returns the mask of rows whose time lies in the range; a row without a time is in no range.
func InRange(rec arrow.RecordBatch, r hunt.TimeRange) Mask {
	k := keysOf(rec)
	m := make(Mask, len(k.times))
	for i, t := range k.times {
		m[i] = r.Contains(int64(t)) && k.time.IsValid(i)
	}
	return m
}
