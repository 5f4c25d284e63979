package graph

import (
	"context"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/graph/generated"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Resolver is the root of the resolvers. Make it by filling its fields; it is safe for concurrent use.
type Resolver struct {
	Engine *exec.Engine
	// CursorKey signs cursors; gateways that share clients share it. At least 32 random bytes.
	CursorKey []byte
	// Now is the clock that `last` is resolved with.
	Now func() time.Time
	// OnFault is told of defects that became INTERNAL errors, with the stack; nil to drop them.
	OnFault OnFault
}

var _ generated.ResolverRoot = (*Resolver)(nil)

// Query returns the resolvers of the query type.
func (r *Resolver) Query() generated.QueryResolver { return &queryResolver{r} }

// Subscription returns the resolvers of the subscription type.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return &subscriptionResolver{r} }

type queryResolver struct{ *Resolver }

type subscriptionResolver struct{ *Resolver }

// request is an event list that was asked for, ready to plan.
type request struct {
	id     *identity
	query  *hunt.Query
	after  *cursor // nil for the first page
	onFail model.OnSourceFailure
}

// maxFirst is the largest page.
const maxFirst = 10000

// request checks the arguments of an event list and turns them into a query.
func (r *Resolver) request(ctx context.Context, field string, a model.EventArgs) (*request, error) {
	who, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	tenants, err := who.Scope(a.Tenants)
	if err != nil {
		return nil, err
	}
	if a.First < 0 || a.First > maxFirst {
		return nil, bad("first", "first is %d; it takes 0 to %d", a.First, maxFirst)
	}
	if err := r.knowsConnections(tenants, a.Connections); err != nil {
		return nil, err
	}
	class := ocsf.ByUID(a.Class)
	where, err := condition(class, a.Where, "where")
	if err != nil {
		return nil, err
	}
	out := &request{
		id:     &identity{field, who.Name, tenants, a.Connections, a.Class, a.TimeRange, a.Where, string(a.Order)},
		query:  &hunt.Query{Class: class, Where: where, Order: order(a.Order), Tenants: tenants, Connections: a.Connections},
		onFail: a.OnFailure,
	}
	if out.query.Range, err = timeRange(a.TimeRange, r.Now(), "timeRange"); err != nil {
		return nil, err
	}
	return out, out.resume(r.signer(), a.After)
}

// knowsConnections refuses names that no connection of the tenants has: a hunt of nothing would pass for a complete one.
func (r *Resolver) knowsConnections(tenants, names []string) error {
	if names != nil && len(names) == 0 {
		return bad("connections", "the list of connections is empty; leave it out to search all")
	}
	for _, name := range names {
		if !r.Engine.Has(tenants, name) {
			return bad("connections", "no connection %q in the tenants that are searched", name)
		}
	}
	return nil
}

// resume continues after a cursor: with its absolute range and on what its first page saw.
func (q *request) resume(s signer, after *string) error {
	if after == nil {
		return nil
	}
	c, err := s.open(q.id, *after)
	if err != nil {
		return err
	}
	q.after = c
	q.query.Range, q.query.After, q.query.Snapshots = c.Range, &c.Key, snapshotRefs(c.Snapshots)
	return nil
}

// before is how many rows came before the cursor.
func (q *request) before() int64 {
	if q.after == nil {
		return 0
	}
	return q.after.Rows
}

// gaps says whether a page before this one was not complete.
func (q *request) gaps() bool { return q.after != nil && q.after.Gaps }

func (r *Resolver) signer() signer { return signer{r.CursorKey} }

func order(o model.EventOrder) hunt.Order {
	if o == model.EventOrderTimeDesc {
		return hunt.TimeDesc
	}
	return hunt.TimeAsc
}

// page answers a class root field.
func (r *Resolver) page(ctx context.Context, a model.EventArgs) (*model.Connection, error) {
	req, err := r.request(ctx, graphql.GetFieldContext(ctx).Field.Name, a)
	if err != nil {
		return nil, err
	}
	return r.answer(ctx, req, a.First)
}

// answer runs a request for one page.
func (r *Resolver) answer(ctx context.Context, req *request, first int) (*model.Connection, error) {
	req.query.Columns = selectedColumns(ctx, req.query.Class)
	page := r.Engine.Page(ctx, req.query, first)
	if err := failure(req, page.Coverage); err != nil {
		return nil, err
	}
	mirrorErrors(ctx, page.Coverage)
	return r.connection(req, page), nil
}

// failure is the error of a caller that wants all or nothing.
func failure(req *request, c *hunt.Coverage) error {
	if req.onFail != model.OnSourceFailureFail {
		return nil
	}
	for i := range c.Lines {
		if l := &c.Lines[i]; l.Err != nil {
			return &hunt.Error{Code: hunt.SourceFailureFatal, Source: l.Tenant + "/" + l.Connection, Message: "a source failed and the hunt asked for all or nothing: " + l.Err.Error(), Retryable: l.Err.Retryable, Cause: l.Err}
		}
	}
	return nil
}

// connection makes the GraphQL connection of a page.
func (r *Resolver) connection(req *request, page *exec.Page) *model.Connection {
	before := req.before()
	snapshots, gaps := snapshotText(page.Snapshots), req.gaps() || !page.Coverage.Complete()
	seal := func(k hunt.Key, rows int64) string {
		return r.signer().seal(req.id, &cursor{Range: req.query.Range, Key: k, Rows: rows, Snapshots: snapshots, Gaps: gaps})
	}
	known := count(page, before, gaps)
	c := &model.Connection{
		Page: page, PageInfo: &model.PageInfo{HasNextPage: page.HasNext},
		Coverage: coverageOf(page.Coverage, req.query.Range, known.Value), TotalCount: known,
	}
	c.Cursor = func(k hunt.Key, row int) string { return seal(k, before+int64(row)+1) }
	if page.Count > 0 {
		start, end := seal(page.First(), before+1), seal(*page.Last, before+int64(page.Count))
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = &start, &end
	}
	return c
}

// count says how many rows the whole answer has: exactly on its last page if nothing is missing on any, else at least those seen.
func count(page *exec.Page, before int64, gaps bool) *model.Count {
	c := &model.Count{Value: before + int64(page.Count), Accuracy: model.CountAccuracyLowerBound}
	switch {
	case page.HasNext:
		c.Value++
	case !gaps:
		c.Accuracy = model.CountAccuracyExact
	}
	return c
}
