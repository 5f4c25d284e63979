package elastic

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// page writes an answer of _search with documents.
func page(sources ...string) []byte {
	var hits []string
	for i, s := range sources {
		hits = append(hits, fmt.Sprintf(`{"_index":"logs-1","_id":"id%d","_score":null,"_source":%s,"sort":[%d]}`, i, s, 100+i))
	}
	return []byte(`{"took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":` +
		fmt.Sprint(len(sources)) + `,"relation":"eq"},"max_score":null,"hits":[` + strings.Join(hits, ",") + `]}}`)
}

var decodedColumns = []string{"dst_endpoint.port", "src_endpoint.ip", "metadata.uid", "duration", "start_time", "is_src_dst_assignment_known", "unmapped"}

func testSource(foreign bool) (*source, *hunt.Request) {
	class := ocsf.ByUID(ocsf.NetworkActivity)
	return &source{time: ocsf.ColTime, micros: !foreign}, &hunt.Request{Class: class, Columns: decodedColumns}
}

func decodeAll(t testing.TB, body []byte, foreign, simd bool) (rows, *documentDecoder, error) {
	t.Helper()
	src, r := testSource(foreign)
	d := newDocumentDecoder(hunt.Identity{Tenant: "t", Connection: "c"}, src, r)
	var e *envelope
	var err error
	if simd {
		e, err = d.parse(body)
	} else {
		e, err = scan(body)
	}
	if err != nil {
		return rows{}, d, err
	}
	d.decode(e)
	return d.take(), d, nil
}

// reference decodes documents with encoding/json, plainly.
func reference(body []byte, foreign bool) []map[string]hunt.Value {
	var answer struct {
		Hits struct {
			Hits []struct {
				Index  string         `json:"_index"`
				ID     string         `json:"_id"`
				Source map[string]any `json:"_source"`
			} `json:"hits"`
		} `json:"hits"`
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if dec.Decode(&answer) != nil {
		return nil
	}
	class := ocsf.ByUID(ocsf.NetworkActivity)
	var out []map[string]hunt.Value
	for _, h := range answer.Hits.Hits {
		row := map[string]hunt.Value{ocsf.ColUID: hunt.String(h.ID)}
		if foreign {
			row[ocsf.ColUID] = hunt.String(mapping.UID(hunt.Identity{Tenant: "t", Connection: "c"}, []byte(h.Index+"\x00"+h.ID)))
		}
		for _, path := range append([]string{ocsf.ColTime}, decodedColumns...) {
			col := class.Column(path)
			if col == nil {
				continue
			}
			if v := referenceValue(lookup(h.Source, path), col.Type, foreign); v.Kind() != hunt.Missing {
				row[path] = v
			}
		}
		out = append(out, row)
	}
	return out
}

func lookup(o map[string]any, path string) any {
	if v, ok := o[path]; ok {
		return v
	}
	head, rest, more := strings.Cut(path, ".")
	inner, ok := o[head].(map[string]any)
	if !more || !ok {
		return nil
	}
	return lookup(inner, rest)
}

func referenceValue(v any, t ocsf.Type, foreign bool) hunt.Value {
	if list, ok := v.([]any); ok && len(list) == 1 && t != ocsf.JSON {
		v = list[0]
	}
	switch v := v.(type) {
	case string:
		switch t {
		case ocsf.String:
			return hunt.String(v)
		case ocsf.IP:
			if a, err := netip.ParseAddr(v); err == nil {
				return hunt.IP(a)
			}
		case ocsf.Time:
			if us, ok := mapping.ParseTime([]byte(v)); ok {
				return hunt.Time(us)
			}
		case ocsf.Int, ocsf.Long, ocsf.Enum:
			var n int64
			if _, err := fmt.Sscanf(v, "%d", &n); err == nil && fmt.Sprint(n) == v {
				return hunt.Int(n)
			}
		}
	case json.Number:
		n, err := v.Int64()
		switch {
		case err != nil:
		case t == ocsf.Time && foreign:
			return hunt.Time(n * 1000)
		case t == ocsf.Time:
			return hunt.Time(n)
		case t == ocsf.Int || t == ocsf.Long || t == ocsf.Enum:
			return hunt.Int(n)
		}
	case map[string]any:
		if t == ocsf.JSON {
			text, _ := json.Marshal(v)
			return hunt.String(string(text))
		}
	}
	return hunt.Value{}
}

func oddDocuments() []string {
	return []string{
		`{}`, `{"time":1767000000000123,"dst_endpoint":{"port":443},"src_endpoint":{"ip":"10.0.0.1"},"metadata":{"uid":"a\u00e9\"\\"}}`,
		`{"time":1767000000000,"dst_endpoint.port":80,"src_endpoint.ip":"::1"}`, `{"time":"2026-01-02T03:04:05.678901Z","unmapped":{"a":[1,2],"b":"c"}}`,
		`{"dst_endpoint":{"port":"443"},"src_endpoint":{"ip":"nonsense"}}`, `{"dst_endpoint":{"port":9223372036854775808}}`,
		`{"dst_endpoint":{"port":[443]},"metadata":{"uid":["x"]}}`, `{"dst_endpoint":{"port":[1,2]},"metadata":{"uid":["x","y"]}}`,
		`{"dst_endpoint":{"port":null},"metadata":null,"src_endpoint":[]}`, `{"dst_endpoint":5,"metadata":{"uid":{"deep":1}}}`,
		`{"metadata":{"uid":"\ud83d\ude00 \u0000 end"},"more":{"nested":[{"a":{"b":[[[1]]]}}]}}`, `{"time":-5,"dst_endpoint":{"port":-1}}`,
	}
}

// TestDecodeIsTheReference: both parsers give what encoding/json gives, for documents of this package and of others.
func TestDecodeIsTheReference(t *testing.T) {
	body := page(oddDocuments()...)
	for _, foreign := range []bool{false, true} {
		want := reference(body, foreign)
		for _, simd := range []bool{false, true} {
			got, _, err := decodeAll(t, bytes.Clone(body), foreign, simd)
			if err != nil || len(got.rejected) > 0 || int(got.rec.NumRows()) != len(want) {
				t.Fatalf("error %v, rejected %v", err, got.rejected)
			}
			for i := range want {
				compareRow(t, vector.Row{Record: got.rec, Index: i}, want[i], oddDocuments()[i])
			}
		}
	}
}

func compareRow(t *testing.T, row vector.Row, want map[string]hunt.Value, doc string) {
	t.Helper()
	for _, path := range append([]string{ocsf.ColUID, ocsf.ColTime}, decodedColumns...) {
		var got hunt.Value
		if values := row.Values(path); len(values) > 0 {
			got = values[0]
		}
		if got != want[path] {
			t.Errorf("%s: %s is %s, want %s", doc, path, got.Text(), want[path].Text())
		}
	}
}

// TestDecodeOdd: what JSON of others may hold costs a value or a document, and never another row.
func TestDecodeOdd(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 200) + "1" + strings.Repeat("}", 200)
	for _, doc := range []string{`{"metadata":{"uid":"x"},"metadata":{"uid":"y"}}`, `{"dst_endpoint":{"port":1,"port":2}}`, `{"n":` + deep + `}`,
		"{\"metadata\":{\"uid\":\"bad \xff utf\"}}", `{"n":1e400}`, `{"metadata":{"uid":"\ud800"}}`} {
		for _, simd := range []bool{false, true} {
			got, _, err := decodeAll(t, page(`{"metadata":{"uid":"before"}}`, doc, `{"metadata":{"uid":"after"}}`), true, simd)
			if err != nil {
				t.Errorf("%.60s: %v", doc, err)
				continue
			}
			n := int(got.rec.NumRows())
			rejected := 0
			for _, r := range got.rejected {
				rejected += int(r.Count)
			}
			if n+rejected != 3 || n < 2 {
				t.Errorf("%.60s: %d rows and %d rejected", doc, n, rejected)
			}
			first, last := (vector.Row{Record: got.rec, Index: 0}).Values("metadata.uid"), (vector.Row{Record: got.rec, Index: n - 1}).Values("metadata.uid")
			if len(first) != 1 || len(last) != 1 || first[0].Str() != "before" || last[0].Str() != "after" {
				t.Errorf("%.60s: its neighbours are %v and %v", doc, first, last)
			}
		}
	}
}

// byColumn writes an answer with values by column, as the cluster does where no stored field is asked for.
func byColumn(fields ...string) []byte {
	body := bytes.ReplaceAll(page(fields...), []byte(`"_source"`), []byte(`"fields"`))
	return regexp.MustCompile(`"_id":"[^"]*",`).ReplaceAll(body, nil)
}

// rowTexts is the text of rows, for those columns that the tests of values by column have.
func rowTexts(rec arrow.RecordBatch) string {
	text := ""
	for i := range int(rec.NumRows()) {
		row := vector.Row{Record: rec, Index: i}
		us, uid := vector.KeyAt(rec, i)
		text += fmt.Sprint(uid, us)
		for _, path := range []string{"metadata.uid", "dst_endpoint.port", "src_endpoint.ip", "start_time"} {
			for _, v := range row.Values(path) {
				text += " " + v.Text()
			}
		}
		text += "\n"
	}
	return text
}

// TestDecodeValues: values by column come in any order, with some missing and with names that nobody asked for.
func TestDecodeValues(t *testing.T) {
	body := byColumn(
		`{"uid":["a"],"time":[1],"metadata.uid":["m"],"dst_endpoint.port":[443]}`,
		`{"":["x"],"uid":["b"],"nobody.asked":[1],"dst_endpoint.port":[22,23],"time":[2]}`,
		`{"time":[3],"metadata.uid":null,"":null,"dst_endpoint.port":[80],"uid":["c"],"":["x"]}`,
		`{"uid":["d"],"time":[4],"metadata.uid":["n"],"dst_endpoint.port":[]}`,
		`{"uid":["e"],"time":[5],"metadata.uid":["C:\\a \"b\" \u00e9\ud83d\ude00\n"],"dst_endpoint.port":["7"]}`,
		`{"uid":["f"],"time":[6],"metadata.uid":[""],"dst_endpoint.port":[-8.0],"src_endpoint.ip":["10.0.0.1"]}`,
		`{ "uid" : [ "g" ] , "time":[ 7 ],"metadata.uid": [ "x\\" ],"dst_endpoint.port":[9223372036854775808]}`,
		`{"uid":["h"],"time":[-8],"metadata.uid":[{"deep":[1]}],"dst_endpoint.port":[[1]],"start_time":[9007199254740993]}`,
	)
	want := "a1 \"m\" 443\nb2\nc3 80\nd4 \"n\"\ne5 \"C:\\\\a \\\"b\\\" é😀\\n\" 7\nf6 \"\" -8 10.0.0.1\ng7 \"x\\\\\"\nh-8 2255-06-05T23:47:34.740993Z\n"
	for _, atOnce := range []bool{false, true} {
		got, d, err := decodeAll(t, bytes.Clone(body), false, atOnce)
		if err != nil || got.rejected != nil {
			t.Fatal(err, got.rejected)
		}
		if text := rowTexts(got.rec); text != want {
			t.Errorf("at once %t: got\n%swant\n%s", atOnce, text, want)
		}
		if d.nulled != 5 {
			t.Errorf("at once %t: %d values of another type, want 5", atOnce, d.nulled)
		}
		if atOnce != (d.body != nil) {
			t.Errorf("at once %t: the answer was read in the other way", atOnce)
		}
	}
}

// TestDecodeValuesDamaged: an answer whose values are no JSON is read document by document, so that it costs one.
func TestDecodeValuesDamaged(t *testing.T) {
	for _, bad := range []string{`"bad \q"`, `truth`, `-`, `01`, `1e`, `{"a":}`} {
		body := byColumn(`{"uid":["a"],"time":[1]}`, `{"uid":["b"],"time":[2],"metadata.uid":[`+bad+`]}`, `{"uid":["c"],"time":[3]}`)
		got, _, err := decodeAll(t, body, false, true)
		if err != nil || got.rec.NumRows() < 2 || got.rec.NumRows()+int64(len(got.rejected)) != 3 {
			t.Errorf("%s: %v, %d rows, rejected %v", bad, err, got.rec.NumRows(), got.rejected)
		}
	}
}

// TestEnvelopeCut: an answer that is cut anywhere is no answer.
func TestEnvelopeCut(t *testing.T) {
	for _, body := range [][]byte{page(oddDocuments()...), byColumn(`{"uid":["a"],"time":[1],"metadata.uid":["m\\n"]}`, `{"uid":["b"],"time":[2]}`)} {
		for i := range body {
			for _, simd := range []bool{false, true} {
				if _, _, err := decodeAll(t, bytes.Clone(body[:i]), false, simd); err == nil {
					t.Fatalf("an answer cut at byte %d of %d passes: %s", i, len(body), body[max(0, i-40):i])
				}
			}
		}
	}
}

// TestDecodeOddFloats: what our own documents write for numbers that JSON has none for comes back; in those of others NaN is no number.
func TestDecodeOddFloats(t *testing.T) {
	for text, want := range map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "1.5": 1.5} {
		got, ok := jsonValue{kind: jsonText, text: []byte(text)}.float()
		if !ok || math.Float64bits(got) != math.Float64bits(want) && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s is %v, %t", text, got, ok)
		}
	}
	for _, foreign := range []bool{false, true} {
		src, r := testSource(foreign)
		d := newDocumentDecoder(hunt.Identity{Tenant: "t", Connection: "c"}, src, r)
		into := make([]cell, 1)
		d.store(&leaf{0, ocsf.Float}, into, jsonValue{kind: jsonText, text: []byte("NaN")})
		if into[0].set == foreign {
			t.Errorf("foreign %t: NaN is there: %t", foreign, into[0].set)
		}
	}
}

// TestDecodeNotTaken: a document that the mapping does not take is rejected, and one that another mapping would take first is not lost.
func TestDecodeNotTaken(t *testing.T) {
	file := func(name, field string) *mapping.File {
		f, err := mapping.Parse(name, []byte("mapping: "+name+"\nmatch: {"+field+": {exists: true}}\ncolumns:\n  time: {from: at, via: time}\n  metadata.uid: "+
			field+"\nrules:\n  - class: network_activity\n"))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	all, err := mapping.Compile(file("first", "kind"), file("second", "id"))
	if err != nil {
		t.Fatal(err)
	}
	e, err := Open(t.Context(), hunt.Identity{Tenant: "t", Connection: "c"}, Config{URLs: []string{"http://127.0.0.1:1"}, Indices: []string{"a"}, Format: "second"}, Options{Mappings: all})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	class := ocsf.ByUID(ocsf.NetworkActivity)
	d := e.newDecoder(&source{mapping: e.mapping, time: "at", times: []string{"at"}}, &hunt.Request{Class: class, Columns: []string{"metadata.uid"}})
	env, err := d.parse(page(`{"at":"2026-01-02T03:04:05Z","kind":"x","id":"both"}`, `{"at":"2026-01-02T03:04:05Z","id":"one"}`, `{"at":"2026-01-02T03:04:05Z","other":"none"}`))
	if err != nil {
		t.Fatal(err)
	}
	d.decode(env)
	got := d.take()
	if got.rec == nil || got.rec.NumRows() != 2 || len(got.rejected) != 1 || got.rejected[0].Count != 1 || !strings.Contains(got.rejected[0].Reason, "id2") {
		t.Errorf("%v, rejected %+v; want two rows and the third document rejected", got.rec, got.rejected)
	}
}

func TestBareIndex(t *testing.T) {
	for in, want := range map[string]string{
		"logs": "logs", "partial-restored-logs": "logs", "shrink-ab12-logs-1": "logs-1", "partial-shrink-x9y8-logs": "logs", "shrink-it": "shrink-it",
		"partial-": "partial-", "restored-.ds-logs-2026.01.01-000001": ".ds-logs-2026.01.01-000001",
	} {
		if got := bareIndex(in); got != want {
			t.Errorf("bareIndex(%q) = %q, want %q", in, got, want)
		}
	}
}

// FuzzDecode: both parsers agree about every answer that both take, and never panic.
func FuzzDecode(f *testing.F) {
	for _, d := range oddDocuments() {
		f.Add([]byte(d))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !json.Valid(doc) || len(doc) == 0 || doc[0] != '{' || hasTwins(doc) {
			_, _, _ = decodeAll(t, page(string(doc)), true, true)
			return
		}
		body := page(string(doc), `{"metadata":{"uid":"after"}}`)
		a, _, err := decodeAll(t, bytes.Clone(body), true, true)
		if err != nil {
			t.Fatalf("a valid answer is refused: %v", err)
		}
		b, _, err := decodeAll(t, bytes.Clone(body), true, false)
		if err != nil || len(a.rejected) != len(b.rejected) {
			t.Fatalf("%v, rejected %v and %v", err, a.rejected, b.rejected)
		}
		if a.rec.NumRows() != b.rec.NumRows() {
			t.Fatalf("%d rows and %d", a.rec.NumRows(), b.rec.NumRows())
		}
		for i := range int(a.rec.NumRows()) {
			for _, path := range decodedColumns {
				if path == ocsf.ColUnmapped {
					continue // numbers may be written in other ways
				}
				x, y := (vector.Row{Record: a.rec, Index: i}).Values(path), (vector.Row{Record: b.rec, Index: i}).Values(path)
				if fmt.Sprint(x) != fmt.Sprint(y) {
					t.Fatalf("%s: %v and %v", path, x, y)
				}
			}
		}
	})
}

// FuzzDecodeValues: values by column are the same read at once and document by document.
func FuzzDecodeValues(f *testing.F) {
	f.Add([]byte(`"C:\\Windows"`), []byte(`443`))
	f.Add([]byte(`"a","b"`), []byte(`-1.5e3`))
	f.Add([]byte(` null `), []byte(`"12"`))
	f.Add([]byte(`"\ud83d\ude00"`), []byte(`[1]`))
	f.Fuzz(func(t *testing.T, text, number []byte) {
		for _, v := range [][]byte{text, number} {
			if !json.Valid(fmt.Appendf(nil, "[%s]", v)) || hasTwins(v) || bytes.ContainsAny(v, "\x7f") {
				return // parsers differ about these
			}
		}
		body := byColumn(fmt.Sprintf(`{"uid":["a"],"time":[1],"metadata.uid":[%s],"dst_endpoint.port":[%s]}`, text, number), `{"uid":["b"],"metadata.uid":["after"],"time":[2]}`)
		if !json.Valid(body) {
			return // something in the values was taken for a key of the answer
		}
		a, d, err := decodeAll(t, bytes.Clone(body), false, true)
		if err != nil || d.body == nil {
			t.Fatalf("a valid answer is refused: %v", err)
		}
		b, plain, err := decodeAll(t, bytes.Clone(body), false, false)
		if err != nil || rowTexts(a.rec) != rowTexts(b.rec) || d.nulled != plain.nulled {
			t.Fatalf("%v, %d and %d of another type,\n%sand\n%s", err, d.nulled, plain.nulled, rowTexts(a.rec), rowTexts(b.rec))
		}
	})
}

// hasTwins says whether a document may hold the same key twice, escapes that are no text, or numbers beyond all types: clusters take
// none of these, and parsers differ about them.
func hasTwins(doc []byte) bool {
	return bytes.Contains(doc, []byte(`\u`)) || bytes.ContainsAny(doc, "eE") || bytes.Count(doc, []byte(`":`)) > 1
}
