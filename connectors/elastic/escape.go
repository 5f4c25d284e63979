package elastic

import (
	"strings"
	"unicode/utf8"
)

// JSON cannot hold text that is no UTF-8. So in documents that this package writes a byte that is no UTF-8 is a rune of the last
// private plane, U+10FE00 plus the byte. Runes of that block in the original text are written byte by byte in the same way, so nothing
// is ambiguous, and decodeText gives back the original. The encoding works rune by rune: a needle without such runes occurs in the
// written text exactly where it occurs in the original.
const escapeBase, escapeLast rune = 0x10FE00, 0x10FEFF

// isPlain says whether s is written as it is.
func isPlain(s string) bool { return utf8.ValidString(s) && !hasEscape(s) }

// hasEscape says whether s holds a rune of the block. All of them start with the same two bytes.
func hasEscape(s string) bool {
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

func isEscape(r rune) bool { return escapeBase <= r && r <= escapeLast }

// encodeText returns s as documents hold it.
func encodeText(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || isEscape(r) {
			for _, c := range []byte(s[i : i+n]) {
				b.WriteRune(escapeBase + rune(c))
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// decodeText returns the original of a text that encodeText wrote.
func decodeText(s string) string {
	if !hasEscape(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if isEscape(r) {
			b.WriteByte(byte(r - escapeBase))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
