package elastic

import (
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// This file asks documents that others wrote. A field of theirs may hold several values, of which the mapping reads the first, or be
// written otherwise than the index shows; so no query about them is exact, and none is negated.

// reasonForeign is why nothing is exact about documents of others.
const reasonForeign = "documents that others wrote may hold several values or write one in other ways, so the answer is checked again"

// wantedFields are the fields that searches of a class can ask for: of documents that this package wrote, of OCSF documents (mapping is
// nil for both), or of those of a mapping. The field of the time has to be added.
func wantedFields(class *ocsf.Class, m *mapping.Mapping) []string {
	var out []string
	if m == nil {
		for i := range class.Columns {
			c := &class.Columns[i]
			out = append(out, c.Path)
			if c.List != "" {
				out = append(out, c.List+"."+longField)
			}
		}
		out = append(out, ocsf.ColUID, ocsf.ColTime, ocsf.ColRaw, ocsf.ColUnmapped, longField)
	} else {
		out = each(m.NativeFields(class), mapping.FieldPath)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// reading says how the value of a column comes about in one kind of documents.
type reading struct {
	when    mapping.Conditions // what these documents satisfy, at least
	sources []mapping.Source
	tests   []mapping.Test
}

// readings returns how a predicate's column is read: as it is, or as every rule of the class does.
func (a *asker) readings(p *hunt.Predicate) []reading {
	m := a.source.mapping
	switch {
	case m == nil && (p.Path == ocsf.ColUID || p.Path == ocsf.ColRaw || p.Path == ocsf.ColUnmapped || p.Type == ocsf.JSON):
		return []reading{{tests: []mapping.Test{{Op: mapping.TestAlways}}}} // made of the whole document, or of an object
	case m == nil:
		return []reading{{sources: []mapping.Source{{Fields: []string{p.Path}, Via: viaOf(p)}}, tests: plainTests(p)}}
	}
	var out []reading
	for _, inv := range m.Invert(a.class, p) {
		out = append(out, reading{inv.Conditions(), inv.Sources(p.Path), inv.Tests})
	}
	return out
}

// viaOf is the transform that reads a column of an OCSF document.
func viaOf(p *hunt.Predicate) string {
	switch p.Type {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return "int"
	case ocsf.Float:
		return "float"
	case ocsf.Boolean:
		return "bool"
	case ocsf.Time:
		return "time"
	case ocsf.IP:
		return "ip"
	}
	return ""
}

// plainTests are the native tests of a column that is read as it is.
func plainTests(p *hunt.Predicate) []mapping.Test {
	present := []mapping.Test{{Field: p.Path, Op: mapping.TestPresent}}
	switch {
	case p.Op == hunt.Exists && p.Args[0].Num() == 0:
		return []mapping.Test{{Op: mapping.TestAlways}}
	case p.Op == hunt.Exists || p.Type != ocsf.String:
		return present
	case len(p.Args) == 0:
		return nil
	}
	op, ok := map[hunt.Op]mapping.TestOp{hunt.Eq: mapping.TestEq, hunt.In: mapping.TestEq, hunt.Contains: mapping.TestContains,
		hunt.StartsWith: mapping.TestStartsWith, hunt.EndsWith: mapping.TestEndsWith}[p.Op]
	if !ok {
		return present
	}
	return []mapping.Test{{Field: p.Path, Op: op, Values: p.Needles()}}
}

// foreign asks a predicate of documents that others wrote: those of any rule that may satisfy it.
func (a *asker) foreign(p *hunt.Predicate) asked {
	type part struct {
		q    query
		when mapping.Conditions
	}
	var parts []part
	same := true
	for _, r := range a.readings(p) {
		got := a.read(r, p)
		if !got.pushed() {
			return got
		}
		same = same && (len(parts) == 0 || parts[0].q == got.q)
		parts = append(parts, part{got.q, r.when})
	}
	var all []query
	for _, x := range parts {
		if same {
			all = append(all, x.q)
		} else {
			all = append(all, allOf(a.conditions(x.when), x.q))
		}
	}
	q := anyOf(all...)
	switch {
	case q == matchAll():
		return local("any document may satisfy it")
	case q.clauses > a.compar.clauses:
		return local(reasonMany)
	}
	return widened(q, reasonForeign)
}

// read asks a predicate of the documents of one rule.
func (a *asker) read(r reading, p *hunt.Predicate) asked {
	if got, ok := a.typed(r.sources, p); ok {
		return got
	}
	var parts []query
	for _, t := range r.tests {
		got := a.test(t, r.sources, p)
		if !got.pushed() {
			return got
		}
		parts = append(parts, got.q)
	}
	return exactly(anyOf(parts...))
}

// typed asks numbers, times and addresses of fields that the index has as such. It returns false if there is another field among them, or
// a value that comes from elsewhere.
func (a *asker) typed(sources []mapping.Source, p *hunt.Predicate) (asked, bool) {
	if p.Op == hunt.Exists || len(sources) == 0 {
		return asked{}, false
	}
	var parts []query
	for _, s := range sources {
		if s.Default || len(s.Fields) == 0 {
			return asked{}, false
		}
		for _, name := range s.Fields {
			for _, spelling := range a.spellings(name) {
				q, ok := a.typedField(spelling, s.Via, p)
				if !ok {
					return asked{}, false
				}
				parts = append(parts, q)
			}
		}
	}
	return exactly(anyOf(parts...)), true
}

func (a *asker) typedField(name, via string, p *hunt.Predicate) (query, bool) {
	f, ok := a.group.Fields[name]
	if !ok {
		return matchNone(), !a.hidden(name)
	}
	if f.Why != "" || !f.Searchable {
		return query{}, false
	}
	got := asked{state: hunt.Local}
	switch {
	case via == "int" && f.Kind == kindInteger, via == "float" && f.Kind == kindDouble, via == "ip" && f.Kind == kindIP,
		via == "bool" && f.Kind == kindBoolean:
		got = a.compar.value(f, p)
	case via == "int" && whole(f.Kind):
		got = a.spelledNumber(f, p)
	case via == "time":
		got = moments(f, p)
	}
	if !got.pushed() {
		return query{}, false
	}
	out, ok := a.around(f, got.q, false)
	return out, ok
}

// spelledNumber asks text for a whole number from one on, which may be written with a fraction or a blank behind it, in exponents, or
// with something else than its digits in front (0x1bb, +443).
func (a *asker) spelledNumber(f field, p *hunt.Predicate) asked {
	if p.Op != hunt.Eq && p.Op != hunt.In || a.compar.frugal || f.Kind == kindWildcard || len(p.Args) > manyFolded {
		return asked{state: hunt.Local}
	}
	var parts []query
	for _, arg := range p.Args {
		if arg.Num() < 1 {
			return asked{state: hunt.Local}
		}
		parts = append(parts, prefix(f.Name, strconv.FormatInt(arg.Num(), 10), false))
	}
	if len(parts) == 0 {
		return exactly(matchNone())
	}
	odd := query{`{"regexp":{` + quote(f.Name) + `:{"value":"[^1-9\\-].*|.*[eE].*","flags":"NONE"}}}`, 1}
	return exactly(anyOf(append(parts, odd)...))
}

// moments asks a date for instants.
func moments(f field, p *hunt.Predicate) asked {
	var parts []query
	for _, arg := range p.Args {
		n := arg.Num()
		r := hunt.TimeRange{Start: n, End: n + 1}
		switch p.Op {
		case hunt.LT, hunt.LTE:
			r.Start = -1 << 62
		case hunt.GT, hunt.GTE:
			r.End = 1<<63 - 1
		}
		if n == 1<<63-1 {
			return asked{state: hunt.Local}
		}
		q, ok := instants(f, r)
		if !ok || r.Start < 0 && p.Op != hunt.LT && p.Op != hunt.LTE {
			return asked{state: hunt.Local}
		}
		parts = append(parts, q)
	}
	return exactly(anyOf(parts...))
}

func (a *asker) spellings(field string) []string {
	if a.source.mapping == nil {
		return []string{field}
	}
	return each(a.source.mapping.Spellings(field), mapping.FieldPath)
}

// around puts a query about an indexed field where documents hold it, and adds the documents whose value may be left out of the index.
// It returns false if nothing tells which these are. short says that no value that is looked for is left out for its length.
func (a *asker) around(f field, q query, short bool) (query, bool) {
	if f.Nested != "" {
		if a.compar.frugal {
			return query{}, false
		}
		q = inNested(f.Nested, q)
	}
	if !f.Malformed && (f.IgnoreAbove == 0 || short) {
		return q, true
	}
	return anyOf(q, term("_ignored", quote(f.Name))), a.group.Ignored
}

// test asks one native test of all spellings of its field.
func (a *asker) test(t mapping.Test, sources []mapping.Source, p *hunt.Predicate) asked {
	if t.Op == mapping.TestAlways || t.Op == mapping.TestAbsent {
		return exactly(matchAll())
	}
	var parts []query
	for _, name := range a.spellings(t.Field) {
		got := a.testField(name, t)
		if got.pushed() && (p.Op == hunt.LikeOp || p.Op == hunt.RegexOp) && p.Type == ocsf.String && copies(sources) {
			got = a.pattern(name, p, got)
		}
		if !got.pushed() {
			return got
		}
		parts = append(parts, got.q)
	}
	return exactly(anyOf(parts...))
}

// copies says whether all sources hold the value as the column has it.
func copies(sources []mapping.Source) bool {
	return len(sources) > 0 && !slices.ContainsFunc(sources, func(s mapping.Source) bool {
		return s.Default || !slices.Contains([]string{"", "copy", "str"}, s.Via)
	})
}

// pattern asks a pattern or a regular expression of a field that is copied; if that cannot be asked, what was found before stands.
func (a *asker) pattern(name string, p *hunt.Predicate, before asked) asked {
	f, ok := a.group.Fields[name]
	if !ok || len(f.Kids) > 0 {
		return before
	}
	got := a.compar.text(f, textOf(p))
	if !got.pushed() {
		return before
	}
	q, ok := a.around(f, got.q, false)
	if !ok {
		return lossy(reasonLost)
	}
	return exactly(q)
}

// testField asks one native test of one field.
func (a *asker) testField(name string, t mapping.Test) asked {
	f, ok := a.group.Fields[name]
	switch {
	case !ok && a.hidden(name):
		return local("documents may hold " + name + " without the index having it")
	case !ok:
		return exactly(matchNone())
	case len(f.Kids) > 0 && !a.hidden(name):
		return a.kids(f, t)
	case f.Why != "" || !f.Searchable:
		return local(f.Why)
	}
	text := textTest{op: hunt.Eq, needles: each(t.Values, hunt.Fold), folded: true}
	var got asked
	switch t.Op {
	case mapping.TestPresent, mapping.TestNotIn:
		got = exactly(exists(f.Name))
	case mapping.TestEq:
		got = a.equals(f, text)
	default:
		text.op = map[mapping.TestOp]hunt.Op{mapping.TestContains: hunt.Contains, mapping.TestStartsWith: hunt.StartsWith,
			mapping.TestEndsWith: hunt.EndsWith}[t.Op]
		got = a.compareText(f, text)
	}
	if !got.pushed() {
		return got
	}
	q, ok := a.around(f, got.q, within(text, f.IgnoreAbove) && t.Op == mapping.TestEq)
	if !ok {
		return lossy(reasonLost)
	}
	return exactly(q)
}

// kids asks the values in an object.
func (a *asker) kids(f field, t mapping.Test) asked {
	var parts []query
	for _, name := range f.Kids {
		got := a.testField(name, t)
		if !got.pushed() {
			return got
		}
		parts = append(parts, got.q)
	}
	return exactly(anyOf(parts...))
}

// compareText compares text; a field that is none is asked for its presence.
func (a *asker) compareText(f field, t textTest) asked {
	switch f.Kind {
	case kindInteger, kindDouble, kindInexact, kindBoolean, kindDate, kindDateNanos, kindIP:
		return exactly(exists(f.Name))
	}
	return a.compar.text(f, t)
}

// equals asks for one of several texts, which a field of another type may hold in its own form.
func (a *asker) equals(f field, t textTest) asked {
	switch f.Kind {
	case kindBoolean:
		return exactly(anyTerm(f.Name, booleans(t.needles)))
	case kindInteger:
		return wholeNumbers(f, t.needles)
	}
	return a.compareText(f, t)
}

// booleans are the values of a boolean field whose text is among the needles; documents may hold the text instead.
func booleans(needles []string) []string {
	var out []string
	for _, n := range needles {
		if n == "true" || n == "false" {
			out = append(out, n)
		}
	}
	return out
}

// wholeNumbers asks for numbers by their text. A document may hold a number as text or with a fraction, which the index cuts.
func wholeNumbers(f field, needles []string) asked {
	lo, hi := limits(f.Type)
	var out []int64
	for _, n := range needles {
		whole, _, _ := strings.Cut(strings.TrimSpace(n), ".")
		i, err := strconv.ParseInt(whole, 10, 64)
		switch {
		case err != nil && strings.ContainsAny(n, "0123456789"):
			return exactly(exists(f.Name))
		case err == nil && lo <= i && i <= hi:
			out = append(out, i)
		}
	}
	return exactly(anyTerm(f.Name, numbers(out)))
}

// when asks for the documents of the mapping and of the rules of the class, or more.
func (a *asker) when() query {
	m := a.source.mapping
	if m == nil {
		return matchAll()
	}
	var rules []query
	for _, inv := range m.Anything(a.class) {
		rules = append(rules, a.conditions(inv.Conditions()))
	}
	return allOf(a.conditions(m.Conditions()), anyOf(rules...))
}

// conditions asks for what satisfies one of the alternatives, or more.
func (a *asker) conditions(list mapping.Conditions) query {
	if len(list) == 0 {
		return matchAll()
	}
	var alternatives []query
	for _, alternative := range list {
		var all []query
		for name, c := range alternative {
			all = append(all, a.condition(name, c))
		}
		slices.SortFunc(all, func(x, y query) int { return strings.Compare(x.json, y.json) })
		alternatives = append(alternatives, allOf(all...))
	}
	return anyOf(alternatives...)
}

func (a *asker) condition(name string, c mapping.Condition) query {
	t := mapping.Test{Field: name, Op: mapping.TestPresent}
	switch {
	case len(c.Values) > 0:
		t.Op, t.Values = mapping.TestEq, c.Values
	case len(c.Not) > 0:
		return matchAll()
	case c.Exists != nil && !*c.Exists:
		return a.lacks(name)
	}
	got := a.test(t, nil, &hunt.Predicate{})
	if !got.pushed() {
		return matchAll()
	}
	return got.q
}

// lacks asks for documents without a field, or with one of the words that are nothing in every mapping.
func (a *asker) lacks(name string) query {
	var parts []query
	for _, spelling := range a.spellings(name) {
		f, ok := a.group.Fields[spelling]
		switch {
		case !ok && !a.hidden(spelling):
			continue
		case !ok || f.Why != "" || !f.Searchable || f.Kind != kindKeyword && f.Kind != kindConstant || f.Nested != "":
			return matchAll()
		}
		parts = append(parts, anyOf(not(exists(f.Name)), anyTerm(f.Name, []string{`""`, `"-"`, `"(empty)"`})))
	}
	return allOf(parts...)
}

// timeFields are the fields that the time of an event can come from.
func (a *asker) timeFields() []string {
	out := []string{a.source.time}
	if m := a.source.mapping; m != nil {
		for _, inv := range m.Anything(a.class) {
			for _, s := range inv.Sources(ocsf.ColTime) {
				for _, name := range s.Fields {
					out = append(out, a.spellings(name)...)
				}
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(slices.DeleteFunc(out, func(s string) bool { return s == "" }))
}
