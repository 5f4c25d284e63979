package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
	"github.com/mattn/go-isatty"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/hunt/heap"
)

// version is set by the build.
var version = "dev"

// cli is the command line.
type cli struct {
	Serve   serveCmd   `cmd:"" help:"Serve the GraphQL API."`
	Demo    demoCmd    `cmd:"" help:"Show one hunt over endpoint, network, cloud and identity telemetry, then serve it."`
	Hunt    huntCmd    `cmd:"" help:"Run a hunt and print its events and coverage."`
	Explain explainCmd `cmd:"" help:"Print what a hunt would ask of which source, without asking."`
	Ingest  ingestCmd  `cmd:"" help:"Read native logs into a lake, each file exactly once."`
	Sources sourcesCmd `cmd:"" help:"List connections and what they hold."`
	Mapping struct {
		Check mappingCheckCmd `cmd:"" help:"Run a mapping file over sample records and report what it covers."`
	} `cmd:"" help:"Work on mapping files."`
	Plugin struct {
		New   pluginNewCmd   `cmd:"" help:"Write a new plugin project: a connector that works, to be changed into yours."`
		Check pluginCheckCmd `cmd:"" help:"Say line by line whether a plugin keeps the contract of connectors."`
	} `cmd:"" help:"Work on plugins."`
	Connector connectorCmd `cmd:"" hidden:"" help:"Serve a built-in connector to the service that started this process."`
	Token     tokenCmd     `cmd:"" help:"Make a token and print it with the hash that a configuration stores."`
	Version   versionCmd   `cmd:"" help:"Print the version."`
}

// program is what commands run with.
type program struct {
	ctx    context.Context
	stdout io.Writer
	stderr io.Writer
	tty    bool // stdout is a terminal
	ttyErr bool // stderr is one
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer heap.Reserve(heap.Gateway)()
	p := &program{ctx: ctx, stdout: os.Stdout, stderr: os.Stderr, tty: isatty.IsTerminal(os.Stdout.Fd()), ttyErr: isatty.IsTerminal(os.Stderr.Fd())}
	os.Exit(p.main(os.Args[1:]))
}

// main parses and runs a command line and returns the exit status: 0, 1 for a failure, 2 for a wrong command line, 3 for a hunt
// whose answer is not complete.
func (p *program) main(args []string) int {
	run, err := p.parse(args)
	if errors.Is(err, errHelp) {
		return 0
	}
	if err != nil {
		fmt.Fprintln(p.stderr, "harrier:", err)
		return 2
	}
	switch err := run(); {
	case errors.Is(err, errIncomplete):
		return 3
	case err != nil:
		fmt.Fprintln(p.stderr, "harrier:", err)
		return 1
	}
	return 0
}

// errHelp says that help was printed and nothing is to be done.
var errHelp = errors.New("help was printed")

// errIncomplete says that a hunt was answered, but not everything was searched.
var errIncomplete = errors.New("the answer is not complete")

// parse turns a command line into the function that runs it.
func (p *program) parse(args []string) (run func() error, err error) {
	helped := false
	parser, err := kong.New(&cli{}, kong.Name("harrier"), kong.Description("Asks the security sources of an organisation one question together, and says exactly what was and was not searched."),
		kong.Writers(p.stdout, p.stderr), kong.Exit(func(int) { helped = true }), kong.UsageOnError(), kong.Bind(p),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}))
	if err != nil {
		return nil, err
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	if helped {
		return nil, errHelp
	}
	if err != nil {
		return nil, err
	}
	return func() error { return k.Run(p) }, nil
}

// logger makes the log on stderr: readable on a terminal, JSON otherwise. Tokens and records never go into it.
func (p *program) logger(level string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), configError("log_level", "%q is none of trace, debug, info, warn, error", level)
	}
	out := p.stderr
	if p.ttyErr {
		out = zerolog.ConsoleWriter{Out: p.stderr, TimeFormat: "15:04:05"}
	}
	return zerolog.New(out).Level(l).With().Timestamp().Logger(), nil
}

type versionCmd struct{}

// Run prints the version.
func (versionCmd) Run(p *program) error {
	_, err := fmt.Fprintln(p.stdout, "harrier", version)
	return err
}
