package elastic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// A search first asks for the first rows; often these are all. What is left is cut into windows of time that one page each holds, or as
// many as a sweep may hold (sweep.go), within one point in time, and the pages are read unsorted, several at a time, and sorted here: that
// is several times faster than to page in order, and needs no search_after by time, which loses rows on OpenSearch. A page that holds less than its window is cut again: by
// time, and one instant by slices. So every row comes exactly once, which the totals of the cluster prove.

// Bounds of windows.
const (
	keepAlive   = "3m" // of a point in time, after each request
	mostBuckets = 2000 // of a histogram
	mostSlices  = 1024 // of an instant; clusters allow no more (index.max_slices_per_pit)
	mostOpened  = 4    // points in time for one part, if the cluster loses them
	mostTries   = 5    // of a request that the cluster has no room for
	longestWait = 30 * time.Second
)

// period is a half-open range of time in the units of the field of time.
type period struct{ from, to int64 }

// unit is how many microseconds the numbers of spans count: 1 for documents of this package, 1000 for those of others.
type unit int64

func unitOf(src *source) unit {
	if src.micros {
		return 1
	}
	return 1000
}

// Bounds that clusters take of dates: years 1 to 9999.
const (
	minMillis = -62_135_596_800_000
	maxMillis = 253_402_300_800_000
)

// period is the smallest period that holds a range.
func (u unit) period(r hunt.TimeRange) period {
	if r.Start >= r.End {
		return period{}
	}
	out := period{floorDiv(r.Start, int64(u)), floorDiv(r.End-1, int64(u)) + 1}
	if u > 1 {
		out.from, out.to = max(out.from, minMillis), min(out.to, maxMillis)
	}
	return out
}

// micros is the range of a period.
func (u unit) micros(at period) hunt.TimeRange {
	return hunt.TimeRange{Start: times(at.from, int64(u)), End: times(at.to, int64(u))}
}

// times multiplies, and stops at the ends of 64 bits.
func times(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// after is the next microsecond.
func after(us int64) int64 {
	if us == math.MaxInt64 {
		return us
	}
	return us + 1
}

// scale says how some indices hold the time of events.
type scale struct {
	field string
	date  bool // a date, not an integer
	nanos bool // a date of nanoseconds, which reaches from 1970 to 2262
}

// scaled are indices that hold the time of some of their events in one way.
type scaled struct {
	scale
	after   []string // fields that come before this one: documents that have one of them belong to that
	indices []string
}

// byScale says how the indices hold the time of events: by which fields, and as what. Every event belongs to one of them.
func byScale(src *source, indices []string) []scaled {
	if src.micros {
		return []scaled{{scale: scale{field: src.time}, indices: indices}}
	}
	groups := map[string]*group{}
	for i := range src.groups {
		for _, name := range src.groups[i].Indices {
			groups[name] = &src.groups[i]
		}
	}
	var out []scaled
	for _, name := range indices {
		var before []string
		for _, at := range src.times {
			if groups[name] == nil {
				continue
			}
			f, ok := groups[name].Fields[at]
			if !ok || !isTime(f, at) {
				continue
			}
			next := scaled{scale: scale{field: at, date: f.Kind != kindInteger, nanos: f.Kind == kindDateNanos}, after: slices.Clone(before)}
			k := slices.IndexFunc(out, func(o scaled) bool { return o.scale == next.scale && slices.Equal(o.after, next.after) })
			if k < 0 {
				k, out = len(out), append(out, next)
			}
			out[k].indices = append(out[k].indices, name)
			before = append(before, at)
		}
	}
	return out
}

// limit adds to a query that the documents belong to these fields of time.
func (s scaled) limit(q json.RawMessage) json.RawMessage {
	if len(s.after) == 0 {
		return q
	}
	parts := []query{{string(q), 1}}
	for _, name := range s.after {
		parts = append(parts, not(exists(name)))
	}
	return allOf(parts...).raw()
}

// query is the condition that the time lies in a period.
func (s scale) query(at period) string {
	if !s.date {
		return fmt.Sprintf(`{"range":{%s:{"gte":%d,"lt":%d}}}`, quote(s.field), at.from, at.to)
	}
	if s.nanos {
		const most = math.MaxInt64 / 1_000_000
		at.from, at.to = min(max(at.from, 0), most), min(max(at.to, 1), most)
	}
	const layout = "2006-01-02T15:04:05.000Z"
	text := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(layout) }
	if s.nanos {
		return fmt.Sprintf(`{"range":{%s:{"gte":"%s","lt":"%s","format":"strict_date_optional_time"}}}`, quote(s.field), text(at.from), text(at.to))
	}
	return fmt.Sprintf(`{"range":{%s:{"gte":"%s","lte":"%s","format":"strict_date_optional_time"}}}`, quote(s.field), text(at.from), text(at.to-1))
}

// native turns the sort value of a hit into the units of spans.
func (s scale) native(sort int64) int64 {
	if s.nanos {
		return floorDiv(sort, 1_000_000)
	}
	return sort
}

// request is what is asked of a part.
type request struct {
	at     period
	size   int
	sorted bool // in the request's order
	total  string
	slice  int // number of the slice
	slices int // of how many; 0 for none
	aggs   string

	byValue bool // columns instead of documents

	cursor bool   // in the order of the cursor; only within a point in time of Elasticsearch
	after  *int64 // after this place of the cursor; nil for the beginning
	opened int    // only in the point in time of this number; 0 for any
}

// body writes a request.
func (s *search) body(p *part, pit string, r request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"size":%d,"track_total_hits":%s,"query":{"bool":{"filter":[%s,%s]}}`, r.size, cmp.Or(r.total, "true"), p.query, p.scale.query(r.at))
	switch {
	case r.size > 0 && r.byValue:
		fmt.Fprintf(&b, `,"_source":false,"stored_fields":"_none_","docvalue_fields":%s`, s.columns)
	case r.size > 0:
		fmt.Fprintf(&b, `,"_source":%s`, s.include)
	}
	switch {
	case r.sorted && s.t.Request.Order == hunt.TimeDesc:
		fmt.Fprintf(&b, `,"sort":[{%s:{"order":"desc"}}]`, quote(p.scale.field))
	case r.sorted:
		fmt.Fprintf(&b, `,"sort":[{%s:{"order":"asc"}}]`, quote(p.scale.field))
	case r.cursor:
		b.WriteString(`,"sort":["_shard_doc"]`)
	case r.size > 0:
		b.WriteString(`,"sort":["_doc"]`)
	}
	if r.after != nil {
		fmt.Fprintf(&b, `,"search_after":[%d]`, *r.after)
	}
	if r.slices > 0 {
		fmt.Fprintf(&b, `,"slice":{"id":%d,"max":%d}`, r.slice, r.slices)
	}
	if r.aggs != "" {
		fmt.Fprintf(&b, `,"aggs":%s`, r.aggs)
	}
	if pit != "" {
		fmt.Fprintf(&b, `,"pit":{"id":%s,"keep_alive":"%s"}`, quote(pit), keepAlive)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// ask sends a request to a part, within its point in time unless direct is set, and parses the answer with d. It waits where the
// cluster has no room, and opens the point in time anew if the cluster has lost it. gaps say what the answer lacks; without an answer
// the envelope is nil.
func (s *search) ask(p *part, r request, d *reader) (*envelope, []gap, error) {
	var gaps []gap
	for try := 0; ; {
		pit := ""
		if !d.direct {
			var err error
			if pit, gaps, err = s.point(p, gaps); pit == "" {
				return nil, gaps, err
			}
			if opened, _ := p.known(); r.opened != 0 && r.opened != opened {
				return nil, gaps, errMoved
			}
		}
		e, err := s.once(p, pit, r, d)
		if err == nil {
			found := s.check(e, p)
			if !busy(found) || try >= mostTries {
				return e, append(gaps, found...), nil
			}
			err = found[0].err
		}
		switch code := hunt.AsError(err, hunt.SourceFailed).Code; {
		case tooLarge(err) && r.size > 1:
			s.perRow.Store(min(maxAnswer, 8*max(s.perRow.Load(), int64(s.e.cfg.PageBytes/r.size)))) // the next windows are smaller
			if code == hunt.SourceThrottled {                                                       // its memory is full: smaller answers help, and so does time
				if err := s.wait(hunt.AsError(err, code), try); err != nil {
					return nil, gaps, err
				}
			}
			return nil, gaps, err
		case code == hunt.SourceThrottled && try < mostTries:
			if err := s.wait(hunt.AsError(err, code), try); err != nil {
				return nil, gaps, err
			}
			try++
		case code == hunt.SourceChanged && !d.direct:
			p.forget(pit)
		default:
			return nil, gaps, err
		}
	}
}

// busy says whether shards had no room for a search, and nothing else is wrong.
func busy(gaps []gap) bool {
	for _, g := range gaps {
		if g.err.Code != hunt.SourceThrottled {
			return false
		}
	}
	return len(gaps) > 0
}

// once sends a request once.
func (s *search) once(p *part, pit string, r request, d *reader) (*envelope, error) {
	r.byValue = r.size > 0 && s.byValue.Load()
	req := esapi.SearchRequest{Body: bytes.NewReader(s.body(p, pit, r))}
	if pit == "" {
		req.Index = p.indices
	}
	a, err := s.e.client.do(s.ctx, req, d.buf)
	if err != nil {
		return nil, err
	}
	d.buf = a.body
	if r.byValue && bytes.Contains(a.body, []byte(quote(longField))) {
		s.byValue.Store(false) // some values are in the documents alone
		return s.once(p, pit, r, d)
	}
	e, err := d.parse(a.body)
	if err != nil {
		return nil, s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer is cut or damaged; look for a proxy between: "+shorten(err.Error()))
	}
	if e.count > 0 {
		s.perRow.Store(max(1, int64(len(a.body)/e.count)))
	}
	if pit != "" {
		p.answered(pit, e)
	}
	return e, nil
}

// wait lets the cluster catch its breath, and says so. A wait that is too long is left to the host.
func (s *search) wait(err *hunt.Error, try int) error {
	pause := err.RetryAfter
	if pause > longestWait {
		return err
	}
	if pause == 0 {
		pause = 250 * time.Millisecond << try
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case s.notes <- hunt.Throttled{RetryAfter: pause}:
	default: // nobody reads them just now
	}
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// reader is a decoder with a buffer for answers.
type reader struct {
	decoder
	buf    []byte
	direct bool // ask the indices themselves, not a point in time
}

func (p *part) forget(pit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit == pit {
		p.pit = ""
	}
}

// answered notes what an answer says of the part: the cluster may give its point in time another name.
func (p *part) answered(pit string, e *envelope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit == pit {
		p.pit, p.shards = cmp.Or(e.PIT, pit), e.Shards.Total
	}
}

// point returns the point in time of a part and opens it if there is none; "" if nothing of the part can be read.
func (s *search) point(p *part, gaps []gap) (string, []gap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit != "" || p.lost {
		return p.pit, gaps, nil
	}
	if p.opened++; p.opened > mostOpened {
		p.lost = true
		return "", append(gaps, missing(strings.Join(p.indices, ","), s.e.client.fail(hunt.SourceChanged, true, "the cluster loses the search's point in time again and again"))), nil
	}
	pit, found, err := s.open(p.indices)
	gaps = append(gaps, found...)
	if vanished(err) {
		p.indices, found, err = s.survivors(p.indices)
		gaps = append(gaps, found...)
		if err == nil && len(p.indices) > 0 {
			pit, found, err = s.open(p.indices)
			gaps = append(gaps, found...)
		}
	}
	if err != nil {
		return "", gaps, err
	}
	p.pit, p.lost = pit, pit == ""
	return pit, gaps, nil
}

// vanished says whether an error is about one of the indices and not about the cluster.
func vanished(err error) bool {
	r := refusalOf(err)
	return r != nil && (r.status == http.StatusNotFound || r.status == http.StatusForbidden || r.problem.has("index_closed_exception"))
}

// survivors finds out which indices can still be read.
func (s *search) survivors(indices []string) ([]string, []gap, error) {
	var left []string
	var gaps []gap
	for _, name := range indices {
		pit, found, err := s.open([]string{name})
		gaps = append(gaps, found...)
		switch {
		case err == nil:
			left = append(left, name)
			s.e.closePIT(pit, s.product)
		case vanished(err):
			gaps = append(gaps, missing(name, err))
		default:
			return nil, gaps, err
		}
	}
	return left, gaps, nil
}

// opened is the answer to the opening of a point in time.
type opened struct {
	ID     string  `json:"id"`
	PIT    string  `json:"pit_id"`
	Shards *shards `json:"_shards"`
	err    error
}

func (o opened) id() string { return cmp.Or(o.ID, o.PIT) }

// open opens a point in time. Shards that are not there are gaps.
func (s *search) open(indices []string) (string, []gap, error) {
	query := url.Values{"keep_alive": {keepAlive}}
	path := strings.Join(indices, ",") + "/_pit"
	if s.product.name == productOpenSearch {
		path = strings.Join(indices, ",") + "/_search/point_in_time"
	}
	out := s.openAt(path, query)
	if r := refusalOf(out.err); r != nil && r.status == http.StatusServiceUnavailable && s.product.name == productElasticsearch {
		query.Set("allow_partial_search_results", "true") // since 8.16; the searches then say which shards are missing
		if again := s.openAt(path, query); again.err == nil {
			out = again
		}
	}
	switch {
	case out.err != nil:
		return "", nil, out.err
	case out.id() == "":
		return "", nil, s.e.client.fail(hunt.SourceDamaged, true, "the cluster opened a point in time without an id")
	case out.Shards != nil && s.product.name == productOpenSearch:
		return out.id(), s.check(&envelope{Shards: out.Shards}, &part{indices: indices}), nil
	}
	return out.id(), nil, nil
}

// openAt sends the request that opens a point in time. If the search is over before the answer comes, the answer is waited for all the
// same, in the background: nobody else would know what to delete.
func (s *search) openAt(path string, query url.Values) opened {
	if !s.e.enter() {
		return opened{err: s.e.errClosed()}
	}
	answers, over := make(chan opened), s.ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(over))
	stop := context.AfterFunc(over, func() { time.AfterFunc(cleanUpTime, cancel) })
	go func() {
		defer s.e.running.Done()
		defer cancel()
		defer stop()
		var out opened
		out.err = s.e.client.get(ctx, raw{method: http.MethodPost, path: path, query: query}, &out)
		select {
		case answers <- out:
		case <-over.Done():
			if out.id() != "" {
				s.e.closePIT(out.id(), s.product)
			}
		}
	}()
	select {
	case out := <-answers:
		return out
	case <-over.Done():
		return opened{err: s.e.client.ended(over)}
	}
}

// closePIT deletes a point in time. That the cluster does not answer is no matter: it forgets it by itself.
func (e *Elastic) closePIT(pit string, p product) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), cleanUpTime)
	defer cancel()
	req := raw{method: http.MethodDelete, path: "_pit", body: []byte(`{"id":` + quote(pit) + `}`)}
	if p.name == productOpenSearch {
		req = raw{method: http.MethodDelete, path: "_search/point_in_time", body: []byte(`{"pit_id":[` + quote(pit) + `]}`)}
	}
	_, _ = e.client.do(ctx, req, nil)
}

// probe asks for the first rows and yields them. It returns the period that is left to read. If many are wanted it does not ask for them in
// order: they are all, or are read again with the others.
func (s *search) probe(bounds period) (period, error) {
	size := s.probeSize()
	d := &reader{decoder: s.decoder(), direct: true}
	defer s.free(d.decoder)
	rest := period{bounds.to, bounds.to}
	if s.t.Request.Order == hunt.TimeDesc {
		rest = period{bounds.from, bounds.from}
	}
	var gaps []gap
	for _, p := range s.parts {
		r := request{at: bounds, size: size, sorted: !s.many()}
		if r.sorted && s.limited() && s.product.name == productElasticsearch {
			r.total = fmt.Sprint(size + 1) // so that it need not look at all
		}
		e, found, err := s.ask(p, r, d)
		if tooLarge(err) || vanished(err) {
			d.discard()
			return bounds, nil // windows find out how much can be read at a time, and which index is gone
		}
		if err != nil {
			return rest, err
		}
		gaps = append(gaps, found...)
		d.decode(e)
		if e.total.Relation == "eq" && e.total.Value <= int64(e.count) {
			continue
		}
		if !r.sorted && len(s.parts) == 1 && e.total.Relation == "eq" {
			s.expected = e.total.Value
			p.setShards(e.Shards.Total)
		}
		if !r.sorted || e.count == 0 || e.count < size && len(found) == 0 {
			d.discard()
			return bounds, nil
		}
		rest = s.further(rest, bounds, p.scale.native(e.last))
	}
	s.drain()
	done := period{bounds.from, rest.from}
	if s.t.Request.Order == hunt.TimeDesc {
		done = period{rest.to, bounds.to}
	}
	r := d.take()
	if done.from >= done.to { // all of one instant, of which there is more
		r = rows{}
	}
	if r.rec != nil && rest.from < rest.to {
		mask := vector.InRange(r.rec, s.unit.micros(rest)) // these are read again, with others of the last instant
		for i := range mask {
			mask[i] = !mask[i]
		}
		r.rec = vector.Select(r.rec, mask)
	}
	return rest, s.emitProbe(r, done, gaps)
}

func (s *search) emitProbe(r rows, done period, gaps []gap) error {
	if r.rec != nil {
		s.rows += r.rec.NumRows()
	}
	return s.emitPiece(s.finish(r, done, gaps))
}

// further extends the rest of a probe to the last row of one part: rows of its instant may be missing.
func (s *search) further(rest, bounds period, last int64) period {
	if s.t.Request.Order == hunt.TimeDesc {
		return period{bounds.from, max(rest.to, min(last+1, bounds.to))}
	}
	return period{min(rest.from, max(last, bounds.from)), bounds.to}
}

func (s *search) probeSize() int {
	size := firstRows
	switch {
	case s.many():
		size = sampleRows
	case string(s.include) == "true":
		size = heavyRows
	}
	if limit := s.t.Request.Limit; s.limited() && !s.many() {
		size = limit + 16
	} else if limit > 0 {
		size = min(size, 4*limit+100)
	}
	return min(size, s.e.cfg.BatchRows)
}

// drain hands on what was noted while the probe ran.
func (s *search) drain() {
	for {
		select {
		case f := <-s.notes:
			_ = s.emit(f) // if the consumer has enough, it says so again
		default:
			return
		}
	}
}

// window is a period under way.
type window struct {
	at     period
	pieces chan *piece // closed at the end
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
	ahead := parallel - 1
	if s.sweeps() {
		ahead = 1 // each of them is read by several, and holds much
	}
	queue := make(chan *window, ahead)
	planned := make(chan error, 1)
	s.workers.Go(func() {
		planned <- s.plan(rest, queue)
		close(queue)
	})
	for w := range queue {
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
func (s *search) plan(rest period, queue chan<- *window) error {
	if s.sweeps() && s.expected > 0 && s.expected <= s.target() {
		return s.start(bucket{rest, s.expected}, queue)
	}
	s.expected = 0 // they are counted
	d := &reader{decoder: s.decoder()}
	defer s.free(d.decoder)
	at, total, gaps, err := s.extent(rest, d)
	if err != nil {
		return err
	}
	s.promised.Store(total)
	first := &window{at: rest, pieces: make(chan *piece, 1)}
	first.pieces <- s.finish(rows{}, rest, gaps)
	close(first.pieces)
	if err := s.enqueue(first, queue); err != nil {
		return err
	}
	return s.cut(bucket{at, total}, queue, d)
}

func (s *search) enqueue(w *window, queue chan<- *window) error {
	select {
	case queue <- w:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// start queues a window and reads it.
func (s *search) start(b bucket, queue chan<- *window) error {
	w := &window{at: b.period, pieces: make(chan *piece, 1)}
	if err := s.enqueue(w, queue); err != nil {
		return err
	}
	s.workers.Go(func() {
		defer close(w.pieces)
		d := &reader{decoder: s.decoder()}
		defer s.free(d.decoder)
		var err error
		if s.expected > 0 || s.sweeps() && b.rows > s.pageTarget() {
			err = s.sweep(w, b)
		} else {
			err = s.read(w, b.period, d)
		}
		if err != nil {
			d.discard()
			_ = s.send(w, &piece{err: err}) // nobody waits for it if the search has ended
		}
	})
	return nil
}

// extent asks how many rows there are in a period, and from when to when they are.
func (s *search) extent(rest period, d *reader) (at period, total int64, gaps []gap, err error) {
	at = period{rest.to, rest.from}
	for _, p := range s.parts {
		aggs := fmt.Sprintf(`{"min":{"min":{"field":%s}},"max":{"max":{"field":%s}}}`, quote(p.scale.field), quote(p.scale.field))
		e, found, err := s.ask(p, request{at: rest, aggs: aggs}, d)
		gaps = append(gaps, found...)
		if err != nil {
			return at, 0, gaps, err
		}
		if e == nil || e.total.Value == 0 {
			continue
		}
		var limits struct{ Min, Max struct{ Value float64 } }
		if err := json.Unmarshal(e.Aggs, &limits); err != nil {
			return at, 0, gaps, s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer lacks its aggregations")
		}
		total += e.total.Value
		// The cluster counts in 64-bit floats, which are exact only up to 2^53.
		at.from = min(at.from, max(rest.from, whole64(math.Nextafter(limits.Min.Value, math.Inf(-1)))))
		at.to = max(at.to, min(rest.to, whole64(math.Nextafter(limits.Max.Value, math.Inf(1)))+1))
	}
	return at, total, gaps, nil
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
	if !s.sweeps() {
		return page
	}
	if limit := int64(s.t.Request.Limit); limit > 0 && limit < page*sweepPages {
		return max(page, limit)
	}
	return page * sweepPages
}

// cut cuts a bucket into windows of about target rows and starts to read them.
func (s *search) cut(b bucket, queue chan<- *window, d *reader) error {
	if b.from >= b.to {
		return nil
	}
	if b.rows <= s.target() || b.to-b.from == 1 {
		return s.start(b, queue)
	}
	parts, err := s.histogram(b, d)
	if err != nil {
		return err
	}
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
		return s.start(at, queue)
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
			if err := s.cut(next, queue, d); err != nil {
				return err
			}
		case open.from == open.to:
			open = next
		case open.rows == 0 && exact:
			open = next
		default:
			open = bucket{period{min(open.from, next.from), max(open.to, next.to)}, open.rows + next.rows}
		}
	}
	return flush()
}

// histogram counts the rows of a bucket in parts of equal length, which together cover it.
func (s *search) histogram(b bucket, d *reader) ([]bucket, error) {
	buckets := max(2, min(mostBuckets, 8*b.rows/s.target()))
	width := max(1, (b.to-b.from+buckets-1)/buckets)
	if b.to < b.from+width { // does not fit into 64 bits
		width = math.MaxInt64 / buckets
	}
	rows := map[int64]int64{}
	for _, p := range s.parts {
		aggs := fmt.Sprintf(`{"h":{"histogram":{"field":%s,"interval":%d,"min_doc_count":1}}}`, quote(p.scale.field), width)
		if p.scale.date {
			aggs = fmt.Sprintf(`{"h":{"date_histogram":{"field":%s,"fixed_interval":"%dms","min_doc_count":1}}}`, quote(p.scale.field), width)
		}
		e, _, err := s.ask(p, request{at: b.period, aggs: aggs}, d) // the reading of the windows tells of gaps
		if err != nil {
			return nil, err
		}
		if e == nil {
			continue
		}
		var out struct {
			H struct {
				Buckets []struct {
					Key  float64 `json:"key"`
					Rows int64   `json:"doc_count"`
				} `json:"buckets"`
			} `json:"h"`
		}
		if err := json.Unmarshal(e.Aggs, &out); err != nil {
			return nil, s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer lacks its aggregations")
		}
		for _, got := range out.H.Buckets {
			rows[max(b.from, whole64(got.Key))] += got.Rows
		}
	}
	return contiguous(b, rows, width), nil
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

// read reads a period of a window and sends its pieces in the request's order.
func (s *search) read(w *window, at period, d *reader) error {
	gaps, err := s.page(at, d)
	switch {
	case errors.Is(err, errSplit) && s.product.name == productElasticsearch && (at.to-at.from == 1 || s.sweeps()):
		d.discard()
		return s.sweep(w, bucket{at, int64(s.pageRows())})
	case errors.Is(err, errSplit) && at.to-at.from == 1:
		gaps, err = s.instant(at, d)
	case errors.Is(err, errSplit):
		d.discard()
		for _, half := range s.halves(at) {
			if err := s.read(w, half, d); err != nil {
				return err
			}
		}
		return nil
	}
	if err != nil {
		return err
	}
	return s.send(w, s.finish(d.take(), at, gaps))
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
