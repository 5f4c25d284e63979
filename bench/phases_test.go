package bench_test

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// allTimes is every time that an event may have.
func allTimes() hunt.TimeRange { return hunt.TimeRange{Start: 0, End: 4_102_444_800_000_000} }

// stored reads at most n rows of one stream out of the lake, with some columns.
func (w *world) stored(ctx context.Context, class, stream string, n int, columns ...string) ([]arrow.RecordBatch, error) {
	t, err := w.lake.Translate(hunt.Request{Stream: stream, Class: ocsf.ByName(class), Range: allTimes(), Where: hunt.True(), Columns: columns, Limit: n})
	if err != nil {
		return nil, err
	}
	var out []arrow.RecordBatch
	for frame, err := range w.lake.Search(ctx, t) {
		if err != nil {
			return nil, err
		}
		if b, ok := frame.(*hunt.Batch); ok {
			rec := b.Record.NewSlice(0, min(b.Record.NumRows(), int64(n)))
			out, n = append(out, rec), n-int(rec.NumRows())
		}
		if n == 0 {
			break
		}
	}
	return out, nil
}

// paths lists all columns of a class that are stored.
func paths(class *ocsf.Class) []string {
	out := []string{ocsf.ColRaw, ocsf.ColUnmapped}
	for i := range class.Columns {
		out = append(out, class.Columns[i].Path)
	}
	return out
}

// sysmonLines reads real Sysmon records.
func sysmonLines(tb testing.TB, n int) [][]byte {
	tb.Helper()
	f, err := os.Open(filepath.Join(openWorld(tb).native.logs(), "otrf-windows.ndjson"))
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	var out [][]byte
	lines := bufio.NewScanner(f)
	lines.Buffer(make([]byte, 1<<20), 1<<24)
	for len(out) < n && lines.Scan() {
		if bytes.Contains(lines.Bytes(), []byte("Microsoft-Windows-Sysmon/Operational")) {
			out = append(out, bytes.Clone(lines.Bytes()))
		}
	}
	if len(out) < n {
		tb.Fatalf("%d Sysmon records, wanted %d: %v", len(out), n, lines.Err())
	}
	return out
}

// BenchmarkMapping maps real Sysmon records into all columns of their classes, as an ingestion does.
func BenchmarkMapping(b *testing.B) {
	lines := sysmonLines(b, 20_000)
	set, err := mapping.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	var size int64
	for _, l := range lines {
		size += int64(len(l))
	}
	decoder, builders := set.NewDecoder(), map[*ocsf.Class]*mapping.Builder{}
	b.SetBytes(size)
	b.ReportAllocs()
	for b.Loop() {
		for _, l := range lines {
			mapOne(b, decoder, builders, l)
		}
		for _, builder := range builders {
			builder.Batch()
		}
	}
	b.ReportMetric(float64(len(lines)*b.N)/b.Elapsed().Seconds(), "records/s")
}

func mapOne(b *testing.B, decoder *mapping.Decoder, builders map[*ocsf.Class]*mapping.Builder, line []byte) {
	if err := decoder.JSON(line); err != nil {
		b.Fatal(err)
	}
	m := decoder.Match()
	if m == nil {
		b.Fatalf("no mapping takes %.200s", line)
	}
	if builders[m.Class] == nil {
		builders[m.Class] = mapping.NewBuilder(m.Class, paths(m.Class))
	}
	builders[m.Class].Append(decoder, m, identity())
}

// BenchmarkFilter runs conditions over real columns of the lake.
func BenchmarkFilter(b *testing.B) {
	w := openWorld(b)
	words := hunt.Or{}
	script := ocsf.ByName("script_activity").Column("script.script_content.value")
	for _, k := range w.keywords {
		words = append(words, predicate(b, script, hunt.Contains, hunt.String(k)))
	}
	trace := ocsf.ByName("process_activity").Column("ext.call_trace")
	name := ocsf.ByName("process_activity").Column("process.name")
	ip := ocsf.ByName("network_activity").Column("src_endpoint.ip")
	for _, c := range []struct {
		name, class, stream, column string
		e                           hunt.Expr
	}{
		{"contains, call trace", "process_activity", "windows.sysmon", trace.Path, predicate(b, trace, hunt.Contains, hunt.String("dbgcore.dll"))},
		{"regex, call trace", "process_activity", "windows.sysmon", trace.Path, predicate(b, trace, hunt.RegexOp, hunt.String(`kernelbase\.dll\+[0-9a-f]+\|unknown`))},
		{"in, process name", "process_activity", "windows.sysmon", name.Path, predicate(b, name, hunt.In, hunt.String("lsass.exe"), hunt.String("powershell.exe"), hunt.String("cmd.exe"))},
		{"keywords, script text", "script_activity", "windows.powershell", script.Path, words},
		{"cidr, source address", "network_activity", "zeek", ip.Path, predicate(b, ip, hunt.CIDR, hunt.String("10.47.0.0/16"))},
	} {
		b.Run(c.name, func(b *testing.B) {
			batches, err := w.stored(b.Context(), c.class, c.stream, 64<<10, c.column)
			if err != nil {
				b.Fatal(err)
			}
			filterAll(b, vector.Compile(c.e), batches)
		})
	}
}

func filterAll(b *testing.B, program *vector.Program, batches []arrow.RecordBatch) {
	rows, found := rowsOf(batches), 0
	for b.Loop() {
		found = 0
		for _, rec := range batches {
			for _, on := range program.Filter(rec) {
				if on {
					found++
				}
			}
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())*1e6/float64(b.N)/float64(rows), "ms/Mrow")
	b.ReportMetric(float64(found), "found")
}

func rowsOf(batches []arrow.RecordBatch) (n int) {
	for _, rec := range batches {
		n += int(rec.NumRows())
	}
	return n
}

func predicate(tb testing.TB, col *ocsf.Column, op hunt.Op, args ...hunt.Value) hunt.Expr {
	tb.Helper()
	p, err := hunt.NewPredicate(col, op, false, args...)
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// BenchmarkMerge merges the real streams of network activity into one order.
func BenchmarkMerge(b *testing.B) {
	w := openWorld(b)
	var streams [][]arrow.RecordBatch
	total := 0
	for i := range w.streams {
		if w.streams[i].Class.Name != "network_activity" {
			continue
		}
		batches, err := w.stored(b.Context(), "network_activity", w.streams[i].Name, 1<<20)
		if err != nil {
			b.Fatal(err)
		}
		streams, total = append(streams, batches), total+rowsOf(batches)
	}
	b.ReportAllocs()
	for b.Loop() {
		rows := 0
		for run := range vector.Merge(inputs(streams), hunt.TimeAsc, func(int) { rows++ }) {
			rows += run.To - run.From
		}
		if rows != total {
			b.Fatalf("%d rows of %d", rows, total)
		}
	}
	b.ReportMetric(float64(total*b.N)/b.Elapsed().Seconds(), "rows/s")
}

func inputs(streams [][]arrow.RecordBatch) []vector.Input {
	out := make([]vector.Input, len(streams))
	for i, batches := range streams {
		out[i] = vector.Input{Ref: hunt.ConnectionRef(identity()), Next: func() arrow.RecordBatch {
			if len(batches) == 0 {
				return nil
			}
			first := batches[0]
			batches = batches[1:]
			return first
		}}
	}
	return out
}
