package hunt_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
)

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "AbZ[@`{z": "abz[@`{z", "\u212a": "\u212a", "\u0130": "\u0130", "\u00c9": "\u00e9", "\u1e9e": "\u00df", "\u00df": "\u00df",
		"\u03a3": "\u03c3", "\u03c2": "\u03c2", "\u212b": "\u00e5", "\u023a": "\u2c65", "\U00010400": "\U00010428", "\u01c5": "\u01c6",
		"A\xffB\xe2\x82C": "a\xffb\xe2\x82c", "\ufffd": "\ufffd", "\x00K": "\x00k", "\u017f": "\u017f",
	} {
		if got := hunt.Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
		if got := string(hunt.AppendFold([]byte("x"), []byte(in))); got != "x"+want {
			t.Errorf("AppendFold(%q) = %q, want %q", in, got, "x"+want)
		}
	}
}

// TestFoldEveryRune: folding twice is folding once, nothing outside ASCII becomes ASCII, and what changes becomes its lower case.
func TestFoldEveryRune(t *testing.T) {
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		got := hunt.Fold(string(r))
		if hunt.Fold(got) != got {
			t.Errorf("Fold of %U is %q, which folds again to %q", r, got, hunt.Fold(got))
		}
		if r >= utf8.RuneSelf && hunt.IsASCII(got) {
			t.Errorf("Fold of %U is ASCII: %q", r, got)
		}
		if got != string(r) && got != string(unicode.ToLower(r)) {
			t.Errorf("Fold of %U is %q", r, got)
		}
	}
}

// asciiLower folds A-Z and leaves every other byte.
func asciiLower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 32
		}
	}
	return string(b)
}

func FuzzFold(f *testing.F) {
	for _, s := range []string{"", "K", "\u212a", "\u0130x", "\xff\xfeA", "\u023aZ", "a\xe2\x82", "\xed\xa0\x80"} {
		f.Add(s, "k")
		f.Add("K"+s, s)
	}
	f.Fuzz(func(t *testing.T, s, needle string) {
		folded := hunt.Fold(s)
		if again := hunt.Fold(folded); again != folded {
			t.Errorf("Fold(%q) = %q folds again to %q", s, folded, again)
		}
		if got := string(hunt.AppendFold(nil, []byte(s))); got != folded {
			t.Errorf("AppendFold(%q) = %q, Fold says %q", s, got, folded)
		}
		if !hunt.IsASCII(needle) {
			return
		}
		if got, want := strings.Contains(folded, hunt.Fold(needle)), strings.Contains(asciiLower(s), asciiLower(needle)); got != want {
			t.Errorf("needle %q in %q: %v, under ASCII folding %v", needle, s, got, want)
		}
	})
}

// symbol is one unit of a text: a rune, or a byte that is no UTF-8.
type symbol struct {
	r   rune
	bad bool
}

func symbols(s string) []symbol {
	var out []symbol
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		if r == utf8.RuneError && n == 1 {
			out = append(out, symbol{rune(s[0]), true})
		} else {
			out = append(out, symbol{r, false})
		}
		s = s[n:]
	}
	return out
}

// naiveLike is the reference of like: recursion, as the rule reads.
func naiveLike(pattern, s []symbol) bool {
	if len(pattern) == 0 {
		return len(s) == 0
	}
	p := pattern[0]
	switch {
	case p == symbol{'*', false}:
		return naiveLike(pattern[1:], s) || len(s) > 0 && naiveLike(pattern, s[1:])
	case len(s) == 0:
		return false
	case p == symbol{'?', false}:
		return naiveLike(pattern[1:], s[1:])
	case p == symbol{'\\', false} && len(pattern) > 1:
		return pattern[1] == s[0] && naiveLike(pattern[2:], s[1:])
	}
	return p == s[0] && naiveLike(pattern[1:], s[1:])
}

func checkLike(t *testing.T, pattern, s string, fold bool) {
	t.Helper()
	want := naiveLike(symbols(pattern), symbols(s))
	if fold {
		want = naiveLike(symbols(hunt.Fold(pattern)), symbols(hunt.Fold(s)))
	}
	if got := hunt.CompileLike(pattern, fold).Match(s); got != want {
		t.Errorf("like %q on %q (fold %v): %v, the reference says %v", pattern, s, fold, got, want)
	}
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		pattern, value string
		want           bool
	}{
		{"", "", true}, {"", "a", false}, {"*", "", true}, {"*", "a\nb", true}, {"?", "", false}, {"?", "\u20ac", true}, {"?", "\xff", true},
		{"??", "\u20ac", false}, {"a*", "abc", true}, {"*c", "abc", true}, {"a*c", "abc", true}, {"a*c", "ac", true}, {"a*b*c", "acb", false},
		{"*ab", "aab", true}, {"ab*ab", "ab", false}, {"ab*ba", "aba", false}, {"*a*a*", "a", false}, {"A?C", "abc", true}, {`\*`, "*", true},
		{`\*`, "x", false}, {`\?`, "?", true}, {`\?`, "x", false}, {`\\`, `\`, true}, {`\`, `\`, true}, {`a\`, `a\`, true}, {`\a`, "A", true},
		{`*\`, `x\`, true}, {`\\*`, `\anything`, true}, {"k", "\u212a", false}, {"\u212a", "k", false}, {"\u00c9*", "\u00e9t\u00e9", true},
		{"\xff*", "\xffx", true}, {"\x82", "\u20ac", false}, {"*\x82", "\u20ac", false}, {"%", "anything", false}, {"_", "x", false}, {"**", "", true},
		{"*?*", "", false}, {"?*?", "ab", true}, {"a", "aa", false},
	} {
		if got := hunt.CompileLike(c.pattern, true).Match(c.value); got != c.want {
			t.Errorf("like %q on %q: %v, want %v", c.pattern, c.value, got, c.want)
		}
		checkLike(t, c.pattern, c.value, true)
		checkLike(t, c.pattern, c.value, false)
	}
}

// TestLikeIsTheReference compares short random patterns and values, where every corner is near.
func TestLikeIsTheReference(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"a", "A", "b", "*", "*", "?", `\`, "\u20ac", "\x82", "\xe2", "\u212a", "k", "\u03a3", "\u03c3"}
	word := func(most int) string {
		s := ""
		for range rng.IntN(most) {
			s += alphabet[rng.IntN(len(alphabet))]
		}
		return s
	}
	for range 50_000 {
		checkLike(t, word(8), word(10), rng.IntN(2) == 0)
	}
}

func TestLikeIsNotExponential(t *testing.T) {
	pattern := strings.Repeat("*a", 200) + "*b"
	if hunt.CompileLike(pattern, true).Match(strings.Repeat("a", 5000)) {
		t.Error("a pattern that ends in b matched a value without b")
	}
}

func FuzzLike(f *testing.F) {
	f.Add("a*b", "ab", true)
	f.Add(`\*?\`, "*\xff", false)
	f.Add("*\x82*", "\u20ac", true)
	f.Fuzz(func(t *testing.T, pattern, s string, fold bool) {
		if strings.Count(pattern, "*") > 4 || len(pattern) > 40 || len(s) > 60 {
			return // the reference is exponential
		}
		checkLike(t, pattern, s, fold)
	})
}

// FuzzEscapeText: what a store of UTF-8 is given is UTF-8 and gives back the text; a text that is plain is left alone, and a plain needle
// occurs where it did.
func FuzzEscapeText(f *testing.F) {
	for _, s := range []string{"", "plain", "\xff", "a\xc3", "\U0010FE41", "\xf4\x8f", "k\u212a\x80\U0010FEFF"} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, s, needle string) {
		e := hunt.EscapeText(s)
		if !utf8.ValidString(e) || hunt.UnescapeText(e) != s || hunt.IsPlainText(s) != (e == s) {
			t.Errorf("%q becomes %q becomes %q", s, e, hunt.UnescapeText(e))
		}
		if hunt.IsPlainText(needle) && strings.Contains(s, needle) != strings.Contains(e, needle) {
			t.Errorf("%q in %q is not as in %q", needle, s, e)
		}
	})
}

// TestScopeBlocks: the blocks of a scope are the addresses of the scope, and EXTERNAL is the rest.
func TestScopeBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		var ip [16]byte
		for i := range ip {
			ip[i] = byte(rng.Uint32())
		}
		if rng.IntN(2) == 0 {
			ip = [16]byte{10: 0xff, 11: 0xff, 12: []byte{10, 127, 169, 172, 192, 224, 8}[rng.IntN(7)], 13: []byte{0, 16, 31, 168, 254}[rng.IntN(5)], 15: byte(rng.Uint32())}
		}
		anywhere := false
		for _, scope := range hunt.ScopeNames()[:5] {
			in := slices.ContainsFunc(hunt.ScopeBlocks(scope), func(b string) bool { return netip.MustParsePrefix(b).Contains(netip.AddrFrom16(ip).Unmap()) })
			anywhere = anywhere || in
			if in != hunt.InScope(ip, scope) {
				t.Fatalf("%s in %s: %t by the blocks", hunt.FormatIP(ip), scope, in)
			}
		}
		if hunt.InScope(ip, "EXTERNAL") == anywhere {
			t.Fatalf("%s: EXTERNAL is wrong", hunt.FormatIP(ip))
		}
	}
}
