package elastic

import (
	"cmp"
	"errors"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// A sweep reads many rows in the order in which the cluster keeps them and sorts them here. The cluster keeps documents compressed in
// blocks of a hundred or so; rows of a short time lie scattered over many blocks, each of which it decompresses for one row. A sweep
// takes every block once. It needs slices that are runs of documents and a cursor that is the same in every request; Elasticsearch has
// both within a point in time (slices without a field, _shard_doc), OpenSearch 2 has neither, and OpenSearch 3 is read like it.

// How many pages a sweep holds in memory, and how many sweeps are read or wait to be handed on. Values by column are not scattered, so that
// there smaller sweeps cost no more, and their rows are handed on while the next are read.
const (
	sweepPages  = 16
	sweeps      = 2
	valuePages  = 3
	valueSweeps = 4
)

// errMoved says that the cluster lost the point in time that a cursor belongs to.
var errMoved = errors.New("the point in time is another one")

// many says whether more rows are wanted than a page has. Where few are, small windows give them sooner.
func (s *search) many() bool {
	return s.t.Request.Limit == 0 || s.t.Request.Limit > s.e.cfg.BatchRows
}

// sweeps says whether windows are swept.
func (s *search) sweeps() bool { return s.product.name == productElasticsearch && s.many() }

// pageTarget is how many rows make a page of the size that is meant.
func (s *search) pageTarget() int64 {
	most := int64(s.e.cfg.BatchRows)
	perRow := s.perRow.Load()
	if perRow == 0 {
		return min(most, heavyRows)
	}
	return max(1, min(most, int64(s.e.cfg.PageBytes)/perRow))
}

// sweep reads a window and sends its pieces in the request's order, and calls asked when all of its slices are under way. If a point in time
// is lost, it begins anew.
func (s *search) sweep(w *window, b bucket, asked func()) error {
	var gaps []gap
	for {
		pieces, more, err := s.swept(b, asked)
		gaps = append(gaps, more...)
		if errors.Is(err, errMoved) {
			continue // a part is given up after some times
		}
		if err != nil {
			return err
		}
		return s.merge(w, append(pieces, s.finish(rows{}, b.period, gaps)))
	}
}

// swept reads the rows of a window once, each slice as a piece.
func (s *search) swept(b bucket, asked func()) ([]*piece, []gap, error) {
	type slice struct {
		request
		p     *part
		piece *piece
		gaps  []gap
	}
	var all []*slice
	page := s.pageTarget()
	var gaps []gap
	for _, p := range s.parts {
		pit, found, err := s.point(p, nil)
		gaps = append(gaps, found...)
		if err != nil {
			return nil, gaps, err
		}
		if pit == "" {
			continue
		}
		opened, shards := p.known()
		n := slicesFor(b.rows, page, int64(shards))
		for i := range n {
			all = append(all, &slice{p: p, request: request{at: b.period, size: int(page), slice: i, slices: n, cursor: true, opened: opened}})
		}
	}
	var readers errgroup.Group
	var failed atomic.Bool // a slice failed, so the others are of no use
	for _, one := range all {
		if failed.Load() || s.enter() != nil {
			break
		}
		readers.Go(func() (err error) {
			defer s.leave()
			if one.piece, one.gaps, err = s.readSlice(one.p, one.request); err != nil {
				failed.Store(true)
			}
			return err
		})
	}
	asked()
	err := cmp.Or(readers.Wait(), s.ctx.Err())
	var pieces []*piece
	for _, one := range all {
		gaps = append(gaps, one.gaps...)
		pieces = append(pieces, one.piece)
	}
	if err != nil {
		return nil, gaps, err
	}
	for _, p := range pieces {
		s.seen.Add(p.seen)
		if s.expected > 0 { // the slices say how many there are; nothing else was asked
			s.promised.Add(p.held)
		}
	}
	return pieces, gaps, nil
}

// slicesFor is how many slices make about a page of each slice: several of one shard, or several shards in one.
func slicesFor(rows, page, shards int64) int {
	shards = max(1, shards)
	n := max(parallel, (rows+rows/4+page-1)/page) // slices are not quite equal
	if n > shards {
		n = (n + shards - 1) / shards * shards
	}
	return int(min(n, mostSlices))
}

// readSlice reads a slice page by page.
func (s *search) readSlice(p *part, r request) (*piece, []gap, error) {
	var gaps []gap
	d := s.reader()
	defer s.free(d)
	seen, held := int64(0), int64(0)
	for {
		e, found, err := s.ask(p, r, d)
		gaps = append(gaps, found...)
		if tooLarge(err) && r.size > 1 {
			r.size = max(1, r.size/4)
			continue
		}
		if tooLarge(err) {
			gaps = append(gaps, missing(strings.Join(p.indices, ","), s.e.client.fail(hunt.SourceFailed, false, "an event is too large to be read")))
			break
		}
		if err != nil {
			d.discard()
			return nil, gaps, err
		}
		if e == nil {
			break
		}
		d.decode(e)
		seen += int64(e.count)
		if r.after == nil {
			held, r.total = e.total.Value, "false"
		}
		if e.count < r.size {
			break
		}
		r.after = &e.last
	}
	out := s.order(d.take(), r.at, nil)
	out.seen, out.held = seen, held
	return out, gaps, nil
}

// run is rows of a batch in order, which are merged with others.
type run struct {
	batch int // its number
	rows  []int
	times []arrow.Timestamp
	uids  *array.String
}

// runs are those that have rows left, as a heap: the one whose next row comes first stands first.
type runs struct {
	heap    []*run
	batches []arrow.RecordBatch // of all runs
	desc    bool
}

func (r *runs) add(o vector.Ordered) {
	times := vector.Column(o.Record, ocsf.ColTime).(*array.Timestamp)
	r.heap = append(r.heap, &run{batch: len(r.batches), rows: o.Rows, times: times.TimestampValues(), uids: vector.UIDs(o.Record)})
	r.batches = append(r.batches, o.Record)
	for i := len(r.heap) - 1; i > 0 && r.before(i, (i-1)/2); i = (i - 1) / 2 {
		r.heap[i], r.heap[(i-1)/2] = r.heap[(i-1)/2], r.heap[i]
	}
}

// before says whether the next row of one run comes before that of another.
func (r *runs) before(i, k int) bool {
	a, b := r.heap[i], r.heap[k]
	if r.desc {
		a, b = b, a
	}
	x, y := a.times[a.rows[0]], b.times[b.rows[0]]
	return x < y || x == y && a.uids.Value(a.rows[0]) < b.uids.Value(b.rows[0])
}

// take takes the next row.
func (r *runs) take() vector.Place {
	first := r.heap[0]
	at := vector.Place{Batch: first.batch, Row: first.rows[0]}
	if first.rows = first.rows[1:]; len(first.rows) == 0 {
		last := len(r.heap) - 1
		r.heap[0] = r.heap[last]
		r.heap = r.heap[:last]
	}
	for i := 0; 2*i+1 < len(r.heap); {
		k := 2*i + 1
		if k+1 < len(r.heap) && r.before(k+1, k) {
			k++
		}
		if !r.before(k, i) {
			break
		}
		r.heap[i], r.heap[k] = r.heap[k], r.heap[i]
		i = k
	}
	return at
}

// merge sends the rows of pieces, each of them in order, as pieces in order.
func (s *search) merge(w *window, pieces []*piece) error {
	first, left := &piece{}, &runs{desc: s.t.Request.Order == hunt.TimeDesc}
	for _, p := range pieces {
		first.frames = append(first.frames, p.frames...)
		if len(p.order.Rows) > 0 {
			left.add(p.order)
		}
	}
	if err := s.send(w, first); err != nil {
		return err
	}
	ready := make(chan chan *piece, parallel)
	s.workers.Go(func() {
		defer close(ready)
		s.gather(left, ready)
	})
	for p := range ready {
		if err := s.send(w, <-p); err != nil {
			return err
		}
	}
	return nil
}

// gather makes pieces of the rows of runs, several at a time, and announces them in order.
func (s *search) gather(left *runs, ready chan<- chan *piece) {
	for len(left.heap) > 0 {
		picked := make([]vector.Place, 0, s.e.cfg.BatchRows)
		for len(picked) < s.e.cfg.BatchRows && len(left.heap) > 0 {
			picked = append(picked, left.take())
		}
		made := make(chan *piece, 1)
		select {
		case ready <- made:
		case <-s.ctx.Done():
			return
		}
		s.workers.Go(func() { made <- &piece{rec: vector.Gather(left.batches, picked)} })
	}
}

// send hands a piece to the consumer.
func (s *search) send(w *window, p *piece) error {
	select {
	case w.pieces <- p:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}
