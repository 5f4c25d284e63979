package hunt

import "unicode/utf8"

// likePart is a literal run of a like pattern; gap says what may stand before it.
type likePart struct {
	lit  []rune // -1 stands for any one rune
	star bool   // any run may stand before lit
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
	return l
}

const anyRune rune = -1

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
	at, ok := l.prefix(s, l.parts[0].lit)
	if !ok {
		return false
	}
	if len(l.parts) == 1 {
		return at == len(s)
	}
	for i := 1; i < len(l.parts)-1; i++ {
		if at, ok = l.find(s, at, l.parts[i].lit); !ok {
			return false
		}
	}
	return l.suffix(s, at, l.parts[len(l.parts)-1].lit)
}

// prefix matches lit at the start of s and returns where it ends.
func (l *Like) prefix(s string, lit []rune) (int, bool) {
	at := 0
	for _, want := range lit {
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

// find returns the end of the first place at or after from where lit stands.
func (l *Like) find(s string, from int, lit []rune) (int, bool) {
	for at := from; at <= len(s); {
		if end, ok := l.prefix(s[at:], lit); ok {
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

// suffix says whether lit stands at the end of s without reaching before from.
func (l *Like) suffix(s string, from int, lit []rune) bool {
	at := len(s)
	for range lit {
		if at <= from {
			return false
		}
		_, n := utf8.DecodeLastRuneInString(s[from:at])
		at -= n
	}
	_, ok := l.prefix(s[at:], lit)
	return ok
}
