package protocol

import (
	"context"
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"google.golang.org/grpc"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// Receiver reads the frames of one search. It is for one goroutine.
type Receiver struct {
	from    grpc.ClientStream
	request *hunt.Request
	schema  *arrow.Schema // nil before the first
	ended   bool
}

// Search starts a search of t on a connection that uses Codec. The context ends it. An error is gRPC's.
func Search(ctx context.Context, conn grpc.ClientConnInterface, t *hunt.Translation) (*Receiver, error) {
	desc := &grpc.StreamDesc{StreamName: "Search", ServerStreams: true}
	from, err := conn.NewStream(ctx, desc, pb.Connector_Search_FullMethodName, grpc.MaxCallRecvMsgSize(MaxFrame))
	if err != nil {
		return nil, err
	}
	if err := from.SendMsg(&pb.SearchRequest{Request: EncodeRequest(&t.Request), Translation: EncodeTranslation(t)}); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return &Receiver{from: from, request: &t.Request}, from.CloseSend()
}

// Receive returns the next frame. After End it returns io.EOF, or a PLUGIN_PROTOCOL error if something follows. An error is a *hunt.Error
// if the plugin sent it or broke the protocol, else gRPC's; a stream that stops without End gives STREAM_WITHOUT_END. A batch is Go's
// memory and belongs to the caller.
func (r *Receiver) Receive() (hunt.Frame, error) {
	for {
		var m frameMessage
		err := r.from.RecvMsg(&m)
		switch {
		case errors.Is(err, io.EOF) && !r.ended:
			return nil, &hunt.Error{Code: hunt.StreamWithoutEnd, Message: "the plugin stopped without saying that the search is complete", Retryable: true}
		case err != nil:
			return nil, err
		case r.ended:
			return nil, broken("a frame follows the end of the search")
		}
		f, err := r.decode(&m)
		if f != nil || err != nil {
			_, r.ended = f.(hunt.End)
			return f, err
		}
	}
}

// decode makes a frame of a message; nil for a schema.
func (r *Receiver) decode(m *frameMessage) (hunt.Frame, error) {
	if m.batch {
		if r.schema == nil {
			return nil, broken("a batch comes before its schema")
		}
		b, err := decodeBatch(r.schema, m.header, m.body)
		if err != nil {
			return nil, err
		}
		return b, nil
	}
	s, ok := m.frame.GetFrame().(*pb.Frame_Schema)
	if !ok {
		return DecodeFrame(&m.frame)
	}
	var err error
	r.schema, err = decodeSchema(s.Schema.GetMessage(), r.request)
	return nil, err
}
