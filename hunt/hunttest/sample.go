package hunttest

import (
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// BatchOption narrows what RandomBatch makes.
type BatchOption = sample.BatchOption

// Untimed is sample.Untimed.
func Untimed() BatchOption { return sample.Untimed() }

// Only is sample.Only.
func Only(attributes map[string]bool) BatchOption { return sample.Only(attributes) }

// Keeping is sample.Keeping.
func Keeping(keep func(path string, v hunt.Value) bool) BatchOption { return sample.Keeping(keep) }

// Extremes is sample.Extremes.
func Extremes() BatchOption { return sample.Extremes() }

// RandomBatch is sample.RandomBatch.
func RandomBatch(rng *rand.Rand, class *ocsf.Class, rows int, options ...BatchOption) arrow.RecordBatch {
	return sample.RandomBatch(rng, class, rows, options...)
}

// Paths is sample.Paths.
func Paths(class *ocsf.Class) []string { return sample.Paths(class) }

// AllAttributes is sample.AllAttributes.
func AllAttributes(class *ocsf.Class) map[string]bool { return sample.AllAttributes(class) }

// Columns is sample.Columns.
func Columns(class *ocsf.Class, attributes map[string]bool) []*ocsf.Column {
	return sample.Columns(class, attributes)
}

// RandomExpr is sample.RandomExpr.
func RandomExpr(rng *rand.Rand, class *ocsf.Class, rec arrow.RecordBatch) hunt.Expr {
	return sample.RandomExpr(rng, class, rec)
}

// RandomExprOver is sample.RandomExprOver.
func RandomExprOver(rng *rand.Rand, columns []*ocsf.Column, rec arrow.RecordBatch) hunt.Expr {
	return sample.RandomExprOver(rng, columns, rec)
}

// RandomPredicate is sample.RandomPredicate.
func RandomPredicate(rng *rand.Rand, col *ocsf.Column, op hunt.Op, rec arrow.RecordBatch) *hunt.Predicate {
	return sample.RandomPredicate(rng, col, op, rec)
}

// Expect is sample.Expect.
func Expect(rec arrow.RecordBatch, e hunt.Expr, r hunt.TimeRange) []int {
	return sample.Expect(rec, e, r)
}

// Window is sample.Window.
func Window() hunt.TimeRange { return sample.Window() }

// Always is sample.Always.
func Always() hunt.TimeRange { return sample.Always() }
