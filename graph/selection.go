package graph

import (
	"context"
	"io"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/harrier-xdr/harrier/graph/columnar"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
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

func newWriter(p *columnar.Plan) *columnar.Writer {
	return columnar.NewWriter(p, func(k hunt.Key) string { return eventID(p.Class(), k) })
}

// rows writes the list field nodes, edges or events.
func rows(ctx context.Context, c *model.Connection, field graphql.CollectedField) graphql.Marshaler {
	class := c.Page.Plan.Query.Class
	if field.Name == "edges" {
		return edges(ctx, c, field, class)
	}
	w := newWriter(compileSelection(ctx, field.Selections, class))
	return list(c.Page, func(b []byte, in *exec.Rows, row, _ int) []byte { return w.Append(b, in, row) })
}

// edges writes rows with their cursors.
func edges(ctx context.Context, c *model.Connection, field graphql.CollectedField, class *ocsf.Class) graphql.Marshaler {
	fields := graphql.CollectFields(graphql.GetOperationContext(ctx), field.Selections, []string{class.Type + "Edge", "HuntEdge"})
	writers := make([]*columnar.Writer, len(fields))
	for i, f := range fields {
		if f.Name == "node" {
			writers[i] = newWriter(compileSelection(ctx, f.Selections, class))
		}
	}
	return list(c.Page, func(b []byte, in *exec.Rows, row, number int) []byte {
		for i, f := range fields {
			b = append(b, ",{"[min(1, max(0, 1-i))])
			b = append(columnar.AppendString(b, f.Alias), ':')
			switch {
			case writers[i] != nil:
				b = writers[i].Append(b, in, row)
			case f.Name == "cursor":
				b = columnar.AppendString(b, c.Cursor(columnar.Key(in, row), number))
			default:
				b = columnar.AppendString(b, field.Definition.Type.Name())
			}
		}
		return append(b, '}')
	})
}

// flushAt is how many bytes are gathered before they are written.
const flushAt = 60 << 10

// list writes every row of a page with one function, which gets the place of the row in its batch and its number within the page.
func list(page *exec.Page, row func(b []byte, in *exec.Rows, row, number int) []byte) graphql.Marshaler {
	return graphql.WriterFunc(func(out io.Writer) {
		b := append(make([]byte, 0, flushAt+4096), '[')
		n := 0
		for i := range page.Rows {
			in := &page.Rows[i]
			for at := in.From; at < in.To; at++ {
				if n > 0 {
					b = append(b, ',')
				}
				if b = row(b, in, at, n); len(b) > flushAt {
					_, _ = out.Write(b)
					b = b[:0]
				}
				n++
			}
		}
		_, _ = out.Write(append(b, ']'))
	})
}
