package columnar

import (
	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Plan is a selection on the events of one class.
type Plan struct {
	class *ocsf.Class
	root  *object
	paths []string
}

// Columns returns the dotted OCSF paths that the selection shows.
func (p *Plan) Columns() []string { return p.paths }

// object is a selection on an object: its fields in response order.
type object struct {
	typeName string
	fields   []field
}

// field writes one response key.
type field struct {
	key   []byte // `"alias":`
	kind  fieldKind
	fixed string       // of fixedField: which one
	col   *ocsf.Column // of columnField; nil if the class has no such column: it is null
	sub   *object      // of objectField and listField
	list  string       // of listField: path of the array of objects, "" if the class has none
}

type fieldKind uint8

const (
	columnField fieldKind = iota
	fixedField            // id, tenant, connection, class
	objectField
	listField
	typeNameField
)

// Compile compiles the selection on an event of a class; fragments, aliases, @skip and @include are resolved.
func Compile(oc *graphql.OperationContext, sel ast.SelectionSet, class *ocsf.Class) *Plan {
	p := &Plan{class: class}
	c := compiler{oc: oc, plan: p}
	p.root = c.object(sel, []string{class.Type, "Event", "Node"}, "", "")
	return p
}

type compiler struct {
	oc   *graphql.OperationContext
	plan *Plan
}

// object compiles a selection. prefix is the dotted GraphQL name of the object with a dot behind it, or empty; list is the GraphQL
// prefix of the array of objects that it is an element of.
func (c *compiler) object(sel ast.SelectionSet, types []string, prefix, list string) *object {
	o := &object{typeName: types[0]}
	for _, f := range graphql.CollectFields(c.oc, sel, types) {
		o.fields = append(o.fields, c.field(f, prefix, list))
	}
	return o
}

func (c *compiler) field(f graphql.CollectedField, prefix, list string) field {
	out := field{key: append(AppendString(nil, f.Alias), ':')}
	name := prefix + f.Name
	typ := f.Definition.Type
	switch {
	case f.Name == "__typename":
		out.kind = typeNameField
	case prefix == "" && isFixed(f.Name):
		out.kind, out.fixed = fixedField, f.Name
	case len(f.Selections) > 0 && typ.Elem != nil:
		out.kind = listField
		out.list = c.plan.class.ListByGraphQL(name)
		before := len(c.plan.paths)
		out.sub = c.object(f.Selections, []string{typ.Name()}, name+".", name)
		if len(c.plan.paths) == before && out.list != "" {
			c.elements(out.list)
		}
	case len(f.Selections) > 0:
		out.kind = objectField
		out.sub = c.object(f.Selections, []string{typ.Name()}, name+".", list)
	default:
		out.col = c.column(name)
	}
	return out
}

func isFixed(name string) bool {
	return name == "id" || name == "tenant" || name == "connection" || name == "class"
}

func (c *compiler) column(name string) *ocsf.Column {
	col := c.plan.class.ByGraphQL(name)
	if col != nil {
		c.plan.paths = append(c.plan.paths, col.Path)
	}
	return col
}

// elements asks for a list of which no column is selected, as in `hashes { __typename }`: how many elements it has shows.
func (c *compiler) elements(list string) {
	for _, col := range c.plan.class.List(list) {
		c.plan.paths = append(c.plan.paths, col.Path)
	}
}

// Class returns the class whose events the plan writes.
func (p *Plan) Class() *ocsf.Class { return p.class }
