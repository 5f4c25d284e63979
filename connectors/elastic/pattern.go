package elastic

import (
	"bytes"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
)

// This file writes needles and patterns as a cluster compares them. What Harrier folds and what a cluster folds differ outside ASCII
// (hunt.Fold against the ASCII folding of case_insensitive), so runes that have another case there are written out or left open.

// mostVariants is how many ways of writing one needle are asked before its runes with another case are left open.
const mostVariants = 8

// sameFold returns the runes outside ASCII that hunt.Fold makes r of; r itself is the first.
func sameFold(r rune) []rune {
	out := []rune{r}
	if r < utf8.RuneSelf {
		return out
	}
	for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
		if hunt.Fold(string(o)) == string(r) {
			out = append(out, o)
		}
	}
	// Lower case is no simple fold for a few runes; they are found by their upper and title case.
	for _, o := range []rune{unicode.ToUpper(r), unicode.ToTitle(r)} {
		if !slices.Contains(out, o) && hunt.Fold(string(o)) == string(r) {
			out = append(out, o)
		}
	}
	return out
}

// variants returns the texts that fold to needle but for the case of ASCII letters, or false if there are too many.
func variants(needle string) ([]string, bool) {
	out := [][]byte{make([]byte, 0, len(needle))}
	for _, r := range needle {
		same := sameFold(r)
		if len(out)*len(same) > mostVariants {
			return nil, false
		}
		heads := len(out)
		for _, o := range same[1:] {
			for _, head := range out[:heads] {
				out = append(out, utf8.AppendRune(bytes.Clone(head), o))
			}
		}
		for i := range heads {
			out[i] = utf8.AppendRune(out[i], same[0])
		}
	}
	texts := make([]string, len(out))
	for i, text := range out {
		texts[i] = string(text)
	}
	return texts, true
}

// segment is a part of a pattern: text, any one rune, or any run.
type segment struct {
	text string // as it is compared: folded if the pattern is
	one  bool
	run  bool
}

// likePieces cuts a like pattern into its pieces.
func likePieces(pattern string) []segment {
	var out []segment
	var text []rune
	flush := func() {
		if len(text) > 0 {
			out, text = append(out, segment{text: string(text)}), text[:0]
		}
	}
	runes := []rune(pattern)
	for i := 0; i < len(runes); i++ {
		switch r := runes[i]; {
		case r == '*':
			flush()
			out = append(out, segment{run: true})
		case r == '?':
			flush()
			out = append(out, segment{one: true})
		case r == '\\' && i+1 < len(runes):
			i++
			text = append(text, runes[i])
		default:
			text = append(text, r)
		}
	}
	flush()
	return out
}

// What a cluster makes of a pattern is an automaton, and it refuses those that are too large: 10,000 steps of work in all, and 1,000
// states in a row (both products, Lucene 9.12). These bounds stay well below.
const (
	mostRunes = 160 // of a pattern
	mostOnes  = 6   // `?` in a pattern that has a `*`
	mostBytes = 480 // of a text that is compared without case, or as a prefix
)

// lucene writes pieces as a wildcard pattern that covers at least what they do, and says whether it covers nothing else. open is asked
// for runes that are to be left open.
func lucene(pieces []segment, open func(rune) bool) (pattern string, exact bool) {
	exact = true
	var b strings.Builder
	runs := slices.ContainsFunc(pieces, func(p segment) bool { return p.run })
	ones, size := countOnes(pieces, open), 0
	wide := runs && ones > mostOnes // then every `?` is written `*`
	last := byte(0)
	write := func(c byte) {
		if c != '*' || last != '*' {
			b.WriteByte(c)
		}
		last, size = c, size+1
	}
	one := func() {
		if wide {
			write('*')
		} else {
			write('?')
		}
	}
	for _, p := range pieces {
		switch {
		case p.run:
			write('*')
		case p.one:
			one()
			exact = exact && !wide
		}
		for _, r := range p.text {
			if open(r) {
				one()
				exact = false
			} else {
				b.WriteString(escapePattern(string(r)))
				last, size = 0, size+1
			}
			if size >= mostRunes {
				break
			}
		}
		if size >= mostRunes {
			write('*')
			return b.String(), false
		}
	}
	return b.String(), exact
}

func countOnes(pieces []segment, open func(rune) bool) int {
	n := 0
	for _, p := range pieces {
		if p.one {
			n++
		}
		for _, r := range p.text {
			if open(r) {
				n++
			}
		}
	}
	return n
}

// cutRunes returns the first, or if end is set the last, runes of s that fit the bounds of a pattern, and whether that is all.
func cutRunes(s string, end bool) (string, bool) {
	if len(s) <= mostRunes {
		return s, true
	}
	runes := []rune(s)
	if len(runes) <= mostRunes {
		return s, true
	}
	if end {
		return string(runes[len(runes)-mostRunes:]), false
	}
	return string(runes[:mostRunes]), false
}

// run is a text that every match of a regular expression holds, in the order of the runs; without case if folded.
type literalRun struct {
	text   string
	folded bool
}

// shortestRun is the length from which a run narrows a search enough to be asked.
const shortestRun = 2

// regexRuns returns alternatives of which every match of an RE2 expression holds one: its runs in order. None if nothing is known.
func regexRuns(expression string) [][]literalRun {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	const most = 16
	if out := required(re); len(out) <= most {
		return out
	}
	return nil
}

// required looks at what stands in every match: literals, what is written one after the other, and what is repeated at least once.
func required(re *syntax.Regexp) [][]literalRun {
	switch re.Op {
	case syntax.OpLiteral:
		if runs := asciiRuns(re.Rune, re.Flags&syntax.FoldCase != 0); len(runs) > 0 {
			return [][]literalRun{runs}
		}
	case syntax.OpCapture, syntax.OpPlus:
		return required(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return required(re.Sub[0])
		}
	case syntax.OpAlternate:
		var out [][]literalRun
		for _, sub := range re.Sub {
			some := required(sub)
			if len(some) == 0 {
				return nil
			}
			out = append(out, some...)
		}
		return out
	case syntax.OpConcat:
		return requiredConcat(re.Sub)
	}
	return nil
}

// requiredConcat joins the runs of the parts that have one alternative; if none has, it takes the first part that has several.
func requiredConcat(subs []*syntax.Regexp) [][]literalRun {
	var all []literalRun
	var several [][]literalRun
	for _, sub := range subs {
		switch some := required(sub); {
		case len(some) == 1:
			all = append(all, some[0]...)
		case len(some) > 1 && several == nil:
			several = some
		}
	}
	if len(all) > 0 {
		return [][]literalRun{all}
	}
	return several
}

// asciiRuns cuts the runs of runes that only ASCII text matches. Without case k and s are none: RE2 lets them match the Kelvin sign and
// the long s.
func asciiRuns(runes []rune, folded bool) []literalRun {
	var out []literalRun
	from := 0
	for i := 0; i <= len(runes); i++ {
		if i < len(runes) && hunt.OnlyASCII(runes[i], folded) {
			continue
		}
		if i-from >= shortestRun {
			out = append(out, literalRun{string(runes[from:i]), folded})
		}
		from = i + 1
	}
	return out
}
