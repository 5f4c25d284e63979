package files_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func manyProcs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(proc(i) + "\n")
	}
	return b.String()
}

// TestDamage cuts and breaks parts in every container: the rows before the damage stay, and no class of the part's mapping passes for
// complete.
func TestDamage(t *testing.T) {
	gz, zst := gzipped(t, manyProcs(5000)), zstandard(t, manyProcs(5000))
	zip := zipped(t, map[string]string{"m": manyProcs(5000)})
	flipped := []byte(zip)
	flipped[len(flipped)/2] ^= 0xff
	for _, c := range []struct {
		name, content string
	}{
		{"gzip cut", gz[:len(gz)/2]},
		{"gzip with garbage behind", gz + "garbage"},
		{"zstd cut", zst[:len(zst)*3/4]},
		{"zip with a broken member", string(flipped)},
		{"array without an end", "[" + proc(1) + "," + proc(2) + ",{"},
		{"array broken off between elements", "[" + proc(1) + "," + proc(2)},
		{"csv cell without an end", "kind,when\nproc,2024-05-01T08:00:00Z\nproc,\"2024"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": c.content})}, tinySet(t))
			got := search(t, f, everything("tiny", "process_activity"))
			if len(got.raw) == 0 || len(got.lost) != 1 || got.end == nil {
				t.Fatalf("%d rows, lost %+v, end %+v", len(got.raw), got.lost, got.end)
			}
			e := got.lost[0].Err
			if e.Code != hunt.SourceDamaged || !strings.HasPrefix(e.Source, "a") || !strings.Contains(e.Message, "byte ") || strings.Contains(e.Message, "\n") {
				t.Errorf("the error is %+v", e)
			}
			// The lost records may be of another class, and of any time.
			other := search(t, f, everything("tiny", "network_activity"))
			if len(other.lost) != 1 {
				t.Errorf("the other class of the mapping is complete: %+v", other)
			}
			for _, s := range describe(t, f).Streams {
				if s.Time != nil {
					t.Errorf("stream %s of %s would be pruned by its time", s.Name, s.Class.Name)
				}
			}
			part := f.Parts()[0]
			counts, err := f.Scan(t.Context(), part.Name, func(*hunt.Stream, arrow.RecordBatch) error { return nil })
			if code(err) != hunt.SourceDamaged || counts != part.Counts {
				t.Errorf("Scan gives %+v, %v; the index has %+v", counts, err, part.Counts)
			}
		})
	}
}

// TestUnreadable damages parts so that nothing of them is known: they may hold anything, so no hunt of any class is complete.
func TestUnreadable(t *testing.T) {
	gz, zip := gzipped(t, manyProcs(10)), zipped(t, map[string]string{"m": manyProcs(5000)})
	for _, c := range []struct{ name, content string }{{"gzip", gz[:10]}, {"zip", zip[:len(zip)-30]}, {"zstd", "\x28\xb5\x2f\xfdnot really"}} {
		t.Run(c.name, func(t *testing.T) {
			f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": c.content, "b": lines(proc(1))})}, tinySet(t))
			seen := map[string]bool{}
			for _, s := range describe(t, f).Streams {
				if s.Name != "unreadable" {
					continue
				}
				seen[s.Class.Name] = true
				got := search(t, f, everything(s.Name, s.Class.Name))
				if len(got.lost) != 1 || got.lost[0].Part != "a" || got.lost[0].Err.Code != hunt.SourceDamaged || got.end == nil {
					t.Errorf("%+v", got)
				}
			}
			if len(seen) != len(ocsf.Classes()) {
				t.Errorf("%d classes have a stream of unreadable parts", len(seen))
			}
			if got := search(t, f, everything("tiny", "process_activity")); len(got.raw) != 1 {
				t.Errorf("the sound part gives %q", got.raw)
			}
		})
	}
}

func TestRejects(t *testing.T) {
	good, long := proc(1), `{"kind":"proc","cmd":"`+strings.Repeat("x", 17<<20)+`"}`
	broken := []string{`{"kind":"proc","when":`, "\x00\x01\xff garbage", `[1]`, `{"kind":"else"}`, long}
	text := good + "\n"
	for _, b := range broken {
		text += b + "\n"
	}
	text += proc(2) + "\n"
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": text})}, tinySet(t))
	got := search(t, f, everything("tiny", "process_activity"))
	if !slices.Equal(got.raw, []string{good, proc(2)}) {
		t.Errorf("raw is %q", got.raw)
	}
	if len(got.rejected) != 1 || got.rejected[0].Count != 5 || got.rejected[0].Offset != int64(len(good)+1) || got.rejected[0].Part != "a" || got.rejected[0].Reason == "" {
		t.Errorf("rejected is %+v", got.rejected)
	}
	if p := f.Parts()[0]; p.Records != 7 || p.Rows != 2 || p.Rejected != 5 {
		t.Errorf("part is %+v", p)
	}
	if other := search(t, f, everything("tiny", "network_activity")); len(other.rejected) != 1 {
		t.Errorf("the other class of the mapping is complete: %+v", other)
	}
}

// TestHostileValues keeps what is strange inside sound records: bytes that are no UTF-8 stay in raw, a number where text belongs is
// text, a value that does not parse is missing.
func TestHostileValues(t *testing.T) {
	text := lines("{\"kind\":\"proc\",\"when\":1714550400,\"cmd\":\"a\xff\xfeb\"}", `{"kind":"proc","when":1714550401,"cmd":42,"pid":"x"}`, `{"kind":"proc","when":"no time","cmd":"c"}`)
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": "\x01\x02 garbage before\n" + text})}, tinySet(t))
	got := search(t, f, everything("tiny", "process_activity", "process.cmd_line", "process.pid"))
	if want := []string{"a\xff\xfeb", "42"}; !slices.Equal(got.text("process.cmd_line"), want) {
		t.Errorf("values are %q, want %q", got.text("process.cmd_line"), want)
	}
	if !strings.Contains(got.raw[0], "\xff\xfe") || got.end.Untimed != 1 || got.rejected[0].Count != 1 {
		t.Errorf("raw %q, end %+v, rejected %+v", got.raw[0], got.end, got.rejected)
	}
	if v := rowValues(got.recs[0], "process.pid", 1); len(v) != 0 {
		t.Errorf("pid is %v", v)
	}
}

func TestOpenErrors(t *testing.T) {
	if _, err := files.Open(t.Context(), hunt.Identity{}, files.Config{Path: filepath.Join(t.TempDir(), "none")}, files.Options{Mappings: tinySet(t)}); code(err) != hunt.SourceUnavailable {
		t.Errorf("a path that is not there: %v", err)
	}
	dir := folder(t, map[string]string{"a": lines(proc(1))})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Describe(t.Context()); code(err) != hunt.SourceUnavailable {
		t.Errorf("a path that went away: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Describe(t.Context()); code(err) != hunt.SourceUnavailable {
		t.Errorf("after Close: %v", err)
	}
	if _, err := f.Scan(t.Context(), "a", nil); code(err) != hunt.SourceUnavailable {
		t.Errorf("after Close: %v", err)
	}
}

func TestEmptyFolderAndOneFile(t *testing.T) {
	f := openFiles(t, files.Config{Path: t.TempDir()}, tinySet(t))
	if d := describe(t, f); len(d.Streams) != 0 || len(d.Notes) != 0 {
		t.Errorf("an empty folder is described as %+v", d)
	}
	dir := folder(t, map[string]string{"a": lines(proc(1)), "b": lines(proc(2))})
	one := openFiles(t, files.Config{Path: filepath.Join(dir, "a")}, tinySet(t))
	if got := search(t, one, everything("tiny", "process_activity")); len(got.raw) != 1 || one.Parts()[0].Name != "a" {
		t.Errorf("raw is %q, parts %+v", got.raw, one.Parts())
	}
	if _, err := one.Translate(everything("tiny", "dns_activity")); code(err) != hunt.NotFound {
		t.Errorf("a stream that is not there: %v", err)
	}
}

func TestProgress(t *testing.T) {
	var last [2]int64
	dir := folder(t, map[string]string{"a": manyProcs(3000), "b.gz": gzipped(t, manyProcs(3000)), "c.zip": zipped(t, map[string]string{"m": manyProcs(100)}), "d": "none"})
	f, err := files.Open(t.Context(), hunt.Identity{}, files.Config{Path: dir}, files.Options{Mappings: tinySet(t), Progress: func(done, total int64) { last = [2]int64{done, total} }})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if last[0] != last[1] || last[1] == 0 {
		t.Errorf("the last progress is %d of %d bytes", last[0], last[1])
	}
}

func code(err error) hunt.Code {
	var e *hunt.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// TestRejectsOfALongPart: however many goroutines map a part, the count of rejects is exact and the first one is the first.
func TestRejectsOfALongPart(t *testing.T) {
	var b strings.Builder
	want, first := int64(0), -1
	for i := range 20_000 {
		if i > 2500 && i%777 == 0 {
			if want++; first < 0 {
				first = b.Len()
			}
			b.WriteString("{broken\n")
			continue
		}
		b.WriteString(proc(i) + "\n")
	}
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": gzipped(t, b.String())})}, tinySet(t))
	got := search(t, f, everything("tiny", "process_activity"))
	if len(got.rejected) != 1 || got.rejected[0].Count != want || got.rejected[0].Offset != int64(first) {
		t.Errorf("rejected is %+v, want %d from byte %d", got.rejected, want, first)
	}
	if p := f.Parts()[0]; p.Records != 20_000 || p.Rows != 20_000-want {
		t.Errorf("part is %+v", p)
	}
}
