package files

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// ref is a row that an answer may hold.
type ref struct {
	time int64 // microseconds
	uid  string
	rec  arrow.RecordBatch
	row  int
	dups int64 // identical records that were left out in favour of this one
	size int64 // bytes of its own, if rec is held for this answer alone
}

// best keeps the first rows of an answer in its order, within a bound of rows and bytes. It belongs to one goroutine.
type best struct {
	order  hunt.Order
	schema *arrow.Schema // of the answer
	most   int           // rows to keep
	refs   []ref
	bytes  int64
	last   *ref // rows behind this one are not kept
	more   bool // some rows were not kept
}

// ownBytes is how many bytes of rows that are held for an answer alone are kept at most.
const ownBytes = 128 << 20

func (b *best) compare(x, y ref) int {
	c := cmp.Or(cmp.Compare(x.time, y.time), strings.Compare(x.uid, y.uid))
	if b.order == hunt.TimeDesc {
		return -c
	}
	return c
}

// add offers a row.
func (b *best) add(r ref) {
	if b.last != nil && b.compare(r, *b.last) > 0 {
		b.more = true
		return
	}
	b.refs = append(b.refs, r)
	b.bytes += r.size
	switch {
	case b.bytes > ownBytes:
		b.cut(max(len(b.refs)/2, 1))
		b.own()
	case len(b.refs) >= max(2*b.most, 1024):
		b.cut(b.most)
		b.own()
	}
}

// cut sorts the rows, makes one of equal ones and keeps the first n.
func (b *best) cut(n int) {
	slices.SortFunc(b.refs, b.compare)
	out := b.refs[:0]
	for _, r := range b.refs {
		if k := len(out); k > 0 && b.compare(out[k-1], r) == 0 {
			out[k-1].dups += 1 + r.dups
			continue
		}
		out = append(out, r)
	}
	if len(out) > n {
		last := out[n-1]
		b.last, b.more = &last, true
		out = out[:n]
	}
	clear(b.refs[len(out):])
	b.refs, b.bytes = out, 0
	for _, r := range out {
		b.bytes += r.size
	}
}

// own copies rows out of batches that are held for this answer alone, so that rows that were not kept free their memory.
func (b *best) own() {
	if b.bytes == 0 {
		return
	}
	for from := 0; from < len(b.refs); from += batchRows {
		some := b.refs[from:min(from+batchRows, len(b.refs))]
		rec := gather(some, b.schema)
		uids := rec.Column(0).(*array.String)
		for i := range some {
			some[i].rec, some[i].row, some[i].uid = rec, i, uids.Value(i)
		}
	}
	last := b.refs[len(b.refs)-1]
	if b.last != nil {
		b.last = &ref{time: last.time, uid: last.uid}
	}
}

// merge takes the rows of another.
func (b *best) merge(o *best) {
	b.more = b.more || o.more
	if o.last != nil && (b.last == nil || b.compare(*o.last, *b.last) < 0) {
		b.last = o.last
	}
	b.refs = append(b.refs, o.refs...)
}

// done sorts what was kept. Rows behind the last row that some worker had to give up are given up by all: another worker's rows may
// lie between them.
func (b *best) done() []ref {
	last := b.last
	b.cut(b.most)
	if last == nil {
		return b.refs
	}
	n, _ := slices.BinarySearchFunc(b.refs, *last, func(r, t ref) int {
		if b.compare(r, t) <= 0 {
			return -1
		}
		return 1
	})
	if n < len(b.refs) {
		b.more = true
	}
	return b.refs[:n]
}

// gather copies rows of several batches into one.
func gather(refs []ref, schema *arrow.Schema) arrow.RecordBatch {
	from := map[arrow.RecordBatch][]arrow.Array{}
	for i := range refs {
		if from[refs[i].rec] == nil {
			from[refs[i].rec] = columns(refs[i].rec, schema)
		}
	}
	cols := make([]arrow.Array, schema.NumFields())
	for c, f := range schema.Fields() {
		b := array.NewBuilder(memory.DefaultAllocator, f.Type)
		b.Reserve(len(refs))
		for i := range refs {
			if col := from[refs[i].rec][c]; col != nil {
				vector.AppendFrom(b, col, refs[i].row)
			} else {
				b.AppendNull()
			}
		}
		cols[c] = b.NewArray()
	}
	return array.NewRecordBatch(schema, cols, int64(len(refs)))
}

// columns returns the columns of a batch in the order of a schema, nil where it has none.
func columns(rec arrow.RecordBatch, schema *arrow.Schema) []arrow.Array {
	out := make([]arrow.Array, schema.NumFields())
	for i, f := range schema.Fields() {
		out[i] = vector.Column(rec, f.Name)
	}
	return out
}

// rawColumn returns the raw records of a batch, nil if it has none.
func rawColumn(rec arrow.RecordBatch) *array.String {
	raw, _ := vector.Column(rec, ocsf.ColRaw).(*array.String)
	return raw
}
