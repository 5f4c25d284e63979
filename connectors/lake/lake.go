package lake

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/harrier-xdr/harrier/hunt"
)

// Config says where a lake lies and what reading it may cost. The zero values of all fields but Path mean the defaults.
type Config struct {
	// Path is the root folder of the lake. Several connections and tenants may share it; each has its own folder below it.
	Path string `yaml:"path"`
	// MemoryMB bounds the memory of DuckDB for this connection in MiB; 1,024 by default. Beyond it, sorting spills to disk.
	MemoryMB int `yaml:"memory_mb"`
	// Threads bounds the threads of DuckDB for this connection; all processors by default.
	Threads int `yaml:"threads"`
}

// Lake is one connection to a lake. It is safe for concurrent use, also beside writers in other processes.
type Lake struct {
	identity hunt.Identity
	dir      string // folder of the connection
	log      commitLog
	db       *sql.DB
	version  string

	ctx      context.Context // ends with Close
	cancel   context.CancelFunc
	searches sync.WaitGroup

	mu        sync.Mutex // guards what follows, and searches.Add against Close
	closed    bool
	cleaned   bool              // leftovers of crashed writers are removed
	described *hunt.Description // of the newest commit that was described
}

var (
	_ hunt.Connector = (*Lake)(nil)
	_ hunt.Sink      = (*Lake)(nil)
)

// Open opens the folder of one connection and makes it if it is not there. The error is a *hunt.Error: BAD_CONFIG without a path,
// SOURCE_UNAVAILABLE if the folder or DuckDB cannot be opened, SOURCE_DAMAGED if the commit log cannot be read.
func Open(ctx context.Context, id hunt.Identity, cfg Config) (*Lake, error) {
	if cfg.Path == "" {
		return nil, &hunt.Error{Op: "lake: open", Source: id.Tenant + "/" + id.Connection, Code: hunt.BadConfig, Message: "path is missing; give the root folder of the lake"}
	}
	root, err := filepath.Abs(cfg.Path)
	if err != nil {
		return nil, unavailable("open", cfg.Path, err)
	}
	l := &Lake{identity: id, dir: connectionDir(root, id.Tenant, id.Connection)}
	l.log = commitLog{dir: filepath.Join(l.dir, commitsDir), digests: map[string]int{}}
	if err := os.MkdirAll(l.log.dir, 0o755); err != nil {
		return nil, unavailable("open", cfg.Path, err)
	}
	if _, err := l.log.list(); err != nil {
		return nil, hunt.AsError(err, hunt.SourceUnavailable)
	}
	if err := l.openEngine(ctx, root, cfg); err != nil {
		return nil, unavailable("open DuckDB for", cfg.Path, err)
	}
	l.ctx, l.cancel = context.WithCancel(context.Background())
	return l, nil
}

func unavailable(doing, path string, err error) *hunt.Error {
	return &hunt.Error{Op: "lake: " + doing, Source: path, Code: hunt.SourceUnavailable, Cause: err}
}

// openEngine starts an in-memory DuckDB that can read this connection's folder and nothing else.
func (l *Lake) openEngine(ctx context.Context, root string, cfg Config) error {
	connector, err := duckdb.NewConnector("", nil)
	if err != nil {
		return err
	}
	l.db = sql.OpenDB(connector)
	memory, threads := cfg.MemoryMB, cfg.Threads
	if memory <= 0 {
		memory = 1024
	}
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	settings := []string{
		"SET GLOBAL TimeZone = 'UTC'",
		"SET memory_limit = '" + strconv.Itoa(memory) + "MiB'",
		"SET threads = " + strconv.Itoa(threads),
		"SET temp_directory = " + quoteText(filepath.Join(root, spillDir)),
		"SET parquet_metadata_cache = true",
		"SET allowed_directories = [" + quoteText(l.dir) + "]",
		"SET enable_external_access = false",
		"SET lock_configuration = true",
	}
	_, err = l.db.ExecContext(ctx, strings.Join(settings, ";\n"))
	if err == nil {
		err = l.db.QueryRowContext(ctx, "SELECT version()").Scan(&l.version)
	}
	if err != nil {
		l.db.Close()
	}
	return err
}

// Close implements hunt.Connector. Searches that still run end with CANCELLED.
func (l *Lake) Close() error {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil
	}
	l.closed = true
	l.mu.Unlock()
	l.cancel()
	l.searches.Wait()
	return l.db.Close()
}

// enter counts a search in; false after Close.
func (l *Lake) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.closed {
		l.searches.Add(1)
	}
	return !l.closed
}

// view returns the commits that a snapshot shows; all of them for "".
func (l *Lake) view(snapshot string) ([]commit, error) {
	commits, err := l.log.list()
	if err != nil {
		return nil, hunt.AsError(err, hunt.SourceUnavailable)
	}
	if snapshot == "" {
		return commits, nil
	}
	n, err := strconv.Atoi(snapshot)
	if err != nil || n < 0 || n > len(commits) {
		return nil, &hunt.Error{Op: "lake: search", Source: l.identity.Tenant + "/" + l.identity.Connection, Code: hunt.BadCursor,
			Message: "the lake has no snapshot " + strconv.Quote(snapshot) + "; it may have been replaced since: start the hunt again"}
	}
	return commits[:n], nil
}
