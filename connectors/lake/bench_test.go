package lake_test

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

const benchRows = 400_000

// telemetry makes rows of process starts, one a second, with a command line of 120 and a raw record of 700 bytes.
func telemetry(from, rows int) arrow.RecordBatch {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	schema := hunt.Schema(class, []string{"process.cmd_line", "process.name", "device.hostname", ocsf.ColRaw})
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i := from; i < from+rows; i++ {
		cmd := fmt.Sprintf(`C:\Windows\System32\svchost.exe -k netsvcs -p -s Schedule --job %08x --session %016x --quiet --no-window`, i*7919, i*104729)
		for f, field := range schema.Fields() {
			switch field.Name {
			case ocsf.ColUID:
				b.Field(f).(*array.StringBuilder).Append(fmt.Sprintf("%032x", i*2654435761))
			case ocsf.ColTime:
				b.Field(f).(*array.TimestampBuilder).Append(arrow.Timestamp(1_600_000_000_000_000 + int64(i)*1_000_000))
			case "process.name":
				b.Field(f).(*array.StringBuilder).Append("svchost.exe")
			case "device.hostname":
				b.Field(f).(*array.StringBuilder).Append(fmt.Sprint("host", i%50))
			case "process.cmd_line":
				b.Field(f).(*array.StringBuilder).Append(cmd)
			default:
				b.Field(f).(*array.StringBuilder).Append(fmt.Sprintf(`{"a":%q,"b":%q,"c":%q,"d":%q,"e":%q,"n":%d}`, cmd, cmd, cmd, cmd, cmd, i))
			}
		}
	}
	return b.NewRecordBatch()
}

func benchLake(b *testing.B) *lake.Lake {
	l, err := lake.Open(b.Context(), hunttest.Identity(), lake.Config{Path: b.TempDir()})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	w, err := l.Begin(b.Context(), hunt.Input{Name: "bench", Digest: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < benchRows; from += 8192 {
		if err := w.Append(processes(), telemetry(from, min(8192, benchRows-from))); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(hunt.Counts{Records: benchRows}); err != nil {
		b.Fatal(err)
	}
	return l
}

func BenchmarkIngest(b *testing.B) {
	for b.Loop() {
		benchLake(b)
	}
	b.ReportMetric(benchRows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

func BenchmarkSearch(b *testing.B) {
	l, class := benchLake(b), processes().Class
	where := func(path string, op hunt.Op, arg string) hunt.Expr {
		p, err := hunt.NewPredicate(class.Column(path), op, false, hunt.String(arg))
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	cases := map[string]hunt.Request{
		"contains in command line": {Where: where("process.cmd_line", hunt.Contains, "PowerShell")},
		"contains in raw":          {Where: where(ocsf.ColRaw, hunt.Contains, "lsadump")},
		"equal host":               {Where: where("device.hostname", hunt.Eq, "HOST7"), Columns: []string{"process.cmd_line"}},
		"newest 100":               {Where: hunt.True(), Order: hunt.TimeDesc, Limit: 100, Columns: []string{"process.cmd_line", "process.name"}},
		"all rows":                 {Where: hunt.True(), Columns: []string{"process.cmd_line", "process.name", "device.hostname"}},
	}
	for name, r := range cases {
		r.Stream, r.Class, r.Range = processes().Name, class, hunttest.Always()
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				read(b, l, r)
			}
		})
	}
}

// read takes as many rows as the request wants.
func read(b *testing.B, l *lake.Lake, r hunt.Request) {
	t, err := l.Translate(r)
	if err != nil {
		b.Fatal(err)
	}
	rows := 0
	for f, err := range l.Search(b.Context(), t) {
		if err != nil {
			b.Fatal(err)
		}
		if batch, ok := f.(*hunt.Batch); ok {
			rows += int(batch.Record.NumRows())
		}
		if r.Limit > 0 && rows >= r.Limit {
			return
		}
	}
}
