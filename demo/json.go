package demo

import "strconv"

// object is a JSON object under construction. Field order is the vendor's, and
// nothing is reflected over: a million records are written in seconds.
type object []byte

func newObject(buf []byte) object { return append(buf[:0], '{') }

func (o object) key(name string) object {
	if o[len(o)-1] != '{' {
		o = append(o, ',')
	}
	o = append(o, '"')
	o = append(o, name...)
	return append(o, '"', ':')
}

func (o object) text(name, value string) object { return appendQuoted(o.key(name), value) }

func (o object) number(name string, value int64) object {
	return strconv.AppendInt(o.key(name), value, 10)
}

func (o object) float(name string, value float64) object {
	return strconv.AppendFloat(o.key(name), value, 'f', -1, 64)
}

func (o object) flag(name string, value bool) object {
	return strconv.AppendBool(o.key(name), value)
}

// raw adds a value that is JSON already.
func (o object) raw(name, value string) object { return append(o.key(name), value...) }

func (o object) open(name string) object { return append(o.key(name), '{') }

func (o object) end() object { return append(o, '}') }

func appendQuoted(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}
