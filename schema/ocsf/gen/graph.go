package main

import (
	"bytes"
	"fmt"

	"github.com/99designs/gqlgen/codegen/templates"
)

// resolvers writes the one-line resolvers of the class root fields.
func resolvers(m *model) []byte {
	var b bytes.Buffer
	b.WriteString(header + "package graph\n\nimport (\n\t\"context\"\n\n\t\"github.com/harrier-xdr/harrier/graph/model\"\n\t\"github.com/harrier-xdr/harrier/schema/ocsf\"\n)\n")
	for _, c := range m.classes {
		fmt.Fprintf(&b, "\nfunc (q *queryResolver) %s(ctx context.Context, timeRange model.Input, tenants, connections []string, orderBy model.EventOrder, first int, after *string, onSourceFailure model.OnSourceFailure, where model.Input) (*model.%sConnection, error) {\n", templates.ToGo(c.Root), templates.ToGo(c.Type))
		fmt.Fprintf(&b, "\tpage, err := q.page(ctx, model.EventArgs{Class: ocsf.%s, TimeRange: timeRange, Where: where, Tenants: tenants, Connections: connections, Order: orderBy, First: first, After: after, OnFailure: onSourceFailure})\n", c.Type)
		fmt.Fprintf(&b, "\tif err != nil {\n\t\treturn nil, err\n\t}\n\treturn &model.%sConnection{Connection: page}, nil\n}\n", templates.ToGo(c.Type))
	}
	return b.Bytes()
}

// connections writes the Go types of the connections and edges.
func connections(m *model) []byte {
	var b bytes.Buffer
	b.WriteString(header + "package model\n")
	for _, c := range m.classes {
		name := templates.ToGo(c.Type)
		fmt.Fprintf(&b, "\n// %sConnection is the GraphQL type of that name. Nodes and Edges are filled by the stock path alone; see Connection.\ntype %sConnection struct {\n\t*Connection\n\tNodes []*%s\n\tEdges []*%sEdge\n}\n", name, name, name, name)
		fmt.Fprintf(&b, "\n// %sEdge is the GraphQL type of that name.\ntype %sEdge struct {\n\tCursor string\n\tNode *%s\n}\n", name, name, name)
	}
	return b.Bytes()
}
