package demo_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/demo"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// TestDefaultStory pins the story of the default options, which documentation
// and demonstrations quote.
func TestDefaultStory(t *testing.T) {
	const golden = "testdata/story.golden.json"
	story, err := demo.Write(t.Context(), t.TempDir(), demo.Options{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.MarshalIndent(story, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if strings.TrimSpace(string(want)) != string(got) {
		t.Errorf("story changed; run with -update if meant:\n%s", got)
	}
}

// TestDefaultTelemetry reads one set of files from all sides.
func TestDefaultTelemetry(t *testing.T) {
	d := write(t, demo.Options{})
	for _, c := range []struct {
		name  string
		check func(*testing.T, *telemetry)
	}{
		{"story happens exactly once", storyHappensExactlyOnce},
		{"share of domains", shareOfDomains},
		{"the attacker appears in the story only", onlyTheStoryTouchesTheAttacker},
		{"every connection has its flow", everyConnectionHasItsFlow},
		{"every network logon has its flow", everyNetworkLogonHasItsFlow},
		{"every query has its answer", everyQueryHasItsAnswer},
		{"noise is believable", noiseIsBelievable},
		{"record numbers and parents", recordNumbersAndParents},
		{"encoded command says what the script block says", encodedCommandSaysWhatTheScriptBlockSays},
		{"nothing real is named", nothingRealIsNamed},
	} {
		t.Run(c.name, func(t *testing.T) { c.check(t, d) })
	}
}

// moment is a record of the story and how to find it.
type moment struct {
	name string
	from []record
	is   func(record) bool
}

func moments(d *telemetry) []moment {
	s := d.story
	on := func(id string, pairs ...string) func(record) bool {
		return func(r record) bool { return r.is("EventID", id, "Hostname", s.Host) && r.is(pairs...) }
	}
	cloud := func(name string, pairs ...string) func(record) bool {
		return func(r record) bool { return r.is("eventName", name, "sourceIPAddress", s.AttackerIP) && r.is(pairs...) }
	}
	list := []moment{
		{"document", d.endpoint, func(r record) bool { return on("11")(r) && strings.HasSuffix(r.text("TargetFilename"), ".docm") }},
		{"macro runtime", d.endpoint, func(r record) bool { return on("7")(r) && strings.HasSuffix(r.text("ImageLoaded"), "VBE7.DLL") }},
		{"encoded shell", d.endpoint, func(r record) bool {
			return on("1")(r) && strings.HasSuffix(r.text("ParentImage"), "WINWORD.EXE") && strings.Contains(r.text("CommandLine"), " -Enc ")
		}},
		{"script text", d.endpoint, func(r record) bool { return on("4104")(r) && strings.Contains(r.text("ScriptBlockText"), s.Domain) }},
		{"dropped file", d.endpoint, on("11", "TargetFilename", s.PayloadPath)},
		{"payload", d.endpoint, func(r record) bool {
			return on("1")(r) && strings.Contains(r.text("Hashes"), "SHA256="+s.PayloadSHA256)
		}},
		{"payload audited", d.endpoint, on("4688", "NewProcessName", s.PayloadPath)},
		{"run key", d.endpoint, on("13", "Details", s.PayloadPath)},
		{"LSASS", d.endpoint, func(r record) bool {
			return r.is("EventID", "10", "GrantedAccess", "0x1410") && strings.HasSuffix(r.text("TargetImage"), "lsass.exe")
		}},
		{"remote logon", d.endpoint, func(r record) bool {
			return r.is("EventID", "4624", "Hostname", s.Server, "LogonType", "3", "IpAddress", s.HostIP, "AuthenticationPackageName", "NTLM")
		}},
		{"remote command", d.endpoint, func(r record) bool { return r.is("EventID", "1", "Hostname", s.Server, "User", s.User) }},
		{"download", d.zeek["http"], func(r record) bool { return r.is("host", s.Domain, "id.resp_h", s.AttackerIP, "id.orig_h", s.HostIP) }},
		{"sign-in", d.identity, func(r record) bool {
			return r.is("properties.userPrincipalName", s.UPN, "callerIpAddress", s.AttackerIP, "resultType", "0",
				"properties.riskLevelDuringSignIn", "high", "properties.location.countryOrRegion", s.Country, "properties.deviceDetail.deviceId", "")
		}},
		{"console", d.cloud, cloud("ConsoleLogin", "userIdentity.userName", s.UPN)},
		{"role", d.cloud, cloud("AssumeRole", "userIdentity.userName", s.UPN, "requestParameters.roleSessionName", s.UPN)},
		{"buckets", d.cloud, cloud("ListBuckets", "userIdentity.type", "AssumedRole")},
		{"key", d.cloud, cloud("CreateAccessKey", "responseElements.accessKey.accessKeyId", s.NewAccessKey)},
	}
	for _, key := range s.Objects {
		list = append(list, moment{key, d.cloud, cloud("GetObject", "requestParameters.bucketName", s.Bucket, "requestParameters.key", key)})
	}
	return list
}

func TestStoryInMoreNoise(t *testing.T) {
	storyHappensExactlyOnce(t, write(t, demo.Options{Seed: 3, Days: 1, Events: 30000}))
}

func storyHappensExactlyOnce(t *testing.T, d *telemetry) {
	t.Helper()
	for _, m := range moments(d) {
		found := filter(m.from, m.is)
		if len(found) != 1 {
			t.Errorf("%s: found %d times", m.name, len(found))
			continue
		}
		if at := found[0].at; at.Before(d.story.Start.Truncate(time.Second)) || at.After(d.story.End) {
			t.Errorf("%s: at %v, outside the story", m.name, at)
		}
	}
}

// onlyTheStoryTouchesTheAttacker also holds Records to what is in the files.
func onlyTheStoryTouchesTheAttacker(t *testing.T, d *telemetry) {
	t.Helper()
	s := d.story
	flows := filter(d.zeek["conn"], func(r record) bool { return r.is("id.resp_h", s.AttackerIP) })
	if len(flows) < 20 {
		t.Errorf("%d flows to the attacker: no beacons", len(flows))
	}
	for _, f := range flows {
		if !f.is("id.orig_h", s.HostIP) || f.at.Before(s.Start) || f.at.After(s.End) {
			t.Errorf("flow to the attacker outside the story: %v", f.fields)
		}
	}
	fromAttacker := func(path string) func(record) bool { return func(r record) bool { return r.is(path, s.AttackerIP) } }
	if n := len(filter(d.cloud, fromAttacker("sourceIPAddress"))); n != s.Records.Cloud {
		t.Errorf("%d calls from the attacker, the story says %d", n, s.Records.Cloud)
	}
	if n := len(filter(d.identity, fromAttacker("callerIpAddress"))); n != s.Records.Identity {
		t.Errorf("%d sign-ins from the attacker, the story says %d", n, s.Records.Identity)
	}
	ssl := filter(d.zeek["ssl"], fromAttacker("id.resp_h"))
	http := filter(d.zeek["http"], fromAttacker("id.resp_h"))
	dns := filter(d.zeek["dns"], func(r record) bool { return r.is("query", s.Domain) })
	if n := len(flows) + len(ssl) + len(http) + 2*len(dns) + 1; n != s.Records.Network {
		t.Errorf("%d network records of the attacker and the lateral flow, the story says %d", n, s.Records.Network)
	}
}

func tuple(ip, port, toIP, toPort string) string { return ip + " " + port + " " + toIP + " " + toPort }

func zeekTuple(r record) string {
	return tuple(r.text("id.orig_h"), r.text("id.orig_p"), r.text("id.resp_h"), r.text("id.resp_p"))
}

// flowsByTuple are the start times of conn.log.
func flowsByTuple(d *telemetry) map[string][]time.Time {
	flows := map[string][]time.Time{}
	for _, r := range d.zeek["conn"] {
		flows[zeekTuple(r)] = append(flows[zeekTuple(r)], r.at)
	}
	return flows
}

func within(at time.Time, of []time.Time) bool {
	return slices.ContainsFunc(of, func(t time.Time) bool { return at.Sub(t).Abs() <= 2*time.Second })
}

func everyConnectionHasItsFlow(t *testing.T, d *telemetry) {
	t.Helper()
	flows, story, all := flowsByTuple(d), 0, 0
	for _, r := range d.endpoint {
		if !r.is("EventID", "3") {
			continue
		}
		key := tuple(r.text("SourceIp"), r.text("SourcePort"), r.text("DestinationIp"), r.text("DestinationPort"))
		all++
		if r.is("DestinationIp", d.story.AttackerIP) {
			story++
			if len(flows[key]) != 1 {
				t.Errorf("%d flows for the story's connection %s", len(flows[key]), key)
			}
		}
		if !within(r.at, flows[key]) {
			t.Errorf("no flow for %s at %v", key, r.at)
		}
	}
	if story < 20 || all < 500 {
		t.Errorf("%d connections, %d of the story: too few to mean anything", all, story)
	}
}

func everyNetworkLogonHasItsFlow(t *testing.T, d *telemetry) {
	t.Helper()
	flows, servers, checked := flowsByTuple(d), map[string]string{}, 0
	for _, r := range d.endpoint {
		if r.is("EventID", "3") {
			servers[r.text("Hostname")] = r.text("SourceIp")
		}
	}
	for _, r := range d.endpoint {
		if to := servers[r.text("Hostname")]; to != "" && r.is("EventID", "4624", "LogonType", "3") {
			checked++
			if key := tuple(r.text("IpAddress"), r.text("IpPort"), to, "445"); !within(r.at, flows[key]) {
				t.Errorf("no flow for the logon %s at %v", key, r.at)
			}
		}
	}
	if checked < 20 {
		t.Errorf("%d network logons: too few to mean anything", checked)
	}
}

func everyQueryHasItsAnswer(t *testing.T, d *telemetry) {
	t.Helper()
	asked, uids, checked := map[string][]time.Time{}, map[string]bool{}, 0
	for _, r := range d.zeek["dns"] {
		asked[r.text("query")] = append(asked[r.text("query")], r.at)
	}
	for _, r := range d.endpoint {
		if r.is("EventID", "22") {
			checked++
			if !within(r.at, asked[r.text("QueryName")]) {
				t.Errorf("no dns.log line for %s at %v", r.text("QueryName"), r.at)
			}
		}
	}
	if checked < 200 {
		t.Errorf("%d queries: too few to mean anything", checked)
	}
	for _, r := range d.zeek["conn"] {
		if uids[r.text("uid")] {
			t.Errorf("uid %s occurs twice in conn.log", r.text("uid"))
		}
		uids[r.text("uid")] = true
	}
	for _, log := range []string{"dns", "http", "ssl"} {
		for _, r := range d.zeek[log] {
			if !uids[r.text("uid")] {
				t.Errorf("%s: uid %s is not in conn.log", log, r.text("uid"))
			}
		}
	}
}

func noiseIsBelievable(t *testing.T, d *telemetry) {
	t.Helper()
	hosts, users, ids := map[string]bool{}, map[string]bool{}, map[string]int{}
	encoded, plain, busy := 0, 0, 0
	for _, r := range d.endpoint {
		hosts[r.text("Hostname")] = true
		ids[r.text("EventID")]++
		if h := r.at.Hour(); h >= 8 && h < 18 {
			busy++
		}
		if r.is("EventID", "1") && strings.HasSuffix(r.text("Image"), "powershell.exe") {
			if strings.Contains(r.text("CommandLine"), "-EncodedCommand") {
				encoded++
			} else {
				plain++
			}
		}
	}
	for _, r := range d.identity {
		users[r.text("properties.userPrincipalName")] = true
		ids["sign-in "+r.text("resultType")]++
	}
	for _, id := range []string{"1", "3", "5", "7", "10", "11", "12", "13", "22", "4104", "4624", "4625", "4688", "sign-in 50074", "sign-in 50126"} {
		if ids[id] < 3 {
			t.Errorf("event %s occurs %d times", id, ids[id])
		}
	}
	if len(hosts) != 40 || len(users) < 55 {
		t.Errorf("%d hosts and %d users", len(hosts), len(users))
	}
	if encoded < 5 || plain < 5 || busy < len(d.endpoint)*7/10 {
		t.Errorf("%d encoded and %d plain PowerShell runs; %d of %d events in working hours", encoded, plain, busy, len(d.endpoint))
	}
}

func recordNumbersAndParents(t *testing.T, d *telemetry) {
	t.Helper()
	numbers, seen := map[string]bool{}, map[string]bool{}
	for _, r := range d.endpoint {
		key := r.text("Hostname") + r.text("Channel") + r.text("RecordNumber")
		if r.text("RecordNumber") == "" || numbers[key] {
			t.Errorf("record number %q is missing or repeated", key)
		}
		numbers[key] = true
		if r.is("EventID", "1") {
			if guid := r.text("ProcessGuid"); seen[guid] || guid == r.text("ParentProcessGuid") {
				t.Errorf("process guid %s is not its own", guid)
			}
			seen[r.text("ProcessGuid")] = true
		}
	}
	for _, r := range d.endpoint {
		if r.is("EventID", "5") && !seen[r.text("ProcessGuid")] {
			t.Errorf("%s ended but never began", r.text("ProcessGuid"))
		}
	}
}

func encodedCommandSaysWhatTheScriptBlockSays(t *testing.T, d *telemetry) {
	t.Helper()
	shell := filter(d.endpoint, func(r record) bool { return r.is("EventID", "1") && strings.Contains(r.text("CommandLine"), " -Enc ") })
	if len(shell) != 1 {
		t.Fatalf("found %d encoded shells", len(shell))
	}
	_, code, _ := strings.Cut(shell[0].text("CommandLine"), " -Enc ")
	wide, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(wide), "\x00", "")
	blocks := filter(d.endpoint, func(r record) bool { return r.is("EventID", "4104", "ScriptBlockText", text) })
	if len(blocks) != 1 || !strings.Contains(text, "http://"+d.story.Domain) {
		t.Errorf("%d script blocks say %q", len(blocks), text)
	}
}

// nothingRealIsNamed keeps the invented world invented.
func nothingRealIsNamed(t *testing.T, d *telemetry) {
	t.Helper()
	address := regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}\b`)
	allowed := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.0/24"),
		netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("127.0.0.1/32")}
	check := func(r record, field string) {
		for _, text := range address.FindAllString(r.text(field), -1) {
			ip, err := netip.ParseAddr(text)
			if err != nil || !slices.ContainsFunc(allowed, func(p netip.Prefix) bool { return p.Contains(ip) }) {
				t.Errorf("%s: %s has %s", r.file, field, text)
			}
		}
	}
	for _, r := range d.endpoint {
		for _, field := range []string{"SourceIp", "DestinationIp", "IpAddress", "QueryResults"} {
			check(r, field)
		}
	}
	for _, r := range d.zeek["conn"] {
		check(r, "id.orig_h")
		check(r, "id.resp_h")
	}
	for _, r := range d.zeek["dns"] {
		if check(r, "answers"); !strings.HasSuffix(r.text("query"), ".example") {
			t.Errorf("dns.log asks for %s", r.text("query"))
		}
	}
	for _, r := range append(d.cloud, d.identity...) {
		check(r, "sourceIPAddress")
		check(r, "callerIpAddress")
	}
}
