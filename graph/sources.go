package graph

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/sosodev/duration"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/plan"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Sources lists connections.
func (q *queryResolver) Sources(ctx context.Context, tenants []string) ([]*model.Source, error) {
	who, err := access.From(ctx)
	if err != nil {
		return nil, err
	}
	if tenants == nil {
		tenants = who.Tenants
	}
	if tenants, err = who.Scope(tenants); err != nil {
		return nil, err
	}
	out := []*model.Source{}
	for _, d := range q.Engine.Describe(ctx, tenants) {
		out = append(out, sourceOf(d))
	}
	return out, nil
}

func sourceOf(d exec.Described) *model.Source {
	out := &model.Source{
		Tenant: d.Ref.Tenant, Connection: d.Ref.Connection, Connector: d.Kind, Healthy: d.Err == nil, State: model.SourceState(d.Health.State), Error: errorOf(d.Err),
		Health: healthOf(d.Health), Notes: []string{}, Denied: []*model.DeniedPermission{}, Limits: []*model.SourceLimit{}, Quota: []*model.SourceQuota{},
		Streams: []*model.SourceStream{},
	}
	if d.Description != nil {
		describe(out, d)
	}
	return out
}

// describe adds what the connection says of itself.
func describe(out *model.Source, d exec.Described) {
	desc := d.Description
	out.Version, out.Backend, out.ClockSkewMs = text(desc.Version), text(desc.Backend), desc.ClockSkew.Milliseconds()
	out.Notes = append(out.Notes, desc.Notes...)
	for _, x := range desc.Denied {
		out.Denied = append(out.Denied, &model.DeniedPermission{Action: x.Action, Object: x.Object, Message: x.Message})
	}
	for _, l := range desc.Limits {
		out.Limits = append(out.Limits, limitOf(l))
	}
	for _, q := range desc.Quota {
		out.Quota = append(out.Quota, &model.SourceQuota{Name: q.Name, Left: q.Left, Of: known(q.Of), Resets: dateTime(q.Reset)})
	}
	if a := desc.Artifact; a != nil {
		out.Plugin = &model.SourcePlugin{Name: a.Name, Version: a.Version, Digest: a.Digest, Protocol: a.Protocol, Restarts: a.Restarts, Confined: text(a.Confined), Egress: a.Egress}
	}
	for i := range desc.Streams {
		out.Streams = append(out.Streams, streamOf(d, &desc.Streams[i]))
	}
}

func healthOf(h wrap.Health) *model.SourceHealth {
	return &model.SourceHealth{
		LastSuccess: moment(h.LastSuccess), LastError: errorOf(h.LastError), LastErrorAt: moment(h.LastErrorAt), Failures: h.Failures, RetryAt: moment(h.RetryAt),
		ThrottledUntil: moment(h.ThrottledUntil), Running: int(h.InFlight), Searches: h.Searches, Retries: h.Retries, Rows: h.Rows,
		Shared: h.Shared, Cached: h.Cached, Abandoned: h.Abandoned,
	}
}

func limitOf(l hunt.Limit) *model.SourceLimit {
	out := &model.SourceLimit{Scope: model.LimitScope(l.Scope), Key: text(l.Key), PerMs: known(l.Per.Milliseconds())}
	if l.Concurrent > 0 {
		out.Concurrent = &l.Concurrent
	}
	if l.Searches > 0 {
		out.Searches = &l.Searches
	}
	return out
}

// known is null for 0, which stands for what a source does not say.
func known(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}

// dateTime is null for 0.
func dateTime(us int64) *model.DateTime { return (*model.DateTime)(known(us)) }

// moment is null for the zero time.
func moment(t time.Time) *model.DateTime {
	if t.IsZero() {
		return nil
	}
	return dateTime(t.UnixMicro())
}

func streamOf(d exec.Described, s *hunt.Stream) *model.SourceStream {
	out := &model.SourceStream{
		Name: s.Name, Class: model.ClassUID(ocsf.ClassCaption(s.Class.UID)), Untimed: s.Untimed, Attributes: slices.Sorted(maps.Keys(s.Attributes)),
		Watermark: dateTime(s.Watermark), LagMs: known(s.Lag.Milliseconds()), Ceiling: known(int64(s.Ceiling)), Ask: func() ([]*model.AttributeSupport, error) { return supportOf(d, s) },
	}
	if s.Time != nil {
		out.TimeRange = rangeOf(*s.Time)
	}
	if s.Rows >= 0 {
		out.Rows = &s.Rows
	}
	if s.Retention > 0 {
		out.Retention = text(periodOf(s.Retention))
	}
	return out
}

// periodOf writes a duration in ISO 8601, in days where these are whole: that is how people speak of retention.
func periodOf(d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		return fmt.Sprintf("P%dD", d/day)
	}
	return duration.Format(d)
}

// supportOf groups what a source makes of each operator by attribute.
func supportOf(d exec.Described, s *hunt.Stream) ([]*model.AttributeSupport, error) {
	list, err := plan.SupportOf(plan.Source{Ref: d.Ref, Description: d.Description, Translate: d.Connector.Translate}, s)
	if err != nil {
		return nil, err
	}
	out := []*model.AttributeSupport{}
	for _, p := range list {
		if len(out) == 0 || out[len(out)-1].Path != p.Path {
			out = append(out, &model.AttributeSupport{Path: p.Path})
		}
		last := out[len(out)-1]
		last.Operators = append(last.Operators, &model.OperatorSupport{Operator: p.Op.String(), CaseSensitive: p.CaseSensitive, Disposition: model.Disposition(p.Disposition.String()), Reason: text(p.Reason)})
	}
	return out, nil
}
