package main

import (
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// gateway is everything that answers: the connections, the engine over them and the GraphQL resolvers over that.
type gateway struct {
	engine   *exec.Engine
	resolver *graph.Resolver
	tokens   *access.Tokens
}

// openGateway opens what a configuration names. A connection that cannot be opened does not stop the others: it is a failed line of
// every coverage and of sources.
func openGateway(ctx context.Context, c *Config, log zerolog.Logger) (*gateway, error) {
	set, err := loadMappings(c)
	if err != nil {
		return nil, err
	}
	key, err := cursorKey(c.path(c.State))
	if err != nil {
		return nil, err
	}
	tokens, err := tokensOf(c)
	if err != nil {
		return nil, err
	}
	engine := &exec.Engine{Connections: keepConnections(c, set, log)}
	if err := firstLook(ctx, engine); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return newGateway(engine, key, tokens), nil
}

func newGateway(engine *exec.Engine, key []byte, tokens *access.Tokens) *gateway {
	return &gateway{engine: engine, tokens: tokens, resolver: &graph.Resolver{Engine: engine, CursorKey: key, Now: time.Now, OnFault: logFault}}
}

// logFault logs a defect with its stack; clients are told only that there was one.
func logFault(ctx context.Context, fault any, stack []byte) {
	zerolog.Ctx(ctx).Error().Interface("fault", fault).Bytes("stack", stack).Msg("a request met a defect of the program")
}

// A source that is back is to be seen within seconds, however long it was away: one hunt over several streams is enough to open a breaker.
// What is lost meanwhile is one call in that time.
const (
	breakerDelay = 5 * time.Second
	reopenMax    = 10 * time.Second
)

// restartDeadline is that of a translation in another process. A process that died during a search is started again for the translation of
// what is left of it; its connector may take seconds to open.
const restartDeadline = 10 * time.Second

// keepConnections makes the connections of a configuration. Limits and memory are shared by all of them.
func keepConnections(c *Config, set *mapping.Set, log zerolog.Logger) []exec.Connection {
	limits, memory := wrap.NewLimits(), wrap.NewMemory(int64(c.MemoryMB)<<20, 0)
	var cache *wrap.Cache
	if c.CacheMB > 0 {
		cache = wrap.NewCache(int64(c.CacheMB) << 20)
	}
	var out []exec.Connection
	for i := range c.Connections {
		n := &c.Connections[i]
		o := wrap.Options{
			Ref: hunt.ConnectionRef{Tenant: n.Tenant, Connection: n.Name}, Limits: limits, Memory: memory, Cache: cache, Deadline: c.deadline, Log: events(log),
			Breaker: wrap.Breaker{Delay: breakerDelay}, Reopen: wrap.Backoff{Max: reopenMax},
		}
		if n.apart() {
			o.TranslateDeadline = restartDeadline
		}
		out = append(out, exec.Connect(n.Connector, c.opener(n, set, log), o))
	}
	return out
}

// opener returns what opens a connection. One that lacks a secret is told apart from one that is configured wrongly: secrets come and go
// without the configuration, so that it is tried again.
func (c *Config) opener(n *ConnectionConfig, set *mapping.Set, log zerolog.Logger) wrap.Opener {
	return func(ctx context.Context) (hunt.Connector, error) {
		secrets := &secretReader{config: c}
		setup := c.setup(n, set)
		setup.Secret = secrets.read
		conn, err := c.openConnection(ctx, n, setup, log)
		if err != nil && secrets.missing != nil {
			return nil, secrets.missing
		}
		return conn, err
	}
}

// openConnection opens a connection in this process, or in one of its own.
func (c *Config) openConnection(ctx context.Context, n *ConnectionConfig, setup connectors.Setup, log zerolog.Logger) (hunt.Connector, error) {
	if n.apart() {
		return c.openProcess(ctx, n, setup, log)
	}
	return connectors.Table()[n.Connector](ctx, setup)
}

// firstLook opens all connections at once. One that cannot be opened now is tried again later and is a failed line until then; one that
// is configured wrongly would never open, so that the program does not start.
func firstLook(ctx context.Context, engine *exec.Engine) error {
	var tenants []string
	for _, n := range engine.Connections {
		tenants = append(tenants, n.Ref.Tenant)
	}
	for _, d := range engine.Describe(ctx, tenants) {
		if d.Err != nil && d.Err.Code == hunt.BadConfig {
			return d.Err
		}
	}
	return nil
}

// events logs what operators want to know of a connection.
func events(log zerolog.Logger) func(event string, fields ...any) {
	return func(event string, fields ...any) { log.Info().Fields(fields).Msg(event) }
}

// loadMappings compiles the built-in mappings and those of the configuration.
func loadMappings(c *Config) (*mapping.Set, error) {
	var more []*mapping.File
	for _, name := range c.Mappings {
		f, err := readMapping(c.path(name))
		if err != nil {
			return nil, err
		}
		more = append(more, f)
	}
	return mapping.Builtin(more...)
}

func readMapping(name string) (*mapping.File, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, configError(name, "cannot be read: %v", unwrapPath(err))
	}
	return mapping.Parse(name, text)
}

func tokensOf(c *Config) (*access.Tokens, error) {
	tokens := access.NewTokens()
	for _, p := range c.Principals {
		if err := tokens.Add(p.Token, &access.Principal{Name: p.Name, Tenants: p.Tenants}); err != nil {
			return nil, configError(c.file, "principal %s: %v", p.Name, err)
		}
	}
	return tokens, nil
}

// cursorKey returns the key that signs cursors. It is made once and kept, so that cursors outlive a restart.
func cursorKey(state string) ([]byte, error) {
	const size = 32
	file := filepath.Join(state, "cursor.key")
	key, err := os.ReadFile(file)
	if err == nil && len(key) == size {
		return key, nil
	}
	if err == nil || !errors.Is(err, fs.ErrNotExist) {
		return nil, configError(file, "the cursor key cannot be used; remove the file to make a new one (open cursors end)")
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, configError(state, "cannot be made: %v", unwrapPath(err))
	}
	key = make([]byte, size)
	_, _ = rand.Read(key) // crypto/rand never fails
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return cursorKey(state) // another start was faster: its key is the key
	}
	if err != nil {
		return nil, configError(file, "cannot be made: %v", unwrapPath(err))
	}
	_, err = f.Write(key)
	return key, errors.Join(err, f.Close())
}

// close closes the connections and logs what goes wrong: nobody waits for it any more.
func (g *gateway) close(log zerolog.Logger) {
	if err := g.engine.Close(); err != nil {
		log.Error().Err(err).Msg("closing connections")
	}
}
