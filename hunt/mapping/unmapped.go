package mapping

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/valyala/fastjson"
)

// appendUnmapped appends a JSON object of the native fields that no column of the rule holds, null if there are none.
func appendUnmapped(d *Decoder, m *Match, b *array.StringBuilder) {
	var arena fastjson.Arena
	out := arena.NewObject()
	empty := true
	m.eachUnmapped(d, func(name string, n native) {
		empty = false
		if n.json != nil {
			out.Set(name, n.json)
		} else {
			out.Set(name, arena.NewStringBytes(n.str()))
		}
	})
	if empty {
		b.AppendNull()
		return
	}
	b.BinaryBuilder.Append(out.MarshalTo(nil))
}

// eachUnmapped calls visit for every native field of the record that the rule does not read and that is not transport noise.
func (m *Match) eachUnmapped(d *Decoder, visit func(string, native)) {
	read := m.reads()
	see := func(name string, n native) {
		if n.kind == absent || n.empty() || read[name] || m.Mapping.ignore[strings.ToLower(name)] {
			return
		}
		visit(name, n)
	}
	if d.header != nil {
		for i, name := range d.header.names {
			if i < len(d.cells) && d.cells[i] != nil {
				see(name, textNative(d.cells[i]))
			}
		}
		return
	}
	m.eachField(d.root.GetObject(), d.set.trie, "", see)
}

// eachField walks the fields of an object; an object that is read in part is walked into.
func (m *Match) eachField(o *fastjson.Object, t *trie, prefix string, see func(string, native)) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		name := prefix + string(key)
		var kid *trie
		if t != nil {
			kid = t.kids[string(key)]
		}
		switch {
		case v.Type() == fastjson.TypeObject && kid != nil && kid.flat:
			m.eachField(v.GetObject(), m.Mapping.set.trie, "", see)
		case v.Type() == fastjson.TypeObject && kid != nil && len(kid.kids) > 0 && !m.reads()[name]:
			m.eachField(v.GetObject(), kid, name+".", see)
		default:
			see(name, jsonNative(v))
		}
	})
}

// reads is the set of native fields, in all spellings, that the rule reads.
func (m *Match) reads() map[string]bool { return m.rule.consumed }

// putJSON appends a value to a JSON column; a text that is no JSON becomes a JSON string.
func putJSON(b array.Builder, v value) {
	s := b.(*array.StringBuilder)
	if v.kind == noValue {
		s.AppendNull()
		return
	}
	raw := v.appendText(nil)
	if fastjson.ValidateBytes(raw) == nil {
		s.BinaryBuilder.Append(raw)
		return
	}
	var arena fastjson.Arena
	s.BinaryBuilder.Append(arena.NewStringBytes(raw).MarshalTo(nil))
}
