package files

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/harrier-xdr/harrier/hunt"
)

// finding is what lies at one name below the root.
type finding struct {
	info fs.FileInfo
	err  error // why it cannot be read, nil if it can be tried
}

// notLog says why something in the folder is no log. Nothing is lost by it.
type notLog struct{ reason string }

func (n notLog) Error() string { return n.reason }

// unlocated takes the path out of an error: it is one of the server, and the part's name says where.
func unlocated(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Op, path.Err)
	}
	return err
}

// walker lists a folder with everything below it. Links are followed after everything else, so that what is there under its own name
// keeps it, and no folder is read twice: that ends loops.
type walker struct {
	ctx   context.Context
	root  string          // all symbolic links resolved
	seen  map[string]bool // folders, by their path with all symbolic links resolved
	found map[string]finding
	links []string // relative to the root, not followed yet
}

// walk lists what there is by its name relative to the root.
func (f *Files) walk(ctx context.Context) (map[string]finding, error) {
	start, err := filepath.EvalSymlinks(f.path)
	if err != nil {
		return nil, f.errPath(err)
	}
	info, err := os.Stat(start)
	if err != nil {
		return nil, f.errPath(err)
	}
	w := &walker{ctx: ctx, root: start, seen: map[string]bool{}, found: map[string]finding{}}
	if info.IsDir() {
		err = w.folder("", start)
	} else {
		w.file(filepath.Base(f.path), info)
	}
	for len(w.links) > 0 && ctx.Err() == nil {
		rel := w.links[0]
		w.links = w.links[1:]
		w.follow(rel)
	}
	switch {
	case ctx.Err() != nil:
		return nil, f.cancelled(ctx)
	case err != nil:
		return nil, f.errPath(err)
	}
	return w.found, nil
}

// folder lists a folder, whose path without links is resolved, and the folders in it. One that was listed already is left out.
func (w *walker) folder(rel, resolved string) error {
	if w.seen[resolved] || w.ctx.Err() != nil {
		return nil
	}
	w.seen[resolved] = true
	entries, err := os.ReadDir(resolved)
	for _, e := range entries {
		w.entry(filepath.Join(rel, e.Name()), filepath.Join(resolved, e.Name()), e)
	}
	return err
}

func (w *walker) entry(rel, resolved string, e fs.DirEntry) {
	if e.Type()&fs.ModeSymlink != 0 {
		w.links = append(w.links, rel)
		return
	}
	info, err := e.Info()
	switch {
	case errors.Is(err, fs.ErrNotExist): // it went away between listing and looking
	case err != nil:
		w.bar(rel, err)
	case info.IsDir():
		if err := w.folder(rel, resolved); err != nil && !errors.Is(err, fs.ErrNotExist) {
			w.bar(rel, err)
		}
	default:
		w.file(rel, info)
	}
}

// follow looks at what a link leads to.
func (w *walker) follow(rel string) {
	path := filepath.Join(w.root, rel)
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		err = w.linked(rel, path)
	} else if err == nil {
		w.file(rel, info)
	}
	if err != nil {
		w.bar(rel, linkError(err))
	}
}

// linked lists the folder that a link leads to.
func (w *walker) linked(rel, path string) error {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		return err
	}
	return w.folder(rel, resolved)
}

// linkError says what is wrong with a link. One that leads nowhere hides no log.
func linkError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return notLog{"it is a link to nothing"}
	case errors.Is(err, syscall.ELOOP):
		return notLog{"it is a link that leads back to itself"}
	}
	return fmt.Errorf("the link cannot be followed: %w", unlocated(err))
}

func (w *walker) file(rel string, info fs.FileInfo) {
	f := finding{info: info}
	if !info.Mode().IsRegular() {
		f.err = notLog{"it is neither a file nor a folder"}
	}
	w.found[filepath.ToSlash(rel)] = f
}

// bar notes what cannot be got at.
func (w *walker) bar(rel string, err error) {
	info, statErr := os.Lstat(filepath.Join(w.root, rel))
	if statErr == nil {
		w.found[filepath.ToSlash(rel)] = finding{info, err}
	}
}

func (f *Files) errPath(err error) error {
	return f.errorf(hunt.SourceUnavailable, "cannot read %q: %w; correct `path` or its permissions", filepath.Base(f.path), unlocated(err))
}

// change is what became of one file; now is nil if it is gone.
type change struct {
	name     string
	was, now *file
}

// job is a file to read.
type job struct {
	name string
	was  *file // nil if it is new
	finding
}

// changes lists which files are gone and which are not as they were.
func (f *Files) changes(old *state, found map[string]finding) (missing []change, jobs []job) {
	for name, was := range old.files {
		if _, there := found[name]; !there {
			missing = append(missing, change{name: name, was: was})
		}
	}
	for name, now := range found {
		was := old.files[name]
		if was != nil && was.same(now.info) && was.barred == (now.err != nil) && !was.pending() {
			continue
		}
		if now.err == nil {
			f.progress.add(0, now.info.Size())
		}
		jobs = append(jobs, job{name, was, now})
	}
	slices.SortFunc(jobs, func(a, b job) int { return cmp.Compare(a.info.Size(), b.info.Size()) })
	return missing, jobs
}
