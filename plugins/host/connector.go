package host

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/plugins/protocol"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// connector is a connection that processes serve, one after the other.
type connector struct {
	config  Config
	setup   Setup
	secrets *secrets
	env     []string
	handed  map[string]*pb.Secret
	life    context.Context // ends with Close
	end     context.CancelFunc
	work    sync.WaitGroup // starts under way

	mu       sync.Mutex
	closed   bool
	current  *session // nil before the first start and after a death was noticed
	pending  *start   // nil if nothing is being started
	started  int      // sessions that served
	failures int      // deaths and failed starts in a row
	notUntil time.Time
}

var _ hunt.Connector = (*connector)(nil)

// start is a session being made; what it came to can be read when done is closed.
type start struct {
	done    chan struct{}
	session *session
	err     error
}

// stable is how long a process must have lived for its death to be the first in a row.
const stable = time.Minute

// mostDelays is how much the delay between restarts grows at most.
const mostDelays = 100

// session returns the process that serves, and starts one if there is none. Callers share a start, and ctx ends their wait alone: opening
// a connection may take longer than one hunt.
func (c *connector) session(ctx context.Context) (*session, error) {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil, hunt.Errorf(hunt.SourceUnavailable, "the connection is closed")
	}
	if s := c.current; s != nil && s.proc.alive() {
		c.mu.Unlock()
		return s, nil
	}
	c.buryLocked()
	if wait := time.Until(c.notUntil); wait > 0 && c.pending == nil {
		c.mu.Unlock()
		e := hunt.Errorf(hunt.PluginCrashed, "the plugin %s keeps ending; it is started again in %s", c.config.Path, wait.Round(time.Millisecond))
		e.Retryable, e.RetryAfter = true, wait
		return nil, e
	}
	if c.pending == nil {
		c.pending = &start{done: make(chan struct{})}
		c.work.Go(c.startPending)
	}
	p := c.pending
	c.mu.Unlock()
	select {
	case <-p.done:
		return p.session, p.err
	case <-ctx.Done():
		return nil, ended(ctx)
	}
}

// buryLocked notes the death of the process that served last.
func (c *connector) buryLocked() {
	s := c.current
	if s == nil {
		return
	}
	c.current = nil
	_, at := s.proc.died()
	if at.Sub(s.begun) > stable {
		c.failures = 0
	}
	c.failures++
	c.delayLocked(at)
	c.work.Go(func() { s.abandon("") })
}

// delayLocked sets when the next start may be: at once after one death, then after a delay that doubles, and varies so that connections
// do not start together.
func (c *connector) delayLocked(from time.Time) {
	if c.failures < 2 {
		c.notUntil = time.Time{}
		return
	}
	d := c.setup.Timeouts.Delay << min(c.failures-2, 20)
	d = min(d, mostDelays*c.setup.Timeouts.Delay)
	c.notUntil = from.Add(time.Duration(float64(d) * (0.8 + 0.4*rand.Float64())))
}

// startPending makes a session for all that wait for one.
func (c *connector) startPending() {
	s, err := c.start(c.life)
	c.mu.Lock()
	p := c.pending
	c.pending = nil
	if err == nil && c.closed {
		err = hunt.Errorf(hunt.SourceUnavailable, "the connection is closed")
	}
	dead := s
	if err == nil {
		c.current, dead = s, nil
		c.started++
		s = c.current
	} else {
		s = nil
		c.failures++
		c.delayLocked(time.Now())
	}
	c.mu.Unlock()
	p.session, p.err = s, err
	close(p.done)
	if dead != nil {
		_ = dead.stop()
	}
}

// start starts a process and opens the connection in it.
func (c *connector) start(ctx context.Context) (*session, error) {
	sum, err := digest(c.config.Path, c.config.Checksum)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(c.config.Path, c.config.Args...)
	cmd.Dir, cmd.Env = c.config.Dir, append([]string{}, c.env...)
	p := newProcess(cmd, &lines{log: c.log, hide: c.secrets.hide}, newConfinement(c.config))
	p.check = func(line string) *hunt.Error { return checkHandshake(c.config.Path, line) }
	e, err := shake(ctx, p, c.setup.Timeouts.Start)
	if err != nil {
		return nil, err
	}
	s, err := connect(p, e, c.setup.Timeouts)
	if err != nil {
		p.end("it cannot be dialled")
		e.remove()
		return nil, err
	}
	s.digest = sum
	if err := s.open(ctx, c.request()); err != nil {
		s.abandon("it did not open the connection")
		return nil, err
	}
	s.egress = c.egress(s)
	return s, nil
}

// egress is where the manifest beside the executable says that the plugin connects to; nil if it does not say, or is not of this plugin.
// That is a line of the log and no more, because a manifest is for people.
func (c *connector) egress(s *session) []string {
	m, err := Manifest(c.config.Path)
	problem := ""
	switch {
	case err != nil:
		problem = err.Error()
	case m == nil:
		return nil
	default:
		problem = m.Differs(c.artifact(s))
	}
	if problem != "" {
		c.log("warn", "the manifest beside the plugin is not used: "+problem)
		return nil
	}
	return m.Egress
}

func (c *connector) log(level, line string) {
	if c.setup.Log != nil {
		c.setup.Log(level, line)
	}
}

func (c *connector) request() *pb.OpenRequest {
	return &pb.OpenRequest{
		Tenant: c.setup.ID.Tenant, Connection: c.setup.ID.Connection, Settings: c.setup.Settings, SettingsFile: c.setup.SettingsFile,
		SettingsLine: int64(c.setup.SettingsLine), BaseFolder: c.setup.BaseFolder, Secrets: c.handed,
		MemoryBytes: int64(c.config.MemoryMB) << 20,
	}
}

// locate makes a *hunt.Error that says where it happened and holds no secret.
func (c *connector) locate(op string, err error) *hunt.Error {
	out := *c.secrets.hideIn(hunt.AsError(err, hunt.Internal))
	out.Op = cmp.Or(out.Op, "plugin: "+op)
	out.Source = cmp.Or(out.Source, c.setup.ID.Tenant+"/"+c.setup.ID.Connection)
	return &out
}

// Describe implements hunt.Connector.
func (c *connector) Describe(ctx context.Context) (*hunt.Description, error) {
	out, err := c.describe(ctx)
	if err != nil {
		return nil, c.locate("describe", err)
	}
	return out, nil
}

func (c *connector) describe(ctx context.Context) (*hunt.Description, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	known := s.said.Load()
	request := &pb.DescribeRequest{}
	if known != nil {
		request.Known = known.Tag
	}
	answer, err := s.rpc.Describe(ctx, request)
	if err != nil {
		return nil, c.failed(ctx, s, err)
	}
	if c.secrets.describes(answer) {
		return nil, hunt.Errorf(hunt.PluginProtocol, "the plugin put a secret into its description")
	}
	said, err := protocol.DecodeDescribed(answer, known)
	if err != nil {
		return nil, err
	}
	s.said.Store(said)
	out := *said.Description
	out.Artifact = c.artifact(s)
	return &out, nil
}

// artifact says what serves the connection.
func (c *connector) artifact(s *session) *hunt.Artifact {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &hunt.Artifact{
		Name: cmp.Or(s.name, filepath.Base(c.config.Path)), Version: s.version, Digest: s.digest, Protocol: protocol.Version,
		PID: s.proc.pid(), Restarts: c.started - 1, Confined: s.proc.bounds, Egress: s.egress,
	}
}

// Translate implements hunt.Connector. It has no context, so a time limit of its own bounds it.
func (c *connector) Translate(r hunt.Request) (*hunt.Translation, error) {
	ctx, cancel := context.WithTimeout(c.life, c.setup.Timeouts.Call)
	defer cancel()
	out, err := c.translate(ctx, r)
	if err != nil {
		return nil, c.locate("translate", err)
	}
	return out, nil
}

func (c *connector) translate(ctx context.Context, r hunt.Request) (*hunt.Translation, error) {
	s, err := c.session(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := s.rpc.Translate(ctx, &pb.TranslateRequest{Request: protocol.EncodeRequest(&r)})
	if err != nil {
		return nil, c.failed(ctx, s, err)
	}
	if e := answer.GetError(); e != nil {
		return nil, protocol.DecodeError(e)
	}
	out, err := protocol.DecodeTranslation(r, answer.GetTranslation())
	if err == nil && c.secrets.tells(out.Native) {
		err = hunt.Errorf(hunt.PluginProtocol, "the plugin put a secret into the native query")
	}
	return out, err
}

// Search implements hunt.Connector.
func (c *connector) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		s, err := c.session(ctx)
		if err != nil {
			yield(nil, c.locate("search", err))
			return
		}
		in, err := protocol.Search(ctx, s.conn, t)
		if err != nil {
			yield(nil, c.locate("search", c.failed(ctx, s, err)))
			return
		}
		for {
			f, err := in.Receive()
			if err != nil {
				yield(nil, c.locate("search", c.failed(ctx, s, err)))
				return
			}
			_, last := f.(hunt.End)
			if !yield(c.clean(f), nil) || last {
				return
			}
		}
	}
}

// clean takes secrets out of what a frame says.
func (c *connector) clean(f hunt.Frame) hunt.Frame {
	switch f := f.(type) {
	case hunt.PartFailed:
		f.Err = c.secrets.hideIn(f.Err)
		return f
	case hunt.Rejected:
		f.Reason = c.secrets.hide(f.Reason)
		return f
	}
	return f
}

// failed says what became of a call; one that Close cut off did not crash.
func (c *connector) failed(ctx context.Context, s *session, err error) error {
	var known *hunt.Error
	if c.life.Err() != nil && !errors.As(err, &known) {
		return hunt.Errorf(hunt.SourceUnavailable, "the connection is closed")
	}
	return s.failure(ctx, err)
}

// Close implements hunt.Connector. It ends searches under way and the process, and waits for both; it can be called twice. The error is
// the plugin's.
func (c *connector) Close() error {
	c.mu.Lock()
	s := c.current
	c.closed, c.current = true, nil
	c.mu.Unlock()
	c.end()
	var err error
	if s != nil {
		err = s.stop()
	}
	c.work.Wait()
	if err != nil {
		return c.locate("close", err)
	}
	return nil
}
