package lake_test

import (
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// processes is a stream that can fill everything.
func processes() *hunt.Stream {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	return &hunt.Stream{Name: "sysmon", Class: class, Attributes: hunttest.AllAttributes(class)}
}

func random(seed uint64, rows int) hunttest.Data {
	s := processes()
	return hunttest.Data{Stream: s, Record: hunttest.RandomBatch(rand.New(rand.NewPCG(seed, 1)), s.Class, rows, hunttest.Untimed())}
}

// everything asks the stream for all rows with all columns.
func everything(s *hunt.Stream) hunt.Request {
	return hunt.Request{Stream: s.Name, Class: s.Class, Range: hunttest.Always(), Where: hunt.True(), Columns: hunttest.Paths(s.Class)}
}

// answer is what a search gave.
type answer struct {
	rec   arrow.RecordBatch // all rows
	end   *hunt.End
	parts []hunt.PartFailed
	err   error

	rejected []hunt.Rejected
}

func search(t *testing.T, l *lake.Lake, r hunt.Request) answer {
	t.Helper()
	tr, err := l.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	residual := vector.Compile(hunt.Residual(tr.Request.Where, tr.Of()))
	b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(r.Class, r.Columns))
	var a answer
	for f, err := range l.Search(t.Context(), tr) {
		switch f := f.(type) {
		case *hunt.Batch:
			for i, on := range residual.Filter(f.Record) {
				for c, col := range f.Record.Columns() {
					if on {
						vector.AppendFrom(b.Field(c), col, i)
					}
				}
			}
		case hunt.PartFailed:
			a.parts = append(a.parts, f)
		case hunt.Rejected:
			a.rejected = append(a.rejected, f)
		case hunt.End:
			a.end = &f
		}
		a.err = err
	}
	a.rec = b.NewRecordBatch()
	return a
}

// complete is search for answers that must not fail.
func complete(t *testing.T, l *lake.Lake, r hunt.Request) answer {
	t.Helper()
	a := search(t, l, r)
	if a.err != nil || a.end == nil || len(a.parts) > 0 {
		t.Fatalf("search: error %v, end %v, parts %v", a.err, a.end, a.parts)
	}
	return a
}

func uids(rec arrow.RecordBatch) []string {
	col := rec.Column(rec.Schema().FieldIndices(ocsf.ColUID)[0]).(*array.String)
	out := make([]string, col.Len())
	for i := range out {
		out[i] = strings.Clone(col.Value(i))
	}
	return out
}

// timed returns the rows that have a time.
func timed(rec arrow.RecordBatch) arrow.RecordBatch {
	return vector.Select(rec, vector.InRange(rec, hunttest.Always()))
}

// join puts batches of one schema into one.
func join(recs ...arrow.RecordBatch) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, recs[0].Schema())
	for _, rec := range recs {
		for i := range int(rec.NumRows()) {
			for c, col := range rec.Columns() {
				vector.AppendFrom(b.Field(c), col, i)
			}
		}
	}
	return vector.Sort(b.NewRecordBatch(), hunt.TimeAsc)
}

// parquetFiles lists the Parquet files below root, whether a commit names them or not.
func parquetFiles(t *testing.T, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".parquet") {
			out = append(out, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(out)
	return out
}
