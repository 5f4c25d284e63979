package bench_test

import (
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/graph/columnar"
	"github.com/harrier-xdr/harrier/graph/generated"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// pageRows is the size of the answers that are written here.
const pageRows = 10_000

// leaves selects 25 leaves of a process activity.
const leaves = `uid time activity severity status
  device { hostname os { name } }
  actor { process { name pid uid } user { name domain } }
  process { name pid uid cmdLine workingDirectory integrity file { path } user { name } parentProcess { name cmdLine } }
  metadata { eventCode uid logName }`

const leavesQuery = `query($timeRange: TimeRangeInput!, $first: Int!) {
  processActivities(timeRange: $timeRange, first: $first) { nodes { ` + leaves + ` } pageInfo { hasNextPage endCursor } coverage { verdict complete } }
}`

func leavesVariables() map[string]any {
	return map[string]any{"timeRange": object("start", allStart, "end", allEnd), "first": pageRows}
}

// leavesPlan compiles the selection as the service does.
func leavesPlan(tb testing.TB) *columnar.Plan {
	tb.Helper()
	schema := generated.NewExecutableSchema(generated.Config{}).Schema()
	doc, errs := gqlparser.LoadQueryWithRules(schema, leavesQuery, nil)
	if errs != nil {
		tb.Fatal(errs)
	}
	events := doc.Operations[0].SelectionSet[0].(*ast.Field)
	nodes := events.SelectionSet[0].(*ast.Field)
	oc := &graphql.OperationContext{Doc: doc, Operation: doc.Operations[0], Variables: leavesVariables()}
	return columnar.Compile(oc, nodes.SelectionSet, ocsf.ByName("process_activity"))
}

// sysmonRows reads real rows with what the selection shows.
func sysmonRows(tb testing.TB, w *world, columns []string) []arrow.RecordBatch {
	tb.Helper()
	batches, err := w.stored(tb.Context(), "process_activity", "windows.sysmon", pageRows, columns...)
	if err != nil {
		tb.Fatal(err)
	}
	if rowsOf(batches) != pageRows {
		tb.Fatalf("the lake has %d rows, wanted %d", rowsOf(batches), pageRows)
	}
	return batches
}

// BenchmarkWriter writes 10,000 real events of 25 leaves as JSON: MB/s of JSON, allocations for all of them.
func BenchmarkWriter(b *testing.B) {
	w, plan := openWorld(b), leavesPlan(b)
	batches := sysmonRows(b, w, plan.Columns())
	var buf []byte
	write := func() {
		out := columnar.NewWriter(plan, func(k hunt.Key) string { return k.UID })
		buf = buf[:0]
		for _, rec := range batches {
			rows := exec.Rows{Run: vector.Run{Record: rec, To: int(rec.NumRows())}, Ref: hunt.ConnectionRef(identity()), Stream: "windows.sysmon"}
			for row := range rows.To {
				buf = append(out.Append(buf, &rows, row), ',')
			}
		}
	}
	write()
	b.SetBytes(int64(len(buf)))
	b.ReportAllocs()
	for b.Loop() {
		write()
	}
}

// BenchmarkAnswer asks for 10,000 events of 25 leaves: from memory, which leaves the service's own work, and from the lake; in process
// and over HTTP. MB/s of the answer as it goes out, uncompressed.
func BenchmarkAnswer(b *testing.B) {
	w := openWorld(b)
	held := memory.Open(identity())
	class := ocsf.ByName("process_activity")
	stream := &hunt.Stream{Name: "windows.sysmon", Class: class, Attributes: map[string]bool{}}
	for _, p := range paths(class) {
		stream.Attributes[p] = true
	}
	for _, rec := range sysmonRows(b, w, leavesPlan(b).Columns()) {
		if err := held.Append(stream, rec); err != nil {
			b.Fatal(err)
		}
	}
	for _, from := range []struct {
		name string
		api  inProcess
	}{
		{"memory", inProcess{newAPI("memory", held), w.who}},
		{"lake", inProcess{w.api, w.who}},
	} {
		b.Run(from.name+" in process", func(b *testing.B) { answer(b, from.api) })
		network, err := serve(from.api.api, w.who)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(from.name+" HTTP", func(b *testing.B) { answer(b, network) })
		network.server.Close()
	}
}

func answer(b *testing.B, a asker) {
	size := 0
	b.ReportAllocs()
	for b.Loop() {
		data, err := a.ask(b.Context(), leavesQuery, leavesVariables())
		if err != nil {
			b.Fatal(err)
		}
		if size = len(data); strings.Count(string(data[:min(size, 1000)]), `"uid"`) == 0 {
			b.Fatalf("no events: %.300s", data)
		}
	}
	b.SetBytes(int64(size))
}

// BenchmarkGraphQL runs each hunt through GraphQL alone, for profiles: -bench 'GraphQL/h' -cpuprofile FILE.
func BenchmarkGraphQL(b *testing.B) {
	w := openWorld(b)
	for _, c := range comparisons(w) {
		if len(c.roots) == 0 {
			continue
		}
		b.Run(c.id, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.hunt(b.Context(), inProcess{w.api, w.who}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
