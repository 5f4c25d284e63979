package elastic

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// defaultClauses is below what every cluster takes in one query (indices.query.bool.max_clause_count is 1,024 or more), with room for
// what a search adds.
const defaultClauses = 900

// deepest is how deep conditions are nested that are asked of a cluster, which takes queries of 20 levels and more; what a search adds and
// what one predicate makes of it are some six of them. Conditions of one part make no level.
const deepest = 10

// translate says what becomes of every predicate of a request, in the order of hunt.Walk, and writes one search for every group of
// indices that may hold rows. A predicate is as exact as in the group that is worst at it. The error is a *hunt.Error with code INTERNAL:
// the request is none.
func (s *source) translate(r hunt.Request) ([]nativeSearch, []hunt.Disposed, error) {
	if r.Class == nil {
		return nil, nil, &hunt.Error{Op: "elastic: translate", Code: hunt.Internal, Message: "the request names no class"}
	}
	if r.Where == nil {
		r.Where = hunt.True()
	}
	t := &translation{source: s, request: r, table: map[*hunt.Predicate]asked{}, size: map[*hunt.Predicate]int{}}
	for i := range s.groups {
		t.askers = append(t.askers, newAsker(s, &s.groups[i], r.Class))
	}
	var out []hunt.Disposed
	t.dispose(r.Where, scope{}, func(p *hunt.Predicate) { out = append(out, hunt.Disposed{Predicate: p}) })
	t.fit()
	for i := range out {
		a := t.table[out[i].Predicate]
		out[i].Disposition, out[i].Reason = a.state, a.reason
	}
	return t.searches(), out, nil
}

// translation is the state of translating one request.
type translation struct {
	source  *source
	request hunt.Request
	askers  []*asker
	table   map[*hunt.Predicate]asked // the state, without a query
	size    map[*hunt.Predicate]int   // most clauses that a predicate makes in a group
}

// scope is where in a condition a predicate stands.
type scope struct {
	list  string // the array of objects of which one element is bound, "" for the event
	depth int
}

func (t *translation) dispose(e hunt.Expr, at scope, each func(*hunt.Predicate)) {
	switch e := e.(type) {
	case hunt.And:
		t.disposeAll(e, at, each)
	case hunt.Or:
		t.disposeAll(e, at, each)
	case hunt.Not:
		at.depth++
		t.dispose(e.Expr, at, each)
	case hunt.Some:
		at.depth++
		at.list = e.List
		t.dispose(e.Expr, at, each)
	case *hunt.Predicate:
		each(e)
		t.decide(e, at)
	}
}

func (t *translation) disposeAll(list []hunt.Expr, at scope, each func(*hunt.Predicate)) {
	if len(list) > 1 {
		at.depth++
	}
	for _, x := range list {
		t.dispose(x, at, each)
	}
}

// decide finds the worst of a predicate over the groups. One predicate may stand in a condition twice.
func (t *translation) decide(p *hunt.Predicate, at scope) {
	worst, known := t.table[p]
	if !known {
		worst.state = hunt.Exact
	}
	take := func(a asked) {
		if a.state > worst.state {
			worst = asked{state: a.state, reason: a.reason}
		}
		t.size[p] = max(t.size[p], a.q.clauses)
	}
	switch {
	case t.request.Class.Column(p.Path) == nil:
		take(asked{state: hunt.Impossible, reason: t.request.Class.Name + " has no attribute " + p.Path})
	case !t.source.stream.Provides(p.Path):
		take(asked{state: hunt.Impossible, reason: "the stream " + t.source.stream.Name + " has no " + p.Path})
	case at.depth > deepest:
		take(local("it is nested deeper than the cluster takes a query"))
	default:
		for _, a := range t.askers {
			take(a.predicate(p, at.list))
		}
	}
	t.table[p] = worst
}

// fit leaves out the largest predicates until the query has no more clauses than the cluster takes.
func (t *translation) fit() {
	most := t.source.clauses
	if most == 0 {
		most = defaultClauses
	}
	total, order := 0, []*hunt.Predicate{}
	hunt.Walk(t.request.Where, func(p *hunt.Predicate) {
		if a := t.table[p]; a.pushed() {
			total += t.size[p]
			order = append(order, p)
		}
	})
	slices.SortStableFunc(order, func(a, b *hunt.Predicate) int { return t.size[b] - t.size[a] })
	for _, p := range order {
		if total <= most {
			return
		}
		total -= t.size[p]
		t.table[p] = local("the query would have more clauses than the cluster takes")
	}
}

// of is the disposition of a predicate, for hunt.Push.
func (t *translation) of(p *hunt.Predicate) hunt.Disposition {
	if a, ok := t.table[p]; ok {
		return a.state
	}
	return hunt.Local
}

func (t *translation) searches() []nativeSearch {
	pushed := hunt.Push(t.weaken(t.request.Where), t.of)
	exact := t.source.micros && hunt.IsTrue(hunt.Residual(t.request.Where, t.of)) && hunt.IsTrue(t.source.unasked(t.request))
	var out []nativeSearch
	for i, a := range t.askers {
		parts := []query{a.when(), a.timeRange(t.request.Range), a.expr(pushed, "")}
		if t.source.when != nil {
			parts = append(parts, query{string(t.source.when), 1})
		}
		if q := allOf(parts...); q != matchNone() {
			out = append(out, nativeSearch{Indices: t.source.groups[i].Indices, Query: q.raw(), Exact: exact})
		}
	}
	return out
}

// unasked is what a search has to check itself, And{} if nothing: conditions about the elements of an array that have no predicate in
// them, such as that there is an element at all. The host checks predicates again, and these have none.
func (s *source) unasked(r hunt.Request) hunt.Expr {
	for _, list := range bareLists(r.Where) {
		for i := range s.groups {
			if !newAsker(s, &s.groups[i], r.Class).binds(list) {
				return r.Where
			}
		}
	}
	return hunt.True()
}

// bareLists are the arrays that a condition binds an element of without asking anything of it.
func bareLists(e hunt.Expr) []string {
	var out []string
	switch e := e.(type) {
	case hunt.And:
		for _, x := range e {
			out = append(out, bareLists(x)...)
		}
	case hunt.Or:
		for _, x := range e {
			out = append(out, bareLists(x)...)
		}
	case hunt.Not:
		return bareLists(e.Expr)
	case hunt.Some:
		bare := true
		hunt.Walk(e.Expr, func(*hunt.Predicate) { bare = false })
		if bare {
			return []string{e.List}
		}
	}
	return out
}

// weaken puts a predicate of which nothing is known where a condition about the elements of an array has no predicate in it: what
// elements there are only arrays of nested objects tell.
func (t *translation) weaken(e hunt.Expr) hunt.Expr {
	switch e := e.(type) {
	case hunt.And:
		return hunt.And(t.weakenAll(e))
	case hunt.Or:
		return hunt.Or(t.weakenAll(e))
	case hunt.Not:
		return hunt.Not{Expr: t.weaken(e.Expr)}
	case hunt.Some:
		for _, a := range t.askers {
			if !a.binds(e.List) {
				return hunt.Some{List: e.List, Expr: hunt.And{e.Expr, &hunt.Predicate{}}}
			}
		}
	}
	return e
}

func (t *translation) weakenAll(list []hunt.Expr) []hunt.Expr {
	out := make([]hunt.Expr, len(list))
	for i, e := range list {
		out[i] = t.weaken(e)
	}
	return out
}

// asker asks the indices of one group.
type asker struct {
	source *source
	group  *group
	class  *ocsf.Class
	compar comparer
}

func newAsker(s *source, g *group, class *ocsf.Class) *asker {
	most := s.clauses
	if most == 0 {
		most = defaultClauses
	}
	return &asker{source: s, group: g, class: class, compar: comparer{frugal: s.frugal, elasticsearch: g.Ignored, clauses: most / 2}}
}

// expr writes a condition of predicates that can be asked. list is the array of which an element is bound.
func (a *asker) expr(e hunt.Expr, list string) query {
	switch e := e.(type) {
	case hunt.And:
		return allOf(a.exprs(e, list)...)
	case hunt.Or:
		return anyOf(a.exprs(e, list)...)
	case hunt.Not:
		return not(a.expr(e.Expr, list))
	case hunt.Some:
		return a.some(e, list)
	case *hunt.Predicate:
		return a.predicate(e, list).q
	}
	return matchAll()
}

func (a *asker) exprs(list []hunt.Expr, bound string) []query {
	out := make([]query, len(list))
	for i, e := range list {
		out[i] = a.expr(e, bound)
	}
	return out
}

// some binds an element of an array of nested objects. Of an array that is not nested any elements may satisfy the parts.
func (a *asker) some(e hunt.Some, list string) query {
	switch {
	case list != "" || len(a.class.List(e.List)) == 0:
		return matchNone() // elements have no arrays of objects
	case a.binds(e.List):
		return a.nested(e.List, a.expr(e.Expr, e.List))
	}
	return a.expr(e.Expr, "")
}

func (a *asker) nested(path string, q query) query {
	if !a.hasNested(path) {
		return matchNone()
	}
	return inNested(path, q)
}

// binds says whether the elements of an array of documents that this package wrote can be told apart, or that there are none.
func (a *asker) binds(list string) bool {
	if !a.source.micros || a.compar.frugal {
		return false
	}
	for _, c := range a.class.List(list) {
		if f, ok := a.group.Fields[c.Path]; ok && f.Nested != list {
			return false
		}
	}
	return !a.hidden(list)
}

func (a *asker) hasNested(list string) bool {
	for _, c := range a.class.List(list) {
		if f, ok := a.group.Fields[c.Path]; ok && f.Nested == list {
			return true
		}
	}
	return false
}

// hidden says whether documents may hold a field that the mapping does not list.
func (a *asker) hidden(name string) bool {
	return slices.ContainsFunc(a.group.Opaque, func(o string) bool { return o == "" || name == o || strings.HasPrefix(name, o+".") })
}

// predicate asks one predicate. list is the array of which an element is bound, "" for the event.
func (a *asker) predicate(p *hunt.Predicate, list string) asked {
	if !a.source.micros {
		return a.foreign(p)
	}
	col := a.class.Column(p.Path)
	if list != "" && !a.binds(list) {
		return local("the elements of " + list + " cannot be told apart by this cluster")
	}
	if list != "" && col.List != list {
		return exactly(absent(p)) // the bound element has no such value
	}
	f, ok := a.group.Fields[p.Path]
	switch {
	case !ok && a.hidden(p.Path):
		return local("the index may hold " + p.Path + " without indexing it")
	case !ok:
		return exactly(absent(p))
	case f.Why != "" || !f.Searchable:
		return local(f.Why)
	case f.Nested != col.List:
		return local("the index nests " + p.Path + " otherwise than Harrier does")
	case f.Nested != "" && a.compar.frugal:
		return local(reasonFrugal)
	}
	out := a.own(f, p)
	if out.pushed() && f.Nested != "" && list == "" {
		out.q = inNested(f.Nested, out.q)
	}
	if out.pushed() && p.Op == hunt.Exists && p.Args[0].Num() == 0 {
		out.q = not(out.q)
	}
	return out
}

// absent asks a predicate of documents without a value.
func absent(p *hunt.Predicate) query {
	if p.Op == hunt.Exists && p.Args[0].Num() == 0 {
		return matchAll()
	}
	return matchNone()
}

// own compares a field of documents that this package wrote: one value in each column, and a list of the columns whose value is not in
// the index. Exists is asked for a value that is there.
func (a *asker) own(f field, p *hunt.Predicate) asked {
	marked := term(markerOf(f), quote(p.Path))
	switch {
	case p.Op == hunt.Exists:
		return exactly(anyOf(exists(f.Name), marked, a.oddFloats(f, p)))
	case p.Type == ocsf.String || p.Type == ocsf.JSON:
		test := textOf(p)
		out := a.compar.text(f, test)
		if !out.pushed() || within(test, f.IgnoreAbove) {
			return out
		}
		return widened(anyOf(out.q, marked), reasonLeftOut)
	}
	out := a.compar.value(f, p)
	if p.Type == ocsf.Float && out.pushed() {
		out.q = anyOf(out.q, a.oddFloats(f, p))
	}
	return out
}

// markerOf is the field that lists the columns whose value is not in the index as it is: of the event, or of an element of an array.
func markerOf(f field) string {
	if f.Nested != "" {
		return f.Nested + "." + longField
	}
	return longField
}

// within says whether every value that satisfies a test is short enough to be in the index, and has no runes that stand for bytes.
func within(t textTest, ignoreAbove int) bool {
	if t.op != hunt.Eq && t.op != hunt.In {
		return false
	}
	return ignoreAbove == 0 || !slices.ContainsFunc(t.needles, func(n string) bool { return 2*len(n) > ignoreAbove })
}

// oddFloats asks for the numbers that JSON does not have; documents list them by their name (see oddFloat).
func (a *asker) oddFloats(f field, p *hunt.Predicate) query {
	if p.Type != ocsf.Float {
		return matchNone()
	}
	var names []string
	for _, n := range []float64{math.Inf(1), math.Inf(-1), math.NaN()} {
		if p.Op == hunt.Exists || p.Compare(hunt.Float(n)) {
			names = append(names, quote(oddFloat(p.Path, n)))
		}
	}
	return anyTerm(markerOf(f), names)
}

// oddFloat is how documents list a number of a column that JSON does not have.
func oddFloat(path string, n float64) string {
	return path + "=" + strconv.FormatFloat(n, 'g', -1, 64)
}

// timeRange asks for the events of a range, or more where the index is less exact.
func (a *asker) timeRange(r hunt.TimeRange) query {
	if a.source.micros {
		return a.during(a.source.time, r)
	}
	var parts []query
	for _, name := range a.timeFields() {
		parts = append(parts, a.during(name, r))
	}
	return anyOf(parts...)
}

// during asks a field for the instants of a range.
func (a *asker) during(name string, r hunt.TimeRange) query {
	f, ok := a.group.Fields[name]
	switch {
	case !ok && !a.hidden(name):
		return matchNone()
	case !ok || f.Why != "" || !f.Searchable || f.Malformed && !a.group.Ignored:
		return matchAll()
	case f.Kind == kindInteger && a.source.micros:
		return between(f.Name, bound{"gte", strconv.FormatInt(r.Start, 10)}, bound{"lt", strconv.FormatInt(r.End, 10)})
	}
	q, known := instants(f, r)
	if !known {
		return matchAll()
	}
	if f.Nested != "" {
		q = a.inside(f, q)
	}
	if f.Malformed {
		q = anyOf(q, term("_ignored", quote(f.Name)))
	}
	return q
}

func (a *asker) inside(f field, q query) query {
	if a.compar.frugal {
		return matchAll()
	}
	return inNested(f.Nested, q)
}

// The years that every date type can be asked for; a bound outside is no bound.
const (
	firstMilli int64 = 0                   // 1970: date_nanos holds nothing before
	lastMilli  int64 = 253_402_300_799_999 // 9999
	lastNanos  int64 = 9_223_372_036_854   // 2262, in milliseconds
)

// instants asks a date for a range that is widened to its resolution, or numbers for what they stand for: seconds or milliseconds, as
// mapping.ParseTime reads them. It returns false if the field holds no instants.
func instants(f field, r hunt.TimeRange) (query, bool) {
	last := lastMilli
	switch f.Kind {
	case kindDate:
	case kindDateNanos:
		last = lastNanos
	case kindInteger:
		return epochs(f, r), true
	default:
		return query{}, false
	}
	from, to := floorBy(r.Start, 1000), floorBy(r.End, 1000)+1
	var bounds []bound
	if from > firstMilli {
		bounds = append(bounds, bound{"gte", quote(strconv.FormatInt(min(from, last), 10))})
	}
	if to < last {
		bounds = append(bounds, bound{"lt", quote(strconv.FormatInt(max(to, 1), 10))})
	}
	if len(bounds) == 0 {
		return exists(f.Name), true
	}
	return between(f.Name, append(bounds, bound{"format", `"epoch_millis"`})...), true
}

func epochs(f field, r hunt.TimeRange) query {
	lo, hi := limits(f.Type)
	var parts []query
	for _, unit := range []int64{1000, 1_000_000} {
		from, to := max(floorBy(r.Start, unit), lo), min(floorBy(r.End, unit)+1, hi)
		if from <= to {
			parts = append(parts, between(f.Name, bound{"gte", strconv.FormatInt(from, 10)}, bound{"lte", strconv.FormatInt(to, 10)}))
		}
	}
	return anyOf(parts...)
}

func floorBy(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
