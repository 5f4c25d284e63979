package sample

import (
	"math/rand/v2"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// maxDepth is how deep conditions are nested.
const maxDepth = 4

// RandomExpr makes a condition over all columns of a class, nested up to four deep, of every operator that the column types take.
// Arguments are values of sample, pieces and near misses of them, the same in other case, and hostile ones.
func RandomExpr(rng *rand.Rand, class *ocsf.Class, sample arrow.RecordBatch) hunt.Expr {
	return RandomExprOver(rng, Columns(class, nil), sample)
}

// RandomExprOver is RandomExpr over some columns of one class.
func RandomExprOver(rng *rand.Rand, columns []*ocsf.Column, sample arrow.RecordBatch) hunt.Expr {
	g := &exprs{rng: rng, columns: columns, sample: sample}
	return g.expr(rng.IntN(maxDepth+1), "")
}

// Columns returns the columns of a class at the paths that are in attributes, or all of them if that is nil, and the fixed columns.
func Columns(class *ocsf.Class, attributes map[string]bool) []*ocsf.Column {
	var out []*ocsf.Column
	for i := range class.Columns {
		if attributes == nil || attributes[class.Columns[i].Path] {
			out = append(out, &class.Columns[i])
		}
	}
	for _, p := range []string{ocsf.ColUID, ocsf.ColTime, ocsf.ColRaw, ocsf.ColUnmapped} {
		out = append(out, class.Column(p))
	}
	return out
}

type exprs struct {
	rng     *rand.Rand
	columns []*ocsf.Column
	sample  arrow.RecordBatch
}

// expr makes a condition; within an array of objects it is about the columns of that array.
func (g *exprs) expr(depth int, list string) hunt.Expr {
	if depth == 0 {
		return g.leaf(list)
	}
	switch g.rng.IntN(8) {
	case 0, 1:
		return hunt.And(g.several(depth, list))
	case 2, 3:
		return hunt.Or(g.several(depth, list))
	case 4, 5:
		return hunt.Not{Expr: g.expr(depth-1, list)}
	case 6:
		if inner := g.list(); inner != "" && list == "" {
			return hunt.Some{List: inner, Expr: g.expr(depth-1, inner)}
		}
		return g.keywords(list)
	}
	return g.leaf(list)
}

// several makes up to three conditions, rarely none.
func (g *exprs) several(depth int, list string) []hunt.Expr {
	out := []hunt.Expr{}
	for range min(g.rng.IntN(16), 1+g.rng.IntN(3)) {
		out = append(out, g.expr(depth-1, list))
	}
	return out
}

// list picks an array of objects, "" if there is none.
func (g *exprs) list() string {
	var lists []string
	for _, c := range g.columns {
		if c.List != "" && !slices.Contains(lists, c.List) {
			lists = append(lists, c.List)
		}
	}
	if len(lists) == 0 {
		return ""
	}
	return pick(g.rng, lists)
}

// column picks a column; within an array of objects one of its own, but for a few that are elsewhere and so missing in its elements.
func (g *exprs) column(list string) *ocsf.Column {
	if list == "" || g.rng.IntN(20) == 0 {
		return pick(g.rng, g.columns)
	}
	return pick(g.rng, slices.DeleteFunc(slices.Clone(g.columns), func(c *ocsf.Column) bool { return c.List != list }))
}

func (g *exprs) leaf(list string) hunt.Expr {
	col := g.column(list)
	return RandomPredicate(g.rng, col, pick(g.rng, hunt.Ops(col.Type)), g.sample)
}

// keywords makes what a list of keywords becomes: `contains` under one `or`, on one column.
func (g *exprs) keywords(list string) hunt.Expr {
	col := g.column(list)
	if !slices.Contains(hunt.Ops(col.Type), hunt.Contains) {
		return g.leaf(list)
	}
	out := hunt.Or{}
	for range 2 + g.rng.IntN(12) {
		out = append(out, RandomPredicate(g.rng, col, hunt.Contains, g.sample))
	}
	return out
}

// RandomPredicate makes a predicate on a column with a random argument and case rule. The operator is one that the column takes.
func RandomPredicate(rng *rand.Rand, col *ocsf.Column, op hunt.Op, sample arrow.RecordBatch) *hunt.Predicate {
	return What{col, op, rng.IntN(3) == 0}.Predicate(rng, sample)
}

// What is a predicate without its arguments.
type What struct {
	Column        *ocsf.Column
	Op            hunt.Op
	CaseSensitive bool
}

// Predicate finds random arguments that NewPredicate takes.
func (w What) Predicate(rng *rand.Rand, sample arrow.RecordBatch) *hunt.Predicate {
	for range 20 {
		if p, err := hunt.NewPredicate(w.Column, w.Op, w.CaseSensitive, randomArgs(rng, w.Column, w.Op, sample)...); err == nil {
			return p
		}
	}
	return plainPredicate(w.Column, w.Op)
}

// Predicates makes a predicate of each argument that NewPredicate takes.
func (w What) Predicates(args []hunt.Value) []hunt.Expr {
	var out []hunt.Expr
	for _, a := range args {
		if p, err := hunt.NewPredicate(w.Column, w.Op, w.CaseSensitive, a); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// plainPredicate stands in where twenty random arguments were refused, as happens to regular expressions.
func plainPredicate(col *ocsf.Column, op hunt.Op) *hunt.Predicate {
	args := []hunt.Value{hunt.String("a")}
	if op == hunt.Exists || !slices.Contains(hunt.Ops(col.Type), op) {
		op, args = hunt.Exists, []hunt.Value{hunt.Bool(true)}
	}
	p, err := hunt.NewPredicate(col, op, false, args...)
	if err != nil {
		panic(err) // the generator is wrong: the operator does not fit
	}
	return p
}

func randomArgs(rng *rand.Rand, col *ocsf.Column, op hunt.Op, sample arrow.RecordBatch) []hunt.Value {
	switch op {
	case hunt.Exists:
		return []hunt.Value{hunt.Bool(rng.IntN(2) == 0)}
	case hunt.Scope:
		return []hunt.Value{hunt.String(pick(rng, hunt.ScopeNames()))}
	case hunt.CIDR:
		return []hunt.Value{hunt.String(randomBlock(rng, sampleValue(rng, col, sample)))}
	case hunt.In:
		out := []hunt.Value{}
		for range rng.IntN(6) {
			out = append(out, randomArg(rng, col, op, sample))
		}
		return out
	}
	return []hunt.Value{randomArg(rng, col, op, sample)}
}

// randomArg makes an argument of the column's own type.
func randomArg(rng *rand.Rand, col *ocsf.Column, op hunt.Op, sample arrow.RecordBatch) hunt.Value {
	v := sampleValue(rng, col, sample)
	switch v.Kind() {
	case hunt.StringKind:
		return hunt.String(textArg(rng, op, v.Str()))
	case hunt.IntKind:
		return hunt.Int(v.Num() + pick(rng, []int64{0, 0, 0, 1, -1}))
	case hunt.TimeKind:
		return hunt.Time(v.Num() + pick(rng, []int64{0, 0, 0, 1, -1}))
	}
	return v
}

// sampleValue returns a value of a random row, or a made one where that row has none.
func sampleValue(rng *rand.Rand, col *ocsf.Column, sample arrow.RecordBatch) hunt.Value {
	if sample != nil && sample.NumRows() > 0 && rng.IntN(5) > 0 {
		row := vector.Row{Record: sample, Index: rng.IntN(int(sample.NumRows()))}
		if values := row.Values(col.Path); len(values) > 0 {
			return pick(rng, values)
		}
	}
	return presentValue(rng, col)
}

// textArg makes a text argument from a value.
func textArg(rng *rand.Rand, op hunt.Op, s string) string {
	switch op {
	case hunt.LikeOp:
		return likeArg(rng, s)
	case hunt.RegexOp:
		return regexArg(rng, s)
	case hunt.Contains, hunt.StartsWith, hunt.EndsWith:
		if rng.IntN(4) > 0 {
			s = piece(rng, op, s)
		}
	}
	return twist(rng, s)
}

// twist leaves a text, changes its case, or makes it a near miss.
func twist(rng *rand.Rand, s string) string {
	switch rng.IntN(8) {
	case 0:
		return strings.ToUpper(s)
	case 1:
		return strings.ToLower(s)
	case 2:
		return strings.Map(swapCase, s)
	case 3:
		return s + pick(rng, hostileTexts())
	case 4:
		return s[:len(s)-min(len(s), 1)]
	}
	return s
}

func swapCase(r rune) rune {
	if unicode.IsUpper(r) {
		return unicode.ToLower(r)
	}
	return unicode.ToUpper(r)
}

// piece cuts a part out of a text where the operator would find it, between runes or, rarely, within one.
func piece(rng *rand.Rand, op hunt.Op, s string) string {
	from, to := rng.IntN(len(s)+1), rng.IntN(len(s)+1)
	from, to = min(from, to), max(from, to)
	if rng.IntN(8) > 0 {
		from, to = runeStart(s, from), runeStart(s, to)
	}
	switch op {
	case hunt.StartsWith:
		from = 0
	case hunt.EndsWith:
		to = len(s)
	default:
		to = min(to, from+100)
	}
	return s[from:to]
}

func runeStart(s string, i int) int {
	for i > 0 && i < len(s) && !utf8.RuneStart(s[i]) {
		i--
	}
	return i
}

// likeArg makes a pattern from a value: parts of it escaped, others replaced by wildcards; or takes a text as a pattern as it is.
func likeArg(rng *rand.Rand, s string) string {
	if rng.IntN(6) == 0 {
		return twist(rng, s)
	}
	if len(s) > 200 {
		return "*" + likeEscape(s[len(s)-100:])
	}
	var b strings.Builder
	for len(s) > 0 {
		_, n := utf8.DecodeRuneInString(s)
		switch rng.IntN(12) {
		case 0:
			b.WriteByte('*')
			n = 1 + rng.IntN(len(s))
			n = max(runeStart(s, n), 1)
		case 1:
			b.WriteByte('?')
		default:
			b.WriteString(likeEscape(s[:n]))
		}
		s = s[n:]
	}
	return twist(rng, b.String())
}

func likeEscape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`).Replace(s)
}

// regexArg makes a regular expression that fits a piece of the value, or a hostile one. Some do not compile.
func regexArg(rng *rand.Rand, s string) string {
	quoted := regexp.QuoteMeta(piece(rng, hunt.Contains, s))
	switch rng.IntN(6) {
	case 0:
		return pick(rng, hostileRegexes())
	case 1:
		return "^" + regexp.QuoteMeta(piece(rng, hunt.StartsWith, s[:runeStart(s, min(len(s), 100))]))
	case 2:
		return quoted + "$"
	case 3:
		return quoted + ".*"
	case 4:
		return quoted + "|" + regexp.QuoteMeta(pick(rng, hostileTexts()))
	}
	return quoted
}

func hostileRegexes() []string {
	return []string{
		"", "k", "K", `\x{212a}`, "(?-i)K", "[^a]", `^$`, `(?s)^.$`, `^.$`, `\pL`, `\bcmd\b`, `(a|b)*c`, `\\`, `[k-l]`, `[[:upper:]]`, `\x00`,
		`\n`, `(?m)^b`, `s`, `\x{df}`, `\x{3c3}`, `.{3}`, `\d+\.\d+`, "\u00e9", `\z`,
	}
}

// randomBlock makes an address block around an address, or a hostile one.
func randomBlock(rng *rand.Rand, v hunt.Value) string {
	if rng.IntN(3) == 0 {
		return pick(rng, blocks())
	}
	a := netip.AddrFrom16(v.Addr16())
	if rng.IntN(4) > 0 {
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, rng.IntN(a.BitLen()+1)).String()
}
