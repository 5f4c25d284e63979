package sdk

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// Plugin is a connector that can be served.
type Plugin struct {
	Name    string // of the plugin, such as "acme"
	Version string // of the plugin, such as "1.0.0"
	// Open opens the one connection of the process. The error is best a *hunt.Error.
	Open func(ctx context.Context, s Setup) (hunt.Connector, error)
}

// Setup is what Open gets.
type Setup struct {
	ID hunt.Identity
	// Decode decodes the connection's settings (YAML, of which JSON is a part) strictly, onto the defaults that into has. The error has
	// the code BAD_CONFIG and says line and column.
	Decode func(into any) error
	// Path makes a path of the settings relative to the gateway's configuration file.
	Path func(string) string
	// Secret returns the secret for a reference that stands in the settings, such as env:NAME or file:PATH. The host has read it; a
	// reference that the settings do not hold is refused. The error never holds the secret.
	Secret func(ref string) (string, error)
	// Log writes JSON lines to standard error, from where the host takes them over. Standard output leads there too.
	Log *slog.Logger
}

// grace is how long the connector has to close when the host has gone.
const grace = 5 * time.Second

// Serve serves a plugin until the host ends it or is gone itself, and returns then; main should return after it. It must be called in
// the process that the host started, before anything is printed on standard output. The error is a *hunt.Error: PLUGIN_REFUSED if no
// host started this process, BAD_CONFIG if p is incomplete.
func Serve(p Plugin) error {
	if p.Name == "" || p.Version == "" || p.Open == nil {
		return hunt.Errorf(hunt.BadConfig, "a plugin needs a name, a version and a function that opens it")
	}
	if os.Getenv(protocol.CookieKey) != protocol.CookieValue {
		return hunt.Errorf(hunt.PluginRefused, "this is a plugin: a Harrier gateway starts it; name its path in the gateway's configuration")
	}
	s := newServer(p)
	plugin.Serve(&plugin.ServeConfig{
		HandshakeConfig: plugin.HandshakeConfig{
			ProtocolVersion: protocol.Version, MagicCookieKey: protocol.CookieKey, MagicCookieValue: protocol.CookieValue,
		},
		Plugins:    plugin.PluginSet{protocol.PluginName: &adapter{server: s}},
		Logger:     hclog.New(&hclog.LoggerOptions{Level: hclog.Off}),
		GRPCServer: s.grpc,
	})
	s.finish()
	return nil
}

// adapter registers the service with go-plugin.
type adapter struct {
	plugin.NetRPCUnsupportedPlugin
	server *server
}

// GRPCServer implements plugin.GRPCPlugin.
func (a *adapter) GRPCServer(_ *plugin.GRPCBroker, s *grpc.Server) error {
	pb.RegisterConnectorServer(s, a.server)
	return nil
}

// GRPCClient implements plugin.GRPCPlugin; a plugin has no client.
func (a *adapter) GRPCClient(context.Context, *plugin.GRPCBroker, *grpc.ClientConn) (any, error) {
	return nil, errors.New("a plugin serves only")
}

// stdio keeps the standard streams that the process was started with. go-plugin puts pipes in their place that end in nothing.
type stdio struct {
	stderr *os.File
	once   sync.Once
}

// restore makes standard error what it was, and lets standard output lead there: the real one belongs to the handshake.
func (s *stdio) restore() {
	s.once.Do(func() { os.Stderr, os.Stdout = s.stderr, s.stderr })
}

// whenHostIsGone calls stop when standard input ends. The host holds the other end of that pipe and never writes, so that the process
// ends with the host, however that ended.
func whenHostIsGone(stop func()) {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeNamedPipe == 0 {
		return
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		stop()
	}()
}
