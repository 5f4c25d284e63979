package lake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// rowGroup is the number of rows that DuckDB reads and skips as one.
const rowGroup = 128 * 1024

// fullSchema is the schema of every file of a class: all columns, with raw and unmapped.
func fullSchema(class *ocsf.Class) *arrow.Schema {
	paths := []string{ocsf.ColRaw, ocsf.ColUnmapped}
	for i := range class.Columns {
		paths = append(paths, class.Columns[i].Path)
	}
	return hunt.Schema(class, paths)
}

// fingerprint tells schemas apart, so that a search knows whether all its files have the columns of today.
func fingerprint(s *arrow.Schema) string {
	h := fnv.New64a()
	for _, f := range s.Fields() {
		fmt.Fprintf(h, "%s %s\n", f.Name, f.Type)
	}
	return fmt.Sprintf("%016x", h.Sum64())
}

// properties turns dictionaries off where nearly every value is its own: they would cost time and be given up.
func properties() *parquet.WriterProperties {
	return parquet.NewWriterProperties(
		parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1), parquet.WithStats(true),
		parquet.WithMaxRowGroupLength(rowGroup), parquet.WithDictionaryDefault(true), parquet.WithCreatedBy("harrier"),
		parquet.WithDictionaryFor(ocsf.ColUID, false), parquet.WithDictionaryFor(ocsf.ColRaw, false), parquet.WithDictionaryFor(ocsf.ColUnmapped, false),
		parquet.WithDictionaryFor(ocsf.ColTime, false))
}

// writeParquet writes a batch to a new file and makes it durable. It returns the size in bytes.
func writeParquet(path string, rec arrow.RecordBatch) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	buffered := bufio.NewWriterSize(f, 1<<20)
	// Without its Close method, so that the file is still open to be synced.
	w, err := pqarrow.NewFileWriter(rec.Schema(), struct{ io.Writer }{buffered}, properties(), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return 0, err
	}
	err = w.WriteBuffered(rec)
	if err = errors.Join(err, w.Close(), buffered.Flush(), f.Sync()); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// readParquet reads columns of a file, all of them if none is named, batch by batch.
func readParquet(ctx context.Context, path string, visit func(arrow.RecordBatch) error, columns ...string) (err error) {
	// A damaged file may make the reader panic; it is bad input like any other.
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the file is damaged: %v", r)
		}
	}()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		return err
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 16 * 1024}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	var leaves []int
	for i := range f.MetaData().Schema.NumColumns() {
		for _, c := range columns {
			if strings.Join(f.MetaData().Schema.Column(i).ColumnPath(), ".") == c {
				leaves = append(leaves, i)
			}
		}
	}
	if len(columns) > 0 && len(leaves) == 0 {
		return fmt.Errorf("the file has no column %s", strings.Join(columns, ", "))
	}
	rr, err := r.GetRecordReader(ctx, leaves, nil)
	if err != nil {
		return err
	}
	defer rr.Release()
	for rr.Next() {
		if err := visit(rr.RecordBatch()); err != nil {
			return err
		}
	}
	if err := rr.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// readUIDs calls visit for the uid of every row of a file.
func readUIDs(ctx context.Context, path string, visit func(uid string)) error {
	return readParquet(ctx, path, func(rec arrow.RecordBatch) error {
		col, ok := rec.Column(0).(*array.String)
		if !ok {
			return fmt.Errorf("column uid is %s, not text", rec.Column(0).DataType())
		}
		for i := range col.Len() {
			visit(col.Value(i))
		}
		return nil
	}, ocsf.ColUID)
}
