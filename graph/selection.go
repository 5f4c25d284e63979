package graph

import (
	"context"
	"io"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/graph/columnar"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// compileSelection compiles the selection on an event of a class.
func compileSelection(ctx context.Context, sel ast.SelectionSet, class *ocsf.Class) *columnar.Plan {
	return columnar.Compile(graphql.GetOperationContext(ctx), sel, class)
}

// selectedColumns returns the columns that the field under way shows of its events: in nodes, in edges, or, in a subscription, in
// the events of its messages.
func selectedColumns(ctx context.Context, class *ocsf.Class) []string {
	oc := graphql.GetOperationContext(ctx)
	var out []string
	var walk func(sel ast.SelectionSet)
	walk = func(sel ast.SelectionSet) {
		for _, f := range graphql.CollectFields(oc, sel, []string{class.Type + "Connection", class.Type + "Edge", "HuntConnection", "HuntEdge", "HuntEvents"}) {
			switch f.Name {
			case "nodes", "node", "events":
				out = append(out, columnar.Compile(oc, f.Selections, class).Columns()...)
			case "edges":
				walk(f.Selections)
			}
		}
	}
	walk(graphql.GetFieldContext(ctx).Field.Selections)
	return out
}

// columnarSource is an object whose rows are columns.
type columnarSource interface{ Columnar() *model.Connection }

// columnarNode is the answer of node: one row of a page.
type columnarNode struct{ page *exec.Page }

// IsNode marks a member of the interface.
func (columnarNode) IsNode() {}

// Columnar is the directive of that name: it writes the events of a field from columns instead of walking objects.
func Columnar(ctx context.Context, obj any, next graphql.Resolver) (any, error) {
	field := graphql.GetFieldContext(ctx).Field
	if source, ok := obj.(columnarSource); ok {
		return rows(ctx, source.Columnar(), field), nil
	}
	res, err := next(ctx)
	if n, ok := res.(columnarNode); ok {
		w := newWriter(compileSelection(ctx, field.Selections, n.page.Plan.Query.Class))
		return graphql.WriterFunc(func(out io.Writer) { _, _ = out.Write(w.Append(nil, &n.page.Rows[0], n.page.Rows[0].From)) }), err
	}
	return res, err
}
