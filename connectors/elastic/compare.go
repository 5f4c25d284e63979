package elastic

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// This file compares the values of one field. A query is exact if it holds for exactly the documents with a value that is indexed and
// satisfies the comparison, and wide if it holds for more.

// asked is what became of one comparison.
type asked struct {
	q      query
	state  hunt.Disposition // Exact, Widened, Local or Lossy
	reason string
}

func exactly(q query) asked                { return asked{q: q, state: hunt.Exact} }
func widened(q query, reason string) asked { return asked{q: q, state: hunt.Widened, reason: reason} }
func local(reason string) asked            { return asked{state: hunt.Local, reason: reason} }
func lossy(reason string) asked            { return asked{state: hunt.Lossy, reason: reason} }

// pushed says whether there is a query.
func (a asked) pushed() bool { return a.state == hunt.Exact || a.state == hunt.Widened }

// Reasons that several comparisons give.
const (
	reasonBytes    = "the argument holds bytes that are no UTF-8, or runes that stand for them in the index"
	reasonFold     = "a rune outside ASCII has several cases here, which the cluster does not fold, so it is left open"
	reasonLong     = "the cluster takes no automaton of that size, so a part is asked"
	reasonOnes     = "the cluster takes few `?` behind a `*`, so they are asked as `*`"
	reasonLower    = "the index folds the Kelvin sign to k and a dotted capital I to i"
	reasonCase     = "the index has lower case only"
	reasonRegex    = "only the literal texts of the expression are asked"
	reasonMany     = "more values without case than the cluster takes clauses"
	reasonFrugal   = "the cluster refuses expensive queries (search.allow_expensive_queries)"
	reasonLeftOut  = "values that are too long for the index cannot be told apart there"
	reasonLost     = "the index leaves out values and nothing tells which documents have one"
	reasonText     = "the index holds words, not values"
	reasonWildcard = "OpenSearch's wildcard fields miss some values that hold a backslash or a NUL"
	reasonNumber   = "the index rounds these numbers"
)

// textTest is a comparison of text.
type textTest struct {
	op      hunt.Op // Eq, In, Contains, StartsWith, EndsWith, LikeOp, RegexOp
	needles []string
	folded  bool // needles are folded, and so are values before they are compared
}

// textOf makes the test of a predicate.
func textOf(p *hunt.Predicate) textTest {
	t := textTest{op: p.Op, needles: p.Needles(), folded: !p.CaseSensitive}
	switch p.Op {
	case hunt.LikeOp:
		pattern := p.Args[0].Str()
		if t.folded {
			pattern = hunt.Fold(pattern)
		}
		t.needles = []string{pattern}
	case hunt.RegexOp:
		t.needles = []string{p.Regex().String()}
	}
	return t
}

// comparer knows what the index and the cluster can do.
type comparer struct {
	frugal        bool
	elasticsearch bool
	clauses       int // most clauses of one comparison
}

// text compares text at a field of any kind, without looking at values that are not indexed.
func (c comparer) text(f field, t textTest) asked {
	if t.op != hunt.RegexOp && slices.ContainsFunc(t.needles, func(n string) bool { return !hunt.IsPlainText(n) }) {
		return local(reasonBytes)
	}
	if len(t.needles) == 0 {
		return exactly(matchNone())
	}
	switch f.Kind {
	case kindKeyword, kindConstant:
		return c.whole(f, t)
	case kindWildcard:
		if slices.ContainsFunc(t.needles, func(n string) bool { return len(n) > longestTerm }) {
			return local(reasonLong)
		}
		if !c.elasticsearch && (t.op != hunt.Eq && t.op != hunt.In || slices.ContainsFunc(t.needles, oddForWildcard)) {
			return lossy(reasonWildcard)
		}
		return c.whole(f, t)
	case kindNormalized:
		return c.normalized(f, t)
	case kindText:
		return lossy(reasonText)
	case kindFlattened:
		return c.flattened(f, t)
	}
	return local("the index has " + f.Name + " as " + f.Type + ", not as text")
}

// oddForWildcard says whether OpenSearch's wildcard type does not find a whole value.
func oddForWildcard(s string) bool { return s == "" || strings.ContainsAny(s, "\x00\\*?") }

// flattened compares keys of flattened objects, which know no case.
func (c comparer) flattened(f field, t textTest) asked {
	if t.op != hunt.Eq && t.op != hunt.In || t.folded && slices.ContainsFunc(t.needles, hasCase) {
		return local("the index has " + f.Name + " as a key of a " + f.Type + " object, which compares whole values with case only")
	}
	return exactly(anyTerm(f.Name, quoted(t.needles)))
}

// hasCase says whether another text folds to s.
func hasCase(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return 'a' <= r && r <= 'z' || len(sameFold(r)) > 1 })
}

// longestTerm is the most bytes of an indexed term (Lucene). Clusters refuse to look for longer ones, and no index has them.
const longestTerm = 32_766

// quoted writes the texts that an index can hold as JSON.
func quoted(list []string) []string {
	var out []string
	for _, s := range list {
		if len(s) <= longestTerm {
			out = append(out, quote(s))
		}
	}
	return out
}

// whole compares values that are indexed as they are.
func (c comparer) whole(f field, t textTest) asked {
	switch t.op {
	case hunt.Eq, hunt.In:
		return c.equal(f, t)
	case hunt.RegexOp:
		return c.regex(f, t.needles[0])
	}
	if c.frugal && f.Kind != kindWildcard {
		return local(reasonFrugal)
	}
	if t.op == hunt.LikeOp {
		return patternOf(f, likePieces(t.needles[0]), t.folded)
	}
	var all []asked
	for _, n := range t.needles {
		all = append(all, c.part(f, t.op, n, t.folded))
	}
	return c.any(all)
}

// any joins comparisons of which one must hold.
func (c comparer) any(list []asked) asked {
	out := asked{state: hunt.Exact}
	var parts []query
	for _, a := range list {
		if !a.pushed() {
			return a
		}
		if a.state > out.state {
			out.state, out.reason = a.state, a.reason
		}
		parts = append(parts, a.q)
	}
	if out.q = anyOf(parts...); out.q.clauses > c.clauses {
		return local(reasonMany)
	}
	return out
}

// part is contains, startsWith and endsWith.
func (c comparer) part(f field, op hunt.Op, needle string, folded bool) asked {
	if needle == "" {
		return exactly(exists(f.Name))
	}
	cut, all := cutRunes(needle, op == hunt.EndsWith)
	texts, few := []string{cut}, true
	if folded {
		texts, few = variants(cut)
	}
	if !few {
		texts = []string{cut}
	}
	var list []asked
	for _, s := range texts {
		pieces := []segment{{text: s}}
		if op != hunt.StartsWith {
			pieces = slices.Insert(pieces, 0, segment{run: true})
		}
		if op != hunt.EndsWith {
			pieces = append(pieces, segment{run: true})
		}
		open := func(r rune) bool { return !few && len(sameFold(r)) > 1 }
		pattern, exact := lucene(pieces, open)
		list = append(list, patternAsked(f, pattern, folded, exact))
	}
	out := c.any(list)
	if !all && out.pushed() {
		out.state, out.reason = hunt.Widened, reasonLong
	}
	return out
}

// patternOf asks a like pattern.
func patternOf(f field, pieces []segment, folded bool) asked {
	pattern, exact := lucene(pieces, func(r rune) bool { return folded && len(sameFold(r)) > 1 })
	out := patternAsked(f, pattern, folded, exact)
	if !exact && !slices.ContainsFunc(pieces, func(p segment) bool { return hasOpen(p.text, folded) }) {
		out.reason = reasonOnes
		if len(pattern) >= mostRunes {
			out.reason = reasonLong
		}
	}
	return out
}

func hasOpen(s string, folded bool) bool {
	return folded && strings.ContainsFunc(s, func(r rune) bool { return len(sameFold(r)) > 1 })
}

// patternAsked asks a pattern of the cluster. A pattern of stars alone holds for every value that is there.
func patternAsked(f field, pattern string, folded, exact bool) asked {
	q := wildcard(f.Name, pattern, folded && hasLetter(pattern))
	if pattern == "*" {
		q = exists(f.Name)
	}
	if pattern == "" {
		q = term(f.Name, `""`)
	}
	if !exact {
		return widened(q, reasonFold)
	}
	return exactly(q)
}

func hasLetter(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' })
}

// manyFolded is how many values without case are looked up one by one; more are looked up in a sub-field in lower case, if there is one.
const manyFolded = 64

// equal is eq and in.
func (c comparer) equal(f field, t textTest) asked {
	if !t.folded {
		return c.terms(f, quoted(t.needles))
	}
	var plain, lower []string
	var rest []asked
	for _, n := range t.needles {
		switch {
		case !hasCase(n):
			plain = append(plain, n)
		case f.Lower != "" && len(t.needles) > manyFolded && hunt.IsASCII(n):
			lower = append(lower, n)
		default:
			rest = append(rest, c.folded(f, n))
		}
	}
	if len(plain) > 0 {
		rest = append(rest, c.terms(f, quoted(plain)))
	}
	if len(lower) > 0 {
		a := exactly(anyTerm(f.Lower, quoted(lower)))
		if slices.ContainsFunc(lower, foldsInJava) {
			a = widened(a.q, reasonLower)
		}
		rest = append(rest, a)
	}
	return c.any(rest)
}

// terms asks whole values as they are. Wildcard fields make a clause of every value.
func (c comparer) terms(f field, values []string) asked {
	q := anyTerm(f.Name, values)
	if f.Kind == kindWildcard {
		if q.clauses = 4 * len(values); q.clauses > c.clauses {
			return local(reasonMany)
		}
	}
	return exactly(q)
}

// foldsInJava says whether an ASCII text is also the lower case, in Java, of a text that is not.
func foldsInJava(s string) bool { return strings.ContainsAny(s, "ki") }

// folded is eq without case for one value that has case.
func (c comparer) folded(f field, needle string) asked {
	var texts []string
	few := len(needle) <= mostBytes
	if few {
		texts, few = variants(needle)
	}
	if few {
		var list []asked
		for _, s := range texts {
			list = append(list, exactly(termFolded(f.Name, s)))
		}
		return c.any(list)
	}
	if c.frugal {
		return local(reasonFrugal)
	}
	pattern, exact := lucene([]segment{{text: needle}}, func(r rune) bool { return len(sameFold(r)) > 1 })
	a := patternAsked(f, pattern, true, exact)
	if len(needle) > mostBytes && a.state == hunt.Widened {
		a.reason = reasonLong
	}
	return a
}

// regex asks the texts that every match holds.
func (c comparer) regex(f field, expression string) asked {
	if c.frugal {
		return local(reasonFrugal)
	}
	runs := regexRuns(expression)
	if len(runs) == 0 {
		return local("the expression holds no text that every match has; regular expressions of the cluster mean something else")
	}
	var list []asked
	for _, alternative := range runs {
		pieces, folded := []segment{{run: true}}, false
		for _, r := range alternative {
			pieces, folded = append(pieces, segment{text: r.text}, segment{run: true}), folded || r.folded
		}
		pattern, _ := lucene(pieces, func(rune) bool { return false })
		list = append(list, widened(wildcard(f.Name, pattern, folded && hasLetter(pattern)), reasonRegex))
	}
	return c.any(list)
}

// normalized compares values that are indexed in the lower case of Java. That is the fold of ASCII text, but other texts have the same
// lower case, and runes outside ASCII have another one in some versions, so these are left open.
func (c comparer) normalized(f field, t textTest) asked {
	open := func(r rune) bool { return r >= 0x80 }
	if (t.op == hunt.Eq || t.op == hunt.In) && !slices.ContainsFunc(t.needles, func(n string) bool { return !hunt.IsASCII(n) }) {
		return exactness(anyTerm(f.Name, quoted(each(t.needles, strings.ToLower))), t)
	}
	if t.op == hunt.RegexOp {
		a := c.regex(field{Name: f.Name}, "(?i)"+t.needles[0])
		return a
	}
	if c.frugal {
		return local(reasonFrugal)
	}
	var list []asked
	for _, n := range t.needles {
		pieces := likePieces(strings.ToLower(n))
		if t.op != hunt.LikeOp {
			pieces = []segment{{text: strings.ToLower(n)}}
		}
		if t.op == hunt.Contains || t.op == hunt.EndsWith {
			pieces = slices.Insert(pieces, 0, segment{run: true})
		}
		if t.op == hunt.Contains || t.op == hunt.StartsWith {
			pieces = append(pieces, segment{run: true})
		}
		pattern, exact := lucene(pieces, open)
		a := patternAsked(f, pattern, false, exact)
		if a.state == hunt.Exact {
			a = exactness(a.q, textTest{needles: []string{n}, folded: t.folded})
		}
		list = append(list, a)
	}
	return c.any(list)
}

// exactness says how exact a comparison of ASCII in lower case is.
func exactness(q query, t textTest) asked {
	switch {
	case !t.folded && slices.ContainsFunc(t.needles, hasLetter):
		return widened(q, reasonCase)
	case slices.ContainsFunc(t.needles, func(n string) bool { return foldsInJava(strings.ToLower(n)) }):
		return widened(q, reasonLower)
	}
	return exactly(q)
}

func each(list []string, change func(string) string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = change(s)
	}
	return out
}

// value compares numbers, booleans, times and addresses.
func (c comparer) value(f field, p *hunt.Predicate) asked {
	switch {
	case f.Kind == kindInexact:
		return local(reasonNumber)
	case f.Kind == kindInteger && p.Type != ocsf.Float && p.Type != ocsf.IP && p.Type != ocsf.Boolean:
		return integer(f, p)
	case f.Kind == kindDouble && p.Type == ocsf.Float:
		return double(f, p)
	case f.Kind == kindBoolean && p.Type == ocsf.Boolean:
		var values []string
		for _, a := range p.Args {
			values = append(values, strconv.FormatBool(a.Num() == 1))
		}
		return exactly(anyTerm(f.Name, values))
	case f.Kind == kindIP && p.Type == ocsf.IP:
		return address(f, p)
	}
	return local("the index has " + f.Name + " as " + f.Type + ", which does not compare like " + p.Type.String())
}

// rangeOps are the range operators in DSL.
func rangeOp(op hunt.Op) string { return strings.ToLower(op.String()) }

// integer compares whole numbers of 64 bits. Types that hold fewer are asked only for numbers that they hold, because clusters refuse
// others.
func integer(f field, p *hunt.Predicate) asked {
	lo, hi := limits(f.Type)
	if p.Op == hunt.Eq || p.Op == hunt.In {
		var list []int64
		for _, a := range p.Args {
			if lo <= a.Num() && a.Num() <= hi {
				list = append(list, a.Num())
			}
		}
		return exactly(anyTerm(f.Name, numbers(list)))
	}
	n := p.Args[0].Num()
	up := p.Op == hunt.GT || p.Op == hunt.GTE
	switch {
	case up && (n > hi || n == hi && p.Op == hunt.GT), !up && (n < lo || n == lo && p.Op == hunt.LT):
		return exactly(matchNone())
	case up && n < lo, !up && n > hi:
		return exactly(exists(f.Name))
	}
	return exactly(between(f.Name, bound{rangeOp(p.Op), strconv.FormatInt(n, 10)}))
}

// limits are the numbers that a field type holds.
func limits(name string) (lo, hi int64) {
	switch name {
	case "byte":
		return math.MinInt8, math.MaxInt8
	case "short":
		return math.MinInt16, math.MaxInt16
	case "integer":
		return math.MinInt32, math.MaxInt32
	}
	return math.MinInt64, math.MaxInt64
}

// double compares numbers of 64-bit floats. The cluster orders -0 before 0, which are equal here. Numbers that are none are not in the
// index (see oddFloat).
func double(f field, p *hunt.Predicate) asked {
	var parts []query
	for _, a := range p.Args {
		n := a.Flt()
		switch {
		case math.IsNaN(n) || math.IsInf(n, 0):
			q, ok := infinite(f, p.Op, n)
			if !ok {
				return local("JSON has no such number")
			}
			parts = append(parts, q)
		case p.Op == hunt.Eq || p.Op == hunt.In:
			parts = append(parts, between(f.Name, bound{"gte", low(n)}, bound{"lte", high(n)}))
		default:
			parts = append(parts, between(f.Name, bound{rangeOp(p.Op), edge(p.Op, n)}))
		}
	}
	return exactly(anyOf(parts...))
}

// infinite compares the finite numbers with an infinite one.
func infinite(f field, op hunt.Op, n float64) (query, bool) {
	switch {
	case math.IsNaN(n):
		return query{}, false
	case op == hunt.Eq || op == hunt.In:
		return matchNone(), true
	case (op == hunt.GT || op == hunt.GTE) == (n < 0):
		return exists(f.Name), true
	}
	return matchNone(), true
}

func low(n float64) string {
	if n == 0 {
		return "-0.0"
	}
	return numberText(n)
}

func high(n float64) string {
	if n == 0 {
		return "0.0"
	}
	return numberText(n)
}

// edge is the end of a range: that of the two zeros which leaves out or takes in both.
func edge(op hunt.Op, n float64) string {
	if op == hunt.GTE || op == hunt.LT {
		return low(n)
	}
	return high(n)
}

func numberText(n float64) string { return strconv.FormatFloat(n, 'g', -1, 64) }

// address compares addresses as 16 bytes; both products index IPv4 mapped into IPv6, as Harrier does.
func address(f field, p *hunt.Predicate) asked {
	switch p.Op {
	case hunt.CIDR:
		lo, hi := p.Block()
		return exactly(addressRange(f.Name, lo, hi))
	case hunt.Scope:
		return exactly(inScope(f.Name, p.Args[0].Str()))
	}
	var values []string
	for _, a := range p.Args {
		values = append(values, quote(hunt.FormatIP(a.Addr16())))
	}
	return exactly(anyTerm(f.Name, values))
}

func addressRange(field string, lo, hi [16]byte) query {
	return between(field, bound{"gte", quote(wireIP(lo))}, bound{"lte", quote(wireIP(hi))})
}

// wireIP writes an address as a cluster reads it.
func wireIP(ip [16]byte) string { return hunt.FormatIP(ip) }

// ipRange is a range of addresses, both ends inclusive.
type ipRange struct{ lo, hi [16]byte }

func spansOf(blocks []string) []ipRange {
	column := ocsf.Column{GraphQL: "ip", Type: ocsf.IP}
	var out []ipRange
	for _, b := range blocks {
		if p, err := hunt.NewPredicate(&column, hunt.CIDR, false, hunt.String(b)); err == nil {
			lo, hi := p.Block()
			out = append(out, ipRange{lo, hi})
		}
	}
	slices.SortFunc(out, func(a, b ipRange) int { return slices.Compare(a.lo[:], b.lo[:]) })
	return out
}

// inScope asks the ranges of a scope. EXTERNAL is asked by the gaps between the others, so that it holds for a document with several
// addresses if any of them is external.
func inScope(field, scope string) query {
	spans := spansOf(hunt.ScopeBlocks(scope))
	if scope == "EXTERNAL" {
		var all []string
		for _, s := range hunt.ScopeNames() {
			all = append(all, hunt.ScopeBlocks(s)...)
		}
		spans = gaps(spansOf(all))
	}
	var parts []query
	for _, s := range spans {
		parts = append(parts, addressRange(field, s.lo, s.hi))
	}
	return anyOf(parts...)
}

// gaps returns what lies between sorted spans.
func gaps(spans []ipRange) []ipRange {
	var out []ipRange
	next := netip.IPv6Unspecified()
	for _, s := range spans {
		lo, hi := netip.AddrFrom16(s.lo), netip.AddrFrom16(s.hi)
		if next.IsValid() && next.Less(lo) {
			out = append(out, ipRange{next.As16(), lo.Prev().As16()})
		}
		next = hi.Next()
	}
	if next.IsValid() {
		out = append(out, ipRange{next.As16(), [16]byte(slices.Repeat([]byte{0xff}, 16))})
	}
	return out
}
