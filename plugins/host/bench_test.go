package host_test

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/heap"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/sdk"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Figures of the wire over mutual TLS. MB/s are those of the Arrow buffers that arrive.

const benchBatches = 64

// benchBatch is 8192 rows of eight texts and four numbers: about 2.5 MB.
func benchBatch() arrow.RecordBatch {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	paths := []string{ocsf.ColRaw, ocsf.ColUnmapped}
	for i := range class.Columns {
		if c := &class.Columns[i]; c.List == "" && len(paths) < 14 {
			paths = append(paths, c.Path)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, hunt.Schema(class, paths))
	for row := range 8192 {
		for i := range b.Fields() {
			switch f := b.Field(i).(type) {
			case *array.StringBuilder:
				f.Append(fmt.Sprintf("value-%08d-%016x-abcdefghi", row, rng.Uint64()))
			case *array.TimestampBuilder:
				f.Append(arrow.Timestamp(row))
			case *array.Int64Builder:
				f.Append(int64(row))
			default:
				f.AppendNull()
			}
		}
	}
	return b.NewRecordBatch()
}

func openBench(context.Context, sdk.Setup) (hunt.Connector, error) {
	rec := benchBatch()
	return &fake{search: func(context.Context, *hunt.Translation) iter.Seq2[hunt.Frame, error] {
		return func(yield func(hunt.Frame, error) bool) {
			for range benchBatches {
				if !yield(&hunt.Batch{Record: rec}, nil) {
					return
				}
			}
			yield(hunt.End{}, nil)
		}
	}}, nil
}

func BenchmarkSearch(b *testing.B) {
	defer heap.Reserve(heap.Gateway)() // as the gateway does
	conn := open(b, config(b, "bench"), setup(b))
	var bytes int64
	var took []float64
	for b.Loop() {
		begin, n := time.Now(), int64(0)
		for f, err := range conn.Search(b.Context(), searching()) {
			if err != nil {
				b.Fatal(err)
			}
			if batch, ok := f.(*hunt.Batch); ok {
				n += sizeOf(batch.Record)
			}
		}
		bytes = n
		took = append(took, float64(n)/1e6/time.Since(begin).Seconds())
	}
	b.SetBytes(bytes)
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-MB/s")
}

// sizeOf counts the bytes of the buffers that the columns use.
func sizeOf(rec arrow.RecordBatch) (n int64) {
	for _, c := range rec.Columns() {
		n += sizeOfData(c.Data())
	}
	return n
}

func sizeOfData(d arrow.ArrayData) (n int64) {
	for _, b := range d.Buffers() {
		if b != nil {
			n += int64(b.Len())
		}
	}
	for _, c := range d.Children() {
		n += sizeOfData(c)
	}
	return n
}

func BenchmarkDescribe(b *testing.B) {
	conn := open(b, config(b, "fake"), setup(b))
	var took []float64
	for b.Loop() {
		begin := time.Now()
		if _, err := conn.Describe(b.Context()); err != nil {
			b.Fatal(err)
		}
		took = append(took, float64(time.Since(begin).Microseconds()))
	}
	slices.Sort(took)
	b.ReportMetric(took[len(took)/2], "median-us")
}

func BenchmarkStart(b *testing.B) {
	var starts, stops []float64
	for b.Loop() {
		begin := time.Now()
		conn, err := host.Open(b.Context(), config(b, "fake"), setup(b))
		if err != nil {
			b.Fatal(err)
		}
		open := time.Now()
		if err := conn.Close(); err != nil {
			b.Fatal(err)
		}
		starts, stops = append(starts, open.Sub(begin).Seconds()*1e3), append(stops, time.Since(open).Seconds()*1e3)
	}
	slices.Sort(starts)
	slices.Sort(stops)
	b.ReportMetric(starts[len(starts)/2], "median-start-ms")
	b.ReportMetric(stops[len(stops)/2], "median-stop-ms")
}
