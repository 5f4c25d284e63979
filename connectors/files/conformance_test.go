package files_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestConformance runs the suite over events that are written as NDJSON, one key per column, and mapped by a table of plain copies.
// Two things cannot be carried that way: values that JSON or a mapping has no word for (keep), and type_uid, which a mapping always
// computes (hideComputed).
func TestConformance(t *testing.T) {
	suite(0).Run(t)
}

// TestConformanceWithoutCache runs what depends on where rows come from again with a cache that holds nothing.
func TestConformanceWithoutCache(t *testing.T) {
	s := suite(1)
	s.Rows = 1000
	for _, name := range []string{"Contents", "Order", "Projection", "Snapshot", "Concurrency", "Cancel", "Break", "Fault", "Close"} {
		t.Run(name, func(t *testing.T) {
			for _, err := range s.Check(t, name) {
				t.Error(err)
			}
		})
	}
}

func suite(cache int64) hunttest.Suite {
	var log string
	var set *mapping.Set
	write := func(t *testing.T, d hunttest.Data) { appendFile(t, log, ndjsonOf(d)) }
	connect := func(t *testing.T) hunt.Connector {
		return hideComputed{openFiles(t, files.Config{Path: filepath.Dir(log), CacheBytes: cache}, set)}
	}
	open := func(t *testing.T, data []hunttest.Data) hunt.Connector {
		log, set = filepath.Join(t.TempDir(), "events.log"), copies(t, data)
		for _, d := range data {
			write(t, d)
		}
		return connect(t)
	}
	// The log goes away and comes back.
	fault := func(t *testing.T) func() {
		at, away := log, filepath.Join(t.TempDir(), "gone")
		move(t, at, away)
		return func() { move(t, away, at) }
	}
	remove := func(t *testing.T, gone hunttest.Data) { removeLines(t, log, rawOf(gone.Record)) }
	return hunttest.Suite{Open: open, Connect: connect, Grow: write, Remove: remove, Fault: fault, Streams: suiteStreams(), Keep: keep}
}

// move renames a file into another folder, so that the connection does not see it under its new name.
func move(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Rename(from, to); err != nil {
		t.Fatal(err)
	}
}

// removeLines writes a file anew without some lines.
func removeLines(t *testing.T, path string, gone []string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
		return slices.Contains(gone, strings.TrimSuffix(line, "\n"))
	})
	if err := os.WriteFile(path, []byte(strings.Join(left, "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// suiteStreams is the suite's own choice with the columns that a mapping always fills and without type_uid.
func suiteStreams() []hunt.Stream {
	var out []hunt.Stream
	for _, uid := range []int64{ocsf.ProcessActivity, ocsf.NetworkActivity, ocsf.DetectionFinding, ocsf.Authentication} {
		class := ocsf.ByUID(uid)
		attributes := hunttest.AllAttributes(class)
		delete(attributes, "type_uid")
		out = append(out, hunt.Stream{Name: "conformance", Class: class, Attributes: attributes})
	}
	last := &out[len(out)-1]
	for i := 0; i < len(last.Class.Columns); i += 2 {
		delete(last.Attributes, last.Class.Columns[i].Path)
	}
	for _, path := range []string{"category_uid", "activity_id", "severity_id"} {
		last.Attributes[path] = true
	}
	return out
}

// keep refuses what JSON cannot carry (infinite numbers) and what every mapping reads as absent (blank text and `-`).
func keep(_ string, v hunt.Value) bool {
	switch v.Kind() {
	case hunt.FloatKind:
		return !math.IsInf(v.Flt(), 0)
	case hunt.StringKind:
		text := strings.TrimSpace(v.Str())
		return text != "" && text != "-"
	}
	return true
}

// hideComputed leaves type_uid out of what a connection says of itself, and time, which mapping counts as an attribute.
type hideComputed struct{ *files.Files }

func (h hideComputed) Describe(ctx context.Context) (*hunt.Description, error) {
	d, err := h.Files.Describe(ctx)
	if err != nil {
		return nil, err
	}
	out := *d
	out.Streams = nil
	for _, s := range d.Streams {
		s.Attributes = maps.Clone(s.Attributes)
		delete(s.Attributes, "type_uid")
		delete(s.Attributes, "time")
		out.Streams = append(out.Streams, s)
	}
	return &out, nil
}

func (h hideComputed) Translate(r hunt.Request) (*hunt.Translation, error) {
	t, err := h.Files.Translate(r)
	if err != nil {
		return nil, err
	}
	for i := range t.Predicates {
		if d := &t.Predicates[i]; d.Predicate.Path == "type_uid" {
			d.Disposition, d.Reason = hunt.Impossible, "hidden by the test"
		}
	}
	return t, nil
}

// copies makes a mapping that copies every attribute of the streams from the key of its own name.
func copies(t *testing.T, data []hunttest.Data) *mapping.Set {
	t.Helper()
	file := &mapping.File{Mapping: "conformance", Columns: map[string]*mapping.Spec{}}
	for _, d := range data {
		rule := mapping.Rule{Match: mapping.Conditions{{"class": {Values: []string{d.Stream.Class.Name}}}}, Class: d.Stream.Class.Name, Columns: map[string]*mapping.Spec{}}
		for path := range d.Stream.Attributes {
			rule.Columns[path] = &mapping.Spec{From: mapping.Names{path}, Via: viaOf(d.Stream.Class.Column(path).Type)}
			file.MissingExcept = append(file.MissingExcept, path)
		}
		rule.Columns["time"] = &mapping.Spec{From: mapping.Names{"time"}, Via: "time"}
		file.Rules = append(file.Rules, rule)
	}
	set, err := mapping.Compile(file)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

func viaOf(t ocsf.Type) string {
	switch t {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return "int"
	case ocsf.Float:
		return "float"
	case ocsf.Boolean:
		return "bool"
	case ocsf.Time:
		return "time"
	}
	return ""
}

// ndjsonOf writes events as lines. Values of an array of objects are a JSON array per column, with null where an object lacks one.
func ndjsonOf(d hunttest.Data) string {
	var b strings.Builder
	for row := range int(d.Record.NumRows()) {
		fmt.Fprintf(&b, `{"class":%s,"key":%s`, quote(d.Stream.Class.Name), quote(d.Record.Column(0).(*array.String).Value(row)))
		for _, path := range slices.Sorted(maps.Keys(d.Stream.Attributes)) { // sorted, so that an event that comes again is the same line
			fmt.Fprintf(&b, `,%s:%s`, quote(path), valueOf(d, path, row))
		}
		fmt.Fprintf(&b, `,"time":%s`, one(vector.Row{Record: d.Record, Index: row}.Values("time")))
		b.WriteString("}\n")
	}
	return b.String()
}

func valueOf(d hunttest.Data, path string, row int) string {
	r := vector.Row{Record: d.Record, Index: row}
	list := d.Stream.Class.Column(path).List
	if list == "" {
		return one(r.Values(path))
	}
	var items []string
	for _, e := range r.Elements(list) {
		items = append(items, one(e.Values(path)))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// one writes a value as JSON.
func one(values []hunt.Value) string {
	if len(values) == 0 {
		return "null"
	}
	switch v := values[0]; v.Kind() {
	case hunt.StringKind:
		return quote(v.Str())
	case hunt.TimeKind:
		return quote(hunt.FormatTime(v.Num()))
	case hunt.IPKind:
		return quote(netip.AddrFrom16(v.Addr16()).String())
	default:
		return v.Text()
	}
}

// quote writes a JSON string and keeps bytes that are no UTF-8.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case c < 0x20:
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// openFiles opens a connection as the suite's identity and looks at the folder in every Describe.
func openFiles(t testing.TB, cfg files.Config, set *mapping.Set) *files.Files {
	t.Helper()
	f, err := files.Open(t.Context(), hunttest.Identity(), cfg, files.Options{Mappings: set})
	if err != nil {
		t.Fatal(err)
	}
	f.NoDebounce()
	t.Cleanup(func() { f.Close() })
	return f
}

func appendFile(t testing.TB, path, text string) {
	t.Helper()
	out, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := out.WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func jsonObject(t testing.TB, text string) map[string]any {
	t.Helper()
	out := map[string]any{}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return out
}

func rawOf(rec arrow.RecordBatch) []string {
	var out []string
	col := rec.Column(rec.Schema().FieldIndices("raw")[0]).(*array.String)
	for i := range col.Len() {
		out = append(out, strings.Clone(col.Value(i)))
	}
	return out
}
