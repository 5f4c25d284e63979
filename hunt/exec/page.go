package exec

import (
	"context"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// Rows is a run of rows of one stream, with what is the same in all of them.
type Rows struct {
	vector.Run
	Ref    hunt.ConnectionRef
	Stream string
}

// Page is one page of an answer.
type Page struct {
	Plan      *plan.Plan
	Rows      []Rows // in the order of the query
	Count     int
	HasNext   bool      // the next page has a row
	Last      *hunt.Key // of the last row, nil if there is none
	Coverage  *hunt.Coverage
	Snapshots map[hunt.ConnectionRef]string // what the page shows; later pages of the hunt pin it
}

// ReadPage runs a plan for its first rows. The plan's limit must be one more than first, so that HasNext is true only if there is a
// next row.
func ReadPage(ctx context.Context, p *plan.Plan, first int, o Options) *Page {
	e := Start(ctx, p, o)
	page := e.NewPage()
	page.fill(e, first)
	e.Close()
	page.Coverage = e.Coverage()
	return page
}

// NewPage makes an empty page of an execution, for callers that fill it themselves.
func (e *Execution) NewPage() *Page { return &Page{Plan: e.plan, Snapshots: e.plan.Snapshots} }

// fill takes rows until the page is full and one row more has been seen.
func (page *Page) fill(e *Execution, first int) {
	for run := range e.Rows() {
		n := min(run.To-run.From, first-page.Count)
		page.HasNext = n < run.To-run.From
		if n > 0 {
			run.To = run.From + n
			page.Add(e, run)
		}
		if page.HasNext {
			return
		}
	}
}

// Add appends a run of the execution's rows and counts them as returned.
func (page *Page) Add(e *Execution, run vector.Run) {
	s := e.streams[run.Source]
	n := run.To - run.From
	s.rows += int64(n)
	page.Rows = append(page.Rows, Rows{run, s.step.Ref, s.step.Stream})
	page.Count += n
	last := page.key(len(page.Rows)-1, run.To-1)
	page.Last = &last
}

// First returns the key of the first row of a page that has one.
func (page *Page) First() hunt.Key { return page.key(0, page.Rows[0].From) }

func (page *Page) key(run, row int) hunt.Key {
	r := page.Rows[run]
	us, uid := vector.KeyAt(r.Record, row)
	return hunt.Key{Time: us, Tenant: r.Ref.Tenant, Connection: r.Ref.Connection, UID: uid}
}
