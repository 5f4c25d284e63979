package mapping

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// value is a mapped value on its way into a column.
type value struct {
	kind valueKind
	text []byte
	num  int64 // also of booleans and of times in microseconds
	flt  float64
}

type valueKind uint8

const (
	noValue valueKind = iota
	textValue
	numValue
	floatValue
	boolValue
	timeValue
)

func textOf(b []byte) value {
	if len(b) == 0 {
		return value{}
	}
	return value{kind: textValue, text: b}
}

func numOf(n int64) value { return value{kind: numValue, num: n} }

// constant turns a value of a mapping file into one of a column; enum captions become numbers.
func constant(col *ocsf.Column, v any) (value, error) {
	switch v := v.(type) {
	case string:
		return constantText(col, v)
	case bool:
		n := int64(0)
		if v {
			n = 1
		}
		return value{kind: boolValue, num: n}, nil
	case uint64:
		if v <= math.MaxInt64 {
			return numOf(int64(v)), nil
		}
	case int64:
		return numOf(v), nil
	case float64:
		return value{kind: floatValue, flt: v}, nil
	}
	return value{}, fmt.Errorf("%v is no value of a %s column", v, col.Type)
}

func constantText(col *ocsf.Column, v string) (value, error) {
	if col.Type != ocsf.Enum {
		return textOf([]byte(v)), nil
	}
	id, ok := col.Enum.ID(v)
	if !ok {
		return value{}, fmt.Errorf("%s has no value %q", col.Enum.Name, v)
	}
	return numOf(id), nil
}

// integer returns the value as a whole number, as Int, Long and Enum columns hold it.
func (v value) integer() (int64, bool) {
	switch v.kind {
	case numValue, boolValue:
		return v.num, true
	case floatValue:
		return int64(v.flt), !math.IsNaN(v.flt) && !math.IsInf(v.flt, 0)
	case textValue:
		return parseInt(v.text)
	}
	return 0, false
}

// appendText returns the value as text.
func (v value) appendText(dst []byte) []byte {
	switch v.kind {
	case textValue:
		return append(dst, v.text...)
	case numValue:
		return strconv.AppendInt(dst, v.num, 10)
	case floatValue:
		return strconv.AppendFloat(dst, v.flt, 'g', -1, 64)
	case boolValue:
		return strconv.AppendBool(dst, v.num == 1)
	}
	return dst
}

// address returns the value as the 16 bytes of an address.
func (v value) address() ([16]byte, bool) {
	a, err := netip.ParseAddr(string(v.text))
	if v.kind != textValue || err != nil {
		return [16]byte{}, false
	}
	return a.WithZone("").As16(), true
}
