package files

import (
	"cmp"
	"context"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// fanOutAfter is how many records of a part one goroutine maps before others help: cutting a part into records takes a tenth of the
// time that mapping them takes.
const fanOutAfter = 2_000

// chunkBytes is how many bytes of records go to a goroutine at once.
const chunkBytes = 256 << 10

// chunk is some JSON records in memory of its own.
type chunk struct {
	records []record // raw is set when they are read
	ends    []int
	bytes   []byte
}

func (c *chunk) add(r *record) {
	c.bytes = append(c.bytes, r.raw...)
	c.records = append(c.records, record{offset: r.offset, reason: r.reason})
	c.ends = append(c.ends, len(c.bytes))
}

// record returns the i-th record.
func (c *chunk) record(i int) *record {
	from := 0
	if i > 0 {
		from = c.ends[i-1]
	}
	r := &c.records[i]
	r.raw = c.bytes[from:c.ends[i]]
	return r
}

// fanOut maps the rest of a part on several goroutines, beginning with a record that has been read.
func (m *mapper) fanOut(in framer, r *record) error {
	ctx, cancel := context.WithCancelCause(m.ctx)
	defer cancel(nil)
	work := make(chan *chunk, m.workers)
	kids := make([]*mapper, m.workers)
	var wg sync.WaitGroup
	var emitting sync.Mutex
	for i := range kids {
		kids[i] = m.fork(ctx, &emitting)
		wg.Go(func() {
			if err := kids[i].mapChunks(work); err != nil {
				cancel(err)
			}
		})
	}
	err := m.cut(ctx, in, r, work)
	close(work)
	wg.Wait()
	for _, kid := range kids {
		m.into.merge(kid.into)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return cmp.Or(err, m.finish())
}

// fork makes a mapper for a goroutine of its own. emit is called by one goroutine at a time.
func (m *mapper) fork(ctx context.Context, emitting *sync.Mutex) *mapper {
	kid := &mapper{ctx: ctx, id: m.id, decoder: m.newDecoder(), paths: m.paths, into: &segment{part: m.into.part}, newDecoder: m.newDecoder,
		builders: map[streamKey]*mapping.Builder{}}
	if m.emit != nil {
		kid.emit = func(k streamKey, rec arrow.RecordBatch) error {
			emitting.Lock()
			defer emitting.Unlock()
			return m.emit(k, rec)
		}
	}
	return kid
}

// cut reads records into chunks until the part ends or a mapper fails.
func (m *mapper) cut(ctx context.Context, in framer, r *record, work chan<- *chunk) error {
	c := &chunk{}
	c.add(r)
	send := func() bool {
		select {
		case work <- c:
			c = &chunk{}
			return true
		case <-ctx.Done():
			return false
		}
	}
	for n := 1; ; n++ {
		more, err := m.read(in, r, n)
		if err != nil {
			return err
		}
		if !more {
			send()
			return nil
		}
		if c.add(r); len(c.bytes) >= chunkBytes && !send() {
			return nil
		}
	}
}

// mapChunks maps what it gets and flushes at the end.
func (m *mapper) mapChunks(work <-chan *chunk) error {
	for c := range work {
		if m.ctx.Err() != nil {
			return context.Cause(m.ctx)
		}
		for i := range c.records {
			if err := m.record(c.record(i)); err != nil {
				return err
			}
		}
	}
	return m.finish()
}

// merge adds what another goroutine counted in the same part.
func (s *segment) merge(o *segment) {
	s.counts.add(o.counts)
	s.rejects = append(s.rejects, o.rejects...)
	slices.SortFunc(s.rejects, func(a, b reject) int { return cmp.Compare(a.offset, b.offset) })
	s.rejects = s.rejects[:min(len(s.rejects), keptRejects)]
	if s.streams == nil {
		s.streams = map[streamKey]*streamStats{}
	}
	for key, held := range o.streams {
		if to := s.streams[key]; to == nil {
			s.streams[key] = held
		} else {
			to.merge(held)
		}
	}
}

func (s *streamStats) merge(o *streamStats) {
	if o.timed() {
		if !s.timed() {
			s.min, s.max = o.min, o.max
		}
		s.min, s.max = min(s.min, o.min), max(s.max, o.max)
	}
	s.rows, s.untimed, s.nulled = s.rows+o.rows, s.untimed+o.untimed, s.nulled+o.nulled
	if o.first.column != "" && (s.first.column == "" || o.first.offset < s.first.offset) {
		s.first = o.first
	}
}
