package hunt

import (
	"net/netip"
	"strconv"
	"time"
)

// Kind is the type of a Value.
type Kind uint8

// The kinds of values. A missing value is the zero Value.
const (
	Missing Kind = iota
	StringKind
	IntKind // Int, Long and Enum columns
	FloatKind
	BoolKind
	TimeKind // microseconds since 1970, UTC
	IPKind   // 16 bytes, IPv4 mapped into IPv6
)

// Value is one value of a column, or an argument of a predicate. Values are comparable with ==.
type Value struct {
	kind Kind
	num  int64
	flt  float64
	str  string
	ip   [16]byte
}

// String makes a text value.
func String(s string) Value { return Value{kind: StringKind, str: s} }

// Int makes the value of an Int, Long or Enum column.
func Int(n int64) Value { return Value{kind: IntKind, num: n} }

// Float makes the value of a Float column.
func Float(f float64) Value { return Value{kind: FloatKind, flt: f} }

// Bool makes the value of a Boolean column.
func Bool(b bool) Value {
	v := Value{kind: BoolKind}
	if b {
		v.num = 1
	}
	return v
}

// Time makes a time from microseconds since 1970, UTC.
func Time(us int64) Value { return Value{kind: TimeKind, num: us} }

// IP makes an address; an IPv4 address becomes its IPv6-mapped form, so that both spellings are one value. A zone is dropped.
func IP(a netip.Addr) Value { return Value{kind: IPKind, ip: a.As16()} }

// IPFrom16 makes an address from its 16 bytes.
func IPFrom16(b [16]byte) Value { return Value{kind: IPKind, ip: b} }

// Kind returns the kind; Missing for the zero Value.
func (v Value) Kind() Kind { return v.kind }

// Str returns the text of a StringKind value.
func (v Value) Str() string { return v.str }

// Num returns the number of an IntKind value, the microseconds of a TimeKind value, or 0 and 1 of a BoolKind value.
func (v Value) Num() int64 { return v.num }

// Flt returns the number of a FloatKind value.
func (v Value) Flt() float64 { return v.flt }

// Addr16 returns the 16 bytes of an IPKind value.
func (v Value) Addr16() [16]byte { return v.ip }

// Text writes the value for people: an address in its shortest form, a time in RFC 3339.
func (v Value) Text() string {
	switch v.kind {
	case StringKind:
		return strconv.Quote(v.str)
	case IntKind:
		return strconv.FormatInt(v.num, 10)
	case FloatKind:
		return strconv.FormatFloat(v.flt, 'g', -1, 64)
	case BoolKind:
		return strconv.FormatBool(v.num == 1)
	case TimeKind:
		return FormatTime(v.num)
	case IPKind:
		return FormatIP(v.ip)
	}
	return "missing"
}

// FormatIP writes an address as RFC 5952 says; an IPv4-mapped one as IPv4.
func FormatIP(b [16]byte) string { return netip.AddrFrom16(b).Unmap().String() }

// FormatTime writes microseconds since 1970 as RFC 3339 in UTC with six digits of a second.
func FormatTime(us int64) string {
	return time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000000Z")
}
