package lake

import (
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
)

// This file writes RE2 patterns. DuckDB's own lower() and the (?i) of RE2 fold otherwise than hunt.Fold (the Kelvin sign equals k in
// both), so folding is written out: every letter becomes the class of the runes that fold to it. RE2 turns [aA] into a folded literal
// again, so that costs nothing.

// foldedPattern returns the pattern that matches the texts whose fold is needle, which is folded itself.
func foldedPattern(needle string) string {
	var b strings.Builder
	for _, r := range needle {
		writeClass(&b, foldsTo(r))
	}
	return b.String()
}

// exactPattern returns the pattern that matches text alone.
func exactPattern(text string) string {
	var b strings.Builder
	for _, r := range text {
		b.WriteString(runePattern(r))
	}
	return b.String()
}

// foldsTo returns the runes that hunt.Fold makes r of.
func foldsTo(r rune) []rune {
	if r < utf8.RuneSelf {
		if up := unicode.ToUpper(r); up != r && up < utf8.RuneSelf {
			return []rune{r, up}
		}
		return []rune{r}
	}
	out := []rune{r}
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		if hunt.Fold(string(o)) == string(r) {
			out = append(out, o)
		}
	}
	return out
}

func writeClass(b *strings.Builder, runes []rune) {
	if len(runes) == 1 {
		b.WriteString(runePattern(runes[0]))
		return
	}
	// RE2 makes a folded literal of [kK]. If an alternation then joins that literal with another rune, it takes in all that folds to it:
	// the Kelvin sign for k, the long s for s. An alternation of its own stays what it is.
	if len(runes) == 2 && strings.ContainsRune("ks", unicode.ToLower(runes[0])) {
		b.WriteString("(?:" + string(runes[0]) + "|" + string(runes[1]) + ")")
		return
	}
	b.WriteByte('[')
	for _, r := range runes {
		b.WriteString(runePattern(r))
	}
	b.WriteByte(']')
}

// runePattern writes one rune, also within a class. What people cannot read in a query is written as a number.
func runePattern(r rune) string {
	switch {
	case r < ' ', r == 0x7f, r > unicode.MaxLatin1, r > 0x7e && !unicode.IsLetter(r):
		return fmt.Sprintf(`\x{%x}`, r)
	case r == '-', r == '^':
		return `\` + string(r)
	}
	return regexp.QuoteMeta(string(r))
}

// likePattern returns the RE2 pattern of a like pattern, and whether it counts runes with `?`.
func likePattern(pattern string, fold bool) (text string, counts bool) {
	if fold {
		pattern = hunt.Fold(pattern)
	}
	var b strings.Builder
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		r := runes[i]
		switch {
		case r == '*':
			b.WriteString(`.*`)
			continue
		case r == '?':
			b.WriteByte('.')
			counts = true
			continue
		case r == '\\' && i+1 < len(runes):
			i++
			r = runes[i]
		}
		if fold {
			writeClass(&b, foldsTo(r))
		} else {
			b.WriteString(runePattern(r))
		}
	}
	return `(?s:\A` + b.String() + `\z)`, counts
}

// RE2 as DuckDB links it has a memory budget for a program; these bounds stay far below it.
const (
	mostRunes   = 20_000 // bounds of rune ranges in a program
	mostPattern = 12_000 // bytes of one alternation
)

// regexPattern writes a Go regular expression for RE2 with all folding and Unicode classes written out, so that it does not matter
// which Unicode version RE2 knows. It returns false if the program could be too large.
func regexPattern(text string) (string, bool) {
	re, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return "", false
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil || runesOf(prog) > mostRunes {
		return "", false
	}
	var b strings.Builder
	writeRegex(&b, re)
	return b.String(), b.Len() <= mostPattern
}

// runesOf says how large a program is. RE2 works on bytes, so a range of runes costs it several instructions.
func runesOf(prog *syntax.Prog) int {
	const anyRune = 10
	n := 0
	for _, i := range prog.Inst {
		switch i.Op {
		case syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			n += anyRune
		default:
			n += 1 + len(i.Rune)
		}
	}
	return n
}

// emptyPatterns are the nodes of a regular expression without parts.
var emptyPatterns = [...]string{
	syntax.OpNoMatch: `[^\x00-\x{10ffff}]`, syntax.OpEmptyMatch: `(?:)`, syntax.OpAnyCharNotNL: `[^\n]`, syntax.OpAnyChar: `(?s:.)`,
	syntax.OpBeginLine: `(?m:^)`, syntax.OpEndLine: `(?m:$)`, syntax.OpBeginText: `\A`, syntax.OpEndText: `\z`,
	syntax.OpWordBoundary: `\b`, syntax.OpNoWordBoundary: `\B`,
}

func writeRegex(b *strings.Builder, re *syntax.Regexp) {
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString("(?:")
		for _, r := range re.Rune {
			writeLiteral(b, r, re.Flags&syntax.FoldCase != 0)
		}
		b.WriteString(")")
	case syntax.OpCharClass:
		writeRanges(b, re.Rune)
	case syntax.OpCapture, syntax.OpConcat, syntax.OpAlternate:
		writeGroup(b, re)
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		b.WriteString("(?:")
		writeRegex(b, re.Sub[0])
		b.WriteString(")" + repetition(re))
	default:
		b.WriteString(emptyPatterns[re.Op])
	}
}

func writeLiteral(b *strings.Builder, r rune, fold bool) {
	runes := []rune{r}
	if fold {
		for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
			runes = append(runes, o)
		}
		slices.Sort(runes)
	}
	writeClass(b, runes)
}

func writeRanges(b *strings.Builder, ranges []rune) {
	if len(ranges) == 0 {
		b.WriteString(emptyPatterns[syntax.OpNoMatch])
		return
	}
	b.WriteByte('[')
	for i := 0; i < len(ranges); i += 2 {
		b.WriteString(runePattern(ranges[i]))
		if ranges[i+1] > ranges[i] {
			b.WriteString("-" + runePattern(ranges[i+1]))
		}
	}
	b.WriteByte(']')
}

func writeGroup(b *strings.Builder, re *syntax.Regexp) {
	b.WriteString("(?:")
	for i, sub := range re.Sub {
		if i > 0 && re.Op == syntax.OpAlternate {
			b.WriteByte('|')
		}
		writeRegex(b, sub)
	}
	b.WriteByte(')')
}

func repetition(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpStar:
		return "*"
	case syntax.OpPlus:
		return "+"
	case syntax.OpQuest:
		return "?"
	}
	if re.Max < 0 {
		return fmt.Sprintf("{%d,}", re.Min)
	}
	return fmt.Sprintf("{%d,%d}", re.Min, re.Max)
}

// orEscaped widens a pattern to the texts that hold a stored byte: there a pattern that counts runes or names ranges of them would
// see other runes than Match does.
func orEscaped(pattern string) string {
	return fmt.Sprintf(`%s|[\x{%x}-\x{%x}]`, pattern, hunt.EscapeFirst, hunt.EscapeLast)
}

// alternations joins patterns with `|` into as few texts as the bound allows.
func alternations(patterns []string) []string {
	var out []string
	var b strings.Builder
	for _, p := range patterns {
		if b.Len() > 0 && b.Len()+len(p) > mostPattern {
			out = append(out, b.String())
			b.Reset()
		}
		if b.Len() > 0 {
			b.WriteByte('|')
		}
		b.WriteString(p)
	}
	if b.Len() > 0 || len(patterns) > 0 && len(out) == 0 {
		out = append(out, b.String())
	}
	return out
}
