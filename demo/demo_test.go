package demo_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/demo"
)

// record is one record of any domain as a reader of the files gets it.
type record struct {
	file   string
	at     time.Time
	fields map[string]any
}

// text is a field as text; dots descend into nested objects.
func (r record) text(path string) string {
	var v any = r.fields
	if flat, ok := r.fields[path]; ok {
		v = flat
	} else {
		for name := range strings.SplitSeq(path, ".") {
			m, _ := v.(map[string]any)
			v = m[name]
		}
	}
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

func (r record) is(pairs ...string) bool {
	for i := 0; i < len(pairs); i += 2 {
		if r.text(pairs[i]) != pairs[i+1] {
			return false
		}
	}
	return true
}

// telemetry is everything that one Write wrote.
type telemetry struct {
	story                     *demo.Story
	endpoint, cloud, identity []record
	zeek                      map[string][]record // by name of the log
	files                     map[string][]byte
	networkCount              int
	closed                    int // Zeek logs that end with #close
}

func (d *telemetry) count() int {
	return len(d.endpoint) + d.networkCount + len(d.cloud) + len(d.identity)
}

func write(t *testing.T, o demo.Options) *telemetry {
	t.Helper()
	dir := t.TempDir()
	story, err := demo.Write(t.Context(), dir, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := &telemetry{story: story, zeek: map[string][]record{}, files: readAll(t, dir)}
	for name, data := range d.files {
		switch filepath.Dir(name) {
		case "endpoint":
			d.endpoint = append(d.endpoint, jsonLines(t, name, data, "UtcTime")...)
		case "identity":
			d.identity = append(d.identity, jsonLines(t, name, data, "time")...)
		case "cloud":
			d.cloud = append(d.cloud, trail(t, name, data)...)
		case "network":
			rows := d.tsv(t, name, data)
			d.zeek[strings.TrimSuffix(filepath.Base(name), ".log")] = rows
			d.networkCount += len(rows)
		default:
			t.Errorf("unexpected file %s", name)
		}
	}
	return d
}

func readAll(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		files[filepath.ToSlash(name)], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func decode(t *testing.T, name string, data []byte, into any) {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(into); err != nil {
		t.Fatalf("%s: %v in %.200s", name, err, data)
	}
	if dec.More() {
		t.Fatalf("%s: more than one value in %.200s", name, data)
	}
}

func parseTime(t *testing.T, name, value string) time.Time {
	t.Helper()
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.000"} {
		if at, err := time.Parse(layout, value); err == nil {
			return at
		}
	}
	t.Fatalf("%s: %q is not a time", name, value)
	return time.Time{}
}

func jsonLines(t *testing.T, name string, data []byte, timeField string) []record {
	t.Helper()
	var records []record
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r := record{file: name}
		decode(t, name, lines.Bytes(), &r.fields)
		value := r.text(timeField)
		if value == "" {
			value = r.text("TimeCreated") // Security and PowerShell have no other
		}
		r.at = parseTime(t, name, value)
		records = append(records, r)
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return records
}

func trail(t *testing.T, name string, data []byte) []record {
	t.Helper()
	zip, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !zip.ModTime.IsZero() {
		t.Errorf("%s: gzip header carries a time", name)
	}
	text, err := io.ReadAll(zip)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var document struct{ Records []map[string]any }
	decode(t, name, text, &document)
	var records []record
	for _, fields := range document.Records {
		r := record{file: name, fields: fields}
		r.at = parseTime(t, name, r.text("eventTime"))
		records = append(records, r)
	}
	return records
}

// tsv reads a Zeek log by its own header.
func (d *telemetry) tsv(t *testing.T, name string, data []byte) []record {
	t.Helper()
	var fields []string
	var records []record
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSuffix(line, "\n")
		cells := strings.Split(line, "\t")
		switch {
		case cells[0] == "#fields":
			fields = cells[1:]
		case cells[0] == "#types" && len(cells)-1 != len(fields):
			t.Errorf("%s: %d types for %d fields", name, len(cells)-1, len(fields))
		case cells[0] == "#close":
			d.closed++
		case strings.HasPrefix(line, "#"):
		case len(cells) != len(fields):
			t.Errorf("%s: %d cells for %d fields: %s", name, len(cells), len(fields), line)
		default:
			records = append(records, zeekRecord(t, name, fields, cells))
		}
	}
	return records
}

func zeekRecord(t *testing.T, name string, fields, cells []string) record {
	t.Helper()
	r := record{file: name, fields: map[string]any{}}
	for i, f := range fields {
		r.fields[f] = cells[i]
	}
	sec, micro, ok := strings.Cut(cells[0], ".")
	s, err1 := strconv.ParseInt(sec, 10, 64)
	u, err2 := strconv.ParseInt(micro, 10, 64)
	if !ok || err1 != nil || err2 != nil || len(micro) != 6 {
		t.Fatalf("%s: %q is not a Zeek time", name, cells[0])
	}
	r.at = time.Unix(s, u*1000).UTC()
	return r
}

func filter(from []record, keep func(record) bool) []record {
	var kept []record
	for _, r := range from {
		if keep(r) {
			kept = append(kept, r)
		}
	}
	return kept
}
