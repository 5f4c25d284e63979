package sample

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
		us, ok := TimeAt(rec, i)
		if ok && r.Contains(us) && e.Match(vector.Row{Record: rec, Index: i}) {
			out = append(out, i)
		}
	}
	return out
}

// TimeAt returns the time of a row in microseconds, false if it has none.
func TimeAt(rec arrow.RecordBatch, row int) (int64, bool) {
	col := vector.Column(rec, ocsf.ColTime).(*array.Timestamp)
	return int64(col.Value(row)), col.IsValid(row)
}
