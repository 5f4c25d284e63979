package files

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// passRows is how many rows one pass over the parts finds at most; with ownBytes it bounds the memory of a search.
const passRows = 64 << 10

// search is one Search under way.
type search struct {
	f       *Files
	st      *state
	gen     int64
	key     streamKey
	req     hunt.Request
	program *vector.Program
	schema  *arrow.Schema // of the answer
	needs   []string      // columns that filter and answer need
	remap   bool          // the filter asks for a column that the cache does not hold
	fill    bool          // the answer has the column unmapped, and the cache does not
	after   *hunt.Key
	yield   func(hunt.Frame, error) bool

	scanned, done, total atomic.Int64
	first                bool // the first pass, which counts the rows
	mu                   sync.Mutex
	lost                 map[string]*hunt.Error // parts that could not be read again
	told                 map[string]bool        // those that the consumer knows of
}

// Search implements hunt.Connector. It evaluates the condition itself; batches have the columns of the request, are ordered by
// (time, uid) and hold each event once.
func (f *Files) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		ctx, end, ok := f.begin(ctx)
		if !ok {
			yield(nil, f.errClosed())
			return
		}
		defer end()
		if t.Request.Stream == lostStream {
			f.searchLost(t.Request, yield)
			return
		}
		key, base := f.key(t.Request)
		if base == nil {
			yield(nil, f.errorf(hunt.NotFound, "no stream %q of class %s; Describe lists the streams", t.Request.Stream, t.Request.Class.Name))
			return
		}
		f.newSearch(key, t.Request, yield).run(ctx)
	}
}

// searchLost says which parts nothing is known of.
func (f *Files) searchLost(r hunt.Request, yield func(hunt.Frame, error) bool) {
	st := f.state.Load()
	gen, _ := f.at(st, r.Snapshot)
	var frames []hunt.Frame
	for _, p := range st.parts {
		if p.unknown() && p.segments[0].gen <= gen {
			frames = append(frames, hunt.PartFailed{Part: p.name, Err: p.damage()})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(st.reading)) {
		if st.reading[name] <= gen {
			frames = append(frames, hunt.PartFailed{Part: name, Err: retryLater(name, hunt.SourceTimeout, stillRead+"; hunt again later")})
		}
	}
	frames = append(frames, f.goneSince(st, r, func(g gone) bool { return g.unknown })...)
	if gen < st.trimmed.removed && st.trimmed.unknown {
		frames = append(frames, f.oldSnapshot(r.Snapshot, muchChanged))
	}
	for _, frame := range frames {
		if !yield(frame, nil) {
			return
		}
	}
	yield(hunt.End{}, nil)
}

// retryLater is why a part is not searched now.
func retryLater(part string, code hunt.Code, why string) *hunt.Error {
	return &hunt.Error{Op: "files: read", Source: part, Code: code, Message: why, Retryable: true}
}

func (f *Files) newSearch(key streamKey, r hunt.Request, yield func(hunt.Frame, error) bool) *search {
	st := f.state.Load()
	s := &search{f: f, st: st, key: key, req: r, program: vector.Compile(r.Where), schema: hunt.Schema(r.Class, r.Columns), after: r.After,
		yield: yield, lost: map[string]*hunt.Error{}, told: map[string]bool{}, first: true}
	s.gen, _ = f.at(st, r.Snapshot)
	asked := hunt.Paths(r.Where, r.Class)
	s.remap = slices.Contains(asked, ocsf.ColUnmapped)
	s.fill = slices.Contains(r.Columns, ocsf.ColUnmapped)
	s.needs = slices.Concat(r.Columns, asked)
	return s
}

// run yields what could not be searched, then rows pass by pass, then the end.
func (s *search) run(ctx context.Context) {
	for _, frame := range s.gaps() {
		if !s.yield(frame, nil) {
			return
		}
	}
	var returned int
	var dups int64
	for more := true; more; s.first = false {
		b, ok := s.pass(ctx, s.most(returned))
		if !ok {
			return
		}
		refs := b.done()
		for _, r := range refs {
			dups += r.dups
		}
		if !s.tell() || !s.emit(ctx, refs) {
			return
		}
		returned += len(refs)
		more = b.more && (s.req.Limit <= 0 || returned < s.req.Limit)
		if len(refs) > 0 {
			last := refs[len(refs)-1]
			s.after = &hunt.Key{Time: last.time, Tenant: s.f.id.Tenant, Connection: s.f.id.Connection, UID: last.uid}
		}
	}
	s.yield(hunt.End{RowsScanned: s.scanned.Load(), Duplicates: dups, Untimed: s.untimed()}, nil)
}

// tell yields the parts that were lost in the last pass, before the rows that it found: a consumer that has enough rows listens no more.
func (s *search) tell() bool {
	for _, name := range slices.Sorted(maps.Keys(s.lost)) {
		if s.told[name] {
			continue
		}
		s.told[name] = true
		if !s.yield(hunt.PartFailed{Part: name, Err: s.lost[name]}, nil) {
			return false
		}
	}
	return true
}

// most is how many rows the next pass has to find.
func (s *search) most(returned int) int {
	if s.req.Limit > 0 {
		return min(s.req.Limit-returned, passRows)
	}
	return passRows
}

// gaps says what cannot be searched: damaged parts, records that could not be decoded, and rows that the snapshot had.
func (s *search) gaps() []hunt.Frame {
	var out []hunt.Frame
	for _, p := range s.st.parts {
		if !p.mayHold(s.key.mapping) {
			continue
		}
		var bad int64
		var firstBad *reject
		for _, seg := range p.segments {
			if seg.gen > s.gen {
				continue
			}
			if seg.damage != nil {
				out = append(out, hunt.PartFailed{Part: p.name, Err: seg.damage})
			}
			if bad += seg.counts.Rejected; firstBad == nil && len(seg.rejects) > 0 {
				firstBad = &seg.rejects[0]
			}
		}
		if bad > 0 {
			out = append(out, hunt.Rejected{Part: p.name, Count: bad, Offset: firstBad.offset, Reason: firstBad.reason})
		}
	}
	out = append(out, s.f.goneSince(s.st, s.req, func(g gone) bool { return slices.Contains(g.streams, s.key) })...)
	if s.gen < s.st.trimmed.removed && s.st.trimmed.streams[s.key] {
		out = append(out, s.f.oldSnapshot(s.req.Snapshot, muchChanged))
	}
	return out
}

// goneSince says what of the snapshot cannot be shown any more. held says whether that may have held rows of the stream.
func (f *Files) goneSince(st *state, r hunt.Request, held func(gone) bool) []hunt.Frame {
	var out []hunt.Frame
	gen, known := f.at(st, r.Snapshot)
	if !known {
		out = append(out, f.oldSnapshot(r.Snapshot, "the files have changed since an earlier process described them; the newest state is shown, start the hunt again"))
	}
	for _, g := range st.gone {
		if g.gen > gen || g.removed <= gen || !held(g) || g.lost != nil && !g.lost.Overlaps(r.Range) {
			continue
		}
		out = append(out, hunt.PartFailed{Part: g.part, Lost: g.lost, Err: retryLater(g.part, hunt.SourceFailed,
			g.why())})
	}
	return out
}

// muchChanged is said of a snapshot that saw what is not remembered in detail.
const muchChanged = "too much has changed since the hunt began to say what is lost; start the hunt again"

// why says why what is gone cannot be shown.
func (g gone) why() string {
	if g.reading {
		return "was still being read when the hunt began; start the hunt again"
	}
	return "was replaced or deleted after the hunt began; start the hunt again"
}

// oldSnapshot says that a snapshot cannot be shown as it was.
func (f *Files) oldSnapshot(snapshot, why string) hunt.Frame {
	return hunt.PartFailed{Part: "snapshot " + snapshot, Err: f.errorf(hunt.SourceFailed, "%s", why)}
}

func (s *search) untimed() int64 {
	var n int64
	for _, p := range s.st.parts {
		for _, seg := range p.segments {
			if held := seg.streams[s.key]; held != nil && seg.gen <= s.gen {
				n += held.untimed
			}
		}
	}
	return n
}

// item is a piece of work of a pass: a batch that the cache holds, or a segment that has to be mapped again.
type item struct {
	file  *file
	part  *part
	seg   *segment
	batch *batch
}

// items lists the work of a pass.
func (s *search) items() []item {
	var out []item
	for _, p := range s.st.parts {
		for _, seg := range p.segments {
			if !seg.mayMatch(s.key, s.req.Range, s.gen) {
				continue
			}
			batches, ok := s.f.cache.get(seg, s.key)
			if !ok || s.remap || s.fill && p.format == zeekTSV {
				out = append(out, item{file: s.st.files[fileName(p)], part: p, seg: seg})
				continue
			}
			for _, b := range batches {
				out = append(out, item{part: p, seg: seg, batch: b})
			}
		}
	}
	return out
}

// progressEvery is the time between two Progress frames.
const progressEvery = 250 * time.Millisecond

// pass finds the first rows of the answer after the last one that was emitted. ok is false if the search is over.
func (s *search) pass(ctx context.Context, most int) (b *best, ok bool) {
	items := s.items()
	if s.first {
		s.total.Store(int64(len(items)))
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	next := make(chan item, len(items))
	for _, it := range items {
		next <- it
	}
	close(next)
	bests := make([]*best, max(1, min(s.f.workers, len(items))))
	errs := make([]error, len(bests))
	over := make(chan struct{})
	var wg sync.WaitGroup
	for i := range bests {
		bests[i] = &best{order: s.req.Order, most: most, schema: s.schema}
		wg.Go(func() { errs[i] = s.work(ctx, next, bests[i], cancel) })
	}
	go func() { wg.Wait(); close(over) }()
	alive := s.watch(over)
	cancel()
	<-over
	if !alive {
		return nil, false
	}
	if err := cmp.Or(errs...); err != nil {
		s.yield(nil, hunt.AsError(err, hunt.SourceFailed))
		return nil, false
	}
	for _, other := range bests[1:] {
		bests[0].merge(other)
	}
	return bests[0], true
}

// watch yields progress until the workers are done; false if the consumer has seen enough.
func (s *search) watch(over <-chan struct{}) bool {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return !s.first || s.yield(s.progress(), nil)
		case <-tick.C:
			if !s.yield(s.progress(), nil) {
				return false
			}
		}
	}
}

func (s *search) progress() hunt.Progress {
	return hunt.Progress{RowsScanned: s.scanned.Load(), Done: min(s.done.Load(), s.total.Load()), Total: s.total.Load()}
}

// work evaluates items until there are none.
func (s *search) work(ctx context.Context, next <-chan item, b *best, stop func()) error {
	for it := range next {
		if ctx.Err() != nil {
			return s.f.cancelled(ctx)
		}
		if it.batch != nil {
			s.evaluate(it.batch, b, false)
		} else if err := s.remapSegment(ctx, it, b); err != nil {
			stop()
			return err
		}
		if s.first {
			s.done.Add(1)
		}
	}
	return nil
}

// evaluate offers the rows of a batch that belong to the answer. own says that the batch is held for this search alone.
func (s *search) evaluate(held *batch, b *best, own bool) {
	rec := held.rec
	if s.first {
		s.scanned.Add(rec.NumRows())
	}
	if !held.timed || !s.req.Range.Overlaps(hunt.TimeRange{Start: held.min, End: held.max + 1}) {
		return
	}
	m := vector.InRange(rec, s.req.Range)
	s.dropBefore(rec, m)
	if m.Count() == 0 {
		return
	}
	for i, on := range s.program.Filter(rec) {
		m[i] = m[i] && on
	}
	size := int64(0)
	if own {
		rec = vector.Select(vector.Project(rec, s.schema), m)
		m = nil
		size = sizeOf(rec) / max(rec.NumRows(), 1)
	}
	uids, times := rec.Column(0).(*array.String), rec.Column(1).(*array.Timestamp)
	for i := range int(rec.NumRows()) {
		if m == nil || m[i] {
			b.add(ref{time: int64(times.Value(i)), uid: uids.Value(i), rec: rec, row: i, size: size})
		}
	}
}

// dropBefore takes the rows out of a mask that do not come after the key of the request.
func (s *search) dropBefore(rec arrow.RecordBatch, m vector.Mask) {
	if s.after == nil {
		return
	}
	uids, times := rec.Column(0).(*array.String), rec.Column(1).(*array.Timestamp)
	source := cmp.Or(strings.Compare(s.f.id.Tenant, s.after.Tenant), strings.Compare(s.f.id.Connection, s.after.Connection))
	for i, on := range m {
		if !on {
			continue
		}
		c := cmp.Or(cmp.Compare(int64(times.Value(i)), s.after.Time), source)
		if c == 0 {
			c = strings.Compare(uids.Value(i), s.after.UID)
		}
		m[i] = c > 0 != (s.req.Order == hunt.TimeDesc) && c != 0
	}
}

// remapSegment maps a segment again, with the columns that the search needs alone. A part that is not what it was is a gap.
func (s *search) remapSegment(ctx context.Context, it item, b *best) error {
	if !s.f.unchanged(it.file, it.part) {
		s.lose(it.part.name, hunt.Errorf(hunt.SourceFailed, "changed while it was searched; ask again"))
		return nil
	}
	scratch := &segment{part: it.part.name, from: it.seg.from}
	err := s.f.readSegment(ctx, it, func(in framer) error {
		m := s.f.newMapper(ctx, scratch)
		m.workers = s.f.workers
		m.paths = func(k streamKey) ([]string, bool) { return s.needs, k == s.key }
		m.emit = func(_ streamKey, rec arrow.RecordBatch) error {
			s.evaluate(newBatch(rec), b, true)
			return nil
		}
		return m.run(in)
	})
	switch {
	case ctx.Err() != nil:
		return s.f.cancelled(ctx)
	case err != nil:
		s.lose(it.part.name, damage(it.part.name, it.seg.from, err))
	case scratch.damage != nil && it.seg.damage == nil:
		s.lose(it.part.name, scratch.damage)
	}
	return nil
}

func (s *search) lose(part string, err *hunt.Error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err.Op, err.Source, err.Retryable = "files: read", part, true
	s.lost[part] = err
}

// unchanged says whether the bytes of a part are those that were indexed.
func (f *Files) unchanged(was *file, p *part) bool {
	info, err := os.Stat(filepath.Join(f.root, filepath.FromSlash(was.name)))
	if err != nil {
		return false
	}
	if was.same(info) {
		return true
	}
	return p.appendable() && os.SameFile(was.info, info) && info.Size() > was.info.Size()
}

// readSegment opens a segment and hands its framer to read.
func (f *Files) readSegment(ctx context.Context, it item, read func(framer) error) error {
	o := opening{file: it.file.name, member: it.part.member, to: it.file.info.Size()}
	if it.seg.to >= 0 {
		o.to = it.seg.to
	}
	if !it.seg.first {
		o.from = it.seg.from
	}
	src, err := f.openPart(ctx, o)
	if err != nil {
		return err
	}
	defer src.Close() //nolint:errcheck // what is wrong with it showed while reading
	return read(f.newFramer(it.part.format, src, it.seg.from, it.seg.zeek))
}

// emit yields rows in batches.
func (s *search) emit(ctx context.Context, refs []ref) bool {
	for len(refs) > 0 {
		if ctx.Err() != nil {
			s.yield(nil, s.f.cancelled(ctx))
			return false
		}
		n := s.chunk(refs)
		rec, err := s.batch(refs[:n])
		if err != nil {
			s.yield(nil, err)
			return false
		}
		if !s.yield(&hunt.Batch{Record: rec}, nil) {
			return false
		}
		refs = refs[n:]
	}
	return true
}

// chunk is how many rows go into the next batch.
func (s *search) chunk(refs []ref) int {
	if !slices.Contains(s.req.Columns, ocsf.ColRaw) {
		return min(len(refs), batchRows)
	}
	var bytes int64
	for i := range refs[:min(len(refs), batchRows)] {
		if raw := rawColumn(refs[i].rec); raw != nil {
			bytes += int64(raw.ValueLen(refs[i].row))
		}
		if bytes > batchBytes {
			return max(i, 1)
		}
	}
	return min(len(refs), batchRows)
}

// batch copies rows into a batch of the answer's schema.
func (s *search) batch(refs []ref) (arrow.RecordBatch, error) {
	rec := gather(refs, s.schema)
	if !s.fill {
		return rec, nil
	}
	return s.fillUnmapped(rec, refs)
}
