package vector

import (
	"cmp"
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
	if a, b := k.time.IsNull(i), o.time.IsNull(j); a || b {
		return cmp.Or(boolCompare(a, b), strings.Compare(k.uid.Value(i), o.uid.Value(j)))
	}
	return cmp.Or(cmp.Compare(k.times[i], o.times[j]), strings.Compare(k.uid.Value(i), o.uid.Value(j)))
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

// Sort returns rec with its rows ordered by (time, uid); rec itself if they are already.
func Sort(rec arrow.RecordBatch, order hunt.Order) arrow.RecordBatch {
	k := keysOf(rec)
	index := make([]int, rec.NumRows())
	for i := range index {
		index[i] = i
	}
	less := func(i, j int) int { return k.compare(i, k, j) }
	if order == hunt.TimeDesc {
		less = func(i, j int) int { return k.compare(j, k, i) }
	}
	if slices.IsSortedFunc(index, less) {
		return rec
	}
	slices.SortStableFunc(index, less)
	return Take(rec, index)
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
	n := int(rec.NumRows())
	at, _ := slices.BinarySearchFunc(rowsUpTo(n), key, func(i int, key *hunt.Key) int {
		us, uid := KeyAt(rec, i)
		c := hunt.Key{Time: us, Tenant: ref.Tenant, Connection: ref.Connection, UID: uid}.Compare(*key)
		if order == hunt.TimeDesc {
			c = -c
		}
		if c > 0 {
			return 1
		}
		return -1
	})
	return rec.NewSlice(int64(at), int64(n))
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
