package vector

import (
	"bytes"
	"slices"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cloudflare/ahocorasick"

	"github.com/harrier-xdr/harrier/hunt"
)

// textKernel selects the rows of a text column.
type textKernel func(col *array.String, m Mask)

// compileText picks the kernel of a text predicate.
func compileText(p *hunt.Predicate) textKernel {
	switch p.Op {
	case hunt.LikeOp:
		return eachText(p.Pattern().Match)
	case hunt.RegexOp:
		return eachText(p.Regex().MatchString)
	case hunt.Contains:
		return containsAny(p.Needles(), p.CaseSensitive)
	case hunt.StartsWith:
		return eachFolded(p, func(s []byte) bool { return bytes.HasPrefix(s, []byte(p.Needles()[0])) })
	case hunt.EndsWith:
		return eachFolded(p, func(s []byte) bool { return bytes.HasSuffix(s, []byte(p.Needles()[0])) })
	case hunt.Eq, hunt.In:
		return equalsAny(p)
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
func eachFolded(p *hunt.Predicate, match func([]byte) bool) textKernel {
	return func(col *array.String, m Mask) {
		var scratch []byte
		for i := range m {
			if col.IsNull(i) {
				continue
			}
			scratch = append(scratch[:0], col.Value(i)...)
			if !p.CaseSensitive {
				scratch = foldInto(scratch)
			}
			m[i] = match(scratch)
		}
	}
}

// foldInto folds text in place where it is ASCII, and makes it anew where it is not.
func foldInto(b []byte) []byte {
	for i, c := range b {
		if c >= 0x80 {
			return hunt.AppendFold(nil, b)
		}
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

func equalsAny(p *hunt.Predicate) textKernel {
	set := map[string]bool{}
	for _, n := range p.Needles() {
		set[n] = true
	}
	lengths := asciiLengths(p.Needles())
	slow := eachFolded(p, func(s []byte) bool { return set[string(s)] })
	if lengths == nil {
		return slow
	}
	// ASCII needles equal only values of their own length, so most values need no folding.
	return func(col *array.String, m Mask) {
		var scratch []byte
		for i := range m {
			if n := col.ValueLen(i); n >= len(lengths) || !lengths[n] || col.IsNull(i) {
				continue
			}
			scratch = append(scratch[:0], col.Value(i)...)
			if !p.CaseSensitive {
				scratch = foldInto(scratch)
			}
			m[i] = set[string(scratch)]
		}
	}
}

// asciiLengths marks the lengths of the needles in bytes; nil if a needle is not ASCII.
func asciiLengths(needles []string) []bool {
	out := []bool{false}
	for _, n := range needles {
		if !hunt.IsASCII(n) {
			return nil
		}
		if grow := len(n) + 1 - len(out); grow > 0 {
			out = append(out, make([]bool, grow)...)
		}
		out[len(n)] = true
	}
	return out
}

const (
	// automatonFrom is the number of keywords from which one automaton beats a loop of searches.
	automatonFrom = 4
	// automatonLongest is the length in bytes up to which a keyword goes into the automaton. Building it takes 4 KB for each byte of a
	// keyword and time that grows with the cube of its length, so that one of 64 KB would not come to an end.
	automatonLongest = 64
)

// containsAny holds where any of the needles, already folded, occurs in the value.
func containsAny(needles []string, caseSensitive bool) textKernel {
	if slices.Contains(needles, "") {
		return func(col *array.String, m Mask) {
			for i := range m {
				m[i] = col.IsValid(i)
			}
		}
	}
	p := &hunt.Predicate{CaseSensitive: caseSensitive}
	short, long := byLength(needles)
	if len(short) < automatonFrom {
		return eachFolded(p, func(s []byte) bool { return containsOne(s, needles) })
	}
	automaton := ahocorasick.NewStringMatcher(short)
	return eachFolded(p, func(s []byte) bool { return automaton.Contains(s) || containsOne(s, long) })
}

// byLength parts the needles that go into an automaton from those that are too long for it.
func byLength(needles []string) (short, long []string) {
	for _, n := range needles {
		if len(n) <= automatonLongest {
			short = append(short, n)
		} else {
			long = append(long, n)
		}
	}
	return short, long
}

func containsOne(s []byte, needles []string) bool {
	return slices.ContainsFunc(needles, func(n string) bool { return bytes.Contains(s, []byte(n)) })
}
