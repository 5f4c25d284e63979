package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// UID identifies a record of a connection for ever: the first 128 bits of the SHA-256 of tenant, connection and record, in hex. It
// is cryptographic because rows of equal uid are one event: nobody may make a record that hides another.
func UID(id hunt.Identity, raw []byte) string {
	h := sha256.New()
	var buf [32]byte
	return string(appendUID(buf[:0], h, id, raw))
}

func appendUID(dst []byte, h hash.Hash, id hunt.Identity, raw []byte) []byte {
	h.Reset()
	_, _ = io.WriteString(h, id.Tenant)
	_, _ = h.Write([]byte{0})
	_, _ = io.WriteString(h, id.Connection)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(raw)
	var sum [sha256.Size]byte
	return hex.AppendEncode(dst, h.Sum(sum[:0])[:16])
}

// Builder gathers mapped records of one class into batches. It belongs to one goroutine.
type Builder struct {
	class   *ocsf.Class
	schema  *arrow.Schema
	cols    []array.Builder
	plans   map[*rule][]appender
	rows    int
	untimed int64
	bytes   int64
	sum     hash.Hash
	uid     []byte
}

// appender appends one row's value to a column.
type appender func(d *Decoder, b array.Builder)

// NewBuilder makes a builder of batches with the columns at paths, besides uid and time.
func NewBuilder(class *ocsf.Class, paths []string) *Builder {
	b := &Builder{class: class, schema: hunt.Schema(class, paths), plans: map[*rule][]appender{}, sum: sha256.New()}
	for _, f := range b.schema.Fields() {
		b.cols = append(b.cols, array.NewBuilder(memory.DefaultAllocator, f.Type))
	}
	return b
}

// Append maps the record that the decoder holds. m is what d.Match returned for it.
func (b *Builder) Append(d *Decoder, m *Match, id hunt.Identity) {
	b.uid = appendUID(b.uid[:0], b.sum, id, d.raw)
	b.append(d, m, b.uid)
}

// AppendUID is Append for records that have an identifier of their own: uid, which must be unique in the connection and the same
// through whatever path the record is reached.
func (b *Builder) AppendUID(d *Decoder, m *Match, uid string) {
	b.uid = append(b.uid[:0], uid...)
	b.append(d, m, b.uid)
}

func (b *Builder) append(d *Decoder, m *Match, uid []byte) {
	plan := b.plans[m.rule]
	if plan == nil {
		plan = b.plan(m)
		b.plans[m.rule] = plan
	}
	b.cols[0].(*array.StringBuilder).BinaryBuilder.Append(uid)
	for i, put := range plan {
		put(d, b.cols[i+1])
	}
	if b.cols[1].IsNull(b.rows) {
		b.untimed++
	}
	b.rows++
	b.bytes += int64(len(d.raw))
}

// Rows returns the number of rows appended since the last batch.
func (b *Builder) Rows() int { return b.rows }

// RawBytes returns the bytes of the records appended since the last batch, a measure of its memory.
func (b *Builder) RawBytes() int64 { return b.bytes }

// Untimed returns the number of rows without a time since the builder was made.
func (b *Builder) Untimed() int64 { return b.untimed }

// Batch returns the rows gathered so far as one batch, in the order of appending, and starts anew.
func (b *Builder) Batch() arrow.RecordBatch {
	cols := make([]arrow.Array, len(b.cols))
	for i, c := range b.cols {
		cols[i] = c.NewArray()
	}
	rec := array.NewRecordBatch(b.schema, cols, int64(b.rows))
	vector.ReserveLike(b.cols, cols)
	b.rows, b.bytes = 0, 0
	return rec
}

// plan makes the appenders of all columns after uid for a rule.
func (b *Builder) plan(m *Match) []appender {
	var plan []appender
	for _, f := range b.schema.Fields()[1:] {
		plan = append(plan, b.appenderOf(m, f))
	}
	return plan
}

func (b *Builder) appenderOf(m *Match, f arrow.Field) appender {
	switch f.Name {
	case ocsf.ColRaw:
		return func(d *Decoder, c array.Builder) { c.(*array.StringBuilder).BinaryBuilder.Append(d.raw) }
	case ocsf.ColUnmapped:
		return func(d *Decoder, c array.Builder) { appendUnmapped(d, m, c.(*array.StringBuilder)) }
	case "type_uid":
		return typeUID(m.rule)
	}
	if list, ok := f.Type.(*arrow.ListType); ok {
		return listAppender(m.rule, f.Name, list.Elem().(*arrow.StructType))
	}
	if o := m.rule.op(f.Name); o != nil {
		return scalarAppender(o)
	}
	return defaultAppender(m.rule.class, f.Name)
}

// scalarAppender fills a column of single values.
func scalarAppender(o *op) appender {
	put := put(o.col.Type)
	return func(d *Decoder, c array.Builder) {
		v := d.value(o)
		put(c, v)
		if v.kind != noValue && c.IsNull(c.Len()-1) {
			d.spoil(o)
		}
	}
}

// op returns the op that fills the column at path, nil if none does.
func (r *rule) op(path string) *op {
	for _, o := range r.ops {
		if o.col.Path == path {
			return o
		}
	}
	return nil
}

// defaultAppender fills what follows from the class and what OCSF requires where a source has nothing.
func defaultAppender(class *ocsf.Class, path string) appender {
	num := func(n int64) appender { return func(_ *Decoder, c array.Builder) { c.(*array.Int64Builder).Append(n) } }
	switch path {
	case "category_uid":
		return num(class.Category)
	case "activity_id":
		return num(0)
	case "severity_id":
		return num(1)
	}
	return func(_ *Decoder, c array.Builder) { c.AppendNull() }
}

// typeUID is class_uid x 100 + activity_id.
func typeUID(r *rule) appender {
	activity := r.op("activity_id")
	return func(d *Decoder, c array.Builder) {
		var n int64
		if activity != nil {
			n, _ = d.value(activity).integer()
		}
		c.(*array.Int64Builder).Append(r.class.UID*100 + n)
	}
}

// value computes the value of a column for the record that the decoder holds.
func (d *Decoder) value(o *op) value {
	if o.lazy && !d.anyBeside(o) {
		return value{}
	}
	if o.fixed.kind != noValue {
		return o.fixed
	}
	failed := false
	for _, f := range o.from {
		n := d.get(f)
		if n.kind == list && o.spec.Via != "json" && o.col.Type != ocsf.JSON {
			n = n.items[0]
		}
		if n.kind == absent {
			continue
		}
		if v := o.one(n); v.kind != noValue {
			return v
		}
		failed = failed || o.strict
	}
	if failed {
		d.spoil(o)
	}
	if o.absent.kind != noValue && o.col.List == "" && len(o.beside) > 0 && !d.anyBeside(o) {
		return value{}
	}
	return o.absent
}

// spoil notes that a native value is no value of its column, once a record.
func (d *Decoder) spoil(o *op) {
	if !slices.Contains(d.spoiled, o.col.Path) {
		d.spoiled = append(d.spoiled, o.col.Path)
	}
}

// Spoiled returns the columns of the record just appended whose native value was no value of their type: no number, no time, no
// address. They are null, and the value stays in raw. The slice is valid until the next record.
func (d *Decoder) Spoiled() []string { return d.spoiled }

// one maps a single native value; of a split it is the first part.
func (o *op) one(n native) value {
	if o.split != nil {
		if parts := o.split(n); len(parts) > 0 {
			return parts[0]
		}
		return value{}
	}
	return o.via(n)
}

// anyBeside says whether the object of a lazy op has any other value.
func (d *Decoder) anyBeside(o *op) bool {
	for _, other := range o.beside {
		if other.hashes || other.col.List != "" {
			if len(d.values(other)) > 0 {
				return true
			}
		} else if other.absent.kind == noValue && d.value(other).kind != noValue {
			return true
		}
	}
	return false
}

// put returns how values of a type go into their column; what is no value of the type becomes null.
func put(t ocsf.Type) func(array.Builder, value) {
	switch t {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return putInt
	case ocsf.Float:
		return putFloat
	case ocsf.Boolean:
		return putBool
	case ocsf.Time:
		return putTime
	case ocsf.IP:
		return putIP
	case ocsf.JSON:
		return putJSON
	}
	return putText
}

func putInt(b array.Builder, v value) {
	if n, ok := v.integer(); ok {
		b.(*array.Int64Builder).Append(n)
		return
	}
	b.AppendNull()
}

func putFloat(b array.Builder, v value) {
	switch v.kind {
	case floatValue:
		b.(*array.Float64Builder).Append(v.flt)
	case numValue:
		b.(*array.Float64Builder).Append(float64(v.num))
	default:
		b.AppendNull()
	}
}

func putBool(b array.Builder, v value) {
	if v.kind == boolValue {
		b.(*array.BooleanBuilder).Append(v.num == 1)
		return
	}
	b.AppendNull()
}

func putTime(b array.Builder, v value) {
	if v.kind == timeValue {
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(v.num))
		return
	}
	b.AppendNull()
}

func putIP(b array.Builder, v value) {
	if ip, ok := v.address(); ok {
		b.(*array.FixedSizeBinaryBuilder).Append(ip[:])
		return
	}
	b.AppendNull()
}

func putText(b array.Builder, v value) {
	s := b.(*array.StringBuilder)
	switch v.kind {
	case noValue:
		s.AppendNull()
	case textValue:
		s.BinaryBuilder.Append(v.text)
	default:
		s.BinaryBuilder.Append(v.appendText(nil))
	}
}
