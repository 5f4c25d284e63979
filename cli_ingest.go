package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jedib0t/go-pretty/v6/table"
	"golang.org/x/sync/errgroup"

	"github.com/harrier-xdr/harrier/connectors"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

type ingestCmd struct {
	Config string   `short:"c" help:"Configuration file." default:"harrier.yaml" placeholder:"FILE"`
	Into   string   `help:"Connection to write to: the name of a lake or a search cluster, or tenant/name." required:"true" placeholder:"CONNECTION"`
	Paths  []string `arg:"" help:"Folders of native logs." placeholder:"DIR"`
}

// Help shows examples.
func (ingestCmd) Help() string {
	return `A file is ingested exactly once: a second run skips it. A damaged file is not ingested at all, and the others are.

Examples:
  harrier ingest -c harrier.yaml --into acme/lake ./logs
`
}

// Run reads the folders into the connection.
func (i ingestCmd) Run(p *program) error {
	cfg, err := loadConfig(i.Config)
	if err != nil {
		return err
	}
	n, err := i.named(cfg)
	if err != nil {
		return err
	}
	set, err := loadMappings(cfg)
	if err != nil {
		return err
	}
	into, err := connectors.Table()[n.Connector](p.ctx, cfg.setup(n, set))
	if err != nil {
		return err
	}
	sink, ok := into.(hunt.Sink)
	if !ok {
		err := configError(cfg.file, "line %d: %s is a %s connection, which cannot be written to", n.line, i.Into, n.Connector)
		return errors.Join(err, into.Close())
	}
	var failed []error
	work := &ingester{p: p, into: sink, id: hunt.Identity{Tenant: n.Tenant, Connection: n.Name}, set: set, taken: map[string]bool{}}
	for _, dir := range i.Paths {
		failed = append(failed, work.folder(p.ctx, dir))
	}
	failed = append(failed, into.Close())
	p.printIngested(&work.report)
	return errors.Join(failed...)
}

// named finds the one connection that --into means. A name that connections of several tenants have must be given with the tenant:
// events never go to a tenant that nobody named.
func (i ingestCmd) named(cfg *Config) (*ConnectionConfig, error) {
	var found []*ConnectionConfig
	var names []string
	for k := range cfg.Connections {
		n := &cfg.Connections[k]
		if full := n.Tenant + "/" + n.Name; n.Name == i.Into || full == i.Into {
			found = append(found, n)
			names = append(names, full)
		}
	}
	switch len(found) {
	case 0:
		return nil, configError(cfg.file, "no connection %q", i.Into)
	case 1:
		return found[0], nil
	}
	return nil, configError(cfg.file, "--into %s is ambiguous: say %s", i.Into, strings.Join(names, " or "))
}

// ingested is what became of one part of a folder.
type ingested struct {
	Part     string `json:"part"`
	State    string `json:"state"` // INGESTED, SKIPPED (was there already), FAILED
	Records  int64  `json:"records"`
	Rows     int64  `json:"rows"`     // mapped; those of events that the lake had already are counted for the whole run
	Rejected int64  `json:"rejected"` // could not be decoded
	Error    string `json:"error,omitempty"`

	digest string
}

// ingestReport is what an ingest did.
type ingestReport struct {
	Parts      []ingested `json:"parts"`
	Records    int64      `json:"records"`    // of the parts ingested; they are rows, duplicates and rejects
	Rows       int64      `json:"rows"`       // new in the lake
	Duplicates int64      `json:"duplicates"` // events that were there already
	Rejected   int64      `json:"rejected"`
}

// ingester reads folders into a sink.
type ingester struct {
	p    *program
	into hunt.Sink
	id   hunt.Identity // of the sink's connection: event uids depend on it
	set  *mapping.Set

	taken  map[string]bool // digests that this run ingests
	report ingestReport
}

// commitRows is how many rows of small parts are gathered into one commit: every commit makes files of its own, and many small
// files make a lake slow.
const commitRows = 500_000

// folder reads the parts of a folder. A damaged part is not ingested at all; the error names it, and the others are ingested.
func (i *ingester) folder(ctx context.Context, dir string) error {
	bar := i.p.progress("reading " + dir)
	defer bar.finish()
	from, err := files.Open(ctx, i.id, files.Config{Path: dir, CacheBytes: 1}, files.Options{Mappings: i.set, Progress: bar.set})
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // reading only: nothing is lost
	reports, groups, err := i.group(ctx, from.Parts())
	defer func() { i.report.Parts = append(i.report.Parts, reports...) }()
	failed := []error{err}
	for _, g := range groups {
		if err := i.commit(ctx, from, g); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}

// group decides what becomes of each part and gathers those to ingest into commits.
func (i *ingester) group(ctx context.Context, parts []files.Part) (reports []ingested, groups [][]*ingested, err error) {
	var failed []error
	var rows int64
	reports = make([]ingested, len(parts))
	for k, part := range parts {
		r := &reports[k]
		*r = ingested{Part: part.Name, State: "INGESTED", digest: part.Digest}
		known, err := i.into.Has(ctx, part.Digest)
		switch {
		case err != nil:
			failed = append(failed, r.fail(err))
		case part.Damage != nil:
			failed = append(failed, r.fail(part.Damage))
		case known || i.taken[part.Digest]:
			r.State = "SKIPPED" // it is there already, or a copy of it is in this run
		default:
			if len(groups) == 0 || rows+part.Rows > commitRows {
				groups, rows = append(groups, nil), 0
			}
			groups[len(groups)-1] = append(groups[len(groups)-1], r)
			rows += part.Rows
			i.taken[part.Digest] = true
		}
	}
	return reports, groups, errors.Join(failed...)
}

// fail notes why a part was not ingested.
func (r *ingested) fail(err error) error {
	r.State, r.Error = "FAILED", err.Error()
	return err
}

// commit ingests parts as one commit. If that fails, each part is tried by itself, so that one bad part takes no other with it.
func (i *ingester) commit(ctx context.Context, from *files.Files, parts []*ingested) error {
	err := i.tryCommit(ctx, from, parts)
	switch {
	case err == nil:
		return nil
	case len(parts) == 1 && errors.Is(err, hunt.ErrIngested): // somebody else was faster
		*parts[0] = ingested{Part: parts[0].Part, State: "SKIPPED"}
		return nil
	case len(parts) == 1 || ctx.Err() != nil:
		for _, r := range parts {
			_ = r.fail(err) // the one error is returned once
		}
		return err
	}
	var failed []error
	for k := range parts {
		failed = append(failed, i.commit(ctx, from, parts[k:k+1]))
	}
	return errors.Join(failed...)
}

func (i *ingester) tryCommit(ctx context.Context, from *files.Files, parts []*ingested) error {
	var inputs []hunt.Input
	for _, r := range parts {
		inputs = append(inputs, hunt.Input{Name: r.Part, Digest: r.digest})
	}
	w, err := i.into.Begin(ctx, inputs...)
	if err != nil {
		return err
	}
	defer w.Abort()
	counted, err := scan(ctx, from, parts, w)
	if err != nil {
		return err
	}
	if err := w.Commit(counted...); err != nil {
		return err
	}
	rows, duplicates := w.Written()
	for _, c := range counted {
		i.report.Records += c.Records
		i.report.Rejected += c.Rejected
	}
	i.report.Rows += rows
	i.report.Duplicates += duplicates
	return nil
}

// scan maps the parts on all processors and appends their rows as they come.
func scan(ctx context.Context, from *files.Files, parts []*ingested, w hunt.SinkWriter) ([]hunt.Counts, error) {
	var mu sync.Mutex
	add := func(s *hunt.Stream, rec arrow.RecordBatch) error {
		mu.Lock()
		defer mu.Unlock()
		return w.Append(s, rec)
	}
	counted := make([]hunt.Counts, len(parts))
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for k, r := range parts {
		work.Go(func() error {
			counts, err := from.Scan(ctx, r.Part, add)
			r.Records, r.Rejected, r.Rows = counts.Records, counts.Rejected, counts.Rows
			counted[k] = hunt.Counts{Records: counts.Records, Rejected: counts.Rejected}
			return err
		})
	}
	return counted, work.Wait()
}

func (p *program) printIngested(r *ingestReport) {
	if !p.tty {
		line, _ := jsonLine(r) // numbers and texts always encode
		fmt.Fprintln(p.stdout, line)
		return
	}
	t := p.table()
	t.AppendHeader(table.Row{"part", "state", "records", "rows", "rejected"})
	for _, part := range r.Parts {
		t.AppendRow(table.Row{clean(part.Part), p.paint(part.State, part.State != "FAILED"), part.Records, part.Rows, part.Rejected})
	}
	t.Render()
	fmt.Fprintf(p.stdout, "%d records in: %d new rows, %d duplicates, %d rejected\n", r.Records, r.Rows, r.Duplicates, r.Rejected)
}
