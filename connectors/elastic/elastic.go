package elastic

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// Formats of documents that need no mapping.
const (
	FormatHarrier = "harrier" // documents that this package wrote
	FormatOCSF    = "ocsf"    // OCSF documents that others wrote
)

// Config says which cluster a connection is to and what it reads there. Zero values mean the defaults.
type Config struct {
	// URLs are the addresses of nodes, tried in turn.
	URLs []string `yaml:"urls"`
	// Indices are the names and patterns of the indices, aliases and data streams that are read. By default, and only with format
	// harrier, those that this connection writes.
	Indices []string `yaml:"indices"`
	// Format is harrier (the default), ocsf, or the name of the mapping that says how the documents become events.
	Format string `yaml:"format"`
	// Username is for basic authentication.
	Username string `yaml:"username"`
	// Password names where the password is: env:NAME or file:PATH.
	Password string `yaml:"password"`
	// APIKey names where the API key is, encoded as the cluster gave it: env:NAME or file:PATH. It wins over Username.
	APIKey string `yaml:"api_key"`
	// CA is a PEM file with the authority of the servers' certificates; by default the system's authorities are trusted.
	CA string `yaml:"ca"`
	// Fingerprint is the SHA-256 of the server's certificate in hex: that certificate is trusted, whatever its authority.
	Fingerprint string `yaml:"fingerprint"`
	// Refresh is how long a description may be old; 3 seconds by default. What changes meanwhile is seen later.
	Refresh time.Duration `yaml:"refresh"`
	// BatchRows is the most rows of a batch and of a page that is read; 10,000 by default, which is also the most that clusters allow.
	BatchRows int `yaml:"batch_rows"`
	// PageBytes is how large a page is meant to be; 8 MiB by default. Memory for a search is some eight times that.
	PageBytes int `yaml:"page_bytes"`
	// Shards is the number of primary shards of the indices that are written; the cluster's default if 0.
	Shards int `yaml:"shards"`
	// Prefix is the beginning of the names of the indices that are written; harrier by default. Tenant and connection follow it.
	Prefix string `yaml:"prefix"`
}

// Defaults of the settings.
const (
	defaultRefresh   = 3 * time.Second
	defaultBatchRows = 10_000
	defaultPageBytes = 8 << 20
	defaultPrefix    = "harrier"
)

// Options is what a connection gets from its host.
type Options struct {
	// Mappings says how foreign documents become events; needed for formats other than harrier and ocsf.
	Mappings *mapping.Set
	// Secret reads a secret that the settings name as env:NAME or file:PATH. Its errors never hold the secret.
	Secret func(ref string) (string, error)
}

// Elastic is one connection to a cluster. It is safe for concurrent use.
type Elastic struct {
	identity hunt.Identity
	cfg      Config
	set      *mapping.Set     // of the mapping alone, nil for OCSF documents
	mapping  *mapping.Mapping // of foreign documents, nil for OCSF ones
	client   *client

	ctx     context.Context // ends with Close
	cancel  context.CancelFunc
	running sync.WaitGroup // searches, and what they leave to clean up

	mu     sync.Mutex // guards what follows, and running.Add against Close
	closed bool
	state  *state // newest description, nil before the first and after a failure

	looking chan struct{} // full while the cluster is asked what it holds
	sizes   sync.Map      // of sized to rowSize, for each stream that was searched
}

var _ hunt.Connector = (*Elastic)(nil)

// Open makes a connection. It does not ask the cluster anything: whether that can be reached, Describe says. The error is a
// *hunt.Error with code BAD_CONFIG.
func Open(_ context.Context, id hunt.Identity, cfg Config, o Options) (*Elastic, error) {
	e := &Elastic{identity: id, set: o.Mappings, looking: make(chan struct{}, 1)}
	err := e.configure(cfg)
	if err == nil {
		e.client, err = newClient(id, &e.cfg, o.Secret)
	}
	if err != nil {
		out := hunt.AsError(err, hunt.BadConfig)
		out.Op, out.Source = "elastic: open", id.Tenant+"/"+id.Connection
		return nil, out
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	return e, nil
}

var validPrefix = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,60}$`)

// configure checks the settings and fills in the defaults.
func (e *Elastic) configure(cfg Config) error {
	if cfg.Format == "" {
		cfg.Format = FormatHarrier
	}
	if cfg.Prefix == "" {
		cfg.Prefix = defaultPrefix
	}
	if cfg.Refresh == 0 {
		cfg.Refresh = defaultRefresh
	}
	if cfg.BatchRows == 0 {
		cfg.BatchRows = defaultBatchRows
	}
	if cfg.PageBytes == 0 {
		cfg.PageBytes = defaultPageBytes
	}
	e.cfg = cfg
	switch {
	case len(cfg.URLs) == 0:
		return fmt.Errorf("urls is missing; give the address of a node, such as https://127.0.0.1:9200")
	case !validPrefix.MatchString(cfg.Prefix):
		return fmt.Errorf("prefix must be lower-case letters, digits, '.', '_' and '-'")
	case cfg.BatchRows < 1 || cfg.BatchRows > defaultBatchRows:
		return fmt.Errorf("batch_rows must be 1 to %d", defaultBatchRows)
	case cfg.PageBytes < 1 || cfg.Shards < 0 || cfg.Refresh < 0:
		return fmt.Errorf("page_bytes, shards and refresh cannot be negative")
	case cfg.APIKey == "" && (cfg.Username == "") != (cfg.Password == ""):
		return fmt.Errorf("username and password belong together")
	}
	return e.configureFormat()
}

func (e *Elastic) configureFormat() error {
	foreign := e.cfg.Format != FormatHarrier
	if foreign && len(e.cfg.Indices) == 0 {
		return fmt.Errorf("indices is missing; name the indices, aliases, data streams or patterns to read")
	}
	for _, name := range e.cfg.Indices {
		if name == "" || strings.HasPrefix(name, "-") || strings.ContainsAny(name, ",: /\\?#\"<>|") {
			return fmt.Errorf("indices: %q is no name or pattern of one index of this cluster", name)
		}
	}
	if !foreign || e.cfg.Format == FormatOCSF {
		return nil
	}
	if e.set != nil {
		// Another mapping of the set may take documents of this one, which are this one's here.
		if only, err := e.set.Only(e.cfg.Format); err == nil {
			e.set, e.mapping = only, only.Mapping(e.cfg.Format)
		}
	}
	if e.mapping == nil {
		return fmt.Errorf("format: there is no mapping %q; use harrier, ocsf or the name of a mapping", e.cfg.Format)
	}
	return nil
}

// Close implements hunt.Connector. Searches that still run end with CANCELLED.
func (e *Elastic) Close() error {
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.cancel()
	e.running.Wait()
	e.client.close()
	return nil
}

// enter counts a user of the connection in, until it calls running.Done; false after Close.
func (e *Elastic) enter() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if !e.closed {
		e.running.Add(1)
	}
	return !e.closed
}

func (e *Elastic) errClosed() *hunt.Error {
	return e.client.fail(hunt.SourceUnavailable, false, "the connection is closed")
}

// Translate implements hunt.Connector. It uses what was described last.
func (e *Elastic) Translate(r hunt.Request) (*hunt.Translation, error) {
	st := e.last()
	if st == nil {
		return nil, e.client.fail(hunt.SourceUnavailable, true, "the cluster has not been described since it could not be reached")
	}
	src := st.source(r.Stream, r.Class)
	if src == nil {
		return nil, e.client.fail(hunt.SourceChanged, true, "there is no stream "+r.Stream+" of that class")
	}
	searches, disposed, err := src.translate(r)
	if err != nil {
		return nil, err
	}
	if searches == nil {
		searches = []nativeSearch{}
	}
	native, err := json.MarshalIndent(searches, "", "  ")
	if err != nil {
		return nil, e.client.fail(hunt.Internal, false, err.Error())
	}
	return &hunt.Translation{Request: r, Native: string(native), Predicates: disposed}, nil
}
