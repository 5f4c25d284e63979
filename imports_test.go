package main_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// This file holds the rules of the house that linters do not know: which folder
// may import which, no init functions, a doc.go in every package, no folder
// named after nothing. Files are parsed in this process, so that Go's test cache
// sees what was read and runs the tests again when it changes.

// modulePath is the path in go.mod; TestModulePath holds the two together.
const modulePath = "github.com/harrier-xdr/harrier"

// layer is one row of the table of the design: what the packages of a folder
// may and may not import. The longest folder that fits a package decides.
type layer struct {
	// folder is relative to the root; a last element "*" stands for one name.
	folder string
	// ours lists the folders of this module that may be imported, each with all
	// below it. "*" is the whole module, "." the part that "*" stood for.
	ours []string
	// notOurs takes folders out of ours again.
	notOurs []string
	// foreign lists what must not be imported from elsewhere.
	foreign []group
}

// group is a set of foreign packages with one reason to keep them out. A path
// stands for all below it; but takes some out again.
type group struct {
	reason string
	paths  []string
	but    []string
}

var (
	// net/netip and net/url only parse text.
	network = group{"network", []string{"net", "google.golang.org/grpc", "github.com/apache/arrow-go/v18/arrow/flight"}, []string{"net/netip", "net/url"}}
	files   = group{"files and processes", []string{"os", "io/fs", "io/ioutil", "path/filepath", "syscall", "plugin"}, nil}
	stream  = group{"input and output", []string{"io", "bufio"}, nil}
	sql     = group{"SQL", []string{"database/sql", "github.com/duckdb", "github.com/marcboeker/go-duckdb", "modernc.org/sqlite", "github.com/mattn/go-sqlite3", "github.com/jackc/pgx", "github.com/lib/pq", "github.com/ClickHouse", "github.com/trinodb"}, nil}
	vendors = group{"vendors", []string{"github.com/elastic", "github.com/opensearch-project", "github.com/aws", "github.com/Azure", "github.com/microsoftgraph", "cloud.google.com/go", "github.com/crowdstrike", "github.com/go-ldap"}, nil}
	logging = group{"logging", []string{"log", "github.com/rs/zerolog", "github.com/sirupsen/logrus", "go.uber.org/zap", "github.com/hashicorp/go-hclog"}, nil}
	gql     = group{"GraphQL", []string{"github.com/99designs/gqlgen", "github.com/vektah/gqlparser", "github.com/graph-gophers", "github.com/graphql-go"}, nil}
	web     = group{"HTTP frameworks", []string{"github.com/gin-gonic", "github.com/labstack", "github.com/go-chi", "github.com/gorilla", "github.com/gofiber"}, nil}
	testkit = group{"testing in production code", []string{"testing", "github.com/stretchr/testify", "pgregory.net/rapid"}, nil}
)

// table is section 2 of the design. A folder that it does not name is refused,
// so that whoever adds one says what it may import.
func table() []layer {
	vocabulary := []string{"hunt", "schema/ocsf"}
	return []layer{
		{folder: "", ours: []string{"*"}, foreign: []group{testkit}},
		{folder: "schema", ours: []string{"schema"}, foreign: []group{network, files, sql, vendors, logging, gql, testkit}},
		// The generator is a program: it reads the data file and writes Go.
		{folder: "schema/ocsf/gen", ours: []string{"schema"}, foreign: []group{network, sql, vendors, testkit}},
		{folder: "hunt", ours: vocabulary, notOurs: []string{"schema/ocsf/gen", "hunt/hunttest", "hunt/conformance"}, foreign: []group{network, files, sql, vendors, logging, gql, testkit}},
		// plan decides and searches nothing: no reader, no writer, no engine.
		{folder: "hunt/plan", ours: vocabulary, notOurs: []string{"hunt/exec", "schema/ocsf/gen", "hunt/hunttest", "hunt/conformance"}, foreign: []group{network, files, stream, sql, vendors, logging, gql, testkit}},
		// The engine of the conformance suite runs in the shipped program too.
		{folder: "hunt/conformance", ours: vocabulary, notOurs: []string{"hunt/hunttest", "schema/ocsf/gen"}, foreign: []group{network, files, sql, vendors, logging, gql, testkit}},
		// The conformance suite under go test is test code that others import.
		{folder: "hunt/hunttest", ours: vocabulary, notOurs: []string{"schema/ocsf/gen"}, foreign: []group{sql, vendors, logging, gql}},
		// The one folder of connectors/ that knows them all: the table of openers.
		{folder: "connectors", ours: append([]string{"connectors"}, vocabulary...), notOurs: []string{"hunt/hunttest", "hunt/conformance", "connectors/elastic/node/nodetest"}, foreign: []group{gql, testkit}},
		{folder: "connectors/*", ours: append([]string{"."}, vocabulary...), notOurs: []string{"hunt/hunttest", "hunt/conformance", "connectors/elastic/node/nodetest"}, foreign: []group{gql, testkit}},
		// Test code that others import: it starts search nodes.
		{folder: "connectors/elastic/node/nodetest", ours: []string{"connectors/elastic/node"}, foreign: []group{gql, sql, vendors}},
		{folder: "plugins", ours: append([]string{"plugins"}, vocabulary...), notOurs: []string{"hunt/hunttest", "hunt/conformance"}, foreign: []group{gql, testkit}},
		{folder: "containment", ours: []string{"containment", "hunt"}, notOurs: []string{"hunt/hunttest", "hunt/conformance"}, foreign: []group{sql, vendors, gql, testkit}},
		{folder: "access", ours: []string{"access", "hunt"}, foreign: []group{sql, web, gql, testkit}},
		{folder: "store", ours: []string{"store", "containment", "access", "hunt"}, notOurs: []string{"hunt/hunttest", "hunt/conformance"}, foreign: []group{gql, testkit}},
		{folder: "graph", ours: append([]string{"graph", "containment", "access"}, vocabulary...), notOurs: []string{"hunt/hunttest", "hunt/conformance"}, foreign: []group{sql, vendors, testkit}},
		{folder: "demo", ours: []string{"demo"}, foreign: []group{testkit}},
		{folder: "bench", ours: []string{"*"}},
		{folder: "scripts", ours: []string{}},
	}
}

func TestImports(t *testing.T) {
	rules := table()
	for _, f := range sources(t) {
		if f.test() {
			continue
		}
		for _, problem := range checkImports(rules, f) {
			t.Error(problem)
		}
	}
}

func TestNoInit(t *testing.T) {
	for _, f := range sources(t) {
		for _, problem := range checkInit(f) {
			t.Error(problem)
		}
	}
}

func TestPackagesAreDocumented(t *testing.T) {
	for _, problem := range checkDocs(sources(t)) {
		t.Error(problem)
	}
}

func TestFolderNames(t *testing.T) {
	for _, f := range sources(t) {
		for _, problem := range checkFolder(f) {
			t.Error(problem)
		}
	}
}

func TestModulePath(t *testing.T) {
	mod, err := os.ReadFile("go.mod")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(mod), "module "+modulePath+"\n") {
		t.Errorf("go.mod:1: the module is not %s: correct modulePath", modulePath)
	}
}

// source is one Go file; name is relative to the root and has slashes.
type source struct {
	name string
	text []byte
	head *ast.File // up to the imports
	fset *token.FileSet
}

func (s source) dir() string { return strings.TrimPrefix(path.Dir(s.name), ".") }

func (s source) test() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s source) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", s.name, s.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

func parse(name string, text []byte) (source, error) {
	fset := token.NewFileSet()
	head, err := parser.ParseFile(fset, name, text, parser.ImportsOnly|parser.ParseComments)
	return source{name, text, head, fset}, err
}

// sources reads every Go file of the module; those of testdata, of hidden
// folders and of modules below this one are not part of it.
func sources(t *testing.T) []source {
	t.Helper()
	var list []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return enter(name)
		case filepath.Ext(name) != ".go":
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		s, err := parse(filepath.ToSlash(name), text)
		list = append(list, s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(list) < 2 {
		t.Fatalf("found %d Go files: these tests must run in the root of the module", len(list))
	}
	return list
}

// enter decides whether a folder belongs to the module.
func enter(name string) error {
	base := filepath.Base(name)
	if name == "." {
		return nil
	}
	if base == "testdata" || base == "vendor" || base == "node_modules" || strings.ContainsRune("._", rune(base[0])) {
		return fs.SkipDir
	}
	if _, err := os.Stat(filepath.Join(name, "go.mod")); err == nil {
		return fs.SkipDir
	}
	return nil
}

// checkImports reports every import of a file that the table forbids.
func checkImports(rules []layer, f source) []string {
	rule, own, ok := find(rules, f.dir())
	if !ok {
		return []string{f.at(f.head.Package, "folder %s is not in the table of imports_test.go: add a row that says what it may import", f.dir())}
	}
	var problems []string
	for _, spec := range f.head.Imports {
		imported, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the compiler says so too
		}
		if reason := rule.forbids(own, imported); reason != "" {
			problems = append(problems, f.at(spec.Pos(), "%s may not import %s: %s", cmp.Or(f.dir(), "the root"), imported, reason))
		}
	}
	return problems
}

// find returns the row with the longest folder that holds dir, and the folder
// that the row stands for there.
func find(rules []layer, dir string) (rule layer, own string, ok bool) {
	best := -1
	for _, r := range rules {
		folder, fits := r.folder, r.folder == dir
		if parent, star := strings.CutSuffix(r.folder, "/*"); star {
			if rest, below := strings.CutPrefix(dir, parent+"/"); below {
				name, _, _ := strings.Cut(rest, "/")
				folder, fits = parent+"/"+name, true
			}
		} else if r.folder != "" {
			fits = within(dir, r.folder)
		}
		if fits && len(folder) > best {
			rule, own, ok, best = r, folder, true, len(folder)
		}
	}
	return rule, own, ok
}

// forbids returns why the row forbids an import, or "".
func (r layer) forbids(own, imported string) string {
	ours, isOurs := strings.CutPrefix(imported, modulePath+"/")
	if isOurs {
		return r.forbidsOurs(own, ours)
	}
	for _, g := range r.foreign {
		if withinAny(imported, g.paths) && !withinAny(imported, g.but) {
			return "no " + g.reason + " there"
		}
	}
	return ""
}

func (r layer) forbidsOurs(own, ours string) string {
	if slices.Contains(r.ours, "*") {
		return ""
	}
	allowed := slices.Clone(r.ours)
	if i := slices.Index(allowed, "."); i >= 0 {
		allowed[i] = own
	}
	if withinAny(ours, allowed) && !withinAny(ours, r.notOurs) {
		return ""
	}
	if len(allowed) == 0 {
		return "of ours it may import nothing"
	}
	reason := "of ours it may import only " + strings.Join(allowed, ", ")
	if len(r.notOurs) > 0 {
		reason += "; not " + strings.Join(r.notOurs, ", ")
	}
	return reason
}

// within reports whether name is folder or lies below it.
func within(name, folder string) bool {
	return name == folder || strings.HasPrefix(name, folder+"/")
}

func withinAny(name string, folders []string) bool {
	return slices.ContainsFunc(folders, func(folder string) bool { return within(name, folder) })
}

// checkInit reports init functions: what happens at start is written in main.
func checkInit(f source) []string {
	if ast.IsGenerated(f.head) {
		return nil
	}
	fset := token.NewFileSet()
	whole, err := parser.ParseFile(fset, f.name, f.text, parser.SkipObjectResolution)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	for _, d := range whole.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if ok && fn.Recv == nil && fn.Name.Name == "init" {
			line := fset.Position(fn.Pos()).Line
			problems = append(problems, fmt.Sprintf("%s:%d: no init functions: list it in an explicit table or call it from main", f.name, line))
		}
	}
	return problems
}

// checkDocs reports packages without a doc.go that says what the package owns.
func checkDocs(all []source) []string {
	first := map[string]source{}
	docs := map[string]source{}
	for _, f := range all {
		if f.test() {
			continue
		}
		if _, seen := first[f.dir()]; !seen {
			first[f.dir()] = f
		}
		if path.Base(f.name) == "doc.go" {
			docs[f.dir()] = f
		}
	}
	var problems []string
	for dir, f := range first {
		doc, ok := docs[dir]
		switch {
		case !ok:
			problems = append(problems, f.at(f.head.Package, "package %s has no doc.go that says what it owns, what it does not own and who calls it", f.head.Name.Name))
		case doc.head.Doc.Text() == "":
			problems = append(problems, doc.at(doc.head.Package, "doc.go has no package comment directly above the package clause"))
		case doc.head.Name.Name != "main" && !strings.HasPrefix(doc.head.Doc.Text(), "Package "+doc.head.Name.Name+" "):
			problems = append(problems, doc.at(doc.head.Doc.Pos(), "the package comment does not begin with \"Package %s\"", doc.head.Name.Name))
		}
	}
	slices.Sort(problems)
	return problems
}

// checkFolder reports packages named after nothing: such a name attracts what
// belongs elsewhere until everything imports it.
func checkFolder(f source) []string {
	elements := strings.Split(f.dir(), "/")
	if elements[0] == "pkg" || elements[0] == "internal" {
		return []string{f.at(f.head.Package, "no %s folder at the root: a folder says what it is about", elements[0])}
	}
	for _, name := range append(elements, strings.TrimSuffix(f.head.Name.Name, "_test")) {
		if slices.Contains([]string{"util", "utils", "common", "helper", "helpers", "types"}, name) {
			return []string{f.at(f.head.Package, "no folder or package named %s: name it by its purpose", name)}
		}
	}
	return nil
}

// TestImportRules shows the table at work on sources that are not in the tree:
// one that may not be, and its neighbour that may.
func TestImportRules(t *testing.T) {
	ours := func(folder string) string { return modulePath + "/" + folder }
	for _, tc := range []struct {
		file, imported string
		refused        bool
	}{
		{"hunt/expr.go", "net/netip", false},
		{"hunt/expr.go", "net", true},
		{"hunt/expr.go", "net/http", true},
		{"hunt/expr.go", "embed", false},
		{"hunt/expr.go", "os", true},
		{"hunt/expr.go", "os/exec", true},
		{"hunt/expr.go", "io/fs", true},
		{"hunt/expr.go", "io", false},
		{"hunt/expr.go", "log/slog", true},
		{"hunt/expr.go", "github.com/rs/zerolog", true},
		{"hunt/expr.go", "database/sql/driver", true},
		{"hunt/vector/filter.go", "github.com/duckdb/duckdb-go/v2", true},
		{"hunt/vector/filter.go", "github.com/vektah/gqlparser/v2/ast", true},
		{"hunt/vector/filter.go", "testing", true},
		{"hunt/vector/filter.go", ours("hunt"), false},
		{"hunt/vector/filter.go", ours("schema/ocsf"), false},
		{"hunt/vector/filter.go", ours("schema/ocsf/gen"), true},
		{"hunt/vector/filter.go", ours("connectors/files"), true},
		{"hunt/vector/filter.go", ours("hunting"), true},
		{"hunt/vector/filter.go", ours("hunt/hunttest"), true},
		{"hunt/plan/plan.go", "io", true},
		{"hunt/plan/plan.go", ours("hunt/exec"), true},
		{"hunt/planner/plan.go", "io", false},
		{"hunt/hunttest/run.go", "testing", false},
		{"hunt/hunttest/run.go", "os", false},
		{"hunt/hunttest/run.go", ours("connectors/files"), true},
		{"connectors/connectors.go", ours("connectors/files"), false},
		{"connectors/files/open.go", ours("connectors/files/zeek"), false},
		{"connectors/files/zeek/read.go", ours("connectors/files"), false},
		{"connectors/files/open.go", ours("connectors/lake"), true},
		{"connectors/files/open.go", ours("connectors"), true},
		{"connectors/files/open.go", ours("hunt/mapping"), false},
		{"connectors/files/open.go", ours("graph"), true},
		{"connectors/files/open.go", "net/http", false},
		{"plugins/host.go", ours("connectors"), true},
		{"graph/resolver.go", ours("hunt/exec"), false},
		{"graph/resolver.go", ours("connectors"), true},
		{"graph/resolver.go", ours("store"), true},
		{"graph/resolver.go", "database/sql", true},
		{"graph/resolver.go", "github.com/duckdb/duckdb-go/v2", true},
		{"graph/resolver.go", "github.com/99designs/gqlgen/graphql", false},
		{"demo/make.go", ours("hunt"), true},
		{"schema/ocsf/ocsf.go", ours("hunt"), true},
		{"schema/ocsf/ocsf.go", "os", true},
		{"schema/ocsf/gen/main.go", "os", false},
		{"server.go", ours("connectors"), false},
		{"server.go", "testing", true},
		{"elsewhere/x.go", "fmt", true},
	} {
		t.Run(tc.file+" "+tc.imported, func(t *testing.T) {
			f := parsed(t, tc.file, "package p\n\nimport _ "+strconv.Quote(tc.imported)+"\n")
			problems := checkImports(table(), f)
			if got := len(problems) > 0; got != tc.refused {
				t.Errorf("refused = %v, want %v: %q", got, tc.refused, problems)
			}
		})
	}
}

// TestProblemNamesItsPlace holds the promise that a failure says where and why.
func TestProblemNamesItsPlace(t *testing.T) {
	f := parsed(t, "hunt/a.go", "package hunt\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n")
	want := "hunt/a.go:5: hunt may not import os: no files and processes there"
	if got := checkImports(table(), f); !slices.Equal(got, []string{want}) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestInitRule(t *testing.T) {
	const body = "package p\n\ntype T int\n\nfunc (T) init() {}\n\nfunc init() {}\n"
	want := []string{"p/a.go:7: no init functions: list it in an explicit table or call it from main"}
	if got := checkInit(parsed(t, "p/a.go", body)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := checkInit(parsed(t, "p/a.go", "// Code generated by x. DO NOT EDIT.\n\n"+body)); len(got) > 0 {
		t.Errorf("generated code was refused: %q", got)
	}
}

func TestDocRule(t *testing.T) {
	for _, tc := range []struct{ name, file, text, want string }{
		{"documented", "p/doc.go", "// Package p owns x.\npackage p\n", ""},
		{"a command", "p/doc.go", "// Command p does x.\npackage main\n", ""},
		{"no doc.go", "p/a.go", "// Package p owns x.\npackage p\n", "p/a.go:2: package p has no doc.go"},
		{"detached", "p/doc.go", "// Package p owns x.\n\npackage p\n", "p/doc.go:3: doc.go has no package comment"},
		{"of another", "p/doc.go", "// Package q owns x.\npackage p\n", "p/doc.go:1: the package comment does not begin"},
		{"tests alone", "p/a_test.go", "package p_test\n", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := strings.Join(checkDocs([]source{parsed(t, tc.file, tc.text)}), "\n")
			if (got == "") != (tc.want == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestFolderRule(t *testing.T) {
	for _, tc := range []struct {
		file, pkg string
		refused   bool
	}{
		{"hunt/a.go", "hunt", false},
		{"a.go", "main", false},
		{"pkg/hunt/a.go", "hunt", true},
		{"internal/a.go", "internal", true},
		{"connectors/lake/internal/sqltext/a.go", "sqltext", false},
		{"graph/types/a.go", "types", true},
		{"hunt/a.go", "util", true},
		{"hunt/common/a.go", "common", true},
		{"hunt/helpers/a_test.go", "helpers_test", true},
	} {
		t.Run(tc.file+" "+tc.pkg, func(t *testing.T) {
			problems := checkFolder(parsed(t, tc.file, "package "+tc.pkg+"\n"))
			if got := len(problems) > 0; got != tc.refused {
				t.Errorf("refused = %v, want %v: %q", got, tc.refused, problems)
			}
		})
	}
}

func parsed(t *testing.T, name, text string) source {
	t.Helper()
	f, err := parse(name, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
