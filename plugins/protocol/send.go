package protocol

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// Stream is where a Sender sends messages to; a gRPC server stream with Codec is one.
type Stream interface{ SendMsg(message any) error }

// Sender sends the frames of one search. It is for one goroutine.
type Sender struct {
	to     Stream
	schema *arrow.Schema // that was sent last
}

// NewSender makes a Sender. The server must use Codec.
func NewSender(to Stream) *Sender { return &Sender{to: to} }

// Send sends a frame and blocks while the receiver has no room for it. A batch is split where it is larger than BatchBytes or MaxRows;
// one without rows is not sent. Its memory is referred to until it is on the wire, not copied, so it must not change.
func (s *Sender) Send(f hunt.Frame) error {
	b, ok := f.(*hunt.Batch)
	if !ok {
		return s.to.SendMsg(EncodeFrame(f))
	}
	if b.Record.NumRows() == 0 {
		return nil
	}
	if err := s.announce(b.Record.Schema()); err != nil {
		return err
	}
	return s.batch(b.Record)
}

// Fail ends the search with an error.
func (s *Sender) Fail(err error) error { return s.to.SendMsg(EncodeFailure(err)) }

// announce sends a schema if it is not the last one.
func (s *Sender) announce(schema *arrow.Schema) error {
	if s.schema == schema || s.schema != nil && s.schema.Equal(schema) {
		return nil
	}
	s.schema = schema
	payload := ipc.GetSchemaPayload(schema, memory.DefaultAllocator)
	defer payload.Release()
	meta := payload.Meta()
	defer meta.Release()
	return s.to.SendMsg(&pb.Frame{Frame: &pb.Frame_Schema{Schema: &pb.Schema{Message: meta.Bytes()}}})
}

// batch sends rows in as many messages as they need.
func (s *Sender) batch(rec arrow.RecordBatch) error {
	rows := rec.NumRows()
	if rows > MaxRows {
		return s.split(rec, (rows+MaxRows-1)/MaxRows)
	}
	m, err := newBatchMessage(rec)
	if err != nil {
		return err
	}
	if m.bodySize > BatchBytes && rows > 1 {
		return s.split(rec, min(rows, int64(m.bodySize/BatchBytes)+1))
	}
	return s.to.SendMsg(m)
}

// split sends rows in n equal parts, which are split again if some rows are much larger than others.
func (s *Sender) split(rec arrow.RecordBatch, n int64) error {
	rows := rec.NumRows()
	for i := range n {
		part := rec.NewSlice(i*rows/n, (i+1)*rows/n)
		err := s.batch(part)
		part.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// batchMessage is a Frame with a Batch whose body is still where the columns are. Codec writes it.
type batchMessage struct {
	header   []byte
	body     [][]byte
	bodySize int
}

func newBatchMessage(rec arrow.RecordBatch) (*batchMessage, error) {
	payload, err := ipc.GetRecordBatchPayload(rec)
	if err != nil {
		return nil, err
	}
	defer payload.Release()
	meta := payload.Meta()
	defer meta.Release()
	m := &batchMessage{header: meta.Bytes()}
	return m, payload.SerializeBody(m)
}

// Write implements io.Writer for Arrow's serializer. It keeps the slices that it is given: they are parts of an immutable batch.
func (m *batchMessage) Write(p []byte) (int, error) {
	if len(p) > 0 {
		m.body = append(m.body, p)
		m.bodySize += len(p)
	}
	return len(p), nil
}
