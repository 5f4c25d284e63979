package host

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/go-plugin"
	"github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/protocol"
)

// endpoint is where a process that has shaken hands listens.
type endpoint struct {
	address net.Addr
	tls     *tls.Config
	folder  string // of its socket; to be removed
}

// shake starts a process and does go-plugin's handshake with it. ctx and timeout bound that. The error is a *hunt.Error; the process is
// ended then and its folder removed.
//
// Of go-plugin's client only this part is used. What it does after the handshake (a broker, a copy of standard output, closing without a
// deadline) gives a plugin ways to hold the host up.
func shake(ctx context.Context, p *process, timeout time.Duration) (*endpoint, error) {
	out := &endpoint{}
	pair, certificate, err := newCertificate()
	if err != nil {
		return nil, hunt.Errorf(hunt.Internal, "a certificate for the plugin cannot be made: %w", err)
	}
	out.tls = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12, ServerName: "localhost"}
	run := func(_ hclog.Logger, spec *exec.Cmd, folder string) (runner.Runner, error) {
		out.folder = folder
		p.cmd.Env = append(append(p.cmd.Env, spec.Env...), "PLUGIN_CLIENT_CERT="+certificate)
		return p, nil
	}
	client := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig:  plugin.HandshakeConfig{ProtocolVersion: protocol.Version, MagicCookieKey: protocol.CookieKey, MagicCookieValue: protocol.CookieValue},
		Plugins:          plugin.PluginSet{protocol.PluginName: served{}},
		RunnerFunc:       run,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		TLSConfig:        out.tls,
		SkipHostEnv:      true,
		StartTimeout:     timeout,
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Off}),
	})
	stop := context.AfterFunc(ctx, func() { p.end("nobody waits for it any more") })
	defer stop()
	out.address, err = client.Start()
	if err != nil {
		p.end("the handshake failed")
		if p.started {
			<-p.exited
		}
		out.remove()
		return nil, unshaken(ctx, p, err)
	}
	return out, nil
}

// served is the service as go-plugin knows it; the host dials it by itself.
type served struct{ plugin.NetRPCUnsupportedPlugin }

// GRPCServer implements plugin.GRPCPlugin; the host serves nothing.
func (served) GRPCServer(*plugin.GRPCBroker, *grpc.Server) error { return nil }

// GRPCClient implements plugin.GRPCPlugin.
func (served) GRPCClient(_ context.Context, _ *plugin.GRPCBroker, c *grpc.ClientConn) (any, error) {
	return c, nil
}

func (e *endpoint) remove() {
	if e.folder != "" {
		_ = os.RemoveAll(e.folder)
	}
}

// unshaken says why a process did not come to serve.
func unshaken(ctx context.Context, p *process, err error) *hunt.Error {
	if !p.started {
		return unstartable(p.cmd.Path, err)
	}
	if refusal := p.refusal(); refusal != nil {
		return refusal
	}
	how, _ := p.died()
	switch {
	case ctx.Err() != nil:
		return ended(ctx)
	case strings.HasPrefix(err.Error(), "timeout"):
		return hunt.Errorf(hunt.PluginRefused, "%s did not print its handshake in time, so it speaks no protocol of ours (%s)", p.cmd.Path, how)
	case !p.killed() || strings.HasPrefix(err.Error(), "plugin exited"):
		e := hunt.Errorf(hunt.PluginCrashed, "%s ended before it served (%s)", p.cmd.Path, how)
		e.Retryable = true
		return e
	}
	return hunt.Errorf(hunt.PluginRefused, "%s does not speak the plugin protocol: %s", p.cmd.Path, protocol.Line(err.Error()))
}

// checkHandshake refuses a first line of standard output that is no handshake of ours.
func checkHandshake(path, line string) *hunt.Error {
	refuse := func(format string, args ...any) *hunt.Error {
		return hunt.Errorf(hunt.PluginRefused, "%s %s", path, protocol.Line(fmt.Sprintf(format, args...)))
	}
	parts := strings.Split(strings.TrimSpace(line), "|")
	if len(parts) < 5 {
		return refuse("printed %.80q where its handshake belongs; a plugin must not write to standard output", line)
	}
	version, err := strconv.Atoi(parts[1])
	switch {
	case parts[0] != strconv.Itoa(plugin.CoreProtocolVersion) || err != nil:
		return refuse("speaks the handshake %.40q of go-plugin; this gateway speaks %d", parts[0], plugin.CoreProtocolVersion)
	case version > protocol.Version:
		return refuse("speaks version %d of the plugin protocol and this gateway version %d: update the gateway", version, protocol.Version)
	case version < protocol.Version:
		return refuse("speaks version %d of the plugin protocol and this gateway version %d: update the plugin", version, protocol.Version)
	case parts[4] != string(plugin.ProtocolGRPC):
		return refuse("speaks %.40q; this gateway speaks grpc", parts[4])
	case len(parts) < 6 || len(parts[5]) <= 50:
		return refuse("offers no certificate in its handshake; the gateway speaks with plugins over mutual TLS alone")
	}
	return nil
}

// newCertificate makes the host's side of mutual TLS for one process, as go-plugin's AutoMTLS does, but on the curve P-256: go-plugin's
// P-521 is refused by BoringSSL, and so by gRPC in C++, Python and Ruby.
func newCertificate() (pair tls.Certificate, certificate string, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair, "", err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return pair, "", err
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: "localhost", Organization: []string{"Harrier"}}, DNSNames: []string{"localhost"},
		NotBefore: now.Add(-time.Minute), NotAfter: now.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return pair, "", err
	}
	pair = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return pair, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
