package graph

import (
	"time"

	"github.com/harrier-xdr/harrier/graph/model"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/plan"
)

// coverageOf converts coverage; rows is the number of events of the answer.
func coverageOf(c *hunt.Coverage, r hunt.TimeRange, rows int64) *model.Coverage {
	out := &model.Coverage{Verdict: model.Verdict(c.Verdict(rows)), Complete: c.Complete(), TimeRange: rangeOf(r), Connections: []*model.CoverageLine{}}
	for i := range c.Lines {
		out.Connections = append(out.Connections, lineOf(&c.Lines[i]))
	}
	return out
}

func rangeOf(r hunt.TimeRange) *model.TimeRange {
	return &model.TimeRange{Start: model.DateTime(r.Start), End: model.DateTime(r.End)}
}

func lineOf(l *hunt.Line) *model.CoverageLine {
	out := &model.CoverageLine{
		Tenant: l.Tenant, Connection: l.Connection, Stream: l.Stream, State: model.CoverageState(l.State), Reason: text(l.Reason),
		Missing: append([]string{}, l.Missing...), RowsReturned: l.RowsReturned, Duplicates: l.Duplicates, Untimed: l.Untimed,
		Rejected: l.Rejected, PartsFailed: l.PartsFailed, Notes: append([]string{}, l.Notes...), Rejects: []*model.RejectedRecord{}, Parts: []*model.FailedPart{}, Truncated: l.Truncated,
		NulledFirst: text(l.NulledFirst), Native: text(l.Native), Dispositions: dispositionsOf(l.Dispositions), Error: errorOf(l.Err),
		ThrottledMs: l.Throttled.Milliseconds(), TookMs: float64(l.Took) / float64(time.Millisecond),
	}
	if l.Searched != (hunt.TimeRange{}) {
		out.Searched = rangeOf(l.Searched)
	}
	if l.Kept != nil {
		out.Kept = rangeOf(*l.Kept)
	}
	if l.Watermark != 0 {
		out.Watermark = (*model.DateTime)(&l.Watermark)
	}
	if l.RowsScanned >= 0 {
		out.RowsScanned = &l.RowsScanned
	}
	if l.Nulled >= 0 {
		out.Nulled = &l.Nulled
	}
	for _, r := range l.Rejects {
		out.Rejects = append(out.Rejects, &model.RejectedRecord{Part: r.Part, Offset: r.Offset, Count: r.Count, Reason: r.Reason})
	}
	for _, p := range l.Parts {
		out.Parts = append(out.Parts, &model.FailedPart{Part: p.Part, Error: errorOf(p.Err)})
	}
	return out
}

// text is null for an empty text.
func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func dispositionsOf(list []hunt.Disposed) []*model.PredicateDisposition {
	out := []*model.PredicateDisposition{}
	for _, d := range list {
		out = append(out, &model.PredicateDisposition{Predicate: d.Predicate.String(), Disposition: model.Disposition(d.Disposition.String()), Reason: text(d.Reason)})
	}
	return out
}

func errorOf(e *hunt.Error) *model.SourceError {
	if e == nil {
		return nil
	}
	out := &model.SourceError{Code: string(e.Code), Message: e.Error(), Retryable: e.Retryable}
	if e.RetryAfter > 0 {
		ms := e.RetryAfter.Milliseconds()
		out.RetryAfterMs = &ms
	}
	return out
}

func planOf(p *plan.Plan) *model.HuntPlan {
	out := &model.HuntPlan{Text: p.String(), TimeRange: rangeOf(p.Query.Range), Where: p.Query.Where.String(), Steps: []*model.PlannedStream{}}
	for _, s := range p.Steps {
		st := &model.PlannedStream{
			Tenant: s.Ref.Tenant, Connection: s.Ref.Connection, Stream: s.Stream, State: model.CoverageState(s.State),
			Reason: text(s.Reason), Missing: append([]string{}, s.Missing...), Dispositions: dispositionsOf(nil), Error: errorOf(s.Err),
		}
		if s.Translation != nil {
			st.Native, st.Dispositions = text(s.Translation.Native), dispositionsOf(s.Translation.Predicates)
		}
		if !hunt.IsTrue(s.Residual) {
			st.Residual = text(s.Residual.String())
		}
		out.Steps = append(out.Steps, st)
	}
	return out
}
