package graph

import (
	"cmp"
	"context"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// huntArgs converts a HuntInput. Exactly one way to match, one step and one class are given; gqlparser does not check @oneOf in
// variables, so it is checked here.
func huntArgs(in map[string]any) (model.EventArgs, error) {
	var a model.EventArgs
	match, name, err := oneOf(asMap(in["match"]), "input.match")
	if err != nil {
		return a, err
	}
	steps := asList(match)
	if name != "steps" || len(steps) != 1 {
		return a, bad("input.match.steps", "%d steps; this version takes one", len(steps))
	}
	event, root, err := oneOf(asMap(asMap(steps[0])["event"]), "input.match.steps[0].event")
	if err != nil {
		return a, err
	}
	class := ocsf.ByRoot(root)
	if class == nil {
		return a, bad("input.match.steps[0].event", "no class %q", root)
	}
	a.Class = class.UID
	a.TimeRange, a.Where = asMap(in["timeRange"]), asMap(event)
	a.Tenants, a.Connections = asStrings(in["tenants"]), asStrings(in["connections"])
	order, _ := in["orderBy"].(string)
	onFail, _ := in["onSourceFailure"].(string)
	a.Order = cmp.Or(model.EventOrder(order), model.EventOrderTimeAsc)
	a.OnFailure = cmp.Or(model.OnSourceFailure(onFail), model.OnSourceFailurePartial)
	switch { // gqlparser takes enum values in variables in any case
	case !a.Order.IsValid():
		return a, bad("input.orderBy", "%q is no order; use TIME_ASC or TIME_DESC", order)
	case !a.OnFailure.IsValid():
		return a, bad("input.onSourceFailure", "%q is not PARTIAL or FAIL", onFail)
	}
	return a, nil
}

// huntRequest is request for a HuntInput: errors have the paths of that.
func (r *Resolver) huntRequest(ctx context.Context, a model.EventArgs) (*request, error) {
	req, err := r.request(ctx, "hunt", a)
	if err == nil {
		return req, nil
	}
	e := *hunt.AsError(err, hunt.Internal)
	switch head, rest, _ := strings.Cut(e.Path, "."); {
	case head == "timeRange" || head == "tenants" || head == "connections":
		e.Path = "input." + e.Path
	case strings.HasPrefix(e.Path, "where."):
		e.Path = "input.match.steps[0].event." + ocsf.ByUID(a.Class).Root + "." + rest
	}
	return nil, &e
}

// oneOf returns the one key of an input object.
func oneOf(in map[string]any, path string) (any, string, error) {
	if len(in) != 1 {
		return nil, "", bad(path, "exactly one field must be given, not %d", len(in))
	}
	for k, v := range in {
		if v == nil {
			return nil, "", bad(path+"."+k, "null is no value here")
		}
		return v, k, nil
	}
	return nil, "", nil
}

// Hunt answers one page of a hunt by variables.
func (q *queryResolver) Hunt(ctx context.Context, input model.Input, first int, after *string) (*model.HuntConnection, error) {
	a, err := huntArgs(input)
	if err != nil {
		return nil, err
	}
	a.First, a.After = first, after
	req, err := q.huntRequest(ctx, a)
	if err != nil {
		return nil, err
	}
	page, err := q.answer(ctx, req, first)
	if err != nil {
		return nil, err
	}
	return &model.HuntConnection{Connection: page}, nil
}

// ExplainHunt plans a hunt and runs nothing.
func (q *queryResolver) ExplainHunt(ctx context.Context, input model.Input) (*model.HuntPlan, error) {
	a, err := huntArgs(input)
	if err != nil {
		return nil, err
	}
	req, err := q.huntRequest(ctx, a)
	if err != nil {
		return nil, err
	}
	return planOf(q.Engine.Plan(ctx, req.query)), nil
}

// Node finds an event by its global id, within what the caller may see.
func (q *queryResolver) Node(ctx context.Context, id string) (model.Node, error) {
	class, key, ok := parseEventID(id)
	if !ok {
		return nil, bad("id", "no global id; ids come from earlier answers")
	}
	uid, err := hunt.NewPredicate(class.Column(ocsf.ColUID), hunt.Eq, true, hunt.String(key.UID))
	if err != nil {
		return nil, err
	}
	req, err := q.request(ctx, "node", model.EventArgs{
		Class: class.UID, Tenants: []string{key.Tenant}, Connections: []string{key.Connection},
		TimeRange: map[string]any{"start": hunt.FormatTime(key.Time), "end": hunt.FormatTime(key.Time + 1)},
	})
	if err != nil {
		if e := hunt.AsError(err, ""); e.Code == hunt.UnknownTenant || e.Path == "connections" {
			return nil, nil
		}
		return nil, err
	}
	req.query.Where = uid
	req.query.Columns = compileSelection(ctx, graphql.GetFieldContext(ctx).Field.Selections, class).Columns()
	page := q.Engine.Page(ctx, req.query, 1)
	mirrorErrors(ctx, page.Coverage)
	if page.Count == 0 {
		return nil, nil
	}
	return columnarNode{page}, nil
}
