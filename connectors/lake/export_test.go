package lake

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// Flush writes what a writer holds, as a full buffer does.
func Flush(out hunt.SinkWriter) error {
	w := out.(*Writer)
	for _, b := range w.buffers {
		if err := w.flush(b); err != nil {
			return err
		}
	}
	return nil
}

// Crash ends a writer as the end of its process does: its lock is freed and its files stay.
func Crash(w hunt.SinkWriter) { w.(*Writer).lock.Close() }

// Age rewrites the files and the log of a lake as a version that did not know some columns would have written them. Open it anew then.
func Age(t *testing.T, l *Lake, lost ...string) {
	t.Helper()
	commits, err := l.log.list()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commits {
		for i, f := range c.Files {
			c.Files[i].Schema, c.Files[i].Bytes = "older", ageFile(t, l.path(f), lost)
		}
		text, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeDurably(filepath.Join(l.log.dir, commitName(c.Number)), text); err != nil {
			t.Fatal(err)
		}
	}
}

func ageFile(t *testing.T, path string, lost []string) int64 {
	t.Helper()
	var old arrow.RecordBatch
	err := readParquet(t.Context(), path, func(rec arrow.RecordBatch) error {
		var cols []arrow.Array
		var fields []arrow.Field
		for i, f := range rec.Schema().Fields() {
			if !slices.Contains(lost, f.Name) {
				rec.Column(i).Retain()
				cols, fields = append(cols, rec.Column(i)), append(fields, f)
			}
		}
		old = array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, rec.NumRows())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	size, err := writeParquet(path, old)
	if err != nil {
		t.Fatal(err)
	}
	return size
}
