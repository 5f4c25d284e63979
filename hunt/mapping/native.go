package mapping

import (
	"bytes"

	"github.com/valyala/fastjson"
)

// nativeKind is the shape of a native value.
type nativeKind uint8

const (
	absent nativeKind = iota
	text              // text, numbers and booleans, as written
	list
	object
)

// native is one value of a native record. Its bytes belong to the Decoder and are valid until the next record.
type native struct {
	kind  nativeKind
	text  []byte          // of text
	items []native        // of list
	json  *fastjson.Value // of list and object, nil in cells
}

func textNative(b []byte) native { return native{kind: text, text: b} }

// jsonNative converts a parsed JSON value; null is absent.
func jsonNative(v *fastjson.Value) native {
	switch v.Type() {
	case fastjson.TypeNull:
		return native{}
	case fastjson.TypeString:
		return textNative(v.GetStringBytes())
	case fastjson.TypeObject:
		return native{kind: object, json: v}
	case fastjson.TypeArray:
		n := native{kind: list, json: v}
		for _, item := range v.GetArray() {
			n.items = append(n.items, jsonNative(item))
		}
		return n
	}
	return textNative(v.MarshalTo(nil))
}

// appendText appends the value as text: JSON for lists and objects.
func (n native) appendText(dst []byte) []byte {
	switch {
	case n.kind == text:
		return append(dst, n.text...)
	case n.json != nil:
		return n.json.MarshalTo(dst)
	}
	for i, item := range n.items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = item.appendText(dst)
	}
	return dst
}

// str returns the value as text.
func (n native) str() []byte {
	if n.kind == text {
		return n.text
	}
	return n.appendText(nil)
}

// empty says whether a list or object holds nothing.
func (n native) empty() bool {
	switch {
	case n.kind == list:
		return len(n.items) == 0
	case n.kind == object:
		return n.json.GetObject().Len() == 0
	}
	return len(bytes.TrimSpace(n.text)) == 0
}
