package hunt

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// likePart is a literal run of a like pattern; gap says what may stand before it.
type likePart struct {
	lit   []rune // -1 stands for any one rune
	ascii string // lit where it is ASCII without any rune: it is compared byte by byte, which finds the same places
	star  bool   // any run may stand before lit
}

// Like is a compiled pattern of the operator like: `*` any run of runes, `?` one rune, `\` takes the next rune as it is, and the
// pattern covers the whole value. Matching takes time proportional to pattern times value at worst and allocates nothing.
type Like struct {
	parts []likePart
	fold  bool
}

// CompileLike compiles a pattern. With fold set, pattern and value are compared as Fold says.
func CompileLike(pattern string, fold bool) *Like {
	if fold {
		pattern = Fold(pattern)
	}
	l := &Like{fold: fold, parts: []likePart{{}}}
	add := func(r rune) { p := &l.parts[len(l.parts)-1]; p.lit = append(p.lit, r) }
	for i := 0; i < len(pattern); {
		r, n := likeRune(pattern[i:])
		i += n
		switch {
		case r == '\\' && i < len(pattern):
			r, n = likeRune(pattern[i:])
			i += n
			add(r)
		case r == '?':
			add(anyRune)
		case r == '*':
			l.parts = append(l.parts, likePart{star: true})
		default:
			add(r)
		}
	}
	for i := range l.parts {
		if p := &l.parts[i]; !slices.ContainsFunc(p.lit, notASCII) {
			p.ascii = string(p.lit)
		}
	}
	return l
}

const anyRune rune = -1

// notASCII holds for anyRune as well.
func notASCII(r rune) bool { return r < 0 || r >= utf8.RuneSelf }

// Literal returns the longest run of ASCII between two `*` of the pattern, or nothing. A value that matches holds it, in any case of
// its letters if the pattern is folded, and then it is in lower case; so a search for it rules most values out. What stands at an end
// of the pattern is not considered, because Match looks there at once.
func (l *Like) Literal() string {
	var best []rune
	for i := 1; i < len(l.parts)-1; i++ {
		for lit := l.parts[i].lit; len(lit) > 0; {
			end := slices.IndexFunc(lit, notASCII)
			if end < 0 {
				end = len(lit)
			}
			if end > len(best) {
				best = lit[:end]
			}
			lit = lit[min(end+1, len(lit)):]
		}
	}
	return string(best)
}

// likeRune decodes one rune; a byte that is no UTF-8 becomes a private number that equals no rune but the same byte.
func likeRune(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return utf8.MaxRune + 1 + rune(s[0]), 1
	}
	return r, n
}

// Match says whether the pattern covers the whole of s.
func (l *Like) Match(s string) bool {
	at, ok := l.prefix(s, &l.parts[0])
	if !ok {
		return false
	}
	if len(l.parts) == 1 {
		return at == len(s)
	}
	for i := 1; i < len(l.parts)-1; i++ {
		if at, ok = l.find(s, at, &l.parts[i]); !ok {
			return false
		}
	}
	return l.suffix(s, at, &l.parts[len(l.parts)-1])
}

// prefix matches a part at the start of s and returns where it ends.
func (l *Like) prefix(s string, p *likePart) (int, bool) {
	if p.ascii != "" {
		return len(p.ascii), l.hasPrefix(s, p.ascii)
	}
	at := 0
	for _, want := range p.lit {
		if at >= len(s) {
			return 0, false
		}
		r, n := likeRune(s[at:])
		if !l.equal(r, want) {
			return 0, false
		}
		at += n
	}
	return at, true
}

// hasPrefix says whether s begins with ascii, which is folded if the pattern is.
func (l *Like) hasPrefix(s, ascii string) bool {
	if !l.fold {
		return strings.HasPrefix(s, ascii)
	}
	if len(s) < len(ascii) {
		return false
	}
	for i := range len(ascii) {
		if lowerByte(s[i]) != ascii[i] {
			return false
		}
	}
	return true
}

func lowerByte(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func (l *Like) equal(r, want rune) bool {
	if want == anyRune {
		return true
	}
	if l.fold && r <= utf8.MaxRune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		} else if r >= utf8.RuneSelf {
			r = foldRune(r)
		}
	}
	return r == want
}

// find returns the end of the first place at or after from where a part stands.
func (l *Like) find(s string, from int, p *likePart) (int, bool) {
	if p.ascii != "" {
		at := l.index(s[from:], p.ascii)
		return from + at + len(p.ascii), at >= 0
	}
	for at := from; at <= len(s); {
		if end, ok := l.prefix(s[at:], p); ok {
			return at + end, true
		}
		if at == len(s) {
			break
		}
		_, n := likeRune(s[at:])
		at += n
	}
	return 0, false
}

// index returns the first place of ascii in s, -1 if there is none.
func (l *Like) index(s, ascii string) int {
	if !l.fold {
		return strings.Index(s, ascii)
	}
	first := ascii[0]
	other := first // its upper case, if it has one
	if 'a' <= first && first <= 'z' {
		other -= 'a' - 'A'
	}
	for at := 0; at <= len(s)-len(ascii); at++ {
		if c := s[at]; (c == first || c == other) && l.hasPrefix(s[at:], ascii) {
			return at
		}
	}
	return -1
}

// suffix says whether a part stands at the end of s without reaching before from.
func (l *Like) suffix(s string, from int, p *likePart) bool {
	at := len(s)
	if p.ascii != "" {
		at -= len(p.ascii)
		return at >= from && l.hasPrefix(s[at:], p.ascii)
	}
	for range p.lit {
		if at <= from {
			return false
		}
		_, n := utf8.DecodeLastRuneInString(s[from:at])
		at -= n
	}
	_, ok := l.prefix(s[at:], p)
	return ok
}
