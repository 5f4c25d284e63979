package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/graph/generated"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// The stock path of gqlgen is the oracle of the columnar writer: the same rows, as the generated structs, written by the generated
// code. An object is there if something that is selected in it is there, so the structs are filled by the selection.

// stock stands in for graph.Columnar: it fills the structs of a field and lets gqlgen write them.
func stock(ctx context.Context, obj any, next graphql.Resolver) (any, error) {
	fc := graphql.GetFieldContext(ctx)
	f := &filler{oc: graphql.GetOperationContext(ctx), field: fc.Field}
	switch obj := obj.(type) {
	case interface{ Columnar() *model.Connection }:
		c := obj.Columnar()
		field := reflect.ValueOf(obj).Elem().FieldByName(strings.ToUpper(fc.Field.Name[:1]) + fc.Field.Name[1:])
		return f.list(c, field.Type()).Interface(), nil
	}
	return next(ctx)
}

// filler makes structs of rows.
type filler struct {
	oc    *graphql.OperationContext
	field graphql.CollectedField
}

// modelTypes are the generated structs of the events.
func modelTypes() map[string]reflect.Type {
	out := map[string]reflect.Type{}
	for _, v := range []any{
		model.ProcessActivity{}, model.FileActivity{}, model.RegistryKeyActivity{}, model.RegistryValueActivity{}, model.ModuleActivity{},
		model.ScriptActivity{}, model.ScheduledJobActivity{}, model.WindowsServiceActivity{}, model.WindowsResourceActivity{},
		model.NetworkActivity{}, model.DNSActivity{}, model.HTTPActivity{}, model.SmbActivity{}, model.Authentication{},
		model.AccountChange{}, model.APIActivity{}, model.DetectionFinding{}, model.BaseEvent{},
	} {
		out[strings.ToLower(reflect.TypeOf(v).Name())] = reflect.TypeOf(v)
	}
	return out
}

// list fills the field nodes, edges or events.
func (f *filler) list(c *model.Connection, typ reflect.Type) reflect.Value {
	class := c.Page.Plan.Query.Class
	out := reflect.MakeSlice(typ, 0, c.Page.Count)
	number := 0
	for i := range c.Page.Rows {
		rows := &c.Page.Rows[i]
		for row := rows.From; row < rows.To; row++ {
			out = reflect.Append(out, f.element(c, typ.Elem(), class, &place{rows, row, number}))
			number++
		}
	}
	return out
}

// place is a row of a page.
type place struct {
	rows   *exec.Rows
	row    int
	number int // within the page
}

func (p *place) key() hunt.Key {
	us, uid := vector.KeyAt(p.rows.Record, p.row)
	return hunt.Key{Time: us, Tenant: p.rows.Ref.Tenant, Connection: p.rows.Ref.Connection, UID: uid}
}

// element fills an event, or an edge with one.
func (f *filler) element(c *model.Connection, typ reflect.Type, class *ocsf.Class, p *place) reflect.Value {
	if f.field.Name != "edges" {
		return f.event(f.field.Selections, class, p)
	}
	edge := reflect.New(typ.Elem())
	for _, sub := range graphql.CollectFields(f.oc, f.field.Selections, []string{class.Type + "Edge", "HuntEdge"}) {
		switch sub.Name {
		case "cursor":
			edge.Elem().FieldByName("Cursor").SetString(c.Cursor(p.key(), p.number))
		case "node":
			edge.Elem().FieldByName("Node").Set(f.event(sub.Selections, class, p))
		}
	}
	return edge
}

// event fills the struct of an event with what is selected.
func (f *filler) event(sel ast.SelectionSet, class *ocsf.Class, p *place) reflect.Value {
	v := reflect.New(modelTypes()[strings.ToLower(class.Type)])
	for _, path := range f.selected(sel, []string{class.Type, "Event", "Node"}, "") {
		f.set(v.Elem(), class, p, path)
	}
	return v
}

// selected returns the dotted GraphQL names of the leaves of a selection, and those of lists with a dot behind.
func (f *filler) selected(sel ast.SelectionSet, types []string, prefix string) []string {
	var out []string
	for _, sub := range graphql.CollectFields(f.oc, sel, types) {
		typ := sub.Definition.Type
		switch {
		case sub.Name == "__typename":
		case len(sub.Selections) == 0:
			out = append(out, prefix+sub.Name)
		default:
			if typ.Elem != nil {
				out = append(out, prefix+sub.Name+".")
			}
			out = append(out, f.selected(sub.Selections, []string{typ.Name()}, prefix+sub.Name+".")...)
		}
	}
	return out
}

// set fills one leaf of an event, or makes the elements of a list.
func (f *filler) set(v reflect.Value, class *ocsf.Class, p *place, name string) {
	switch name {
	case "id":
		v.FieldByName("ID").SetString(graph.GlobalID(class, p.key()))
		return
	case "tenant":
		v.FieldByName("Tenant").SetString(p.rows.Ref.Tenant)
		return
	case "connection":
		v.FieldByName("Connection").SetString(p.rows.Ref.Connection)
		return
	case "class":
		v.FieldByName("Class").SetString(ocsf.ClassCaption(class.UID))
		return
	}
	row := vector.Row{Record: p.rows.Record, Index: p.row}
	if list, ok := strings.CutSuffix(name, "."); ok {
		if path := listOf(class, list); path != "" && isThere(p, path) {
			elements := row.Elements(path)
			target := walk(v, list, nil)
			target.Set(reflect.MakeSlice(target.Type(), len(elements), len(elements)))
			for i := range elements {
				target.Index(i).Set(reflect.New(target.Type().Elem().Elem()))
			}
		}
		return
	}
	col := class.ByGraphQL(name)
	if col == nil {
		return
	}
	if col.List == "" {
		if values := row.Values(col.Path); len(values) == 1 {
			put(v, name, nil, col, values[0])
		}
		return
	}
	for i, e := range row.Elements(col.List) {
		if values := e.Values(col.Path); len(values) == 1 {
			put(v, name, &i, col, values[0])
		}
	}
}

// isThere says whether the list at path is not null.
func isThere(p *place, path string) bool {
	at := p.rows.Record.Schema().FieldIndices(path)
	return len(at) == 1 && p.rows.Record.Column(at[0]).IsValid(p.row)
}

// listOf returns the OCSF path of the list with a dotted GraphQL name.
func listOf(class *ocsf.Class, name string) string {
	depth := strings.Count(name, ".")
	for i := range class.Columns {
		if c := &class.Columns[i]; c.List != "" && strings.Count(c.List, ".") == depth && strings.HasPrefix(c.GraphQL, name+".") {
			return c.List
		}
	}
	return ""
}

// put sets the leaf at a dotted GraphQL name, making the objects on the way. index is the element of the list on the way.
func put(v reflect.Value, name string, index *int, col *ocsf.Column, x hunt.Value) {
	if col.Type == ocsf.Enum && col.Enum.Caption(x.Num()) == "" {
		return // there is no caption to show
	}
	target := walk(v, name, index)
	leaf := target
	if target.Kind() == reflect.Pointer {
		leaf = reflect.New(target.Type().Elem()).Elem()
	}
	switch col.Type {
	case ocsf.Enum:
		leaf.SetString(col.Enum.Caption(x.Num()))
	case ocsf.Int, ocsf.Long, ocsf.Time:
		leaf.SetInt(x.Num())
	case ocsf.Float:
		leaf.SetFloat(x.Flt())
	case ocsf.Boolean:
		leaf.SetBool(x.Num() == 1)
	case ocsf.IP:
		leaf.Set(reflect.ValueOf(model.IP(x.Addr16())))
	case ocsf.JSON:
		leaf.SetBytes(asJSON(x.Str()))
	default:
		leaf.SetString(string([]rune(x.Str()))) // every byte that is no UTF-8 becomes U+FFFD
	}
	if target.Kind() == reflect.Pointer {
		target.Set(leaf.Addr())
	}
}

// asJSON is a JSON text as it is, and any other text as a JSON string.
func asJSON(s string) []byte {
	if valid := string([]rune(s)); valid == s && json.Valid([]byte(s)) {
		return []byte(s)
	}
	text, _ := json.Marshal(string([]rune(s)))
	return text
}

// walk goes down a dotted GraphQL name, making objects, and into element *index of the list on the way.
func walk(v reflect.Value, name string, index *int) reflect.Value {
	for part := range strings.SplitSeq(name, ".") {
		if v.Kind() == reflect.Slice {
			v = v.Index(*index)
		}
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				v.Set(reflect.New(v.Type().Elem()))
			}
			v = v.Elem()
		}
		v = fieldOf(v, part)
	}
	return v
}

// fieldOf finds the struct field of a GraphQL name by its tag.
func fieldOf(v reflect.Value, name string) reflect.Value {
	for i := range v.NumField() {
		if tag, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ","); tag == name {
			return v.Field(i)
		}
	}
	panic(fmt.Sprintf("%s has no field %s", v.Type(), name))
}

// selection writes random selections on the schema.
type selection struct {
	rng       *rand.Rand
	schema    *ast.Schema
	budget    int
	aliases   int
	fragments []string
	repeated  map[string]string // selection of an object by its path, so that two aliases of it have the same
}

// fields writes a selection on a type; path is its dotted GraphQL name.
func (s *selection) fields(typ *ast.Definition, path string, depth int) string {
	var b strings.Builder
	for range 1 + s.rng.IntN(6) {
		b.WriteString(s.one(typ, path, depth))
		b.WriteByte(' ')
	}
	return b.String()
}

func (s *selection) one(typ *ast.Definition, path string, depth int) string {
	s.budget--
	event := slices.Contains(typ.Interfaces, "Event") || typ.Name == "Event"
	switch n := s.rng.IntN(12); {
	case s.budget < 0, n == 0:
		return "__typename"
	case n == 1 && depth > 0:
		return s.directive("... on "+typ.Name) + "{" + s.fields(typ, path, depth-1) + "}"
	case n == 2 && depth > 0 && event:
		return s.directive("... on Event") + "{" + s.fields(s.schema.Types["Event"], path, depth-1) + "}"
	case n == 3 && event:
		return "... on Node{id n" + fmt.Sprint(s.aliases) + ":id __typename}"
	case n == 4 && depth > 0:
		name := fmt.Sprintf("F%d", len(s.fragments))
		s.fragments = append(s.fragments, "")
		s.fragments[len(s.fragments)-1] = "fragment " + name + " on " + typ.Name + "{" + s.fields(typ, path, depth-1) + "}"
		return s.directive("..." + name)
	case n == 5 && depth > 0:
		return s.directive("...") + "{" + s.fields(typ, path, depth-1) + "}"
	}
	def := typ.Fields[s.rng.IntN(len(typ.Fields))]
	name := def.Name
	if strings.HasPrefix(name, "__") {
		return "__typename"
	}
	key := name
	if s.rng.IntN(4) == 0 && s.aliases < 45 {
		s.aliases++
		key = fmt.Sprintf("a%d: %s", s.aliases, name)
	}
	return s.directive(key) + s.sub(def, path+name, depth)
}

// sub writes the selection below a field, always the same for the same object.
func (s *selection) sub(def *ast.FieldDefinition, path string, depth int) string {
	typ := s.schema.Types[def.Type.Name()]
	if !typ.IsCompositeType() {
		return ""
	}
	if s.repeated[path] == "" {
		s.repeated[path] = "{__typename}"
		if depth > 0 {
			s.repeated[path] = "{" + s.leaves(typ, path+".", depth-1) + "}"
		}
	}
	return s.repeated[path]
}

// leaves writes a selection on an object that may be aliased: plain, so that it can be repeated.
func (s *selection) leaves(typ *ast.Definition, path string, depth int) string {
	var b strings.Builder
	n := 1 + s.rng.IntN(4)
	for range n {
		def := typ.Fields[s.rng.IntN(len(typ.Fields))]
		s.budget--
		text := s.directive(def.Name)
		if s.rng.IntN(5) == 0 {
			text = "b" + def.Name + ": " + text
		}
		b.WriteString(text + s.sub(def, path+def.Name, depth) + " ")
	}
	if s.rng.IntN(2) == 0 {
		return b.String() + "__typename"
	}
	return "..." + " {" + b.String() + "}"
}

// directive adds @skip or @include by a variable to some.
func (s *selection) directive(text string) string {
	switch s.rng.IntN(14) {
	case 0:
		return text + " @skip(if: $yes)"
	case 1:
		return text + " @include(if: $yes)"
	case 2:
		return text + " @skip(if: $no)"
	case 3:
		return text + " @include(if: $no)"
	}
	return text
}

// tokens are the tokens of a JSON text: what a client reads, with the order of the keys.
func tokens(t *testing.T, text []byte) []any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	var out []any
	for {
		tok, err := dec.Token()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("%v after byte %d", err, dec.InputOffset())
		}
		out = append(out, tok)
	}
}

// oracleWorld has two connections with events of every class; in the second, half of the columns cannot be filled.
func oracleWorld(t *testing.T) *world {
	rng := rand.New(rand.NewPCG(11, 12)) // six rows: batches of more than eight have a text of 64 KB, which only takes time here
	full, half := memory.Open(hunt.Identity{Tenant: "acme", Connection: "full"}), memory.Open(hunt.Identity{Tenant: "acme", Connection: "half"})
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		add(t, full, stream(class), hunttest.RandomBatch(rng, class, 6, hunttest.Untimed()))
		st := stream(class)
		for path := range st.Attributes {
			if rng.IntN(2) == 0 {
				delete(st.Attributes, path)
			}
		}
		add(t, half, st, hunttest.RandomBatch(rng, class, 6, hunttest.Only(st.Attributes)))
	}
	return newWorld(t, connection("acme", "full", full), connection("acme", "half", half))
}

// document writes a random query on a class, through its root field or through hunt.
func document(rng *rand.Rand, schema *ast.Schema, class *ocsf.Class) string {
	s := &selection{rng: rng, schema: schema, budget: 60, repeated: map[string]string{}}
	on := func() string {
		s.repeated = map[string]string{}
		return s.fields(schema.Types[class.Type], "", 3)
	}
	head, rows := fmt.Sprintf("%s(timeRange: %s, first: 30)", class.Root, wide), ""
	kind := class.Type
	if rng.IntN(4) == 0 {
		head = fmt.Sprintf(`hunt(input: {timeRange: %s, match: {steps: [{as: "x", event: {%s: {}}}]}}, first: 30)`, wide, class.Root)
		kind = "Hunt"
		on = func() string {
			s.repeated = map[string]string{}
			return s.fields(schema.Types["Event"], "", 2) + "... on " + class.Type + "{" + s.fields(schema.Types[class.Type], "", 3) + "}"
		}
	}
	rows += "nodes {" + on() + "}"
	switch rng.IntN(3) {
	case 0:
		rows += " x1: nodes {" + on() + "} __typename edges {cursor __typename node {" + on() + "}}"
	case 1:
		s.fragments = nil
		same := on()
		rows = "edges {... on " + kind + "Edge {c: cursor} n: node {" + same + "} node {" + same + "} __typename}"
	}
	return fmt.Sprintf("query($yes: Boolean!, $no: Boolean!) { q: %s {%s pageInfo {hasNextPage @include(if: $yes) endCursor @skip(if: $no)}} } %s", head, rows, strings.Join(s.fragments, " "))
}

// TestColumnarWriterEqualsStockPath: the same random selections on the same hostile rows give the same JSON, key by key.
func TestColumnarWriterEqualsStockPath(t *testing.T) {
	w := oracleWorld(t)
	plain := graph.NewExecutorWith(w.resolver, stock)
	schema := generated.NewExecutableSchema(generated.Config{Resolvers: w.resolver}).Schema()
	rng := rand.New(rand.NewPCG(21, 22))
	compared, size := 0, 0
	for i := range 324 {
		class := &ocsf.Classes()[i%len(ocsf.Classes())]
		query := document(rng, schema, class)
		v := vars{"yes": true, "no": false}
		got := w.response(w.exec, query, v)
		if len(got.Errors) > 0 {
			if strings.Contains(got.Errors[0].Message, "conflict") || got.Errors[0].Extensions["code"] == "QUERY_TOO_COMPLEX" {
				continue // the generator made what GraphQL forbids
			}
			t.Fatalf("%s\n%v", query, got.Errors)
		}
		want := w.response(plain, query, v)
		if len(want.Errors) > 0 {
			t.Fatalf("%s\n%v", query, want.Errors)
		}
		a, b := tokens(t, got.Data), tokens(t, want.Data)
		if !slices.Equal(a, b) {
			at := 0
			for at < min(len(a), len(b)) && a[at] == b[at] {
				at++
			}
			from := max(0, at-12)
			t.Fatalf("%s\ncolumnar %.600q\nstock    %.600q", query, a[from:min(len(a), at+6)], b[from:min(len(b), at+6)])
		}
		compared++
		size += len(got.Data)
	}
	t.Logf("%d selections compared, %d bytes", compared, size)
	if compared < 300 || size < 1<<18 {
		t.Errorf("%d selections of %d bytes were compared; the generator makes too little", compared, size)
	}
}
