package bench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/harrier-xdr/harrier/bench/hunts"
	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/hunt"

	"github.com/harrier-xdr/harrier/access"
)

// form is one way to hold the demo's telemetry.
type form struct {
	name string
	kind string
	conn hunt.Connector
	of   string // the same in this process, "" if it is that
}

// BenchmarkForty asks the forty hunts of every form, in this process and in one of its own, checks that the rows are the same, and
// prints the time that all forty take.
func BenchmarkForty(b *testing.B) {
	list := fortyHunts(b)
	data := b.TempDir()
	if _, err := demo.Write(b.Context(), data, demo.DefaultOptions(), nil); err != nil {
		b.Fatal(err)
	}
	forms, notes := openForms(b, data)
	askForms(b, forms, list, func(h *fortyHunt, f *field) error {
		if f.PageInfo.HasNextPage || len(f.Nodes) != h.Rows {
			return fmt.Errorf("%d rows (more: %t), the hunt wants %d", len(f.Nodes), f.PageInfo.HasNextPage, h.Rows)
		}
		return nil
	}, notes...)
}

// BenchmarkFortyLarge asks the forty hunts of a lake of a million events, in this process and in one of its own: what a process costs where
// hunts have something to do. It needs the benchmark events.
func BenchmarkFortyLarge(b *testing.B) {
	w := openWorld(b)
	forms := []form{{name: "lake", kind: "lake", conn: w.lake}, apart(b, buildProgram(b), "lake", "lake", fmt.Sprintf("path: %q", w.dir))}
	askForms(b, forms, fortyHunts(b), func(*fortyHunt, *field) error { return nil }, "A million events; a hunt that finds more than a page ends with it.")
}

// askForms checks that all forms give the same rows in the same order, and those that right wants, and takes the time of all hunts in turn.
func askForms(b *testing.B, forms []form, list []fortyHunt, right func(*fortyHunt, *field) error, notes ...string) {
	b.Helper()
	var turns []*turn
	var reference [][]string
	rows := 0
	for _, f := range forms {
		api := inProcess{newAPI(f.kind, f.conn), &access.Principal{Name: "bench", Tenants: []string{identity().Tenant}}}
		found, err := uidsOf(b.Context(), api, list, right)
		if err != nil {
			b.Fatalf("%s: %v", f.name, err)
		}
		if reference == nil {
			reference = found
			for _, uids := range found {
				rows += len(uids)
			}
		}
		for i := range list {
			if !slices.Equal(found[i], reference[i]) {
				b.Fatalf("%s: %s: %d rows, others than the %d of %s", f.name, list[i].Name, len(found[i]), len(reference[i]), forms[0].name)
			}
		}
		t := &turn{name: f.name, against: f.of, run: whole(func(ctx context.Context) error { return askAll(ctx, api, list) })}
		if f.of != "" {
			t.target = "<= 1.1"
		}
		turns = append(turns, t)
	}
	inTurn(b, rows, turns, append(notes, "Each figure is the sum of forty hunts; the rows of all forms are the same, in the same order.")...)
}

// openForms opens the forms that can be had here; notes say which cannot.
func openForms(b *testing.B, data string) (forms []form, notes []string) {
	b.Helper()
	ctx, program := b.Context(), buildProgram(b)
	from, err := openFiles(ctx, data, 0)
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, from)
	held := inMemory(b, from)
	closeAtEnd(b, held)
	dir := b.TempDir()
	stored, err := lake.Open(ctx, identity(), lake.Config{Path: dir})
	if err != nil {
		b.Fatal(err)
	}
	closeAtEnd(b, stored)
	if err := ingestFolder(ctx, stored, data); err != nil {
		b.Fatal(err)
	}
	forms = []form{{name: "memory", kind: "memory", conn: held}, {name: "files", kind: "files", conn: from}, apart(b, program, "files", "files", fmt.Sprintf("path: %q", data)),
		{name: "lake", kind: "lake", conn: stored}, apart(b, program, "lake", "lake", fmt.Sprintf("path: %q", dir))}
	for _, product := range []node.Product{node.OpenSearch, node.Elasticsearch} {
		url, why := startNode(b, product, 768)
		if why != nil {
			notes = append(notes, fmt.Sprintf("%s is left out: %v", product, why))
			continue
		}
		e := openElastic(b, elastic.Config{URLs: []string{url}})
		if err := ingestFolder(ctx, e, data); err != nil {
			b.Fatal(err)
		}
		forms = append(forms, form{name: string(product), kind: "elastic", conn: e}, apart(b, program, string(product), "elastic", fmt.Sprintf("urls: [%q]", url)))
	}
	return forms, notes
}

// apart opens a connector in a process of its own, as another form of what is called of.
func apart(b *testing.B, program, of, connector, settings string) form {
	b.Helper()
	return form{name: of + ", own process", kind: connector, conn: openApart(b, program, connector, settings), of: of}
}

func inMemory(b *testing.B, from *files.Files) *memory.Memory {
	b.Helper()
	held := memory.Open(identity())
	for _, part := range from.Parts() {
		if _, err := from.Scan(b.Context(), part.Name, held.Append); err != nil {
			b.Fatal(err)
		}
	}
	return held
}

// fortyHunt is a hunt as a client sends it.
type fortyHunt struct {
	hunts.Hunt
	query     string
	variables map[string]any
}

func fortyHunts(b *testing.B) []fortyHunt {
	b.Helper()
	list, err := hunts.All()
	if err != nil {
		b.Fatal(err)
	}
	out := make([]fortyHunt, len(list))
	for i, h := range list {
		if h.Order == "" {
			h.Order = "TIME_ASC"
		}
		where, err := plainJSON(h.Where)
		if err != nil || h.Class() == nil {
			b.Fatalf("%s: %v", h.Name, err)
		}
		out[i] = fortyHunt{Hunt: h, variables: object("where", where), query: fmt.Sprintf(`query($where: %sFilter) {
  %s(timeRange: {start: %q, end: %q}, where: $where, orderBy: %s, first: %d) {
    nodes { uid time metadata { eventCode logName } } pageInfo { hasNextPage } coverage { complete verdict }
  }
}`, h.Class().Type, h.Root, allStart, allEnd, h.Order, largest)}
	}
	return out
}

// plainJSON makes of YAML values what a client would have sent as JSON.
func plainJSON(v any) (out any, err error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return out, d.Decode(&out)
}

// askAll asks the hunts one after the other. Reading the answers is left to the caller.
func askAll(ctx context.Context, a asker, list []fortyHunt) error {
	for i := range list {
		if _, err := a.ask(ctx, list[i].query, list[i].variables); err != nil {
			return fmt.Errorf("%s: %w", list[i].Name, err)
		}
	}
	return nil
}

// uidsOf reads the events of each hunt, in order, and has them checked.
func uidsOf(ctx context.Context, a asker, list []fortyHunt, right func(*fortyHunt, *field) error) ([][]string, error) {
	out := make([][]string, len(list))
	for i := range list {
		data, err := a.ask(ctx, list[i].query, list[i].variables)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].Name, err)
		}
		var r reply
		if err := json.Unmarshal(data, &r); err != nil {
			return nil, err
		}
		field := r[list[i].Root]
		if err := right(&list[i], &field); err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].Name, err)
		}
		for _, n := range field.Nodes {
			out[i] = append(out[i], n.UID)
		}
	}
	return out, nil
}
