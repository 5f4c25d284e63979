package files_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// BenchmarkOpen maps the largest host log of the real telemetry, one gzip stream, and reports records per second.
func BenchmarkOpen(b *testing.B) {
	path := "../../../shared/data/incidents/lsass_campaign_01/host.jsonl.gz"
	if _, err := os.Stat(path); err != nil {
		b.Skip("no incident data at ../shared/data/incidents, next to the repository")
	}
	set, err := mapping.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	var records int64
	for b.Loop() {
		f, err := files.Open(b.Context(), hunt.Identity{Tenant: "t", Connection: "c"}, files.Config{Path: path}, files.Options{Mappings: set})
		if err != nil {
			b.Fatal(err)
		}
		records += f.Parts()[0].Records
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)/b.Elapsed().Seconds(), "records/s")
}

// BenchmarkSearch filters the same log from the cache and without it.
func BenchmarkSearch(b *testing.B) {
	dir := filepath.Join("../../../shared/data/incidents/lsass_campaign_01")
	if _, err := os.Stat(dir); err != nil {
		b.Skip("no incident data at ../shared/data/incidents, next to the repository")
	}
	set, err := mapping.Builtin()
	if err != nil {
		b.Fatal(err)
	}
	for name, size := range caches() {
		b.Run(name, func(b *testing.B) {
			f := openFiles(b, files.Config{Path: dir, CacheBytes: size}, set)
			r := everything("windows.sysmon", "process_activity", "process.cmd_line")
			p, err := hunt.NewPredicate(r.Class.Column("process.cmd_line"), hunt.Contains, false, hunt.String("powershell"))
			if err != nil {
				b.Fatal(err)
			}
			r.Where = p
			rows := 0
			for b.Loop() {
				rows = len(search(b, f, r).raw)
			}
			b.ReportMetric(float64(rows), "rows")
		})
	}
}
