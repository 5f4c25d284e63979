package graph_test

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// event is one event: values by dotted OCSF path; uid and time must be there.
type event map[string]any

// batchOf makes a batch of events. Values are string, int64 (also of enums and times) and netip.Addr.
func batchOf(class *ocsf.Class, paths []string, events ...event) arrow.RecordBatch {
	schema := hunt.Schema(class, paths)
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, schema)
	for _, e := range events {
		for i, f := range schema.Fields() {
			appendAny(b.Field(i), e[f.Name])
		}
	}
	return b.NewRecordBatch()
}

func appendAny(b array.Builder, v any) {
	switch v := v.(type) {
	case string:
		b.(*array.StringBuilder).Append(v)
	case int64:
		if t, ok := b.(*array.TimestampBuilder); ok {
			t.Append(arrow.Timestamp(v))
			return
		}
		b.(*array.Int64Builder).Append(v)
	case netip.Addr:
		ip := v.As16()
		b.(*array.FixedSizeBinaryBuilder).Append(ip[:])
	case []event:
		list := b.(*array.ListBuilder)
		list.Append(true)
		object := list.ValueBuilder().(*array.StructBuilder)
		for _, e := range v {
			object.Append(true)
			for i, f := range object.Type().(*arrow.StructType).Fields() {
				appendAny(object.FieldBuilder(i), e[f.Name])
			}
		}
	default:
		b.AppendNull()
	}
}

// withEvents is a gateway with one connection, web of tenant acme, of given events.
func withEvents(t testing.TB, uid int64, paths []string, events ...event) *world {
	t.Helper()
	class := ocsf.ByUID(uid)
	m := memory.Open(hunt.Identity{Tenant: "acme", Connection: "web"})
	add(t, m, stream(class), batchOf(class, paths, events...))
	return newWorld(t, connection("acme", "web", m))
}

func TestTextsAreJSONWhateverTheyAre(t *testing.T) {
	texts := []string{
		"", "\xff\xfe", "a\xe2\x82", "\xed\xa0\x80", "ok\xc3", "\x00", "a\x00b", `"`, `\`, `\u0041`, "\u2028\u2029", "\r\n\t\b\f\v", "\x1f\x7f", "\x80",
		"</script>&", "\U0001f600", "\ufffd", "\ufeff", "12345678\xff", "1234567\"", strings.Repeat("a", 70_000) + "\xff",
	}
	events := []event{}
	for i, s := range texts {
		events = append(events, event{"uid": fmt.Sprintf("%02d", i), "time": int64(i), "process.name": s, "raw": s, "unmapped": s})
	}
	w := withEvents(t, ocsf.ProcessActivity, []string{"process.name", "raw", "unmapped"}, events...)
	r := w.must(`{processActivities(timeRange: `+wide+`) {nodes {process {name} raw unmapped}}}`, nil)
	if !json.Valid(r.raw) || !utf8.Valid(r.raw) {
		t.Fatalf("the answer is no JSON in UTF-8: %.200q", r.raw)
	}
	for i, s := range texts {
		node, want := r.at(fmt.Sprintf("processActivities.nodes.%d", i)), string([]rune(s))
		for _, path := range []string{"process.name", "raw", "unmapped"} {
			if got := at(node, path); got != want {
				t.Errorf("%s of %.40q reads %.40q, want %.40q", path, s, got, want)
			}
		}
	}
}

// TestUnmappedIsJSONAsItIs: JSON stays what it is, line breaks between tokens included; any other text is a string.
func TestUnmappedIsJSONAsItIs(t *testing.T) {
	w := withEvents(t, ocsf.BaseEvent, []string{"unmapped"},
		event{"uid": "1", "time": int64(1), "unmapped": "{\"a\":\n[1,9007199254740993,\"\u2028\"]}"},
		event{"uid": "2", "time": int64(2), "unmapped": `{"a":`},
		event{"uid": "3", "time": int64(3), "unmapped": "{\"a\":\"\xff\"}"}, event{"uid": "4", "time": int64(4)})
	r := w.must(`{baseEvents(timeRange: `+wide+`) {nodes {unmapped}}}`, nil)
	if got := r.at("baseEvents.nodes.0.unmapped.a.1"); got != json.Number("9007199254740993") {
		t.Errorf("the number reads %v", got)
	}
	for i, want := range []any{nil, `{"a":`, "{\"a\":\"\ufffd\"}", nil}[1:] {
		if got := r.at(fmt.Sprintf("baseEvents.nodes.%d.unmapped", i+1)); got != want {
			t.Errorf("unmapped %d reads %v, want %v", i+1, got, want)
		}
	}
}

func TestEnumsOutOfTheTable(t *testing.T) {
	w := withEvents(t, ocsf.ProcessActivity, []string{"activity_id", "category_uid"},
		event{"uid": "1", "time": int64(1), "activity_id": int64(1), "category_uid": int64(1)},
		event{"uid": "2", "time": int64(2), "activity_id": int64(4711), "category_uid": int64(4711)},
		event{"uid": "3", "time": int64(3)})
	r := w.must(`{processActivities(timeRange: `+wide+`) {nodes {activity category class}}}`, nil)
	for i, want := range []string{"LAUNCH SYSTEM", "OTHER <nil>", "<nil> <nil>"} {
		n := r.at(fmt.Sprintf("processActivities.nodes.%d", i))
		if got := fmt.Sprint(at(n, "activity"), " ", at(n, "category")); got != want || at(n, "class") != "PROCESS_ACTIVITY" {
			t.Errorf("row %d reads %s of class %v, want %s", i, got, at(n, "class"), want)
		}
	}
}

func TestLongsAddressesAndTimes(t *testing.T) {
	longs := []int64{0, -1, 1<<53 + 1, math.MaxInt64, math.MinInt64}
	addresses := map[string]string{
		"10.0.0.1": "10.0.0.1", "::ffff:10.0.0.1": "10.0.0.1", "::": "::", "2001:db8:0:0:1:0:0:1": "2001:db8::1:0:0:1", "0.0.0.0": "0.0.0.0",
		"fe80:0:0:0:0:0:0:1": "fe80::1", "::10.0.0.1": "::a00:1",
	}
	instants := map[int64]string{
		0: "1970-01-01T00:00:00.000000Z", -1: "1969-12-31T23:59:59.999999Z", 1_767_322_800_000_001: "2026-01-02T03:00:00.000001Z",
		253_402_214_400_000_000: "9999-12-31T00:00:00.000000Z", -62_135_596_800_000_000: "0001-01-01T00:00:00.000000Z",
	}
	events, keys := []event{}, []string{}
	for _, n := range longs {
		events = append(events, event{"traffic.bytes_in": n})
		keys = append(keys, fmt.Sprint(n))
	}
	for in, out := range addresses {
		events = append(events, event{"src_endpoint.ip": netip.MustParseAddr(in)})
		keys = append(keys, out)
	}
	for us, out := range instants {
		events = append(events, event{"start_time": us})
		keys = append(keys, out)
	}
	for i := range events {
		events[i]["uid"], events[i]["time"] = fmt.Sprintf("%02d", i), int64(i)
	}
	w := withEvents(t, ocsf.NetworkActivity, []string{"traffic.bytes_in", "src_endpoint.ip", "start_time"}, events...)
	r := w.must(`{networkActivities(timeRange: `+wide+`) {nodes {traffic {bytesIn} srcEndpoint {ip} startTime}}}`, nil)
	for i, want := range keys {
		n := r.at(fmt.Sprintf("networkActivities.nodes.%d", i))
		got := []any{at(n, "traffic.bytesIn"), at(n, "srcEndpoint.ip"), at(n, "startTime")}
		if k := slices.IndexFunc(got, func(v any) bool { return v != nil }); k < 0 || fmt.Sprint(got[k]) != want {
			t.Errorf("row %d reads %v, want %s", i, got, want)
		}
	}
}

// TestObjectsAreThereIfSomethingSelectedIs: by what is selected under each name, so a column that nobody shows changes nothing.
func TestObjectsAreThereIfSomethingSelectedIs(t *testing.T) {
	hashes := []event{{"value": "AB"}, {}}
	w := withEvents(t, ocsf.ProcessActivity, []string{"process.name", "process.pid", "process.file.hashes.value", "process.file.hashes.algorithm_id"},
		event{"uid": "1", "time": int64(1), "process.name": "cmd.exe", "process.file.hashes": hashes},
		event{"uid": "2", "time": int64(2), "process.file.hashes": []event{}}, event{"uid": "3", "time": int64(3)})
	query := `{processActivities(timeRange: ` + wide + `, where: {not: {process: {pid: {eq: 7}}}}) {nodes {
		a: process {name} b: process {pid __typename} c: process {file {hashes {value}}} d: process {file {hashes {__typename}}} }}}`
	r := w.must(query, nil)
	want := `{"processActivities":{"nodes":[` +
		`{"a":{"name":"cmd.exe"},"b":null,"c":{"file":{"hashes":[{"value":"AB"},{"value":null}]}},"d":{"file":{"hashes":[{"__typename":"Fingerprint"},{"__typename":"Fingerprint"}]}}},` +
		`{"a":null,"b":null,"c":{"file":{"hashes":[]}},"d":{"file":{"hashes":[]}}},{"a":null,"b":null,"c":null,"d":null}]}}`
	if string(r.raw) != want {
		t.Errorf("got  %s\nwant %s", r.raw, want)
	}
}
