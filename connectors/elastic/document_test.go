package elastic

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strconv"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestDocumentsHoldEveryValue encodes random and hostile events of every class and reads every value back out of the JSON.
func TestDocumentsHoldEveryValue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		rec := hunttest.RandomBatch(rng, class, 60, hunttest.Untimed())
		docs, again := documents(class, rec), documents(class, rec)
		for row, doc := range docs {
			if !json.Valid(doc) || !utf8.Valid(doc) || bytes.ContainsRune(doc, '\n') || !bytes.Equal(doc, again[row]) {
				t.Fatalf("%s: not one line of JSON, or not always the same: %.500s", class.Name, doc)
			}
			v := fastjson.MustParseBytes(doc)
			for f, field := range rec.Schema().Fields() {
				at := path(field.Name)
				sameValue(t, class, field.Name, rec.Column(f), row, v.Get(at...))
			}
			if timed := vector.Column(rec, ocsf.ColTime).IsValid(row); v.Exists(timestampField) != timed {
				t.Fatalf("%s: @timestamp is there: %t, the time: %t", class.Name, !timed, timed)
			}
		}
	}
}

func path(name string) (out []string) {
	for part := range bytes.SplitSeq([]byte(name), []byte(".")) {
		out = append(out, string(part))
	}
	return out
}

func sameValue(t *testing.T, class *ocsf.Class, name string, col arrow.Array, row int, v *fastjson.Value) {
	t.Helper()
	if col.IsNull(row) {
		if v != nil {
			t.Fatalf("%s is null and in the document: %s", name, v)
		}
		return
	}
	if v == nil {
		t.Fatalf("%s is not in the document", name)
	}
	if list, ok := col.(*array.List); ok {
		from, to := list.ValueOffsets(row)
		items := v.GetArray()
		if len(items) != int(to-from) {
			t.Fatalf("%s has %d elements, want %d", name, len(items), to-from)
		}
		for k, c := range class.List(name) {
			for i := range items {
				sameValue(t, class, c.Path, list.ListValues().(*array.Struct).Field(k), int(from)+i, items[i].Get(path(c.Leaf())...))
			}
		}
		return
	}
	got := text(v)
	want := ""
	switch c := col.(type) {
	case *array.String:
		got, want = hunt.UnescapeText(got), c.Value(row)
	case *array.Int64:
		want = strconv.FormatInt(c.Value(row), 10)
	case *array.Boolean:
		want = strconv.FormatBool(c.Value(row))
	case *array.Timestamp:
		want = strconv.FormatInt(int64(c.Value(row)), 10)
	case *array.FixedSizeBinary:
		want = hunt.FormatIP([16]byte(c.Value(row)))
	case *array.Float64:
		f, err := strconv.ParseFloat(got, 64)
		if err != nil || math.Float64bits(f) != math.Float64bits(c.Value(row)) {
			t.Fatalf("%s is %s, want %v", name, got, c.Value(row))
		}
		return
	}
	if got != want {
		t.Fatalf("%s is %.200q, want %.200q", name, got, want)
	}
}

// TestEscapedTextIsReversible holds the escapes of bytes that are no UTF-8 to their promises.
func FuzzEscapedText(f *testing.F) {
	for _, s := range []string{"", "a", "\xff", "\U0010fe41", "a\U0010feff\xc3(", "\xf4\x8f", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := hunt.EscapeText(s)
		if !utf8.ValidString(e) || hunt.UnescapeText(e) != s || hunt.IsPlainText(s) != (e == s) {
			t.Fatalf("%q becomes %q becomes %q", s, e, hunt.UnescapeText(e))
		}
		var back string
		if err := json.Unmarshal(appendQuoted(nil, e), &back); err != nil || back != e {
			t.Fatalf("%q is written %s: %v", e, appendQuoted(nil, e), err)
		}
	})
}

// TestTemplates writes and reads the mapping of every class.
func TestTemplates(t *testing.T) {
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		stream := hunt.Stream{Name: "sysmon", Class: class, Attributes: map[string]bool{"activity_id": true, "status_id": false},
			Closed: map[string][]hunt.Value{"metadata.log_name": {hunt.String("a"), hunt.String("\xff")}, "activity_id": {hunt.Int(1)}}}
		body, err := indexMapping(metaOf(hunt.Identity{Tenant: "t", Connection: "c"}, &stream))
		if err != nil {
			t.Fatal(err)
		}
		v := fastjson.MustParseBytes(body)
		m, ok := readMeta(v.Get("_meta").MarshalTo(nil))
		back := m.describe()
		if !ok || m.Tenant != "t" || back.Class != class || !back.Attributes["activity_id"] || back.Attributes["status_id"] ||
			len(back.Closed["metadata.log_name"]) != 2 || back.Closed["metadata.log_name"][1] != hunt.String("\xff") || back.Closed["activity_id"][0] != hunt.Int(1) {
			t.Fatalf("%s: read back %v %+v", class.Name, ok, back)
		}
		s := own(class)
		for k := range class.Columns {
			c := &class.Columns[k]
			f, ok := s.groups[0].Fields[c.Path]
			if !ok || f.Why != "" || f.Nested != c.List {
				t.Errorf("%s: %s is indexed as %+v", class.Name, c.Path, f)
			}
		}
	}
	if _, ok := readMeta([]byte(`{"harrier":{"version":99}}`)); ok {
		t.Error("a later version is read")
	}
	if _, err := indexMapping(indexMeta{Class: "none"}); err == nil {
		t.Error("a class that is none has a mapping")
	}
}
