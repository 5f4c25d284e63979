package bench_test

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"testing"
	"text/tabwriter"
	"time"
)

// rounds is how often each side of a comparison is measured, after one run that warms it up.
const rounds = 5

// measured is one line of the table.
type measured struct {
	comparison
	over     string        // "" in process
	rows     int64         //
	graphql  time.Duration // 0 if the API cannot ask it yet
	duckdb   time.Duration
	complete bool
}

func (m *measured) ratio() float64 { return float64(m.graphql) / float64(m.duckdb) }

// BenchmarkHunts runs every hunt through GraphQL and as SQL in turn, fails if their rows differ, and prints a table of medians.
func BenchmarkHunts(b *testing.B) {
	w := openWorld(b)
	var lines []measured
	for _, c := range comparisons(w) {
		lines = append(lines, side(b, w, c, inProcess{w.api, w.who}, "")...)
	}
	network, err := serve(w.api, w.who)
	if err != nil {
		b.Fatal(err)
	}
	defer network.server.Close()
	for _, c := range comparisons(w) {
		if c.id == "a" || c.id == "g" {
			lines = append(lines, side(b, w, c, network, "HTTP")...)
		}
	}
	printTable(os.Stdout, lines)
	if len(w.keywords) == 0 {
		fmt.Println("g: left out, the Sigma rules are absent (" + rulesGlob + ")")
	}
}

// side measures one comparison as a benchmark of its own, so that -bench can choose it. The figures do not depend on b.N.
func side(b *testing.B, w *world, c comparison, a asker, over string) []measured {
	var out []measured
	b.Run(c.id+over, func(b *testing.B) {
		if len(out) == 0 {
			m, err := c.measure(b.Context(), w, a)
			if err != nil {
				b.Fatal(err)
			}
			m.over = over
			out = append(out, m)
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(milliseconds(out[0].duckdb), "duckdb-ms")
		if out[0].graphql > 0 {
			b.ReportMetric(milliseconds(out[0].graphql), "graphql-ms")
			b.ReportMetric(out[0].ratio(), "ratio")
		}
	})
	return out
}

// measure runs both sides once to warm up and to compare their rows, then in turn.
func (c comparison) measure(ctx context.Context, w *world, a asker) (measured, error) {
	m := measured{comparison: c}
	sql, err := w.raw.run(ctx, c.sql, len(c.roots) > 0)
	if err != nil {
		return m, err
	}
	m.rows = sql.rows
	if len(c.roots) > 0 {
		if m.complete, err = c.equal(ctx, a, sql); err != nil {
			return m, err
		}
	}
	var graphqlTimes, sqlTimes []time.Duration
	for range rounds {
		if len(c.roots) > 0 {
			took, err := timed(func() error { _, err := c.hunt(ctx, a); return err })
			if err != nil {
				return m, err
			}
			graphqlTimes = append(graphqlTimes, took)
		}
		took, err := timed(func() error { _, err := w.raw.run(ctx, c.sql, false); return err })
		if err != nil {
			return m, err
		}
		sqlTimes = append(sqlTimes, took)
	}
	m.graphql, m.duckdb = median(graphqlTimes), median(sqlTimes)
	return m, nil
}

// equal compares the events of both sides, not just their number.
func (c *comparison) equal(ctx context.Context, a asker, sql rawAnswer) (complete bool, err error) {
	pages, err := c.hunt(ctx, a)
	if err != nil {
		return false, err
	}
	uids, complete, err := c.read(pages)
	if err != nil {
		return false, err
	}
	if int64(len(uids)) != sql.rows || !maps.Equal(uids, sql.uids) {
		return false, fmt.Errorf("hunt %s: GraphQL gives %d rows, SQL %d, or they are not the same events", c.id, len(uids), sql.rows)
	}
	return complete, nil
}

func timed(do func() error) (time.Duration, error) {
	began := time.Now()
	err := do()
	return time.Since(began), err
}

// median returns 0 for no times.
func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[len(times)/2]
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func printTable(out io.Writer, lines []measured) {
	fmt.Fprintf(out, "\nMedians of %d rounds in turn, page cache and both DuckDBs warm. Rows are the same events on both sides.\n", rounds)
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(t, "hunt\t\trows\tGraphQL ms\tDuckDB ms\tratio\tcoverage")
	for _, m := range lines {
		name := m.id
		if m.over != "" {
			name += " " + m.over
		}
		if m.graphql == 0 {
			fmt.Fprintf(t, "%s\t%s\t%d\tnot in the API yet\t%.1f\t-\t-\n", name, m.title, m.rows, milliseconds(m.duckdb))
			continue
		}
		coverage := "complete"
		if !m.complete {
			coverage = "not complete"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%.1f\t%.1f\t%.2f\t%s\n", name, m.title, m.rows, milliseconds(m.graphql), milliseconds(m.duckdb), m.ratio(), coverage)
	}
	t.Flush()
	fmt.Fprintln(out, "Rows are what the mappings of this version make of the events; events without a time are in no range. Coverage is not complete where some\n"+
		"stream of a class lacks an attribute that the hunt asks for (IMPOSSIBLE), or records were rejected at ingest; the rows of both sides are equal.")
}
