package okta

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

const (
	retention = 90 * 24 * time.Hour // how long Okta keeps events
	// horizon is how far back requests go at most: further than Okta keeps events, and less than the 180 days at which it refuses.
	horizon = 100 * 24 * time.Hour
	// Okta does not say how long a URL may be; RFC 9110 section 4.1 asks everybody for 8,000 bytes. Both are of the escaped text.
	mostClause = 2000
	mostFilter = 6000
)

// query is a request in Okta's form.
type query struct {
	since, until int64 // milliseconds
	descending   bool
	limit        int
	filter       clause // never: nothing is asked
	predicates   []hunt.Disposed
	clauses      map[*hunt.Predicate]clause
	exact        bool // Okta evaluates the whole condition
	narrow       bool // and it is asked for the class, so that most events of a page are rows
}

// Translate implements hunt.Connector. Native is the request that is sent, without the escapes of URLs. A predicate is EXACT where the
// filter holds for the same events, WIDENED where it holds for more, and LOCAL where Okta cannot be asked. The error is NOT_FOUND for a
// stream that there is not.
func (o *Okta) Translate(r hunt.Request) (*hunt.Translation, error) {
	q, err := o.query(&r)
	if err != nil {
		return nil, o.fail("okta: translate", err)
	}
	return &hunt.Translation{Request: r, Native: q.native(), Predicates: q.predicates}, nil
}

// query translates a request. It does no I/O; the clock is asked only to keep the range within what Okta accepts.
func (o *Okta) query(r *hunt.Request) (*query, *hunt.Error) {
	stream := o.model.stream(r.Stream, r.Class)
	if stream == nil {
		return nil, hunt.Errorf(hunt.NotFound, "there is no stream %s of that class; Describe lists them", strconv.Quote(r.Stream))
	}
	q := &query{descending: r.Order == hunt.TimeDesc, clauses: map[*hunt.Predicate]clause{}}
	negated := negatedIn(r.Where, false)
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		d := o.model.dispose(stream, p)
		if negated[p] && d.Disposition < hunt.Local {
			d.Disposed = hunt.Disposed{Predicate: p, Disposition: hunt.Local, Reason: "negations are not asked of Okta: for events without the field it does not say what they are"}
		}
		q.predicates = append(q.predicates, d.Disposed)
		q.clauses[p] = d.clause
	})
	q.where(r, o.model.classes[r.Class.Name])
	q.within(r, o.options.Now())
	q.page(r, o.cfg.PageSize)
	return q, nil
}

// negatedIn returns the predicates under a negation.
func negatedIn(e hunt.Expr, negated bool) map[*hunt.Predicate]bool {
	out := map[*hunt.Predicate]bool{}
	add := func(inner hunt.Expr, negated bool) {
		for p := range negatedIn(inner, negated) {
			out[p] = true
		}
	}
	switch e := e.(type) {
	case hunt.And:
		for _, x := range e {
			add(x, negated)
		}
	case hunt.Or:
		for _, x := range e {
			add(x, negated)
		}
	case hunt.Some:
		add(e.Expr, negated)
	case hunt.Not:
		add(e.Expr, true)
	case *hunt.Predicate:
		if negated {
			out[e] = true
		}
	}
	return out
}

// disposed is a predicate with its disposition and what Okta is asked for it.
type disposed struct {
	hunt.Disposed
	clause clause
}

// dispose reads a predicate backwards through every rule of the class and writes what Okta can be asked.
func (m *model) dispose(stream *hunt.Stream, p *hunt.Predicate) disposed {
	d := disposed{Disposed: hunt.Disposed{Predicate: p, Disposition: hunt.Impossible}}
	if !stream.Provides(p.Path) {
		d.Reason = "LogEvents of " + stream.Class.Name + " have no " + p.Path
		return d
	}
	var exact bool
	d.clause, exact = m.clauseOf(m.mapping.Invert(stream.Class, p), p.CaseSensitive)
	switch {
	case len(url.QueryEscape(d.clause.text)) > mostClause:
		d.clause = clause{}
		d.Disposition, d.Reason = hunt.Local, "it has more values than fit into a URL"
	case exact:
		d.Disposition = hunt.Exact
	case d.clause.every():
		d.Disposition, d.Reason = hunt.Local, "no filter of Okta says this of "+m.mapping.Explain(stream.Class, p)
	default:
		d.Disposition, d.Reason = hunt.Widened, widened(d.clause)
	}
	return d
}

// widened says why a clause holds for more events than the predicate.
func widened(c clause) string {
	if strings.HasSuffix(c.text, " pr") && !c.or {
		return "Okta is asked whether there is a value; no filter says more of it"
	}
	return "the filter holds for more events: Okta does not say whether it looks at case, and a column may be a part of its field"
}

// clauseOf joins what the rules of a class ask. It is exact if every rule asks exactly the same.
func (m *model) clauseOf(rules []mapping.Inverse, caseSensitive bool) (clause, bool) {
	var list []clause
	exact := true
	for _, rule := range rules {
		c, same := m.ask(rule.Tests, caseSensitive)
		exact = exact && rule.Exact && same
		if len(list) > 0 && c != list[0] {
			exact = false
		}
		if len(list) == 0 || c != list[len(list)-1] {
			list = append(list, c)
		}
	}
	return anyOf(list...), exact
}

// where makes the filter: the class, and what may be asked of the condition. One that is too long is not sent at all.
func (q *query) where(r *hunt.Request, class clause) {
	q.filter = allOf(class, q.write(hunt.Push(r.Where, q.of())))
	if len(url.QueryEscape(q.filter.text)) > mostFilter {
		for i, d := range q.predicates {
			if d.Disposition != hunt.Impossible {
				q.predicates[i] = hunt.Disposed{Predicate: d.Predicate, Disposition: hunt.Local, Reason: "the whole filter does not fit into a URL"}
			}
		}
		q.filter = class
	}
	q.exact = hunt.IsTrue(hunt.Residual(r.Where, q.of()))
	q.narrow = q.exact && !class.every()
}

func (q *query) of() func(*hunt.Predicate) hunt.Disposition {
	t := hunt.Translation{Predicates: q.predicates}
	return t.Of()
}

// write writes what hunt.Push left of a condition.
func (q *query) write(e hunt.Expr) clause {
	switch e := e.(type) {
	case hunt.And:
		return allOf(q.writeAll(e)...)
	case hunt.Or:
		return anyOf(q.writeAll(e)...)
	case hunt.Some:
		return q.write(e.Expr) // wider: the values may be of different elements
	case hunt.Not:
		return q.write(e.Expr).not()
	case *hunt.Predicate:
		return q.clauses[e]
	}
	return clause{}
}

func (q *query) writeAll(list []hunt.Expr) []clause {
	out := make([]clause, len(list))
	for i, e := range list {
		out[i] = q.write(e)
	}
	return out
}

// within makes since and until: whole milliseconds, one more on both sides because Okta does not say whether the bounds are within.
func (q *query) within(r *hunt.Request, now time.Time) {
	start, end := r.Range.Start, r.Range.End
	if r.After != nil && q.descending {
		end = min(end, r.After.Time+1)
	} else if r.After != nil {
		start = max(start, r.After.Time)
	}
	day := now.UTC().Truncate(24 * time.Hour)
	start = max(start, day.Add(-horizon).UnixMicro())
	end = min(end, day.Add(48*time.Hour).UnixMicro()) // nothing has happened yet that late
	if start >= end || start > now.UnixMicro() {
		q.filter = clause{never: true}
		return
	}
	q.since, q.until = start/1000-1, (end-1)/1000+1
}

// page makes the size of the pages. A hunt for few rows gets small pages only if most events of a page are rows; one more, because the
// event that the request comes after is read again.
func (q *query) page(r *hunt.Request, size int) {
	q.limit = size
	if r.Limit > 0 && q.narrow {
		q.limit = min(size, r.Limit+1)
	}
}

// parameters returns the parameters of the request in the order in which people read them.
func (q *query) parameters() [][2]string {
	order := "ASCENDING"
	if q.descending {
		order = "DESCENDING"
	}
	out := [][2]string{{"since", instant(q.since)}, {"until", instant(q.until)}, {"sortOrder", order}, {"limit", strconv.Itoa(q.limit)}}
	if q.filter.text != "" {
		out = append(out, [2]string{"filter", q.filter.text})
	}
	return out
}

// native writes the request for people.
func (q *query) native() string {
	if q.filter.never {
		return "nothing is asked: no event that Okta keeps can satisfy the hunt"
	}
	text, separator := "GET "+logsPath, "?"
	for _, p := range q.parameters() {
		text += separator + p[0] + "=" + p[1]
		separator = "&"
	}
	return text
}

// url writes the request for Okta.
func (q *query) url(base *url.URL) *url.URL {
	values := url.Values{}
	for _, p := range q.parameters() {
		values.Set(p[0], p[1])
	}
	return base.ResolveReference(&url.URL{Path: logsPath, RawQuery: values.Encode()})
}

func instant(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}
