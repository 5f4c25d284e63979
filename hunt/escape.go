package hunt

import (
	"strings"
	"unicode/utf8"
)

// Some stores hold UTF-8 only: Parquet as DuckDB reads it, and JSON. In them a byte that is no UTF-8 is written as a rune of the last
// private plane, EscapeFirst plus the byte. Runes of that block in the original text are written byte by byte in the same way, so
// nothing is ambiguous, and UnescapeText gives back the original. The encoding works rune by rune: a needle without such runes occurs in
// the written text exactly where it occurs in the original.
const (
	EscapeFirst rune = 0x10FE00 // stands for the byte 0
	EscapeLast  rune = 0x10FEFF // stands for the byte 255
)

// IsPlainText says whether EscapeText leaves s as it is.
func IsPlainText(s string) bool { return utf8.ValidString(s) && !HasEscape(s) }

// HasEscape says whether s holds a rune of the block, so that UnescapeText would change it. All of them start with the same two bytes.
func HasEscape(s string) bool {
	for {
		i := strings.Index(s, "\xf4\x8f")
		if i < 0 {
			return false
		}
		s = s[i:]
		if r, n := utf8.DecodeRuneInString(s); isEscape(r) && n > 1 {
			return true
		}
		s = s[1:]
	}
}

func isEscape(r rune) bool { return EscapeFirst <= r && r <= EscapeLast }

// EscapeText returns s as stores hold it that take UTF-8 only.
func EscapeText(s string) string {
	if IsPlainText(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || isEscape(r) {
			for _, c := range []byte(s[i : i+n]) {
				b.WriteRune(EscapeFirst + rune(c))
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// UnescapeText returns the original of a text that EscapeText wrote.
func UnescapeText(s string) string {
	if !HasEscape(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isEscape(r) {
			b.WriteByte(byte(r - EscapeFirst))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
