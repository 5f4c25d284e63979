package protocol

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"

	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/encoding/protowire"

	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// Codec returns the gRPC codec of both sides. It writes and reads plain protobuf, so that a peer in another language notices nothing;
// but the body of a batch is written from where it is, without a copy, and read into aligned memory with one.
func Codec() encoding.CodecV2 { return codec{encoding.GetCodecV2("proto")} }

// codec adds batches to gRPC's own codec for protobuf.
type codec struct{ encoding.CodecV2 }

// Tags of the fields that a frame with a batch consists of: all three are numbers below 16 with a length.
const (
	tagBatch  = 2<<3 | 2 // Frame.batch
	tagHeader = 1<<3 | 2 // Batch.header
	tagBody   = 2<<3 | 2 // Batch.body
)

// Marshal implements encoding.CodecV2.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	m, ok := v.(*batchMessage)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	inner := 1 + protowire.SizeBytes(len(m.header)) + 1 + protowire.SizeBytes(m.bodySize)
	head := make([]byte, 0, len(m.header)+32)
	head = protowire.AppendVarint(append(head, tagBatch), uint64(inner))
	head = protowire.AppendBytes(append(head, tagHeader), m.header)
	head = protowire.AppendVarint(append(head, tagBody), uint64(m.bodySize))
	out := make(mem.BufferSlice, 0, len(m.body)+1)
	out = append(out, mem.SliceBuffer(head))
	for _, piece := range m.body {
		out = append(out, mem.SliceBuffer(piece))
	}
	return out, nil
}

// frameMessage is a Frame as it is received: a batch in its two parts, or another frame.
type frameMessage struct {
	batch        bool
	header, body []byte
	frame        pb.Frame
}

// Unmarshal implements encoding.CodecV2.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	m, ok := v.(*frameMessage)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	if m.readBatch(data) == nil {
		m.batch = true
		return nil
	}
	m.batch, m.header, m.body = false, nil, nil
	return c.other(data, m)
}

// other reads a frame in whatever way its sender has written it.
func (c codec) other(data mem.BufferSlice, m *frameMessage) error {
	m.frame.Reset()
	if err := c.CodecV2.Unmarshal(data, &m.frame); err != nil {
		return err
	}
	if b, ok := m.frame.GetFrame().(*pb.Frame_Batch); ok {
		m.batch, m.header, m.body = true, b.Batch.GetHeader(), b.Batch.GetBody()
	}
	return nil
}

// errOther says that a message is not a batch in the usual form.
var errOther = errors.New("not a batch in the usual form")

// readBatch reads a batch whose two fields come in order, as every encoder writes them.
func (m *frameMessage) readBatch(data mem.BufferSlice) error {
	r := data.Reader()
	defer r.Close()
	n, err := field(r, tagBatch)
	if err != nil || n != r.Remaining() {
		return errOther
	}
	if n, err = field(r, tagHeader); err != nil {
		return errOther
	}
	m.header = make([]byte, n)
	if _, err = io.ReadFull(r, m.header); err != nil {
		return errOther
	}
	if n, err = field(r, tagBody); err != nil || n != r.Remaining() {
		return errOther
	}
	pieces, err := r.Peek(n, nil)
	if err != nil {
		return errOther
	}
	m.body = bytes.Join(pieces, nil) // one copy, into memory that is not cleared before
	return nil
}

// field reads the tag and the length of a field; the length is of what remains.
func field(r *mem.Reader, tag byte) (int, error) {
	if got, err := r.ReadByte(); err != nil || got != tag {
		return 0, errOther
	}
	n, err := binary.ReadUvarint(r)
	if err != nil || n > uint64(r.Remaining()) {
		return 0, errOther
	}
	return int(n), nil
}
