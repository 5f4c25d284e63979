package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

type ingestCmd struct {
	Config string   `short:"c" help:"Configuration file." default:"harrier.yaml" placeholder:"FILE"`
	Into   string   `help:"Connection to write to: the name of a lake, or tenant/name." required:"" placeholder:"CONNECTION"`
	Paths  []string `arg:"" help:"Folders of native logs." placeholder:"DIR"`
}

// Help shows examples.
func (ingestCmd) Help() string {
	return `A file is ingested exactly once: a second run skips it. A damaged file is not ingested at all, and the others are.

Examples:
  harrier ingest -c harrier.yaml --into acme/lake ./logs
`
}

// Run reads the folders into the lake.
func (i ingestCmd) Run(p *program) error {
	cfg, err := loadConfig(i.Config)
	if err != nil {
		return err
	}
	id, lakeCfg, err := i.target(cfg)
	if err != nil {
		return err
	}
	set, err := loadMappings(cfg)
	if err != nil {
		return err
	}
	into, err := lake.Open(p.ctx, id, lakeCfg)
	if err != nil {
		return err
	}
	var reports []ingested
	var failed []error
	for _, dir := range i.Paths {
		r, err := ingest(p.ctx, into, set, id, dir, p)
		reports = append(reports, r...)
		failed = append(failed, err)
	}
	failed = append(failed, into.Close())
	p.printIngested(reports)
	return errors.Join(failed...)
}

// target finds the lake connection that --into names.
func (i ingestCmd) target(cfg *Config) (hunt.Identity, lake.Config, error) {
	for k := range cfg.Connections {
		n := &cfg.Connections[k]
		if n.Name != i.Into && n.Tenant+"/"+n.Name != i.Into {
			continue
		}
		if n.Connector != "lake" {
			return hunt.Identity{}, lake.Config{}, configError(cfg.file, "line %d: %s is a %s connection; only a lake can be written to", n.line, i.Into, n.Connector)
		}
		var c lake.Config
		if err := cfg.decoder(n)(&c); err != nil {
			return hunt.Identity{}, lake.Config{}, err
		}
		c.Path = cfg.path(c.Path)
		return hunt.Identity{Tenant: n.Tenant, Connection: n.Name}, c, nil
	}
	return hunt.Identity{}, lake.Config{}, configError(cfg.file, "no connection %q", i.Into)
}

// ingested is what became of one part of a folder.
type ingested struct {
	Part       string `json:"part"`
	State      string `json:"state"` // INGESTED, SKIPPED (was there already), FAILED
	Records    int64  `json:"records"`
	Rows       int64  `json:"rows"`
	Duplicates int64  `json:"duplicates"`
	Rejected   int64  `json:"rejected"`
	Error      string `json:"error,omitempty"`
}

// ingest reads the parts of a folder into a lake, one commit each. Parts that fail leave nothing behind; the error names them.
func ingest(ctx context.Context, into *lake.Lake, set *mapping.Set, id hunt.Identity, dir string, p *program) ([]ingested, error) {
	bar := p.progress("reading " + dir)
	defer bar.finish()
	from, err := files.Open(ctx, id, files.Config{Path: dir, CacheBytes: 1}, set, bar.set)
	if err != nil {
		return nil, err
	}
	defer from.Close() //nolint:errcheck // reading only: nothing is lost
	var out []ingested
	var failed []error
	for _, part := range from.Parts() {
		r, err := ingestPart(ctx, into, from, part)
		if err != nil {
			r.State, r.Error = "FAILED", err.Error()
			failed = append(failed, err)
		}
		out = append(out, r)
	}
	return out, errors.Join(failed...)
}

func ingestPart(ctx context.Context, into *lake.Lake, from *files.Files, part files.Part) (ingested, error) {
	r := ingested{Part: part.Name, State: "INGESTED"}
	w, err := into.Begin(ctx, lake.Input{Name: part.Name, Digest: part.Digest})
	if errors.Is(err, lake.ErrIngested) {
		r.State = "SKIPPED"
		return r, nil
	}
	if err != nil {
		return r, err
	}
	defer w.Abort()
	counts, err := from.Scan(ctx, part.Name, func(s *hunt.Stream, rec arrow.RecordBatch) error { return w.Append(s, rec) })
	if err != nil {
		return r, err
	}
	if err := w.Commit(lake.Counts{Records: counts.Records, Rejected: counts.Rejected}); err != nil {
		return r, err
	}
	r.Records, r.Rejected = counts.Records, counts.Rejected
	r.Rows, r.Duplicates = w.Written()
	return r, nil
}

func (p *program) printIngested(list []ingested) {
	if !p.tty {
		p.printJSONLines(list)
		return
	}
	t := p.table()
	t.AppendHeader(table.Row{"part", "state", "records", "rows", "duplicates", "rejected"})
	for _, r := range list {
		t.AppendRow(table.Row{clean(r.Part), p.paint(r.State, r.State != "FAILED"), r.Records, r.Rows, r.Duplicates, r.Rejected})
	}
	t.Render()
}

func (p *program) printJSONLines(list []ingested) {
	for _, r := range list {
		raw, _ := jsonLine(r)
		fmt.Fprintln(p.stdout, raw)
	}
}
