package files

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// Config says what a connection reads.
type Config struct {
	// Path is a folder, which is read with everything below it, or one file.
	Path string `yaml:"path"`
	// CacheBytes is how many bytes of mapped columns are kept in memory; 1 GiB if it is 0. Less makes searches slower, never different.
	CacheBytes int64 `yaml:"cache_bytes"`
}

// defaultCache is CacheBytes if the configuration says nothing.
const defaultCache = 1 << 30

// debounce is how long a look at the folder is good for.
const debounce = 200 * time.Millisecond

// settled is how old the last change of a file must be for its last line to count as complete without a second look.
const settled = 10 * time.Second

// patience is how long Describe waits for new files to be read before it answers without them.
const patience = 5 * time.Second

// Files is one connection to a folder of logs. It is safe for concurrent use.
type Files struct {
	id       hunt.Identity
	set      *mapping.Set
	root     string // folder that part names are relative to
	path     string // what is read
	epoch    string // tells the snapshots of this process from those of others
	debounce time.Duration
	patience time.Duration
	keptGone int
	workers  int
	cache    *cache
	bases    map[streamKey]*hunt.Stream
	state    atomic.Pointer[state]
	progress *progress

	closing context.Context
	close   context.CancelFunc
	mu      sync.Mutex // guards what follows; closed against the start of searches
	closed  bool
	current *look // the look at the folder under way, nil if there is none
	running sync.WaitGroup
}

var _ hunt.Connector = (*Files)(nil)

// Options is what a connection gets from its host.
type Options struct {
	// Mappings says how records become events.
	Mappings *mapping.Set
	// Progress, which may be nil, is called while the connection opens, with the bytes on disk that have been read and that there are;
	// never from two goroutines at once.
	Progress func(doneBytes, totalBytes int64)
}

// Open indexes everything at cfg.Path: every record that a mapping takes is mapped once. The error is a *hunt.Error:
// SOURCE_UNAVAILABLE if the path cannot be read, CANCELLED if ctx ended. A part that is damaged or not supported is no error: the
// description and the searches say so.
func Open(ctx context.Context, id hunt.Identity, cfg Config, o Options) (*Files, error) {
	if cfg.CacheBytes == 0 {
		cfg.CacheBytes = defaultCache
	}
	f := &Files{
		id: id, set: o.Mappings, path: filepath.Clean(cfg.Path), epoch: newEpoch(), debounce: debounce, patience: patience, keptGone: keptGone,
		workers: runtime.GOMAXPROCS(0), cache: newCache(cfg.CacheBytes), bases: map[streamKey]*hunt.Stream{}, progress: &progress{report: o.Progress},
	}
	f.root = f.path
	if info, err := os.Stat(f.path); err == nil && !info.IsDir() {
		f.root = filepath.Dir(f.path)
	}
	for _, m := range o.Mappings.Mappings() {
		for _, s := range m.Streams() {
			f.bases[streamKey{m, s.Class}] = s
		}
	}
	f.closing, f.close = context.WithCancel(context.Background())
	f.state.Store(&state{files: map[string]*file{}, history: map[string]int64{}, description: &hunt.Description{}})
	if err := f.firstLook(ctx); err != nil {
		f.Close() //nolint:errcheck // it never fails
		return nil, err
	}
	f.progress = nil
	return f, nil
}

// firstLook waits until everything is read.
func (f *Files) firstLook(ctx context.Context) error {
	l := f.join()
	select {
	case <-l.over:
		return l.err
	case <-ctx.Done():
		return f.cancelled(ctx)
	}
}

func newEpoch() string {
	var b [6]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(b[:])
}

// begin notes that a call runs, so that Close waits for it; false if the connection is closed. The context also ends with Close.
func (f *Files) begin(ctx context.Context) (context.Context, func(), bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return ctx, nil, false
	}
	f.running.Add(1)
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(f.closing, cancel)
	return ctx, func() { stop(); cancel(); f.running.Done() }, true
}

// Close ends what runs and waits for it. It may be called more than once.
func (f *Files) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.close()
	f.running.Wait()
	return nil
}

func (f *Files) errClosed() *hunt.Error {
	return f.errorf(hunt.SourceUnavailable, "the connection is closed")
}

// errorf makes an error of this connection.
func (f *Files) errorf(code hunt.Code, format string, args ...any) *hunt.Error {
	e := hunt.Errorf(code, format, args...)
	e.Op, e.Source = "files", f.id.Tenant+"/"+f.id.Connection
	return e
}

// progress reports how many bytes on disk have been read.
type progress struct {
	mu          sync.Mutex
	done, total int64
	report      func(done, total int64)
}

func (p *progress) add(done, total int64) {
	if p == nil || p.report == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done, p.total = p.done+done, p.total+total
	p.report(p.done, p.total)
}
