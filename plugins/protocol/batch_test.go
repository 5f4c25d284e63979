package protocol

import (
	"encoding/binary"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// wire keeps the messages that a Sender sends, as bytes.
type wire struct {
	t        testing.TB
	messages [][]byte
}

// SendMsg implements Stream.
func (w *wire) SendMsg(m any) error {
	data, err := Codec().Marshal(m)
	if err != nil {
		return err
	}
	w.messages = append(w.messages, data.Materialize())
	return nil
}

// receive decodes messages as they arrive in buffers of size bytes.
func receive(r *Receiver, messages [][]byte, size int) (batches []arrow.RecordBatch, err error) {
	for _, raw := range messages {
		var data mem.BufferSlice
		for len(raw) > 0 {
			n := min(size, len(raw))
			data = append(data, mem.SliceBuffer(raw[:n]))
			raw = raw[n:]
		}
		var m frameMessage
		if err := Codec().Unmarshal(data, &m); err != nil {
			return batches, broken("gRPC makes a status of it: %v", err)
		}
		f, err := r.decode(&m)
		if err != nil {
			return batches, err
		}
		if b, ok := f.(*hunt.Batch); ok {
			batches = append(batches, b.Record)
		}
	}
	return batches, nil
}

// sendable makes a batch without rows that no search would yield: those without a time.
func sendable(rng *rand.Rand, class *ocsf.Class, rows int) arrow.RecordBatch {
	return hunttest.RandomBatch(rng, class, rows)
}

// equal says whether batches hold the rows of rec.
func equal(rec arrow.RecordBatch, batches []arrow.RecordBatch) bool {
	at := int64(0)
	for _, b := range batches {
		if at+b.NumRows() > rec.NumRows() {
			return false
		}
		want := vector.Project(rec, b.Schema()).NewSlice(at, at+b.NumRows())
		if !array.RecordEqual(b, want) {
			return false
		}
		at += b.NumRows()
	}
	return at == rec.NumRows()
}

// TestBatchRoundTrip sends random batches of every class, whole and cut, and holds that they come back as they were.
func TestBatchRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 11))
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		for _, rows := range []int{1, 7, 100, 1500} {
			rec := sendable(rng, class, rows)
			from := rng.Int64N(rec.NumRows())
			to := from + 1 + rng.Int64N(rec.NumRows()-from)
			for _, part := range []arrow.RecordBatch{rec, rec.NewSlice(from, to)} {
				w := &wire{t: t}
				s := NewSender(w)
				for range 2 {
					if err := s.Send(&hunt.Batch{Record: part}); err != nil {
						t.Fatal(err)
					}
				}
				r := &Receiver{request: &hunt.Request{Class: class, Columns: hunttest.Paths(class)}}
				got, err := receive(r, w.messages, 1+rng.IntN(20_000))
				if err != nil || !equal(part, got[:len(got)/2]) || !equal(part, got[len(got)/2:]) {
					t.Fatalf("%s, %d rows [%d:%d]: %d batches, %v", class.Name, rows, from, to, len(got), err)
				}
			}
		}
	}
}

// TestOtherEncoders reads a batch as an encoder writes it that orders and repeats fields as it likes.
func TestOtherEncoders(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rec := sendable(rand.New(rand.NewPCG(1, 1)), class, 50)
	w := &wire{t: t}
	if err := NewSender(w).Send(&hunt.Batch{Record: rec}); err != nil {
		t.Fatal(err)
	}
	var f pb.Frame
	if err := proto.Unmarshal(w.messages[1], &f); err != nil {
		t.Fatal(err)
	}
	backwards := append([]byte{tagBody}, binary.AppendUvarint(nil, uint64(len(f.GetBatch().Body)))...)
	backwards = append(backwards, f.GetBatch().Body...)
	backwards = append(append(backwards, tagHeader), binary.AppendUvarint(nil, uint64(len(f.GetBatch().Header)))...)
	backwards = append(backwards, f.GetBatch().Header...)
	w.messages[1] = append(append([]byte{tagBatch}, binary.AppendUvarint(nil, uint64(len(backwards)))...), backwards...)
	got, err := receive(&Receiver{request: &hunt.Request{Class: class}}, w.messages, 777)
	if err != nil || !equal(rec, got) {
		t.Errorf("%d batches, %v", len(got), err)
	}
}

func TestSplitting(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	for name, size := range map[string]func(row int) int{
		"even": func(int) int { return 100 }, "one large": func(row int) int { return 1 + row/69_999*(9<<20) }, "tiny": func(int) int { return 0 },
	} {
		b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(class, []string{ocsf.ColRaw}))
		for i := range 70_000 {
			b.Field(0).(*array.StringBuilder).Append("u")
			b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
			b.Field(2).(*array.StringBuilder).Append(strings.Repeat("x", size(i)))
		}
		rec := b.NewRecordBatch()
		w := &wire{t: t}
		if err := NewSender(w).Send(&hunt.Batch{Record: rec}); err != nil {
			t.Fatal(err)
		}
		got, err := receive(&Receiver{request: &hunt.Request{Class: class}}, w.messages, 1<<20)
		if err != nil || !equal(rec, got) {
			t.Fatalf("%s: %v", name, err)
		}
		for i, m := range w.messages {
			if len(m) > BatchBytes+(1<<16) && (i == 0 || got[i-1].NumRows() > 1) {
				t.Errorf("%s: message %d has %d bytes", name, i, len(m))
			}
		}
	}
	w := &wire{t: t}
	if err := NewSender(w).Send(&hunt.Batch{Record: sendable(rand.New(rand.NewPCG(1, 1)), class, 5).NewSlice(2, 2)}); err != nil || len(w.messages) != 0 {
		t.Errorf("a batch without rows became %d messages, %v", len(w.messages), err)
	}
}

// TestSendingCopiesNothing holds that the body of a message is the columns' own memory.
func TestSendingCopiesNothing(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rec := vector.Project(sendable(rand.New(rand.NewPCG(1, 1)), class, 4000), hunt.Schema(class, []string{ocsf.ColRaw}))
	m, err := newBatchMessage(rec)
	if err != nil {
		t.Fatal(err)
	}
	raw := rec.Column(rec.Schema().FieldIndices(ocsf.ColRaw)[0]).Data().Buffers()[2].Bytes()
	for _, piece := range m.body {
		if len(piece) > 8 && &piece[0] == &raw[0] {
			return
		}
	}
	t.Error("the values of raw were copied")
}

// readAll reads every value of a batch in every way that the gateway does.
func readAll(rec arrow.RecordBatch) (n int) {
	for _, c := range rec.Columns() {
		for i := range c.Len() {
			n += len(c.ValueStr(i))
		}
	}
	for i := range int(rec.NumRows()) {
		_, uid := vector.KeyAt(rec, i)
		n += len(uid)
	}
	rows := make([]int, rec.NumRows())
	return n + int(vector.Take(rec, rows).NumRows())
}

// seeds returns a schema and a batch message.
func seeds(t testing.TB, class *ocsf.Class, rows int) [][]byte {
	w := &wire{t: t}
	if err := NewSender(w).Send(&hunt.Batch{Record: sendable(rand.New(rand.NewPCG(5, 5)), class, rows)}); err != nil {
		t.Fatal(err)
	}
	return w.messages
}

// TestDamagedBatches changes every byte of the header and many of the body, and cuts the message everywhere: it is refused or can be read.
func TestDamagedBatches(t *testing.T) {
	class := ocsf.ByUID(ocsf.DetectionFinding)
	messages := seeds(t, class, 6)
	request := &hunt.Request{Class: class}
	rng := rand.New(rand.NewPCG(3, 3))
	refused, read := 0, 0
	try := func(schema, batch []byte) {
		got, err := receive(&Receiver{request: request}, [][]byte{schema, batch}, 4096)
		if err != nil {
			refused++
		}
		for _, b := range got {
			read++
			readAll(b)
		}
	}
	for which, m := range messages[:2] {
		for i := range m {
			if i > 6_000 {
				break
			}
			damaged := append([]byte{}, m...)
			damaged[i] ^= byte(1 + rng.IntN(255))
			pair := [2][]byte{messages[0], messages[1]}
			pair[which] = damaged
			try(pair[0], pair[1])
		}
		for range 500 {
			cut := m[:rng.IntN(len(m))]
			pair := [2][]byte{messages[0], messages[1]}
			pair[which] = cut
			try(pair[0], pair[1])
		}
	}
	t.Logf("%d refused, %d read", refused, read)
	if refused < 1000 || read < 100 {
		t.Errorf("%d refused, %d read: the test does not test", refused, read)
	}
}

// lieMessage is the header and body of a record batch that is changed before it is checked.
func lieMessage(t *testing.T, schema *arrow.Schema, rec arrow.RecordBatch) (header, body []byte) {
	t.Helper()
	payload, err := ipc.GetRecordBatchPayload(rec)
	if err != nil {
		t.Fatal(err)
	}
	m := &batchMessage{}
	if err := payload.SerializeBody(m); err != nil {
		t.Fatal(err)
	}
	for _, p := range m.body {
		body = append(body, p...)
	}
	return append([]byte{}, payload.Meta().Bytes()...), body
}

// TestLyingBatches names the lies that matter, one by one.
func TestLyingBatches(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	schema := hunt.Schema(class, []string{ocsf.ColRaw})
	rec := vector.Project(sendable(rand.New(rand.NewPCG(5, 5)), class, 10), schema)
	honest, body := lieMessage(t, schema, rec)
	if _, err := decodeBatch(schema, honest, body); err != nil {
		t.Fatal(err)
	}
	// place finds where a structure of a header lies, by the same reader.
	batchOf := func(h []byte) table {
		_, b, err := openMessage(&flat{buf: h}, headerRecordBatch)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	put := func(h []byte, at int, v int64) { binary.LittleEndian.PutUint64(h[at:], uint64(v)) }
	nodes := func(h []byte) int { at, _ := batchOf(h).vector(batchNodes, pairSize); return at }
	buffers := func(h []byte) int { at, _ := batchOf(h).vector(batchBuffers, pairSize); return at }
	for name, lie := range map[string]func(h, b []byte){
		"no rows":              func(h, _ []byte) { at, _ := batchOf(h).field(batchLength); put(h, at, 0) },
		"more rows":            func(h, _ []byte) { at, _ := batchOf(h).field(batchLength); put(h, at, 11) },
		"too many rows":        func(h, _ []byte) { at, _ := batchOf(h).field(batchLength); put(h, at, 1<<40) },
		"negative rows":        func(h, _ []byte) { at, _ := batchOf(h).field(batchLength); put(h, at, -1) },
		"short column":         func(h, _ []byte) { put(h, nodes(h), 9) },
		"long column":          func(h, _ []byte) { put(h, nodes(h), 1<<62) },
		"nulls in uid":         func(h, _ []byte) { put(h, nodes(h)+8, 1) },
		"more nulls than rows": func(h, _ []byte) { put(h, nodes(h)+8, 11) },
		"negative nulls":       func(h, _ []byte) { put(h, nodes(h)+8, -1) },
		"offsets outside":      func(h, b []byte) { put(h, buffers(h)+16, int64(len(b))) },
		"offsets negative":     func(h, _ []byte) { put(h, buffers(h)+16, -8) },
		"offsets too short":    func(h, _ []byte) { put(h, buffers(h)+24, 8) },
		"length negative":      func(h, _ []byte) { put(h, buffers(h)+24, -1) },
		"length overflows":     func(h, _ []byte) { put(h, buffers(h)+24, 1<<63-1) },
		"not aligned":          func(h, _ []byte) { put(h, buffers(h)+32, 4) },
		"values too short":     func(h, _ []byte) { put(h, buffers(h)+40, 1) },
		"offset falls":         func(h, b []byte) { binary.LittleEndian.PutUint32(b[4*3:], 1<<20) },
		"offset negative":      func(h, b []byte) { binary.LittleEndian.PutUint32(b[0:], 1<<31) },
		"last offset beyond":   func(h, b []byte) { binary.LittleEndian.PutUint32(b[4*10:], 1<<30) },
	} {
		h, b := append([]byte{}, honest...), append([]byte{}, body...)
		lie(h, b)
		if got, err := decodeBatch(schema, h, b); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := decodeBatch(schema, honest, body[:len(body)-64]); code(err) != hunt.PluginProtocol {
		t.Errorf("a short body: %v", err)
	}
	more := arrow.NewSchema(append(schema.Fields(), hunt.Field(class, ocsf.ColUnmapped)), nil)
	if _, err := decodeBatch(more, honest, body); code(err) != hunt.PluginProtocol {
		t.Errorf("a column without buffers: %v", err)
	}
	if _, err := decodeBatch(arrow.NewSchema(schema.Fields()[:2], nil), honest, body); code(err) != hunt.PluginProtocol {
		t.Errorf("buffers without a column: %v", err)
	}
	compressed, err := ipc.GetRecordBatchPayload(rec, ipc.WithZstd())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := decodeBatch(schema, compressed.Meta().Bytes(), body); code(err) != hunt.PluginProtocol {
		t.Errorf("a compressed batch: %v", err)
	}
	misaligned := append(make([]byte, 1), body...)[1:]
	if b, err := decodeBatch(schema, honest, misaligned); err != nil || !equal(rec, []arrow.RecordBatch{b.Record}) {
		t.Errorf("a body at an odd address: %v", err)
	}
}

// TestSchemas names what a schema must not be.
func TestSchemas(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	uid, at := hunt.Field(class, ocsf.ColUID), hunt.Field(class, ocsf.ColTime)
	list := ""
	for i := range class.Columns {
		if class.Columns[i].List != "" {
			list = class.Columns[i].List
		}
	}
	field := func(name string, t arrow.DataType) arrow.Field { return arrow.Field{Name: name, Type: t} }
	deep := arrow.DataType(arrow.PrimitiveTypes.Int64)
	for range 40 {
		deep = arrow.ListOf(arrow.StructOf(field("a", deep)))
	}
	var many []arrow.Field
	for range maxFields + 1 {
		many = append(many, uid)
	}
	for name, fields := range map[string][]arrow.Field{
		"nothing": {}, "no time": {uid}, "no uid": {at}, "twice": {uid, at, uid}, "unknown": {uid, at, field("x", arrow.BinaryTypes.String)},
		"empty name": {uid, at, field("", arrow.BinaryTypes.String)}, "int32": {uid, at, field("raw", arrow.PrimitiveTypes.Int32)},
		"unsigned": {uid, at, field("raw", arrow.PrimitiveTypes.Uint64)}, "large utf8": {uid, at, field("raw", arrow.BinaryTypes.LargeString)},
		"binary": {uid, at, field("raw", arrow.BinaryTypes.Binary)}, "milliseconds": {uid, field("time", arrow.FixedWidthTypes.Timestamp_ms)},
		"no zone": {uid, field("time", &arrow.TimestampType{Unit: arrow.Microsecond})}, "float32": {uid, at, field("raw", arrow.PrimitiveTypes.Float32)},
		"dictionary": {uid, at, field("raw", &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int64, ValueType: arrow.BinaryTypes.String})},
		"deep":       {uid, at, field(list, deep)}, "list of values": {uid, at, field(list, arrow.ListOf(arrow.BinaryTypes.String))},
		"other fields": {uid, at, field(list, arrow.ListOf(arrow.StructOf(field("no", arrow.BinaryTypes.String))))},
		"same fields":  {uid, at, field(list, arrow.ListOf(arrow.StructOf()))}, "many": many, "8 bytes": {uid, at, field("raw", &arrow.FixedSizeBinaryType{ByteWidth: 8})},
		"long name": {uid, at, field(strings.Repeat("n", 1000), arrow.BinaryTypes.String)}, "null": {uid, at, field("raw", arrow.Null)},
	} {
		payload := ipc.GetSchemaPayload(arrow.NewSchema(fields, nil), memory.DefaultAllocator)
		if got, err := decodeSchema(payload.Meta().Bytes(), &hunt.Request{Class: class}); code(err) != hunt.PluginProtocol {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	payload := ipc.GetSchemaPayload(hunt.Schema(class, nil), memory.DefaultAllocator)
	if _, err := decodeSchema(payload.Meta().Bytes(), &hunt.Request{Class: class, Columns: []string{"raw"}}); code(err) != hunt.PluginProtocol {
		t.Errorf("a column that was asked for is not there: %v", err)
	}
	if _, err := decodeSchema(make([]byte, maxSchema+1), &hunt.Request{Class: class}); code(err) != hunt.PluginProtocol {
		t.Errorf("a large schema: %v", err)
	}
}

func TestBatchBeforeItsSchema(t *testing.T) {
	messages := seeds(t, ocsf.ByUID(ocsf.ProcessActivity), 3)
	if _, err := receive(&Receiver{request: &hunt.Request{Class: ocsf.ByUID(ocsf.ProcessActivity)}}, messages[1:], 999); code(err) != hunt.PluginProtocol {
		t.Errorf("got %v", err)
	}
}

// FuzzFrames sends two arbitrary messages: they are refused with the right code, or what they hold can be read.
func FuzzFrames(f *testing.F) {
	class := ocsf.ByUID(ocsf.DetectionFinding)
	small := seeds(f, class, 2)
	f.Add(small[0], small[1])
	for _, frame := range []hunt.Frame{hunt.End{}, hunt.Progress{Done: 1}, hunt.Rejected{Count: 1}} {
		raw, err := proto.Marshal(EncodeFrame(frame))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(small[0], raw)
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		got, err := receive(&Receiver{request: &hunt.Request{Class: class}}, [][]byte{first, second}, 333)
		for _, b := range got {
			readAll(b)
		}
		if err != nil && code(err) == "" {
			t.Errorf("an error without a code: %v", err)
		}
	})
}

// FuzzDescription decodes arbitrary descriptions, requests and translations.
func FuzzDescription(f *testing.F) {
	raw, err := proto.Marshal(EncodeDescription(fullDescription()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var d pb.Description
		if proto.Unmarshal(raw, &d) == nil {
			if got, err := DecodeDescription(&d); err == nil {
				if _, err := DecodeDescription(EncodeDescription(got)); err != nil {
					t.Errorf("what was accepted is refused when it comes again: %v", err)
				}
			}
		}
		var r pb.Request
		if proto.Unmarshal(raw, &r) == nil {
			if got, err := DecodeRequest(&r); err == nil {
				if _, err := DecodeRequest(EncodeRequest(&got)); err != nil {
					t.Errorf("what was accepted is refused when it comes again: %v", err)
				}
			}
		}
	})
}
