package files_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// incidents returns the folders of real telemetry; without them the test is skipped.
func incidents(t testing.TB) []string {
	t.Helper()
	dirs, err := filepath.Glob("../../../shared/data/incidents/*")
	if err != nil || len(dirs) == 0 {
		t.Skip("no incident data at ../shared/data/incidents, next to the repository")
	}
	return dirs
}

// TestIncidents accounts for every record of the real telemetry: each is a row or a reject, and each row an event or a duplicate.
func TestIncidents(t *testing.T) {
	set, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range incidents(t) {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			continue
		}
		t.Run(filepath.Base(dir), func(t *testing.T) {
			t.Parallel()
			account(t, dir, set)
		})
	}
}

func account(t *testing.T, dir string, set *mapping.Set) {
	began := time.Now()
	f, err := files.Open(t.Context(), hunt.Identity{Tenant: "demo", Connection: "demo"}, files.Config{Path: dir}, files.Options{Mappings: set})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	took := time.Since(began)
	var indexed files.Counts
	for _, p := range f.Parts() {
		if p.Records != p.Rows+p.Rejected {
			t.Errorf("%s: %d records, but %d rows and %d rejects", p.Name, p.Records, p.Rows, p.Rejected)
		}
		uids := map[string]bool{}
		var rows int64
		counts, err := f.Scan(t.Context(), p.Name, func(_ *hunt.Stream, rec arrow.RecordBatch) error {
			rows += rec.NumRows()
			for i, col := 0, rec.Column(0).(*array.String); i < col.Len(); i++ {
				uids[col.Value(i)] = true
			}
			return nil
		})
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		if counts != p.Counts || rows != p.Rows {
			t.Errorf("%s: Scan counts %+v and emits %d rows, the index has %+v", p.Name, counts, rows, p.Counts)
		}
		indexed.Records += p.Records
		indexed.Rows += p.Rows
		indexed.Rejected += p.Rejected
	}
	checkSearches(t, f, indexed.Rows)
	d, err := f.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d parts, %d records, %d rows, %d rejected in %v; notes %q", len(f.Parts()), indexed.Records, indexed.Rows, indexed.Rejected, took, d.Notes)
}

// checkSearches asks every stream for everything: events, duplicates and events without a time are all rows.
func checkSearches(t *testing.T, f *files.Files, rows int64) {
	t.Helper()
	d, err := f.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got, described int64
	for _, s := range d.Streams {
		tr, err := f.Translate(hunt.Request{Stream: s.Name, Class: s.Class, Range: always(), Where: hunt.True(), Columns: []string{"raw"}})
		if err != nil {
			t.Fatal(err)
		}
		described += s.Rows
		for frame, err := range f.Search(context.Background(), tr) {
			if err != nil {
				t.Fatal(err)
			}
			switch frame := frame.(type) {
			case *hunt.Batch:
				got += frame.Record.NumRows()
			case hunt.End:
				got += frame.Duplicates + frame.Untimed
			}
		}
	}
	if got != rows || described != rows {
		t.Errorf("the index has %d rows, the streams describe %d, the searches account for %d", rows, described, got)
	}
}

func always() hunt.TimeRange { return hunt.TimeRange{Start: -1 << 62, End: 1 << 62} }
