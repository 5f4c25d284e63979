package mapping

import (
	"bytes"
	"math"
	"net/netip"
	"strconv"
	"time"
)

// parseInt reads a whole number: decimal, 0x hexadecimal, or a decimal fraction that is cut.
func parseInt(b []byte) (int64, bool) {
	s := string(bytes.TrimSpace(b))
	if len(s) > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		n, err := strconv.ParseUint(s[2:], 16, 64)
		return int64(n), err == nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true
	}
	f, ok := parseFloat(b)
	return int64(f), ok && math.Abs(f) < 1<<63
}

// parseInt32 reads a whole number as the signed 32-bit number with the same bits.
func parseInt32(b []byte) (int64, bool) {
	n, ok := parseInt(b)
	if ok && n >= 1<<31 && n < 1<<32 {
		n -= 1 << 32
	}
	return n, ok
}

// parseMillis reads seconds and returns milliseconds.
func parseMillis(b []byte) (int64, bool) {
	f, ok := parseFloat(b)
	return int64(f * 1000), ok && math.Abs(f) < 1<<50
}

func parseFloat(b []byte) (float64, bool) {
	f, err := strconv.ParseFloat(string(bytes.TrimSpace(b)), 64)
	return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
}

// ParseTime reads the spellings of time that sources use and returns microseconds since 1970, UTC: seconds or milliseconds since
// 1970, ISO 8601 with `T` or a blank and any fraction (no zone means UTC), and `M/D/YYYY, h:mm:ss.fff AM`. Digits beyond the
// microsecond are cut, not rounded.
func ParseTime(b []byte) (int64, bool) {
	b = bytes.TrimSpace(b)
	if us, ok := epochTime(b); ok {
		return us, true
	}
	if us, ok := isoTime(b); ok {
		return us, true
	}
	return usTime(string(b))
}

// epochTime reads a decimal number without losing digits to floating point.
func epochTime(b []byte) (int64, bool) {
	whole, frac, _ := bytes.Cut(b, []byte("."))
	if len(whole) == 0 || len(whole) > 15 || !digits(whole) || !digits(frac) {
		return 0, false
	}
	n, err := strconv.ParseInt(string(whole), 10, 64)
	if err != nil {
		return 0, false
	}
	if n > 1e11 { // milliseconds
		return n*1000 + fraction(frac, 3), true
	}
	return n*1e6 + fraction(frac, 6), true
}

func digits(b []byte) bool {
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// fraction reads the first n digits of a decimal fraction as a whole number of that scale.
func fraction(b []byte, n int) int64 {
	var f int64
	for i := range n {
		f *= 10
		if i < len(b) {
			f += int64(b[i] - '0')
		}
	}
	return f
}

// isoTime reads YYYY-MM-DD[T ]hh:mm:ss[.f][Z|+hh:mm|+hhmm].
func isoTime(b []byte) (int64, bool) {
	if len(b) < 19 || b[4] != '-' || b[7] != '-' || b[10] != 'T' && b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	var part [6]int
	for i, span := range [6][2]int{{0, 4}, {5, 7}, {8, 10}, {11, 13}, {14, 16}, {17, 19}} {
		if !digits(b[span[0]:span[1]]) {
			return 0, false
		}
		part[i], _ = strconv.Atoi(string(b[span[0]:span[1]]))
	}
	t := time.Date(part[0], time.Month(part[1]), part[2], part[3], part[4], part[5], 0, time.UTC)
	if t.Day() != part[2] || t.Hour() != part[3] || t.Minute() != part[4] {
		return 0, false // a date that does not exist
	}
	rest := b[19:]
	us := t.Unix() * 1e6
	if len(rest) > 0 && (rest[0] == '.' || rest[0] == ',') {
		end := 1
		for end < len(rest) && '0' <= rest[end] && rest[end] <= '9' {
			end++
		}
		us += fraction(rest[1:end], 6)
		rest = rest[end:]
	}
	zone, ok := zoneOffset(bytes.TrimSpace(rest))
	return us - zone*1e6, ok
}

// zoneOffset reads a zone and returns its seconds east of UTC.
func zoneOffset(b []byte) (int64, bool) {
	if len(b) == 0 || string(b) == "Z" || string(b) == "z" {
		return 0, true
	}
	d := bytes.ReplaceAll(b[1:], []byte(":"), nil)
	if b[0] != '+' && b[0] != '-' || len(d) != 4 || !digits(d) {
		return 0, false
	}
	n, _ := strconv.ParseInt(string(d), 10, 64)
	sec := n/100*3600 + n%100*60
	if b[0] == '-' {
		sec = -sec
	}
	return sec, true
}

// usTime reads M/D/YYYY[,] h:mm:ss[.f] AM or PM, as Azure exports write it.
func usTime(s string) (int64, bool) {
	for _, layout := range []string{"1/2/2006, 3:04:05.999999999 PM", "1/2/2006 3:04:05.999999999 PM"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), true
		}
	}
	return 0, false
}

// addressText takes an address out of `[v6]:port`, `v4:port` and `v6%zone`; nil if there is none.
func addressText(b []byte) []byte {
	s := bytes.TrimSpace(b)
	if len(s) > 0 && s[0] == '[' {
		if end := bytes.IndexByte(s, ']'); end > 0 {
			s = s[1:end]
		}
	} else if bytes.Count(s, []byte(":")) == 1 {
		s, _, _ = bytes.Cut(s, []byte(":"))
	}
	s, _, _ = bytes.Cut(s, []byte("%"))
	if _, err := netip.ParseAddr(string(s)); err != nil {
		return nil
	}
	return s
}
