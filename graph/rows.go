package graph

import (
	"context"
	"io"
	"runtime"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"github.com/harrier-xdr/harrier/graph/columnar"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// appendRow appends a row as JSON: the one at a place of its batch, which is the number-th of its page.
type appendRow func(b []byte, in *exec.Rows, row, number int) []byte

func newWriter(p *columnar.Plan) *columnar.Writer {
	return columnar.NewWriter(p, func(k hunt.Key) string { return eventID(p.Class(), k) })
}

// rows writes the list field nodes, edges or events.
func rows(ctx context.Context, c *model.Connection, field graphql.CollectedField) graphql.Marshaler {
	class := c.Page.Plan.Query.Class
	if field.Name == "edges" {
		return list(c.Page, edges(ctx, c, field, class))
	}
	plan := compileSelection(ctx, field.Selections, class)
	return list(c.Page, func() appendRow {
		w := newWriter(plan)
		return func(b []byte, in *exec.Rows, row, _ int) []byte { return w.Append(b, in, row) }
	})
}

// edges makes functions that append rows with their cursors.
func edges(ctx context.Context, c *model.Connection, field graphql.CollectedField, class *ocsf.Class) func() appendRow {
	fields := graphql.CollectFields(graphql.GetOperationContext(ctx), field.Selections, []string{class.Type + "Edge", "HuntEdge"})
	plans := make([]*columnar.Plan, len(fields))
	for i, f := range fields {
		if f.Name == "node" {
			plans[i] = compileSelection(ctx, f.Selections, class)
		}
	}
	return func() appendRow {
		writers := make([]*columnar.Writer, len(fields))
		for i, p := range plans {
			if p != nil {
				writers[i] = newWriter(p)
			}
		}
		return func(b []byte, in *exec.Rows, row, number int) []byte {
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
		}
	}
}

// Bounds of how a list is written.
const (
	partRows = 512      // of a part that is worth a goroutine of its own
	flushAt  = 60 << 10 // bytes that are gathered before they are written, where there is one part
	rowsLike = 64       // the first rows of a part, which the others are likely to be as large as
	foreseen = 8 << 20  // bytes that are made room for at most, because a few long rows must not take what all would need
)

// list writes every row of a page, in parts that are made at the same time if there are many: it is most of the work of a large answer.
// fresh makes a function for one goroutine.
func list(page *exec.Page, fresh func() appendRow) graphql.Marshaler {
	return graphql.WriterFunc(func(out io.Writer) {
		parts := max(1, min(runtime.GOMAXPROCS(0), page.Count/partRows))
		_, _ = out.Write([]byte{'['})
		if parts == 1 {
			_, _ = out.Write(part{page, 0, page.Count}.text(fresh(), out))
		} else {
			inParts(page, parts, fresh, out)
		}
		_, _ = out.Write([]byte{']'})
	})
}

// inParts writes equal parts of a page, in order. All have ended when it returns, and a panic in one of them is the caller's.
func inParts(page *exec.Page, parts int, fresh func() appendRow, out io.Writer) {
	type made struct {
		text  []byte
		fault any
	}
	done := make([]chan made, parts)
	for i := range parts {
		done[i] = make(chan made, 1)
		go func() {
			var m made
			defer func() {
				m.fault = recover()
				done[i] <- m
			}()
			m.text = part{page, i * page.Count / parts, (i + 1) * page.Count / parts}.text(fresh(), nil)
		}()
	}
	var fault any
	for _, each := range done {
		m := <-each
		switch {
		case m.fault != nil:
			fault = m.fault
		case fault == nil:
			_, _ = out.Write(m.text)
		}
	}
	if fault != nil {
		panic(fault)
	}
}

// part is some rows of a page, given by their numbers.
type part struct {
	page     *exec.Page
	from, to int
}

// text writes the rows. What is gathered goes to out early, if there is one; else there is soon room for all of it.
func (p part) text(row appendRow, out io.Writer) []byte {
	b := make([]byte, 0, flushAt+4096)
	number := 0 // of the first row of a run
	for i := range p.page.Rows {
		in := &p.page.Rows[i]
		first, n := number, in.To-in.From
		number += n
		for k := max(p.from, first); k < min(p.to, first+n); k++ {
			if k > 0 {
				b = append(b, ',')
			}
			b = row(b, in, in.From+k-first, k)
			switch done := k + 1 - p.from; {
			case out != nil && len(b) > flushAt:
				_, _ = out.Write(b)
				b = b[:0]
			case out == nil && done == rowsLike:
				b = slices.Grow(b, min(len(b)*(p.to-p.from-done)/done*9/8, foreseen))
			}
		}
	}
	return b
}
