package protocol

import (
	"encoding/binary"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Positions of fields in Arrow's table RecordBatch (format/Message.fbs), and the size of its structs FieldNode and Buffer.
const (
	batchLength, batchNodes, batchBuffers, batchCompression = 0, 1, 2, 3
	pairSize                                                = 16
)

// loader makes the arrays of one batch from its header and body. The arrays share the body.
type loader struct {
	f                *flat
	body             []byte
	nodes, nodesLeft int // where the next node is, and how many are left
	bufs, bufsLeft   int // the same for buffers
}

// decodeBatch makes a batch of a schema that decodeSchema has checked. Everything that reading relies on is checked: lengths, offsets,
// bitmaps and null counts, and that every row has uid and time. The batch keeps body.
func decodeBatch(schema *arrow.Schema, header, body []byte) (*hunt.Batch, error) {
	f := &flat{buf: header}
	message, batch, err := openMessage(f, headerRecordBatch)
	if err != nil {
		return nil, err
	}
	if batch.sub(batchCompression).present {
		return nil, broken("a batch is compressed")
	}
	rows := batch.i64(batchLength)
	if rows < 1 || rows > MaxRows {
		return nil, broken("a batch has %d rows; 1 to %d are allowed", rows, MaxRows)
	}
	if n := message.i64(messageBodyLength); n < 0 || n > int64(len(body)) {
		return nil, broken("a batch says that its body has %d bytes, and there are %d", n, len(body))
	}
	l := &loader{f: f, body: aligned(body)}
	l.nodes, l.nodesLeft = batch.vector(batchNodes, pairSize)
	l.bufs, l.bufsLeft = batch.vector(batchBuffers, pairSize)
	if f.bad {
		return nil, broken("the header of a batch is damaged")
	}
	return l.batch(schema, int(rows))
}

func (l *loader) batch(schema *arrow.Schema, rows int) (*hunt.Batch, error) {
	columns := make([]arrow.Array, schema.NumFields())
	for i, field := range schema.Fields() {
		data, err := l.load(field.Type, rows)
		if err != nil {
			err.Message = "column " + field.Name + ": " + err.Message
			return nil, err
		}
		columns[i] = array.MakeFromData(data)
		if (field.Name == ocsf.ColUID || field.Name == ocsf.ColTime) && columns[i].NullN() > 0 {
			return nil, broken("column %s: %d of %d rows have no value", field.Name, columns[i].NullN(), rows)
		}
	}
	if l.nodesLeft != 0 || l.bufsLeft != 0 {
		return nil, broken("a batch has more parts than its schema has columns")
	}
	return &hunt.Batch{Record: array.NewRecordBatch(schema, columns, int64(rows))}, nil
}

// aligned returns body where numbers of 8 bytes can be read in place.
func aligned(body []byte) []byte {
	if uintptr(unsafe.Pointer(unsafe.SliceData(body)))%8 == 0 {
		return body
	}
	out := newBody(len(body))
	copy(out, body)
	return out
}

// newBody makes room for a body. Go aligns what is larger than a word to words at least.
func newBody(n int) []byte {
	words := make([]uint64, (n+7)/8)
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(words))), len(words)*8)[:n:n]
}

// pair takes the next FieldNode or Buffer.
func (l *loader) pair(at, left *int) (a, b int64, err *hunt.Error) {
	if *left == 0 {
		return 0, 0, broken("the header of the batch ends before the columns do")
	}
	a, b = l.f.i64(*at), l.f.i64(*at+8)
	*at, *left = *at+pairSize, *left-1
	return a, b, nil
}

// node takes the length and null count of the next array. No array can be longer than the body has bits.
func (l *loader) node() (length, nulls int, err *hunt.Error) {
	n, k, err := l.pair(&l.nodes, &l.nodesLeft)
	if err != nil {
		return 0, 0, err
	}
	if n < 0 || n > 8*int64(len(l.body)) || k < 0 || k > n {
		return 0, 0, broken("a length of %d with %d nulls cannot be", n, k)
	}
	return int(n), int(k), nil
}

// buffer takes the next buffer and returns its first need bytes.
func (l *loader) buffer(need int) ([]byte, *hunt.Error) {
	all, err := l.whole()
	if err != nil {
		return nil, err
	}
	if len(all) < need {
		return nil, broken("a buffer has %d bytes where %d are needed", len(all), need)
	}
	return all[:need:need], nil
}

// whole takes the next buffer.
func (l *loader) whole() ([]byte, *hunt.Error) {
	from, n, err := l.pair(&l.bufs, &l.bufsLeft)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, nil
	}
	if from < 0 || n < 0 || from > int64(len(l.body)) || n > int64(len(l.body))-from || from%8 != 0 {
		return nil, broken("a buffer of %d bytes at %d is not in the body of %d bytes, or not at a multiple of 8", n, from, len(l.body))
	}
	return l.body[from : from+n : from+n], nil
}

// load makes the next array of type t. want is how many values it must have; -1 for any number.
func (l *loader) load(t arrow.DataType, want int) (arrow.ArrayData, *hunt.Error) {
	n, nulls, err := l.node()
	if err != nil {
		return nil, err
	}
	if want >= 0 && n != want {
		return nil, broken("it has %d values instead of %d", n, want)
	}
	valid, err := l.validity(n, nulls)
	if err != nil {
		return nil, err
	}
	a := part{typ: t, n: n, nulls: nulls, buffers: []*memory.Buffer{valid}}
	switch t := t.(type) {
	case *arrow.StringType:
		return l.text(a)
	case *arrow.ListType:
		return l.list(a, t)
	case *arrow.StructType:
		return l.object(a, t)
	case arrow.FixedWidthDataType:
		values, err := l.buffer(int(bitutil.BytesForBits(int64(n) * int64(t.BitWidth()))))
		if err != nil {
			return nil, err
		}
		return a.with(values).data(), nil
	}
	return nil, broken("an array of %s cannot be read", t)
}

// validity takes the bitmap of an array and holds its null count against it; nil if there are no nulls.
func (l *loader) validity(n, nulls int) (*memory.Buffer, *hunt.Error) {
	if nulls == 0 {
		_, err := l.whole()
		return nil, err
	}
	bits, err := l.buffer(int(bitutil.BytesForBits(int64(n))))
	if err != nil {
		return nil, err
	}
	if set := bitutil.CountSetBits(bits, 0, n); set != n-nulls {
		return nil, broken("it says that %d values are null, and %d are", nulls, n-set)
	}
	return memory.NewBufferBytes(bits), nil
}

func (l *loader) text(a part) (arrow.ArrayData, *hunt.Error) {
	offsets, err := l.offsets(a.n)
	if err != nil {
		return nil, err
	}
	values, err := l.whole()
	if err != nil {
		return nil, err
	}
	if last := lastOffset(offsets); last > len(values) {
		return nil, broken("its values end at byte %d of %d", last, len(values))
	}
	return a.with(offsets).with(values).data(), nil
}

func (l *loader) list(a part, t *arrow.ListType) (arrow.ArrayData, *hunt.Error) {
	offsets, err := l.offsets(a.n)
	if err != nil {
		return nil, err
	}
	child, err := l.load(t.Elem(), -1)
	if err != nil {
		return nil, err
	}
	if last := lastOffset(offsets); last > child.Len() {
		return nil, broken("its lists end at element %d of %d", last, child.Len())
	}
	a.children = []arrow.ArrayData{child}
	return a.with(offsets).data(), nil
}

func (l *loader) object(a part, t *arrow.StructType) (arrow.ArrayData, *hunt.Error) {
	for _, f := range t.Fields() {
		child, err := l.load(f.Type, a.n)
		if err != nil {
			return nil, err
		}
		a.children = append(a.children, child)
	}
	return a.data(), nil
}

// offsets takes the offsets of n values: n+1 numbers of 4 bytes that begin at 0 or above and never fall. An empty array may have none.
func (l *loader) offsets(n int) ([]byte, *hunt.Error) {
	if n == 0 {
		_, err := l.whole()
		return make([]byte, 4), err
	}
	raw, err := l.buffer(4 * (n + 1))
	if err != nil {
		return nil, err
	}
	before := int32(0)
	for i := 0; i+4 <= len(raw); i += 4 {
		here := int32(binary.LittleEndian.Uint32(raw[i:]))
		if here < before {
			return nil, broken("its offsets fall or are negative")
		}
		before = here
	}
	return raw, nil
}

// lastOffset returns the last of the offsets, which are at least one.
func lastOffset(raw []byte) int { return int(binary.LittleEndian.Uint32(raw[len(raw)-4:])) }

// part is an array as it is put together.
type part struct {
	typ      arrow.DataType
	n, nulls int
	buffers  []*memory.Buffer
	children []arrow.ArrayData
}

func (a part) with(b []byte) part {
	a.buffers = append(a.buffers, memory.NewBufferBytes(b))
	return a
}

func (a part) data() arrow.ArrayData {
	return array.NewData(a.typ, a.n, a.buffers, a.children, a.nulls, 0)
}
