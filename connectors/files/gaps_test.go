package files_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
)

// streamOf returns the description of a stream, nil if there is none.
func streamOf(d *hunt.Description, name, class string) *hunt.Stream {
	for i := range d.Streams {
		if d.Streams[i].Name == name && d.Streams[i].Class.Name == class {
			return &d.Streams[i]
		}
	}
	return nil
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// TestGoneIsAsked: a stream that lost rows stays in the description without a time range, so that later pages of an earlier hunt are
// searched and told what they lost, and new hunts are complete.
func TestGoneIsAsked(t *testing.T) {
	for name, after := range map[string]string{
		"deleted":               "",
		"replaced by other day": lines(`{"kind":"proc","when":"2030-01-01T00:00:00Z"}`),
		"replaced by other":     lines(`{"kind":"net","when":1,"src":"10.0.0.1"}`),
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{"a": lines(proc(1), proc(2)), "z": lines(`{"kind":"net","when":2,"src":"10.0.0.2"}`)})
			f := openFiles(t, files.Config{Path: dir}, tinySet(t))
			old := describe(t, f)
			if s := streamOf(old, "tiny", "process_activity"); s == nil || s.Time == nil {
				t.Fatalf("at first the stream is %+v", s)
			}
			if remove(t, filepath.Join(dir, "a")); after != "" {
				writeFile(t, filepath.Join(dir, "b"), after)
			}
			s := streamOf(describe(t, f), "tiny", "process_activity")
			if s == nil || s.Time != nil {
				t.Fatalf("the stream would be pruned: %+v", s)
			}
			r := everything("tiny", "process_activity")
			if got := search(t, f, r); len(got.lost) != 0 || got.end == nil {
				t.Errorf("a new hunt has lost %+v", got.lost)
			}
			r.Snapshot = old.Snapshot
			if got := search(t, f, r); len(got.lost) != 1 || got.lost[0].Part != "a" {
				t.Errorf("the earlier hunt has lost %+v", got.lost)
			}
		})
	}
}

// TestGoneDamage: damaged parts that went away may have held any class of their mapping, or anything.
func TestGoneDamage(t *testing.T) {
	gz := gzipped(t, manyProcs(5000))
	dir := folder(t, map[string]string{"a": gz[:len(gz)/2], "b": gz[:10]})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	old := describe(t, f)
	remove(t, filepath.Join(dir, "a"))
	remove(t, filepath.Join(dir, "b"))
	now := describe(t, f)
	for _, c := range []struct{ stream, class, part string }{{"tiny", "network_activity", "a"}, {"unreadable", "dns_activity", "b"}} {
		if streamOf(now, c.stream, c.class) == nil {
			t.Fatalf("%s of %s is not described: %+v", c.stream, c.class, now.Streams)
		}
		r := everything(c.stream, c.class)
		if got := search(t, f, r); len(got.lost) != 0 {
			t.Errorf("a new hunt has lost %+v", got.lost)
		}
		r.Snapshot = old.Snapshot
		if got := search(t, f, r); len(got.lost) != 1 || got.lost[0].Part != c.part || got.lost[0].Lost != nil {
			t.Errorf("the earlier hunt has lost %+v, want %s", got.lost, c.part)
		}
	}
}

// TestGoneForgotten removes more than is remembered: snapshots that saw what is forgotten cannot be shown with certainty.
func TestGoneForgotten(t *testing.T) {
	dir := folder(t, map[string]string{"a": lines(proc(1)), "b": lines(proc(2)), "c": lines(`{"kind":"net","when":1}`)})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	f.KeepGone(1)
	first := describe(t, f).Snapshot
	remove(t, filepath.Join(dir, "a"))
	second := describe(t, f).Snapshot
	remove(t, filepath.Join(dir, "b"))
	now := describe(t, f)
	if s := streamOf(now, "tiny", "process_activity"); s == nil || s.Time != nil {
		t.Errorf("the stream would be pruned: %+v", s)
	}
	r := everything("tiny", "process_activity")
	for snapshot, want := range map[string][]string{first: {"b", "snapshot " + first}, second: {"b"}, now.Snapshot: nil} {
		r.Snapshot = snapshot
		var got []string
		for _, l := range search(t, f, r).lost {
			got = append(got, l.Part)
		}
		if !slices.Equal(got, want) {
			t.Errorf("snapshot %s has lost %q, want %q", snapshot, got, want)
		}
	}
}

// TestLostBeforeRows: a part that cannot be read again is told before rows that come after it.
func TestLostBeforeRows(t *testing.T) {
	dir := folder(t, map[string]string{"a": lines(proc(1)), "b": lines(proc(2))})
	f := openFiles(t, files.Config{Path: dir, CacheBytes: 1}, tinySet(t))
	tr, err := f.Translate(everything("tiny", "process_activity"))
	if err != nil {
		t.Fatal(err)
	}
	remove(t, filepath.Join(dir, "a"))
	var told []string
	for frame, err := range f.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if lost, ok := frame.(hunt.PartFailed); ok {
			told = append(told, lost.Part)
		}
		if _, ok := frame.(*hunt.Batch); ok {
			break // as a host does that has enough rows
		}
	}
	if !slices.Equal(told, []string{"a"}) {
		t.Errorf("before the first rows it is told that %q are lost, want a", told)
	}
}

func symlink(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Skipf("links cannot be made here: %v", err)
	}
}

// TestLinks follows links to files and folders, also in circles, and names those that lead nowhere.
func TestLinks(t *testing.T) {
	outside := folder(t, map[string]string{"far/a": lines(proc(1)), "far/deep/b": lines(proc(2)), "one": lines(proc(3))})
	dir := folder(t, map[string]string{"in/c": lines(proc(4))})
	symlink(t, filepath.Join(outside, "far"), filepath.Join(dir, "folder"))
	symlink(t, filepath.Join(outside, "one"), filepath.Join(dir, "file"))
	symlink(t, dir, filepath.Join(outside, "far", "deep", "back")) // a circle
	symlink(t, ".", filepath.Join(dir, "in", "self"))
	symlink(t, filepath.Join(dir, "in"), filepath.Join(dir, "again"))
	symlink(t, filepath.Join(dir, "nowhere"), filepath.Join(dir, "dangling"))
	symlink(t, "turn", filepath.Join(dir, "turn"))
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	var names []string
	for _, p := range f.Parts() {
		names = append(names, p.Name)
	}
	if want := []string{"file", "folder/a", "folder/deep/b", "in/c"}; !slices.Equal(names, want) {
		t.Errorf("parts are %q, want %q", names, want)
	}
	got := search(t, f, everything("tiny", "process_activity"))
	if len(got.raw) != 4 || got.end.Duplicates != 0 {
		t.Errorf("rows are %q", got.raw)
	}
	d := describe(t, f)
	if len(d.Notes) != 2 || !strings.HasPrefix(d.Notes[0], "dangling: not searched: ") || !strings.HasPrefix(d.Notes[1], "turn: not searched: ") {
		t.Errorf("notes are %q", d.Notes)
	}
	if again := describe(t, f); again.Snapshot != d.Snapshot {
		t.Errorf("the snapshot went from %s to %s", d.Snapshot, again.Snapshot)
	}
	writeFile(t, filepath.Join(dir, "nowhere"), lines(proc(5)))
	if d = describe(t, f); len(d.Notes) != 1 || len(search(t, f, everything("tiny", "process_activity")).raw) != 5 {
		t.Errorf("when the link leads somewhere the notes are %q", d.Notes)
	}
}

// TestBarredFolder: what lies in a folder that may not be listed could be anything, until it may be.
func TestBarredFolder(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("the superuser may read everything")
	}
	dir := folder(t, map[string]string{"a": lines(proc(1)), "shut/b": lines(proc(2))})
	shut := filepath.Join(dir, "shut")
	mode := func(m os.FileMode) {
		if err := os.Chmod(shut, m); err != nil {
			t.Fatal(err)
		}
	}
	mode(0)
	t.Cleanup(func() { mode(0o700) })
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	got := search(t, f, everything("unreadable", "dns_activity"))
	if len(got.lost) != 1 || got.lost[0].Part != "shut" || strings.Contains(got.lost[0].Err.Error(), dir) {
		t.Errorf("lost is %+v", got.lost)
	}
	mode(0o700)
	if describe(t, f); len(search(t, f, everything("tiny", "process_activity")).raw) != 2 {
		t.Error("the folder is not read when it may be")
	}
}

// TestLargeNewFile: a file that takes longer to read than a description may is named as a gap, is read on, and is there in the end.
func TestLargeNewFile(t *testing.T) {
	dir := folder(t, map[string]string{"a": lines(proc(1))})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	before := describe(t, f).Snapshot
	writeFile(t, filepath.Join(dir, "big"), "["+strings.TrimSuffix(strings.ReplaceAll(manyProcs(100_000), "\n", ","), ",")+"]")
	f.NoPatience()
	part := describe(t, f)
	if s := streamOf(part, "unreadable", "process_activity"); s == nil || !slices.ContainsFunc(part.Notes, func(n string) bool { return strings.HasPrefix(n, "big: ") }) {
		t.Fatalf("nothing says that the file is still being read: %q", part.Notes)
	}
	lost := func(snapshot string) int {
		r := everything("unreadable", "process_activity")
		r.Snapshot = snapshot
		got := search(t, f, r)
		if got.end == nil || len(got.lost) == 1 && (got.lost[0].Part != "big" || !got.lost[0].Err.Retryable) {
			t.Errorf("%+v", got)
		}
		return len(got.lost)
	}
	if lost(before) != 0 || lost(part.Snapshot) != 1 || lost("") != 1 {
		t.Error("the gap is not told to the hunts that have it alone")
	}
	if got := search(t, f, everything("tiny", "process_activity")); len(got.raw) != 1 {
		t.Errorf("what is known gives %d rows", len(got.raw))
	}
	f.Patience()
	whole := describe(t, f)
	if len(whole.Notes) != 0 || lost(part.Snapshot) != 1 || lost(whole.Snapshot) != 0 {
		t.Errorf("in the end the notes are %q", whole.Notes)
	}
	if p := f.Parts(); len(p) != 2 || p[1].Rows != 100_000 {
		t.Errorf("parts are %+v", p)
	}
}

// TestDescribeKeepsWhatItRead: descriptions that have no time to wait get there all the same, and Close ends the reading.
func TestDescribeKeepsWhatItRead(t *testing.T) {
	dir := t.TempDir()
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	writeFile(t, filepath.Join(dir, "big"), manyProcs(100_000))
	ended, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := f.Describe(ended); code(err) != "" && code(err) != hunt.Cancelled {
		t.Fatal(err)
	}
	if describe(t, f); len(f.Parts()) != 1 {
		t.Errorf("parts are %+v", f.Parts())
	}
	writeFile(t, filepath.Join(dir, "more"), manyProcs(100_000))
	f.NoPatience()
	describe(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestErrorsNameNoServerPath: what clients see names parts as the configuration does.
func TestErrorsNameNoServerPath(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "none")
	_, err := files.Open(t.Context(), hunt.Identity{Tenant: "t", Connection: "c"}, files.Config{Path: path}, files.Options{Mappings: tinySet(t)})
	if err == nil || strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), `"none"`) {
		t.Errorf("the error is %v", err)
	}
	if code(err) != hunt.SourceUnavailable {
		t.Errorf("the code is %s", code(err))
	}
}
