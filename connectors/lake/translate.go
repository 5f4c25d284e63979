package lake

import (
	"fmt"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Translate implements hunt.Connector. The native text reads from `events`; Search puts a WITH clause in front of it that names the
// Parquet files, and runs it as it stands. It does no I/O.
func (l *Lake) Translate(r hunt.Request) (*hunt.Translation, error) {
	if r.Class == nil {
		return nil, &hunt.Error{Op: "lake: translate", Code: hunt.Internal, Message: "the request names no class"}
	}
	if r.Where == nil {
		r.Where = hunt.True()
	}
	t := &hunt.Translation{Request: r}
	w := dialect{class: r.Class, stream: l.stream(r.Class.Name, r.Stream)}
	w.dispose(r.Where, "", &t.Predicates)
	t.Native = w.query(t, hunt.ConnectionRef{Tenant: l.identity.Tenant, Connection: l.identity.Connection})
	return t, nil
}

// dialect writes the conditions of one request.
type dialect struct {
	class  *ocsf.Class
	stream *hunt.Stream // nil if not known
}

// place is where a predicate is evaluated: on the event, or on one element of an array of objects.
type place struct {
	list   string
	hashed bool // values are looked up in a subquery, not compared in a lambda
}

// element is the name of the bound element of an array of objects.
const element = "x"

// dispose says what becomes of every predicate of e, in the order of Walk.
func (w dialect) dispose(e hunt.Expr, list string, out *[]hunt.Disposed) {
	switch e := e.(type) {
	case hunt.And:
		for _, x := range e {
			w.dispose(x, list, out)
		}
	case hunt.Or:
		for _, x := range e {
			w.dispose(x, list, out)
		}
	case hunt.Not:
		w.dispose(e.Expr, list, out)
	case hunt.Some:
		w.dispose(e.Expr, e.List, out)
	case *hunt.Predicate:
		c := w.comparison(e)
		*out = append(*out, hunt.Disposed{Predicate: e, Disposition: c.state, Reason: c.reason})
	}
}

func (w dialect) comparison(p *hunt.Predicate) comparison {
	switch {
	case w.class.Column(p.Path) == nil:
		return comparison{state: hunt.Impossible, reason: w.class.Name + " has no attribute " + p.Path}
	case w.stream != nil && !w.stream.Provides(p.Path):
		return comparison{state: hunt.Impossible, reason: "the stream " + w.stream.Name + " has no " + p.Path}
	case p.Op == hunt.Exists:
		return exactly(operand + " IS NOT NULL")
	}
	return compare(p)
}

// query writes the whole statement.
func (w dialect) query(t *hunt.Translation, ref hunt.ConnectionRef) string {
	r := t.Request
	var b strings.Builder
	b.WriteString("SELECT ")
	for i, f := range hunt.Schema(r.Class, r.Columns).Fields() {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(f.Name))
	}
	b.WriteString("\nFROM events\nWHERE " + strings.Join(w.conditions(t, ref), "\n  AND "))
	direction := ""
	if r.Order == hunt.TimeDesc {
		direction = " DESC"
	}
	fmt.Fprintf(&b, "\nORDER BY \"time\"%s, \"uid\"%s", direction, direction)
	if limited(t) {
		fmt.Fprintf(&b, "\nLIMIT %d", r.Limit)
	}
	return b.String()
}

// limited says whether the limit may be pushed: nothing is left to check.
func limited(t *hunt.Translation) bool {
	return t.Request.Limit > 0 && hunt.IsTrue(hunt.Residual(t.Request.Where, t.Of()))
}

func (w dialect) conditions(t *hunt.Translation, ref hunt.ConnectionRef) []string {
	r := t.Request
	out := []string{rangeSQL(r.Range)}
	if r.After != nil {
		out = append(out, afterSQL(*r.After, ref, r.Order))
	}
	pushed := hunt.Push(r.Where, t.Of())
	conjuncts, ok := pushed.(hunt.And)
	if !ok {
		conjuncts = hunt.And{pushed}
	}
	for _, c := range conjuncts {
		out = append(out, w.expr(c, place{}))
	}
	return out
}

// rangeSQL writes a half-open range. Bounds that DuckDB cannot hold are no bounds.
func rangeSQL(r hunt.TimeRange) string {
	var parts []string
	if r.Start >= minInstant {
		parts = append(parts, `"time" >= `+quoteTime(min(r.Start, maxInstant)))
	}
	if r.End <= maxInstant {
		parts = append(parts, `"time" < `+quoteTime(max(r.End, minInstant)))
	}
	if len(parts) == 0 {
		return `"time" IS NOT NULL`
	}
	return strings.Join(parts, " AND ")
}

// afterSQL writes the rows after a key for this connection. Of rows with the key's time, a connection whose name comes after the key's
// has all, one whose name comes before it none.
func afterSQL(k hunt.Key, ref hunt.ConnectionRef, order hunt.Order) string {
	op := ">"
	if order == hunt.TimeDesc {
		op = "<"
	}
	at := quoteTime(min(max(k.Time, minInstant), maxInstant))
	c := hunt.Key{Tenant: ref.Tenant, Connection: ref.Connection}.Compare(hunt.Key{Tenant: k.Tenant, Connection: k.Connection})
	if order == hunt.TimeDesc {
		c = -c
	}
	switch {
	case c > 0:
		return `"time" ` + op + `= ` + at
	case c < 0:
		return `"time" ` + op + ` ` + at
	}
	return fmt.Sprintf(`"time" %[1]s= %[2]s AND ("time" %[1]s %[2]s OR "uid" %[1]s %[3]s)`, op, at, quoteText(k.UID))
}

// expr writes a condition that is NULL or false where Match is false.
func (w dialect) expr(e hunt.Expr, at place) string {
	switch e := e.(type) {
	case hunt.And:
		return w.joined(e, at)
	case hunt.Or:
		return w.or(e, at)
	case hunt.Not:
		return "(" + w.expr(e.Expr, at) + ") IS NOT TRUE"
	case hunt.Some:
		if at.list != "" || len(w.class.List(e.List)) == 0 {
			return "false"
		}
		return w.some(e)
	case *hunt.Predicate:
		return w.leaf(e, at)
	}
	return "true"
}

// manyValues is from how many values on a list is looked up in a hash table instead of being compared in a lambda for every element.
const manyValues = 32

// some binds one element. A long list of values inside a lambda is compared one by one for every element; a subquery over the
// elements hashes it.
func (w dialect) some(e hunt.Some) string {
	values := 0
	hunt.Walk(e.Expr, func(p *hunt.Predicate) { values = max(values, len(p.Args)) })
	if values < manyValues {
		return anyElement(e.List, w.expr(e.Expr, place{list: e.List}))
	}
	return "EXISTS (SELECT 1 FROM (SELECT unnest(" + quoteName(e.List) + ") AS " + element + ") WHERE " + w.expr(e.Expr, place{list: e.List, hashed: true}) + ")"
}

func (w dialect) joined(list []hunt.Expr, at place) string {
	if len(list) == 0 {
		return "true"
	}
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = w.expr(e, at)
	}
	return "(" + strings.Join(parts, " AND ") + ")"
}

// or gathers the patterns of one column, so that a list of keywords is one pass of one automaton.
func (w dialect) or(list []hunt.Expr, at place) string {
	var parts, paths []string
	patterns := map[string][]string{}
	for _, e := range list {
		p, ok := e.(*hunt.Predicate)
		if !ok || w.comparison(p).pattern == "" {
			parts = append(parts, w.expr(e, at))
			continue
		}
		if patterns[p.Path] == nil {
			paths = append(paths, p.Path)
		}
		patterns[p.Path] = append(patterns[p.Path], "(?:"+w.comparison(p).pattern+")")
	}
	for _, path := range paths {
		for _, alt := range alternations(patterns[path]) {
			parts = append(parts, w.on(path, at, matches(alt)))
		}
	}
	if len(parts) == 0 {
		return "false"
	}
	return "(" + strings.Join(parts, " OR ") + ")"
}

func (w dialect) leaf(p *hunt.Predicate, at place) string {
	c := w.comparison(p)
	sql := c.sql
	if c.pattern != "" {
		sql = matches(c.pattern)
	}
	if p.Op == hunt.Exists && p.Args[0].Num() == 0 {
		return "(" + w.on(p.Path, at, sql) + ") IS NOT TRUE"
	}
	return w.on(p.Path, at, sql)
}

// on applies a comparison to the values at path: to the value itself, or to any value in an array of objects.
func (w dialect) on(path string, at place, sql string) string {
	col := w.class.Column(path)
	switch {
	case at.list != "" && col.List != at.list:
		return "false" // the bound element has no such value
	case at.list != "":
		return inElement(sql, col, at.hashed)
	case col.List != "":
		return anyElement(col.List, inElement(sql, col, false))
	}
	return "(" + strings.NewReplacer(operand, quoteName(path), listOpen, "(SELECT unnest([", listClose, "]))").Replace(sql) + ")"
}

// inElement applies a comparison to a field of the bound element; hashed says that a list of values is a subquery, which a lambda
// cannot hold.
func inElement(sql string, col *ocsf.Column, hashed bool) string {
	open, closing := "(", ")"
	if hashed {
		open, closing = "(SELECT unnest([", "]))"
	}
	field := "struct_extract(" + element + ", " + quoteText(col.Leaf()) + ")"
	return "(" + strings.NewReplacer(operand, field, listOpen, open, listClose, closing).Replace(sql) + ")"
}

// anyElement holds if one element of an array of objects satisfies the condition.
func anyElement(list, condition string) string {
	return "len(list_filter(" + quoteName(list) + ", lambda " + element + ": " + condition + ")) > 0"
}
