package bench_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/plugins/host"
)

// What the samples are of.
const (
	sampleClass  = "process_activity"
	sampleStream = "windows.sysmon"
	sampleRows   = 100_000
	// demoShare is how many records of the demo there are for one event of the sample, with some to spare.
	demoShare = 6.2
)

// eventSet is mapped events of one stream with all their columns, in this process.
type eventSet struct {
	stream  *hunt.Stream
	batches []arrow.RecordBatch
	from    string // for people
}

// haveData says whether there are benchmark events.
func haveData() bool {
	path := os.Getenv("HARRIER_BENCH_DATA")
	if path == "" {
		path = defaultData
	}
	_, err := os.Stat(path)
	return err == nil
}

// sampled makes the sample once for all benchmarks of a run.
var sampled = sync.OnceValues(func() (*eventSet, error) {
	ctx := context.Background()
	if !haveData() {
		return demoEvents(ctx, sampleRows)
	}
	w, err := opened()
	if err != nil {
		return nil, err
	}
	for i := range w.streams {
		s := &w.streams[i]
		if s.Class.Name == sampleClass && s.Name == sampleStream && s.Rows >= sampleRows {
			batches, err := w.stored(ctx, sampleClass, sampleStream, sampleRows, paths(s.Class)...)
			return &eventSet{s, batches, "the benchmark events"}, err
		}
	}
	return demoEvents(ctx, sampleRows)
})

// sample returns 100,000 events of one class: of the benchmark events if they are there, else of the demo.
func sample(b *testing.B) *eventSet {
	b.Helper()
	s, err := sampled()
	if err != nil {
		b.Fatal(err)
	}
	if n := rowsOf(s.batches); n != sampleRows {
		b.Fatalf("the sample has %d events, wanted %d", n, sampleRows)
	}
	return s
}

var errSampled = errors.New("the sample has all its events")

// demoEvents generates and maps telemetry until there are n events of the sample's stream.
func demoEvents(ctx context.Context, n int) (*eventSet, error) {
	dir, err := os.MkdirTemp("", "harrier-bench-demo-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := demo.Write(ctx, dir, demo.Options{Events: int(float64(n) * demoShare)}, nil); err != nil {
		return nil, err
	}
	from, err := openFiles(ctx, filepath.Join(dir, "endpoint"), 1)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	out, left := &eventSet{from: "generated telemetry"}, n
	for _, part := range from.Parts() {
		_, err := from.Scan(ctx, part.Name, func(s *hunt.Stream, rec arrow.RecordBatch) error {
			if s.Class.Name != sampleClass || s.Name != sampleStream {
				return nil
			}
			take := min(int64(left), rec.NumRows())
			out.stream, out.batches, left = s, append(out.batches, rec.NewSlice(0, take)), left-int(take)
			if left == 0 {
				return errSampled
			}
			return nil
		})
		if left == 0 {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("the demo has %d events of %s, wanted %d", n-left, sampleStream, n)
}

func openFiles(ctx context.Context, dir string, cache int64) (*files.Files, error) {
	set, err := mapping.Builtin()
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, identity(), files.Config{Path: dir, CacheBytes: cache}, files.Options{Mappings: set})
}

// write commits the events to a sink as one input that nobody has ingested before.
func (s *eventSet) write(ctx context.Context, into hunt.Sink) error {
	w, err := into.Begin(ctx, hunt.Input{Name: "sample", Digest: rand.Text()})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, rec := range s.batches {
		if err := w.Append(s.stream, rec); err != nil {
			return err
		}
	}
	if err := w.Commit(hunt.Counts{Records: int64(rowsOf(s.batches))}); err != nil {
		return err
	}
	if rows, duplicates := w.Written(); int(rows) != rowsOf(s.batches) {
		return fmt.Errorf("%d events were written and %d were there already, of %d", rows, duplicates, rowsOf(s.batches))
	}
	return nil
}

// ingestFolder maps a folder of native logs into a sink, as one commit.
func ingestFolder(ctx context.Context, into hunt.Sink, dir string) error {
	from, err := openFiles(ctx, dir, 1)
	if err != nil {
		return err
	}
	defer from.Close()
	var inputs []hunt.Input
	for _, part := range from.Parts() {
		inputs = append(inputs, hunt.Input{Name: part.Name, Digest: part.Digest})
	}
	w, err := into.Begin(ctx, inputs...)
	if err != nil {
		return err
	}
	defer w.Abort()
	var counts []hunt.Counts
	for _, part := range from.Parts() {
		c, err := from.Scan(ctx, part.Name, w.Append)
		if err != nil {
			return err
		}
		counts = append(counts, hunt.Counts{Records: c.Records, Rejected: c.Rejected})
	}
	return w.Commit(counts...)
}

// buildProgram builds the gateway, whose command `connector` serves a built-in connector from a process of its own.
func buildProgram(b *testing.B) string {
	b.Helper()
	path := filepath.Join(b.TempDir(), "harrier")
	cmd := exec.CommandContext(b.Context(), "go", "build", "-buildvcs=false", "-tags", "duckdb_arrow", "-o", path, ".")
	cmd.Dir = ".."
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("the gateway cannot be built: %v\n%s", err, out)
	}
	return path
}

// openApart opens a built-in connector in a process of its own, which ends with the benchmark.
func openApart(b *testing.B, program, name, settings string) hunt.Connector {
	b.Helper()
	c, err := host.Open(b.Context(), host.Config{Path: program, Args: []string{"connector", name}},
		host.Setup{ID: identity(), Settings: []byte(settings), SettingsFile: "bench", BaseFolder: "/"})
	if err != nil {
		b.Fatalf("%s in a process of its own: %v", name, err)
	}
	closeAtEnd(b, c)
	return c
}

func closeAtEnd(b *testing.B, c hunt.Connector) {
	b.Helper()
	b.Cleanup(func() {
		if err := c.Close(); err != nil {
			b.Error(err)
		}
	})
}
