package host

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// session is one process that serves the connection.
type session struct {
	proc          *process
	endpoint      *endpoint
	conn          *grpc.ClientConn
	rpc           pb.ConnectorClient
	timeouts      Timeouts
	digest        string
	name, version string   // as the plugin says
	egress        []string // as its author says; nil if that is not known
	begun         time.Time
	said          atomic.Pointer[protocol.Described] // the last description of this process, nil before the first
	done          context.CancelFunc                 // ends what works beside the calls
	work          sync.WaitGroup
}

// Sizes of the transport on our side. The windows bound what one slow reader makes the host hold of one search, and of all of them.
const (
	streamWindow = 4 << 20
	connWindow   = 16 << 20
	readBuffer   = 256 << 10
)

// buffered reads in larger pieces than TLS asks for, which is one record of 16 KiB at a time.
type buffered struct {
	net.Conn
	from *bufio.Reader
}

// Read implements net.Conn.
func (b *buffered) Read(p []byte) (int, error) { return b.from.Read(p) }

func dial(ctx context.Context, to net.Addr) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, to.Network(), to.String())
	if err != nil {
		return nil, err
	}
	return &buffered{conn, bufio.NewReaderSize(conn, readBuffer)}, nil
}

// connect dials a process and looks after it. The connection is made by the first call.
func connect(p *process, e *endpoint, t Timeouts) (*session, error) {
	conn, err := grpc.NewClient("passthrough:///plugin",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return dial(ctx, e.address) }),
		grpc.WithTransportCredentials(credentials.NewTLS(e.tls)),
		grpc.WithDefaultCallOptions(grpc.ForceCodecV2(protocol.Codec()), grpc.MaxCallRecvMsgSize(protocol.MaxAnswer)),
		grpc.WithInitialWindowSize(streamWindow), grpc.WithInitialConnWindowSize(connWindow), grpc.WithReadBufferSize(readBuffer),
		grpc.WithNoProxy(), grpc.WithDisableServiceConfig(), grpc.WithDisableRetry(),
	)
	if err != nil {
		return nil, hunt.Errorf(hunt.Internal, "the plugin cannot be dialled: %w", err)
	}
	ctx, done := context.WithCancel(context.Background())
	s := &session{proc: p, endpoint: e, conn: conn, rpc: pb.NewConnectorClient(conn), timeouts: t, begun: time.Now(), done: done}
	s.work.Go(func() { s.drain(ctx) })
	s.work.Go(func() { s.watch(ctx) })
	return s, nil
}

// drain reads what a plugin that uses go-plugin as it comes writes to its standard streams after the handshake: go-plugin sends it over
// this stream, and a plugin that nobody listens to blocks.
func (s *session) drain(ctx context.Context) {
	desc := &grpc.StreamDesc{StreamName: "StreamStdio", ServerStreams: true}
	stream, err := s.conn.NewStream(ctx, desc, "/plugin.GRPCStdio/StreamStdio", grpc.MaxCallRecvMsgSize(1<<20))
	if err != nil || stream.SendMsg(&emptypb.Empty{}) != nil || stream.CloseSend() != nil {
		return
	}
	r, w := io.Pipe()
	s.work.Go(func() { s.proc.lines.copy(r, "info") })
	defer w.Close()
	for {
		var data emptypb.Empty // go-plugin's message StdioData arrives as its unknown fields
		if stream.RecvMsg(&data) != nil {
			return
		}
		if _, err := w.Write(stdioData(data.ProtoReflect().GetUnknown())); err != nil {
			return
		}
	}
}

// stdioData returns the field data of a StdioData: bytes, number 2.
func stdioData(message []byte) []byte {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		message = message[n:]
		if number == 2 && kind == protowire.BytesType {
			data, _ := protowire.ConsumeBytes(message)
			return data
		}
		if n = protowire.ConsumeFieldValue(number, kind, message); n < 0 {
			return nil
		}
		message = message[n:]
	}
	return nil
}

// watch asks the process for its health, and ends it if it does not answer at all. Any answer is one.
func (s *session) watch(ctx context.Context) {
	every := time.NewTicker(s.timeouts.Hang)
	defer every.Stop()
	health := healthpb.NewHealthClient(s.conn)
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.proc.exited:
			return
		case <-every.C:
		}
		probe, cancel := context.WithTimeout(ctx, s.timeouts.Hang)
		_, err := health.Check(probe, &healthpb.HealthCheckRequest{Service: "plugin"})
		cancel()
		if ctx.Err() == nil && status.Code(err) == codes.DeadlineExceeded {
			s.proc.end("it did not answer a health check for " + s.timeouts.Hang.String())
		}
	}
}

// open opens the connection in the process.
func (s *session) open(ctx context.Context, request *pb.OpenRequest) error {
	answer, err := s.rpc.Open(ctx, request)
	if err != nil {
		return s.failure(ctx, err)
	}
	if e := protocol.DecodeError(answer.GetError()); e != nil {
		return e
	}
	s.name, s.version = protocol.Line(answer.GetName()), protocol.Line(answer.GetVersion())
	return nil
}

// How long a process may take to end after its connection broke, and to be seen dead after a call failed in a way that can mean both.
const (
	settle  = time.Second
	instant = 50 * time.Millisecond
)

// dies says whether the process ends within a time.
func (s *session) dies(within time.Duration) bool {
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	s.await(ctx)
	return !s.proc.alive()
}

// failure makes a *hunt.Error of what a call failed with: an error of the plugin as it is, else what became of the call or the process.
func (s *session) failure(ctx context.Context, err error) error {
	var known *hunt.Error
	switch code := status.Code(err); {
	case errors.As(err, &known):
		return known
	case ctx.Err() != nil:
		return ended(ctx)
	case code == codes.Unimplemented || code == codes.ResourceExhausted || code == codes.Internal && !s.dies(instant):
		return hunt.Errorf(hunt.PluginProtocol, "the plugin broke the protocol: %s", protocol.Line(status.Convert(err).Message()))
	case code == codes.Unavailable || code == codes.Canceled || code == codes.Internal || errors.Is(err, io.EOF):
		return s.crashed()
	}
	return hunt.Errorf(hunt.Internal, "the plugin failed with a gRPC status instead of an Error: %s", protocol.Line(status.Convert(err).Message()))
}

// crashed says how the process ended. One that has only broken its connection is ended.
func (s *session) crashed() *hunt.Error {
	if !s.dies(settle) {
		s.proc.end("it closed its connection")
		<-s.proc.exited
	}
	how, _ := s.proc.died()
	e := hunt.Errorf(hunt.PluginCrashed, "the process of the plugin %s ended (%s); it is started again with the next call", s.proc.cmd.Path, how)
	e.Retryable = true
	return e
}

// ended says how a context ended.
func ended(ctx context.Context) *hunt.Error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		e := hunt.Errorf(hunt.SourceTimeout, "the plugin did not answer before the deadline")
		e.Cause, e.Retryable = ctx.Err(), true
		return e
	}
	e := hunt.Errorf(hunt.Cancelled, "the caller went away")
	e.Cause = ctx.Err()
	return e
}

// stop closes the connection in the process, lets it end and kills it if it does not. It returns what Close failed with.
func (s *session) stop() error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeouts.Stop)
	defer cancel()
	var failed error
	if s.proc.alive() {
		answer, err := s.rpc.Close(ctx, &pb.CloseRequest{})
		if e := protocol.DecodeError(answer.GetError()); e != nil {
			failed = e
		}
		if err == nil {
			// go-plugin's way to end a server; others end when their standard input does.
			_ = s.conn.Invoke(ctx, "/plugin.GRPCController/Shutdown", &emptypb.Empty{}, &emptypb.Empty{})
			_ = s.proc.stdin.Close()
			s.await(ctx)
		}
	}
	s.abandon("the connection was closed")
	return failed
}

// await waits until the process has ended or ctx has.
func (s *session) await(ctx context.Context) {
	select {
	case <-s.proc.exited:
	case <-ctx.Done():
	}
}

// abandon ends the process at once and frees what it took.
func (s *session) abandon(why string) {
	s.proc.end(why)
	<-s.proc.exited
	s.done()
	_ = s.conn.Close()
	s.work.Wait()
	s.endpoint.remove()
}
