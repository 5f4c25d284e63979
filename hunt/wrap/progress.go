package wrap

import (
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// progress is how far an answer has come, so that it can go on with another search: after its last row, and without telling a gap
// again. Rows are never given twice and never lost, because a source gives its rows in order and tells a gap before the rows that come
// after it. What a source gets between two searches without a snapshot is as between two pages: it is seen if it comes after the key.
type progress struct {
	ref     hunt.ConnectionRef
	request hunt.Request // as it was asked at first
	last    *hunt.Key    // of the last row that was given, nil before the first
	from    *hunt.Key    // where the search that runs now was resumed, nil if it began at the start
	told    map[gap]int64
	seen    map[gap]int64 // by the search that runs now
	came    int64         // rows from it, given before or not
	parts   hunt.Progress // what it said last, with the rows that it scanned
	before  int64         // rows scanned by the searches before it
	mark    int64         // its watermark, math.MaxInt64 before it told one
	least   int64         // the least watermark of the searches before it
}

// gap names what a PartFailed or Rejected is about.
type gap struct {
	rejected bool
	part     string
	offset   int64          // of Rejected
	lost     hunt.TimeRange // of PartFailed; empty if not known
}

func newProgress(ref hunt.ConnectionRef, r hunt.Request) *progress {
	return &progress{ref: ref, request: r, told: map[gap]int64{}, seen: map[gap]int64{}, mark: math.MaxInt64, least: math.MaxInt64}
}

// resume returns what to ask next, and from now on takes frames of that search.
func (p *progress) resume() hunt.Request {
	r := p.request
	if p.last != nil {
		key := *p.last
		key.UID = strings.Clone(key.UID) // the key must not keep its batch
		p.last, p.from, r.After = &key, &key, &key
	}
	p.seen, p.came = map[gap]int64{}, 0
	p.before += p.parts.RowsScanned
	p.parts.RowsScanned = 0
	p.least, p.mark = min(p.least, p.mark), math.MaxInt64
	return r
}

// take returns what of a frame is new to the reader, nil if nothing is.
func (p *progress) take(f hunt.Frame) hunt.Frame {
	switch f := f.(type) {
	case *hunt.Batch:
		return p.batch(f)
	case hunt.Progress:
		f.RowsScanned = max(p.parts.RowsScanned, f.RowsScanned)
		p.parts = f
		return p.sum()
	case hunt.Watermark:
		p.mark = f.Time
		f.Time = min(f.Time, p.least) // what came later is not among the rows of the searches before
		return f
	case hunt.PartFailed:
		g := gap{part: f.Part}
		if f.Lost != nil {
			g.lost = *f.Lost
		}
		if p.news(g, 1) == 0 {
			return nil
		}
	case hunt.Rejected:
		if f.Count = p.news(gap{rejected: true, part: f.Part, offset: f.Offset}, f.Count); f.Count == 0 {
			return nil
		}
		return f
	case hunt.End:
		if f.RowsScanned >= 0 {
			p.parts.RowsScanned = max(p.parts.RowsScanned, f.RowsScanned)
			f.RowsScanned = p.sum().RowsScanned
		}
		return f
	}
	return f
}

// sum is how far the answer has come, with all searches of it.
func (p *progress) sum() hunt.Progress {
	sum := p.parts
	sum.RowsScanned += p.before
	return sum
}

// batch drops rows that were given before the search was resumed; a source may give more rows than asked.
func (p *progress) batch(b *hunt.Batch) hunt.Frame {
	rec := b.Record
	if rec.NumRows() == 0 {
		return nil
	}
	p.came += rec.NumRows()
	if p.from != nil && !p.beyond(rec) {
		if rec = vector.After(rec, p.ref, p.request.Order, p.from); rec.NumRows() == 0 {
			return nil
		}
		if rec.NumRows() < b.Record.NumRows() {
			b = &hunt.Batch{Record: rec}
		}
	}
	last := p.keyAt(rec, int(rec.NumRows())-1)
	p.last = &last
	return b
}

// moved says whether the answer has come further with the search that runs now: beyond the key from which that was asked.
func (p *progress) moved() bool {
	from := p.from
	if from == nil {
		from = p.request.After
	}
	return p.last != nil && (from == nil || p.after(*p.last, *from))
}

// beyond says whether the first row comes after the key where the search was resumed, as all do at a source that does as asked.
func (p *progress) beyond(rec arrow.RecordBatch) bool {
	return p.after(p.keyAt(rec, 0), *p.from)
}

// keyAt is the key of a row; its uid is the batch's.
func (p *progress) keyAt(rec arrow.RecordBatch, row int) hunt.Key {
	us, uid := vector.KeyAt(rec, row)
	return hunt.Key{Time: us, Tenant: p.ref.Tenant, Connection: p.ref.Connection, UID: uid}
}

// after says whether k comes after other in the order that was asked for.
func (p *progress) after(k, other hunt.Key) bool {
	if p.request.Order == hunt.TimeDesc {
		k, other = other, k
	}
	return k.Compare(other) > 0
}

// news returns how many of n at the gap were not told by the searches before. Within one search everything is told.
func (p *progress) news(g gap, n int64) int64 {
	p.seen[g] += n
	fresh := min(n, p.seen[g]-p.told[g])
	if fresh <= 0 {
		return 0
	}
	p.told[g] = p.seen[g]
	return fresh
}
