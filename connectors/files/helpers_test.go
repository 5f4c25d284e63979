package files_test

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tiny is a mapping of records that say what they are: `kind: proc` and `kind: net`, and of a Zeek log dns.
const tiny = `
mapping: tiny
match: {kind: {exists: true}}
columns:
  time: {from: when, via: time}
rules:
- match: {kind: proc}
  class: process_activity
  columns: {process.cmd_line: cmd, process.pid: {from: pid, via: int}}
- match: {kind: net}
  class: network_activity
  columns: {src_endpoint.ip: src}
`

const tinyZeek = `
mapping: tiny.zeek
match: {_path: dns}
columns:
  time: {from: ts, via: time}
rules:
- class: dns_activity
  columns: {query.hostname: query, answers.rdata: answers}
`

func tinySet(t testing.TB) *mapping.Set {
	t.Helper()
	var list []*mapping.File
	for _, text := range []string{tiny, tinyZeek} {
		f, err := mapping.Parse("tiny", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, f)
	}
	set, err := mapping.Compile(list...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// folder writes files by name into a new folder.
func folder(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		writeFile(t, filepath.Join(dir, name), text)
	}
	return dir
}

// writeFile writes a file that was last changed long ago, so that its last line is taken as it is.
func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, files.Aged(), files.Aged()); err != nil {
		t.Fatal(err)
	}
}

func gzipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstandard(t testing.TB, text string) string {
	t.Helper()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	return string(z.EncodeAll([]byte(text), nil))
}

func zipped(t testing.TB, members map[string]string) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range members {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// found is the answer of a search.
type found struct {
	raw      []string
	recs     []arrow.RecordBatch
	lost     []hunt.PartFailed
	rejected []hunt.Rejected
	end      *hunt.End
	err      error
}

// text returns the values of a text column, "" for none.
func (f found) text(path string) []string {
	var out []string
	for _, rec := range f.recs {
		col := rec.Column(rec.Schema().FieldIndices(path)[0]).(*array.String)
		for i := range col.Len() {
			out = append(out, col.Value(i))
		}
	}
	return out
}

// everything asks a stream for all its events.
func everything(stream, class string, columns ...string) hunt.Request {
	return hunt.Request{Stream: stream, Class: ocsf.ByName(class), Range: always(), Where: hunt.True(), Columns: append(columns, "raw")}
}

func search(t testing.TB, f *files.Files, r hunt.Request) found {
	t.Helper()
	tr, err := f.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	var out found
	for frame, err := range f.Search(t.Context(), tr) {
		if err != nil {
			out.err = err
			return out
		}
		switch frame := frame.(type) {
		case *hunt.Batch:
			out.recs = append(out.recs, frame.Record)
			out.raw = append(out.raw, rawOf(frame.Record)...)
		case hunt.PartFailed:
			out.lost = append(out.lost, frame)
		case hunt.Rejected:
			out.rejected = append(out.rejected, frame)
		case hunt.End:
			out.end = &frame
		}
	}
	return out
}

func describe(t testing.TB, f *files.Files) *hunt.Description {
	t.Helper()
	d, err := f.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func rowValues(rec arrow.RecordBatch, path string, row int) []hunt.Value {
	return vector.Row{Record: rec, Index: row}.Values(path)
}
