package files_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
)

func proc(n int) string {
	return fmt.Sprintf(`{"kind":"proc","when":"2024-05-01T08:00:%02dZ","cmd":"cmd %d","pid":%d,"other":"x"}`, n, n, n)
}

func lines(records ...string) string { return strings.Join(records, "\n") + "\n" }

const mark = "\xef\xbb\xbf"

const zeekDNS = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tdns\n#open\t2024\n" +
	"#fields\tts\tquery\tanswers\n#types\ttime\tstring\tvector[string]\n"

// TestFormats reads the same records in every format and container, whatever the file is called.
func TestFormats(t *testing.T) {
	two := lines(proc(1), proc(2))
	array := "[\n " + proc(1) + ",\n " + proc(2) + "\n]\n"
	for _, c := range []struct{ name, format, content string }{
		{"ndjson", "ndjson", two},
		{"ndjson with CRLF, blank lines and no end", "ndjson", proc(1) + "\r\n\r\n  \n" + proc(2)},
		{"ndjson with a mark", "ndjson", mark + two},
		{"gzip", "ndjson", gzipped(t, two)},
		{"gzip in two members", "ndjson", gzipped(t, lines(proc(1))) + gzipped(t, lines(proc(2)))},
		{"gzip with a mark", "ndjson", gzipped(t, mark+two)},
		{"zstd", "ndjson", zstandard(t, two)},
		{"array", "json-array", array},
		{"array with a mark", "json-array", mark + array},
		{"two arrays", "json-array", "[" + proc(1) + "]\n[" + proc(2) + "]"},
		{"Records", "json-wrapper", `{"Records":[` + proc(1) + `,` + proc(2) + `]}`},
		{"value after other keys", "json-wrapper", `{"@odata.context":"a]b","n":[1,{"x":"}"}],"value":[` + proc(1) + `,` + proc(2) + `],"@odata.nextLink":null}`},
		{"wrappers by line", "json-wrapper", `{"Records":[` + proc(1) + `]}` + "\n" + `{"Records":[` + proc(2) + `]}` + "\n"},
		{"array in gzip", "json-array", gzipped(t, array)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := openFiles(t, files.Config{Path: folder(t, map[string]string{"LICENSE": c.content})}, tinySet(t))
			got := search(t, f, everything("tiny", "process_activity", "process.cmd_line"))
			if want := []string{proc(1), proc(2)}; !slices.Equal(got.raw, want) {
				t.Errorf("raw is %q, want %q", got.raw, want)
			}
			if want := []string{"cmd 1", "cmd 2"}; !slices.Equal(got.text("process.cmd_line"), want) {
				t.Errorf("values are %q, want %q", got.text("process.cmd_line"), want)
			}
			if len(got.lost) > 0 || len(got.rejected) > 0 {
				t.Errorf("something is lost: %+v %+v", got.lost, got.rejected)
			}
			if p := f.Parts(); len(p) != 1 || p[0].Format != c.format || p[0].Records != 2 || p[0].Rows != 2 || len(p[0].Digest) != 64 {
				t.Errorf("parts are %+v", p)
			}
		})
	}
}

func TestWrapperKeyInARecord(t *testing.T) {
	record := `{"kind":"proc","when":1714550400,"value":[{"a":1}]}`
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": lines(record)})}, tinySet(t))
	if got := search(t, f, everything("tiny", "process_activity")); !slices.Equal(got.raw, []string{record}) {
		t.Errorf("raw is %q", got.raw)
	}
}

func TestZip(t *testing.T) {
	content := zipped(t, map[string]string{"logs/deep/a.log": lines(proc(1)), "b.txt": gzipped(t, lines(proc(2))), "empty.log": "", "readme": "hello"})
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"x.zip": content})}, tinySet(t))
	if got := search(t, f, everything("tiny", "process_activity")); !slices.Equal(got.raw, []string{proc(1), proc(2)}) {
		t.Errorf("raw is %q", got.raw)
	}
	var names []string
	for _, p := range f.Parts() {
		names = append(names, p.Name)
	}
	if want := []string{"x.zip!b.txt", "x.zip!empty.log", "x.zip!logs/deep/a.log"}; !slices.Equal(names, want) {
		t.Errorf("parts are %q, want %q", names, want)
	}
	if notes := describe(t, f).Notes; len(notes) != 1 || !strings.HasPrefix(notes[0], "x.zip!readme: not searched: ") {
		t.Errorf("notes are %q", notes)
	}
}

func TestZeek(t *testing.T) {
	row := "1714550400.5\texample.com\ta,b"
	content := zeekDNS + row + "\r\n" + "1714550401\t-\t(empty)\n#close\t2024\n" + "1714550402\tshort\n"
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"conn.csv": content})}, tinySet(t))
	got := search(t, f, everything("tiny.zeek", "dns_activity", "query.hostname", "answers.rdata"))
	if !slices.Equal(got.raw, []string{row, "1714550401\t-\t(empty)"}) {
		t.Errorf("raw is %q", got.raw)
	}
	if want := []string{"example.com", ""}; !slices.Equal(got.text("query.hostname"), want) {
		t.Errorf("queries are %q", got.text("query.hostname"))
	}
	if v := valuesAt(got.recs[0], "answers.rdata", 0); !slices.Equal(v, []string{"a", "b"}) {
		t.Errorf("answers are %q", v)
	}
	if len(got.rejected) != 1 || got.rejected[0].Count != 1 || got.rejected[0].Offset != int64(strings.Index(content, "1714550402")) {
		t.Errorf("rejected is %+v", got.rejected)
	}
}

func TestZeekSeparators(t *testing.T) {
	content := "#separator |\n#set_separator|;\n#empty_field|EMPTY\n#unset_field|NONE\n#path|dns\n#fields|ts|query|answers\n#types|time|string|set[string]\n" +
		"1714550400|-|a;b\n1714550401|EMPTY|NONE\n"
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": content, "no rows": zeekDNS})}, tinySet(t))
	got := search(t, f, everything("tiny.zeek", "dns_activity", "answers.rdata"))
	if len(got.raw) != 2 || len(describe(t, f).Notes) != 0 {
		t.Fatalf("raw is %q, notes %q", got.raw, describe(t, f).Notes)
	}
	if v := valuesAt(got.recs[0], "answers.rdata", 0); !slices.Equal(v, []string{"a", "b"}) {
		t.Errorf("answers are %q", v)
	}
	if v := valuesAt(got.recs[0], "answers.rdata", 1); len(v) != 0 {
		t.Errorf("answers are %q", v)
	}
}

func TestCSV(t *testing.T) {
	content := mark + "kind,when,cmd,note\r\n" + "proc,\"4/28/2021, 2:32:14.029 PM\",\"say \"\"hi\"\"\r\nthere\",\r\n" + "\r\n" + "proc,2024-05-01T08:00:00Z,it's 5\" wide,é\xff\r\n" +
		"proc,2024-05-01T08:00:01Z,short\r\n" + "proc,x,too,many,cells\r\n"
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a.json": content})}, tinySet(t))
	got := search(t, f, everything("tiny", "process_activity", "process.cmd_line", "unmapped"))
	want := []string{
		`{"kind":"proc","when":"4/28/2021, 2:32:14.029 PM","cmd":"say \"hi\"\r\nthere"}`,
		`{"kind":"proc","when":"2024-05-01T08:00:00Z","cmd":"it's 5\" wide","note":"é` + "\xff" + `"}`,
		`{"kind":"proc","when":"2024-05-01T08:00:01Z","cmd":"short"}`,
	}
	if !slices.Equal(got.raw, want) {
		t.Errorf("raw is\n%q, want\n%q", got.raw, want)
	}
	if cmd := got.text("process.cmd_line"); cmd[0] != "say \"hi\"\r\nthere" {
		t.Errorf("cmd is %q", cmd)
	}
	if u := got.text("unmapped"); u[1] != "{\"note\":\"é\xff\"}" {
		t.Errorf("unmapped is %q", u)
	}
	if len(got.rejected) != 1 || got.rejected[0].Count != 1 {
		t.Errorf("rejected is %+v", got.rejected)
	}
	jsonObject(t, strings.ToValidUTF8(got.raw[1], "?"))
}

// TestUnmapped compares the column as it is computed for rows of the cache with what a whole mapping of the part says.
func TestUnmapped(t *testing.T) {
	dir := folder(t, map[string]string{"a": lines(proc(1), proc(2)), "b": zeekDNS + "1714550400.5\te\ta\n", "c.csv": "kind,when,z\nproc,2024-05-01T08:00:03Z,9\n"})
	f := openFiles(t, files.Config{Path: dir}, tinySet(t))
	none := openFiles(t, files.Config{Path: dir, CacheBytes: 1}, tinySet(t))
	r := everything("tiny", "process_activity", "unmapped")
	want := []string{`{"other":"x"}`, `{"other":"x"}`, `{"z":"9"}`}
	for name, g := range map[string]*files.Files{"cache": f, "no cache": none} {
		if got := search(t, g, r).text("unmapped"); !slices.Equal(got, want) {
			t.Errorf("%s: unmapped is %q, want %q", name, got, want)
		}
	}
	col := r.Class.Column("unmapped")
	p, err := hunt.NewPredicate(col, hunt.Contains, false, hunt.String(`"z"`))
	if err != nil {
		t.Fatal(err)
	}
	r.Where = p
	if got := search(t, f, r); len(got.raw) != 1 {
		t.Errorf("a filter on unmapped gives %q", got.raw)
	}
}

func valuesAt(rec arrow.RecordBatch, path string, row int) []string {
	var out []string
	for _, v := range rowValues(rec, path, row) {
		out = append(out, v.Str())
	}
	return out
}

func TestNotSearched(t *testing.T) {
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{
		"LICENSE": "MIT License\n\nCopyright, \"somebody\n", "meta.yaml": "title: a, \"b\nx: y\n", "bin": "\x00\x01\x02,\x03", "truth.json": `[{"line":1}]`,
		"other.json": lines(`{"a":1}`), "empty": "", "blank": "\n\n", "a/b/c": lines(proc(1)),
	})}, tinySet(t))
	d := describe(t, f)
	var names []string
	for _, n := range d.Notes {
		name, why, _ := strings.Cut(n, ": not searched: ")
		if names = append(names, name); why == "" {
			t.Errorf("note %q says no reason", n)
		}
	}
	if want := []string{"LICENSE", "bin", "meta.yaml", "other.json", "truth.json"}; !slices.Equal(names, want) {
		t.Errorf("not searched are %q, want %q", names, want)
	}
	if len(d.Streams) != 1 || d.Streams[0].Rows != 1 {
		t.Errorf("streams are %+v", d.Streams)
	}
}

func TestDuplicates(t *testing.T) {
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": lines(proc(1), proc(2), proc(1)), "b": lines(proc(1))})}, tinySet(t))
	got := search(t, f, everything("tiny", "process_activity"))
	if len(got.raw) != 2 || got.end.Duplicates != 2 || got.end.RowsScanned != 4 {
		t.Errorf("%d rows, end %+v", len(got.raw), got.end)
	}
}

func TestNative(t *testing.T) {
	f := openFiles(t, files.Config{Path: folder(t, map[string]string{"a": lines(proc(1)), "b": lines(proc(2), proc(3)), "c": lines(`{"kind":"net","when":9}`)})}, tinySet(t))
	r := everything("tiny", "process_activity")
	r.Range = hunt.TimeRange{Start: 1714550402_000000, End: 1714550500_000000}
	tr, err := f.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := "1 of 3 parts, 2 records: b; filter: all"; tr.Native != want {
		t.Errorf("native is %q, want %q", tr.Native, want)
	}
}
