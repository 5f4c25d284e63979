package python_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// interpreter makes the virtual environment once and returns its interpreter.
var interpreter = sync.OnceValues(func() (string, error) {
	cmd := exec.Command("../../scripts/setup-python-plugin.sh")
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, strings.TrimSpace(problems.String()))
	}
	return strings.TrimSpace(string(out)), nil
})

func python(t testing.TB) string {
	t.Helper()
	path, err := interpreter()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && (exit.ExitCode() == 3 || exit.ExitCode() == 4) || errors.Is(err, exec.ErrNotFound) {
		t.Skipf("the plugin in Python needs Python 3.11 with venv and, once, the packages of requirements.txt from PyPI: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// logged keeps what the plugin writes.
type logged struct {
	lines chan string
	t     testing.TB
}

func newLogged(t testing.TB) *logged { return &logged{make(chan string, 4096), t} }

func (l *logged) add(level, line string) {
	select {
	case l.lines <- level + " " + line:
	default:
	}
}

// await waits for a line with a text.
func (l *logged) await(text string) {
	l.t.Helper()
	var seen []string
	limit := time.After(20 * time.Second)
	for {
		select {
		case line := <-l.lines:
			if strings.Contains(line, text) {
				return
			}
			seen = append(seen, line)
		case <-limit:
			l.t.Fatalf("no line with %q in %q", text, seen)
		}
	}
}

func config(t testing.TB) host.Config {
	return host.Config{Path: filepath.Join(filepath.Dir(python(t)), "harrier-door-access")}
}

// connect starts the example on a folder.
func connect(ctx context.Context, t testing.TB, settings string, log *logged) (hunt.Connector, error) {
	t.Helper()
	return host.Open(ctx, config(t), host.Setup{ID: conformance.Identity(), Settings: []byte(settings), SettingsFile: "harrier.yaml", SettingsLine: 7, Log: log.add})
}

func open(t testing.TB, folder string) (hunt.Connector, *logged) {
	t.Helper()
	log := newLogged(t)
	conn, err := connect(t.Context(), t, "folder: "+folder, log)
	if err != nil {
		t.Fatalf("%v (cause: %v)", err, hunt.AsError(err, "").Cause)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn, log
}

// fields are the fields of a door record that hold a column's text or address.
func fields() map[string]string {
	return map[string]string{"user.name": "holder", "user.uid": "holder_id", "dst_endpoint.hostname": "door", "device.hostname": "controller",
		"device.uid": "reader", "status_detail": "note", "src_endpoint.ip": "ip"}
}

// hostile writes random events as door records: texts of every kind, also bytes that are no UTF-8, in JSON lines.
func hostile(t testing.TB, folder string, rows int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(5, 5))
	class := ocsf.ByUID(ocsf.Authentication)
	rec := sample.RandomBatch(rng, class, rows, sample.Extremes(), sample.Untimed())
	var out strings.Builder
	for i := range rows {
		row := vector.Row{Record: rec, Index: i}
		fmt.Fprintf(&out, `{"badge":"%06d","event":%q,"factors":%q`, i, []string{"entry", "exit", "denied", "forced"}[i%4], []string{"badge", "badge+pin", "", "finger+badge+palm"}[rng.IntN(4)])
		for _, v := range row.Values("time") {
			fmt.Fprintf(&out, `,"at":%q`, hunt.FormatTime(v.Num()))
		}
		for path, field := range fields() {
			for _, v := range row.Values(path) {
				text := v.Str()
				if v.Kind() == hunt.IPKind {
					text = hunt.FormatIP(v.Addr16())
				}
				out.WriteString(`,"` + field + `":` + quoted(text))
			}
		}
		out.WriteString("}\n")
	}
	write(t, filepath.Join(folder, "hostile.jsonl"), out.String())
}

// quoted writes a JSON string whose bytes are those of the text, also where these are no UTF-8.
func quoted(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ':
			fmt.Fprintf(&b, `\u%04x`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// plain writes n ordinary records as CSV, three in each second.
func plain(t testing.TB, folder string, n int) {
	t.Helper()
	var out strings.Builder
	out.WriteString("at,badge,holder,holder_id,event,factors,door,controller,reader,ip,note\n")
	start := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	for i := range n {
		fmt.Fprintf(&out, "%s,%07d,person %d,P-%d,%s,badge+pin,\"door %d, east\",ctrl-%d,r-%d,10.2.%d.%d,record number %d of the day\n",
			start.Add(time.Duration(i/3)*time.Second).Format("2006-01-02T15:04:05"), i, i%977, i%977, []string{"entry", "exit", "entry", "denied"}[i%4], i%31, i%5, i%60, i%4, i%250, i)
	}
	write(t, filepath.Join(folder, "plain.csv"), out.String())
}

func write(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConformance surveys the example as `harrier plugin check` does.
func TestConformance(t *testing.T) {
	folder := t.TempDir()
	hostile(t, folder, 120)
	plain(t, folder, 300)
	suite := conformance.Suite{Connect: func(ctx context.Context) (hunt.Connector, error) {
		return connect(ctx, t, "folder: "+folder, newLogged(t))
	}}
	session, err := suite.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() }) //nolint:errcheck // Close has a behaviour of its own
	for _, b := range conformance.Behaviours() {
		t.Run(b.Name, func(t *testing.T) {
			r := session.Check(t.Context(), b.Name)
			for _, note := range r.Notes {
				t.Log(note)
			}
			for _, err := range r.Problems {
				t.Error(err)
			}
			if r.Skipped != "" {
				t.Skip(r.Skipped)
			}
		})
	}
}

func request(columns ...string) hunt.Request {
	return hunt.Request{Stream: "door.access", Class: ocsf.ByUID(ocsf.Authentication), Range: sample.Always(), Where: hunt.True(), Columns: columns}
}

// read searches until the end or until stop says so.
func read(ctx context.Context, t testing.TB, conn hunt.Connector, r hunt.Request, stop func(rows int)) (rows int, frames []hunt.Frame, err error) {
	t.Helper()
	tr, err := conn.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	for f, err := range conn.Search(ctx, tr) {
		if err != nil {
			return rows, frames, err
		}
		if b, ok := f.(*hunt.Batch); ok {
			if rows += int(b.Record.NumRows()); stop != nil {
				stop(rows)
			}
			continue
		}
		frames = append(frames, f)
	}
	return rows, frames, nil
}

// TestErrorsHaveAllFields: what the connector says of an error comes through the wire as it is.
func TestErrorsHaveAllFields(t *testing.T) {
	log := newLogged(t)
	folder := t.TempDir()
	for settings, want := range map[string]hunt.Error{
		"folder: " + folder + "\ncolour: red": {Op: "settings", Source: "harrier.yaml", Code: hunt.BadConfig, Message: "line 8, column 1: unknown setting 'colour'; known are folder"},
		"folder: [1]":                         {Op: "settings", Source: "harrier.yaml", Code: hunt.BadConfig, Message: "line 7, column 9: folder must be of type str"},
		"":                                    {Op: "settings", Source: "harrier.yaml", Code: hunt.BadConfig, Message: "folder is missing"},
		"folder: absent":                      {Op: "door-access: open", Source: "mm/conformance", Code: hunt.BadConfig, Message: "folder: absent is no folder"},
	} {
		_, err := connect(t.Context(), t, settings, log)
		if got := hunt.AsError(err, ""); err == nil || got.Op != want.Op || got.Source != want.Source || got.Code != want.Code || got.Message != want.Message {
			t.Errorf("%q gives %#v, want %#v", settings, err, want)
		}
	}
	gone := filepath.Join(folder, "gone")
	if err := os.Mkdir(gone, 0o700); err != nil {
		t.Fatal(err)
	}
	conn, _ := open(t, gone)
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	_, err := conn.Describe(t.Context())
	if e := hunt.AsError(err, ""); e.Code != hunt.SourceUnavailable || !e.Retryable || e.Op != "door-access: describe" || e.Source != "mm/conformance" {
		t.Errorf("a folder that is gone gives %#v", err)
	}
	r := request()
	r.Stream = "another"
	if _, err := conn.Translate(r); hunt.AsError(err, "").Code != hunt.NotFound {
		t.Errorf("an unknown stream gives %v", err)
	}
}

// TestDamageIsToldBeforeTheRows: lines that are no records are counted with their place, and a value that is none of its type is null.
func TestDamageIsToldBeforeTheRows(t *testing.T) {
	folder := t.TempDir()
	good := `{"at":"2026-03-01T06:00:00Z","badge":"1","holder":"a","ip":"none of that"}`
	write(t, filepath.Join(folder, "a.jsonl"), good+"\n{broken\n[1]\n"+good+"\n")
	write(t, filepath.Join(folder, "b.csv"), "at,badge\n2026-03-01T06:00:01Z,2\n1,2,3\nyesterday,3\n")
	conn, _ := open(t, folder)
	rows, frames, err := read(t.Context(), t, conn, request(), nil)
	if err != nil || rows != 2 {
		t.Fatalf("%d rows, %v", rows, err)
	}
	want := []hunt.Frame{
		hunt.Rejected{Part: "a.jsonl", Count: 2, Offset: int64(len(good) + 1), Reason: "the line is no JSON"},
		hunt.Rejected{Part: "b.csv", Count: 1, Offset: 32, Reason: "the line has 3 cells instead of 2"},
		hunt.Progress{Total: 2},
		hunt.End{RowsScanned: 2, Duplicates: 1, Untimed: 1},
	}
	if !slices.Equal(frames, want) {
		t.Errorf("frames are\n%+v, want\n%+v", frames, want)
	}
	d, err := conn.Describe(t.Context())
	if err != nil || d.Streams[0].Nulled != 3 || d.Streams[0].NulledFirst != "a.jsonl, byte 0: src_endpoint.ip" {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestCancelWithin100ms: the search ends at once here, and soon in the process too, which says so; the connection works on.
func TestCancelWithin100ms(t *testing.T) {
	folder := t.TempDir()
	plain(t, folder, 60_000)
	conn, log := open(t, folder)
	if _, err := conn.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	slow, err := hunt.NewPredicate(ocsf.ByUID(ocsf.Authentication).Column("status_detail"), hunt.RegexOp, false, hunt.String(`(number [0-9]+){1,3}.*DAY$`))
	if err != nil {
		t.Fatal(err)
	}
	for name, where := range map[string]hunt.Expr{"rows": hunt.True(), "conditions": slow, "no rows": hunt.Not{Expr: slow}} {
		t.Run(name, func(t *testing.T) {
			r := request("raw", "status_detail")
			r.Where = where
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var cancelled time.Time
			stop := func(int) {
				if cancelled.IsZero() {
					cancelled = time.Now()
					cancel()
				}
			}
			if name == "no rows" {
				timer := time.AfterFunc(30*time.Millisecond, func() { stop(0) })
				defer timer.Stop()
			}
			rows, _, err := read(ctx, t, conn, r, stop)
			took := time.Since(cancelled)
			if err == nil || hunt.AsError(err, "").Code != hunt.Cancelled {
				t.Errorf("%d rows, %v", rows, err)
			}
			if took > 100*time.Millisecond {
				t.Errorf("the search ended %s after it was cancelled", took)
			}
			log.await("a search was cancelled")
		})
	}
	if rows, _, err := read(t.Context(), t, conn, request(), nil); err != nil || rows != 60_000 {
		t.Errorf("%d rows after the cancelled ones, %v", rows, err)
	}
}

// TestKilledProcess: a search that runs fails with PLUGIN_CRASHED, and the next call is answered by a new process.
func TestKilledProcess(t *testing.T) {
	folder := t.TempDir()
	plain(t, folder, 60_000)
	conn, _ := open(t, folder)
	d, err := conn.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p, err := os.FindProcess(d.Artifact.PID)
	if err != nil {
		t.Fatal(err)
	}
	killed := false
	_, _, err = read(t.Context(), t, conn, request("raw", "status_detail"), func(int) {
		if !killed {
			killed = true
			if err := p.Kill(); err != nil {
				t.Error(err)
			}
		}
	})
	if e := hunt.AsError(err, ""); err == nil || e.Code != hunt.PluginCrashed || !e.Retryable {
		t.Fatalf("the search of a killed process gives %v", err)
	}
	if rows, _, err := read(t.Context(), t, conn, request(), nil); err != nil || rows != 60_000 {
		t.Errorf("%d rows from the next process, %v", rows, err)
	}
	if d, err = conn.Describe(t.Context()); err != nil || d.Artifact.Restarts != 1 || d.Artifact.Name != "door-access" {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestChecksumPinsTheScript: a changed script is not started. What interprets it is not pinned; README.md says what follows.
func TestChecksumPinsTheScript(t *testing.T) {
	c := config(t)
	c.Checksum = "sha256:" + strings.Repeat("0", 64)
	_, err := host.Open(t.Context(), c, host.Setup{ID: conformance.Identity()})
	if hunt.AsError(err, "").Code != hunt.PluginRefused {
		t.Errorf("another script gives %v", err)
	}
}

// TestStartedByHand: the program says what it is.
func TestStartedByHand(t *testing.T) {
	out, err := exec.Command(config(t).Path).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "a Harrier gateway starts it") {
		t.Errorf("%v: %s", err, out)
	}
}

func BenchmarkStart(b *testing.B) {
	folder := b.TempDir()
	for b.Loop() {
		conn, err := connect(b.Context(), b, "folder: "+folder, newLogged(b))
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := conn.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

func BenchmarkSearch(b *testing.B) {
	folder := b.TempDir()
	plain(b, folder, 200_000)
	log := newLogged(b)
	conn, err := connect(b.Context(), b, "folder: "+folder, log)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	began := time.Now()
	if _, err := conn.Describe(b.Context()); err != nil {
		b.Fatal(err)
	}
	b.Logf("200,000 records read in %s", time.Since(began))
	some, err := hunt.NewPredicate(ocsf.ByUID(ocsf.Authentication).Column("status_detail"), hunt.Contains, false, hunt.String("99"))
	if err != nil {
		b.Fatal(err)
	}
	for name, where := range map[string]hunt.Expr{"all": hunt.True(), "contains": some} {
		b.Run(name, func(b *testing.B) {
			r := request("raw", "status_detail", "user.name", "src_endpoint.ip", "activity_id", "auth_factors.factor_type")
			r.Where = where
			rows := 0
			for b.Loop() {
				n, _, err := read(b.Context(), b, conn, r, nil)
				if err != nil {
					b.Fatal(err)
				}
				rows = n
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(200_000*float64(b.N)/b.Elapsed().Seconds(), "scanned/s")
		})
	}
}

// TestEveryValueComesBack compares what the rows hold with what the records held, byte by byte.
func TestEveryValueComesBack(t *testing.T) {
	const rows = 120
	folder := t.TempDir()
	hostile(t, folder, rows)
	conn, _ := open(t, folder)
	rec := sample.RandomBatch(rand.New(rand.NewPCG(5, 5)), ocsf.ByUID(ocsf.Authentication), rows, sample.Extremes(), sample.Untimed())
	r := request("metadata.uid", "unmapped", "activity_id", "auth_factors.factor_type", "is_mfa")
	for path := range fields() {
		r.Columns = append(r.Columns, path)
	}
	tr, err := conn.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for f, err := range conn.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		b, ok := f.(*hunt.Batch)
		if !ok {
			continue
		}
		for i := range int(b.Record.NumRows()) {
			got := vector.Row{Record: b.Record, Index: i}
			var n int
			if _, err := fmt.Sscanf(got.Values("metadata.uid")[0].Str(), "%d", &n); err != nil {
				t.Fatal(err)
			}
			seen++
			compareRow(t, n, got, vector.Row{Record: rec, Index: n})
		}
	}
	if want := rows - rec.Column(1).NullN(); seen != want {
		t.Errorf("%d rows, want %d", seen, want)
	}
}

func compareRow(t *testing.T, n int, got, want vector.Row) {
	t.Helper()
	for path := range fields() {
		values := want.Values(path)
		if len(values) > 0 && values[0] == hunt.String("") {
			values = nil // the connector reads empty text as missing
		}
		if !slices.Equal(got.Values(path), values) {
			t.Errorf("record %d: %s is %.200s, want %.200s", n, path, fmt.Sprint(got.Values(path)), fmt.Sprint(values))
		}
	}
	if !slices.Equal(got.Values("time"), want.Values("time")) {
		t.Errorf("record %d: time is %v, want %v", n, got.Values("time"), want.Values("time"))
	}
	if activity := []int64{1, 2, 1, 99}[n%4]; got.Values("activity_id")[0].Num() != activity || len(got.Values("unmapped")) != 0 {
		t.Errorf("record %d: activity %v, unmapped %v", n, got.Values("activity_id"), got.Values("unmapped"))
	}
	if many := len(got.Elements("auth_factors")) > 1; many != slices.Contains(got.Values("is_mfa"), hunt.Bool(true)) {
		t.Errorf("record %d: %d factors, is_mfa %v", n, len(got.Elements("auth_factors")), got.Values("is_mfa"))
	}
}
