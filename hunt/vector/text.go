package vector

import (
	"bytes"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
)

// textKernel selects in m, which is all false, the rows of a text column.
type textKernel func(col *array.String, m Mask)

// compileText picks the kernel of a text predicate.
func compileText(p *hunt.Predicate) textKernel {
	switch p.Op {
	case hunt.LikeOp:
		return searchFirst(likeLiteral(p), p.Pattern().Match)
	case hunt.RegexOp:
		return searchFirst(regexLiteral(p.Regex().String()), p.Regex().MatchString)
	case hunt.Contains:
		return containsAny(p.Needles(), p.CaseSensitive)
	case hunt.StartsWith:
		return startsWith(p.Needles()[0], p.CaseSensitive)
	case hunt.EndsWith:
		return endsWith(p.Needles()[0], p.CaseSensitive)
	case hunt.Eq, hunt.In:
		return equalsAny(p.Needles(), p.CaseSensitive)
	}
	return func(*array.String, Mask) {}
}

func eachText(match func(string) bool) textKernel {
	return func(col *array.String, m Mask) {
		for i := range m {
			m[i] = col.IsValid(i) && match(col.Value(i))
		}
	}
}

// eachFolded compares each value after folding it into one scratch buffer.
func eachFolded(match func([]byte) bool) textKernel {
	return func(col *array.String, m Mask) {
		var scratch []byte
		for i := range m {
			if col.IsValid(i) {
				scratch = hunt.AppendFold(scratch[:0], col.Value(i))
				m[i] = match(scratch)
			}
		}
	}
}

// startsWith compares only the beginning of a value, unless the needle has runes whose folding changes lengths.
func startsWith(needle string, caseSensitive bool) textKernel {
	switch {
	case caseSensitive:
		return eachText(func(s string) bool { return strings.HasPrefix(s, needle) })
	case hunt.IsASCII(needle):
		return eachText(func(s string) bool { return len(s) >= len(needle) && equalLower(s[:len(needle)], needle) })
	}
	return eachFolded(func(s []byte) bool { return bytes.HasPrefix(s, []byte(needle)) })
}

// endsWith compares only the end of a value, as startsWith does.
func endsWith(needle string, caseSensitive bool) textKernel {
	switch {
	case caseSensitive:
		return eachText(func(s string) bool { return strings.HasSuffix(s, needle) })
	case hunt.IsASCII(needle):
		return eachText(func(s string) bool { return len(s) >= len(needle) && equalLower(s[len(s)-len(needle):], needle) })
	}
	return eachFolded(func(s []byte) bool { return bytes.HasSuffix(s, []byte(needle)) })
}

// equalLower says whether s, of the length of needle, is needle, which is in lower case and ASCII.
func equalLower(s, needle string) bool {
	for i := range len(needle) {
		if lower(s[i]) != needle[i] {
			return false
		}
	}
	return true
}

func equalsAny(needles []string, caseSensitive bool) textKernel {
	set := map[string]bool{}
	for _, n := range needles {
		set[n] = true
	}
	if !caseSensitive && !allASCII(needles) {
		return eachFolded(func(s []byte) bool { return set[string(s)] })
	}
	// These needles equal only values of their own length, so most values need no folding.
	lengths := lengthsOf(needles)
	return func(col *array.String, m Mask) {
		var scratch []byte
		for i := range m {
			if n := col.ValueLen(i); n >= len(lengths) || !lengths[n] || col.IsNull(i) {
				continue
			}
			scratch = append(scratch[:0], col.Value(i)...)
			if !caseSensitive {
				scratch = appendLower(scratch[:0], scratch)
			}
			m[i] = set[string(scratch)]
		}
	}
}

func allASCII(needles []string) bool {
	return !slices.ContainsFunc(needles, func(n string) bool { return !hunt.IsASCII(n) })
}

// lengthsOf marks the lengths of the needles in bytes.
func lengthsOf(needles []string) []bool {
	longest := 0
	for _, n := range needles {
		longest = max(longest, len(n))
	}
	out := make([]bool, longest+1)
	for _, n := range needles {
		out[len(n)] = true
	}
	return out
}

// containsAny holds where any of the needles, already folded, occurs in the value.
func containsAny(needles []string, caseSensitive bool) textKernel {
	if slices.Contains(needles, "") {
		return eachText(func(string) bool { return true })
	}
	if caseSensitive {
		return containsBytes(needles, false)
	}
	if allASCII(needles) {
		return containsBytes(needles, true)
	}
	ascii, wide := byAlphabet(needles)
	if len(ascii) == 0 {
		return containsFolded(wide)
	}
	return either(containsBytes(ascii, true), containsFolded(wide))
}

// byAlphabet parts the needles that are ASCII from the others.
func byAlphabet(needles []string) (ascii, wide []string) {
	for _, n := range needles {
		if hunt.IsASCII(n) {
			ascii = append(ascii, n)
		} else {
			wide = append(wide, n)
		}
	}
	return ascii, wide
}

// containsBytes searches the values as they are; with fold set, letters in either case for ASCII needles. From two needles on one
// automaton takes the time of two searches, and is not slowed down by needles that begin with a frequent letter.
func containsBytes(needles []string, fold bool) textKernel {
	if len(needles) == 1 {
		return search(needles[0], fold)
	}
	a := newAutomaton(needles, fold)
	return func(col *array.String, m Mask) {
		i := 0
		for ; i+1 < len(m); i += 2 {
			m[i], m[i+1] = a.findPair(col.Value(i), col.Value(i+1))
		}
		if i < len(m) {
			m[i] = find(a, col.Value(i))
		}
		dropNulls(col, m)
	}
}

// containsFolded searches the folded values for needles of which none is ASCII. A value that is ASCII holds none of them.
func containsFolded(needles []string) textKernel {
	a := newAutomaton(needles, false)
	return func(col *array.String, m Mask) {
		var scratch []byte
		for i := range m {
			if s := col.Value(i); !hunt.IsASCII(s) && col.IsValid(i) {
				scratch = hunt.AppendFold(scratch[:0], s)
				m[i] = find(a, scratch)
			}
		}
	}
}

// either selects what a or b selects.
func either(a, b textKernel) textKernel {
	return func(col *array.String, m Mask) {
		other := make(Mask, len(m))
		a(col, m)
		b(col, other)
		for i, on := range other {
			m[i] = m[i] || on
		}
	}
}
