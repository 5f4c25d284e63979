package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Product is which server a node is.
type Product string

// The products of which nodes can be started.
const (
	Elasticsearch  Product = "elasticsearch"  // 8.19
	OpenSearch     Product = "opensearch"     // 2.19
	Elasticsearch9 Product = "elasticsearch9" // 9.5, needs Java 21
	OpenSearch3    Product = "opensearch3"    // 3.8, needs Java 21
)

// ErrNoJava is the cause of errors that say that a JDK or Maven is missing; their message says what to install.
var ErrNoJava = errors.New("no JDK that is new enough, or no Maven")

// ErrNoJars is the cause of errors that say that Maven could not fetch the jars of a node, for lack of a network as a rule.
var ErrNoJars = errors.New("the jars of the node could not be fetched")

const (
	// startLimit bounds a start whose context has no earlier end. A cold machine takes some ten seconds.
	startLimit = 3 * time.Minute
	// stopLimit is how long a node may take to close. It ends itself after 10 s at the latest (launcher/.../Parent.java).
	stopLimit = 15 * time.Second
	// healthPause lies between two questions whether the node is healthy.
	healthPause = 50 * time.Millisecond
	defaultHeap = 512
)

// Options are what a node is started with.
type Options struct {
	Product  Product
	Dir      string            // data folder, made if absent; empty: a temporary one, removed at Stop and when this process dies
	Settings map[string]string // settings of the server, over those of the package: "xpack.security.http.ssl.enabled"
	User     string            // Elasticsearch 8 only: turns security on; the user is a superuser
	Password string            // of User
	TLS      bool              // Elasticsearch 8 with User only: HTTPS by a certificate of an authority that is made for the node
	HeapMB   int               // heap of the Java machine in MiB; 0 is 512
	Log      io.Writer         // the node's warnings and, at the first start on a machine, the build; nil discards them
	Port     int               // of HTTP, on 127.0.0.1; 0 takes a free one
}

// Node is a running server. Its methods may be called from any goroutine.
type Node struct {
	options   Options
	built     built
	temporary bool
	ca        []byte
	client    *http.Client
	log       *locked

	life    sync.Mutex              // held while the process is started or ended
	process atomic.Pointer[process] // nil before Start and after Stop
	port    atomic.Int32            // 0 until the node named the one it took
}

// Start runs a node and returns once it answers and all its primary shards are assigned. The first start of a product on a machine
// builds it, which downloads some hundred MB. The end of ctx ends the start, not the node.
//
// Errors are *hunt.Error: BadConfig for options that do not fit together; SourceUnavailable when the node cannot be built (with
// ErrNoJava or ErrNoJars as cause) or does not come up, with the last lines it wrote; SourceTimeout and Cancelled when ctx ended, or
// when the node is not healthy after three minutes.
func Start(ctx context.Context, o Options) (*Node, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	n := &Node{options: o, log: newLocked(o.Log)}
	n.port.Store(int32(o.Port))
	if n.options.HeapMB == 0 {
		n.options.HeapMB = defaultHeap
	}
	var err error
	if n.built, err = build(ctx, o.Product, n.log); err != nil {
		return nil, err
	}
	if err := n.prepare(); err != nil {
		n.discard()
		return nil, failure("start", hunt.SourceUnavailable, err)
	}
	if err := n.start(ctx); err != nil {
		n.discard()
		return nil, err
	}
	return n, nil
}

func (o Options) check() error {
	bad := func(format string, args ...any) error {
		return failure("start", hunt.BadConfig, fmt.Errorf(format, args...))
	}
	prog, err := programOf(o.Product)
	if err != nil {
		return err
	}
	switch {
	case !prog.users && (o.User != "" || o.TLS):
		return bad("the %s node has neither users nor TLS: leave User and TLS empty", o.Product)
	case (o.User == "") != (o.Password == ""):
		return bad("User and Password are given together or not at all")
	case o.TLS && o.User == "":
		return bad("TLS needs security: give User and Password")
	case strings.ContainsAny(o.User, ":\r\n") || strings.ContainsAny(o.Password, "\r\n"):
		return bad("User contains a colon, or User or Password a line break")
	case o.Port < 0 || o.Port > 65535 || o.HeapMB < 0:
		return bad("Port %d or HeapMB %d is out of range", o.Port, o.HeapMB)
	}
	for key, value := range o.Settings {
		if key == "" || strings.HasPrefix(key, "harrier.") || strings.ContainsAny(key, "=\r\n") || strings.ContainsAny(value, "\r\n") {
			return bad("the setting %q cannot be given: its name is empty, reserved or has a '=', or there is a line break in it", key)
		}
	}
	return nil
}

// prepare makes the data folder and what must be in it before the first start.
func (n *Node) prepare() (err error) {
	if n.options.Dir == "" {
		n.temporary = true
		if n.options.Dir, err = os.MkdirTemp("", "harrier-node-"); err != nil {
			return err
		}
	}
	if n.options.Dir, err = filepath.Abs(n.options.Dir); err != nil {
		return err
	}
	for _, name := range []string{"config", "tmp"} {
		if err := os.MkdirAll(filepath.Join(n.options.Dir, name), 0o700); err != nil {
			return err
		}
	}
	// No proxy: the node is on loopback. The limit is above that of the health question.
	transport := &http.Transport{DisableKeepAlives: true}
	n.client = &http.Client{Transport: transport, Timeout: 10 * time.Second}
	if !n.options.TLS {
		return nil
	}
	if n.ca, err = writeCertificate(filepath.Join(n.options.Dir, "config")); err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(n.ca)
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return nil
}

func (n *Node) discard() {
	if n.temporary {
		_ = os.RemoveAll(n.options.Dir)
	}
}

// start runs the process and waits until it is healthy. On an error nothing runs.
func (n *Node) start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	p, err := run(n.launch())
	if err != nil {
		return err
	}
	if err := n.await(ctx, p); err != nil {
		p.kill()
		return err
	}
	n.process.Store(p)
	return nil
}

func (n *Node) await(ctx context.Context, p *process) error {
	select {
	case port := <-p.port:
		n.port.Store(port)
	case <-p.ended:
		return p.failure("it ended before it served")
	case <-ctx.Done():
		return p.interruption(ctx)
	}
	tick := time.NewTicker(healthPause)
	defer tick.Stop()
	for !n.healthy(ctx) {
		select {
		case <-tick.C:
		case <-p.ended:
			return p.failure("it ended before it was healthy")
		case <-ctx.Done():
			return p.interruption(ctx)
		}
	}
	return nil
}

// healthy asks for the health of the cluster. The question itself waits for a while on the side of the node.
func (n *Node) healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL()+"/_cluster/health?wait_for_status=yellow&timeout=5s", nil)
	if err != nil {
		return false
	}
	if n.options.User != "" {
		request.SetBasicAuth(n.options.User, n.options.Password)
	}
	answer, err := n.client.Do(request)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.StatusCode == http.StatusOK // 408 says that the status was not reached
}

// URL is where the node serves, "http://127.0.0.1:9200".
func (n *Node) URL() string {
	scheme := "http"
	if n.options.TLS {
		scheme = "https"
	}
	return fmt.Sprintf("%s://127.0.0.1:%d", scheme, n.port.Load())
}

// CA is the certificate of the authority of a node with TLS as PEM, else nil. Callers do not change it.
func (n *Node) CA() []byte { return n.ca }

// PID is the process of the node, 0 after Stop.
func (n *Node) PID() int {
	p := n.process.Load()
	if p == nil {
		return 0
	}
	return p.pid()
}

// Stop closes the node, waits for its end and removes a temporary data folder. It first waits for a Restart that is under way. A second
// Stop does nothing.
func (n *Node) Stop() error {
	n.life.Lock()
	defer n.life.Unlock()
	p := n.process.Swap(nil)
	if p == nil {
		return nil
	}
	p.stop(stopLimit)
	if !n.temporary {
		return nil
	}
	if err := os.RemoveAll(n.options.Dir); err != nil {
		return failure("stop", hunt.SourceFailed, err)
	}
	return nil
}

// Kill ends the node as a crash would (SIGKILL) and waits for its end. The data folder stays; Restart or Stop follow.
func (n *Node) Kill() error {
	n.life.Lock()
	defer n.life.Unlock()
	p := n.process.Load()
	if p == nil {
		return failure("kill", hunt.BadConfig, errors.New("the node is stopped"))
	}
	p.kill()
	return nil
}

// Restart closes the node, if it still runs, and starts it with the same port and data. Errors are those of Start; after one, nothing
// runs and Restart may be called again.
func (n *Node) Restart(ctx context.Context) error {
	n.life.Lock()
	defer n.life.Unlock()
	p := n.process.Load()
	if p == nil {
		return failure("restart", hunt.BadConfig, errors.New("the node is stopped"))
	}
	p.stop(stopLimit)
	return n.start(ctx)
}

// failure makes an error of this package, with err as its cause and its text.
func failure(op string, code hunt.Code, err error) error {
	var ours *hunt.Error
	if errors.As(err, &ours) {
		return err
	}
	return &hunt.Error{Op: "node: " + op, Code: code, Message: err.Error(), Cause: err}
}

// interruption is failure for work that the end of ctx may have broken off.
func interruption(ctx context.Context, op string, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &hunt.Error{Op: "node: " + op, Code: hunt.Cancelled, Message: "it was cancelled", Cause: ctx.Err()}
	case ctx.Err() != nil:
		return &hunt.Error{Op: "node: " + op, Code: hunt.SourceTimeout, Message: "it took too long: " + err.Error(), Retryable: true, Cause: ctx.Err()}
	}
	return failure(op, hunt.SourceUnavailable, err)
}
