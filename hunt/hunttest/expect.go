package hunttest

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Expect returns the indices of the rows of rec that satisfy e and whose time lies in r, by Match alone: the plain reference. A row
// without a time is in no range.
func Expect(rec arrow.RecordBatch, e hunt.Expr, r hunt.TimeRange) []int {
	out := []int{}
	for i := range int(rec.NumRows()) {
		us, ok := timeAt(rec, i)
		if ok && r.Contains(us) && e.Match(vector.Row{Record: rec, Index: i}) {
			out = append(out, i)
		}
	}
	return out
}

// timeAt returns the time of a row in microseconds, false if it has none.
func timeAt(rec arrow.RecordBatch, row int) (int64, bool) {
	col := columnOf(rec, ocsf.ColTime).(*array.Timestamp)
	return int64(col.Value(row)), col.IsValid(row)
}

// uidAt returns the uid of a row.
func uidAt(rec arrow.RecordBatch, row int) string {
	return columnOf(rec, ocsf.ColUID).(*array.String).Value(row)
}

func columnOf(rec arrow.RecordBatch, name string) arrow.Array {
	if at := rec.Schema().FieldIndices(name); len(at) == 1 {
		return rec.Column(at[0])
	}
	return nil
}
