package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/bench/hunts"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
)

var update = flag.Bool("update", false, "write the numbers of rows that the forty hunts find")

// opener makes connections that hold the demo's telemetry, which is in the folder data: in this process, and in one of its own.
type opener func(t *testing.T, data string) []hunt.Connector

// forms are the ways to hold the same events. Each must answer the forty hunts with the same rows.
func forms() map[string]opener {
	return map[string]opener{
		"memory": func(t *testing.T, data string) []hunt.Connector {
			plugin := fmt.Sprintf("connector: plugin, process: {path: %q, args: [memory-plugin, %q]}", os.Args[0], data)
			return []hunt.Connector{inMemory(t, data), openConfigured(t, configuration(t, plugin))}
		},
		"files": func(t *testing.T, data string) []hunt.Connector {
			return []hunt.Connector{inFiles(t, data), openConfigured(t, configuration(t, fmt.Sprintf("connector: files, isolation: process, settings: {path: %q}", data)))}
		},
		"lake": func(t *testing.T, data string) []hunt.Connector {
			return throughIngest(t, "connector: lake%s, settings: {path: lake}", data)
		},
		"opensearch":    inNode(node.OpenSearch),
		"elasticsearch": inNode(node.Elasticsearch),
	}
}

// inNode loads a search node of its own.
func inNode(product node.Product) opener {
	return func(t *testing.T, data string) []hunt.Connector {
		n := nodetest.Start(t, node.Options{Product: product, HeapMB: 768})
		return throughIngest(t, fmt.Sprintf("connector: elastic%%s, settings: {urls: [%q]}", n.URL()), data)
	}
}

func inFiles(t *testing.T, data string) hunt.Connector {
	t.Helper()
	c, err := openFolder(t.Context(), identity(demoTenant), data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func openFolder(ctx context.Context, id hunt.Identity, data string) (*files.Files, error) {
	set, err := loadMappings(defaultConfig())
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, id, files.Config{Path: data}, files.Options{Mappings: set})
}

func inMemory(t *testing.T, data string) hunt.Connector {
	t.Helper()
	c, err := loadMemory(t.Context(), identity(demoTenant), data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// loadMemory maps a folder into memory.
func loadMemory(ctx context.Context, id hunt.Identity, data string) (hunt.Connector, error) {
	from, err := openFolder(ctx, id, data)
	if err != nil {
		return nil, err
	}
	into := memory.Open(id)
	for _, part := range from.Parts() {
		if _, err := from.Scan(ctx, part.Name, into.Append); err != nil {
			return nil, errors.Join(err, from.Close())
		}
	}
	return into, from.Close()
}

// throughIngest writes the telemetry to a connection of a configuration and opens it in both ways; %s in connection is where the
// isolation is said.
func throughIngest(t *testing.T, connection, data string) []hunt.Connector {
	t.Helper()
	conf := configuration(t, fmt.Sprintf(connection, ""))
	if status, _, errs := run(t, "ingest", "-c", conf, "--into", "demo", data); status != 0 {
		t.Fatalf("ingest: %s", errs)
	}
	apart := write(t, filepath.Dir(conf), "apart.yaml", connections(fmt.Sprintf(connection, ", isolation: process")))
	return []hunt.Connector{openConfigured(t, conf), openConfigured(t, apart)}
}

func configuration(t *testing.T, connection string) string {
	t.Helper()
	return write(t, t.TempDir(), "harrier.yaml", connections(connection))
}

func connections(connection string) string {
	return "connections:\n- {name: demo, tenant: demo, " + connection + "}\n"
}

// openConfigured opens the connection of a configuration as the gateway does.
func openConfigured(t *testing.T, conf string) hunt.Connector {
	t.Helper()
	cfg, err := loadConfig(conf)
	if err != nil {
		t.Fatal(err)
	}
	set, err := loadMappings(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := cfg.opener(&cfg.Connections[0], set, zerolog.New(zerolog.NewTestWriter(t)))(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestFortyHunts asks the same hunts of every form. They give the same rows, and as many as the file says.
func TestFortyHunts(t *testing.T) {
	list, err := hunts.All()
	if err != nil || len(list) != 40 {
		t.Fatalf("%d hunts, %v", len(list), err)
	}
	data := t.TempDir()
	if _, err := demo.Write(t.Context(), data, demo.DefaultOptions(), nil); err != nil {
		t.Fatal(err)
	}
	reference := answers(t, inMemory(t, data), list)
	if *update {
		rewrite(t, list, reference)
	}
	for i, h := range list {
		if len(reference[i]) != h.Rows {
			t.Errorf("%s: %d rows, want %d", h.Name, len(reference[i]), h.Rows)
		}
	}
	for name, open := range forms() {
		t.Run(name, func(t *testing.T) {
			for n, c := range open(t, data) {
				for i, got := range answers(t, c, list) {
					if !slices.Equal(got, reference[i]) {
						t.Errorf("%s, %s: %s", []string{"in this process", "in its own process"}[n], list[i].Name, differ(got, reference[i]))
					}
				}
			}
		})
	}
}

// differ says in what two lists of uids differ.
func differ(got, want []string) string {
	extra := slices.DeleteFunc(slices.Clone(got), func(u string) bool { return slices.Contains(want, u) })
	lost := slices.DeleteFunc(slices.Clone(want), func(u string) bool { return slices.Contains(got, u) })
	if len(extra)+len(lost) == 0 {
		return "the rows are the same in another order"
	}
	return fmt.Sprintf("%d rows instead of %d: %d missing, %d too many, the first %.3q %.3q", len(got), len(want), len(lost), len(extra), lost, extra)
}

// answers asks the hunts of one connection through GraphQL and returns the uids of each. The connection is closed at the end.
func answers(t *testing.T, c hunt.Connector, list []hunts.Hunt) [][]string {
	t.Helper()
	engine := &exec.Engine{Connections: []exec.Connection{opened("test", identity(demoTenant), c)}}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	g := newGateway(engine, []byte("key"), access.NewTokens())
	out := make([][]string, len(list))
	for i := range list {
		out[i] = answerOf(t, g, &list[i])
	}
	return out
}

// answerOf reads the whole answer of a hunt, page by page.
func answerOf(t *testing.T, g *gateway, h *hunts.Hunt) []string {
	t.Helper()
	class := h.Class()
	if class == nil {
		t.Fatalf("%s: no root field %s", h.Name, h.Root)
	}
	order := h.Order
	if order == "" {
		order = "TIME_ASC"
	}
	doc := fmt.Sprintf(`query($where: %sFilter, $after: String) { %s(timeRange: {start: "2000-01-01T00:00:00Z", end: "2100-01-01T00:00:00Z"}, where: $where, orderBy: %s, first: 1000, after: $after) {
		nodes { uid } pageInfo { hasNextPage endCursor } coverage { complete connections { state error { code message } } } } }`, class.Type, class.Root, order)
	var out []string
	for vars := map[string]any{"where": plain(t, h.Where)}; ; {
		resp, err := graph.Execute(t.Context(), graph.NewExecutor(g.resolver), &access.Principal{Name: "test", Tenants: []string{demoTenant}}, &graphql.RawParams{Query: doc, Variables: vars})
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		p, err := decode[paged](resp, class.Root)
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		for _, n := range p.Nodes {
			out = append(out, n.UID)
		}
		if !p.PageInfo.HasNextPage {
			return out
		}
		vars["after"] = *p.PageInfo.EndCursor
	}
}

// plain makes of YAML values what a client would have sent as JSON.
func plain(t *testing.T, v any) any {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := decodeNumbers(raw)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// rewrite puts the numbers of rows into the file of the hunts.
func rewrite(t *testing.T, list []hunts.Hunt, found [][]string) {
	t.Helper()
	file := filepath.Join("bench", "hunts", "hunts.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i, h := range list {
		line := regexp.MustCompile(`(?m)(\{name: ` + regexp.QuoteMeta(h.Name) + `, root: \w+, rows: )\d+`)
		text = line.ReplaceAll(text, fmt.Appendf(nil, "${1}%d", len(found[i])))
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// decodeNumbers decodes JSON as the HTTP transport does: numbers stay as they are written.
func decodeNumbers(raw []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var out any
	err := d.Decode(&out)
	return out, err
}
