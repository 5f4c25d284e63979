package files

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// file is one file on disk as it was when it was last looked at. It does not change.
type file struct {
	name   string
	info   fs.FileInfo
	parts  []*part
	digest []byte // state of the SHA-256 of the first info.Size() bytes, to go on with when the file grows
	edges  [32]byte
	barred bool // the walk could not get at it
}

// edgeSize is how many bytes at both ends of a file tell one that grew from one that was written anew.
const edgeSize = 4 << 10

// same says whether the file on disk looks as it did.
func (f *file) same(info fs.FileInfo) bool {
	return f.info.Size() == info.Size() && f.info.ModTime().Equal(info.ModTime()) && os.SameFile(f.info, info)
}

// pending says whether the last line of the file may still be being written.
func (f *file) pending() bool {
	return slices.ContainsFunc(f.parts, func(p *part) bool { return p.pending >= 0 })
}

// gone remembers what an earlier generation had and that cannot be shown any more: rows, or that a part was not known.
type gone struct {
	part         string
	gen, removed int64
	streams      []streamKey
	unknown      bool            // nothing was known of the part: it may have held anything
	reading      bool            // because it was still being read
	lost         *hunt.TimeRange // nil if not known
}

// trimmed is what is left of the oldest gone when there are too many.
type trimmed struct {
	removed int64 // generations before this one cannot be shown with certainty
	streams map[streamKey]bool
	unknown bool
}

// with adds what is forgotten.
func (t trimmed) with(list []gone) trimmed {
	out := trimmed{removed: t.removed, streams: maps.Clone(t.streams), unknown: t.unknown}
	if out.streams == nil {
		out.streams = map[streamKey]bool{}
	}
	for _, g := range list {
		out.removed, out.unknown = max(out.removed, g.removed), out.unknown || g.unknown
		for _, key := range g.streams {
			out.streams[key] = true
		}
	}
	return out
}

// state is what the connection holds at one generation. It does not change.
type state struct {
	gen         int64
	files       map[string]*file
	parts       []*part          // by name
	gone        []gone           // by the generation that removed it
	trimmed     trimmed          // what gone had before
	reading     map[string]int64 // files that are still being read, with the generation that said so first
	print       string           // fingerprint of the files
	history     map[string]int64 // fingerprint -> the last generation that had it
	looked      time.Time
	description *hunt.Description
}

// keptGone and keptHistory bound what is remembered of earlier generations.
const (
	keptGone    = 10_000
	keptHistory = 1_000
)

func (f *Files) cancelled(ctx context.Context) *hunt.Error {
	return f.errorf(hunt.Cancelled, "stopped while reading: %w", context.Cause(ctx))
}

// update returns the file as it is now; nil if it is gone again.
func (f *Files) update(ctx context.Context, j job) (*file, error) {
	if j.err != nil {
		return &file{name: j.name, info: j.info, parts: []*part{barredPart(j.name, j.err)}, barred: true}, nil
	}
	now, err := f.updated(ctx, j.name, j.was, j.info)
	switch {
	case err == nil:
		return now, nil
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // a file that went away between listing and reading is no error
	}
	return &file{name: j.name, info: j.info, parts: []*part{lostPart(j.name, j.info.Size(), err)}}, nil
}

// barredPart is what the walk could not get at: a note if nothing is lost by it, else a part of which nothing could be read.
func barredPart(name string, err error) *part {
	if note := (notLog{}); errors.As(err, &note) {
		return &part{name: name, pending: -1, note: note.Error()}
	}
	return lostPart(name, 0, err)
}

func (f *Files) updated(ctx context.Context, name string, was *file, info fs.FileInfo) (*file, error) {
	now := &file{name: name, info: info}
	if was != nil && was.same(info) {
		now.digest, now.edges = was.digest, was.edges
		return now, f.settle(ctx, now, was)
	}
	if was != nil && f.grew(was, info) {
		now.digest = was.digest
		if err := f.grow(ctx, now, was); err != nil {
			return nil, err
		}
		return now, f.fingerprint(ctx, now, was.info.Size())
	}
	if err := f.fingerprint(ctx, now, 0); err != nil {
		return nil, err
	}
	if was != nil && was.hex() == now.hex() && was.info.Size() == info.Size() {
		now.parts = was.parts // touched, not changed
		return now, nil
	}
	return now, f.index(ctx, now)
}

// lostPart is a part of which nothing could be read.
func lostPart(name string, size int64, err error) *part {
	return &part{name: name, bytes: size, pending: -1, segments: []*segment{{part: name, to: -1, first: true, damage: damage(name, 0, err)}}}
}

// grew says whether a file is the one it was with more at its end, and is of a format that can be read on.
func (f *Files) grew(was *file, info fs.FileInfo) bool {
	if info.Size() <= was.info.Size() || !os.SameFile(was.info, info) || len(was.parts) != 1 {
		return false
	}
	p := was.parts[0]
	if p.note != "" || len(p.segments) == 0 && p.pending < 0 || p.damage() != nil || !p.appendable() {
		return false
	}
	edges, err := f.edges(was.name, was.info.Size())
	return err == nil && edges == was.edges
}

// appendable says whether what is written at the end of the part can be read by itself.
func (p *part) appendable() bool { return p.plain && (p.format == ndjson || p.format == zeekTSV) }

// edges is the digest of the first and the last bytes of the first size bytes of a file.
func (f *Files) edges(name string, size int64) ([32]byte, error) {
	in, err := os.Open(filepath.Join(f.root, filepath.FromSlash(name)))
	if err != nil {
		return [32]byte{}, err
	}
	defer in.Close() //nolint:errcheck // it was only read
	n := min(size, edgeSize)
	b := make([]byte, 2*n)
	_, err1 := in.ReadAt(b[:n], 0)
	_, err2 := in.ReadAt(b[n:], size-n)
	if err := errors.Join(err1, err2); err != nil && n > 0 && !errors.Is(err, io.EOF) {
		return [32]byte{}, err
	}
	return sha256.Sum256(b), nil
}

// fingerprint goes on with the digest of a file from the byte at from.
func (f *Files) fingerprint(ctx context.Context, now *file, from int64) error {
	in, err := os.Open(filepath.Join(f.root, filepath.FromSlash(now.name)))
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	h := restored(now.digest)
	if _, err := io.Copy(h, &watched{ctx: ctx, in: io.NewSectionReader(in, from, now.info.Size()-from)}); err != nil {
		return err
	}
	if now.digest, err = h.(encoding.BinaryMarshaler).MarshalBinary(); err != nil {
		return err
	}
	now.edges, err = f.edges(now.name, now.info.Size())
	return err
}

// restored returns the hash whose state is kept; a new one if there is none.
func restored(kept []byte) hash.Hash {
	h := sha256.New()
	if kept != nil {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(kept); err != nil {
			return sha256.New()
		}
	}
	return h
}

// hex is the SHA-256 of the bytes that were read; "" if the file could not be read.
func (f *file) hex() string {
	if f.digest == nil {
		return ""
	}
	return hex.EncodeToString(restored(f.digest).Sum(nil))
}

// publish makes the state after the changes the current one. left are the files that are still being read, began is when the look
// began.
func (f *Files) publish(changes []change, left map[string]bool, began time.Time) {
	old := f.state.Load()
	now := *old
	now.looked = began
	if len(changes) == 0 && len(left)+len(old.reading) == 0 && !old.looked.IsZero() {
		f.state.Store(&now)
		return
	}
	now.files = maps.Clone(old.files)
	rows, unread := f.apply(&now, changes), now.await(left)
	if extra := len(now.gone) - f.keptGone; extra > 0 {
		now.trimmed, now.gone = now.trimmed.with(now.gone[:extra]), now.gone[extra:]
	}
	if rows || unread {
		now.gen++
	}
	now.parts = nil
	for _, file := range now.files {
		now.parts = append(now.parts, file.parts...)
	}
	slices.SortFunc(now.parts, func(a, b *part) int { return cmp.Compare(a.name, b.name) })
	now.fingerprint()
	now.description = f.describe(&now)
	f.state.Store(&now)
}

// await notes which files are still being read, and that earlier generations did not have those that have been read now. It says
// whether that changed.
func (s *state) await(left map[string]bool) bool {
	was, next := s.reading, s.gen+1
	s.reading = map[string]int64{}
	for name := range left {
		s.reading[name] = next
		if gen, known := was[name]; known {
			s.reading[name] = gen
		}
	}
	for _, name := range slices.Sorted(maps.Keys(was)) {
		if !left[name] {
			s.gone = append(slices.Clip(s.gone), gone{part: name, gen: was[name], removed: next, unknown: true, reading: true})
		}
	}
	return !maps.Equal(was, s.reading)
}

// apply puts the changes into the state and says whether rows came or went.
func (f *Files) apply(now *state, changes []change) bool {
	news := false
	next := now.gen + 1
	for _, c := range changes {
		kept := map[*segment]bool{}
		if c.now != nil {
			now.files[c.now.name] = c.now
			for _, s := range c.now.segments() {
				if kept[s] = true; s.gen == 0 {
					s.gen, news = next, true
				}
			}
		} else if c.was != nil {
			delete(now.files, c.was.name)
		}
		if c.was == nil {
			continue
		}
		for _, s := range c.was.segments() {
			if !kept[s] {
				f.cache.drop(s)
				now.gone, news = append(slices.Clip(now.gone), f.goneOf(s, next)), true
			}
		}
	}
	return news
}

func (f *file) segments() []*segment {
	var out []*segment
	for _, p := range f.parts {
		out = append(out, p.segments...)
	}
	return out
}

// goneOf remembers a segment. One with records that were not searched may have held any class of its mappings, at any time.
func (f *Files) goneOf(s *segment, removed int64) gone {
	g := gone{part: s.part, gen: s.gen, removed: removed, unknown: s.damage != nil && len(s.streams) == 0}
	doubtful := s.damage != nil || s.counts.Rejected > 0
	for k, st := range s.streams {
		g.streams = append(g.streams, k)
		if doubtful {
			g.streams = append(g.streams, f.classesOf(k.mapping)...)
		} else if st.timed() {
			g.lost = widen(g.lost, st.min, st.max)
		}
	}
	return g
}

// widen makes a half-open range include the instants lo to hi.
func widen(r *hunt.TimeRange, lo, hi int64) *hunt.TimeRange {
	if r == nil {
		return &hunt.TimeRange{Start: lo, End: hi + 1}
	}
	return &hunt.TimeRange{Start: min(r.Start, lo), End: max(r.End, hi+1)}
}

// fingerprint notes which files the state has, so that another process with the same files knows its snapshot.
func (s *state) fingerprint() {
	h := sha256.New()
	for _, p := range s.parts {
		io.WriteString(h, p.name+"\x00")                                   //nolint:errcheck // a hash never fails
		io.WriteString(h, s.files[fileName(p)].hex()+"\x00"+p.note+"\x00") //nolint:errcheck // a hash never fails
	}
	for _, name := range slices.Sorted(maps.Keys(s.reading)) {
		io.WriteString(h, "reading\x00"+name+"\x00") //nolint:errcheck // a hash never fails
	}
	s.print = hex.EncodeToString(h.Sum(nil)[:8])
	history := map[string]int64{}
	if len(s.history) < keptHistory {
		for k, v := range s.history {
			history[k] = v
		}
	}
	history[s.print] = s.gen
	s.history = history
}

// fileName is the name of the file that a part is in.
func fileName(p *part) string {
	if p.member == "" {
		return p.name
	}
	return p.name[:len(p.name)-len(p.member)-1]
}
