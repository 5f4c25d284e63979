package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/graph/transport"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// localFlags say which sources a command asks.
type localFlags struct {
	Config string `short:"c" help:"Configuration file with the connections to ask." placeholder:"FILE" xor:"sources"`
	Data   string `help:"Folder of native logs to ask in place, instead of a configuration." placeholder:"DIR" xor:"sources"`
}

// localTenant is the tenant and the connection of --data.
const localTenant = "local"

// open opens the sources and a principal that sees all their tenants: who may run the command may read the files.
func (f localFlags) open(p *program) (*gateway, *access.Principal, error) {
	log, err := p.logger("warn")
	if err != nil {
		return nil, nil, err
	}
	if f.Data == "" {
		return f.openConfig(p.ctx, log)
	}
	set, err := loadMappings(defaultConfig())
	if err != nil {
		return nil, nil, err
	}
	bar := p.progress("reading " + f.Data)
	id := hunt.Identity{Tenant: localTenant, Connection: localTenant}
	conn, err := files.Open(p.ctx, id, files.Config{Path: f.Data}, files.Options{Mappings: set, Progress: bar.set})
	bar.finish()
	if err != nil {
		return nil, nil, err
	}
	engine := &exec.Engine{Connections: []exec.Connection{opened("files", id, conn)}}
	return newGateway(engine, []byte(access.NewToken()), access.NewTokens()), &access.Principal{Name: "command", Tenants: []string{localTenant}}, nil
}

func (f localFlags) openConfig(ctx context.Context, log zerolog.Logger) (*gateway, *access.Principal, error) {
	name := f.Config
	if name == "" {
		name = "harrier.yaml"
	}
	cfg, err := loadConfig(name)
	if err != nil {
		return nil, nil, err
	}
	g, err := openGateway(ctx, cfg, log)
	if err != nil {
		return nil, nil, err
	}
	who := &access.Principal{Name: "command"}
	for _, c := range cfg.Connections {
		if !slices.Contains(who.Tenants, c.Tenant) {
			who.Tenants = append(who.Tenants, c.Tenant)
		}
	}
	return g, who, nil
}

// huntFlags say what to look for.
type huntFlags struct {
	localFlags
	Class  string   `arg:"" help:"Root field of the class, such as processActivities." placeholder:"CLASS"`
	Where  string   `short:"w" help:"Condition as JSON, as the argument where of the API." default:"{}" placeholder:"JSON"`
	Last   string   `help:"The time from this long ago until now, such as P7D." placeholder:"DURATION"`
	Start  string   `help:"First instant, RFC 3339." placeholder:"INSTANT"`
	End    string   `help:"End of the range, RFC 3339." placeholder:"INSTANT"`
	Tenant []string `help:"Tenants to search." placeholder:"NAME"`
	Newest bool     `help:"Newest first."`
}

// class returns the class of a root field.
func (f huntFlags) class() (*ocsf.Class, error) {
	if c := ocsf.ByRoot(f.Class); c != nil {
		return c, nil
	}
	var names []string
	for _, c := range ocsf.Classes() {
		names = append(names, c.Root)
	}
	return nil, fmt.Errorf("no class %q; there are %s", f.Class, strings.Join(names, ", "))
}

// variables are those of the documents below.
func (f huntFlags) variables(class *ocsf.Class) (map[string]any, error) {
	where, err := transport.DecodeObject([]byte(f.Where))
	if err != nil {
		return nil, fmt.Errorf("--where is no JSON object: %w", err)
	}
	timeRange := map[string]any{}
	for name, v := range map[string]string{"last": f.Last, "start": f.Start, "end": f.End} {
		if v != "" {
			timeRange[name] = v
		}
	}
	order := "TIME_ASC"
	if f.Newest {
		order = "TIME_DESC"
	}
	event := map[string]any{class.Root: where}
	in := map[string]any{"timeRange": timeRange, "orderBy": order, "match": map[string]any{"steps": []any{map[string]any{"as": "events", "event": event}}}}
	if len(f.Tenant) > 0 {
		in["tenants"] = anys(f.Tenant)
	}
	return map[string]any{"input": in}, nil
}

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

type huntCmd struct {
	huntFlags
	First  int      `help:"Events to print, at most 10000." default:"50"`
	Fields []string `short:"f" help:"Columns to print, as GraphQL names; a choice for the class by default." placeholder:"NAME"`
}

// Help shows examples.
func (huntCmd) Help() string {
	return `Exit status: 0 the answer is complete, 3 not everything was searched, 1 it failed.

Examples:
  harrier hunt processActivities --data ./logs --last P7D -w '{"process": {"cmdLine": {"contains": "-enc"}}}'
  harrier hunt networkActivities -c harrier.yaml --last PT2H -w '{"dstEndpoint": {"ip": {"cidr": "203.0.113.0/24"}}}' -f time -f srcEndpoint.ip
`
}

// Run runs the hunt: a table on a terminal, the API's JSON otherwise.
func (h huntCmd) Run(p *program) error {
	class, err := h.class()
	if err != nil {
		return err
	}
	vars, err := h.variables(class)
	if err != nil {
		return err
	}
	fields := h.Fields
	if len(fields) == 0 {
		fields = defaultFields(class)
	}
	vars["first"] = h.First
	g, who, err := h.open(p)
	if err != nil {
		return err
	}
	defer g.close(zerolog.Nop())
	resp, err := graph.Execute(p.ctx, graph.NewExecutor(g.resolver), who, &graphql.RawParams{Query: huntDocument(class, fields), Variables: vars})
	if err != nil {
		return err
	}
	return p.printAnswer(resp, "hunt", fields)
}

// huntDocument selects fields of the events of a class, with the whole coverage.
func huntDocument(class *ocsf.Class, fields []string) string {
	return "query($input: HuntInput!, $first: Int!) { hunt(input: $input, first: $first) {\n  nodes { ... on " + class.Type + " " + selectionOf(fields) + " }\n" + coverageSelection + "} }"
}

const coverageSelection = `  pageInfo { hasNextPage endCursor }
  totalCount { value accuracy }
  coverage { verdict complete timeRange { start end } connections { tenant connection stream state reason missing rowsScanned rowsReturned duplicates untimed nulled nulledFirst rejected partsFailed truncated notes tookMs error { code message } } }
`

// selectionOf writes dotted names as a GraphQL selection.
func selectionOf(names []string) string {
	var heads []string
	below := map[string][]string{}
	for _, n := range names {
		head, rest, deep := strings.Cut(n, ".")
		if !slices.Contains(heads, head) {
			heads = append(heads, head)
		}
		if deep {
			below[head] = append(below[head], rest)
		}
	}
	for i, h := range heads {
		if len(below[h]) > 0 {
			heads[i] = h + " " + selectionOf(below[h])
		}
	}
	return "{ " + strings.Join(heads, " ") + " }"
}

// defaultFields is what a person wants to see first of a class.
func defaultFields(class *ocsf.Class) []string {
	wanted := []string{"time", "device.hostname", "actor.user.name", "user.name", "process.name", "process.cmdLine", "script.scriptContent.value", "file.path",
		"regKey.path", "regValue.path", "regValue.name", "srcEndpoint.ip", "dstEndpoint.ip", "dstEndpoint.port", "query.hostname", "api.operation", "winService.name",
		"job.name", "module.file.path", "httpRequest.url.urlString", "findingInfo.title", "share", "status", "message"}
	out := slices.DeleteFunc(wanted, func(n string) bool { return class.ByGraphQL(n) == nil })
	return out[:min(len(out), 8)]
}

type explainCmd struct{ huntFlags }

// Help shows examples.
func (explainCmd) Help() string {
	return "Examples:\n  harrier explain processActivities --data ./logs --last P7D -w '{\"process\": {\"name\": {\"eq\": \"cmd.exe\"}}}'\n"
}

// Run prints the plan.
func (e explainCmd) Run(p *program) error {
	class, err := e.class()
	if err != nil {
		return err
	}
	vars, err := e.variables(class)
	if err != nil {
		return err
	}
	g, who, err := e.open(p)
	if err != nil {
		return err
	}
	defer g.close(zerolog.Nop())
	doc := "query($input: HuntInput!) { explainHunt(input: $input) { text where timeRange { start end } steps { tenant connection stream state reason missing native residual dispositions { predicate disposition reason } error { code message } } } }"
	resp, err := graph.Execute(p.ctx, graph.NewExecutor(g.resolver), who, &graphql.RawParams{Query: doc, Variables: vars})
	if err != nil {
		return err
	}
	return p.printPlan(resp)
}

type sourcesCmd struct {
	localFlags
	Provides bool `help:"Print how exactly each stream can be asked for each of its attributes."`
}

// Help shows examples.
func (sourcesCmd) Help() string {
	return "Examples:\n  harrier sources -c harrier.yaml\n  harrier sources --data ./logs\n  harrier sources -c harrier.yaml --provides\n"
}

// Run lists the sources.
func (s sourcesCmd) Run(p *program) error {
	g, who, err := s.open(p)
	if err != nil {
		return err
	}
	defer g.close(zerolog.Nop())
	doc := "{ sources { tenant connection connector version backend state healthy error { code message } notes denied { action object message } clockSkewMs " +
		"health { lastSuccess lastErrorAt lastError { code message } failures retryAt throttledUntil running searches retries rows } " +
		"limits { scope key concurrent searches perMs } quota { name left of resets } plugin { name version digest protocol restarts confined egress } " +
		"streams { name class rows untimed timeRange { start end } retention watermark lagMs attributes"
	if s.Provides {
		doc += " provides { path operators { operator caseSensitive disposition reason } }"
	}
	resp, err := graph.Execute(p.ctx, graph.NewExecutor(g.resolver), who, &graphql.RawParams{Query: doc + " } } }"})
	if err != nil {
		return err
	}
	return p.printSources(resp)
}

// exists says whether a folder is there; commands say so before they start long work.
func exists(dir string) bool {
	info, err := os.Stat(filepath.Clean(dir))
	return err == nil && info.IsDir()
}
