package columnar

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendString appends s as a JSON string. Bytes that are no UTF-8 become U+FFFD, so that the answer is JSON whatever a record holds.
func AppendString(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		if n := plain(s[i:]); n > 0 {
			i += n
			continue
		}
		if s[i] >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				b = append(append(b, s[from:i]...), `\ufffd`...)
				from = i + 1
			}
			i += n
			continue
		}
		b = appendEscape(append(b, s[from:i]...), s[i])
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}

// plain returns how many bytes at the start of s need no look, eight at a time: ASCII without control characters, quote and
// backslash. The test of eight bytes in one word is the one in Sean Anderson's Bit Twiddling Hacks ("determine if a word has a byte
// less than n").
func plain(s string) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	n := 0
	for ; n+8 <= len(s); n += 8 {
		w := binary.LittleEndian.Uint64([]byte(s[n : n+8]))
		quote, slash := w^(ones*'"'), w^(ones*'\\')
		if (w|(w-ones*0x20)|(quote-ones)|(slash-ones))&tops != 0 {
			break
		}
	}
	for n < len(s) {
		if c := s[n]; c < 0x20 || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			break
		}
		n++
	}
	return n
}

func appendEscape(b []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(b, '\\', c)
	case '\n':
		return append(b, '\\', 'n')
	case '\r':
		return append(b, '\\', 'r')
	case '\t':
		return append(b, '\\', 't')
	}
	return append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}

// appendFloat appends a number; infinity and what is no number have no form in JSON and are null.
func appendFloat(b []byte, f float64) []byte {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return append(b, "null"...)
	}
	return strconv.AppendFloat(b, f, 'g', -1, 64)
}

// appendTime appends microseconds since 1970 as an RFC 3339 string in UTC with six digits of a second.
func appendTime(b []byte, us int64) []byte {
	t := time.UnixMicro(us).UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	b = pad(append(b, '"'), year, 4)
	b = two(append(b, '-'), int(month))
	b = two(append(b, '-'), day)
	b = two(append(b, 'T'), hour)
	b = two(append(b, ':'), minute)
	b = two(append(b, ':'), second)
	part := t.Nanosecond() / 1000
	b = two(two(two(append(b, '.'), part/10_000), part/100%100), part%100)
	return append(b, 'Z', '"')
}

// two appends a number below 100 with two digits.
func two(b []byte, n int) []byte { return append(b, '0'+byte(n/10), '0'+byte(n%10)) }

// pad appends a number that is not negative with at least width digits.
func pad(b []byte, n, width int) []byte {
	for least := 10; width > 1; width-- {
		if n < least {
			b = append(b, '0')
		}
		least *= 10
	}
	return strconv.AppendInt(b, int64(n), 10)
}
