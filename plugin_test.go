package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/hunt/conformance"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
)

// oktaToken is what the plugin finds where its settings say; nothing may show it.
const oktaToken = "00aSecretThatNobodyMaySee"

// buildOkta builds the example of a plugin as its README says.
func buildOkta(t *testing.T) string {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go tool is not there; install Go to build the example of a plugin")
	}
	out := filepath.Join(t.TempDir(), "harrier-okta")
	cmd := exec.CommandContext(t.Context(), tool, "build", "-buildvcs=false", "-tags", "duckdb_arrow", "-o", out, "./plugins/example/okta/cmd/harrier-okta")
	cmd.Env = append(os.Environ(), "GOPROXY=off")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	manifest, err := os.ReadFile("plugins/example/okta/cmd/harrier-okta/plugin.yaml")
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Dir(out), "plugin.yaml", string(manifest))
	return out
}

// organisation is an Okta with events of the last hours.
func organisation(t *testing.T, options oktatest.Options) *oktatest.Server {
	t.Helper()
	var events []string
	for i := range 60 {
		at := time.Now().UTC().Add(time.Duration(i-90) * time.Minute).Format("2006-01-02T15:04:05.000Z")
		kind := []string{"user.session.start", "user.lifecycle.create", "group.profile.update", "system.org.rate_limit.warning"}[i%4]
		events = append(events, fmt.Sprintf(`{"uuid":"e-%d","published":%q,"eventType":%q,"outcome":{"result":%q},"actor":{"alternateId":"user%d@example.test"},"client":{"ipAddress":"192.0.2.%d"}}`,
			i, at, kind, []string{"SUCCESS", "FAILURE"}[i%2], i%5, i))
	}
	options.Token = oktaToken
	s, err := oktatest.New(events, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// checked are the lines of a check for machines, by behaviour.
func checked(t *testing.T, stdout string) map[string]outcome {
	t.Helper()
	out := map[string]outcome{}
	for line := range strings.Lines(stdout) {
		var o outcome
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			t.Fatalf("a line that is no JSON: %v: %s", err, line)
		}
		out[o.Behaviour] = o
	}
	for _, b := range conformance.Behaviours() {
		if o := out[b.Name]; o.Contract != b.Contract {
			t.Errorf("no line for %s", b.Name)
		}
	}
	return out
}

// TestTheExampleKeepsTheContract checks the Okta plugin with the token in a variable that it gets.
func TestTheExampleKeepsTheContract(t *testing.T) {
	plugin := buildOkta(t)
	t.Setenv("OKTA_TOKEN", oktaToken)
	settings := write(t, t.TempDir(), "okta.yaml", fmt.Sprintf("url: %s\ntoken: env:OKTA_TOKEN\n", organisation(t, oktatest.Options{}).URL()))
	status, out, errs := run(t, "plugin", "check", plugin, "--settings", settings, "--env", "OKTA_TOKEN")
	if status != 0 || strings.Contains(out+errs, oktaToken) {
		t.Errorf("status %d: %s %s", status, out, errs)
	}
	kept := 0
	for name, o := range checked(t, out) {
		switch {
		case name == "Manifest" && (o.Outcome != "KEPT" || !strings.Contains(fmt.Sprint(o.Notes), "*.okta.com:443")):
			t.Errorf("its manifest: %+v", o)
		case name == "Secrets" && o.Outcome != "KEPT":
			t.Errorf("its settings name a secret: %+v", o)
		case o.Outcome == "KEPT" && len(o.Problems) == 0:
			kept++
		case o.Outcome != "SKIPPED" || o.Skipped == "":
			t.Errorf("%s: %+v", name, o)
		}
	}
	if kept < len(conformance.Behaviours())/2 {
		t.Errorf("only %d behaviours are checked", kept)
	}
	t.Run("among the sources", func(t *testing.T) { oktaAmongTheSources(t, plugin) })
}

// TestALyingPluginIsFound: one that leaves out a row of every answer to a condition does not keep the contract; both forms of output name
// the behaviour and say what is wrong.
func TestALyingPluginIsFound(t *testing.T) {
	t.Parallel()
	fault := write(t, t.TempDir(), "fault", "lie")
	status, out, errs := run(t, "plugin", "check", os.Args[0], "faulty-plugin", fault)
	lines := checked(t, out)
	if o := lines["Predicates"]; status != 1 || o.Outcome != "BROKEN" || len(o.Problems) == 0 || !strings.Contains(errs, "does not keep the contract") {
		t.Errorf("status %d, %+v: %s", status, o, errs)
	}
	if o := lines["Describe"]; o.Outcome != "KEPT" {
		t.Errorf("what it does not break: %+v", o)
	}
}

// TestAManifestOfAnotherPluginIsFound, one that wants a variable is told of, and one that cannot be read is shown with its line.
func TestAManifestOfAnotherPluginIsFound(t *testing.T) {
	plugin := buildOkta(t)
	t.Setenv("OKTA_TOKEN", oktaToken)
	settings := write(t, t.TempDir(), "okta.yaml", fmt.Sprintf("url: %s\ntoken: env:OKTA_TOKEN\n", organisation(t, oktatest.Options{}).URL()))
	for manifest, want := range map[string]struct{ outcome, says string }{
		"name: okta\nversion: 0.9.0\nprotocol: 1\n":                                       {"BROKEN", "version 0.9.0"},
		"name: acme\nversion: 1.0.0\nprotocol: 1\n":                                       {"BROKEN", "plugin acme"},
		"name: okta\nversion: 1.0.0\nprotocol: 1\negres: []\n":                            {"BROKEN", "line 4, column 1"},
		"name: okta\nversion: 1.0.0\nprotocol: 1\nenvironment: [HTTPS_PROXY]\negress: []": {"KEPT", "HTTPS_PROXY"},
	} {
		write(t, filepath.Dir(plugin), "plugin.yaml", manifest)
		c := pluginCheckCmd{Path: plugin, Settings: settings}
		text, err := c.settings()
		if err != nil {
			t.Fatal(err)
		}
		connect, err := c.opener(&program{ctx: t.Context(), stderr: io.Discard}, text)
		if err != nil {
			t.Fatal(err)
		}
		r := c.manifest(t.Context(), connect)
		if o := outcomeOf(&r); o.Outcome != want.outcome || !strings.Contains(fmt.Sprint(o.Problems, o.Notes), want.says) {
			t.Errorf("%s: %+v, want %s and %q", manifest, o, want.outcome, want.says)
		}
	}
}

// TestAPluginThatTellsItsSecretIsFound, though the host takes the secret out of what it says.
func TestAPluginThatTellsItsSecretIsFound(t *testing.T) {
	t.Setenv("FAULTY_TOKEN", "hunter2-hunter2")
	dir := t.TempDir()
	status, out, errs := run(t, "plugin", "check", os.Args[0], "faulty-plugin", write(t, dir, "fault", "tell"), "--settings", write(t, dir, "settings.yaml", "token: env:FAULTY_TOKEN\n"))
	if status != 1 || !strings.Contains(out, "shows a secret of the connection") || strings.Contains(out+errs, "hunter2") {
		t.Errorf("status %d: %.2000s %s", status, out, errs)
	}
}

// TestAResultForPeople is a line of the contract, and below it the whole of what is wrong.
func TestAResultForPeople(t *testing.T) {
	problem := "Search random process_activity (" + strings.Repeat("x", 200) + "): 3 rows are missing"
	var text bytes.Buffer
	p := &program{stdout: &text, tty: true}
	b := conformance.Behaviours()[0]
	if err := p.printResult(&conformance.Result{Behaviour: b, Problems: []error{errors.New(problem)}, Skipped: "because"}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"BROKEN", b.Name, b.Contract, problem, "because"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in %s", want, &text)
		}
	}
}

// TestAPluginThatCannotBeChecked is one line that says what to do.
func TestAPluginThatCannotBeChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	none := filepath.Join(dir, "none")
	for want, args := range map[string][]string{
		none + " cannot be started: it is not there": {none},
		none + ": cannot be read":                    {os.Args[0], "--settings", none},
		"no variable NO_SUCH_VARIABLE":               {os.Args[0], "--env", "NO_SUCH_VARIABLE"},
	} {
		if status, out, errs := run(t, append([]string{"plugin", "check"}, args...)...); status != 1 || out != "" || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("status %d, %q, %q; want %q", status, out, errs, want)
		}
	}
}

// oktaAmongTheSources: what the plugin and the organisation say of themselves is in what `sources` prints, for machines and for people.
func oktaAmongTheSources(t *testing.T, plugin string) {
	server := organisation(t, oktatest.Options{RateLimit: 600})
	conf := write(t, t.TempDir(), "harrier.yaml", fmt.Sprintf(`connections:
- name: okta
  tenant: demo
  connector: plugin
  settings: {url: %q, token: 'env:OKTA_TOKEN'}
  process: {path: %q, checksum: %q}
`, server.URL(), plugin, checksumOf(t, plugin)))
	status, out, errs := run(t, "sources", "-c", conf, "--provides")
	var got struct {
		Data struct{ Sources []oktaSource }
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || status != 0 || len(got.Data.Sources) != 1 {
		t.Fatalf("status %d, %v: %s %s", status, err, out, errs)
	}
	s := &got.Data.Sources[0]
	if s.State != "HEALTHY" || s.Plugin.Name != "okta" || s.Plugin.Digest != checksumOf(t, plugin) || s.Plugin.Restarts != 0 || s.Plugin.Protocol != 1 {
		t.Errorf("%s, process %+v", s.State, s.Plugin)
	}
	if !slices.Contains(s.Plugin.Egress, "*.okta.com:443") {
		t.Errorf("it talks to %q; its manifest says more", s.Plugin.Egress)
	}
	if len(s.Limits) == 0 || len(s.Quota) != 1 || s.Quota[0].Of == nil || *s.Quota[0].Of != 600 || s.Quota[0].Left <= 0 || s.Quota[0].Left >= 600 || s.Quota[0].Resets == nil {
		t.Errorf("limits %+v, quota %+v; want what the headers say of 600 requests", s.Limits, s.Quota)
	}
	dispositions := map[string]string{}
	for _, st := range s.Streams {
		if st.Retention == nil {
			t.Errorf("nothing says how long %s is kept", st.Class)
		}
		for _, a := range st.Provides {
			for _, o := range a.Operators {
				if st.Class == "AUTHENTICATION" && !o.CaseSensitive {
					dispositions[a.Path+" "+o.Operator] = o.Disposition
				}
				if o.Disposition != "EXACT" && o.Reason == nil {
					t.Errorf("%s %s %s is %s, and nobody knows why", st.Class, a.Path, o.Operator, o.Disposition)
				}
			}
		}
	}
	if dispositions["status_id eq"] != "EXACT" || dispositions["src_endpoint.ip eq"] != "WIDENED" || slices.Contains([]string{"", "EXACT"}, dispositions["actor.user.name regex"]) {
		t.Errorf("exactness: %v", dispositions)
	}
	if strings.Contains(out+errs, oktaToken) {
		t.Error("the token is shown")
	}
	var text bytes.Buffer
	p := &program{ctx: t.Context(), stdout: &text, stderr: &bytes.Buffer{}, tty: true}
	if status := p.main([]string{"sources", "-c", conf, "--provides"}); status != 0 {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"filtered by Harrier", "src_endpoint.ip", s.Plugin.Digest, "left of 600"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("the tables do not show %q: %s", want, &text)
		}
	}
}

// oktaSource is what the test looks at in a source.
type oktaSource struct {
	State  string
	Limits []struct{ Scope string }
	Quota  []struct {
		Left   int64
		Of     *int64
		Resets *string
	}
	Plugin struct {
		Name, Digest       string
		Restarts, Protocol int
		Egress             []string
	}
	Streams []sourceStream
}
