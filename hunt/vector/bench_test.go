package vector_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

const benchRows = 64 << 10

// benchBatch is 64k events with command lines of about 80 bytes and addresses of one /8.
func benchBatch() (*ocsf.Class, arrow.RecordBatch) {
	class := ocsf.ByName("network_activity")
	schema := hunt.Schema(class, []string{"actor.process.cmd_line", "src_endpoint.ip"})
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	rng := newRand(1)
	programs := []string{`C:\Windows\System32\svchost.exe -k netsvcs -p -s`, `"C:\Program Files\App\App.exe" --type=renderer --lang=en`, `powershell.exe -NoProfile -File C:\Scripts\`}
	for i := range benchRows {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%016x", i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
		b.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("%s %x-%x", programs[rng.IntN(len(programs))], rng.Uint64(), rng.Uint32()))
		ip := [16]byte{10: 0xff, 11: 0xff, 12: 10, 13: byte(rng.IntN(256)), 14: byte(rng.IntN(256)), 15: byte(rng.IntN(256))}
		b.Field(3).(*array.FixedSizeBinaryBuilder).Append(ip[:])
	}
	return class, b.NewRecordBatch()
}

func BenchmarkFilter(b *testing.B) {
	class, rec := benchBatch()
	cmdLine, ip := class.Column("actor.process.cmd_line"), class.Column("src_endpoint.ip")
	predicate := func(col *ocsf.Column, op hunt.Op, args ...hunt.Value) hunt.Expr {
		p, err := hunt.NewPredicate(col, op, false, args...)
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	keywords, set := hunt.Or{}, []hunt.Value{}
	for i := range 500 {
		keywords = append(keywords, predicate(cmdLine, hunt.Contains, hunt.String(fmt.Sprintf("Invoke-Tool%d", i))))
		set = append(set, hunt.String(strings.Repeat("x", 70)+fmt.Sprint(i)))
	}
	caseSensitive, err := hunt.NewPredicate(cmdLine, hunt.Contains, true, hunt.String("netsvcs"))
	if err != nil {
		b.Fatal(err)
	}
	tools := func(n int) hunt.Expr {
		words := []string{"mimikatz", "Invoke", "sekurlsa", "rundll", "psexec", "certutil", "bitsadmin", "netsh", "schtasks", "wmic"}
		list, rng := hunt.Or{}, newRand(7)
		for range n {
			list = append(list, predicate(cmdLine, hunt.Contains, hunt.String(words[rng.IntN(len(words))]+fmt.Sprintf("-%x", rng.Uint32()))))
		}
		return list
	}
	for _, c := range []struct {
		name string
		e    hunt.Expr
	}{
		{"contains", predicate(cmdLine, hunt.Contains, hunt.String("NETSVCS"))},
		{"in500", predicate(cmdLine, hunt.In, set...)},
		{"keywords500", keywords},
		{"regex", predicate(cmdLine, hunt.RegexOp, hunt.String(`-enc\s+[a-z0-9+/]{20,}`))},
		{"contains case-sensitive", caseSensitive},
		{"contains miss", predicate(cmdLine, hunt.Contains, hunt.String("mimikatz"))},
		{"contains frequent letter", predicate(cmdLine, hunt.Contains, hunt.String("eeeeeeee"))},
		{"contains non-ASCII", predicate(cmdLine, hunt.Contains, hunt.String("\u043f\u0430\u0440\u043e\u043b\u044c"))},
		{"startsWith", predicate(cmdLine, hunt.StartsWith, hunt.String(`POWERSHELL`))},
		{"endsWith", predicate(cmdLine, hunt.EndsWith, hunt.String(`.exe`))},
		{"tools2", tools(2)},
		{"tools3", tools(3)},
		{"tools4", tools(4)},
		{"tools8", tools(8)},
		{"tools20000", tools(20000)},
		{"like", predicate(cmdLine, hunt.LikeOp, hunt.String(`*\svchost.exe*-s*`))},
		{"cidr", predicate(ip, hunt.CIDR, hunt.String("10.20.0.0/16"))},
	} {
		b.Run(c.name, func(b *testing.B) {
			program := vector.Compile(c.e)
			for b.Loop() {
				program.Filter(rec)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())*1e6/float64(b.N)/benchRows, "ms/Mrow")
		})
	}
	for name, list := range map[string]hunt.Expr{"compile keywords500": keywords, "compile tools20000": tools(20_000)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				vector.Compile(list)
			}
		})
	}
}

// BenchmarkMerge merges eight ordered inputs of 50k rows in batches of 4k, which interleave row by row or in stretches.
func BenchmarkMerge(b *testing.B) {
	const sources, perSource, size = 8, 50_000, 4096
	for _, stretch := range []int{1, 100} {
		b.Run(fmt.Sprintf("stretch%d", stretch), func(b *testing.B) {
			var records []arrow.RecordBatch
			for s := range sources {
				records = append(records, mergeBatch(s*stretch, perSource, stretch, sources))
			}
			for b.Loop() {
				var inputs []vector.Input
				for s, rec := range records {
					inputs = append(inputs, source(hunt.ConnectionRef{Tenant: "acme", Connection: fmt.Sprint("connection-", s)}, rec, size))
				}
				rows := 0
				for run := range vector.Merge(inputs, hunt.TimeAsc, func(int) {}) {
					rows += run.To - run.From
				}
				if rows != sources*perSource {
					b.Fatalf("merged %d rows", rows)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/sources/perSource, "ns/row")
		})
	}
}

// BenchmarkSort sorts 8k rows that come in the order of their uids, in which times lie at random.
func BenchmarkSort(b *testing.B) {
	const rows = 8192
	rng := rand.New(rand.NewPCG(1, 1))
	times := rng.Perm(rows)
	build := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(ocsf.ByName("network_activity"), nil))
	for i, at := range times {
		build.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%032x", i))
		build.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(at / 2)) // each twice
	}
	rec := build.NewRecordBatch()
	for b.Loop() {
		vector.Sort(rec, hunt.TimeAsc)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
}

// mergeBatch has stretches of rows one microsecond apart, each sources stretches after the one before.
func mergeBatch(start, rows, stretch, sources int) arrow.RecordBatch {
	class := ocsf.ByName("network_activity")
	b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(class, nil))
	for i := range rows {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%016x%016x", start, i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(start + i/stretch*stretch*sources + i%stretch))
	}
	return b.NewRecordBatch()
}
