package host_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/sdk"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// The test binary is the plugin as well: started with the argument "child" it does what the next argument says.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "child" {
		child(os.Args[2], os.Args[3:])
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// child runs as the plugin.
func child(mode string, args []string) {
	if run, ok := odd()[mode]; ok {
		run(args)
		return
	}
	open, ok := openers()[mode]
	if !ok {
		fmt.Fprintln(os.Stderr, "no such child:", mode)
		os.Exit(3)
	}
	if err := sdk.Serve(sdk.Plugin{Name: "test-" + mode, Version: "1.2.3", Open: open}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(4)
	}
}

type opener = func(context.Context, sdk.Setup) (hunt.Connector, error)

// config starts this test binary as a child.
func config(t testing.TB, mode string, args ...string) host.Config {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return host.Config{Path: path, Args: append([]string{"child", mode}, args...)}
}

// setup is a connection with short time limits whose log goes to the test.
func setup(t testing.TB) host.Setup {
	return host.Setup{ID: hunttest.Identity(), Log: newLog(t).add}
}

// testLog keeps what a plugin writes.
type testLog struct {
	mu    sync.Mutex
	lines []string
	came  chan struct{}
}

func newLog(testing.TB) *testLog { return &testLog{came: make(chan struct{}, 1)} }

func (l *testLog) add(level, line string) {
	l.mu.Lock()
	l.lines = append(l.lines, level+" "+line)
	l.mu.Unlock()
	select {
	case l.came <- struct{}{}:
	default:
	}
}

func (l *testLog) all() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// await waits for a line with a text.
func (l *testLog) await(t *testing.T, text string) string {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		for _, line := range l.all() {
			if strings.Contains(line, text) {
				return line
			}
		}
		select {
		case <-l.came:
		case <-deadline:
			t.Fatalf("no line with %q in %.2000q", text, l.all())
		}
	}
}

// mustOpen opens a connection.
func mustOpen(t testing.TB, c host.Config, s host.Setup) hunt.Connector {
	t.Helper()
	conn, err := host.Open(t.Context(), c, s)
	if err != nil {
		t.Fatalf("%v (cause: %v)", err, hunt.AsError(err, "").Cause)
	}
	return conn
}

// open opens a connection that is closed when the test ends.
func open(t testing.TB, c host.Config, s host.Setup) hunt.Connector {
	t.Helper()
	conn := mustOpen(t, c, s)
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	return conn
}

// files is a memory connection whose events lie in a folder, so that the child has those of the parent.
type files struct {
	*memory.Memory
	folder string
	mu     sync.Mutex
	loaded map[string]bool
}

type folderSettings struct {
	Folder string `yaml:"folder"`
}

func openFiles(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	var cfg folderSettings
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	f := &files{Memory: memory.Open(s.ID), folder: s.Path(cfg.Folder), loaded: map[string]bool{}}
	return f, f.load()
}

// Describe takes in what has been added to the folder.
func (f *files) Describe(ctx context.Context) (*hunt.Description, error) {
	if err := f.load(); err != nil {
		return nil, err
	}
	return f.Memory.Describe(ctx)
}

func (f *files) load() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	names, err := filepath.Glob(filepath.Join(f.folder, "*.arrow"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		if f.loaded[name] {
			continue
		}
		f.loaded[name] = true
		if err := f.loadOne(name); err != nil {
			return err
		}
	}
	return nil
}

// streamMeta is a stream of the folder.
type streamMeta struct {
	Name       string
	Class      int64
	Attributes map[string]bool
}

func (f *files) loadOne(name string) error {
	text, err := os.ReadFile(strings.TrimSuffix(name, ".arrow") + ".json")
	if err != nil {
		return err
	}
	var m streamMeta
	if err := json.Unmarshal(text, &m); err != nil {
		return err
	}
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	r, err := ipc.NewReader(in)
	if err != nil {
		return err
	}
	st := &hunt.Stream{Name: m.Name, Class: ocsf.ByUID(m.Class), Attributes: m.Attributes}
	for r.Next() {
		rec := r.RecordBatch()
		rec.Retain()
		if err := f.Append(st, rec); err != nil {
			return err
		}
	}
	return r.Err()
}

// save writes events for the child.
func save(t testing.TB, folder string, d hunttest.Data) {
	t.Helper()
	n, err := filepath.Glob(filepath.Join(folder, "*.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(folder, fmt.Sprintf("%04d", len(n)))
	meta, err := json.Marshal(streamMeta{d.Stream.Name, d.Stream.Class.UID, d.Stream.Attributes})
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, fill func(io.Writer) error) {
		out, err := os.Create(name)
		if err == nil {
			err = fill(out)
		}
		if err == nil {
			err = out.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	write(base+".json", func(w io.Writer) error { _, err := w.Write(meta); return err })
	write(base+".arrow", func(w io.Writer) error { return writeRecord(w, d.Record) })
}

func writeRecord(w io.Writer, rec arrow.RecordBatch) error {
	out := ipc.NewWriter(w, ipc.WithSchema(rec.Schema()))
	if err := out.Write(rec); err != nil {
		return err
	}
	return out.Close()
}

// fake is a connector whose methods a mode replaces; what is nil answers for one stream of process activity.
type fake struct {
	describe  func(context.Context) (*hunt.Description, error)
	translate func(hunt.Request) (*hunt.Translation, error)
	search    func(context.Context, *hunt.Translation) iter.Seq2[hunt.Frame, error]
	close     func() error
}

func (f *fake) Describe(ctx context.Context) (*hunt.Description, error) {
	if f.describe != nil {
		return f.describe(ctx)
	}
	class := ocsf.ByUID(ocsf.ProcessActivity)
	return &hunt.Description{Connector: "fake", Streams: []hunt.Stream{{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class), Rows: -1}}}, nil
}

func (f *fake) Translate(r hunt.Request) (*hunt.Translation, error) {
	if f.translate != nil {
		return f.translate(r)
	}
	out := &hunt.Translation{Request: r, Native: "native"}
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		out.Predicates = append(out.Predicates, hunt.Disposed{Predicate: p, Disposition: hunt.Exact})
	})
	return out, nil
}

func (f *fake) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	if f.search != nil {
		return f.search(ctx, t)
	}
	return func(yield func(hunt.Frame, error) bool) { yield(hunt.End{}, nil) }
}

func (f *fake) Close() error {
	if f.close != nil {
		return f.close()
	}
	return nil
}

// request asks the stream of fake for everything.
func request() hunt.Request {
	return hunt.Request{Stream: "s", Class: ocsf.ByUID(ocsf.ProcessActivity), Where: hunt.True(), Range: hunttest.Always()}
}

// searching is a translation of request.
func searching() *hunt.Translation { return &hunt.Translation{Request: request(), Native: "native"} }

// consume reads a search to its end.
func consume(ctx context.Context, conn hunt.Connector) (frames []hunt.Frame, err error) {
	for f, err := range conn.Search(ctx, searching()) {
		if err != nil {
			return frames, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}
