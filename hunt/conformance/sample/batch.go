package sample

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// BatchOption narrows what RandomBatch makes.
type BatchOption func(*batch)

// Untimed lets about one row in ten have no time; such rows come last.
func Untimed() BatchOption { return func(b *batch) { b.untimed = true } }

// Only leaves every column null but those at the given dotted OCSF paths; uid, time, raw and unmapped are always filled.
func Only(attributes map[string]bool) BatchOption {
	return func(b *batch) { b.has = func(path string) bool { return attributes[path] } }
}

// Keeping replaces every value that keep refuses by a missing one, for sources that cannot store it (bytes that are no UTF-8, say). A
// row without a time is offered to keep as the zero Value; if keep refuses that, the row gets a time.
func Keeping(keep func(path string, v hunt.Value) bool) BatchOption {
	return func(b *batch) { b.keep = keep }
}

// Extremes plants what the other rows do not have: texts of up to a megabyte in some columns, and events before 1970 and in the year
// 9999.
func Extremes() BatchOption { return func(b *batch) { b.extremes = true } }

// FewInstants gives nearly all rows one of a few times, so that many are equal.
func FewInstants() BatchOption { return func(b *batch) { b.few = true } }

// batch collects what a random batch is made with.
type batch struct {
	rng     *rand.Rand
	class   *ocsf.Class
	untimed bool
	has     func(path string) bool
	keep    func(path string, v hunt.Value) bool

	extremes, few bool
	giants        []string // still to be planted
}

// RandomBatch makes rows events over all columns of the class, with raw and unmapped, as hunt.Schema lays them out: ordered by
// (time, uid), distinct uids, many equal times, and values that evaluations get wrong. uids are distinct across batches too, as far
// as 64 random bits are.
func RandomBatch(rng *rand.Rand, class *ocsf.Class, rows int, options ...BatchOption) arrow.RecordBatch {
	b := &batch{rng: rng, class: class, has: func(string) bool { return true }, keep: func(string, hunt.Value) bool { return true }}
	for _, o := range options {
		o(b)
	}
	if b.extremes {
		b.giants = giantTexts()
		b.giants = append(b.giants, b.giants[:len(b.giants)-1]...) // twice, but for the longest
	}
	schema := hunt.Schema(class, Paths(class))
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.keys(builder, rows)
	for i, f := range schema.Fields()[2:] {
		b.fill(builder.Field(i+2), f.Name, rows)
	}
	return builder.NewRecordBatch()
}

// Paths returns the dotted OCSF paths of all columns of a class and of raw and unmapped.
func Paths(class *ocsf.Class) []string {
	var out []string
	for i := range class.Columns {
		out = append(out, class.Columns[i].Path)
	}
	return append(out, ocsf.ColRaw, ocsf.ColUnmapped)
}

// AllAttributes returns the set of all attributes of a class, as a Stream that can fill every column has it.
func AllAttributes(class *ocsf.Class) map[string]bool {
	out := map[string]bool{}
	for i := range class.Columns {
		out[class.Columns[i].Path] = true
	}
	return out
}

// key is the place of a random row; time is missing in some.
type key struct {
	time hunt.Value
	uid  string
}

// keys fills uid and time in order.
func (b *batch) keys(builder *array.RecordBuilder, rows int) {
	list := make([]key, rows)
	for i := range list {
		list[i] = key{b.time(i), b.uid()}
	}
	slices.SortFunc(list, func(x, y key) int {
		// The kind of a missing value is the lowest, and missing times come last.
		return cmp.Or(cmp.Compare(y.time.Kind(), x.time.Kind()), cmp.Compare(x.time.Num(), y.time.Num()), strings.Compare(x.uid, y.uid))
	})
	for _, k := range list {
		appendValue(builder.Field(0), hunt.String(k.uid))
		appendValue(builder.Field(1), k.time)
	}
}

// time puts the first rows at the edges of the window and the others at few instants, so that many are equal.
func (b *batch) time(row int) hunt.Value {
	w := Window()
	edges := []int64{w.Start - 1, w.Start, w.Start + 1, w.End - 1, w.End, w.End + 1}
	if b.extremes {
		edges = append(edges, eventTimes()...)
	}
	switch {
	case row < len(edges) && b.keep(ocsf.ColTime, hunt.Time(edges[row])):
		return hunt.Time(edges[row])
	case b.untimed && b.rng.IntN(10) == 0 && b.keep(ocsf.ColTime, hunt.Value{}):
		return hunt.Value{}
	case b.rng.IntN(3) == 0 && (!b.few || b.rng.IntN(30) == 0):
		return hunt.Time(w.Start + b.rng.Int64N(w.End-w.Start))
	}
	return hunt.Time(w.Start + b.rng.Int64N(5)*700_000_001)
}

// uid makes identifiers that differ in length and case, so that a source that orders text by a locale is caught.
func (b *batch) uid() string {
	id := fmt.Sprintf("%016x", b.rng.Uint64())
	switch b.rng.IntN(4) {
	case 0:
		return strings.ToUpper(id)
	case 1:
		return id + "-\u00e9"
	}
	return id
}

// fill appends rows values of one physical column.
func (b *batch) fill(to array.Builder, name string, rows int) {
	subs := b.class.List(name)
	long := -1
	if rows > 8 {
		long = b.rng.IntN(rows * 20) // about one text column in twenty has one 64 KB text
	}
	plant := b.giantRows(name, rows)
	for i := range rows {
		if text, ok := plant[i]; ok {
			appendValue(to, hunt.String(text))
			continue
		}
		if len(subs) > 0 {
			b.appendList(to.(*array.ListBuilder), subs)
			continue
		}
		appendValue(to, b.value(b.class.Column(name), i == long))
	}
}

// giantRows takes up to nine of the giant texts for rows of a text column.
func (b *batch) giantRows(name string, rows int) map[int]string {
	col := b.class.Column(name)
	if len(b.giants) == 0 || col == nil || col.Type != ocsf.String || rows < 20 || name == ocsf.ColRaw || !b.has(name) {
		return nil
	}
	out := map[int]string{}
	for range min(9, len(b.giants)) {
		text := b.giants[0]
		b.giants = b.giants[1:]
		if b.keep(name, hunt.String(text)) {
			out[b.rng.IntN(rows)] = text
		}
	}
	return out
}

// value makes one value of a column, missing if the options say so.
func (b *batch) value(col *ocsf.Column, long bool) hunt.Value {
	fixed := col.Path == ocsf.ColRaw || col.Path == ocsf.ColUnmapped
	if !fixed && !b.has(col.Path) {
		return hunt.Value{}
	}
	v := randomValue(b.rng, col)
	if long && col.Type == ocsf.String {
		v = hunt.String(longText())
	}
	if v.Kind() != hunt.Missing && !b.keep(col.Path, v) {
		return hunt.Value{}
	}
	return v
}

// appendList appends no array, an empty one, or up to three objects whose fields may be missing.
func (b *batch) appendList(to *array.ListBuilder, subs []*ocsf.Column) {
	n := b.rng.IntN(6) - 2
	filled := slices.ContainsFunc(subs, func(c *ocsf.Column) bool { return b.has(c.Path) })
	if n < -1 || !filled {
		to.AppendNull()
		return
	}
	to.Append(true)
	object := to.ValueBuilder().(*array.StructBuilder)
	for range max(n, 0) {
		object.Append(true)
		for f, c := range subs {
			appendValue(object.FieldBuilder(f), b.value(c, false))
		}
	}
}

// appendValue appends a value to the builder of its type; the zero Value is null.
func appendValue(to array.Builder, v hunt.Value) {
	if v.Kind() == hunt.Missing {
		to.AppendNull()
		return
	}
	switch b := to.(type) {
	case *array.StringBuilder:
		b.Append(v.Str())
	case *array.Int64Builder:
		b.Append(v.Num())
	case *array.Float64Builder:
		b.Append(v.Flt())
	case *array.BooleanBuilder:
		b.Append(v.Num() == 1)
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Num()))
	case *array.FixedSizeBinaryBuilder:
		ip := v.Addr16()
		b.Append(ip[:])
	}
}
