package bench_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql/executor"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// world is everything that the comparisons need, opened once for all benchmarks of a run.
type world struct {
	native   *unpacked
	dir      string // of the lake
	lake     *lake.Lake
	streams  []hunt.Stream // of the lake
	api      *executor.Executor
	who      *access.Principal
	raw      *rawSide
	keywords []string // of hunt g; none if the Sigma rules are absent
	hashes   []string // of hunt h
}

// opened opens the world; openWorld calls it once.
var opened = sync.OnceValues(func() (*world, error) {
	data := os.Getenv("HARRIER_BENCH_DATA")
	if data == "" {
		data = defaultData
	}
	return open(context.Background(), data)
})

// openWorld returns the world, or skips if there are no events.
func openWorld(tb testing.TB) *world {
	tb.Helper()
	dataFile(tb)
	w, err := opened()
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

func open(ctx context.Context, data string) (*world, error) {
	native, err := unpack(data)
	if err != nil {
		return nil, err
	}
	dir, report, err := makeLake(ctx, native)
	if err != nil {
		return nil, err
	}
	w := &world{native: native, dir: dir, who: &access.Principal{Name: "bench", Tenants: []string{identity().Tenant}}}
	if w.lake, err = lake.Open(ctx, identity(), lake.Config{Path: dir}); err != nil {
		return nil, err
	}
	desc, err := w.lake.Describe(ctx)
	if err != nil {
		return nil, err
	}
	w.streams, w.api = desc.Streams, newAPI("lake", w.lake)
	if w.raw, err = openRaw(ctx, dir); err != nil {
		return nil, err
	}
	report.print(os.Stdout)
	if err := w.checkRows(ctx, report); err != nil {
		return nil, err
	}
	if w.keywords, err = sigmaKeywords(500); err != nil {
		return nil, err
	}
	w.hashes, err = w.raw.someHashes(ctx)
	return w, err
}

// newAPI is the GraphQL service over one connection.
func newAPI(kind string, c hunt.Connector) *executor.Executor {
	engine := &exec.Engine{Connections: []exec.Connection{exec.Connect(kind, wrap.Opened(c), wrap.Options{Ref: hunt.ConnectionRef(identity()), Deadline: time.Minute})}}
	return graph.NewExecutor(&graph.Resolver{Engine: engine, CursorKey: []byte(strings.Repeat("k", 32)), Now: time.Now})
}

// checkRows holds what the writer said it wrote against what DuckDB counts in the files.
func (w *world) checkRows(ctx context.Context, report *ingestReport) error {
	var want, got int64
	for _, s := range report.Sources {
		want += s.Rows
	}
	for _, c := range classesWith() {
		if table := w.raw.table(c.Name, "*"); table != "" {
			n, err := w.raw.count(ctx, "SELECT count(*) FROM "+table)
			if err != nil {
				return err
			}
			got += n
		}
	}
	if want != got {
		return fmt.Errorf("the lake's writer says %d rows, its files hold %d", want, got)
	}
	return nil
}

// hashColumns are the columns of hunt h, by class.
func hashColumns() map[string]string {
	return map[string]string{"process_activity": "process.file.hashes", "module_activity": "module.file.hashes", "file_activity": "file.hashes"}
}

// someHashes chooses 1,000 hash values, half of which occur in the events.
func (r *rawSide) someHashes(ctx context.Context) ([]string, error) {
	const half = 500
	var parts []string
	for _, class := range []string{"file_activity", "module_activity", "process_activity"} {
		parts = append(parts, fmt.Sprintf("SELECT unnest(%q).value AS v FROM %s", hashColumns()[class], r.table(class, anyDay)))
	}
	out, err := r.strings(ctx, "SELECT v FROM ("+strings.Join(parts, " UNION ALL ")+") WHERE v = upper(v) GROUP BY v ORDER BY md5(v) LIMIT "+fmt.Sprint(half))
	if err != nil {
		return nil, err
	}
	rng := rand.New(rand.NewPCG(3, 4))
	for range half {
		out = append(out, fmt.Sprintf("%016X%016X", rng.Uint64(), rng.Uint64()))
	}
	return out, nil
}
