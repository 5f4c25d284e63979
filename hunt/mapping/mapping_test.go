package mapping_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// compile makes a set of one mapping text.
func compile(t *testing.T, text string) *mapping.Set {
	t.Helper()
	f, err := mapping.Parse("test.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	s, err := mapping.Compile(f)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// mapOne maps one JSON record with all columns of its class.
func mapOne(t *testing.T, s *mapping.Set, record string) (*mapping.Match, arrow.RecordBatch) {
	t.Helper()
	d := s.NewDecoder()
	if err := d.JSON([]byte(record)); err != nil {
		t.Fatal(err)
	}
	m := d.Match()
	if m == nil {
		t.Fatal("no mapping takes the record")
	}
	b := mapping.NewBuilder(m.Class, append(paths(m.Class), ocsf.ColRaw, ocsf.ColUnmapped))
	b.Append(d, m, hunt.Identity{Tenant: "t", Connection: "c"})
	return m, b.Batch()
}

func paths(c *ocsf.Class) []string {
	var out []string
	for i := range c.Columns {
		out = append(out, c.Columns[i].Path)
	}
	return out
}

// get returns the values of a column of the only row, as text.
func get(rec arrow.RecordBatch, path string) string {
	var out []string
	for _, v := range (vector.Row{Record: rec}).Values(path) {
		out = append(out, v.Text())
	}
	return strings.Join(out, " ")
}

const head = "mapping: test\nmatch: {}\nrules:\n- match: {}\n  class: process_activity\n  columns:\n"

func TestTransforms(t *testing.T) {
	for _, c := range []struct{ name, column, record, path, want string }{
		{"copy", "process.cmd_line: F", `{"F":"a \"b\""}`, "process.cmd_line", `"a \"b\""`},
		{"number as text", "process.cmd_line: F", `{"F":12.50}`, "process.cmd_line", `"12.50"`},
		{"empty is missing", "process.cmd_line: F", `{"F":""}`, "process.cmd_line", ""},
		{"dash is missing", "process.cmd_line: F", `{"F":" - "}`, "process.cmd_line", ""},
		{"null is missing", "process.cmd_line: F", `{"F":null}`, "process.cmd_line", ""},
		{"lower", "process.cmd_line: {from: F, via: lower}", `{"F":"AbÄ"}`, "process.cmd_line", `"abä"`},
		{"trim", "process.cmd_line: {from: F, via: trim}", `{"F":" a "}`, "process.cmd_line", `"a"`},
		{"decimal", "process.pid: {from: F, via: int}", `{"F":"1280"}`, "process.pid", "1280"},
		{"hexadecimal", "process.pid: {from: F, via: int}", `{"F":"0x500"}`, "process.pid", "1280"},
		{"fraction is cut", "process.pid: {from: F, via: int}", `{"F":"53.9"}`, "process.pid", "53"},
		{"no number", "process.pid: {from: F, via: int}", `{"F":"abc"}`, "process.pid", ""},
		{"int32", "exit_code: {from: F, via: int32}", `{"F":"0xc0000005"}`, "exit_code", "-1073741819"},
		{"guid", "process.uid: {from: F, via: guid}", `{"F":"{81056205-565C}"}`, "process.uid", `"81056205-565c"`},
		{"basename", "process.name: {from: F, via: basename}", `{"F":"C:\\Windows\\cmd.exe"}`, "process.name", `"cmd.exe"`},
		{"basename of a folder", "process.name: {from: F, via: basename}", `{"F":"/usr/bin/"}`, "process.name", `"bin"`},
		{"dirname without a folder", "process.name: {from: F, via: dirname}", `{"F":"cmd.exe"}`, "process.name", ""},
		{"user", "process.user.name: {from: F, via: user}", `{"F":"NT AUTHORITY\\SYSTEM"}`, "process.user.name", `"SYSTEM"`},
		{"domain", "process.user.domain: {from: F, via: domain}", `{"F":"NT AUTHORITY\\SYSTEM"}`, "process.user.domain", `"NT AUTHORITY"`},
		{"no domain", "process.user.domain: {from: F, via: domain}", `{"F":"root"}`, "process.user.domain", ""},
		{"enum", "process.integrity_id: {from: F, via: enum, map: {High: HIGH}, else: OTHER}", `{"F":"high"}`, "process.integrity_id", "4"},
		{"enum else", "process.integrity_id: {from: F, via: enum, map: {High: HIGH}, else: OTHER}", `{"F":"x"}`, "process.integrity_id", "99"},
		{"enum absent", "process.integrity_id: {from: F, via: enum, map: {High: HIGH}, absent: UNKNOWN}", `{"process":1}`, "process.integrity_id", "0"},
		{"first that is there", "process.name: {from: [A, B]}", `{"A":"-","B":"b"}`, "process.name", `"b"`},
		{"prefix, longest wins", "activity_id: {from: F, via: prefix, map: {get: OPEN, getx: LAUNCH}, else: OTHER}", `{"F":"GetXyz"}`, "activity_id", "1"},
		{"re", "process.name: {from: F, via: re, re: 'User = (.*?)\\n'}", `{"F":"a\n User = bob \nc"}`, "process.name", `"bob"`},
		{"json inside text", "process.name: {from: F, via: json, at: a.b}", `{"F":"{\"a\":{\"b\":\"x\"}}"}`, "process.name", `"x"`},
		{"nested object", "process.name: a.b.c", `{"a":{"b":{"c":"x"}}}`, "process.name", `"x"`},
		{"literal dotted key", "process.name: a.b.c", `{"a.b.c":"x"}`, "process.name", `"x"`},
		{"address with port", "device.ip: {from: F, via: ip}", `{"F":"[2001:DB8::1]:443"}`, "device.ip", "2001:db8::1"},
		{"mapped address", "device.ip: {from: F, via: ip}", `{"F":"::ffff:10.0.0.1"}`, "device.ip", "10.0.0.1"},
		{"no address", "device.ip: {from: F, via: ip}", `{"F":"AWS Internal"}`, "device.ip", ""},
		{"hashes", "process.file.hashes: {from: F, via: hashes}", `{"F":"SHA1=ab,MD5=cd,IMPHASH=00"}`, "process.file.hashes.value", `"ab" "cd"`},
		{"hash algorithms", "process.file.hashes: {from: F, via: hashes}", `{"F":"SHA256=ab,XX=cd"}`, "process.file.hashes.algorithm_id", "3 99"},
		{"constant", "activity_id: {const: LAUNCH}", `{"F":1}`, "activity_id", "1"},
		{"lazy constant without its object", "process.user.name: {const: x}", `{"F":1}`, "process.user.name", ""},
		{"lazy constant with its object", "process.user.name: {const: x}\n    process.user.uid: F", `{"F":"1"}`, "process.user.name", `"x"`},
		{"type_uid", "activity_id: {const: INJECT}", `{}`, "type_uid", "100704"},
		{"default severity", "activity_id: {const: INJECT}", `{}`, "severity_id", "1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := compile(t, head+"    "+c.column+"\n")
			_, rec := mapOne(t, s, c.record)
			if got := get(rec, c.path); got != c.want {
				t.Errorf("%s is %s, want %s", c.path, got, c.want)
			}
		})
	}
}

func TestParseTime(t *testing.T) {
	for text, want := range map[string]string{
		"1692161636.595716":             "2023-08-16T04:53:56.595716Z",
		"1596607802":                    "2020-08-05T06:10:02.000000Z",
		"1596607802479":                 "2020-08-05T06:10:02.479000Z",
		"2023-08-15T09:53:48.554Z":      "2023-08-15T09:53:48.554000Z",
		"2023-08-16 04:53:48.446":       "2023-08-16T04:53:48.446000Z",
		"2021-08-02T13:11:39.7724491Z":  "2021-08-02T13:11:39.772449Z",
		"2021-08-02T13:11:39+02:00":     "2021-08-02T11:11:39.000000Z",
		"2021-08-02T13:11:39-0130":      "2021-08-02T14:41:39.000000Z",
		"4/28/2021, 2:32:14.029 PM":     "2021-04-28T14:32:14.029000Z",
		"4/28/2021 12:00:00 AM":         "2021-04-28T00:00:00.000000Z",
		"":                              "",
		"yesterday":                     "",
		"2021-02-30T00:00:00Z":          "",
		"2021-02-20T25:00:00Z":          "",
		"2021-08-02T13:11:39 Europe":    "",
		"1596607802.":                   "2020-08-05T06:10:02.000000Z",
		"99999999999999999999999999999": "",
	} {
		us, ok := mapping.ParseTime([]byte(text))
		got := ""
		if ok {
			got = hunt.FormatTime(us)
		}
		if got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

func TestFirstRuleThatMatches(t *testing.T) {
	s := compile(t, `mapping: test
match: {Channel: [Security]}
aliases: {Channel: [log_name]}
flatten: [event_data]
rules:
- match: {EventID: 1, Kind: {not: [x]}}
  class: process_activity
  columns: {process.name: Name}
- match: {EventID: {re: '^2'}}
  class: file_activity
  columns: {file.name: Name}
- match: {Extra: {exists: true}}
  class: module_activity
  columns: {}
- {match: {}, class: base_event, columns: {}}
`)
	for record, want := range map[string]string{
		`{"Channel":"security","EventID":1,"Name":"a"}`:                     "process_activity",
		`{"Channel":"Security","EventID":"1","Kind":"X"}`:                   "base_event",
		`{"log_name":"Security","EventID":25}`:                              "file_activity",
		`{"log_name":"Security","event_data":{"EventID":1,"Name":"inner"}}`: "process_activity",
		`{"Channel":"Security","EventID":9,"Extra":"e"}`:                    "module_activity",
		`{"Channel":"Security","EventID":9,"Extra":"-"}`:                    "base_event",
		`{"Channel":"Security"}`:                                            "base_event",
	} {
		m, _ := mapOne(t, s, record)
		if m.Class.Name != want {
			t.Errorf("%s is %s, want %s", record, m.Class.Name, want)
		}
	}
	d := s.NewDecoder()
	if err := d.JSON([]byte(`{"Channel":"System"}`)); err != nil {
		t.Fatal(err)
	}
	if m := d.Match(); m != nil {
		t.Errorf("a record of another channel is taken by %s", m.Mapping.Name)
	}
}

func TestUnmapped(t *testing.T) {
	s := compile(t, "mapping: test\nmatch: {}\nignore: [noise]\nflatten: [event_data]\nrules:\n- match: {}\n  class: process_activity\n  columns: {process.name: a.b}\n")
	_, rec := mapOne(t, s, `{"a":{"b":"x","c":1},"noise":"n","more":[1,2],"empty":"","event_data":{"inner":true}}`)
	var got map[string]any
	if err := json.Unmarshal([]byte((vector.Row{Record: rec}).Values(ocsf.ColUnmapped)[0].Str()), &got); err != nil {
		t.Fatal(err)
	}
	keys := []string{}
	for k := range got {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	if want := []string{"a.c", "inner", "more"}; !slices.Equal(keys, want) {
		t.Errorf("unmapped are %v, want %v", keys, want)
	}
}

func TestCellsAndLists(t *testing.T) {
	s := compile(t, "mapping: test\nmatch: {_path: dns}\nrules:\n- match: {}\n  class: dns_activity\n  columns: {'answers[].rdata': answers, query.hostname: query}\n")
	h := s.Header([]string{"query", "answers"}, []bool{false, true}, map[string]string{"_path": "dns"})
	d := s.NewDecoder()
	d.Cells(h, [][]byte{[]byte("a.example"), []byte("1.2.3.4,b.example")}, []byte("line"))
	m := d.Match()
	if m == nil {
		t.Fatal("the fixed cell _path is not seen")
	}
	b := mapping.NewBuilder(m.Class, paths(m.Class))
	b.Append(d, m, hunt.Identity{})
	if got := get(b.Batch(), "answers.rdata"); got != `"1.2.3.4" "b.example"` {
		t.Errorf("answers are %s", got)
	}
}

func TestBadRecords(t *testing.T) {
	d := compile(t, head+"    process.name: F\n").NewDecoder()
	for _, text := range []string{"", "{", `{"a":}`, "[1]", `"x"`, "12", "\x00\x01garbage", `{"a":1} trailing`} {
		var e *hunt.Error
		if err := d.JSON([]byte(text)); !errors.As(err, &e) || e.Code != hunt.RecordsRejected {
			t.Errorf("%q gives %v, want %s", text, err, hunt.RecordsRejected)
		}
	}
}

func TestUIDDependsOnRecordAndConnection(t *testing.T) {
	one := mapping.UID(hunt.Identity{Tenant: "a", Connection: "b"}, []byte("r"))
	for _, other := range []string{
		mapping.UID(hunt.Identity{Tenant: "a", Connection: "b"}, []byte("s")),
		mapping.UID(hunt.Identity{Tenant: "a", Connection: "c"}, []byte("r")),
		mapping.UID(hunt.Identity{Tenant: "ab", Connection: ""}, []byte("r")),
	} {
		if other == one {
			t.Error("two different events have one uid")
		}
	}
	if mapping.UID(hunt.Identity{Tenant: "a", Connection: "b"}, []byte("r")) != one {
		t.Error("the uid of an event changes")
	}
}

func TestErrorsHaveAPosition(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"unknown key":        {"mapping: x\nmatch: {}\nrulez: []\n", "line 3"},
		"unknown spec key":   {head + "    process.name: {from: F, viaa: copy}\n", "line 7"},
		"unknown via":        {head + "    process.name: {from: F, via: rot13}\n", "line 7, column"},
		"column not typed":   {head + "    file.name: F\n", "process_activity has no column file.name"},
		"unknown caption":    {head + "    activity_id: {const: JUMP}\n", `no value "JUMP"`},
		"unknown class":      {"mapping: x\nmatch: {}\nrules:\n- {match: {}, class: nope, columns: {}}\n", "no such class"},
		"broken expression":  {head + "    process.name: {from: F, via: re, re: '('}\n", "line 7"},
		"no group":           {head + "    process.name: {from: F, via: re, re: 'a'}\n", "needs a group"},
		"nothing to map":     {head + "    process.name: {via: copy}\n", "neither `from` nor `const`"},
		"wrong type":         {"mapping: [x]\nmatch: {}\nrules: 3\n", "line 1"},
		"no YAML":            {"mapping: {\n", "line"},
		"no name":            {"match: {}\nrules: []\n", "needs `mapping`"},
		"two documents":      {"mapping: x\n---\nmapping: y\n", "must be one YAML document"},
		"bad native pattern": {"mapping: x\nmatch: {A: {re: '('}}\nrules:\n- {match: {}, class: base_event, columns: {}}\n", "match A"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := mapping.Parse("file.yaml", []byte(c.text))
			if err == nil {
				_, err = mapping.Compile(f)
			}
			var e *hunt.Error
			if !errors.As(err, &e) || e.Code != hunt.BadConfig || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error is %v, want %s with %q", err, hunt.BadConfig, c.want)
			}
		})
	}
}

func TestMergeKeysAndAliases(t *testing.T) {
	s := compile(t, `mapping: test
match: {}
groups:
  a: &a {process.name: A, process.pid: {from: P, via: int}}
  b: &b {process.name: B, process.cmd_line: C}
rules:
- match: {}
  class: process_activity
  columns:
    <<: [*a, *b]
    process.pid:
    process.working_directory: W
`)
	_, rec := mapOne(t, s, `{"A":"a","B":"b","C":"c","P":"1","W":"w"}`)
	for path, want := range map[string]string{"process.name": `"a"`, "process.cmd_line": `"c"`, "process.pid": "", "process.working_directory": `"w"`} {
		if got := get(rec, path); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

func TestSpoiledValuesAreCounted(t *testing.T) {
	s := compile(t, head+"    process.pid: {from: P, via: int}\n    device.ip: {from: A, via: ip}\n    exit_code: C\n    process.name: N\n")
	d := s.NewDecoder()
	for record, want := range map[string]string{
		`{"P":"12","A":"10.0.0.1","C":"3","N":"x"}`:     "",
		`{"P":"twelve","A":"AWS Internal","C":"three"}`: "device.ip exit_code process.pid",
		`{"P":"-","A":"","N":7}`:                        "", // the source's words for absent are no loss
	} {
		if err := d.JSON([]byte(record)); err != nil {
			t.Fatal(err)
		}
		m := d.Match()
		mapping.NewBuilder(m.Class, paths(m.Class)).Append(d, m, hunt.Identity{})
		got := slices.Sorted(slices.Values(d.Spoiled()))
		if strings.Join(got, " ") != want {
			t.Errorf("%s spoils %v, want %s", record, got, want)
		}
	}
}
