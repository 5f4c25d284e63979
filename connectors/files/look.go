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
	"os"
	"path/filepath"
	"slices"
	"sync"
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

// gone remembers rows that an earlier generation had and that cannot be shown any more.
type gone struct {
	part         string
	gen, removed int64
	streams      []streamKey
	lost         *hunt.TimeRange
}

// state is what the connection holds at one generation. It does not change.
type state struct {
	gen         int64
	files       map[string]*file
	parts       []*part // by name
	gone        []gone
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

// look brings the state up to date with the folder. It is serialised; a look within the debounce of the last one does nothing.
func (f *Files) look(ctx context.Context, force bool) error {
	select {
	case <-f.looking:
	case <-ctx.Done():
		return f.cancelled(ctx)
	}
	defer func() { f.looking <- struct{}{} }()
	old := f.state.Load()
	if !force && time.Since(old.looked) < f.debounce {
		return nil
	}
	found, err := f.walk(ctx)
	if err != nil {
		return err
	}
	changes, err := f.changes(ctx, old, found)
	if err != nil {
		return err
	}
	f.publish(old, changes)
	return nil
}

func (f *Files) cancelled(ctx context.Context) *hunt.Error {
	return f.errorf(hunt.Cancelled, "stopped while reading: %w", context.Cause(ctx))
}

// walk lists the regular files by their name relative to the root.
func (f *Files) walk(ctx context.Context) (map[string]fs.FileInfo, error) {
	out := map[string]fs.FileInfo{}
	start, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return nil, f.errorf(hunt.SourceUnavailable, "cannot read the path: %w; correct `path` or its permissions", err)
	}
	err = filepath.WalkDir(start, func(path string, d fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && path == start {
			return err
		}
		rel, relErr := filepath.Rel(start, path)
		if relErr != nil || err == nil && d.IsDir() {
			return relErr
		}
		if path == start {
			rel = filepath.Base(f.path)
		}
		if info := statAt(path, err); info != nil {
			out[filepath.ToSlash(rel)] = info
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, f.cancelled(ctx)
	}
	if err != nil {
		return nil, f.errorf(hunt.SourceUnavailable, "cannot read the path: %w; correct `path` or its permissions", err)
	}
	return out, nil
}

// statAt returns what is at a path: nil if it is neither a regular file nor a folder that cannot be read, or is there no more.
func statAt(path string, walkErr error) fs.FileInfo {
	info, err := os.Stat(path)
	if err != nil || walkErr == nil && !info.Mode().IsRegular() {
		return nil
	}
	return info
}

// change is what became of one file; now is nil if it is gone.
type change struct {
	was, now *file
}

// changes indexes what is new, several files at once, and lists what is not as it was.
func (f *Files) changes(ctx context.Context, old *state, found map[string]fs.FileInfo) ([]change, error) {
	var out []change
	var jobs []func(context.Context) (change, error)
	for name, was := range old.files {
		if found[name] == nil {
			out = append(out, change{was: was})
		}
	}
	for name, info := range found {
		was := old.files[name]
		if was != nil && was.same(info) && !was.pending() {
			continue
		}
		f.progress.add(0, info.Size())
		jobs = append(jobs, func(ctx context.Context) (change, error) {
			now, err := f.update(ctx, name, was, info)
			return change{was, now}, err
		})
	}
	done, err := parallel(ctx, f.workers, jobs)
	if err != nil {
		if ctx.Err() != nil {
			return nil, f.cancelled(ctx)
		}
		return nil, f.errorf(hunt.SourceFailed, "%w", err)
	}
	return append(out, done...), nil
}

// parallel runs jobs on workers goroutines and returns their results in the order of the jobs.
func parallel[T any](ctx context.Context, workers int, jobs []func(context.Context) (T, error)) ([]T, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out, errs := make([]T, len(jobs)), make([]error, len(jobs))
	next := make(chan int, len(jobs))
	for i := range jobs {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(workers, len(jobs)) {
		wg.Go(func() {
			for i := range next {
				if out[i], errs[i] = jobs[i](ctx); errs[i] != nil {
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil && !errors.Is(err, context.Canceled) {
			return nil, err
		}
	}
	return out, cmp.Or(errs...)
}

// update returns the file as it is now; nil if it is gone again.
func (f *Files) update(ctx context.Context, name string, was *file, info fs.FileInfo) (*file, error) {
	now, err := f.updated(ctx, name, was, info)
	switch {
	case err == nil:
		return now, nil
	case ctx.Err() != nil:
		return nil, err
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil //nolint:nilnil // a file that went away between listing and reading is no error
	}
	return &file{name: name, info: info, parts: []*part{lostPart(name, info.Size(), err)}}, nil
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
		return now, f.fingerprint(now, was.info.Size())
	}
	if err := f.fingerprint(now, 0); err != nil {
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
func (f *Files) fingerprint(now *file, from int64) error {
	in, err := os.Open(filepath.Join(f.root, filepath.FromSlash(now.name)))
	if err != nil {
		return err
	}
	defer in.Close() //nolint:errcheck // it was only read
	h := restored(now.digest)
	if _, err := io.Copy(h, io.NewSectionReader(in, from, now.info.Size()-from)); err != nil {
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

// publish makes the state after the changes the current one.
func (f *Files) publish(old *state, changes []change) {
	now := &state{gen: old.gen, files: map[string]*file{}, gone: old.gone, print: old.print, history: old.history, looked: time.Now(),
		parts: old.parts, description: old.description}
	for name, was := range old.files {
		now.files[name] = was
	}
	news := f.apply(now, changes)
	if len(changes) == 0 && !old.looked.IsZero() {
		f.state.Store(now)
		return
	}
	if news {
		now.gen++
	}
	now.parts = nil
	for _, file := range now.files {
		now.parts = append(now.parts, file.parts...)
	}
	slices.SortFunc(now.parts, func(a, b *part) int { return cmp.Compare(a.name, b.name) })
	now.fingerprint()
	now.description = f.describe(now)
	f.state.Store(now)
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
				now.gone, news = append(slices.Clip(now.gone), goneOf(s, next)), true
			}
		}
	}
	if extra := len(now.gone) - keptGone; extra > 0 {
		now.gone = now.gone[extra:]
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

func goneOf(s *segment, removed int64) gone {
	g := gone{part: s.part, gen: s.gen, removed: removed}
	for k, st := range s.streams {
		g.streams = append(g.streams, k)
		if st.timed() {
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
