package mapping

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// transform maps one native value, which is no list, to a column's value; noValue if it has none.
type transform func(n native) value

// transformOf returns the transform of a spec for a column. The names are those of `via`.
func transformOf(s *Spec, col *ocsf.Column) (transform, error) {
	if f := plainTransforms(s.Via); f != nil {
		return f, nil
	}
	switch s.Via {
	case "enum", "prefix":
		return tableTransform(s, col)
	case "re":
		return reTransform(s)
	case "json":
		return jsonTransform(s.At), nil
	}
	return nil, fmt.Errorf("via %q is not known", s.Via)
}

// asciiUpper makes a-z A-Z and leaves all else, so that the text equals itself under hunt.Fold and the inverse stays exact.
func asciiUpper(b []byte) []byte {
	out := bytes.Clone(b)
	for i, c := range out {
		if 'a' <= c && c <= 'z' {
			out[i] = c - ('a' - 'A')
		}
	}
	return out
}

// plainTransforms returns the transform of a `via` that has no settings, nil if it is none of them.
func plainTransforms(via string) transform {
	switch via {
	case "", "copy", "str", "first":
		return func(n native) value { return textOf(n.str()) }
	case "lower":
		return func(n native) value { return textOf(hunt.AppendFold(nil, n.str())) }
	case "upper":
		return func(n native) value { return textOf(asciiUpper(n.str())) }
	case "trim":
		return func(n native) value { return textOf(bytes.TrimSpace(n.str())) }
	case "guid":
		return func(n native) value { return textOf(hunt.AppendFold(nil, bytes.Trim(n.str(), "{}"))) }
	case "int":
		return func(n native) value { return intValue(n, parseInt) }
	case "int32":
		return func(n native) value { return intValue(n, parseInt32) }
	case "ms":
		return func(n native) value { return intValue(n, parseMillis) }
	case "time":
		return timeTransform
	case "bool":
		return boolTransform
	case "float":
		return floatTransform
	case "ip":
		return func(n native) value { return textOf(addressText(n.str())) }
	}
	return partTransforms(via)
}

// partTransforms returns the transforms that take a part of a text.
func partTransforms(via string) transform {
	part := func(f func([]byte) []byte) transform { return func(n native) value { return textOf(f(n.str())) } }
	switch via {
	case "basename":
		return part(basename)
	case "dirname":
		return part(dirname)
	case "ext":
		return part(extension)
	case "user":
		return part(func(b []byte) []byte { return b[bytes.LastIndexByte(b, '\\')+1:] })
	case "domain":
		return part(func(b []byte) []byte { return b[:max(bytes.LastIndexByte(b, '\\'), 0)] })
	case "before_at":
		return part(func(b []byte) []byte { before, _, _ := bytes.Cut(b, []byte("@")); return before })
	case "after_at":
		return part(func(b []byte) []byte { _, after, _ := bytes.Cut(b, []byte("@")); return after })
	case "url_host":
		return part(urlHost)
	case "url_path":
		return part(urlPath)
	case "url_query":
		return part(func(b []byte) []byte { _, q, _ := bytes.Cut(b, []byte("?")); return q })
	}
	return nil
}

func intValue(n native, parse func([]byte) (int64, bool)) value {
	if i, ok := parse(n.str()); ok {
		return numOf(i)
	}
	return value{}
}

func timeTransform(n native) value {
	if us, ok := ParseTime(n.str()); ok {
		return value{kind: timeValue, num: us}
	}
	return value{}
}

func boolTransform(n native) value {
	var buf [16]byte
	switch string(hunt.AppendFold(buf[:0], n.str())) {
	case "true", "t", "1", "yes":
		return value{kind: boolValue, num: 1}
	case "false", "f", "0", "no":
		return value{kind: boolValue}
	}
	return value{}
}

func floatTransform(n native) value {
	if f, ok := parseFloat(n.str()); ok {
		return value{kind: floatValue, flt: f}
	}
	return value{}
}

// basename is the last part of a Windows or Unix path; a text of separators alone stays.
func basename(b []byte) []byte {
	cut := bytes.TrimRight(b, `\/`)
	if cut = cut[bytes.LastIndexAny(cut, `\/`)+1:]; len(cut) > 0 {
		return cut
	}
	return b
}

func dirname(b []byte) []byte { return b[:max(bytes.LastIndexAny(b, `\/`), 0)] }

// extension is what follows the last dot of the basename; a leading dot starts no extension.
func extension(b []byte) []byte {
	b = basename(b)
	if at := bytes.LastIndexByte(b, '.'); at > 0 {
		return b[at+1:]
	}
	return nil
}

// withoutScheme cuts `scheme://`.
func withoutScheme(b []byte) ([]byte, bool) {
	at := bytes.Index(b, []byte("://"))
	if at <= 0 || bytes.ContainsFunc(b[:at], func(r rune) bool { return !isWord(r) }) {
		return b, false
	}
	return b[at+3:], true
}

func isWord(r rune) bool {
	return r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
}

func urlHost(b []byte) []byte {
	b, _ = withoutScheme(b)
	if at := bytes.IndexByte(b, '@'); at >= 0 && !bytes.Contains(b[:at], []byte("/")) {
		b = b[at+1:]
	}
	b = bytes.TrimPrefix(b, []byte("["))
	if at := bytes.IndexAny(b, "/:]"); at >= 0 {
		b = b[:at]
	}
	return b
}

func urlPath(b []byte) []byte {
	if rest, ok := withoutScheme(b); ok {
		_, path, _ := bytes.Cut(rest, []byte("/"))
		b = append([]byte("/"), path...)
	}
	if b, _, _ = bytes.Cut(b, []byte("?")); len(b) == 0 {
		return []byte("/")
	}
	return b
}

// tableTransform is enum (the whole text) and prefix (the longest start of it), without case.
func tableTransform(s *Spec, col *ocsf.Column) (transform, error) {
	table := map[string]value{}
	for k, v := range s.Map {
		c, err := constant(col, v)
		if err != nil {
			return nil, err
		}
		table[hunt.Fold(k)] = c
	}
	other, err := optional(col, s.Else)
	if err != nil {
		return nil, err
	}
	if s.Via == "enum" {
		return func(n native) value {
			var buf [64]byte
			if v, ok := table[string(hunt.AppendFold(buf[:0], n.str()))]; ok {
				return v
			}
			return other
		}, nil
	}
	return func(n native) value {
		key := hunt.Fold(string(n.str()))
		for l := len(key); l > 0; l-- {
			if v, ok := table[key[:l]]; ok {
				return v
			}
		}
		return other
	}, nil
}

func optional(col *ocsf.Column, v any) (value, error) {
	if v == nil {
		return value{}, nil
	}
	return constant(col, v)
}

func reTransform(s *Spec) (transform, error) {
	re, err := regexp.Compile("(?s)" + s.Re)
	if err != nil {
		return nil, fmt.Errorf("re: %w", err)
	}
	if re.NumSubexp() < 1 {
		return nil, fmt.Errorf("re: the expression needs a group, which is the value")
	}
	return func(n native) value {
		if m := re.FindSubmatch(n.str()); m != nil {
			return textOf(bytes.TrimSpace(m[1]))
		}
		return value{}
	}, nil
}

// jsonTransform reads a field out of JSON that is a text or an object.
func jsonTransform(at string) transform {
	path := strings.Split(at, ".")
	return func(n native) value {
		root := n.json
		if n.kind == text {
			v, err := fastjson.ParseBytes(n.text)
			if err != nil {
				return value{}
			}
			root = v
		}
		v := root.Get(path...)
		if v != nil && v.Type() == fastjson.TypeArray {
			v = v.Get("0")
		}
		if v == nil {
			return value{}
		}
		if b := jsonNative(v).str(); string(b) != "-" && string(b) != "(empty)" {
			return textOf(b)
		}
		return value{}
	}
}
