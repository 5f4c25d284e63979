package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// healsWithin is how long a connection may take to come back by itself when its source has.
const healsWithin = 15 * time.Second

// sourceFault is something that is wrong with a connection, and what the gateway has to say about it.
type sourceFault struct {
	connection string           // as YAML, behind its name and tenant
	begin      func(*testing.T) // makes it wrong while the gateway runs; nil if it is from the start
	line       string           // of coverage: "STATE CODE" (or one of two, with " or " between), or "COMPLETE" if the gateway copes
	state      string           // of the source, or one of two
	says       []string         // what a person needs to know, of the message
	waits      time.Duration    // that coverage shows at least
	heal       func(*testing.T) // makes it right; nil if that needs another configuration
}

// faultyGateway is a gateway of a configuration file with a healthy connection beside a faulty one. Both hold the same events.
type faultyGateway struct {
	t       *testing.T
	conf    string
	api     *executor.Executor
	secrets []string
	want    map[string][]string // as in telemetry

	mu    sync.Mutex
	heard bytes.Buffer // all that came out: answers and log
}

// telemetry is the folder of events that all connections hold.
type telemetry struct {
	data string
	want map[string][]string // connection: uids of what the hunts of the tests ask for
}

// newTelemetry writes events.
func newTelemetry(t *testing.T) *telemetry {
	t.Helper()
	dir := t.TempDir()
	if _, err := demo.Write(t.Context(), dir, demo.Options{Events: 2000}, nil); err != nil {
		t.Fatal(err)
	}
	out := &telemetry{data: t.TempDir()} // two hosts, and what the hunt asks for, so that connections open soon
	for _, name := range []string{"sysmon-ws-fin-04.jsonl", "sysmon-ws-sal-03.jsonl", "security-ws-fin-04.jsonl"} {
		if err := os.Rename(filepath.Join(dir, "endpoint", name), filepath.Join(out.data, name)); err != nil {
			t.Fatal(err)
		}
	}
	a := out.open(t, fmt.Sprintf("connector: files, settings: {path: %q}", out.data)).ask(t)
	out.want = map[string][]string{"healthy": a.of("healthy"), "faulty": a.of("faulty")}
	if len(out.want["faulty"]) < 20 || len(out.want["faulty"]) != len(out.want["healthy"]) {
		t.Fatalf("%d and %d events", len(out.want["faulty"]), len(out.want["healthy"]))
	}
	return out
}

// open opens a gateway whose healthy connection reads the events in place.
func (d *telemetry) open(t *testing.T, connection string, secrets ...string) *faultyGateway {
	t.Helper()
	conf := write(t, t.TempDir(), "harrier.yaml", "deadline: 8s\nconnections:\n"+
		fmt.Sprintf("- {name: healthy, tenant: demo, connector: files, settings: {path: %q}}\n", d.data)+
		fmt.Sprintf("- {name: faulty, tenant: demo, %s}\n", connection))
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	out := &faultyGateway{t: t, conf: conf, want: d.want, secrets: secrets}
	log := zerolog.New(&locked{&out.mu, &out.heard})
	g, err := openGateway(t.Context(), cfg, log)
	if err != nil {
		t.Fatal(err)
	}
	out.api = graph.NewExecutor(g.resolver)
	t.Cleanup(func() {
		g.close(log)
		out.keepsSecrets()
	})
	return out
}

// keepsSecrets holds that no secret is in anything that came out.
func (g *faultyGateway) keepsSecrets() {
	for _, s := range g.secrets {
		if at := strings.Index(g.heard.String(), s); at >= 0 {
			g.t.Errorf("a secret came out: ...%s", g.heard.String()[max(0, at-200):at])
		}
	}
}

// lineOf is what the tests look at in a line of coverage.
type lineOf struct {
	Connection, Stream, State string
	ThrottledMs               int64
	Notes                     []string
	Error                     *sourceError
	Parts                     []struct {
		Part  string
		Error sourceError
	}
}

// end is state and code.
func (l *lineOf) end() string {
	if l.Error == nil {
		return l.State
	}
	return l.State + " " + l.Error.Code
}

func (l *lineOf) code() string {
	if l.Error == nil {
		return ""
	}
	return l.Error.Code
}

// text is what the line says to people.
func (l *lineOf) text() string {
	out := strings.Join(l.Notes, "\n")
	if l.Error != nil {
		out += "\n" + l.Error.Message
	}
	for _, p := range l.Parts {
		out += "\n" + p.Part + ": " + p.Error.Code + " " + p.Error.Message
	}
	return out
}

// faultyAnswer is a page of an answer.
type faultyAnswer struct {
	Nodes    []struct{ UID, Connection string }
	PageInfo struct {
		HasNextPage bool
		EndCursor   *string
	}
	Coverage struct {
		Complete    bool
		Connections []lineOf
	}
}

// of returns the uids of a connection.
func (a *faultyAnswer) of(connection string) []string {
	var out []string
	for _, n := range a.Nodes {
		if n.Connection == connection {
			out = append(out, n.UID)
		}
	}
	return out
}

// faulty returns the lines of the faulty connection that tell of a search.
func (a *faultyAnswer) faulty() []lineOf {
	return slices.DeleteFunc(slices.Clone(a.Coverage.Connections), func(l lineOf) bool {
		return l.Connection != "faulty" || l.State == "PRUNED" || l.State == "IMPOSSIBLE"
	})
}

// execute asks through GraphQL and keeps what came.
func (g *faultyGateway) execute(t *testing.T, query string, vars map[string]any) json.RawMessage {
	t.Helper()
	resp, err := graph.Execute(t.Context(), g.api, &access.Principal{Name: "test", Tenants: []string{demoTenant}}, &graphql.RawParams{Query: query, Variables: vars})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(resp)
	if err != nil {
		t.Fatal(err)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.heard.Write(text)
	return resp.Data
}

// page asks a page of a class. The healthy connection must be complete in it.
func (g *faultyGateway) page(t *testing.T, root string, first int, after *string) *faultyAnswer {
	t.Helper()
	doc := fmt.Sprintf(`query($after: String) { f: %s(timeRange: {start: "2000-01-01T00:00:00Z", end: "2100-01-01T00:00:00Z"}, first: %d, after: $after) {
		nodes { uid connection } pageInfo { hasNextPage endCursor }
		coverage { complete connections { connection stream state throttledMs notes error { code message } parts { part error { code message } } } } } }`, root, first)
	var data struct{ F *faultyAnswer }
	if err := json.Unmarshal(g.execute(t, doc, map[string]any{"after": deref(after)}), &data); err != nil || data.F == nil {
		t.Fatalf("no answer: %v", err)
	}
	for _, l := range data.F.Coverage.Connections {
		if l.Connection == "healthy" && l.State != "COMPLETE" && l.State != "PRUNED" && l.State != "IMPOSSIBLE" {
			t.Errorf("the healthy connection is %s %s", l.end(), l.text())
		}
	}
	return data.F
}

// ask asks for everything at once. The healthy connection must not have lost a row.
func (g *faultyGateway) ask(t *testing.T) *faultyAnswer {
	t.Helper()
	a := g.page(t, "processActivities", 10000, nil)
	if g.want != nil && !slices.Equal(a.of("healthy"), g.want["healthy"]) {
		t.Errorf("the healthy connection: %s", differ(a.of("healthy"), g.want["healthy"]))
	}
	return a
}

// source is how the faulty connection is among the sources.
func (g *faultyGateway) source(t *testing.T) *sourceOf {
	t.Helper()
	var data struct{ Sources []sourceOf }
	doc := `{ sources { connection state healthy error { code message } notes health { lastError { code message } throttledUntil retryAt }
		plugin { restarts digest } streams { class rows attributes } } }`
	if err := json.Unmarshal(g.execute(t, doc, nil), &data); err != nil || len(data.Sources) != 2 || !data.Sources[0].Healthy {
		t.Fatalf("%+v, %v; want two sources, the first one healthy", data.Sources, err)
	}
	return &data.Sources[1]
}

// sourceOf is what the tests look at in a source.
type sourceOf struct {
	State   string
	Healthy bool
	Error   *sourceError
	Notes   []string
	Health  struct {
		LastError               *sourceError
		ThrottledUntil, RetryAt *string
	}
	Plugin *struct {
		Restarts int
		Digest   string
	}
	Streams []struct {
		Class      string
		Rows       *int64
		Attributes []string
	}
}

// code is that of why it cannot be asked, or of its last failure.
func (s *sourceOf) code() string {
	switch {
	case s.Error != nil:
		return s.Error.Code
	case s.Health.LastError != nil:
		return s.Health.LastError.Code
	}
	return ""
}

// suffers holds what a fault makes of the answers, and that the connection heals.
func (g *faultyGateway) suffers(t *testing.T, f *sourceFault) {
	t.Helper()
	if f.begin != nil {
		g.heals(t)
		f.begin(t)
	}
	a := g.ask(t)
	lines := a.faulty()
	if len(lines) == 0 {
		t.Fatalf("the faulty connection is no line of coverage: %+v", a.Coverage)
	}
	waited := time.Duration(0)
	for _, l := range lines {
		if !slices.Contains(strings.Split(f.line, " or "), l.end()) {
			t.Errorf("coverage says %s: %s; want %s", l.end(), l.text(), f.line)
		}
		for _, s := range f.says {
			if !strings.Contains(l.text(), s) {
				t.Errorf("coverage says %q, and nothing of %q", l.text(), s)
			}
		}
		waited = max(waited, time.Duration(l.ThrottledMs)*time.Millisecond)
	}
	if waited < f.waits || f.waits == 0 && waited > 0 {
		t.Errorf("coverage shows a wait of %s, want %s", waited, f.waits)
	}
	complete := f.line == "COMPLETE"
	if a.Coverage.Complete != complete || complete && !slices.Equal(a.of("faulty"), g.want["faulty"]) {
		t.Errorf("complete: %v, %d of %d rows", a.Coverage.Complete, len(a.of("faulty")), len(g.want["faulty"]))
	}
	s := g.source(t)
	code := lines[0].code()
	if !slices.Contains(strings.Split(f.state, " or "), s.State) || !complete && s.code() != code && code != "SOURCE_SUSPENDED" {
		t.Errorf("among the sources it is %s %s (%+v, %+v), want %s %s", s.State, s.code(), s.Error, s.Health.LastError, f.state, code)
	}
	if f.heal != nil {
		f.heal(t)
		g.heals(t)
	}
}

// heals asks until the faulty connection has all its rows.
func (g *faultyGateway) heals(t *testing.T) {
	t.Helper()
	began := time.Now()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		a := g.ask(t)
		if a.Coverage.Complete && slices.Equal(a.of("faulty"), g.want["faulty"]) {
			if s := g.source(t); !s.Healthy || s.State == "DOWN" || s.State == "SUSPENDED" {
				t.Errorf("it answers and is %s", s.State)
			}
			return
		}
		if time.Since(began) > healsWithin {
			t.Fatalf("it did not heal within %s: %+v; %s", healsWithin, a.faulty(), differ(a.of("faulty"), g.want["faulty"]))
		}
		<-tick.C
	}
}

// suffer runs faults side by side, each in a gateway of its own.
func (d *telemetry) suffer(t *testing.T, faults map[string]sourceFault, secrets ...string) {
	t.Helper()
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d.open(t, f.connection, secrets...).suffers(t, &f)
		})
	}
}

// closedPort is an address at which nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// broken is an executable that is not what it should be, and what makes it so.
type broken struct {
	path string
	data string
}

// newBroken writes a file that is to be a plugin.
func newBroken(t *testing.T, data, text string, mode os.FileMode) *broken {
	t.Helper()
	b := &broken{filepath.Join(t.TempDir(), "plugin"), data}
	if err := os.WriteFile(b.path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	return b
}

// connection is a connection to it; more is what else its process has.
func (b *broken) connection(more string) string {
	return fmt.Sprintf("connector: plugin, process: {path: %q, args: [memory-plugin, %q]%s}", b.path, b.data, more)
}

// mend puts a sound plugin in its place.
func (b *broken) mend(t *testing.T) {
	t.Helper()
	if err := os.Remove(b.path); err != nil && !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := os.Symlink(os.Args[0], b.path); err != nil {
		t.Error(err)
	}
}

// TestFaultsOfAPlugin: whatever is wrong with an executable, the line says which file and what to do, and it is taken as soon as it is right.
func TestFaultsOfAPlugin(t *testing.T) {
	t.Parallel()
	d := newTelemetry(t)
	const shell = "#!/bin/sh\n"
	elsewhere := "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\x00", 8) + "\x02\x00\xf3\x00" + strings.Repeat("\x00", 44) // for RISC-V
	faults := map[string]sourceFault{}
	add := func(name, line string, b *broken, more string, says ...string) {
		faults[name] = sourceFault{connection: b.connection(more), line: line, state: "DOWN", says: append(says, b.path), heal: b.mend}
	}
	absent := newBroken(t, d.data, "", 0o600)
	if err := os.Remove(absent.path); err != nil {
		t.Fatal(err)
	}
	add("missing", "FAILED PLUGIN_REFUSED", absent, "", "is not there")
	add("not executable", "FAILED PLUGIN_REFUSED", newBroken(t, d.data, shell, 0o600), "", "set its execute permission")
	add("wrong checksum", "FAILED PLUGIN_REFUSED", newBroken(t, d.data, shell, 0o700), ", checksum: "+checksumOf(t, os.Args[0]),
		"not the pinned executable", "the configuration says sha256:", "it was not started")
	add("wrong architecture", "FAILED PLUGIN_REFUSED", newBroken(t, d.data, elsewhere, 0o700), "", "no program for "+runtime.GOOS+"/"+runtime.GOARCH)
	add("exits at once", "FAILED PLUGIN_CRASHED", newBroken(t, d.data, shell+"echo the licence is missing >&2\nexit 7\n", 0o700), "", "exit status 7", "the licence is missing")
	add("prints garbage", "FAILED PLUGIN_REFUSED", newBroken(t, d.data, shell+"echo Listening on port 8080 ...\nsleep 60\n", 0o700), "", "Listening on port 8080", "must not write to standard output")
	d.suffer(t, faults)
}

func checksumOf(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("sha256:%x", sum.Sum(nil))
}

// faultyPlugin is a connection to a plugin that does what a file says (withFault). The file is not there yet.
func faultyPlugin(t *testing.T) (connection, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "fault")
	return fmt.Sprintf("connector: plugin, process: {path: %q, args: [faulty-plugin, %q]}", os.Args[0], file), file
}

// TestAPluginKilledDuringAHunt: one death in the middle of an answer costs nothing, and is counted; a plugin that dies in every search is
// a failed line that says how, until it does not any more.
func TestAPluginKilledDuringAHunt(t *testing.T) {
	t.Parallel()
	d := newTelemetry(t)
	for word, f := range map[string]sourceFault{
		"once":   {line: "COMPLETE", state: "HEALTHY"},
		"always": {line: "FAILED PLUGIN_CRASHED", state: "DEGRADED or DOWN", says: []string{os.Args[0], "started again"}},
	} {
		t.Run(word, func(t *testing.T) {
			t.Parallel()
			connection, file := faultyPlugin(t)
			g := d.open(t, connection)
			g.want = map[string][]string{"healthy": d.want["healthy"], "faulty": g.ask(t).of("faulty")}
			if len(g.want["faulty"]) == 0 {
				t.Fatal("the plugin holds nothing")
			}
			f.begin = func(t *testing.T) { write(t, filepath.Dir(file), filepath.Base(file), word) }
			if word == "always" {
				f.heal = func(t *testing.T) {
					if err := os.Remove(file); err != nil {
						t.Error(err)
					}
				}
			}
			g.suffers(t, &f)
			if s := g.source(t); s.Plugin == nil || s.Plugin.Restarts < 1 || word == "once" && s.Plugin.Restarts > 1 {
				t.Errorf("%+v; want the restarts to be counted", s.Plugin)
			}
		})
	}
}

// randomEvents holds some events that are the same in every process. It opens at once.
func randomEvents(id hunt.Identity) (hunt.Connector, error) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	st := &hunt.Stream{Name: "random", Class: class, Attributes: hunttest.AllAttributes(class)}
	into := memory.Open(id)
	return into, into.Append(st, hunttest.RandomBatch(rand.New(rand.NewPCG(1, 2)), class, 60)) //nolint:gosec // the same ones each time
}

// withFault is a connector that does what a file says: "once" and "always" kill the process in a search, "lie" leaves out a row of every
// answer to a condition, "tell" fails with the token in the message.
func withFault(c hunt.Connector, file, token string) hunt.Connector {
	out := &flaky{Connector: c}
	spoil := func(_ context.Context, tr *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
		word, _ := os.ReadFile(file) // it may be gone, which is no word
		if string(word) == "tell" && !hunt.IsTrue(tr.Request.Where) {
			yield(nil, &hunt.Error{Code: hunt.SourceFailed, Message: "refused " + token})
			return
		}
		for f, err := range frames {
			b, batch := f.(*hunt.Batch)
			switch {
			case string(word) == "lie" && batch && !hunt.IsTrue(tr.Request.Where):
				if f = (&hunt.Batch{Record: b.Record.NewSlice(1, b.Record.NumRows())}); b.Record.NumRows() == 1 {
					continue
				}
			case string(word) == "once" && !batch:
				_ = os.Remove(file)
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			case string(word) == "always":
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			}
			if !yield(f, err) {
				return
			}
		}
	}
	out.search.Store(&spoil)
	return out
}

// TestAConfigurationThatCannotBeMeant: the program does not start, and says the line.
func TestAConfigurationThatCannotBeMeant(t *testing.T) {
	dir := t.TempDir()
	const sound = "state: state\nconnections:\n- {name: sound, tenant: t, connector: files, settings: {path: .}}\n"
	for name, c := range map[string]struct {
		connection string
		says       []string
	}{
		"unknown connector":       {"- name: a\n  tenant: t\n  connector: elastik\n", []string{"line 4", `no connector "elastik"`, "elastic, files, lake and plugin"}},
		"unknown setting":         {"- name: a\n  tenant: t\n  connector: elastic\n  settings:\n    urls: [http://127.0.0.1:1]\n    pasword: env:X\n", []string{"line 9, column 5", "pasword"}},
		"isolation misspelt":      {"- name: a\n  tenant: t\n  connector: files\n  isolation: proces\n", []string{"line 4", `isolation "proces"`, "say process"}},
		"unknown key":             {"- name: a\n  tenant: t\n  conector: files\n", []string{"line 6, column 3", "conector"}},
		"setting of wrong type":   {"- name: a\n  tenant: t\n  connector: elastic\n  settings: {urls: 3}\n", []string{"line 7, column 20"}},
		"unknown setting, apart":  {"- name: a\n  tenant: t\n  connector: files\n  isolation: process\n  settings:\n    pth: x\n", []string{"line 9, column 5", "pth"}},
		"a secret that is itself": {"- name: a\n  tenant: t\n  connector: elastic\n  settings: {urls: ['http://127.0.0.1:1'], api_key: hunter2-hunter2}\n", []string{"env:NAME or file:PATH"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			var mu sync.Mutex
			p := &program{ctx: t.Context(), stdout: &out, stderr: &locked{&mu, &errs}}
			status := p.main([]string{"serve", "-c", write(t, dir, strings.ReplaceAll(name, " ", "-")+".yaml", sound+c.connection)})
			if status != 1 || out.Len() > 0 || strings.Contains(errs.String(), "hunter2") {
				t.Errorf("status %d, stdout %q, stderr %q", status, &out, &errs)
			}
			_, last, _ := strings.Cut(errs.String(), "harrier: ")
			for _, s := range c.says {
				if !strings.Contains(last, s) {
					t.Errorf("it says %q, and nothing of %q", last, s)
				}
			}
		})
	}
}

// another runs this program in a process of its own.
func another(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), os.Args[0], args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}
