package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// openLake writes a configuration with one lake and opens it.
func openLake(t *testing.T) (conf string, g *gateway, who *access.Principal) {
	t.Helper()
	dir := t.TempDir()
	conf = write(t, dir, "harrier.yaml", "connections:\n- {name: sensors, tenant: acme, connector: lake, settings: {path: lake}}\n")
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	g, err = openGateway(t.Context(), cfg, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.close(zerolog.Nop()) })
	return conf, g, &access.Principal{Name: "test", Tenants: []string{"acme"}}
}

// paged is a page of uids.
type paged struct {
	Nodes    []struct{ UID string }
	PageInfo struct {
		HasNextPage bool
		EndCursor   *string
	}
	Coverage struct{ Complete bool }
}

// page asks one page of all network events.
func page(t *testing.T, g *gateway, who *access.Principal, first int, after *string) paged {
	t.Helper()
	doc := `query($first: Int!, $after: String) { networkActivities(timeRange: {start: "2000-01-01T00:00:00Z", end: "2100-01-01T00:00:00Z"}, first: $first, after: $after) {
		nodes { uid } pageInfo { hasNextPage endCursor } coverage { complete } } }`
	resp, err := graph.Execute(t.Context(), graph.NewExecutor(g.resolver), who, &graphql.RawParams{Query: doc, Variables: map[string]any{"first": json.Number(itoa(first)), "after": deref(after)}})
	if err != nil {
		t.Fatal(err)
	}
	a, err := decode[paged](resp, "networkActivities")
	if err != nil {
		t.Fatal(err)
	}
	if !a.Coverage.Complete {
		t.Error("a page of a sound lake is not complete")
	}
	return *a
}

func itoa(n int) string { raw, _ := json.Marshal(n); return string(raw) }

func deref(s *string) any {
	if s == nil {
		return nil
	}
	return *s
}

// uids reads the whole answer by pages; between is called after the first page.
func uids(t *testing.T, g *gateway, who *access.Principal, first int, between func()) []string {
	t.Helper()
	var out []string
	var after *string
	for {
		p := page(t, g, who, first, after)
		for _, n := range p.Nodes {
			out = append(out, n.UID)
		}
		if between != nil {
			between()
			between = nil
		}
		if !p.PageInfo.HasNextPage {
			return out
		}
		after = p.PageInfo.EndCursor
	}
}

// TestPagesWhileAnIngestRuns pages a hunt while another seed's telemetry of the same days goes into the lake: every page shows what
// the first one saw, and a new hunt shows everything.
func TestPagesWhileAnIngestRuns(t *testing.T) {
	conf, g, who := openLake(t)
	ingestSeed := func(seed uint64) {
		dir := t.TempDir()
		if _, err := demo.Write(t.Context(), dir, demo.Options{Seed: seed, Events: 4000}, nil); err != nil {
			t.Error(err)
			return
		}
		if status, _, errs := run(t, "ingest", "-c", conf, "--into", "sensors", filepath.Join(dir, "network")); status != 0 {
			t.Errorf("ingest: %s", errs)
		}
	}
	ingestSeed(1)
	before := uids(t, g, who, 1000, nil)
	if len(before) < 100 {
		t.Fatalf("%d events are too few to page", len(before))
	}
	running := make(chan struct{})
	during := uids(t, g, who, 7, func() {
		go func() {
			defer close(running)
			ingestSeed(2)
			ingestSeed(3)
		}()
	})
	<-running
	if !slices.Equal(before, during) {
		t.Errorf("%d events before the ingest, %d while it ran", len(before), len(during))
	}
	if after := uids(t, g, who, 1000, nil); len(after) <= len(before) {
		t.Errorf("a new hunt shows %d events, %d before the ingest", len(after), len(before))
	}
}

// TestRecordsInAreRowsOut counts, through the API and for every class, the events of each folder: records are rows, duplicates,
// events without a time and rejects, to the unit, through files and through the lake.
func TestRecordsInAreRowsOut(t *testing.T) {
	generated, _ := written(t)
	folders := []string{generated} // under the race detector the small ones
	incidents, _ := filepath.Glob("../shared/data/incidents/*")
	for _, dir := range incidents {
		if info, err := os.Stat(dir); err == nil && info.IsDir() && filepath.Base(dir) != "vendor_samples_panther" {
			folders = append(folders, dir)
		}
	}
	if len(folders) == 1 {
		t.Log("only generated telemetry: the shared incidents are not there")
	}
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if raced && sizeOf(dir) > 200<<10 {
				t.Skip("large under the race detector; make accept runs it without")
			}
			lake, lakeEvents, lakeUntimed := account(t, dir, "lake")
			files, events, untimed := account(t, dir, "files")
			t.Logf("%d records in: %d events, %d duplicates, %d without a time, %d rejected", lake.Records, lakeEvents, lake.Duplicates, lakeUntimed, lake.Rejected)
			if lake.Records == 0 || lake.Records != lakeEvents+lakeUntimed+lake.Duplicates+lake.Rejected {
				t.Errorf("lake: %d records in, but %d events + %d without a time + %d duplicates + %d rejected", lake.Records, lakeEvents, lakeUntimed, lake.Duplicates, lake.Rejected)
			}
			if files.Records != lake.Records || files.Rejected != lake.Rejected || events != lakeEvents {
				t.Errorf("files: %d records, %d rejected, %d events; lake: %d, %d, %d", files.Records, files.Rejected, events, lake.Records, lake.Rejected, lakeEvents)
			}
			if files.Records != events+untimed+lake.Duplicates+files.Rejected {
				t.Errorf("files: %d records in, but %d events + %d without a time + %d duplicates + %d rejected", files.Records, events, untimed, lake.Duplicates, files.Rejected)
			}
		})
	}
}

// sizeOf returns the bytes of the files below a folder.
func sizeOf(dir string) (n int64) {
	_ = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && !d.IsDir() {
			n += info.Size()
		}
		return err
	})
	return n
}

// account reads a folder through a connector and counts what comes out.
func account(t *testing.T, dir, through string) (in ingestReport, events, untimed int64) {
	t.Helper()
	p := &program{ctx: t.Context(), stdout: t.Output(), stderr: t.Output()}
	set, err := loadMappings(defaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	show := &demonstration{p: p, dir: t.TempDir(), set: set}
	engine, err := show.open(demoCmd{Data: dir, Through: through})
	if err != nil {
		t.Fatal(err)
	}
	g := newGateway(engine, []byte("key"), access.NewTokens())
	defer g.close(zerolog.Nop())
	in = show.account
	if through == "files" {
		in = inFolder(t, dir)
	}
	events, untimed = countEvents(t, g)
	return in, events, untimed
}

// inFolder counts the records of a folder.
func inFolder(t *testing.T, dir string) (in ingestReport) {
	t.Helper()
	f := inFiles(t, dir).(*files.Files)
	for _, part := range f.Parts() {
		in.Records += part.Records
		in.Rejected += part.Rejected
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	return in
}

// countEvents streams every class and counts the events, and those that are in no range.
func countEvents(t *testing.T, g *gateway) (events, untimed int64) {
	t.Helper()
	who := &access.Principal{Name: "test", Tenants: []string{demoTenant}}
	e := graph.NewExecutor(g.resolver)
	for i := range ocsf.Classes() {
		c := &ocsf.Classes()[i]
		doc := `query($after: String) { f: ` + c.Root + `(timeRange: {start: "1970-01-01T00:00:00Z", end: "2100-01-01T00:00:00Z"}, first: 10000, after: $after) {
			nodes { uid } pageInfo { hasNextPage endCursor } coverage { connections { untimed } } } }`
		var after *string
		for {
			resp, err := graph.Execute(t.Context(), e, who, &graphql.RawParams{Query: doc, Variables: map[string]any{"after": deref(after)}})
			if err != nil {
				t.Fatal(err)
			}
			a, err := decode[struct {
				Nodes    []struct{ UID string }
				PageInfo struct {
					HasNextPage bool
					EndCursor   *string
				}
				Coverage struct {
					Connections []struct{ Untimed int64 }
				}
			}](resp, "f")
			if err != nil {
				t.Fatal(err)
			}
			events += int64(len(a.Nodes))
			if !a.PageInfo.HasNextPage {
				for _, l := range a.Coverage.Connections {
					untimed += l.Untimed
				}
				break
			}
			after = a.PageInfo.EndCursor
		}
	}
	return events, untimed
}
