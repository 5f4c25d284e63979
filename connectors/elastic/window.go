package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/harrier-xdr/harrier/hunt"
)

// A search first asks for the first rows; often these are all. What is left is cut into windows of time that one page each holds, or as
// many as a sweep may hold (sweep.go), within one point in time, and the pages are read unsorted, several at a time, and sorted here: that
// is several times faster than to page in order, and needs no search_after by time, which loses rows on OpenSearch. A page that holds less
// than its window is cut again: by time, and one instant by slices. So every row comes exactly once, which the totals of the cluster prove.

// Bounds of windows.
const (
	mostBuckets = 2000 // of a histogram
	mostSlices  = 1024 // of an instant; clusters allow no more (index.max_slices_per_pit)
)

// window is a period under way.
type window struct {
	at      period
	pieces  chan *piece // closed at the end
	counted bool        // by the queue
}

// readOn reads a period window by window and yields the rows.
func (s *search) readOn(rest period) error {
	outer := s.ctx
	ctx, cancel := context.WithCancel(outer)
	s.ctx = ctx
	defer func() {
		cancel()
		s.workers.Wait() // they see the end of their context
		s.ctx = outer
	}()
	q := newQueue(s.t.Request.Limit)
	planned := make(chan error, 1)
	s.workers.Go(func() {
		planned <- s.plan(rest, q)
		close(q.windows)
	})
	for w := range q.windows {
		for {
			p, ok, err := s.next(w)
			if err != nil {
				return err
			}
			if !ok {
				break
			}
			if p.err != nil {
				return p.err
			}
			if p.rec != nil {
				s.rows += p.rec.NumRows()
			}
			if err := s.emitPiece(p); err != nil {
				return err
			}
		}
		q.done(s.ctx, w)
	}
	if err := <-planned; err != nil {
		return err
	}
	return s.settle(rest)
}

// next waits for a piece of a window and hands on what is noted meanwhile.
func (s *search) next(w *window) (*piece, bool, error) {
	for {
		select {
		case p, ok := <-w.pieces:
			return p, ok, nil
		case f := <-s.notes:
			if err := s.emit(f); err != nil {
				return nil, false, err
			}
		case <-s.ctx.Done():
			return nil, false, s.ctx.Err()
		}
	}
}

// settle compares what came with what the points in time promised.
func (s *search) settle(rest period) error {
	if got, want := s.seen.Load(), s.promised.Load(); got != want && !s.gaps.Load() {
		names := strings.Join(s.indices(), ",")
		err := s.e.client.fail(hunt.SourceFailed, true, fmt.Sprintf("%d events were promised and %d came; ask again", want, got))
		err.Source = names
		f, _ := s.tell(gap{names, err}, rest)
		return s.emit(f)
	}
	return nil
}

// plan cuts a period into windows, starts to read them, and queues them in the request's order.
func (s *search) plan(rest period, q *queue) error {
	if s.sweeps() && s.expected > 0 && s.expected <= s.target() {
		return s.start(bucket{rest, s.expected}, q)
	}
	s.expected = 0 // they are counted
	d := s.reader()
	defer s.free(d)
	if s.spread.rows > 0 {
		if counted, err := s.histogram(rest, s.spread, d); err == nil {
			if err := s.promise(rest, counted.total, counted.gaps, q); err != nil {
				return err
			}
			return s.startAll(bucket{rest, counted.total}, counted.parts, q, d)
		}
	}
	at, gaps, err := s.extent(rest, d)
	if err == nil {
		err = s.promise(rest, at.rows, gaps, q)
	}
	if err != nil {
		return err
	}
	return s.cut(at, q, d)
}

// promise notes how many rows there are, and queues what is known to be missing among them.
func (s *search) promise(rest period, total int64, gaps []gap, q *queue) error {
	s.promised.Store(total)
	first := &window{at: rest, pieces: make(chan *piece, 1)}
	first.pieces <- s.finish(rows{}, rest, gaps)
	close(first.pieces)
	return q.put(s.ctx, first)
}

// start queues a window and begins to read it, as soon as there is room for a request. It returns when all requests of the window are under
// way, so that those of the next do not hold up this one.
func (s *search) start(b bucket, q *queue) error {
	w := &window{at: b.period, pieces: make(chan *piece, 1)}
	if err := q.admit(s.ctx, w, b.rows, s.mostAhead()); err != nil {
		return err
	}
	if err := q.put(s.ctx, w); err != nil {
		return err
	}
	asked := make(chan struct{})
	s.workers.Go(func() {
		defer close(w.pieces)
		if err := s.readWindow(w, b, sync.OnceFunc(func() { close(asked) })); err != nil {
			_ = s.send(w, &piece{err: err}) // nobody waits for it if the search has ended
		}
	})
	select {
	case <-asked:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// readWindow reads a window and calls asked when it asks for no more than is under way.
func (s *search) readWindow(w *window, b bucket, asked func()) error {
	defer asked()
	if read, err := s.readTable(w, b, asked); read || err != nil {
		return err
	}
	if s.expected > 0 || s.sweeps() && b.rows > s.pageTarget() {
		return s.sweep(w, b, asked)
	}
	r := &windowReader{s, w, s.reader(), asked}
	defer s.free(r.reader)
	return r.read(b.period)
}

// enter waits until there is room for one more to ask the cluster and to decode what it answers; leave makes room. Who has entered does not
// wait for the consumer.
func (s *search) enter() error {
	select {
	case s.reading <- struct{}{}:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *search) leave() { <-s.reading }

// extent asks how many rows there are in a period, and from when to when they are.
func (s *search) extent(rest period, d *reader) (at bucket, gaps []gap, err error) {
	for _, p := range s.parts {
		e, found, err := s.ask(p, request{at: rest, aggs: p.scale.limits()}, d)
		gaps = append(gaps, found...)
		if err == nil && e != nil {
			err = s.widen(&at, rest, e)
		}
		if err != nil {
			return at, gaps, err
		}
	}
	return at, gaps, nil
}

// limits are the aggregations that widen reads.
func (s scale) limits() string {
	return fmt.Sprintf(`{"min":{"min":{"field":%s}},"max":{"max":{"field":%s}}}`, quote(s.field), quote(s.field))
}

// widen adds to a bucket the rows of a part, of which an answer says how many they are and from when to when, within a period.
func (s *search) widen(at *bucket, within period, e *envelope) error {
	if e.total.Value == 0 {
		return nil
	}
	var limits struct{ Min, Max struct{ Value float64 } }
	if err := json.Unmarshal(e.Aggs, &limits); err != nil {
		return s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer lacks its aggregations")
	}
	if at.rows == 0 {
		at.period = period{within.to, within.from}
	}
	at.rows += e.total.Value
	// The cluster counts in 64-bit floats, which are exact only up to 2^53.
	at.from = min(at.from, max(within.from, whole64(math.Nextafter(limits.Min.Value, math.Inf(-1)))))
	at.to = max(at.to, min(within.to, whole64(math.Nextafter(limits.Max.Value, math.Inf(1)))+1))
	return nil
}

// whole64 is the whole number below, within 64 bits.
func whole64(f float64) int64 {
	switch {
	case f >= 1<<63:
		return math.MaxInt64 - 1
	case f < -1<<63:
		return math.MinInt64
	}
	return int64(math.Floor(f))
}

// bucket is a period with the number of its rows.
type bucket struct {
	period
	rows int64
}

// target is how many rows a window is to have: a page, or as many as a sweep may hold.
func (s *search) target() int64 {
	page := s.pageTarget()
	if s.tabular() || !s.sweeps() {
		return page
	}
	most := page * sweepPages
	if s.byValue.Load() {
		most = page * valuePages
	}
	if limit := int64(s.t.Request.Limit); limit > 0 && limit+limit/4 < most {
		return max(page, limit+limit/4) // the first window is to be enough, and buckets do not end where it would be
	}
	return most
}

// mostAhead is how many windows may be read or wait to be handed on.
func (s *search) mostAhead() int {
	switch {
	case s.tabular() || !s.sweeps():
		return ahead
	case s.byValue.Load():
		return valueSweeps
	}
	return sweeps
}

// cut cuts a bucket into windows of about target rows and starts to read them.
func (s *search) cut(b bucket, q *queue, d *reader) error {
	if b.from >= b.to {
		return nil
	}
	if b.rows <= s.target() || b.to-b.from == 1 {
		return s.start(b, q)
	}
	counted, err := s.histogram(b.period, b, d) // the reading of the windows tells of gaps
	if err != nil {
		return err
	}
	return s.startAll(b, counted.parts, q, d)
}

// startAll makes windows of the parts of a bucket, which cover it, and starts to read them.
func (s *search) startAll(b bucket, parts []bucket, q *queue, d *reader) error {
	if s.t.Request.Order == hunt.TimeDesc {
		slices.Reverse(parts)
	}
	// Above 2^53 the cluster cannot tell where exactly its buckets begin, so that what seems to be empty is read as well.
	exact := max(b.to, -b.from) < 1<<53
	var open bucket // gathered, not started yet
	flush := func() error {
		at := open
		open = bucket{}
		if at.from == at.to || at.rows == 0 && exact {
			return nil
		}
		return s.start(at, q)
	}
	for _, next := range parts {
		large := next.rows > s.target() && next.to-next.from > 1
		if large || open.rows+next.rows > s.target() {
			if err := flush(); err != nil {
				return err
			}
		}
		switch {
		case large:
			if err := s.cut(next, q, d); err != nil {
				return err
			}
		case open.from == open.to:
			open = next
		case open.rows == 0 && exact:
			open = next
		default:
			open = bucket{period{min(open.from, next.from), max(open.to, next.to)}, open.rows + next.rows}
		}
		if q.full(open.rows) {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// distribution is what a histogram says of a period.
type distribution struct {
	parts []bucket // cover the period
	total int64    // rows
	gaps  []gap    // what the cluster has not counted
}

// histogram counts the rows of a period in parts of equal length, which fit what is known of the rows in it.
func (s *search) histogram(at period, known bucket, d *reader) (out distribution, err error) {
	buckets := max(2, min(mostBuckets, 8*known.rows/s.target()))
	width := max(1, (known.to-known.from+buckets-1)/buckets)
	if known.to < known.from+width { // does not fit into 64 bits
		width = math.MaxInt64 / buckets
	}
	rows := map[int64]int64{}
	for _, p := range s.parts {
		e, found, err := s.ask(p, request{at: at, aggs: p.scale.histogram(width)}, d)
		out.gaps = append(out.gaps, found...)
		if err != nil {
			return out, err
		}
		if e == nil {
			continue
		}
		out.total += e.total.Value
		var answer struct {
			H struct {
				Buckets []struct {
					Key  float64 `json:"key"`
					Rows int64   `json:"doc_count"`
				} `json:"buckets"`
			} `json:"h"`
		}
		if err := json.Unmarshal(e.Aggs, &answer); err != nil {
			return out, s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer lacks its aggregations")
		}
		for _, got := range answer.H.Buckets {
			rows[max(at.from, whole64(got.Key))] += got.Rows
		}
	}
	out.parts = contiguous(bucket{at, out.total}, rows, width)
	return out, nil
}

// histogram is the aggregation that counts rows by time, in buckets of a width.
func (s scale) histogram(width int64) string {
	if s.date {
		return fmt.Sprintf(`{"h":{"date_histogram":{"field":%s,"fixed_interval":"%dms","min_doc_count":1}}}`, quote(s.field), width)
	}
	return fmt.Sprintf(`{"h":{"histogram":{"field":%s,"interval":%d,"min_doc_count":1}}}`, quote(s.field), width)
}

// contiguous makes buckets of a width, and of the gaps between them, that cover b, out of the starts of those that have rows.
func contiguous(b bucket, rows map[int64]int64, width int64) []bucket {
	var starts []int64
	for at := range rows {
		if at < b.to {
			starts = append(starts, at)
		}
	}
	slices.Sort(starts)
	var out []bucket
	done := b.from
	for i, at := range starts {
		if at > done {
			out = append(out, bucket{period{done, at}, 0})
		}
		end := b.to
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		// The first bucket of a histogram begins at a multiple of the width, which may lie before b.
		if first := floorDiv(at, width) * width; first+width > first {
			end = min(end, first+width)
		}
		done = max(end, at+1)
		out = append(out, bucket{period{at, done}, rows[at]})
	}
	if done < b.to {
		out = append(out, bucket{period{done, b.to}, 0})
	}
	return out
}

var errSplit = errors.New("the window is too large for a page")

// windowReader reads a window page by page.
type windowReader struct {
	*search
	w *window
	*reader
	asked func() // as of readWindow
}

// read reads a period of the window and sends its pieces in the request's order.
func (r *windowReader) read(at period) error {
	rows, gaps, err := r.rows(at)
	switch {
	case errors.Is(err, errSplit) && r.product.name == productElasticsearch && (at.to-at.from == 1 || r.sweeps()):
		return r.sweep(r.w, bucket{at, int64(r.pageRows())}, r.asked)
	case errors.Is(err, errSplit):
		for _, half := range r.halves(at) {
			if err := r.read(half); err != nil {
				return err
			}
		}
		return nil
	case err != nil:
		return err
	}
	return r.send(r.w, r.finish(rows, at, gaps))
}

// rows asks for the rows of a period. The error is errSplit if they have to be asked for in another way.
func (r *windowReader) rows(at period) (rows, []gap, error) {
	if err := r.enter(); err != nil {
		return rows{}, nil, err
	}
	defer r.leave()
	r.asked()
	gaps, err := r.page(at, r.reader)
	if errors.Is(err, errSplit) && at.to-at.from == 1 && r.product.name != productElasticsearch {
		gaps, err = r.instant(at, r.reader)
	}
	if err != nil {
		r.discard()
		return rows{}, nil, err
	}
	return r.take(), gaps, nil
}

// halves cuts a period in two, in the request's order.
func (s *search) halves(at period) []period {
	mid := at.from + int64(uint64(at.to-at.from)/2)
	if s.t.Request.Order == hunt.TimeDesc {
		return []period{{mid, at.to}, {at.from, mid}}
	}
	return []period{{at.from, mid}, {mid, at.to}}
}

// page reads a period in one page of every part. The error is errSplit if it has more rows than a page.
func (s *search) page(at period, d *reader) ([]gap, error) {
	var gaps []gap
	var seen int64
	for _, p := range s.parts {
		e, found, err := s.ask(p, request{at: at, size: s.pageRows()}, d)
		gaps = append(gaps, found...)
		if tooLarge(err) {
			return gaps, errSplit
		}
		if err != nil {
			return gaps, err
		}
		if e == nil {
			continue
		}
		if e.total.Value > int64(e.count) && len(found) == 0 {
			return gaps, errSplit
		}
		seen += e.total.Value
		d.decode(e)
	}
	s.seen.Add(seen)
	return gaps, nil
}

// pageRows is the most rows of a page. A page that should be smaller by its bytes is not, because its window was chosen by them.
func (s *search) pageRows() int { return s.e.cfg.BatchRows }

// instant reads all rows of one instant, which have to be sorted together, in slices.
func (s *search) instant(at period, d *reader) ([]gap, error) {
	for most := 4; ; most *= 4 {
		d.discard()
		gaps, err := s.sliced(at, min(most, mostSlices), d)
		if !errors.Is(err, errSplit) {
			return gaps, err
		}
		if most >= mostSlices {
			d.discard()
			name := strings.Join(s.indices(), ",")
			e := s.e.client.fail(hunt.SourceFailed, false, "there are more or larger events at "+hunt.FormatTime(s.unit.micros(at).Start)+" than can be read")
			return append(gaps, missing(name, e)), nil
		}
	}
}

func (s *search) sliced(at period, most int, d *reader) ([]gap, error) {
	var gaps []gap
	var seen int64
	for _, p := range s.parts {
		for i := range most {
			e, found, err := s.ask(p, request{at: at, size: s.pageRows(), slice: i, slices: most}, d)
			gaps = append(gaps, found...)
			if tooLarge(err) || err == nil && e != nil && e.total.Value > int64(e.count) && len(found) == 0 {
				return gaps, errSplit
			}
			if err != nil {
				return gaps, err
			}
			if e != nil {
				seen += e.total.Value
				d.decode(e)
			}
		}
	}
	s.seen.Add(seen)
	return gaps, nil
}
