package files

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// unreadable is the note on a part whose first bytes are no format that is read.
const unreadable = "it is neither JSON (lines, array, Records or value), a Zeek log nor CSV"

// index reads all parts of a file for the first time.
func (f *Files) index(ctx context.Context, now *file) error {
	size := now.info.Size()
	members, err := f.zipMembers(now.name, size)
	if err != nil {
		now.parts = []*part{lostPart(now.name, size, err)}
		return nil
	}
	if members == nil {
		p, err := f.indexPart(ctx, now, "", size)
		now.parts = []*part{p}
		return err
	}
	for _, m := range members {
		p, err := f.indexPart(ctx, now, m.Name, int64(m.CompressedSize64))
		if err != nil {
			return err
		}
		now.parts = append(now.parts, p)
	}
	f.progress.add(size, 0)
	return nil
}

// indexPart maps a part for the first time.
func (f *Files) indexPart(ctx context.Context, now *file, member string, size int64) (*part, error) {
	p := &part{name: now.name, member: member, bytes: size, pending: -1}
	seen := func(n int64) { f.progress.add(n, 0) }
	if member != "" {
		p.name, seen = now.name+"!"+member, nil
	}
	src, err := f.openPart(ctx, opening{file: now.name, member: member, to: now.info.Size(), sniff: true, seen: seen})
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		lost := lostPart(p.name, size, err)
		lost.member = member
		return lost, nil
	}
	defer src.Close() //nolint:errcheck // what is wrong with it showed while reading
	p.plain = src.plain && member == ""
	if len(src.head) == 0 && src.err != nil {
		p.segments = lostPart(p.name, size, src.err).segments
		return p, nil
	}
	if p.format = sniff(src.head, f.takes); p.format == unknown {
		p.note = unreadable
		return p, nil
	}
	return p, f.indexSource(ctx, p, now, src)
}

// takes says whether some mapping takes a JSON record.
func (f *Files) takes(raw []byte) bool {
	d := f.set.NewDecoder()
	return d.JSON(raw) == nil && d.Match() != nil
}

func (f *Files) indexSource(ctx context.Context, p *part, now *file, src *source) error {
	s := &segment{part: p.name, from: src.skip, to: -1, first: true}
	young := time.Since(now.info.ModTime()) < settled
	end, openAt, err := f.mapSegment(ctx, s, f.newFramer(p.format, src, src.skip, nil), mode{probing: true, holdOpen: young && p.appendable()})
	if errors.Is(err, errUnsupported) {
		p.note = err.Error()
		return nil
	}
	if err != nil {
		return err
	}
	if p.end = end.table; p.appendable() && s.damage == nil {
		s.to = end.at(openAt, now.info.Size())
	}
	p.segments = append(p.segments, s)
	if openAt >= 0 {
		return f.tail(ctx, p, now, openAt)
	}
	return nil
}

// mode says how a segment is mapped.
type mode struct{ probing, holdOpen bool }

// ending is where the framer of a segment stood at the end.
type ending struct {
	table *zeekTable
	cut   int64
}

// at is where the next segment begins: at a line that is not complete, else at the end of the file.
func (e ending) at(openAt, size int64) int64 {
	switch {
	case openAt >= 0:
		return openAt
	case e.cut >= 0:
		return e.cut
	}
	return size
}

// mapSegment maps all records of a framer into a new segment and the cache.
func (f *Files) mapSegment(ctx context.Context, s *segment, in framer, how mode) (ending, int64, error) {
	m := f.newMapper(ctx, s)
	m.probing, m.holdOpen, m.workers = how.probing, how.holdOpen, f.workers
	m.paths = func(k streamKey) ([]string, bool) { return f.columnsOf(k), true }
	caching := true
	m.emit = func(k streamKey, rec arrow.RecordBatch) error {
		caching = caching && f.cache.add(s, k, rec)
		return nil
	}
	if err := m.run(in); err != nil {
		f.cache.drop(s)
		return ending{}, -1, err
	}
	f.cache.keep(s)
	end := ending{cut: -1}
	if z, ok := in.(*zeekFramer); ok {
		end = ending{z.now, z.cut}
	}
	return end, m.openAt, nil
}

// mapSpan maps the bytes of a plain part from a place to its end.
func (f *Files) mapSpan(ctx context.Context, p *part, s *segment, how mode) (ending, int64, error) {
	src, err := f.openPart(ctx, opening{file: p.name, from: s.from, to: p.bytes})
	if err != nil {
		return ending{}, -1, err
	}
	defer src.Close() //nolint:errcheck // it is a plain file that was only read
	return f.mapSegment(ctx, s, f.newFramer(p.format, src, s.from, s.zeek), how)
}

// tail looks at a last line without a line break. If it is a record, it is one now; if not, it waits for the next look.
func (f *Files) tail(ctx context.Context, p *part, now *file, from int64) error {
	s := &segment{part: p.name, from: from, to: now.info.Size(), open: true, zeek: p.end}
	if _, _, err := f.mapSpan(ctx, p, s, mode{}); err != nil {
		return err
	}
	if s.counts.Rejected > 0 {
		f.cache.drop(s)
		p.pending = from
		return nil
	}
	if s.counts.Records > 0 {
		p.segments = append(p.segments, s)
	}
	return nil
}

// settle takes the last line of a file as it is, because the file has not changed since it was looked at.
func (f *Files) settle(ctx context.Context, now, was *file) error {
	p := *was.parts[0]
	now.parts = []*part{&p}
	s := &segment{part: p.name, from: p.pending, to: now.info.Size(), open: true, zeek: p.end}
	if _, _, err := f.mapSpan(ctx, &p, s, mode{}); err != nil {
		return err
	}
	p.pending = -1
	p.segments = append(p.segments[:len(p.segments):len(p.segments)], s)
	p.judge()
	return nil
}

// judge takes a part that grew and of which no mapping has taken a record yet for one that is not supported. It is read anew when it
// grows further.
func (p *part) judge() {
	if c := p.counts(); c.Rows == 0 && c.Rejected > 0 && p.damage() == nil {
		p.note, p.segments, p.pending = errUnsupported.Error(), nil, -1
	}
}

// grow maps what was written at the end of a file.
func (f *Files) grow(ctx context.Context, now, was *file) error {
	p := *was.parts[0]
	now.parts = []*part{&p}
	p.bytes = now.info.Size()
	p.segments = p.segments[:len(p.segments):len(p.segments)]
	s := &segment{part: p.name, from: f.goOn(&p, was.info.Size()), zeek: p.end}
	p.pending = -1
	end, openAt, err := f.mapSpan(ctx, &p, s, mode{holdOpen: true})
	if err != nil {
		return err
	}
	if s.to = end.at(openAt, now.info.Size()); end.table != nil {
		p.end = end.table
	}
	if s.counts.Records > 0 || s.damage != nil || len(p.segments) == 0 {
		p.segments = append(p.segments, s)
	}
	if openAt >= 0 {
		err = f.tail(ctx, &p, now, openAt)
	}
	p.judge()
	return err
}

// goOn returns where the new bytes of a part begin. A last line that was taken without its line break and turns out to go on is taken
// back.
func (f *Files) goOn(p *part, size int64) int64 {
	if p.pending >= 0 {
		return p.pending
	}
	last := p.segments[len(p.segments)-1]
	if !last.open {
		return max(last.to, 0)
	}
	if f.byteAt(p.name, size) == '\n' || f.byteAt(p.name, size) == '\r' {
		return last.to
	}
	p.segments = p.segments[:len(p.segments)-1]
	return last.from
}

// byteAt returns a byte of a file, 0 if it cannot be read.
func (f *Files) byteAt(name string, at int64) byte {
	in, err := os.Open(filepath.Join(f.root, filepath.FromSlash(name)))
	if err != nil {
		return 0
	}
	defer in.Close() //nolint:errcheck // it was only read
	var b [1]byte
	if _, err := in.ReadAt(b[:], at); err != nil {
		return 0
	}
	return b[0]
}
