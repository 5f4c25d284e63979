package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/heap"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// server serves one connector.
type server struct {
	pb.UnimplementedConnectorServer
	plugin Plugin
	stdio  *stdio
	log    *slog.Logger

	describer protocol.Describer

	mu       sync.Mutex
	opened   bool
	reserved func()         // releases what the heap was given
	conn     hunt.Connector // nil before it is open
}

func newServer(p Plugin) *server {
	log := slog.New(slog.NewJSONHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	return &server{plugin: p, reserved: func() {}, stdio: &stdio{stderr: os.Stderr}, log: log}
}

// Sizes of the transport. A sender stops when the receiver's window is full, so they bound what a slow reader makes a plugin hold.
const (
	writeBuffer = 256 << 10
	readBuffer  = 64 << 10
	maxRequest  = 256 << 20
)

// grpc makes the server that go-plugin runs, and ends it with the host.
func (s *server) grpc(options []grpc.ServerOption) *grpc.Server {
	out := grpc.NewServer(append(options,
		grpc.ForceServerCodecV2(protocol.Codec()),
		grpc.MaxRecvMsgSize(maxRequest),
		grpc.WriteBufferSize(writeBuffer),
		grpc.ReadBufferSize(readBuffer),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
	)...)
	whenHostIsGone(out.Stop)
	return out
}

// Open implements the service.
func (s *server) Open(ctx context.Context, r *pb.OpenRequest) (*pb.OpenResponse, error) {
	s.stdio.restore()
	widen()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opened {
		return &pb.OpenResponse{Error: protocol.EncodeError(hunt.Errorf(hunt.PluginProtocol, "Open was called twice; a process serves one connection"))}, nil
	}
	s.opened = true
	s.reserved = heap.Within(r.GetMemoryBytes())
	err := s.guard(func() (err error) {
		s.conn, err = s.plugin.Open(ctx, s.setup(r))
		if err == nil && s.conn == nil {
			err = hunt.Errorf(hunt.Internal, "the plugin opened no connector")
		}
		return err
	})
	if err != nil {
		s.conn = nil
		return &pb.OpenResponse{Error: protocol.EncodeError(err)}, nil
	}
	return &pb.OpenResponse{Name: s.plugin.Name, Version: s.plugin.Version}, nil
}

// Describe implements the service.
func (s *server) Describe(ctx context.Context, r *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	var out *pb.DescribeResponse
	err := s.call(func(c hunt.Connector) error {
		d, err := c.Describe(ctx)
		if err == nil {
			out, err = s.describer.Answer(d, r.GetKnown())
		}
		return err
	})
	if err != nil {
		return &pb.DescribeResponse{Result: &pb.DescribeResponse_Error{Error: protocol.EncodeError(err)}}, nil
	}
	return out, nil
}

// Translate implements the service.
func (s *server) Translate(_ context.Context, r *pb.TranslateRequest) (*pb.TranslateResponse, error) {
	var out *hunt.Translation
	err := s.call(func(c hunt.Connector) error {
		request, err := protocol.DecodeRequest(r.GetRequest())
		if err != nil {
			return err
		}
		out, err = c.Translate(request)
		return err
	})
	if err != nil {
		return &pb.TranslateResponse{Result: &pb.TranslateResponse_Error{Error: protocol.EncodeError(err)}}, nil
	}
	return &pb.TranslateResponse{Result: &pb.TranslateResponse_Translation{Translation: protocol.EncodeTranslation(out)}}, nil
}

// Search implements the service. An error of the connector becomes the last frame; an error that it returns is of the transport.
func (s *server) Search(r *pb.SearchRequest, to grpc.ServerStreamingServer[pb.Frame]) error {
	sender := protocol.NewSender(to)
	var lost error // of the transport
	err := s.call(func(c hunt.Connector) error {
		t, err := translation(r)
		if err != nil {
			return err
		}
		for f, err := range c.Search(to.Context(), t) {
			if err != nil {
				return err
			}
			if f == nil {
				return hunt.Errorf(hunt.Internal, "the connector yielded neither a frame nor an error")
			}
			if lost = sender.Send(f); lost != nil {
				return nil
			}
		}
		return nil
	})
	if err != nil {
		return sender.Fail(err)
	}
	return lost
}

func translation(r *pb.SearchRequest) (*hunt.Translation, error) {
	request, err := protocol.DecodeRequest(r.GetRequest())
	if err != nil {
		return nil, err
	}
	return protocol.DecodeTranslation(request, r.GetTranslation())
}

// Close implements the service.
func (s *server) Close(context.Context, *pb.CloseRequest) (*pb.CloseResponse, error) {
	return &pb.CloseResponse{Error: protocol.EncodeError(s.close())}, nil
}

func (s *server) close() error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn == nil {
		return nil
	}
	return s.guard(conn.Close)
}

// finish closes the connector when the server has ended, and waits for a while at most.
func (s *server) finish() {
	defer s.release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.close(); err != nil {
			s.log.Warn("closing failed", "error", err.Error())
		}
	}()
	select {
	case <-done:
	case <-time.After(grace):
	}
}

// release gives back what the heap was given.
func (s *server) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reserved()
}

// call runs f with the connector.
func (s *server) call(f func(hunt.Connector) error) error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	if conn == nil {
		return hunt.Errorf(hunt.PluginProtocol, "the connection is not open; Open must come first and succeed")
	}
	return s.guard(func() error { return f(conn) })
}

// guard turns a panic of the connector into an error of the call. Where it happened goes to the log alone.
func (s *server) guard(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("the connector panicked", "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = hunt.Errorf(hunt.Internal, "the plugin %s %s panicked: %v; the stack is in its log", s.plugin.Name, s.plugin.Version, p)
		}
	}()
	err = f()
	if errors.Is(err, context.Canceled) && hunt.AsError(err, hunt.Cancelled).Code == hunt.Cancelled {
		return hunt.AsError(err, hunt.Cancelled)
	}
	return err
}
