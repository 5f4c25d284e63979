package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/jedib0t/go-pretty/v6/table"

	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

type mappingCheckCmd struct {
	File    string   `arg:"" help:"Mapping file, or the name of a built-in mapping." placeholder:"FILE"`
	Samples []string `arg:"" help:"Files or folders of sample records." placeholder:"SAMPLE"`
}

// Help shows examples.
func (mappingCheckCmd) Help() string {
	return "Reports which records the mapping takes, which columns it fills, which native fields no column holds, and what is rejected.\n\nExamples:\n  harrier mapping check my.yaml ./samples\n  harrier mapping check zeek conn.log dns.log\n"
}

// checkReport is what a mapping does with sample records.
type checkReport struct {
	Mapping  string           `json:"mapping"`
	Records  int64            `json:"records"`
	Rejected int64            `json:"rejected"` // not decoded, or taken by no rule
	Classes  []*classReport   `json:"classes"`
	Unmapped map[string]int64 `json:"unmapped"` // native field -> records that have it
	Notes    []string         `json:"notes"`
}

// classReport is what came out as one class.
type classReport struct {
	Class   string           `json:"class"`
	Rows    int64            `json:"rows"`
	Untimed int64            `json:"untimed"`
	Columns map[string]int64 `json:"columns"` // column -> rows that have a value
}

// Run checks the mapping.
func (c mappingCheckCmd) Run(p *program) error {
	set, name, err := checkedSet(c.File)
	if err != nil {
		return err
	}
	report := &checkReport{Mapping: name, Unmapped: map[string]int64{}, Notes: []string{}, Classes: []*classReport{}}
	for _, sample := range c.Samples {
		if err := report.read(p.ctx, set, sample); err != nil {
			return err
		}
	}
	return p.printCheck(report)
}

// checkedSet compiles the one mapping that is checked.
func checkedSet(file string) (*mapping.Set, string, error) {
	all, err := mapping.Builtin()
	if err != nil {
		return nil, "", err
	}
	if m := all.Mapping(file); m != nil {
		set, err := all.Only(file)
		return set, file, err
	}
	f, err := readMapping(file)
	if err != nil {
		return nil, "", err
	}
	set, err := mapping.Compile(f)
	return set, f.Mapping, err
}

func (r *checkReport) read(ctx context.Context, set *mapping.Set, sample string) error {
	from, err := files.Open(ctx, hunt.Identity{Tenant: localTenant, Connection: localTenant}, files.Config{Path: sample, CacheBytes: 1}, files.Options{Mappings: set})
	if err != nil {
		return err
	}
	defer from.Close() //nolint:errcheck // reading only: nothing is lost
	desc, err := from.Describe(ctx)
	if err != nil {
		return err
	}
	r.Notes = append(r.Notes, desc.Notes...)
	for _, part := range from.Parts() {
		counts, err := from.Scan(ctx, part.Name, func(s *hunt.Stream, rec arrow.RecordBatch) error { r.add(s.Class, rec); return nil })
		var damaged *hunt.Error
		if errors.As(err, &damaged) {
			r.Notes = append(r.Notes, damaged.Error())
		} else if err != nil {
			return err
		}
		r.Records += counts.Records
		r.Rejected += counts.Rejected
	}
	return nil
}

func (r *checkReport) add(class *ocsf.Class, rec arrow.RecordBatch) {
	at := slices.IndexFunc(r.Classes, func(c *classReport) bool { return c.Class == class.Name })
	if at < 0 {
		at = len(r.Classes)
		r.Classes = append(r.Classes, &classReport{Class: class.Name, Columns: map[string]int64{}})
	}
	c := r.Classes[at]
	c.Rows += rec.NumRows()
	for i, f := range rec.Schema().Fields() {
		filled := rec.NumRows() - int64(rec.Column(i).NullN())
		switch f.Name {
		case ocsf.ColTime:
			c.Untimed += rec.NumRows() - filled
		case ocsf.ColUnmapped:
			r.unmapped(rec.Column(i).(*array.String))
		case ocsf.ColRaw, ocsf.ColUID:
		default:
			if filled > 0 {
				c.Columns[f.Name] += filled
			}
		}
	}
}

func (r *checkReport) unmapped(col *array.String) {
	for i := range col.Len() {
		var fields map[string]json.RawMessage
		if col.IsValid(i) && json.Unmarshal([]byte(col.Value(i)), &fields) == nil {
			for name := range fields {
				r.Unmapped[name]++
			}
		}
	}
}

func (p *program) printCheck(r *checkReport) error {
	if !p.tty {
		line, err := jsonLine(r)
		fmt.Fprintln(p.stdout, line)
		return err
	}
	fmt.Fprintf(p.stdout, "%s: %d records, %d rejected\n", r.Mapping, r.Records, r.Rejected)
	t := p.table()
	t.AppendHeader(table.Row{"class", "rows", "without time", "column", "filled"})
	for _, c := range r.Classes {
		for _, name := range slices.Sorted(maps.Keys(c.Columns)) {
			t.AppendRow(table.Row{c.Class, c.Rows, c.Untimed, name, fmt.Sprintf("%.1f %%", 100*float64(c.Columns[name])/float64(c.Rows))})
		}
		t.AppendSeparator()
	}
	t.Render()
	t = p.table()
	t.AppendHeader(table.Row{"native field that no column holds", "records"})
	names := slices.SortedFunc(maps.Keys(r.Unmapped), func(a, b string) int {
		return cmp.Or(cmp.Compare(r.Unmapped[b], r.Unmapped[a]), cmp.Compare(a, b))
	})
	for _, n := range names {
		t.AppendRow(table.Row{clean(n), r.Unmapped[n]})
	}
	t.Render()
	for _, n := range r.Notes {
		fmt.Fprintln(p.stdout, clean(n))
	}
	return nil
}
