package elastic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// others makes documents as other programs ship them.
type others struct {
	rng  *rand.Rand
	made int
}

func (o *others) pick(list ...any) any { return list[o.rng.IntN(len(list))] }

// when is an instant as documents write it.
func (o *others) when() any {
	at := time.UnixMilli(flowStart + o.rng.Int64N(100_000)).UTC()
	return o.pick(at.UnixMilli(), at.Format("2006-01-02T15:04:05.000Z"), at.Format("2006-01-02T15:04:05.000000000Z"),
		at.In(time.FixedZone("", 5400)).Format("2006-01-02T15:04:05.000-07:00"), at.Truncate(time.Second).Format("2006-01-02T15:04:05Z"))
}

func (o *others) path() any {
	return o.pick(`C:\Windows\System32\cmd.exe`, `C:\WINDOWS\system32\CMD.EXE`, `C:\Users\Ann\été.exe`, "/usr/bin/bash", "/usr/bin/Bash",
		`\\server\share\`+strings.Repeat("deep\\", 60)+"tool.exe", "")
}

func (o *others) words() any {
	return o.pick("cmd.exe /c whoami", "CMD.exe /C WHOAMI /all", "bash -c 'a*b?c'", "powershell -enc "+strings.Repeat("QQBC", 500), "K\u212Aelvin \u017Fharp", "", "-",
		[]any{"one", "two"})
}

func (o *others) user() any { return o.pick("ann", "Ann", "ANN", "SYSTEM", `CORP\bob`, "é", "-") }

func (o *others) ip() any { return o.pick("10.0.0.1", "10.0.1.1", "::1", "2001:db8::1", "203.0.113.9") }

// ecs makes a document of Elastic Agent: a process, or a connection.
func (o *others) ecs() map[string]any {
	doc := map[string]any{"@timestamp": o.when(), "ecs": map[string]any{"version": "8.11.0"},
		"host": map[string]any{"name": o.pick("web-1", "WEB-1", "db-2"), "os": map[string]any{"type": o.pick("windows", "linux")}},
		"user": map[string]any{"name": o.user(), "domain": o.pick("CORP", "corp")}, "tags": []any{"a", o.pick("b", "c")},
		"labels": map[string]any{"team": o.pick("red", "blue"), "ticket.id": o.pick("7", "8")}, "message": o.words()}
	if o.rng.IntN(2) == 0 {
		doc["event"] = map[string]any{"category": []any{"network"}, "type": []any{"connection", "start"}, "action": "connection_attempted"}
		doc["source"] = map[string]any{"ip": o.ip(), "port": o.pick(443, 50_000, "8080"), "bytes": o.pick(10, 9_007_199_254_740_993)}
		doc["destination"] = map[string]any{"ip": o.ip(), "port": o.pick(443, 22), "domain": o.pick("example.test", "EXAMPLE.test")}
		doc["network"] = map[string]any{"transport": o.pick("tcp", "udp", "TCP"), "direction": o.pick("egress", "ingress", "strange")}
		return doc
	}
	doc["event"] = map[string]any{"category": o.pick("process", []any{"process"}), "type": []any{o.pick("start", "end")}, "action": o.pick("start", "end")}
	doc["process"] = map[string]any{"pid": o.pick(4, 77, "77"), "name": o.pick("cmd.exe", "CMD.EXE", "bash"), "executable": o.path(), "command_line": o.words(),
		"hash": map[string]any{"sha256": o.pick("AB12", "ab12"), "md5": o.pick("00", "FF")}, "parent": map[string]any{"pid": o.pick(1, 4), "name": o.pick("init", "explorer.exe"),
			"executable": o.path(), "command_line": o.words()}}
	return doc
}

// winlogbeat makes a document of a Windows event log: Sysmon process creations and connections, and sign-ins.
func (o *others) winlogbeat() map[string]any {
	doc := map[string]any{"@timestamp": o.when(), "host": map[string]any{"name": "ws-1"}, "labels": map[string]any{"site": "north"}, "message": o.words()}
	log := map[string]any{"computer_name": o.pick("WS-1.corp.test", "ws-1.corp.test"), "channel": "Microsoft-Windows-Sysmon/Operational",
		"provider_name": "Microsoft-Windows-Sysmon", "record_id": o.rng.IntN(1000)}
	doc["winlog"] = log
	stamp := time.UnixMilli(flowStart + o.rng.Int64N(100_000)).UTC().Format("2006-01-02 15:04:05.000")
	switch o.rng.IntN(3) {
	case 0:
		log["event_id"] = o.pick(1, "1")
		log["event_data"] = map[string]any{"UtcTime": stamp, "ProcessId": o.pick("77", "0x4d"), "Image": o.path(), "CommandLine": o.words(), "User": o.pick(`CORP\ann`, `corp\Ann`),
			"Hashes": o.pick("MD5=00,SHA256=AB12", "SHA256=ab12"), "ParentImage": o.path(), "ParentCommandLine": o.words(), "ParentProcessId": "4"}
	case 1:
		log["event_id"] = o.pick(3, "3")
		log["event_data"] = map[string]any{"UtcTime": stamp, "ProcessId": "77", "Image": o.path(), "User": `CORP\ann`, "Protocol": o.pick("tcp", "udp"), "Initiated": o.pick("true", "false"),
			"SourceIp": o.ip(), "SourcePort": "50000", "DestinationIp": o.ip(), "DestinationPort": o.pick("443", "22"), "DestinationHostname": o.pick("example.test", "-")}
	default:
		log["channel"], log["provider_name"], log["event_id"] = "Security", "Microsoft-Windows-Security-Auditing", o.pick(4624, "4625")
		log["event_data"] = map[string]any{"TargetUserName": o.user(), "TargetDomainName": o.pick("CORP", "corp"), "LogonType": o.pick("3", "10"), "IpAddress": o.pick(o.ip(), "-"), "IpPort": "50000",
			"SubjectUserName": o.user(), "ProcessName": o.path(), "WorkstationName": o.pick("WS-2", "-"), "Status": "0xc000006d", "TargetUserSid": "S-1-5-18"}
	}
	return doc
}

// ocsf makes an OCSF document as another pipeline writes it.
func (o *others) ocsf() map[string]any {
	doc := map[string]any{"time": o.when(), "severity_id": o.pick(1, 2, "3"), "metadata": map[string]any{"version": "1.3.0", "uid": fmt.Sprint(o.made), "product": map[string]any{"name": o.pick("Sensor", "sensor")}},
		"device": map[string]any{"hostname": o.pick("web-1", "WEB-1"), "ip": o.ip()}}
	if o.rng.IntN(3) == 0 {
		doc["class_uid"], doc["category_uid"], doc["activity_id"] = 3002, 3, o.pick(1, 2)
		doc["user"] = map[string]any{"name": o.user()}
		doc["api"] = map[string]any{"operation": o.pick("Login", "login"), "request": map[string]any{"data": map[string]any{"device": o.words(), "mfa": true}}}
		return doc
	}
	if o.rng.IntN(2) == 0 {
		doc["class_uid"], doc["category_uid"], doc["activity_id"] = 4001, 4, o.pick(1, 6)
		doc["src_endpoint"] = map[string]any{"ip": o.ip(), "port": o.pick(50_000, 8080), "hostname": o.pick("web-1", "WEB-1")}
		doc["dst_endpoint"] = map[string]any{"ip": o.ip(), "port": o.pick(443, 22), "hostname": o.words()}
		doc["traffic"] = map[string]any{"bytes": o.pick(10, 9_007_199_254_740_993)}
		return doc
	}
	doc["class_uid"], doc["category_uid"], doc["activity_id"] = 1007, 1, o.pick(1, 2)
	doc["process"] = map[string]any{"pid": o.pick(4, 77), "name": o.pick("cmd.exe", "CMD.EXE"), "cmd_line": o.words(), "file": map[string]any{"path": o.path(), "name": "cmd.exe",
		"hashes": []any{map[string]any{"algorithm_id": 3, "value": o.pick("AB12", "ab12")}, map[string]any{"algorithm_id": 1, "value": "00"}}}}
	doc["actor"] = map[string]any{"user": map[string]any{"name": o.user(), "uid": o.pick("S-1-5-18", "1000")}}
	return doc
}

// otherMapping is a mapping as integrations install it: keywords with a text sub-field and a bound, flattened labels, dates of two formats.
// tight has a small bound and lets no malformed value refuse a document.
func otherMapping(flat string, tight bool) string {
	above := 1024
	if tight {
		above = 24
	}
	keyword := fmt.Sprintf(`{"type":"keyword","ignore_above":%d,"fields":{"text":{"type":"text"}}}`, above)
	date := `{"type":"date","format":"strict_date_optional_time||strict_date_optional_time_nanos||epoch_millis"}`
	templates := fmt.Sprintf(`[{"ips":{"match":"ip","mapping":{"type":"ip"}}},{"ips2":{"match":"*Ip","mapping":{"type":"ip"}}},
		{"numbers":{"match_pattern":"regex","match":"^(pid|port|bytes|made|record_id|[a-z]*_id|category_uid)$","mapping":{"type":"long"}}},{"texts":{"match_mapping_type":"string","mapping":%s}}]`, keyword)
	return fmt.Sprintf(`{"settings":{"number_of_shards":2,"index.mapping.ignore_malformed":true},"mappings":{"date_detection":false,"dynamic_templates":%s,
		"properties":{"@timestamp":%s,"time":%s,"class_uid":{"type":"integer"},"labels":{"type":%q},"message":{"type":"text"},
		"winlog":{"properties":{"event_id":{"type":"keyword"},"event_data":{"properties":{"ProcessId":{"type":"keyword"}}}}}}}}`, templates, date, date, flat)
}

// TestOthers: hunts over documents that other programs wrote, in indices as they make them, give exactly the rows that Match selects.
func TestOthers(t *testing.T) {
	set, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	onAll(t, func(t *testing.T, n *node.Node) {
		flat := "flattened"
		if do(t, "GET", n.URL()+"/", "")["version"].(map[string]any)["distribution"] == "opensearch" {
			flat = "flat_object"
		}
		for format, one := range map[string]func(*others) map[string]any{"ecs": (*others).ecs, "winlogbeat": (*others).winlogbeat, elastic.FormatOCSF: (*others).ocsf} {
			t.Run(format, func(t *testing.T) {
				o := &others{rng: rand.New(rand.NewPCG(61, 62))}
				names := []string{"logs-" + format + ".events-default", ".ds-logs-" + format + ".more-prod-2026.01.01-000001"}
				drop(t, n, names...)
				docs := [][]byte{}
				for i, name := range names {
					do(t, "PUT", n.URL()+"/"+name, otherMapping(flat, i == 1))
					docs = append(docs, o.load(t, n.URL()+"/"+name, one)...)
				}
				e := open(t, elastic.Config{URLs: []string{n.URL()}, Format: format, Indices: []string{"logs-" + format + "*", names[1]}}, elastic.Options{Mappings: set})
				o.hunt(t, e, o.reference(t, set, format, docs))
			})
		}
	})
}

// load writes documents and returns them.
func (o *others) load(t *testing.T, index string, one func(*others) map[string]any) [][]byte {
	t.Helper()
	var out [][]byte
	var b bytes.Buffer
	for range 120 {
		o.made++
		doc := one(o)
		doc["made"] = o.made
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, text)
		fmt.Fprintf(&b, "{\"create\":{}}\n%s\n", text)
	}
	if answer := do(t, "POST", index+"/_bulk?refresh=true", b.String()); answer["errors"] != false {
		text, _ := json.Marshal(answer)
		t.Fatalf("documents were refused: %.2000s", text)
	}
	return out
}

// reference returns the rows that documents are, with raw, by class; nil for OCSF documents, which are read as they are.
func (o *others) reference(t *testing.T, set *mapping.Set, format string, docs [][]byte) map[int64]arrow.RecordBatch {
	t.Helper()
	if format == elastic.FormatOCSF {
		return nil
	}
	only, err := set.Only(format)
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]arrow.RecordBatch{}
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		b, d := mapping.NewBuilder(class, append(hunttest.Paths(class), ocsf.ColRaw)), only.NewDecoder()
		for _, doc := range docs {
			if err := d.JSON(doc); err != nil {
				t.Fatal(err)
			}
			if m := d.Match(); m != nil && m.Class == class {
				b.Append(d, m, hunttest.Identity())
			}
		}
		if rec := b.Batch(); rec.NumRows() > 0 {
			out[class.UID] = rec
		}
	}
	return out
}

// hunt asks every stream for everything and for random conditions.
func (o *others) hunt(t *testing.T, e *elastic.Elastic, reference map[int64]arrow.RecordBatch) {
	t.Helper()
	d, err := e.Describe(t.Context())
	if err != nil || d.Unread != "" {
		t.Fatalf("%+v, %v", d, err)
	}
	hunts, narrowed, rows := 0, 0, 0
	for i := range d.Streams {
		s := &d.Streams[i]
		all := search(t, e, everything(s, append(hunttest.Paths(s.Class), ocsf.ColRaw)...), 0)
		all.complete(t, hunt.TimeAsc)
		rec := reference[s.Class.UID]
		if reference == nil && len(all.batches) == 1 {
			rec = all.batches[0]
		}
		if rec == nil {
			if len(all.uids) > 0 {
				t.Errorf("%s: %d rows, want none", s.Class.Name, len(all.uids))
			}
			continue
		}
		rows += len(all.uids)
		if s.Class.UID == ocsf.Authentication && reference == nil && !s.Provides("api.request.data") {
			t.Errorf("JSON that is an object is not provided: %v", s.Attributes)
		}
		if got, want := raws(all, hunt.True()), expected(rec, hunt.True()); !slices.Equal(got, want) {
			t.Fatalf("%s: %d events, want %d", s.Class.Name, len(got), len(want))
		}
		columns := hunttest.Columns(s.Class, s.Attributes)
		if reference != nil { // which knows neither index nor _id
			columns = slices.DeleteFunc(columns, func(c *ocsf.Column) bool { return c.Path == ocsf.ColUID })
		}
		for range 20 {
			r := everything(s)
			r.Where = hunttest.RandomExprOver(o.rng, columns, rec)
			r.Columns = append(hunt.Paths(r.Where, s.Class), ocsf.ColRaw)
			got := search(t, e, r, 0)
			got.complete(t, hunt.TimeAsc)
			if have, want := raws(got, r.Where), expected(rec, r.Where); !slices.Equal(have, want) {
				t.Fatalf("%s: %.1500s\n%d rows, want %d\n%.1500s\n%.1500s\n%d of %d rows came", s.Class.Name, r.Where, len(have), len(want), have, want, len(got.uids), len(all.uids))
			}
			if hunts++; len(got.uids) < len(all.uids)/2 {
				narrowed++
			}
		}
	}
	t.Logf("%d events, %d hunts, %d narrowed by the cluster", rows, hunts, narrowed)
	if hunts < 40 || narrowed == 0 || reference == nil && rows != o.made {
		t.Errorf("that proves little")
	}
}

// raws are the records of the rows that satisfy a condition, sorted.
func raws(f found, e hunt.Expr) []string {
	var out []string
	for _, rec := range f.batches {
		for i := range int(rec.NumRows()) {
			if e.Match(vector.Row{Record: rec, Index: i}) {
				out = append(out, strings.Clone(textAt(rec, ocsf.ColRaw, i)))
			}
		}
	}
	slices.Sort(out)
	return out
}

func expected(rec arrow.RecordBatch, e hunt.Expr) []string {
	var out []string
	for _, i := range hunttest.Expect(rec, e, hunttest.Always()) {
		out = append(out, textAt(rec, ocsf.ColRaw, i))
	}
	slices.Sort(out)
	return out
}
