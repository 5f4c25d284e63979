package lake

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// This file writes values, names and comparisons in the SQL of DuckDB.

// quoteName quotes an identifier.
func quoteName(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quoteText writes a text literal. SQL text cannot hold a NUL byte, so one is written as chr(0).
func quoteText(s string) string {
	quoted := `'` + strings.ReplaceAll(s, `'`, `''`) + `'`
	if !strings.Contains(s, "\x00") {
		return quoted
	}
	return `(` + strings.ReplaceAll(quoted, "\x00", `' || chr(0) || '`) + `)`
}

// The instants that DuckDB can hold, and those that it can read from text, in microseconds.
const (
	minInstant, maxInstant int64 = -9_223_372_022_400_000_000, math.MaxInt64 - 1
	minWritten, maxWritten int64 = -62_135_596_800_000_000, 253_402_300_799_999_999
)

func quoteTime(us int64) string {
	if us < minWritten || us > maxWritten {
		return fmt.Sprintf("make_timestamptz(%d)", us)
	}
	return "TIMESTAMPTZ '" + hunt.FormatTime(us) + "'"
}

func quoteIP(ip [16]byte) string { return "unhex('" + hex.EncodeToString(ip[:]) + "')" }

// quoteValue writes a literal; false if SQL cannot express it.
func quoteValue(v hunt.Value) (string, bool) {
	switch v.Kind() {
	case hunt.StringKind:
		return quoteText(v.Str()), hunt.IsPlainText(v.Str())
	case hunt.FloatKind:
		return "'" + strconv.FormatFloat(v.Flt(), 'g', -1, 64) + "'::DOUBLE", !math.IsNaN(v.Flt())
	case hunt.BoolKind:
		return strconv.FormatBool(v.Num() == 1), true
	case hunt.TimeKind:
		return quoteTime(v.Num()), minInstant <= v.Num() && v.Num() <= maxInstant
	case hunt.IPKind:
		return quoteIP(v.Addr16()), true
	}
	if v.Num() == math.MinInt64 {
		return "'-9223372036854775808'::BIGINT", true // the digits alone are no BIGINT
	}
	return strconv.FormatInt(v.Num(), 10), true
}

// sqlType is the DuckDB type of a column's values, as they are read from Parquet.
func sqlType(t ocsf.Type) string {
	switch t {
	case ocsf.Float:
		return "DOUBLE"
	case ocsf.Boolean:
		return "BOOLEAN"
	case ocsf.Time:
		return "TIMESTAMPTZ"
	case ocsf.IP:
		return "BLOB"
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return "BIGINT"
	}
	return "VARCHAR"
}

// columnType is the DuckDB type of a physical column.
func columnType(class *ocsf.Class, name string) string {
	list := class.List(name)
	if len(list) == 0 {
		return sqlType(class.Column(name).Type)
	}
	fields := make([]string, len(list))
	for i, c := range list {
		fields[i] = quoteName(c.Leaf()) + " " + sqlType(c.Type)
	}
	return "STRUCT(" + strings.Join(fields, ", ") + ")[]"
}

// Marks in the SQL of a comparison. They hold a NUL byte, which no SQL text does.
const (
	operand   = "\x00v" // what to compare
	listOpen  = "\x00[" // around a long list of literals: a subquery is hashed, but cannot stand in a lambda
	listClose = "\x00]"
)

// longList is the number of literals from which a list is hashed.
const longList = 9

// comparison is a predicate in SQL that is NULL or false where Match is false.
type comparison struct {
	sql     string // with the marks
	pattern string // instead of sql: an RE2 pattern that the operand must match
	state   hunt.Disposition
	reason  string
}

func local(reason string) comparison { return comparison{state: hunt.Local, reason: reason} }

func exactly(sql string) comparison { return comparison{sql: sql, state: hunt.Exact} }

func matching(pattern string) comparison {
	if len(pattern) > mostPattern {
		return local(reasonLarge)
	}
	return comparison{pattern: pattern, state: hunt.Exact}
}

// widened is matching for a pattern that looks at single runes: the rows with stored bytes are returned too.
func widened(pattern string) comparison {
	c := matching(orEscaped(pattern))
	if c.state == hunt.Exact {
		c.state, c.reason = hunt.Widened, reasonEscaped
	}
	return c
}

const (
	reasonBytes   = "the argument holds bytes that are no UTF-8, which DuckDB cannot take"
	reasonLiteral = "DuckDB has no such number"
	reasonLarge   = "the pattern is too large for DuckDB's RE2"
	reasonEscaped = "text with bytes that are no UTF-8 is stored rune by rune, so it is checked again"
)

// compare translates a predicate on a value; Exists is not one.
func compare(p *hunt.Predicate) comparison {
	switch p.Type {
	case ocsf.String, ocsf.JSON:
		return compareText(p)
	case ocsf.IP:
		return compareIP(p)
	}
	return compareOrdered(p)
}

func compareText(p *hunt.Predicate) comparison {
	for _, a := range p.Args {
		if !hunt.IsPlainText(a.Str()) {
			return local(reasonBytes)
		}
	}
	switch p.Op {
	case hunt.Eq, hunt.In:
		return compareEqual(p)
	case hunt.LikeOp:
		return compareLike(p)
	case hunt.RegexOp:
		return compareRegex(p)
	}
	return comparePart(p)
}

// compareEqual is eq and in. DuckDB's lower makes ASCII of two runes outside ASCII, which Fold does not; such a text gets shorter.
func compareEqual(p *hunt.Predicate) comparison {
	if len(p.Args) == 0 {
		return exactly("false")
	}
	if p.CaseSensitive {
		return exactly(operand + anyOf(p.Needles()))
	}
	plain, folded := []string{}, []string{}
	for _, n := range p.Needles() {
		if hunt.IsASCII(n) {
			plain = append(plain, n)
		} else {
			folded = append(folded, `\A`+foldedPattern(n)+`\z`)
			if len(folded[len(folded)-1]) > mostPattern {
				return local(reasonLarge)
			}
		}
	}
	var parts []string
	if len(plain) > 0 {
		parts = append(parts, "lower("+operand+")"+anyOf(plain)+" AND strlen("+operand+") = strlen(lower("+operand+"))")
	}
	for _, alt := range alternations(folded) {
		parts = append(parts, matches(alt))
	}
	return exactly("(" + strings.Join(parts, " OR ") + ")")
}

// anyOf compares with text literals.
func anyOf(needles []string) string {
	quoted := make([]string, len(needles))
	for i, n := range needles {
		quoted[i] = quoteText(n)
	}
	return oneOf(quoted)
}

// oneOf compares with literals, of which there is at least one.
func oneOf(literals []string) string {
	literals = slices.Compact(slices.Sorted(slices.Values(literals)))
	switch {
	case len(literals) == 1:
		return " = " + literals[0]
	case len(literals) < longList:
		return " IN (" + strings.Join(literals, ", ") + ")"
	}
	return " IN " + listOpen + strings.Join(literals, ", ") + listClose
}

// matches tests a pattern.
func matches(pattern string) string {
	return "regexp_matches(" + operand + ", " + quoteText(pattern) + ")"
}

// comparePart is contains, startsWith and endsWith.
func comparePart(p *hunt.Predicate) comparison {
	needle := p.Needles()[0]
	if needle == "" {
		return exactly(operand + " IS NOT NULL") // every text contains it
	}
	pattern := foldedPattern
	if p.CaseSensitive {
		pattern = exactPattern
	}
	switch p.Op {
	case hunt.StartsWith:
		return matching(`\A` + pattern(needle))
	case hunt.EndsWith:
		return matching(pattern(needle) + `\z`)
	}
	return matching(pattern(needle))
}

func compareLike(p *hunt.Predicate) comparison {
	pattern, counts := likePattern(p.Args[0].Str(), !p.CaseSensitive)
	if counts {
		return widened(pattern)
	}
	return matching(pattern)
}

func compareRegex(p *hunt.Predicate) comparison {
	pattern, ok := regexPattern(p.Regex().String())
	if !ok {
		return local(reasonLarge)
	}
	return widened(pattern)
}

func compareIP(p *hunt.Predicate) comparison {
	switch p.Op {
	case hunt.CIDR:
		lo, hi := p.Block()
		return exactly(operand + " >= " + quoteIP(lo) + " AND " + operand + " <= " + quoteIP(hi))
	case hunt.Scope:
		return exactly(scopeSQL(p.Args[0].Str()))
	}
	return compareOrdered(p)
}

func scopeSQL(scope string) string {
	if scope != "EXTERNAL" {
		return "(" + inBlocks(hunt.ScopeBlocks(scope)) + ")"
	}
	var all []string
	for _, s := range hunt.ScopeNames() {
		all = append(all, hunt.ScopeBlocks(s)...)
	}
	return "NOT (" + inBlocks(all) + ")"
}

func inBlocks(blocks []string) string {
	column := ocsf.Column{GraphQL: "ip", Type: ocsf.IP}
	parts := make([]string, 0, len(blocks))
	for _, b := range blocks {
		if p, err := hunt.NewPredicate(&column, hunt.CIDR, false, hunt.String(b)); err == nil {
			parts = append(parts, "("+compareIP(p).sql+")")
		}
	}
	return strings.Join(parts, " OR ")
}

// compareOrdered is eq, in and the ranges on numbers, booleans, times and addresses. Match orders NaN before all numbers, DuckDB
// after them.
func compareOrdered(p *hunt.Predicate) comparison {
	literals := make([]string, len(p.Args))
	for i, a := range p.Args {
		text, ok := quoteValue(a)
		if !ok {
			return local(reasonLiteral)
		}
		literals[i] = text
	}
	float := p.Type == ocsf.Float
	switch p.Op {
	case hunt.LT, hunt.LTE:
		sql := operand + " " + orderSign(p.Op) + " " + literals[0]
		if float {
			sql = "(" + sql + " OR isnan(" + operand + "))"
		}
		return exactly(sql)
	case hunt.GT, hunt.GTE:
		sql := operand + " " + orderSign(p.Op) + " " + literals[0]
		if float {
			sql += " AND NOT isnan(" + operand + ")"
		}
		return exactly(sql)
	}
	if len(literals) == 0 {
		return exactly("false")
	}
	return exactly(operand + oneOf(literals))
}

func orderSign(op hunt.Op) string {
	switch op {
	case hunt.LT:
		return "<"
	case hunt.LTE:
		return "<="
	case hunt.GT:
		return ">"
	}
	return ">="
}
