package vector

import (
	"regexp/syntax"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// shortestLiteral is the length in bytes from which a literal is worth a search of its own: shorter ones are in most values.
const shortestLiteral = 3

// literal is an ASCII text that every matching value holds; in lower case if it may stand in any case.
type literal struct {
	text string
	fold bool
}

// searchFirst selects the values that match, and asks match only for those that hold the literal, which search finds much faster.
func searchFirst(l literal, match func(string) bool) textKernel {
	if len(l.text) < shortestLiteral {
		return eachText(match)
	}
	holds := search(l.text, l.fold)
	return func(col *array.String, m Mask) {
		holds(col, m)
		for i, on := range m {
			m[i] = on && match(col.Value(i))
		}
	}
}

// regexLiteral returns the longest literal that every match of a regular expression holds; an empty one if none shows.
func regexLiteral(expression string) literal {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return literal{}
	}
	return required(re)
}

// required looks at what stands in every match: literals and what is written after each other or repeated at least once. Of a choice
// it knows nothing.
func required(re *syntax.Regexp) literal {
	switch re.Op {
	case syntax.OpLiteral:
		return longestRun(re.Rune, re.Flags&syntax.FoldCase != 0)
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpConcat:
		var best literal
		for _, sub := range re.Sub {
			if l := required(sub); len(l.text) > len(best.text) {
				best = l
			}
		}
		return best
	}
	return literal{}
}

// longestRun returns the longest run of runes that only ASCII text matches. With fold set k and s are none: RE2 lets them match the
// Kelvin sign and the long s.
func longestRun(runes []rune, fold bool) literal {
	best, from := literal{fold: fold}, 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && hunt.OnlyASCII(runes[i], fold) {
			continue
		}
		if i-from > len(best.text) {
			best.text = string(runes[from:i])
		}
		from = i + 1
	}
	if fold {
		best.text = strings.ToLower(best.text)
	}
	return best
}

// likeLiteral returns the literal of a like pattern that is worth a search before the pattern is tried.
func likeLiteral(p *hunt.Predicate) literal {
	return literal{p.Pattern().Literal(), !p.CaseSensitive}
}
