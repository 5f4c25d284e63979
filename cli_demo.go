package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/files"
	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

type demoCmd struct {
	Data      string `help:"Folder of native logs to show instead of generated ones." placeholder:"DIR"`
	Through   string `help:"Connector to show the logs through: files, lake or elastic, which starts a search node of its own. Without it --data is read in place, and generated endpoint and network logs go into a lake." enum:",files,lake,elastic" default:"" placeholder:"CONNECTOR"`
	Node      string `help:"Product of the search node of --through elastic." enum:"opensearch,elasticsearch,opensearch3,elasticsearch9" default:"opensearch"`
	Listen    string `help:"Address to listen on." default:"127.0.0.1:8080" placeholder:"HOST:PORT"`
	Once      bool   `help:"Print and exit instead of serving."`
	ReadyJSON bool   `help:"Print one JSON line {url, token, tenant} when everything can be searched, and nothing else."`
	Seed      uint64 `help:"Seed of the generated telemetry." default:"1"`
	Days      int    `help:"Days of generated telemetry." default:"3"`
	Events    int    `help:"Generated events." default:"20000"`
}

// demoTenant is the tenant of the demo, and the connection of --data whatever it is shown through.
const demoTenant = "demo"

// Help shows examples.
func (demoCmd) Help() string {
	return `Without --data, telemetry of a small company with one intrusion in it is generated: endpoint and network logs go into a lake (or where
--through says), cloud and identity logs are read in place.

Examples:
  harrier demo
  harrier demo --once
  harrier demo --through elastic --node opensearch3
  harrier demo --data ./logs --through lake
  harrier demo --data ./logs --through elastic --node elasticsearch
  harrier demo --data ./logs --listen 127.0.0.1:0 --ready-json
`
}

// Run shows the demo. Everything it makes is in a temporary folder that is removed at the end.
func (d demoCmd) Run(p *program) (err error) {
	dir, err := os.MkdirTemp("", "harrier-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	set, err := loadMappings(defaultConfig())
	if err != nil {
		return err
	}
	show := &demonstration{p: p, dir: dir, set: set}
	defer func() { err = errors.Join(err, show.stop()) }()
	engine, err := show.open(d)
	if err != nil {
		return err
	}
	return show.present(d, engine)
}

// demonstration is a demo under way.
type demonstration struct {
	p    *program
	dir  string // temporary
	set  *mapping.Set
	hunt demoHunt

	account ingestReport // of what went into the lake
	node    *node.Node   // that the demo started, nil if it did not
}

// stop ends the search node.
func (s *demonstration) stop() error {
	if s.node == nil {
		return nil
	}
	return s.node.Stop()
}

// open makes or takes the data and opens the connections to it.
func (s *demonstration) open(d demoCmd) (*exec.Engine, error) {
	if d.Data == "" {
		return s.generated(d)
	}
	if !exists(d.Data) {
		return nil, &hunt.Error{Op: "demo", Source: d.Data, Code: hunt.SourceUnavailable, Message: "no such folder"}
	}
	conn, err := s.through(d, demoTenant, d.Data)
	if err != nil {
		return nil, err
	}
	engine := &exec.Engine{Connections: []exec.Connection{conn}}
	s.hunt = surveyHunt(s.p.ctx, engine)
	return engine, nil
}

// through opens a folder through the connector that was asked for, in place if none was.
func (s *demonstration) through(d demoCmd, name, data string) (exec.Connection, error) {
	switch d.Through {
	case "lake":
		return s.throughLake(name, data)
	case "elastic":
		return s.throughNode(node.Product(d.Node), name, data)
	}
	return s.inPlace(name, data)
}

// opened keeps a connector that is open.
func opened(kind string, id hunt.Identity, c hunt.Connector) exec.Connection {
	return exec.Connect(kind, wrap.Opened(c), wrap.Options{Ref: hunt.ConnectionRef(id)})
}

func identity(name string) hunt.Identity { return hunt.Identity{Tenant: demoTenant, Connection: name} }

// inPlace opens a folder through files.
func (s *demonstration) inPlace(name, data string) (exec.Connection, error) {
	bar := s.p.progress("reading " + data)
	conn, err := files.Open(s.p.ctx, identity(name), files.Config{Path: data}, files.Options{Mappings: s.set, Progress: bar.set})
	bar.finish()
	if err != nil {
		return exec.Connection{}, err
	}
	return opened("files", identity(name), conn), nil
}

// throughLake ingests folders into a lake in the temporary folder and opens it.
func (s *demonstration) throughLake(name string, data ...string) (exec.Connection, error) {
	conn, err := lake.Open(s.p.ctx, identity(name), lake.Config{Path: filepath.Join(s.dir, "lake")})
	if err != nil {
		return exec.Connection{}, err
	}
	return s.loaded("lake", identity(name), conn, data...)
}

// throughNode starts a search node, ingests folders into it and opens it.
func (s *demonstration) throughNode(product node.Product, name string, data ...string) (exec.Connection, error) {
	bar := s.p.progress("starting " + string(product))
	n, err := node.Start(s.p.ctx, node.Options{Product: product, Dir: filepath.Join(s.dir, "node"), HeapMB: 1024, Log: s.p.stderr})
	bar.finish()
	if err != nil {
		return exec.Connection{}, err
	}
	s.node = n
	conn, err := elastic.Open(s.p.ctx, identity(name), elastic.Config{URLs: []string{n.URL()}}, elastic.Options{Mappings: s.set})
	if err != nil {
		return exec.Connection{}, err
	}
	return s.loaded("elastic", identity(name), conn, data...)
}

// writable is a connection that can be written to.
type writable interface {
	hunt.Connector
	hunt.Sink
}

// loaded ingests folders into a connection and keeps it.
func (s *demonstration) loaded(kind string, id hunt.Identity, into writable, data ...string) (exec.Connection, error) {
	work := &ingester{p: s.p, into: into, id: id, set: s.set, taken: map[string]bool{}}
	for _, dir := range data {
		if err := work.folder(s.p.ctx, dir); err != nil {
			return exec.Connection{}, errors.Join(err, into.Close())
		}
	}
	s.account = work.report
	return opened(kind, id, into), nil
}

// present prints the hunt with its plan, answer and coverage, and serves unless told otherwise.
func (s *demonstration) present(d demoCmd, engine *exec.Engine) error {
	token := access.NewToken()
	who := &access.Principal{Name: "demo", Tenants: []string{demoTenant}}
	tokens := access.NewTokens()
	if err := tokens.Add(access.HashToken(token), who); err != nil {
		return err
	}
	level := "warn"
	log, err := s.p.logger(level)
	if err != nil {
		return err
	}
	g := newGateway(engine, []byte(access.NewToken()), tokens)
	defer g.close(log)
	if !d.ReadyJSON {
		if err := s.printHunt(g, who); err != nil {
			return err
		}
	}
	if d.Once {
		return nil
	}
	return s.serve(d, g, token, log)
}

func (s *demonstration) serve(d demoCmd, g *gateway, token string, log zerolog.Logger) error {
	srv, err := newServer(g, log)
	if err != nil {
		return err
	}
	l, err := srv.listen(s.p.ctx, d.Listen)
	if err != nil {
		return err
	}
	if d.ReadyJSON {
		line, err := jsonLine(map[string]string{"url": srv.url, "token": token, "tenant": demoTenant})
		if err != nil {
			return err
		}
		fmt.Fprintln(s.p.stdout, line)
	} else {
		s.printCurl(srv.url, token)
	}
	return srv.serve(s.p.ctx, l)
}

// printCurl prints a line that asks the served API for the sources.
func (s *demonstration) printCurl(url, token string) {
	fmt.Fprintf(s.p.stdout, "\nServing the same data at %s until interrupted. Try:\n\ncurl -s %s -H 'Authorization: Bearer %s' -H 'Content-Type: application/json' \\\n  -d '{\"query\": \"{ sources { connection connector streams { name class rows } } }\"}'\n", url, url, token)
}

// demoHunt is the hunt that the demo shows: one document with a field for each class.
type demoHunt struct {
	story  string // what is looked for, in a sentence or two
	fields []demoField
}

// demoField is one root field of the hunt.
type demoField struct {
	title  string
	root   string
	where  map[string]any
	fields []string
	rng    hunt.TimeRange
}

// document writes the hunt as one GraphQL document with its variables.
func (h demoHunt) document() (string, map[string]any) {
	var head, body strings.Builder
	vars := map[string]any{}
	for i, f := range h.fields {
		class := ocsf.ByRoot(f.root)
		v, r := fmt.Sprintf("where%d", i), fmt.Sprintf("range%d", i)
		fmt.Fprintf(&head, "$%s: TimeRangeInput!, $%s: %sFilter, ", r, v, class.Type)
		fmt.Fprintf(&body, "  f%d: %s(timeRange: $%s, where: $%s, first: 5) {\n    nodes %s\n  %s }\n", i, f.root, r, v, selectionOf(f.fields), coverageSelection)
		vars[v] = f.where
		vars[r] = map[string]any{"start": hunt.FormatTime(f.rng.Start), "end": hunt.FormatTime(f.rng.End)}
	}
	return "query Demo(" + strings.TrimSuffix(head.String(), ", ") + ") {\n" + body.String() + "}", vars
}

// printHunt prints hunt, plan, answer and coverage.
func (s *demonstration) printHunt(g *gateway, who *access.Principal) error {
	out := s.p.stdout
	fmt.Fprintf(out, "%s\n", s.hunt.story)
	e := graph.NewExecutor(g.resolver)
	for _, f := range s.hunt.fields {
		plan, err := s.explain(e, who, f)
		if err != nil {
			return err
		}
		where, _ := json.Marshal(f.where)
		fmt.Fprintf(out, "\n== %s\n\nHunt: %s(where: %s)\n\nPlan:\n%s\n", f.title, f.root, where, plan)
	}
	doc, vars := s.hunt.document()
	resp, err := graph.Execute(s.p.ctx, e, who, &graphql.RawParams{Query: doc, Variables: vars})
	if err != nil {
		return err
	}
	for i, f := range s.hunt.fields {
		a, err := decode[answer](resp, fmt.Sprintf("f%d", i))
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "\n== %s: %d events on the first page\n", f.title, len(a.Nodes))
		s.p.printEvents(a, f.fields)
		s.p.printCoverage(&a.Coverage)
	}
	return nil
}

func (s *demonstration) explain(e graphExecutor, who *access.Principal, f demoField) (string, error) {
	in := map[string]any{
		"timeRange": map[string]any{"start": hunt.FormatTime(f.rng.Start), "end": hunt.FormatTime(f.rng.End)},
		"match":     map[string]any{"steps": []any{map[string]any{"as": "events", "event": map[string]any{f.root: f.where}}}},
	}
	resp, err := graph.Execute(s.p.ctx, e, who, &graphql.RawParams{Query: "query($in: HuntInput!) { explainHunt(input: $in) { text } }", Variables: map[string]any{"in": in}})
	if err != nil {
		return "", err
	}
	plan, err := decode[struct{ Text string }](resp, "explainHunt")
	if err != nil {
		return "", err
	}
	return plan.Text, nil
}

// surveyHunt makes a hunt over data that nothing is known of: a few events of every class that the data holds.
func surveyHunt(ctx context.Context, engine *exec.Engine) demoHunt {
	h := demoHunt{story: "One hunt over every class of event that the data holds."}
	seen := map[string]bool{}
	for _, d := range engine.Describe(ctx, []string{demoTenant}) {
		if d.Description == nil {
			continue
		}
		for i := range d.Description.Streams {
			st := &d.Description.Streams[i]
			if seen[st.Class.Root] || st.Time == nil {
				continue
			}
			seen[st.Class.Root] = true
			h.fields = append(h.fields, demoField{title: st.Class.Type, root: st.Class.Root, where: map[string]any{}, fields: defaultFields(st.Class), rng: everything()})
		}
	}
	return h
}

// everything is a range that holds every time a log can have.
func everything() hunt.TimeRange {
	return hunt.TimeRange{Start: 0, End: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()}
}

// jsonLine writes a value as one line of JSON.
func jsonLine(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}
