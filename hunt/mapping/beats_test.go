package mapping_test

import (
	"testing"

	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// TestBeats maps documents as Beats and Elastic Agent ship them, found among all mappings.
func TestBeats(t *testing.T) {
	set, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	const head = `{"@timestamp":"2026-01-02T03:04:05.678Z","ecs":{"version":"8.11.0"},"host":{"name":"ws1","os":{"name":"Windows"}},`
	for _, c := range []struct {
		name, record, mapping, class string
		want                         map[string]string
	}{
		{"process start", head + `"event":{"category":["process"],"type":["start"],"code":"1"},"process":{"pid":42,"entity_id":"{ab}","executable":"C:\\Windows\\cmd.exe",
			"command_line":"cmd /c dir","hash":{"md5":"0cc1","sha256":"ab12"},"parent":{"pid":7,"executable":"C:\\Windows\\explorer.exe"}},"user":{"name":"alice","domain":"CORP"}}`,
			"ecs", "process_activity", map[string]string{"activity_id": "1", "process.pid": "42", "process.name": `"cmd.exe"`, "process.cmd_line": `"cmd /c dir"`,
				"process.file.hashes.value": `"0cc1" "ab12"`, "process.file.hashes.algorithm_id": "1 3", "actor.process.name": `"explorer.exe"`, "process.user.name": `"alice"`,
				"time": "2026-01-02T03:04:05.678000Z", "device.hostname": `"ws1"`}},
		{"process end", head + `"event":{"category":"process","type":["info","end"]},"process":{"exit_code":1}}`, "ecs", "process_activity",
			map[string]string{"activity_id": "2", "exit_code": "1"}},
		{"connection", head + `"event":{"category":["network"],"type":["connection","start"]},"source":{"ip":"10.0.0.1","port":50000,"bytes":10},"destination":{"ip":"8.8.8.8",
			"port":443},"network":{"transport":"tcp","direction":"egress"}}`, "ecs", "network_activity",
			map[string]string{"activity_id": "1", "src_endpoint.ip": "10.0.0.1", "dst_endpoint.port": "443", "connection_info.protocol_num": "6",
				"connection_info.direction_id": "2", "traffic.bytes_out": "10"}},
		{"lookup", head + `"event":{"category":["network"]},"dns":{"question":{"name":"example.com","type":"A"},"response_code":"NXDOMAIN","answers":[{"data":"10.0.0.9"},
			{"data":"10.0.0.8"}]}}`, "ecs", "dns_activity", map[string]string{"query.hostname": `"example.com"`, "rcode_id": "3", "answers.rdata": `"10.0.0.9" "10.0.0.8"`}},
		{"request", head + `"event":{"category":["web"]},"http":{"request":{"method":"POST"},"response":{"status_code":200}},"url":{"domain":"example.com","path":"/x"}}`,
			"ecs", "http_activity", map[string]string{"activity_id": "6", "http_response.code": "200", "http_request.url.hostname": `"example.com"`}},
		{"file", head + `"event":{"category":["file"],"type":["deletion"]},"file":{"path":"/tmp/a.sh","extension":"sh","size":12}}`, "ecs", "file_activity",
			map[string]string{"activity_id": "4", "file.name": `"a.sh"`, "file.size": "12"}},
		{"registry", head + `"event":{"category":["registry"],"type":["change"]},"registry":{"path":"HKLM\\Software\\Run\\evil","value":"evil","data":{"strings":["x.exe"]}}}`,
			"ecs", "registry_value_activity", map[string]string{"activity_id": "3", "reg_value.path": `"HKLM\\Software\\Run"`, "reg_value.name": `"evil"`, "reg_value.data": `"x.exe"`}},
		{"sign-in", head + `"event":{"category":["authentication"],"type":["start"],"outcome":"failure"},"user":{"name":"bob"},"source":{"ip":"10.1.1.1"}}`, "ecs",
			"authentication", map[string]string{"activity_id": "1", "status_id": "2", "user.name": `"bob"`, "src_endpoint.ip": "10.1.1.1"}},
		{"alert", head + `"event":{"kind":"alert","category":["malware"],"id":"7"},"rule":{"name":"bad","id":"r1"}}`, "ecs", "detection_finding",
			map[string]string{"finding_info.title": `"bad"`, "finding_info.analytic.uid": `"r1"`}},
		{"metrics", head + `"metricset":{"name":"cpu"}}`, "ecs", "base_event", nil},
		{"raw Sysmon", head + `"event":{"code":"1","kind":"event"},"winlog":{"channel":"Microsoft-Windows-Sysmon/Operational","event_id":"1","computer_name":"ws1.corp",
			"record_id":99,"event_data":{"Image":"C:\\a\\b.exe","CommandLine":"b -x","ProcessId":"42","ParentImage":"C:\\p.exe","User":"CORP\\alice",
			"Hashes":"MD5=AA,SHA256=BB"}}}`, "winlogbeat", "process_activity", map[string]string{"process.name": `"b.exe"`, "process.pid": "42",
			"process.user.domain": `"CORP"`, "actor.process.name": `"p.exe"`, "process.file.hashes.value": `"AA" "BB"`, "metadata.product.name": `"Sysmon"`, "device.hostname": `"ws1.corp"`}},
		{"raw logon", head + `"winlog":{"channel":"Security","event_id":4625,"keywords":["Audit Failure"],"event_data":{"TargetUserName":"bob","TargetDomainName":"CORP",
			"LogonType":"10","IpAddress":"10.0.0.5","IpPort":"0","Status":"0xc000006d","SubjectUserSid":"S-1-0-0"}}}`, "winlogbeat", "authentication",
			map[string]string{"activity_id": "1", "status_id": "2", "user.name": `"bob"`, "logon_type_id": "10", "is_remote": "true", "src_endpoint.ip": "10.0.0.5",
				"actor.user.uid": "", "metadata.product.name": `"Windows"`}},
		{"raw process", head + `"winlog":{"channel":"Security","event_id":"4688","event_data":{"NewProcessName":"C:\\x.exe","NewProcessId":"0x1f4","ProcessId":"0x10",
			"SubjectUserName":"alice"}}}`, "winlogbeat", "process_activity", map[string]string{"process.pid": "500", "process.parent_process.pid": "16", "process.user.name": `"alice"`}},
		{"other channel", head + `"winlog":{"channel":"System","event_id":7045}}`, "winlogbeat", "base_event", map[string]string{"metadata.event_code": `"7045"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, rec := mapOne(t, set, c.record)
			if m.Mapping.Name != c.mapping || m.Class.Name != c.class {
				t.Fatalf("it is %s of %s, want %s of %s", m.Class.Name, m.Mapping.Name, c.class, c.mapping)
			}
			for path, want := range c.want {
				if got := get(rec, path); got != want {
					t.Errorf("%s is %s, want %s", path, got, want)
				}
			}
		})
	}
}

// TestConditionsLookIntoLists holds a condition on a field that is a list: one of its items satisfies it.
func TestConditionsLookIntoLists(t *testing.T) {
	s := compile(t, "mapping: test\nmatch: {}\nrules:\n- match: {F: [a, b]}\n  class: process_activity\n  columns: {activity_id: {const: LAUNCH}}\n"+
		"- match: {F: {not: [c]}}\n  class: file_activity\n  columns: {activity_id: {const: OPEN}}\n- match: {}\n  class: base_event\n  columns: {activity_id: {const: OTHER}}\n")
	for record, want := range map[string]string{`{"F":"A"}`: "process_activity", `{"F":["x","B"]}`: "process_activity", `{"F":["x",null]}`: "file_activity",
		`{"F":["x","c"]}`: "base_event", `{"F":[]}`: "file_activity", `{}`: "file_activity"} {
		if m, _ := mapOne(t, s, record); m.Class.Name != want {
			t.Errorf("%s is %s, want %s", record, m.Class.Name, want)
		}
	}
}
