package elastic

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs from what is written now; look at it and run the test with -update", path)
	}
}

// asks are arguments by operator: with ASCII letters, with k and i, outside ASCII, and odd ones.
func asks(op hunt.Op) [][]hunt.Value {
	text := func(list ...string) (out []hunt.Value) {
		for _, s := range list {
			out = append(out, hunt.String(s))
		}
		return out
	}
	switch op {
	case hunt.In:
		return [][]hunt.Value{text(), text("Cmd.exe", "443"), text("\u00e9t\u00e9", "K\u00f6ln", "\u212a")}
	case hunt.LikeOp:
		return [][]hunt.Value{text(`C:\\Win*\*?.EXE`), text("*"), text(""), text("*\u00e9??????????"), text("4?3")}
	case hunt.RegexOp:
		return [][]hunt.Value{text(`power(shell|cat)\.exe\s+-enc`), text("foo|bar"), text("[a-z]+"), text("Kill")}
	case hunt.Eq:
		return [][]hunt.Value{text("Cmd.exe"), text("Mimikatz"), text(""), text("443"), text("\u00e9"), text("a\x00\n\"\\*"), text("\xff"), text(strings.Repeat("X", 600))}
	}
	return [][]hunt.Value{text("Cmd.exe"), text(`\Win?`), text(""), text("\u00e9"), text(strings.Repeat("X", 200))}
}

// textFields are the ways in which an index can hold text.
func textFields() []field {
	return []field{
		{Kind: kindKeyword, Type: "keyword"},
		{Kind: kindKeyword, Type: "keyword", IgnoreAbove: 32},
		{Kind: kindNormalized, Type: "keyword"},
		{Kind: kindWildcard, Type: "wildcard"},
		{Kind: kindConstant, Type: "constant_keyword"},
		{Kind: kindText, Type: "text"},
		{Kind: kindFlattened, Type: "flattened"},
		{Kind: kindInteger, Type: "long"},
		{Kind: kindNone, Type: "version", Why: "the index has it as \"version\", which is not asked"},
	}
}

// subject is a source of one group and one field.
func subject(class *ocsf.Class, name string, f field, ours, es bool) *source {
	f.Name, f.Searchable = name, true
	return &source{stream: hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}, micros: ours, time: ocsf.ColTime,
		groups: []group{{Indices: []string{"x"}, Ignored: es, Fields: map[string]field{name: f, ocsf.ColTime: {Name: ocsf.ColTime, Kind: kindInteger, Type: "long", Searchable: true}}}}}
}

func (s *source) show(t *testing.T, e hunt.Expr) string {
	t.Helper()
	return s.showUpTo(t, e, 240)
}

func (s *source) showUpTo(t *testing.T, e hunt.Expr, most int) string {
	t.Helper()
	searches, disposed, err := s.translate(hunt.Request{Stream: "s", Class: s.stream.Class, Range: hunt.TimeRange{Start: 1_000_000, End: 2_000_001}, Where: e})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range disposed {
		reason := ""
		if d.Reason != "" {
			reason = " (" + d.Reason + ")"
		}
		fmt.Fprintf(&b, "%s: %s%s\n", shortened(d.Predicate.String(), most), d.Disposition, reason)
	}
	for _, n := range searches {
		q := strings.ReplaceAll(string(n.Query), `{"range":{"time":{"gte":1000000,"lt":2000001}}}`, "TIME")
		fmt.Fprintf(&b, "  %s exact=%t\n", shortened(q, most), n.Exact)
	}
	if len(searches) == 0 {
		b.WriteString("  no search\n")
	}
	return b.String()
}

func shortened(s string, most int) string {
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

func predicateOf(t *testing.T, class *ocsf.Class, path string, op hunt.Op, cased bool, args ...hunt.Value) *hunt.Predicate {
	t.Helper()
	p, err := hunt.NewPredicate(class.Column(path), op, cased, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestTextQueries holds the DSL of every operator on text, for every kind of field and both case rules, against a golden file.
func TestTextQueries(t *testing.T) {
	class := ocsf.ByName("process_activity")
	var b strings.Builder
	for _, ours := range []bool{true, false} {
		for _, es := range []bool{true, false} {
			for _, f := range textFields() {
				if f.Kind != kindKeyword && ours || f.Kind != kindWildcard && f.IgnoreAbove == 0 && !es {
					continue // says nothing new
				}
				s := subject(class, "process.name", f, ours, es)
				fmt.Fprintf(&b, "\n## %s, our documents %t, Elasticsearch %t, ignore_above %d\n", f.Type, ours, es, f.IgnoreAbove)
				for _, op := range hunt.Ops(ocsf.String) {
					if op == hunt.Exists {
						for _, is := range []bool{true, false} {
							b.WriteString(s.show(t, predicateOf(t, class, "process.name", op, false, hunt.Bool(is))))
						}
						continue
					}
					for i, args := range asks(op) {
						for _, cased := range []bool{false, true} {
							if cased && i > 1 {
								continue
							}
							b.WriteString(s.show(t, predicateOf(t, class, "process.name", op, cased, args...)))
						}
					}
				}
			}
		}
	}
	golden(t, "text.golden", b.String())
}

// TestValueQueries does the same for numbers, times, booleans and addresses.
func TestValueQueries(t *testing.T) {
	var b strings.Builder
	one := func(class, path string, f field, values ...hunt.Value) {
		c := ocsf.ByName(class)
		for _, ours := range []bool{true, false} {
			s := subject(c, path, f, ours, true)
			fmt.Fprintf(&b, "\n## %s as %s, our documents %t\n", path, f.Type, ours)
			for _, op := range hunt.Ops(c.Column(path).Type) {
				switch op {
				case hunt.CIDR:
					for _, block := range []string{"0.0.0.0/0", "::/0", "10.1.2.3/8", "2001:db8::/32", "::ffff:10.0.0.0/104"} {
						b.WriteString(s.show(t, predicateOf(t, c, path, op, false, hunt.String(block))))
					}
				case hunt.Scope:
					for _, scope := range hunt.ScopeNames() {
						b.WriteString(s.show(t, predicateOf(t, c, path, op, false, hunt.String(scope))))
					}
				case hunt.Exists:
					b.WriteString(s.show(t, predicateOf(t, c, path, op, false, hunt.Bool(true))))
					b.WriteString(s.show(t, predicateOf(t, c, path, op, false, hunt.Bool(false))))
				case hunt.In:
					b.WriteString(s.show(t, predicateOf(t, c, path, op, false, values...)))
				default:
					for _, v := range values {
						b.WriteString(s.show(t, predicateOf(t, c, path, op, false, v)))
					}
				}
			}
		}
	}
	ints := []hunt.Value{hunt.Int(443), hunt.Int(70_000), hunt.Int(-1 << 63)}
	for _, name := range []string{"long", "short", "double", "unsigned_long", "keyword"} {
		one("network_activity", "dst_endpoint.port", field{Kind: kindOf(name), Type: name}, ints...)
	}
	for _, name := range []string{"long", "date", "date_nanos", "keyword"} {
		one("process_activity", "process.created_time", field{Kind: kindOf(name), Type: name}, hunt.Time(1_767_322_800_123_456), hunt.Time(-1))
	}
	one("module_activity", "ext.image_signed", field{Kind: kindBoolean, Type: "boolean"}, hunt.Bool(true), hunt.Bool(false))
	for _, name := range []string{"ip", "keyword"} {
		one("network_activity", "src_endpoint.ip", field{Kind: kindOf(name), Type: name}, hunt.IPFrom16([16]byte{15: 1}), hunt.IPFrom16([16]byte{10: 0xff, 11: 0xff, 12: 10, 15: 1}))
	}
	one("process_activity", "activity_id", field{Kind: kindInteger, Type: "long"}, hunt.Int(1), hunt.Int(99))
	golden(t, "values.golden", b.String())
}

// TestCombinedQueries holds conditions of several predicates against a golden file: what is negated, bound to an element, nested, refused.
func TestCombinedQueries(t *testing.T) {
	class := ocsf.ByName("process_activity")
	is := func(path, s string) hunt.Expr { return predicateOf(t, class, path, hunt.Eq, false, hunt.String(s)) }
	has := func(path, s string) hunt.Expr {
		return predicateOf(t, class, path, hunt.Contains, false, hunt.String(s))
	}
	const hash = "process.file.hashes.value"
	conditions := []hunt.Expr{
		hunt.And{},
		hunt.Or{},
		hunt.And{is("process.name", "a"), hunt.Not{Expr: is("process.user.name", "SYSTEM")}},
		hunt.Not{Expr: has("process.cmd_line", "-enc")},
		hunt.Or{is("process.name", "a"), has("process.cmd_line", "b")},
		hunt.Or{is("process.name", "a"), hunt.Not{Expr: has("process.cmd_line", "b")}},
		is(hash, "AB"),
		hunt.Not{Expr: is(hash, "AB")},
		hunt.Some{List: "process.file.hashes", Expr: hunt.And{is(hash, "AB"), predicateOf(t, class, "process.file.hashes.algorithm_id", hunt.Eq, false, hunt.Int(3))}},
		hunt.Some{List: "process.file.hashes", Expr: hunt.Not{Expr: is(hash, "AB")}},
		hunt.Some{List: "process.file.hashes", Expr: hunt.And{}},
		hunt.Not{Expr: hunt.Some{List: "process.file.hashes", Expr: hunt.And{}}},
		hunt.Some{List: "process.file.hashes", Expr: is("process.name", "outside")},
		predicateOf(t, class, hash, hunt.Exists, false, hunt.Bool(false)),
		hunt.And{is("device.uid", "a"), is("raw", "a")},
		deepest9(is("process.name", "deep")),
	}
	var b strings.Builder
	for _, name := range []string{"ours", "ocsf", "frugal", "absent", "hidden"} {
		fmt.Fprintf(&b, "\n## %s\n", name)
		s := own(class)
		switch name {
		case "ocsf":
			s.micros = false
		case "frugal":
			s.frugal = true
		case "absent":
			s.groups[0].Fields = map[string]field{ocsf.ColTime: s.groups[0].Fields[ocsf.ColTime]}
		case "hidden":
			s.groups[0].Fields = map[string]field{}
			s.groups[0].Opaque = []string{""}
		}
		for _, e := range conditions {
			fmt.Fprintf(&b, "%s\n%s", shortened(e.String(), 240), s.show(t, e))
		}
	}
	golden(t, "combined.golden", b.String())
}

func deepest9(e hunt.Expr) hunt.Expr {
	for range 9 {
		e = hunt.Not{Expr: hunt.Or{e}}
	}
	return e
}

// own is a source of documents of this package, as its own mapping makes it.
func own(class *ocsf.Class) *source {
	s := hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}
	delete(s.Attributes, "device.uid")
	body, err := indexMapping(metaOf(hunttest.Identity(), &s))
	if err != nil {
		panic(err)
	}
	groups, err := readGroups(answers{Mapping: fmt.Appendf(nil, `{"x":{"mappings":%s}}`, body)}, wantedFields(class, nil), true)
	if err != nil {
		panic(err)
	}
	return &source{stream: s, groups: groups, time: ocsf.ColTime, micros: true}
}

// TestMappedQueries holds the DSL for documents of the shipped mappings against a golden file.
func TestMappedQueries(t *testing.T) {
	set, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range []string{"ecs", "winlogbeat"} {
		m := set.Mapping(name)
		class := ocsf.ByName("process_activity")
		g := group{Indices: []string{"logs"}, Fields: map[string]field{}, Ignored: true}
		for _, n := range wantedFields(class, m) {
			f := field{Name: n, Kind: kindKeyword, Type: "keyword", IgnoreAbove: 1024, Searchable: true}
			if n == "@timestamp" {
				f.Kind, f.Type, f.IgnoreAbove = kindDate, "date", 0
			}
			g.Fields[n] = f
		}
		s := &source{stream: *m.Stream(class), mapping: m, time: "@timestamp", groups: []group{g}}
		fmt.Fprintf(&b, "\n## %s\n", name)
		for _, e := range []hunt.Expr{
			hunt.And{},
			predicateOf(t, class, "process.name", hunt.Eq, false, hunt.String("cmd.exe")),
			predicateOf(t, class, "process.cmd_line", hunt.Contains, false, hunt.String("-enc")),
			predicateOf(t, class, "process.cmd_line", hunt.RegexOp, false, hunt.String("-enc? [a-z]+==")),
			predicateOf(t, class, "process.pid", hunt.Eq, false, hunt.Int(1234)),
			predicateOf(t, class, "activity_id", hunt.Eq, false, hunt.Int(1)),
			predicateOf(t, class, "process.file.hashes.value", hunt.Eq, false, hunt.String("AB12")),
			hunt.Not{Expr: predicateOf(t, class, "process.name", hunt.Eq, false, hunt.String("cmd.exe"))},
		} {
			fmt.Fprintf(&b, "%s\n%s", e, s.showUpTo(t, e, 4000))
		}
	}
	golden(t, "mapped.golden", b.String())
}

// TestLongListsFit asks for more values than a cluster takes clauses, alone and in several predicates.
func TestLongListsFit(t *testing.T) {
	class := ocsf.ByName("process_activity")
	s := own(class)
	many := func(path string, n int, value string) *hunt.Predicate {
		var args []hunt.Value
		for i := range n {
			args = append(args, hunt.String(fmt.Sprintf(value, i)))
		}
		return predicateOf(t, class, path, hunt.In, false, args...)
	}
	for _, c := range []struct {
		name string
		e    hunt.Expr
		want []hunt.Disposition
	}{
		{"values without case", many("process.cmd_line", 70_000, "%d"), []hunt.Disposition{hunt.Exact}},
		{"values of a column without a sub-field", many("process.cmd_line", 2000, "a%d"), []hunt.Disposition{hunt.Local}},
		{"identifiers", many("process.name", 2000, "a%d"), []hunt.Disposition{hunt.Exact}},
		{"identifiers with k", many("process.name", 2000, "k%d"), []hunt.Disposition{hunt.Widened}},
		{"identifiers outside ASCII", many("process.name", 2000, "\u00e9%d"), []hunt.Disposition{hunt.Local}},
		{"several lists", hunt.And{many("process.cmd_line", 400, "a%d"), many("process.parent_process.cmd_line", 400, "a%d"), many("actor.process.cmd_line", 300, "a%d")},
			[]hunt.Disposition{hunt.Local, hunt.Exact, hunt.Exact}},
	} {
		searches, disposed, err := s.translate(hunt.Request{Class: class, Where: c.e})
		if err != nil {
			t.Fatal(err)
		}
		var got []hunt.Disposition
		for _, d := range disposed {
			got = append(got, d.Disposition)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v (%s), want %v", c.name, got, disposed[0].Reason, c.want)
		}
		if n := strings.Count(string(searches[0].Query), `{"term":`); n > defaultClauses {
			t.Errorf("%s: %d clauses", c.name, n)
		}
	}
}
