package files_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
)

// caches are sizes at which every answer must be the same.
func caches() map[string]int64 { return map[string]int64{"cached": 0, "not cached": 1} }

// TestGrow follows a log while it is written, line by line and byte by byte.
func TestGrow(t *testing.T) {
	for name, size := range caches() {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			appendFile(t, path, mark+lines(proc(1)))
			f := openFiles(t, files.Config{Path: filepath.Dir(path), CacheBytes: size}, tinySet(t))
			first := describe(t, f)
			see := func(snapshot string, want ...string) {
				t.Helper()
				r := everything("tiny", "process_activity")
				r.Snapshot = snapshot
				if got := search(t, f, r); !slices.Equal(got.raw, want) || len(got.lost)+len(got.rejected) > 0 {
					t.Errorf("raw is %q, want %q; lost %+v, rejected %+v", got.raw, want, got.lost, got.rejected)
				}
			}
			appendFile(t, path, lines(proc(2))+proc(3)[:20])
			second := describe(t, f)
			see("", proc(1), proc(2))
			appendFile(t, path, proc(3)[20:])
			describe(t, f) // the line is complete, though nothing ends it
			see("", proc(1), proc(2), proc(3))
			appendFile(t, path, "\n"+lines(proc(4)))
			describe(t, f)
			see("", proc(1), proc(2), proc(3), proc(4))
			see(second.Snapshot, proc(1), proc(2))
			see(first.Snapshot, proc(1))
			if p := f.Parts(); len(p) != 1 || p[0].Records != 4 {
				t.Errorf("parts are %+v", p)
			}
			fresh := openFiles(t, files.Config{Path: filepath.Dir(path)}, tinySet(t))
			if fresh.Parts()[0] != f.Parts()[0] {
				t.Errorf("what grew is %+v, what is read at once %+v", f.Parts()[0], fresh.Parts()[0])
			}
		})
	}
}

// TestUnfinishedLine waits for the rest of a line, and counts it as a reject when none comes.
func TestUnfinishedLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendFile(t, path, lines(proc(1))+`{"kind":`)
	f := openFiles(t, files.Config{Path: path}, tinySet(t))
	if p := f.Parts()[0]; p.Records != 1 || p.Rejected != 0 {
		t.Errorf("at first the part is %+v", p)
	}
	describe(t, f)
	if p := f.Parts()[0]; p.Records != 2 || p.Rejected != 1 {
		t.Errorf("at the second look the part is %+v", p)
	}
	if got := search(t, f, everything("tiny", "process_activity")); len(got.rejected) != 1 || got.rejected[0].Offset != int64(len(proc(1))+1) {
		t.Errorf("rejected is %+v", got.rejected)
	}
	appendFile(t, path, `"proc","when":9}`+"\n")
	describe(t, f)
	if p := f.Parts()[0]; p.Records != 2 || p.Rejected != 0 {
		t.Errorf("when the rest came the part is %+v", p)
	}
	writeFile(t, filepath.Join(filepath.Dir(path), "old"), lines(proc(1))+`{"kind":`)
	old := openFiles(t, files.Config{Path: filepath.Join(filepath.Dir(path), "old")}, tinySet(t))
	if p := old.Parts()[0]; p.Rejected != 1 {
		t.Errorf("of an old file the part is %+v", p)
	}
}

func TestGrowZeek(t *testing.T) {
	path := filepath.Join(t.TempDir(), "dns.log")
	appendFile(t, path, zeekDNS[:len(zeekDNS)-10])
	f := openFiles(t, files.Config{Path: path}, tinySet(t))
	for _, text := range []string{zeekDNS[len(zeekDNS)-10:], "1714550400\ta.example\tx\n1714550401\tb.ex", "ample\ty\n", "#close\n" + zeekDNS + "1714550402\tc.example\t-\n"} {
		appendFile(t, path, text)
		describe(t, f)
	}
	got := search(t, f, everything("tiny.zeek", "dns_activity", "query.hostname"))
	if want := []string{"a.example", "b.example", "c.example"}; !slices.Equal(got.text("query.hostname"), want) {
		t.Errorf("queries are %q, want %q; rejected %+v", got.text("query.hostname"), want, got.rejected)
	}
}

// TestReplace: what a snapshot had and a file has no more is said to be lost.
func TestReplace(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, path string){
		"shorter": func(t *testing.T, path string) { writeFile(t, path, lines(proc(3))) },
		"rotated": func(t *testing.T, path string) { rename(t, path); appendFile(t, path, lines(proc(3))) },
		"deleted": func(t *testing.T, path string) { rename(t, path) },
		"same size": func(t *testing.T, path string) {
			appendFile(t, path+".new", lines(proc(3), proc(4)))
			moveOver(t, path)
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "log")
			appendFile(t, path, lines(proc(1), proc(2)))
			f := openFiles(t, files.Config{Path: filepath.Dir(path)}, tinySet(t))
			old := describe(t, f)
			change(t, path)
			now := describe(t, f)
			if old.Snapshot == now.Snapshot {
				t.Error("the snapshot is the same")
			}
			r := everything("tiny", "process_activity")
			if got := search(t, f, r); len(got.lost) != 0 || slices.Contains(got.raw, proc(1)) {
				t.Errorf("the newest state is %q, lost %+v", got.raw, got.lost)
			}
			r.Snapshot = old.Snapshot
			if got := search(t, f, r); len(got.lost) != 1 || len(got.raw) != 0 || got.lost[0].Part != "log" || got.lost[0].Lost == nil {
				t.Errorf("the old state is %q, lost %+v", got.raw, got.lost)
			}
			r.Range = hunt.TimeRange{Start: 1, End: 2}
			if got := search(t, f, r); len(got.lost) != 0 {
				t.Errorf("in a range without the lost rows there is lost %+v", got.lost)
			}
		})
	}
}

func rename(t *testing.T, path string) {
	t.Helper()
	if err := os.Rename(path, filepath.Join(t.TempDir(), "gone")); err != nil {
		t.Fatal(err)
	}
}

func moveOver(t *testing.T, path string) {
	t.Helper()
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// TestTouch: a file whose time changed and whose bytes did not is no new state.
func TestTouch(t *testing.T) {
	dir := folder(t, map[string]string{"a": lines(proc(1)), "b": "none"})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	old := describe(t, f).Snapshot
	if err := os.Chtimes(filepath.Join(dir, "a"), time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if now := describe(t, f).Snapshot; now != old {
		t.Errorf("the snapshot went from %s to %s", old, now)
	}
}

// TestOtherProcess: a snapshot of an earlier process is good while the files are the same.
func TestOtherProcess(t *testing.T) {
	dir := t.TempDir()
	log := filepath.Join(dir, "log")
	appendFile(t, log, lines(proc(1)))
	snapshot := describe(t, openFiles(t, files.Config{Path: dir}, tinySet(t))).Snapshot
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	r := everything("tiny", "process_activity")
	r.Snapshot = snapshot
	if got := search(t, f, r); len(got.raw) != 1 || len(got.lost) != 0 {
		t.Errorf("%q, lost %+v", got.raw, got.lost)
	}
	appendFile(t, log, lines(proc(2)))
	describe(t, f)
	if got := search(t, f, r); len(got.raw) != 1 || len(got.lost) != 0 {
		t.Errorf("after growth, seen by the new process: %q, lost %+v", got.raw, got.lost)
	}
	late := openFiles(t, files.Config{Path: dir}, tinySet(t))
	if got := search(t, late, r); len(got.raw) != 2 || len(got.lost) != 1 {
		t.Errorf("after growth, not seen by the new process: %q, lost %+v", got.raw, got.lost)
	}
	r.Snapshot = "nonsense"
	if got := search(t, late, r); len(got.lost) != 1 {
		t.Errorf("nonsense: lost %+v", got.lost)
	}
}

// TestCache: whatever the cache holds, the answers are the same; and it keeps its bound.
func TestCache(t *testing.T) {
	content := map[string]string{}
	for _, name := range []string{"a", "b", "c", "d"} {
		content[name] = manyProcs(300) + lines(`{"kind":"net","when":1,"src":"10.0.0.1","from":"`+name+`"}`)
	}
	dir := folder(t, content)
	all := openFiles(t, files.Config{Path: dir}, tinySet(t))
	want := search(t, all, everything("tiny", "process_activity"))
	for _, limit := range []int64{1, all.CachedBytes() / 2, all.CachedBytes()} {
		f := openFiles(t, files.Config{Path: dir, CacheBytes: limit}, tinySet(t))
		got := search(t, f, everything("tiny", "process_activity"))
		if !slices.Equal(got.raw, want.raw) || *got.end != *want.end {
			t.Errorf("a cache of %d bytes: %d rows, want %d; end %+v, want %+v", limit, len(got.raw), len(want.raw), got.end, want.end)
		}
		if f.CachedBytes() > limit {
			t.Errorf("a cache of %d bytes holds %d", limit, f.CachedBytes())
		}
	}
	if err := os.Remove(filepath.Join(dir, "a")); err != nil {
		t.Fatal(err)
	}
	before := all.CachedBytes()
	if describe(t, all); all.CachedBytes() >= before {
		t.Errorf("the cache holds %d bytes before and %d after a file went", before, all.CachedBytes())
	}
}

// TestManyRows needs several passes, in both orders, with and without the cache.
func TestManyRows(t *testing.T) {
	const n = 70_000
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"kind":"net","when":"1970-01-01T00:00:00.%06dZ","n":%d}`+"\n", i%1000, i%(n-50))
	}
	dir := folder(t, map[string]string{"a": b.String()})
	for name, size := range caches() {
		t.Run(name, func(t *testing.T) {
			f := openFiles(t, files.Config{Path: dir, CacheBytes: size}, tinySet(t))
			for _, order := range []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} {
				if size != 0 && order == hunt.TimeAsc {
					continue // one order shows that several passes over a part give all of it
				}
				r := everything("tiny", "network_activity")
				r.Order = order
				got := search(t, f, r)
				distinct := map[string]bool{}
				for _, raw := range got.raw {
					distinct[raw] = true
				}
				if len(distinct) != len(got.raw) || int64(len(got.raw))+got.end.Duplicates != f.Parts()[0].Rows {
					t.Errorf("%s: %d rows, %d of them distinct, %d duplicates of %d", order, len(got.raw), len(distinct), got.end.Duplicates, f.Parts()[0].Rows)
				}
				r.Limit = 66_000
				if limited := search(t, f, r); !slices.Equal(limited.raw, got.raw[:min(len(got.raw), r.Limit)]) {
					t.Errorf("%s: a limit of %d gives other rows", order, r.Limit)
				}
			}
		})
	}
}
