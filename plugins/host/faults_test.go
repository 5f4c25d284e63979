package host_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// wantError checks code, retryability and that the message has all texts.
func wantError(t *testing.T, err error, code hunt.Code, texts ...string) *hunt.Error {
	t.Helper()
	var e *hunt.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v, want a *hunt.Error with code %s", err, code)
	}
	if e.Code != code || e.Retryable != (code == hunt.PluginCrashed || code == hunt.SourceTimeout || code == hunt.StreamWithoutEnd) {
		t.Errorf("got code %s (retryable: %v), want %s: %v", e.Code, e.Retryable, code, e)
	}
	for _, text := range texts {
		if !strings.Contains(e.Error(), text) {
			t.Errorf("the error lacks %q: %v", text, e)
		}
	}
	if strings.ContainsAny(e.Error(), "\n\r\x00") {
		t.Errorf("the error is not one line: %q", e.Error())
	}
	return e
}

func describe(t *testing.T, conn hunt.Connector) *hunt.Description {
	t.Helper()
	d, err := conn.Describe(t.Context())
	if err != nil {
		t.Fatalf("Describe: %v (cause %v)", err, hunt.AsError(err, "").Cause)
	}
	return d
}

// executable writes a file that may be run.
func executable(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "plugin")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRefusedExecutables(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	plainFile := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(plainFile, []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := "\x7fELF\x02\x01\x01\x00" + strings.Repeat("\x00", 8) + "\x02\x00\xf3\x00" + strings.Repeat("\x00", 44) // RISC-V
	wrong := "sha256:" + strings.Repeat("00", 32)
	for _, tc := range []struct {
		name   string
		config host.Config
		code   hunt.Code
		text   string
	}{
		{"no path", host.Config{}, hunt.BadConfig, "path is missing"},
		{"missing", host.Config{Path: "/no/such/plugin"}, hunt.PluginRefused, "is not there"},
		{"missing interpreter", host.Config{Path: executable(t, "#!/no/such/interpreter\n")}, hunt.PluginRefused, "is not there"},
		{"a folder", host.Config{Path: t.TempDir()}, hunt.PluginRefused, "not an executable file"},
		{"not executable", host.Config{Path: plainFile}, hunt.PluginRefused, "not an executable file"},
		{"wrong architecture", host.Config{Path: executable(t, other)}, hunt.PluginRefused, "no program for " + runtime.GOOS + "/" + runtime.GOARCH},
		{"no program", host.Config{Path: executable(t, "\x01\x02\x03")}, hunt.PluginRefused, "no program for"},
		{"wrong checksum", host.Config{Path: self, Checksum: wrong}, hunt.PluginRefused, "not the pinned executable"},
		{"no checksum", host.Config{Path: self, Checksum: "md5:abc"}, hunt.BadConfig, "sha256:"},
		{"negative", host.Config{Path: self, MemoryMB: -1}, hunt.BadConfig, "negative"},
		{"literal in env", host.Config{Path: self, Env: []string{"TOKEN=hunter2hunter2"}}, hunt.BadConfig, "TOKEN"},
		{"protocol in env", host.Config{Path: self, Env: []string{"PLUGIN_CLIENT_CERT"}}, hunt.BadConfig, "belongs to the protocol"},
		{"unset in env", host.Config{Path: self, Env: []string{"NO_SUCH_VARIABLE_HERE"}}, hunt.BadConfig, "NO_SUCH_VARIABLE_HERE"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := host.Open(t.Context(), tc.config, setup(t))
			e := wantError(t, err, tc.code, tc.text)
			if strings.Contains(fmt.Sprint(e, e.Cause), "hunter2") {
				t.Errorf("the error holds the secret: %v", e)
			}
		})
	}
}

func TestRefusedHandshakes(t *testing.T) {
	cert := strings.Repeat("A", 80)
	for _, tc := range []struct{ name, line, text string }{
		{"newer", "1|2|unix|/s|grpc|" + cert, "update the gateway"},
		{"older", "1|0|unix|/s|grpc|" + cert, "update the plugin"},
		{"other handshake", "2|1|unix|/s|grpc|" + cert, "go-plugin"},
		{"net/rpc", "1|1|unix|/s|netrpc|" + cert, "netrpc"},
		{"no certificate", "1|1|unix|/s|grpc|", "no certificate"},
		{"garbage", "Listening on port 8080 ...", "Listening on port 8080"},
		{"version is no number", "1|one|unix|/s|grpc|" + cert, "handshake"},
		{"damaged certificate", "1|1|unix|/s|grpc|" + cert, "cert"},
		{"another machine", "1|1|tcp|192.0.2.1:80|grpc|" + cert, "not on this machine"},
		{"unknown network", "1|1|udp|127.0.0.1:80|grpc|" + cert, "not on this machine"},
		{"control characters", "\x1b[31mred\x1b[0m", "red"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := host.Open(t.Context(), config(t, "says", tc.line), setup(t))
			wantError(t, err, hunt.PluginRefused, tc.text)
		})
	}
	t.Run("endless line", func(t *testing.T) {
		_, err := host.Open(t.Context(), config(t, "floods"), setup(t))
		wantError(t, err, hunt.PluginRefused, "xxx")
	})
	t.Run("never", func(t *testing.T) {
		s := setup(t)
		s.Timeouts.Start = 200 * time.Millisecond
		_, err := host.Open(t.Context(), config(t, "silent"), s)
		wantError(t, err, hunt.PluginRefused, "handshake in time")
	})
	t.Run("nobody waits", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		_, err := host.Open(ctx, config(t, "silent"), setup(t))
		wantError(t, err, hunt.SourceTimeout)
	})
	t.Run("exits", func(t *testing.T) {
		_, err := host.Open(t.Context(), config(t, "exits"), setup(t))
		wantError(t, err, hunt.PluginCrashed, "exit status 7", "the licence file is missing")
	})
	t.Run("refuses", func(t *testing.T) {
		_, err := host.Open(t.Context(), config(t, "refuses"), setup(t))
		wantError(t, err, hunt.SourceDenied, "the token has expired")
	})
}

// TestKilled kills the process while a search is under way, at many moments.
func TestKilled(t *testing.T) {
	s := setup(t)
	s.Timeouts.Delay = time.Nanosecond
	conn := open(t, config(t, "counts"), s)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range 12 {
		a := describe(t, conn).Artifact
		if a.Restarts != i {
			t.Errorf("%d restarts after %d deaths", a.Restarts, i)
		}
		stop, frames := rng.IntN(20), 0
		var failed error
		for _, err := range conn.Search(t.Context(), searching()) {
			failed = err
			if frames++; frames == stop+1 {
				if err := syscall.Kill(a.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		wantError(t, failed, hunt.PluginCrashed, "signal: killed")
	}
}

func TestDeathSaysWhy(t *testing.T) {
	s := setup(t)
	s.Timeouts.Delay = time.Hour
	conn := open(t, config(t, "dies"), s)
	for range 2 {
		_, err := conn.Describe(t.Context())
		wantError(t, err, hunt.PluginCrashed, "exit status 2", "panic: the cache is corrupt")
	}
	_, err := conn.Describe(t.Context())
	if e := wantError(t, err, hunt.PluginCrashed, "keeps ending"); e.RetryAfter < 30*time.Minute || e.RetryAfter > 90*time.Minute {
		t.Errorf("retry after %s; the second restart in a row waits for an hour, more or less", e.RetryAfter)
	}
}

func TestHang(t *testing.T) {
	s := setup(t)
	s.Timeouts.Hang = 300 * time.Millisecond
	conn := open(t, config(t, "fake"), s)
	first := describe(t, conn).Artifact.PID
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Describe(t.Context())
	wantError(t, err, hunt.PluginCrashed, "health check")
	if now := describe(t, conn).Artifact; now.PID == first || now.Restarts != 1 {
		t.Errorf("process %d serves after %d hung, with %d restarts", now.PID, first, now.Restarts)
	}
}

func TestDeadlineOfACall(t *testing.T) {
	s := setup(t)
	s.Timeouts.Call = 200 * time.Millisecond
	conn := open(t, config(t, "fake"), s)
	pid := describe(t, conn).Artifact.PID
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Translate(request())
	wantError(t, err, hunt.SourceTimeout)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = consume(ctx, conn)
	wantError(t, err, hunt.SourceTimeout)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if now := describe(t, conn).Artifact.PID; now != pid {
		t.Errorf("process %d was replaced by %d, and it had only been slow", pid, now)
	}
}

// TestOutput holds that nothing that a plugin writes hurts the host: what makes go-plugin panic, lines without end, floods.
func TestOutput(t *testing.T) {
	log := newLog(t)
	s := setup(t)
	s.Log = log.add
	conn := open(t, config(t, "writes"), s)
	describe(t, conn)
	if line := log.await(t, "careful"); !strings.HasPrefix(line, "warn ") {
		t.Errorf("got %q", line)
	}
	log.await(t, `{"@message":5}`)
	log.await(t, "lines are dropped")
	for _, line := range log.all() {
		if len(line) > 5<<10 || strings.ContainsAny(line, "\n\x00") {
			t.Errorf("a line of %d bytes: %.100q", len(line), line)
		}
	}
	if n := len(log.all()); n > 5000 {
		t.Errorf("%d lines came through", n)
	}
}

func TestSecretsStayInside(t *testing.T) {
	log := newLog(t)
	s := setup(t)
	s.Log = log.add
	s.Settings = []byte("token: env:TOKEN\nmissing: file:/gone\nmore: [env:OTHER]\n")
	const secret = "hunter2-hunter2"
	s.Secret = func(ref string) (string, error) {
		if ref == "env:TOKEN" {
			return secret, nil
		}
		return "", fmt.Errorf("%s cannot be read", ref)
	}
	c := config(t, "secrets")
	c.Env = []string{"COPY=env:TOKEN"}
	conn := open(t, c, s)
	d := describe(t, conn)
	if len(d.Notes) != 3 || !strings.Contains(d.Notes[0], "file:/gone cannot be read") || !strings.Contains(d.Notes[1], "no reference") || d.Notes[2] != "15" {
		t.Errorf("notes %q", d.Notes)
	}
	_, err := conn.Translate(request())
	e := wantError(t, err, hunt.SourceFailed, "refused [secret]")
	r := request()
	r.Limit = 1
	_, err = conn.Translate(r)
	leak := wantError(t, err, hunt.PluginProtocol, "secret into the native query")
	r.Limit = 2 // from now on it describes itself with it
	if _, err = conn.Translate(r); err != nil {
		t.Fatal(err)
	}
	_, err = conn.Describe(t.Context())
	told := wantError(t, err, hunt.PluginProtocol, "secret into its description")
	log.await(t, "logging in with [secret]")
	log.await(t, "stdout has [secret]")
	if all := fmt.Sprint(e, e.Cause, e.Source, leak, leak.Cause, told, told.Cause, log.all()); strings.Contains(all, secret) {
		t.Errorf("the secret came out: %s", all)
	}
}

func TestEnvironmentFolderAndLimits(t *testing.T) {
	t.Setenv("HARRIER_TEST_PASSED_ON", "yes")
	t.Setenv("HARRIER_TEST_KEPT_BACK", "no")
	c := config(t, "notes")
	c.Env, c.Dir, c.MemoryMB, c.CPUs = []string{"HARRIER_TEST_PASSED_ON"}, t.TempDir(), 2000, 1
	s := setup(t)
	s.BaseFolder = "/base"
	d := describe(t, open(t, c, s))
	dir, err := filepath.EvalSymlinks(c.Dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"HARRIER_TEST_PASSED_ON=yes", "ID mm conformance", "DIR " + dir, "PATH /base/x", "COLLECTS AT 1800"} {
		if !slices.Contains(d.Notes, want) {
			t.Errorf("the process does not see %q: %q", want, d.Notes)
		}
	}
	for _, n := range d.Notes {
		name, _, assigned := strings.Cut(n, "=")
		if assigned && name != "HARRIER_TEST_PASSED_ON" && name != "HARRIER_PLUGIN" && name != "PWD" && !strings.HasPrefix(name, "PLUGIN_") {
			t.Errorf("the process sees %q", n)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	bounds := d.Artifact.Confined
	if strings.Contains(bounds, "affinity") && !slices.Contains(d.Notes, "CPUS 1") || strings.Contains(bounds, "RLIMIT_DATA") && !slices.Contains(d.Notes, "DATA 2000") {
		t.Errorf("said to be bounded by %q, and the process sees %q", bounds, d.Notes[len(d.Notes)-2:])
	}
	if !strings.Contains(bounds, "memory 2000 MiB (") || !strings.Contains(bounds, "CPU 1 (") {
		t.Errorf("bounded by %q", bounds)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector's own memory is beyond every limit; run the test without -race")
	}
	c := config(t, "grows")
	c.MemoryMB = 600
	conn := open(t, c, setup(t))
	if describe(t, conn).Artifact.Confined == "not bounded: memory 600 MiB" {
		t.Skip("this system bounds no memory: it needs Linux, with cgroup v2 or resource limits")
	}
	r := request()
	r.Limit = 100
	if _, err := conn.Translate(r); err != nil {
		t.Fatal(err)
	}
	r.Limit = 1000
	_, err := conn.Translate(r)
	wantError(t, err, hunt.PluginCrashed)
	describe(t, conn)
}

func TestArtifact(t *testing.T) {
	c := config(t, "fake")
	conn := open(t, c, setup(t))
	a := describe(t, conn).Artifact
	if a == nil || a.Name != "test-fake" || a.Version != "1.2.3" || a.Protocol != 1 || a.PID == 0 || a.PID == os.Getpid() || a.Restarts != 0 || a.Confined != "" {
		t.Fatalf("%+v", a)
	}
	c.Checksum = a.Digest
	if got := describe(t, open(t, c, setup(t))).Artifact.Digest; got != a.Digest || len(got) != 71 {
		t.Errorf("digest %q, pinned %q", got, a.Digest)
	}
}

func TestSettings(t *testing.T) {
	s := setup(t)
	if got := describe(t, open(t, config(t, "settings"), s)).Notes[0]; got != "7" {
		t.Errorf("without settings the default is %s", got)
	}
	s.Settings = []byte("number: 3")
	if got := describe(t, open(t, config(t, "settings"), s)).Notes[0]; got != "3" {
		t.Errorf("got %s", got)
	}
	s.Settings, s.SettingsFile, s.SettingsLine = []byte("      number: 3\n      nmuber: 4\n"), "/etc/harrier.yaml", 40
	_, err := host.Open(t.Context(), config(t, "settings"), s)
	wantError(t, err, hunt.BadConfig, "/etc/harrier.yaml", "line 41, column 7", "nmuber")
}

func TestPanicsAreErrorsOfOneCall(t *testing.T) {
	log := newLog(t)
	s := setup(t)
	s.Log = log.add
	conn := open(t, config(t, "panics"), s)
	pid := describe(t, conn).Artifact.PID
	_, err := conn.Translate(request())
	wantError(t, err, hunt.Internal, "test-panics 1.2.3", "no such thing")
	frames, err := consume(t.Context(), conn)
	wantError(t, err, hunt.Internal, "index out of range")
	if len(frames) != 1 {
		t.Errorf("frames before the panic: %v", frames)
	}
	if line := log.await(t, "modes_test.go"); !strings.HasPrefix(line, "error ") {
		t.Errorf("the stack is logged as %.60q", line)
	}
	if now := describe(t, conn).Artifact.PID; now != pid {
		t.Errorf("the process ended with a panic of one call")
	}
}

func TestErrorsKeepTheirFields(t *testing.T) {
	conn := open(t, config(t, "fails"), setup(t))
	check := func(err error) {
		t.Helper()
		var e *hunt.Error
		if !errors.As(err, &e) {
			t.Fatalf("got %v", err)
		}
		want, cause := *fullError(), e.Cause
		want.Cause, e.Cause = nil, nil
		if *e != want || cause == nil || cause.Error() != "429 Too Many Requests" {
			t.Errorf("got %+v (cause %v)", e, cause)
		}
	}
	_, err := conn.Describe(t.Context())
	check(err)
	_, err = conn.Translate(request())
	check(err)
	frames, err := consume(t.Context(), conn)
	check(err)
	if part, ok := frames[0].(hunt.PartFailed); !ok || *part.Lost != (hunt.TimeRange{Start: 1, End: 2}) {
		t.Errorf("frames %v", frames)
	} else {
		check(part.Err)
	}
	tr := searching()
	tr.Request.Limit = 1
	var last error
	for _, err := range conn.Search(t.Context(), tr) {
		last = err
	}
	wantError(t, last, hunt.StreamWithoutEnd)
}

func TestLies(t *testing.T) {
	conn := open(t, config(t, "lies"), setup(t))
	for i, name := range lieNames() {
		tr := searching()
		tr.Request.Limit = i + 1
		var last error
		for f, err := range conn.Search(t.Context(), tr) {
			if last = err; err == nil {
				t.Errorf("%s: a frame came through: %v", name, f)
			}
		}
		wantError(t, last, hunt.PluginProtocol)
	}
}

// TestCancel holds that the plugin sees the end of a context within a tenth of a second.
func TestCancel(t *testing.T) {
	log := newLog(t)
	s := setup(t)
	s.Log = log.add
	conn := open(t, config(t, "waits"), s)
	var took []time.Duration
	for i := range 10 {
		ctx, cancel := context.WithCancel(t.Context())
		var begin time.Time
		for f, err := range conn.Search(ctx, searching()) {
			if err != nil {
				wantError(t, err, hunt.Cancelled)
			} else if f != nil {
				begin = time.Now()
				cancel()
			}
		}
		cancel()
		took = append(took, cancelledAt(t, log, i).Sub(begin))
	}
	slices.Sort(took)
	t.Logf("median %s, longest %s", took[len(took)/2], took[len(took)-1])
	if took[len(took)/2] > 100*time.Millisecond {
		t.Errorf("the plugin saw the cancellation after %s", took)
	}
}

// cancelledAt waits for the line that the plugin writes when it sees cancellation n.
func cancelledAt(t *testing.T, log *testLog, n int) time.Time {
	t.Helper()
	for {
		seen := 0
		for _, line := range log.all() {
			_, rest, ok := strings.Cut(line, `"at":`)
			if !ok {
				continue
			}
			if seen++; seen == n+1 {
				at, err := strconv.ParseInt(strings.TrimRight(rest, "}"), 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return time.Unix(0, at)
			}
		}
		select {
		case <-log.came:
		case <-t.Context().Done():
			t.Fatal("the plugin saw no cancellation")
		}
	}
}

// TestSlowReader holds that a plugin whose reader stops reading stops too.
func TestSlowReader(t *testing.T) {
	conn := open(t, config(t, "counts"), setup(t))
	taken := func() int {
		n, err := strconv.Atoi(describe(t, conn).Notes[0])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	read := 0
	for _, err := range conn.Search(t.Context(), searching()) {
		if err != nil {
			t.Fatal(err)
		}
		if read++; read == 3 {
			before := taken()
			for range 300 {
				before = max(before, taken())
			}
			if before > 8 {
				t.Errorf("the plugin was %d batches ahead of a reader that stood still", before)
			}
		}
		if read == 30 {
			break
		}
	}
	if n := taken(); n < 5 {
		t.Errorf("after 30 messages the plugin says that %d batches were taken", n)
	}
}

// TestLargeMessages sends more than gRPC takes by default, both ways.
func TestLargeMessages(t *testing.T) {
	conn := open(t, config(t, "big"), setup(t))
	const large = 40 << 20
	tr := searching()
	tr.Request.Limit, tr.Request.Columns = large, []string{ocsf.ColRaw}
	sizes := []int{}
	for f, err := range conn.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := f.(*hunt.Batch); ok {
			raw := b.Record.Column(b.Record.Schema().FieldIndices(ocsf.ColRaw)[0]).(*array.String)
			for i := range raw.Len() {
				sizes = append(sizes, len(raw.Value(i)))
			}
		}
	}
	if !slices.Equal(sizes, []int{large, 1}) {
		t.Errorf("rows of %v bytes arrived", sizes)
	}
	var many []hunt.Value
	for i := range 8 {
		many = append(many, hunt.String(strings.Repeat(strconv.Itoa(i), 1<<20)))
	}
	p, err := hunt.NewPredicate(ocsf.ByUID(ocsf.ProcessActivity).Column(ocsf.ColRaw), hunt.In, true, many...)
	if err != nil {
		t.Fatal(err)
	}
	r := request()
	r.Where = p
	if got, err := conn.Translate(r); err != nil || len(got.Predicates) != 1 || got.Predicates[0].Predicate != p {
		t.Errorf("a request of 8 MB: %v, %v", got, err)
	}
}

// TestPlainPlugin speaks with a plugin that does not use the SDK and whose standard streams go-plugin has taken.
func TestPlainPlugin(t *testing.T) {
	log := newLog(t)
	s := setup(t)
	s.Log = log.add
	conn := open(t, config(t, "plain"), s)
	log.await(t, "a line that go-plugin sends")
	_, err := conn.Describe(t.Context())
	wantError(t, err, hunt.PluginProtocol, "which kind")
	_, err = conn.Translate(request())
	wantError(t, err, hunt.PluginProtocol, "Translate")
	_, err = consume(t.Context(), conn)
	wantError(t, err, hunt.StreamWithoutEnd)
}

// alive says whether a process runs; one that waits to be reaped does not.
func alive(t *testing.T, pid int) bool {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(text), ") ")
	return !strings.HasPrefix(state, "Z")
}

// gone waits for the end of a process.
func gone(t *testing.T, pid int) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for alive(t, pid) {
		if time.Now().After(deadline) {
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatalf("process %d still runs", pid)
		}
		runtime.Gosched()
	}
}

func TestCloseEndsTheProcess(t *testing.T) {
	conn := open(t, config(t, "waits"), setup(t))
	pid := describe(t, conn).Artifact.PID
	begin := time.Now()
	failed := make(chan error, 1)
	searching := make(chan struct{})
	go func() {
		var last error
		for _, err := range conn.Search(context.Background(), &hunt.Translation{Request: request()}) {
			if last == nil && err == nil {
				close(searching)
			}
			last = err
		}
		failed <- last
	}()
	<-searching
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(t, pid) {
		t.Error("the process runs after Close")
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("Close took %s", took)
	}
	if err := <-failed; hunt.AsError(err, "").Code != hunt.SourceUnavailable && hunt.AsError(err, "").Code != hunt.Cancelled {
		t.Errorf("the search under way failed with %v", err)
	}
	_, err := conn.Describe(t.Context())
	wantError(t, err, hunt.SourceUnavailable, "closed")
}

func TestCloseDoesNotWaitForEver(t *testing.T) {
	s := setup(t)
	s.Timeouts.Stop = 300 * time.Millisecond
	conn := open(t, config(t, "deaf"), s)
	pid := describe(t, conn).Artifact.PID
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(t, pid) {
		t.Error("the process runs after Close")
	}
}

// TestForks holds that what a plugin has started ends with it, and that its hold on the pipes does not hold the host up.
func TestForks(t *testing.T) {
	conn := open(t, config(t, "forks"), setup(t))
	grandchild, err := strconv.Atoi(describe(t, conn).Notes[0])
	if err != nil {
		t.Fatal(err)
	}
	if !alive(t, grandchild) {
		t.Fatal("the plugin has started nothing")
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
	gone(t, grandchild)
}

// TestDiesWithTheHost kills a host that is a process of its own.
func TestDiesWithTheHost(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "child", "hosts")
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir()) // a host that is killed leaves the folder of the socket behind
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	if !alive(t, pid) {
		t.Fatal("the plugin does not run")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	gone(t, pid)
}
