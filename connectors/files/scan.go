package files

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// probe is how many records decide whether a part is supported.
const probe = 200

// The bounds of a batch.
const (
	batchRows  = 8 << 10
	batchBytes = 16 << 20 // of raw records
)

// noMapping is the reject reason of a record that is sound but that no mapping takes.
const noMapping = "no mapping takes the record"

// errUnsupported ends the reading of a part of which no mapping took a record.
var errUnsupported = fmt.Errorf("no mapping takes its records (the first %d decide)", probe)

// malformed is an error of the text itself, not of reading it.
type malformed struct{ error }

func (m malformed) Unwrap() error { return m.error }

func malformedf(format string, args ...any) error { return malformed{fmt.Errorf(format, args...)} }

// newFramer returns the framer of a format. at is where in the part it begins, header what is in force there (Zeek).
func (f *Files) newFramer(kind format, in io.Reader, at int64, header *zeekTable) framer {
	w := newWindow(in, at)
	switch kind {
	case ndjson:
		return &lineFramer{w}
	case jsonArray, jsonWrapper:
		return &jsonFramer{w: w}
	case zeekTSV:
		if header == nil {
			header = newZeekTable()
		}
		return &zeekFramer{w: w, set: f.set, now: header, cut: -1}
	case csvFormat:
		return &csvFramer{w: w, set: f.set}
	}
	return nothing{}
}

// nothing is the framer of an empty part.
type nothing struct{}

func (nothing) next(*record) error { return io.EOF }

// mapper maps the records of one part into batches per stream. It belongs to one goroutine.
type mapper struct {
	ctx     context.Context
	id      hunt.Identity
	decoder *mapping.Decoder
	// newDecoder makes a decoder for another goroutine.
	newDecoder func() *mapping.Decoder
	// paths returns the columns that a stream's batches hold besides uid and time; false if the stream is not wanted.
	paths func(streamKey) ([]string, bool)
	// emit takes a batch of at least one row, nil if nobody wants them.
	emit      func(streamKey, arrow.RecordBatch) error
	probing   bool // give up if no mapping takes any of the first records
	holdOpen  bool // stop before a last line that may still be being written
	openAt    int64
	into      *segment
	at        int64 // offset of the last record
	builders  map[streamKey]*mapping.Builder
	unmatched int64
	workers   int // goroutines that may map a long part; rows are in the order of the part only if it is 1
}

func (f *Files) newMapper(ctx context.Context, into *segment) *mapper {
	return &mapper{ctx: ctx, id: f.id, decoder: f.set.NewDecoder(), newDecoder: f.set.NewDecoder, openAt: -1, at: into.from, into: into, workers: 1, builders: map[streamKey]*mapping.Builder{}}
}

// run maps all records of a framer. Its error is errUnsupported, that of ctx or of emit; what is wrong with the part itself goes into
// the segment as rejects and damage.
func (m *mapper) run(in framer) error {
	var r record
	for n := 0; ; n++ {
		more, err := m.read(in, &r, n)
		if err != nil {
			return err
		}
		if !more {
			return m.finish()
		}
		if n == fanOutAfter && m.workers > 1 && r.table == nil {
			return m.fanOut(in, &r)
		}
		if err := m.record(&r); err != nil {
			return err
		}
		if m.probing && m.unmatched == probe && m.into.counts.Rows == 0 {
			return errUnsupported
		}
	}
}

// read takes the next record, the n-th, from a framer; false if there is none or the part is broken.
func (m *mapper) read(in framer, r *record, n int) (bool, error) {
	if n%256 == 0 && m.ctx.Err() != nil {
		return false, context.Cause(m.ctx)
	}
	switch err := in.next(r); {
	case err == io.EOF: //nolint:errorlint // a wrapped one is an error of reading
		return false, nil
	case err != nil:
		return false, m.broken(err)
	case r.open && m.holdOpen:
		m.openAt = r.offset
		return false, nil
	}
	m.at = r.offset
	return true, nil
}

// finish emits what is left.
func (m *mapper) finish() error {
	if m.probing && m.unmatched > 0 && m.into.counts.Rows == 0 && m.into.damage == nil {
		return errUnsupported
	}
	for key := range m.builders {
		if err := m.flush(key); err != nil {
			return err
		}
	}
	return nil
}

// broken notes that the part cannot be read further and keeps the rows before.
func (m *mapper) broken(err error) error {
	if m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	if bad := (malformed{}); errors.As(err, &bad) && m.probing && m.into.counts.Rows == 0 {
		return fmt.Errorf("%w: %w", errUnsupported, err)
	}
	m.into.damage = damage(m.into.part, m.at, err)
	return nil
}

// damage makes the error of a part that cannot be read to its end.
func damage(part string, after int64, cause error) *hunt.Error {
	e := hunt.Errorf(hunt.SourceDamaged, "cannot be read beyond the record at byte %d (uncompressed): %w; the records before it were read, repair or replace the file to have the others", after, unlocated(cause))
	e.Op, e.Source = "files: read", part
	return e
}

// record maps one record or counts why not.
func (m *mapper) record(r *record) error {
	m.into.counts.Records++
	if r.reason != "" {
		m.reject(r, r.reason)
		return nil
	}
	if r.table != nil {
		m.decoder.Cells(r.table.header, r.cells, r.raw)
	} else if err := m.decoder.JSON(r.raw); err != nil {
		m.reject(r, err.Error())
		return nil
	}
	match := m.decoder.Match()
	if match == nil {
		m.reject(r, noMapping)
		return nil
	}
	m.into.counts.Rows++
	key := streamKey{match.Mapping, match.Class}
	if err := m.append(key, match); err != nil {
		return err
	}
	m.spoil(key, r.offset)
	return nil
}

// spoil counts the values of the record just appended that are no value of their column.
func (m *mapper) spoil(key streamKey, offset int64) {
	columns := m.decoder.Spoiled()
	if len(columns) == 0 {
		return
	}
	s := m.stats(key)
	s.nulled += int64(len(columns))
	if s.first.column == "" {
		s.first = spoiled{columns[0], offset}
	}
}

func (m *mapper) reject(r *record, reason string) {
	m.unmatched++
	m.into.counts.Rejected++
	if len(m.into.rejects) < keptRejects {
		m.into.rejects = append(m.into.rejects, reject{r.offset, reason})
	}
}

func (m *mapper) append(key streamKey, match *mapping.Match) error {
	b := m.builders[key]
	if b == nil {
		paths, wanted := m.paths(key)
		if !wanted {
			return nil
		}
		b = mapping.NewBuilder(key.class, paths)
		m.builders[key] = b
	}
	b.Append(m.decoder, match, m.id)
	if b.Rows() >= batchRows || b.RawBytes() >= batchBytes {
		return m.flush(key)
	}
	return nil
}

// flush emits the rows of one stream that have gathered.
func (m *mapper) flush(key streamKey) error {
	b := m.builders[key]
	if b.Rows() == 0 {
		return nil
	}
	rec := b.Batch()
	m.count(key, rec)
	if m.emit == nil {
		return nil
	}
	return m.emit(key, rec)
}

// count takes the rows of a batch into the statistics of the segment.
func (m *mapper) count(key streamKey, rec arrow.RecordBatch) {
	m.into.counts.Untimed += m.stats(key).add(rec)
}

// stats returns the statistics of a stream of the segment.
func (m *mapper) stats(key streamKey) *streamStats {
	if m.into.streams == nil {
		m.into.streams = map[streamKey]*streamStats{}
	}
	if m.into.streams[key] == nil {
		m.into.streams[key] = &streamStats{}
	}
	return m.into.streams[key]
}

// add counts the rows of a batch and returns how many have no time.
func (s *streamStats) add(rec arrow.RecordBatch) int64 {
	lo, hi, timed := times(rec)
	if timed > 0 {
		if !s.timed() {
			s.min, s.max = lo, hi
		}
		s.min, s.max = min(s.min, lo), max(s.max, hi)
	}
	s.rows += rec.NumRows()
	s.untimed += rec.NumRows() - timed
	return rec.NumRows() - timed
}

// times returns the first and the last time of a batch, and how many rows have one.
func times(rec arrow.RecordBatch) (lo, hi, n int64) {
	col := rec.Column(1).(*array.Timestamp) // hunt.Schema puts uid and time first
	for i, t := range col.TimestampValues() {
		if col.IsNull(i) {
			continue
		}
		if n == 0 {
			lo, hi = int64(t), int64(t)
		}
		lo, hi = min(lo, int64(t)), max(hi, int64(t))
		n++
	}
	return lo, hi, n
}

// columnsOf returns the columns that records of the stream can fill, and raw.
func (f *Files) columnsOf(key streamKey) []string {
	out := []string{ocsf.ColRaw}
	for path := range f.bases[key].Attributes {
		out = append(out, path)
	}
	return out
}
