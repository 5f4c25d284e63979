package host_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/host"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/plugins/sdk"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// openers lists the children that serve with the SDK.
func openers() map[string]opener {
	return map[string]opener{
		"files":    openFiles,
		"bench":    openBench,
		"fake":     func(context.Context, sdk.Setup) (hunt.Connector, error) { return &fake{}, nil },
		"notes":    openNotes,
		"secrets":  openSecrets,
		"settings": openSettings,
		"panics":   openPanics,
		"fails":    openFails,
		"waits":    openWaits,
		"writes":   openWrites,
		"lies":     openLies,
		"counts":   openCounts,
		"dies":     openDies,
		"grows":    openGrows,
		"big":      openBig,
		"forks":    openForks,
		"deaf":     openDeaf,
		"refuses": func(context.Context, sdk.Setup) (hunt.Connector, error) {
			return nil, hunt.Errorf(hunt.SourceDenied, "the token has expired")
		},
	}
}

// odd lists the children that do not.
func odd() map[string]func(args []string) {
	return map[string]func(args []string){
		"says":   func(args []string) { fmt.Println(strings.Join(args, " ")); wait() },
		"floods": func([]string) { writeForever(os.Stdout, 'x') },
		"silent": func([]string) { wait() },
		"exits": func([]string) {
			fmt.Fprintln(os.Stderr, "the licence file is missing")
			os.Exit(7)
		},
		"sleeps": func([]string) { wait() },
		"hosts":  hostAnother,
		"plain":  func([]string) { servePlain() },
	}
}

// wait lasts until the host has gone.
func wait() { _, _ = bufio.NewReader(os.Stdin).ReadByte() }

func writeForever(to *os.File, c byte) {
	block := []byte(strings.Repeat(string(c), 64<<10))
	for {
		if _, err := to.Write(block); err != nil {
			return
		}
	}
}

// described is a fake whose description has notes.
func described(notes func() []string) *fake {
	return &fake{describe: func(context.Context) (*hunt.Description, error) {
		return &hunt.Description{Connector: "fake", Notes: notes()}, nil
	}}
}

// openNotes describes what the process sees.
func openNotes(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_DATA, &limit); err != nil {
		return nil, err
	}
	return described(func() []string {
		dir, _ := os.Getwd()
		return append(os.Environ(), fmt.Sprint("ID ", s.ID.Tenant, " ", s.ID.Connection), "DIR "+dir, "PATH "+s.Path("x"),
			fmt.Sprint("COLLECTS AT ", debug.SetMemoryLimit(-1)>>20), fmt.Sprint("CPUS ", runtime.NumCPU()), fmt.Sprint("DATA ", limit.Cur>>20))
	}), nil
}

type secretSettings struct {
	Token   string   `yaml:"token"`
	Missing string   `yaml:"missing"`
	More    []string `yaml:"more"`
}

// openSecrets says its secret wherever it can.
func openSecrets(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	var cfg secretSettings
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	token, err := s.Secret(cfg.Token)
	if err != nil {
		return nil, err
	}
	_, missing := s.Secret(cfg.Missing)
	_, foreign := s.Secret("env:HOME")
	s.Log.Warn("logging in with " + token)
	fmt.Println("stdout has " + token)
	var tells atomic.Bool
	f := described(func() []string {
		if tells.Load() {
			return []string{"the token is " + token}
		}
		return []string{fmt.Sprint(missing), fmt.Sprint(foreign), fmt.Sprint(len(token))}
	})
	f.translate = func(r hunt.Request) (*hunt.Translation, error) {
		switch r.Limit {
		case 1:
			return &hunt.Translation{Request: r, Native: "Authorization: " + token}, nil
		case 2:
			tells.Store(true)
			return &hunt.Translation{Request: r}, nil
		}
		return nil, &hunt.Error{Code: hunt.SourceFailed, Message: "refused " + token, Cause: errors.New(token), Source: token}
	}
	return f, nil
}

type numberSettings struct {
	Number int `yaml:"number"`
}

func openSettings(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	cfg := numberSettings{Number: 7}
	if err := s.Decode(&cfg); err != nil {
		return nil, err
	}
	return described(func() []string { return []string{fmt.Sprint(cfg.Number)} }), nil
}

func openPanics(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{
		translate: func(hunt.Request) (*hunt.Translation, error) { panic("no such thing") },
		search: func(context.Context, *hunt.Translation) iter.Seq2[hunt.Frame, error] {
			return func(yield func(hunt.Frame, error) bool) {
				yield(hunt.Progress{RowsScanned: 1}, nil)
				var list []int
				_ = list[len(os.Args)]
			}
		},
	}, nil
}

// fullError is an error with all its fields.
func fullError() *hunt.Error {
	return &hunt.Error{Op: "acme: search", Source: "t/c/s", Code: hunt.SourceThrottled, Message: "slow down", Path: "where.x", Retryable: true,
		RetryAfter: 1500 * time.Millisecond, Cause: errors.New("429 Too Many Requests")}
}

func openFails(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{
		describe:  func(context.Context) (*hunt.Description, error) { return nil, fullError() },
		translate: func(hunt.Request) (*hunt.Translation, error) { return nil, fullError() },
		search: func(_ context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
			return func(yield func(hunt.Frame, error) bool) {
				if yield(hunt.PartFailed{Part: "p", Lost: &hunt.TimeRange{Start: 1, End: 2}, Err: fullError()}, nil) && t.Request.Limit != 1 {
					yield(nil, fullError())
				}
			}
		},
	}, nil
}

// openWaits yields one frame and waits for the end of the context.
func openWaits(_ context.Context, s sdk.Setup) (hunt.Connector, error) {
	return &fake{search: func(ctx context.Context, _ *hunt.Translation) iter.Seq2[hunt.Frame, error] {
		return func(yield func(hunt.Frame, error) bool) {
			fmt.Fprintln(os.Stderr, "searching")
			if yield(hunt.Progress{}, nil) {
				<-ctx.Done()
				s.Log.Info("cancelled", "at", time.Now().UnixNano())
				yield(nil, ctx.Err())
			}
		}
	}}, nil
}

// openWrites writes what trips readers up to every stream that it has.
func openWrites(context.Context, sdk.Setup) (hunt.Connector, error) {
	for _, line := range []string{`{"@message":5}`, `{"@level":5,"@message":"x"}`, `{"@timestamp":7}`, `{"@timestamp":"never"}`, "{", "\x00\xff\xfe", "[WARN] careful"} {
		fmt.Fprintln(os.Stderr, line)
	}
	fmt.Fprint(os.Stderr, strings.Repeat("no end ", 100_000))
	fmt.Fprint(os.Stderr, "\n")
	first := os.NewFile(1, "stdout")
	fmt.Fprintln(first, "1|1|unix|/nowhere|grpc|again")
	fmt.Fprint(first, strings.Repeat("z", 1<<20))
	for i := range 20_000 {
		fmt.Fprintln(os.Stderr, "flood", i)
	}
	fmt.Fprintln(os.Stdout, "printed")
	fmt.Fprintln(os.Stderr, "written")
	return &fake{}, nil
}

// lie is a batch that a connector must not yield.
func lies() map[string]func() arrow.RecordBatch {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	newBatch := func(fields []arrow.Field, fill func(*array.RecordBuilder)) arrow.RecordBatch {
		b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, arrow.NewSchema(fields, nil))
		fill(b)
		return b.NewRecordBatch()
	}
	uid, at := hunt.Field(class, ocsf.ColUID), hunt.Field(class, ocsf.ColTime)
	return map[string]func() arrow.RecordBatch{
		"no time": func() arrow.RecordBatch {
			return newBatch([]arrow.Field{uid}, func(b *array.RecordBuilder) { b.Field(0).(*array.StringBuilder).Append("a") })
		},
		"null uid": func() arrow.RecordBatch {
			return newBatch([]arrow.Field{uid, at}, func(b *array.RecordBuilder) {
				b.Field(0).AppendNull()
				b.Field(1).(*array.TimestampBuilder).Append(1)
			})
		},
		"wrong type": func() arrow.RecordBatch {
			return newBatch([]arrow.Field{uid, {Name: "time", Type: arrow.PrimitiveTypes.Int64}}, func(b *array.RecordBuilder) {
				b.Field(0).(*array.StringBuilder).Append("a")
				b.Field(1).(*array.Int64Builder).Append(1)
			})
		},
		"unknown column": func() arrow.RecordBatch {
			return newBatch([]arrow.Field{uid, at, {Name: "no.such", Type: arrow.BinaryTypes.String}}, func(b *array.RecordBuilder) {
				b.Field(0).(*array.StringBuilder).Append("a")
				b.Field(1).(*array.TimestampBuilder).Append(1)
				b.Field(2).(*array.StringBuilder).Append("a")
			})
		},
	}
}

// openLies yields the lie whose number the limit of the request is.
func openLies(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{search: func(_ context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
		return func(yield func(hunt.Frame, error) bool) {
			names := lieNames()
			if yield(&hunt.Batch{Record: lies()[names[t.Request.Limit-1]]()}, nil) {
				yield(hunt.End{}, nil)
			}
		}
	}}, nil
}

func lieNames() []string {
	var out []string
	for name := range lies() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// openCounts yields batches for ever and describes how many were taken.
func openCounts(context.Context, sdk.Setup) (hunt.Connector, error) {
	var taken atomic.Int64
	rec := benchBatch()
	f := described(func() []string { return []string{fmt.Sprint(taken.Load())} })
	f.search = func(context.Context, *hunt.Translation) iter.Seq2[hunt.Frame, error] {
		return func(yield func(hunt.Frame, error) bool) {
			for yield(&hunt.Batch{Record: rec}, nil) {
				taken.Add(1)
			}
		}
	}
	return f, nil
}

// openDies ends the process with the first description.
func openDies(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{describe: func(context.Context) (*hunt.Description, error) {
		go func() { panic("the cache is corrupt") }()
		select {}
	}}, nil
}

// openGrows takes as much memory as the request's limit says, in MiB.
func openGrows(context.Context, sdk.Setup) (hunt.Connector, error) {
	var kept [][]byte
	return &fake{translate: func(r hunt.Request) (*hunt.Translation, error) {
		for range r.Limit {
			block := make([]byte, 1<<20)
			for i := 0; i < len(block); i += 4096 {
				block[i] = 1
			}
			kept = append(kept, block)
		}
		return &hunt.Translation{Request: r, Native: fmt.Sprint(len(kept))}, nil
	}}, nil
}

// openBig yields one row of as many bytes as the limit of the request says, and one small one.
func openBig(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{search: func(_ context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
		return func(yield func(hunt.Frame, error) bool) {
			b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, hunt.Schema(t.Request.Class, []string{ocsf.ColRaw}))
			for i, n := range []int{t.Request.Limit, 1} {
				b.Field(0).(*array.StringBuilder).Append(fmt.Sprint(i))
				b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
				b.Field(2).(*array.StringBuilder).Append(strings.Repeat("r", n))
			}
			if yield(&hunt.Batch{Record: b.NewRecordBatch()}, nil) {
				yield(hunt.End{}, nil)
			}
		}
	}}, nil
}

// openForks starts a process that keeps the standard streams open, and describes its number.
func openForks(context.Context, sdk.Setup) (hunt.Connector, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, "child", "sleeps")
	r, _, err := os.Pipe() // its standard input never ends
	if err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = r, os.Stderr, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return described(func() []string { return []string{fmt.Sprint(cmd.Process.Pid)} }), nil
}

// openDeaf never finishes closing.
func openDeaf(context.Context, sdk.Setup) (hunt.Connector, error) {
	return &fake{close: func() error { select {} }}, nil
}

// hostAnother is a host itself: it prints the number of its plugin's process and waits to be killed.
func hostAnother([]string) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	conn, err := host.Open(context.Background(), host.Config{Path: path, Args: []string{"child", "deaf"}}, host.Setup{})
	if err != nil {
		panic(err)
	}
	d, err := conn.Describe(context.Background())
	if err != nil {
		panic(err)
	}
	fmt.Println(d.Artifact.PID)
	select {}
}

// plain is a plugin made with go-plugin as it comes, without the SDK.
type plain struct {
	plugin.NetRPCUnsupportedPlugin
	pb.UnimplementedConnectorServer
}

func servePlain() {
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{ProtocolVersion: protocol.Version, MagicCookieKey: protocol.CookieKey, MagicCookieValue: protocol.CookieValue},
		Plugins:         plugin.PluginSet{"connector": &plain{}},
		GRPCServer:      plugin.DefaultGRPCServer,
	})
}

// GRPCServer implements plugin.GRPCPlugin.
func (p *plain) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterConnectorServer(s, p)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin.
func (p *plain) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, nil
}

// Open prints more than a pipe holds.
func (p *plain) Open(context.Context, *pb.OpenRequest) (*pb.OpenResponse, error) {
	for range 3000 {
		fmt.Println("a line that go-plugin sends over its own stream to whoever listens to it")
	}
	fmt.Println("printed")
	return &pb.OpenResponse{Name: "plain", Version: "0"}, nil
}

// Search sends one batch frame in pieces that no encoder of ours makes, then stops without an end.
func (p *plain) Search(_ *pb.SearchRequest, to grpc.ServerStreamingServer[pb.Frame]) error {
	return to.Send(&pb.Frame{Frame: &pb.Frame_Progress{Progress: &pb.Progress{RowsScanned: 3}}})
}

// Describe breaks the protocol.
func (p *plain) Describe(context.Context, *pb.DescribeRequest) (*pb.DescribeResponse, error) {
	return &pb.DescribeResponse{}, nil
}
