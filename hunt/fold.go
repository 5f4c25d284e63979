package hunt

import (
	"unicode"
	"unicode/utf8"
)

// Fold is how text is compared without case: A-Z become a-z, a rune outside ASCII becomes its Unicode lower case unless that is
// ASCII. So an ASCII needle is exact under ASCII folding, and the Kelvin sign never equals k. Bytes that are no UTF-8 stay.
func Fold(s string) string {
	for i := range len(s) {
		if c := s[i]; 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf {
			return string(AppendFold(make([]byte, 0, len(s)+4), s))
		}
	}
	return s
}

// AppendFold appends Fold(s) to dst and returns the extended slice.
func AppendFold[T string | []byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			if 'A' <= c && c <= 'Z' {
				c += 'a' - 'A'
			}
			dst = append(dst, c)
			i++
			continue
		}
		r, n := decodeRune(s[i:])
		if r == utf8.RuneError && n == 1 {
			dst = append(dst, c)
		} else {
			dst = utf8.AppendRune(dst, foldRune(r))
		}
		i += n
	}
	return dst
}

func decodeRune[T string | []byte](s T) (rune, int) {
	if len(s) > utf8.UTFMax {
		s = s[:utf8.UTFMax]
	}
	return utf8.DecodeRuneInString(string(s))
}

func foldRune(r rune) rune {
	if low := unicode.ToLower(r); low >= utf8.RuneSelf {
		return low
	}
	return r
}

// IsASCII says whether s has no byte above 0x7f.
func IsASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// OnlyASCII says whether a rune of a regular expression matches ASCII alone. folded expressions take all that Unicode folds together, as
// RE2 does, so that `k` matches the Kelvin sign too.
func OnlyASCII(r rune, folded bool) bool {
	if r > unicode.MaxASCII || !folded {
		return r <= unicode.MaxASCII
	}
	for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
		if other > unicode.MaxASCII {
			return false
		}
	}
	return true
}
