package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/demo"
)

// run runs a command line and returns its status and output.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	var mu sync.Mutex // connections log beside the command
	p := &program{ctx: t.Context(), stdout: &out, stderr: &locked{&mu, &errs}}
	status = p.main(args)
	mu.Lock()
	defer mu.Unlock()
	return status, out.String(), errs.String()
}

// written is a folder with generated telemetry.
func written(t *testing.T) (string, *demo.Story) {
	t.Helper()
	dir := t.TempDir()
	story, err := demo.Write(t.Context(), dir, demo.Options{Events: 3000}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dir, story
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// hunted is what the tests look at in the output of hunt.
type hunted struct {
	Data struct {
		Hunt answer `json:"hunt"`
	} `json:"data"`
}

func decodeHunt(t *testing.T, stdout string) answer {
	t.Helper()
	var h hunted
	if err := json.Unmarshal([]byte(stdout), &h); err != nil {
		t.Fatalf("%v in %s", err, stdout)
	}
	return h.Data.Hunt
}

func TestHuntOnFolderOfLogs(t *testing.T) {
	dir, story := written(t)
	where := fmt.Sprintf(`{"dstEndpoint": {"ip": {"eq": %q}}, "metadata": {"logName": {"eq": "conn"}}}`, story.AttackerIP)
	status, out, errs := run(t, "hunt", "networkActivities", "--data", dir, "--start", "2026-01-01T00:00:00Z", "--end", "2027-01-01T00:00:00Z", "-w", where, "-f", "srcEndpoint.ip")
	a := decodeHunt(t, out)
	if status != 0 || len(a.Nodes) == 0 || a.Coverage.Verdict != "FOUND" || !a.Coverage.Complete {
		t.Fatalf("status %d, %s %s", status, out, errs)
	}
	if got := cell(a.Nodes[0], []string{"srcEndpoint", "ip"}); got != story.HostIP {
		t.Errorf("the first connection to the attacker came from %s, want %s", got, story.HostIP)
	}
}

func TestHuntSaysWhenItIsNotComplete(t *testing.T) {
	dir, _ := written(t)
	// Zeek logs have no process names: they could hold such events and cannot be asked.
	status, out, _ := run(t, "hunt", "networkActivities", "--data", dir, "--last", "P2000D", "-w", `{"actor": {"process": {"name": {"eq": "no-such.exe"}}}}`)
	if a := decodeHunt(t, out); status != 3 || a.Coverage.Verdict != "NOT_FOUND_PARTIAL" {
		t.Errorf("status %d, verdict %s; want 3 and NOT_FOUND_PARTIAL", status, a.Coverage.Verdict)
	}
}

func TestExplainAndSources(t *testing.T) {
	dir, _ := written(t)
	status, out, _ := run(t, "explain", "processActivities", "--data", dir, "--last", "P2000D", "-w", `{"process": {"name": {"eq": "cmd.exe"}}}`)
	if status != 0 || !strings.Contains(out, "SEARCH") || !strings.Contains(out, "EXACT") {
		t.Errorf("status %d: %s", status, out)
	}
	status, out, _ = run(t, "sources", "--data", dir)
	if status != 0 || !strings.Contains(out, `"windows.sysmon"`) || !strings.Contains(out, `"entra.signin"`) || !strings.Contains(out, `"aws.cloudtrail"`) || !strings.Contains(out, `"zeek"`) {
		t.Errorf("status %d: %s", status, out)
	}
}

func TestIngestExactlyOnceAndHuntTheLake(t *testing.T) {
	dir, story := written(t)
	conf := write(t, t.TempDir(), "harrier.yaml", "connections:\n- name: sensors\n  tenant: acme\n  connector: lake\n  settings: {path: lake}\n")
	status, first, errs := run(t, "ingest", "-c", conf, "--into", "acme/sensors", filepath.Join(dir, "network"))
	if status != 0 || strings.Contains(first, "SKIPPED") || !strings.Contains(first, "INGESTED") {
		t.Fatalf("status %d: %s %s", status, first, errs)
	}
	var r ingestReport
	if err := json.Unmarshal([]byte(first), &r); err != nil {
		t.Fatal(err)
	}
	if r.Records != r.Rows+r.Duplicates+r.Rejected || r.Records == 0 {
		t.Errorf("%+v: records in are not rows, duplicates and rejects", r)
	}
	status, second, _ := run(t, "ingest", "-c", conf, "--into", "sensors", filepath.Join(dir, "network"))
	if status != 0 || strings.Contains(second, "INGESTED") {
		t.Errorf("a second run ingests again: %s", second)
	}
	where := fmt.Sprintf(`{"query": {"hostname": {"eq": %q}}}`, strings.ToUpper(story.Domain))
	status, out, errs := run(t, "hunt", "dnsActivities", "-c", conf, "--last", "P2000D", "-w", where)
	if a := decodeHunt(t, out); status != 0 || len(a.Nodes) == 0 {
		t.Errorf("status %d, no look-up of %s in the lake: %s %s", status, story.Domain, out, errs)
	}
}

func TestDamagedFileIsNotIngested(t *testing.T) {
	dir, conf := t.TempDir(), ""
	good := `{"ts":1596607802.4,"uid":"a","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","_path":"conn"}` + "\n"
	write(t, dir, "good.log", good)
	write(t, dir, "bad.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff\xaaV\xcaLQ\xb2")
	conf = write(t, t.TempDir(), "harrier.yaml", "connections:\n- {name: l, tenant: t, connector: lake, settings: {path: lake}}\n")
	status, out, _ := run(t, "ingest", "-c", conf, "--into", "l", dir)
	if !strings.Contains(out, `"part":"good.log","state":"INGESTED"`) {
		t.Errorf("status %d, the sound file is not ingested: %s", status, out)
	}
	if strings.Contains(out, `"part":"bad.gz","state":"INGESTED"`) {
		t.Errorf("a damaged file is ingested: %s", out)
	}
}

func TestCopiesAndAmbiguousNames(t *testing.T) {
	dir := t.TempDir()
	record := `{"ts":1596607802.4,"uid":"a","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","_path":"conn"}` + "\n"
	for _, name := range []string{"a.log", "copy.log"} {
		write(t, dir, name, record)
	}
	conf := write(t, t.TempDir(), "harrier.yaml", "connections:\n- {name: l, tenant: t, connector: lake, settings: {path: lake}}\n- {name: l, tenant: u, connector: lake, settings: {path: lake}}\n")
	if status, _, errs := run(t, "ingest", "-c", conf, "--into", "l", dir); status == 0 || !strings.Contains(errs, "t/l or u/l") {
		t.Errorf("status %d: %s; want the two names", status, errs)
	}
	status, out, errs := run(t, "ingest", "-c", conf, "--into", "t/l", dir)
	var r ingestReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 {
		t.Fatalf("status %d: %v %s", status, err, errs)
	}
	if r.Records != 1 || r.Rows != 1 || r.Parts[1].State != "SKIPPED" {
		t.Errorf("%+v: a copy is ingested", r)
	}
}

func TestWrongValuesAreCountedWithTheirPlace(t *testing.T) {
	dir := t.TempDir()
	good := `{"ts":1596607802.4,"uid":"a","id.orig_h":"10.0.0.1","id.resp_h":"10.0.0.2","_path":"conn"}` + "\n"
	bad := `{"ts":1596607803.4,"uid":"b","id.orig_h":"10.0.0.1","id.resp_h":"no address","id.resp_p":"http","_path":"conn"}` + "\n"
	write(t, dir, "conn.log", good+bad)
	status, out, _ := run(t, "hunt", "networkActivities", "--data", dir, "--last", "P9000D")
	a := decodeHunt(t, out)
	l := a.Coverage.Connections[0]
	if status != 0 || len(a.Nodes) != 2 || l.Nulled == nil || *l.Nulled != 2 || !strings.Contains(*l.NulledFirst, fmt.Sprintf("conn.log at byte %d: dst_endpoint", len(good))) {
		t.Errorf("status %d, %d rows: %s", status, len(a.Nodes), out)
	}
}

func TestMappingCheck(t *testing.T) {
	dir, _ := written(t)
	status, out, errs := run(t, "mapping", "check", "zeek", filepath.Join(dir, "network"))
	var r checkReport
	if err := json.Unmarshal([]byte(out), &r); err != nil || status != 0 {
		t.Fatalf("status %d: %v %s", status, err, errs)
	}
	if r.Records == 0 || r.Rejected != 0 || len(r.Classes) < 3 {
		t.Errorf("%+v", r)
	}
	bad := write(t, t.TempDir(), "bad.yaml", "mapping: x\nmatch: {}\nrules:\n- {match: {}, class: base_event, colums: {}}\n")
	if status, _, errs := run(t, "mapping", "check", bad, dir); status != 1 || !strings.Contains(errs, "line 4, column") {
		t.Errorf("status %d: %s; want the position of the wrong key", status, errs)
	}
}

func TestBadInputIsSaidInOneLine(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"unknown key":          {[]string{"serve", "-c", write(t, dir, "a.yaml", "listen: 127.0.0.1:0\nconections: []\n")}, "a.yaml: line 2, column 1: unknown field"},
		"wrong type":           {[]string{"serve", "-c", write(t, dir, "b.yaml", "principals: 3\n")}, "b.yaml: line 1"},
		"unknown setting":      {[]string{"serve", "-c", write(t, dir, "c.yaml", "state: "+dir+"\nconnections:\n- {name: a, tenant: t, connector: files, settings: {pth: x}}\n")}, `line 3`},
		"unknown connector":    {[]string{"serve", "-c", write(t, dir, "d.yaml", "connections:\n- {name: a, tenant: t, connector: nope}\n")}, `no connector "nope"`},
		"connection twice":     {[]string{"serve", "-c", write(t, dir, "e.yaml", "connections:\n- {name: a, tenant: t, connector: files}\n- {name: a, tenant: t, connector: files}\n")}, "twice"},
		"token in clear":       {[]string{"serve", "-c", write(t, dir, "f.yaml", "state: "+dir+"\nprincipals:\n- {name: a, token: secret-token, tenants: [t]}\n")}, "sha256:"},
		"no such file":         {[]string{"serve", "-c", filepath.Join(dir, "none.yaml")}, "cannot be read"},
		"no such folder":       {[]string{"demo", "--data", filepath.Join(dir, "none"), "--once"}, "no such folder"},
		"no such class":        {[]string{"hunt", "process", "--data", dir}, "processActivities"},
		"no range":             {[]string{"hunt", "processActivities", "--data", dir}, "start and end, or last"},
		"condition is no JSON": {[]string{"hunt", "processActivities", "--data", dir, "--last", "P1D", "-w", "{"}, "--where"},
		"bad deadline":         {[]string{"serve", "-c", write(t, dir, "g.yaml", "deadline: soon\n")}, "deadline"},
	} {
		t.Run(name, func(t *testing.T) {
			status, out, errs := run(t, c.args...)
			if status == 0 || out != "" || !strings.Contains(errs, c.want) {
				t.Errorf("status %d, stdout %q, stderr %q; want %q", status, out, errs, c.want)
			}
			if strings.Contains(errs, "secret-token") {
				t.Error("the error shows a token")
			}
		})
	}
}

func TestHelpShowsExamples(t *testing.T) {
	for _, command := range []string{"serve", "demo", "hunt", "explain", "ingest", "sources", "mapping check"} {
		args := append(strings.Fields(command), "--help")
		if status, out, _ := run(t, args...); status != 0 || !strings.Contains(out, "harrier "+strings.Fields(command)[0]) || !strings.Contains(out, "Examples:") {
			t.Errorf("%s --help: status %d\n%s", command, status, out)
		}
	}
	if status, out, _ := run(t, "version"); status != 0 || !strings.HasPrefix(out, "harrier ") {
		t.Errorf("version: status %d, %s", status, out)
	}
}

// served is a demo that serves until the test ends.
type served struct {
	url, token, tenant string
}

// serveDemo starts `demo --ready-json` and waits for its line.
func serveDemo(t *testing.T, args ...string) served {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	r, w := io.Pipe()
	var errs bytes.Buffer
	var mu sync.Mutex
	p := &program{ctx: ctx, stdout: w, stderr: &locked{&mu, &errs}}
	ended := make(chan int, 1)
	go func() {
		ended <- p.main(append([]string{"demo", "--listen", "127.0.0.1:0", "--ready-json"}, args...))
		w.Close()
	}()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != 0 {
			t.Errorf("the demo ended with status %d", status)
		}
	})
	var ready map[string]string
	if err := json.NewDecoder(r).Decode(&ready); err != nil {
		mu.Lock()
		defer mu.Unlock()
		t.Fatalf("no ready line: %v; %s", err, errs.String())
	}
	return served{ready["url"], ready["token"], ready["tenant"]}
}

// locked is a writer that tests may read beside its writers.
type locked struct {
	mu *sync.Mutex
	w  io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// ask posts a query and returns the body.
func (s served) ask(t *testing.T, query string, vars map[string]any) string {
	t.Helper()
	body, _ := json.Marshal(map[string]any{"query": query, "variables": vars})
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := (&http.Client{Timeout: time.Minute}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestServedDemoAnswersTheSameThroughFilesAndLake(t *testing.T) {
	dir, story := written(t)
	query := `query($ip: IP!) { authentications(timeRange: {last: "P2000D"}, where: {srcEndpoint: {ip: {eq: $ip}}}, first: 100) {
		nodes { uid time tenant user { name } } coverage { verdict complete } } }`
	var answers []string
	for _, through := range []string{"files", "lake"} {
		s := serveDemo(t, "--data", dir, "--through", through)
		answers = append(answers, s.ask(t, query, map[string]any{"ip": story.AttackerIP}))
		health, err := http.Get(strings.TrimSuffix(s.url, "/graphql") + "/readyz")
		if err != nil || health.StatusCode != http.StatusOK {
			t.Errorf("not ready: %v", err)
		}
	}
	if answers[0] != answers[1] || !strings.Contains(answers[0], story.UPN) {
		t.Errorf("files: %s\nlake:  %s", answers[0], answers[1])
	}
}

// TestDemoShowsGeneratedLogsThroughAnyConnector: the same story is found, and the native queries are those of the connector.
func TestDemoShowsGeneratedLogsThroughAnyConnector(t *testing.T) {
	for through, want := range map[string][]string{
		"files":   {"demo/endpoint", "demo/network"},
		"lake":    {"demo/sensors", "regexp_matches"},
		"elastic": {"demo/sensors", `"wildcard"`},
	} {
		t.Run(through, func(t *testing.T) {
			if err := node.Available(node.OpenSearch); through == "elastic" && err != nil {
				t.Skip(err)
			}
			status, out, errs := run(t, "demo", "--once", "--events", "3000", "--through", through)
			if status != 0 {
				t.Fatalf("status %d: %s", status, errs)
			}
			for _, text := range append(want, "FOUND", "demo/cloud", "demo/identity") {
				if !strings.Contains(out, text) {
					t.Errorf("the demo does not show %q", text)
				}
			}
		})
	}
}

func TestDemoPrintsHuntPlanAnswerAndCoverage(t *testing.T) {
	status, out, errs := run(t, "demo", "--once", "--events", "3000")
	if status != 0 {
		t.Fatalf("status %d: %s", status, errs)
	}
	for _, want := range []string{"Hunt: processActivities", "Plan:", "SELECT", "regexp_matches", "FOUND", "demo/sensors", "demo/cloud", "demo/identity", "COMPLETE"} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not show %q", want)
		}
	}
}
