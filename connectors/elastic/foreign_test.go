package elastic

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// foreignWorld makes documents of a mapping, and indices that hold them in random ways.
type foreignWorld struct {
	rng     *rand.Rand
	mapping *mapping.Mapping
	set     *mapping.Set
	texts   []string
	es      bool
	clean   bool // no value that is none of its field's type
}

func newForeignWorld(t *testing.T, name string, es bool) *foreignWorld {
	t.Helper()
	all, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	set, err := all.Only(name)
	if err != nil {
		t.Fatal(err)
	}
	w := &foreignWorld{rng: rand.New(rand.NewPCG(8, 9)), set: set, mapping: set.Mapping(name), es: es}
	class := ocsf.ByName("process_activity")
	// A cluster refuses a document with a value of more than 32,766 bytes in a field that keeps all values.
	const most = 8000
	rec := hunttest.RandomBatch(w.rng, class, 200, hunttest.Keeping(func(_ string, v hunt.Value) bool { return len(v.Str()) <= most }))
	for _, path := range []string{"process.cmd_line", "process.name", "process.file.path"} {
		col := vector.Column(rec, path).(*array.String)
		for i := range col.Len() {
			if s := col.Value(i); col.IsValid(i) && hunt.IsPlainText(s) && utf8.ValidString(s) {
				w.texts = append(w.texts, strings.Clone(s))
			}
		}
	}
	w.texts = append(w.texts, "-", "", " ", "(empty)", `C:\Windows\System32\cmd.exe`, `CORP\alice`, "true", "false", "%%1843", strings.Repeat("long ", 300)+"needle")
	return w
}

// sort says what kind of value a native field has.
func sortOf(name string) string {
	leaf := name[strings.LastIndexByte(name, '.')+1:]
	switch {
	case slices.Contains([]string{"@timestamp", "start", "created", "UtcTime", "CreationUtcTime", "PreviousCreationUtcTime"}, leaf):
		return "time"
	case slices.Contains([]string{"ip", "SourceIp", "DestinationIp", "IpAddress", "SourceAddress", "DestAddress"}, leaf):
		return "ip"
	case slices.Contains([]string{"pid", "port", "ProcessId", "ParentProcessId", "DestinationPort", "SourcePort", "IpPort", "bytes", "packets", "size", "exit_code",
		"status_code", "event_id", "number", "iana_number"}, leaf):
		return "number"
	case leaf == "hash":
		return "hash"
	case leaf == "exists":
		return "bool"
	}
	return "text"
}

func (w *foreignWorld) value(name string) any {
	switch sortOf(name) {
	case "time":
		at := time.UnixMicro(hunttest.Window().Start + w.rng.Int64N(4_000_000_000)).UTC()
		if w.rng.IntN(3) == 0 {
			return at.UnixMilli()
		}
		return at.Format("2006-01-02T15:04:05.000000Z")
	case "ip":
		if w.clean {
			return w.pick("10.0.0.1", "::ffff:10.0.0.1", "8.8.8.8", "2001:DB8::1", "::1")
		}
		return w.pick("10.0.0.1", "::ffff:10.0.0.1", "8.8.8.8", "2001:DB8::1", "2001:db8:0:0:0:0:0:1", "::1", "0.0.0.0", "127.0.0.1", "-")
	case "number":
		if w.clean {
			return w.pick(443, 4624, 1, 3, 22, "443", "443.0", 443.7)
		}
		return w.pick(443, 4624, 1, 3, 22, 0, "443", "0x1bb", "443.0", "4.43e2", 443.7, "+443", 99999, "-")
	case "hash":
		return map[string]any{"md5": "d41d8cd98f00b204e9800998ecf8427e", "sha256": w.pick("AB12", "ab12", "00")}
	case "bool":
		return w.pick(true, false, "true", "false")
	}
	return w.texts[w.rng.IntN(len(w.texts))]
}

func (w *foreignWorld) pick(list ...any) any { return list[w.rng.IntN(len(list))] }

// document makes a document that some rule of the class takes, most times.
func (w *foreignWorld) document(fields []string, class *ocsf.Class) []byte {
	doc := map[string]any{}
	for _, f := range fields {
		if w.rng.IntN(3) > 0 || slices.ContainsFunc(fields, func(o string) bool { return strings.HasPrefix(o, f+".") }) {
			continue
		}
		switch w.rng.IntN(12) {
		case 0:
			set(doc, f, []any{w.value(f), w.value(f)})
		case 1:
			set(doc, f, nil)
		default:
			set(doc, f, w.value(f))
		}
	}
	set(doc, "@timestamp", w.value("@timestamp"))
	rules := w.mapping.Anything(class)
	for _, c := range []mapping.Conditions{w.mapping.Conditions(), rules[w.rng.IntN(len(rules))].Conditions()} {
		if len(c) == 0 {
			continue
		}
		for name, is := range c[w.rng.IntN(len(c))] {
			switch {
			case len(is.Values) > 0 && sortOf(name) != "text":
				set(doc, name, is.Values[w.rng.IntN(len(is.Values))])
			case len(is.Values) > 0:
				set(doc, name, w.pick(is.Values[w.rng.IntN(len(is.Values))], []any{is.Values[0], "other"}))
			case is.Exists != nil && *is.Exists:
				set(doc, name, w.value(name))
			}
		}
	}
	text, err := json.Marshal(doc)
	if err != nil {
		panic(err) // the generator is wrong
	}
	return text
}

// set puts a value at a path; `[].` makes an array of two objects.
func set(doc map[string]any, path string, v any) {
	if array, rest, ok := strings.Cut(path, "[]."); ok {
		set(doc, array, []any{map[string]any{rest: v}, map[string]any{rest: "second"}})
		return
	}
	name, rest, more := strings.Cut(path, ".")
	if !more {
		doc[name] = v
		return
	}
	kid, ok := doc[name].(map[string]any)
	if !ok {
		kid = map[string]any{}
		doc[name] = kid
	}
	set(kid, rest, v)
}

// mappingBody maps the fields in random ways.
func (w *foreignWorld) mappingBody(fields []string) []byte {
	root := properties{}
	for _, f := range fields {
		path := mapping.FieldPath(f)
		if slices.ContainsFunc(fields, func(o string) bool { return strings.HasPrefix(mapping.FieldPath(o), path+".") }) {
			continue
		}
		if m := w.fieldBody(f); m != nil {
			root.set(path, m)
		}
	}
	body, err := json.Marshal(map[string]any{"settings": map[string]any{"index": map[string]any{"mapping.ignore_malformed": !w.clean, "number_of_shards": 1,
		"mapping.total_fields.limit": 5000}}, "mappings": map[string]any{"dynamic": false, "properties": root}})
	if err != nil {
		panic(err)
	}
	return body
}

func (w *foreignWorld) fieldBody(name string) map[string]any {
	kind := sortOf(name)
	switch {
	case name == "@timestamp":
		return map[string]any{"type": w.pick("date", "date_nanos")}
	case kind == "hash":
		kw := map[string]any{"type": "keyword"}
		return map[string]any{"properties": properties{"md5": kw, "sha256": kw}}
	case w.rng.IntN(14) == 0:
		return nil // in documents only
	case w.rng.IntN(14) == 0:
		return map[string]any{"type": "keyword", "index": false, "doc_values": w.pick(true, false)}
	case kind == "ip" && w.rng.IntN(3) > 0:
		return map[string]any{"type": "ip"}
	case kind == "number" && w.rng.IntN(3) > 0:
		return map[string]any{"type": w.pick("long", "integer", "short", "double", "float")}
	case kind == "time" && w.rng.IntN(3) > 0:
		return map[string]any{"type": w.pick("date", "date_nanos")}
	case kind == "bool":
		return map[string]any{"type": "boolean"}
	}
	return w.textBody()
}

func (w *foreignWorld) textBody() map[string]any {
	kw := map[string]any{"type": "keyword", "ignore_above": 8191}
	if w.rng.IntN(2) == 0 {
		kw["ignore_above"] = w.pick(20, 256, 1024)
	}
	switch w.rng.IntN(8) {
	case 0:
		return map[string]any{"type": "text"}
	case 1:
		return map[string]any{"type": "text", "fields": map[string]any{"keyword": kw}}
	case 2:
		kw["normalizer"] = "lowercase"
	case 3:
		kw["fields"] = map[string]any{"lower": map[string]any{"type": "keyword", "normalizer": "lowercase", "ignore_above": 8191}}
	case 4:
		if !w.es {
			return map[string]any{"type": "wildcard"}
		}
	}
	return kw
}

// foreign writes documents of a shipped mapping into indices that hold the same fields in different ways, and asks random conditions: every
// document that maps to a row which Match selects comes back. Two classes are asked at least, others until the time is over.
func (c *cluster) foreign(w *foreignWorld, limit time.Duration) {
	c.t.Helper()
	until := time.Now().Add(limit)
	states, total, narrowed := map[hunt.Disposition]int{}, 0, 0
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		stream := w.mapping.Stream(class)
		if stream == nil || total > 60 && time.Now().After(until) {
			continue
		}
		fields := w.mapping.NativeFields(class)
		var names []string
		var docs [][]byte
		for copies := range 2 {
			w.clean = copies == 1
			part := [][]byte{}
			for range 60 {
				part = append(part, w.document(fields, class))
			}
			names = append(names, fmt.Sprintf("f%d-%s-%s", copies, w.mapping.Name, class.Name))
			c.load(names[copies], w.mappingBody(fields), part, len(docs))
			docs = append(docs, part...)
		}
		s := &source{stream: *stream, mapping: w.mapping, time: "@timestamp", groups: c.groups(strings.Join(names, ","), wantedFields(class, w.mapping))}
		n, k := c.loseNothing(w, s, docs, states)
		total, narrowed = total+n, narrowed+k
	}
	c.t.Logf("%s: %d conditions, %d narrowed; predicates %v", w.mapping.Name, total, narrowed, states)
	if total < 50 || narrowed == 0 || states[hunt.Exact] > 0 {
		c.t.Errorf("that proves little")
	}
}

// mapped are documents as rows: rows[i] is the place of document i in rec, -1 if it is no event of the class.
func (w *foreignWorld) mapped(class *ocsf.Class, docs [][]byte) (rec arrow.RecordBatch, rows []int) {
	b := mapping.NewBuilder(class, append(hunttest.Paths(class), ocsf.ColRaw))
	d := w.set.NewDecoder()
	for _, doc := range docs {
		rows = append(rows, -1)
		if err := d.JSON(doc); err != nil {
			panic(err)
		}
		if m := d.Match(); m != nil && m.Class == class {
			rows[len(rows)-1] = b.Rows()
			b.Append(d, m, hunttest.Identity())
		}
	}
	return b.Batch(), rows
}

func (c *cluster) loseNothing(w *foreignWorld, s *source, docs [][]byte, states map[hunt.Disposition]int) (total, narrowed int) {
	c.t.Helper()
	class := s.stream.Class
	rec, rows := w.mapped(class, docs)
	if rec.NumRows() == 0 {
		return 0, 0
	}
	columns := hunttest.Columns(class, s.stream.Attributes)
	ranges := []hunt.TimeRange{hunttest.Always(), {Start: hunttest.Window().Start + 1234567, End: hunttest.Window().Start + 1_800_000_001}}
	var exprs []hunt.Expr
	var list [][]nativeSearch
	for i := range 60 {
		e := hunttest.RandomExprOver(w.rng, columns, rec)
		searches, disposed, err := s.translate(hunt.Request{Stream: s.stream.Name, Class: class, Range: ranges[i%2], Where: e})
		if err != nil {
			c.t.Fatal(err)
		}
		for _, d := range disposed {
			states[d.Disposition]++
		}
		exprs, list = append(exprs, e), append(list, searches)
	}
	for i, got := range c.search(list) {
		want := hunttest.Expect(rec, exprs[i], ranges[i%2])
		for doc, row := range rows {
			if row >= 0 && slices.Contains(want, row) && !slices.Contains(got, doc) {
				c.t.Fatalf("%s: %s does not find\n%.2000s\n%s", class.Name, cut(exprs[i].String()), docs[doc], cut(queries(list[i])))
			}
		}
		if len(got) < len(docs)/2 {
			narrowed++
		}
	}
	return len(exprs), narrowed
}

// ocsf takes documents of this package for OCSF documents of others, which say nothing about how they are
// written, and asks random conditions: every row that Match selects comes back.
func (c *cluster) ocsf() {
	rng := rand.New(rand.NewPCG(21, 22))
	states, narrowed := map[hunt.Disposition]int{}, 0
	for _, name := range []string{"process_activity", "network_activity", "authentication", "module_activity"} {
		class := ocsf.ByName(name)
		plain := hunttest.Keeping(func(_ string, v hunt.Value) bool { return hunt.IsPlainText(v.Str()) && v.Kind() != hunt.Missing })
		w := c.write(rng, class, 100, plain)
		w.source.micros = false
		var columns []*ocsf.Column
		for _, col := range hunttest.Columns(class, nil) {
			if col.Type != ocsf.Time { // these are microseconds here
				columns = append(columns, col)
			}
		}
		everything := hunt.TimeRange{Start: -1 << 63, End: 1<<63 - 1}
		var exprs []hunt.Expr
		var list [][]nativeSearch
		for range 60 {
			e := hunttest.RandomExprOver(rng, columns, w.rec)
			searches, disposed, err := w.source.translate(hunt.Request{Class: class, Range: everything, Where: e})
			if err != nil {
				c.t.Fatal(err)
			}
			for _, d := range disposed {
				states[d.Disposition]++
			}
			exprs, list = append(exprs, e), append(list, searches)
		}
		for i, got := range c.search(list) {
			for _, row := range hunttest.Expect(w.rec, exprs[i], everything) {
				if !slices.Contains(got, row) {
					c.t.Fatalf("%s: %s does not find row %d\n%s", name, cut(exprs[i].String()), row, cut(queries(list[i])))
				}
			}
			if len(got) < 50 {
				narrowed++
			}
		}
	}
	c.t.Logf("%d narrowed; predicates %v", narrowed, states)
	if narrowed < 20 || states[hunt.Exact] > 0 {
		c.t.Errorf("that proves little")
	}
}
