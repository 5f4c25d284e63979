package mapping

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// splitter cuts a text into values.
type splitter func(n native) []value

func splitOf(s *Spec) (splitter, error) {
	sep := s.Sep
	if sep == "" {
		sep = ","
	}
	re, err := regexp.Compile(sep)
	if err != nil {
		return nil, fmt.Errorf("sep: %w", err)
	}
	var strip *regexp.Regexp
	if s.Strip != "" {
		if strip, err = regexp.Compile(s.Strip); err != nil {
			return nil, fmt.Errorf("strip: %w", err)
		}
	}
	return func(n native) []value {
		var out []value
		for _, part := range re.Split(string(n.str()), -1) {
			part = strings.TrimSpace(part)
			if strip != nil {
				part = strip.ReplaceAllString(part, "")
			}
			if part != "" && part != "-" {
				out = append(out, textOf([]byte(part)))
			}
		}
		return out
	}, nil
}

// fingerprint is one of a text such as `SHA1=..,MD5=..`.
type fingerprint struct{ algorithm, value value }

// hashesOf reads fingerprints from a text, an object of algorithm to value, or a bare digest. A digest of zeros alone is none.
func hashesOf(n native, algorithms *ocsf.EnumTable) []fingerprint {
	var out []fingerprint
	add := func(name, digest []byte) {
		if len(digest) > 0 && len(bytes.Trim(digest, "0")) > 0 {
			out = append(out, fingerprint{algorithm(name, algorithms), textOf(digest)})
		}
	}
	if n.kind == object {
		n.json.GetObject().Visit(func(key []byte, v *fastjson.Value) { add(key, jsonNative(v).str()) })
		return out
	}
	s := n.str()
	if !bytes.Contains(s, []byte("=")) {
		add(algorithmByLength(len(s)), s)
		return out
	}
	for part := range bytes.SplitSeq(s, []byte(",")) {
		if name, digest, ok := bytes.Cut(part, []byte("=")); ok {
			add(bytes.TrimSpace(name), digest)
		}
	}
	return out
}

func algorithmByLength(n int) []byte {
	switch n {
	case 32:
		return []byte("MD5")
	case 40:
		return []byte("SHA1")
	case 64:
		return []byte("SHA256")
	}
	return nil
}

// algorithm finds the enum number of a name; `SHA1` and `SHA-1` are the same.
func algorithm(name []byte, table *ocsf.EnumTable) value {
	for _, v := range table.Values {
		if sameLetters(name, v.Name) {
			return numOf(v.ID)
		}
	}
	return numOf(ocsf.EnumOther)
}

// sameLetters compares without case, and without `-` and `_`.
func sameLetters(a []byte, b string) bool {
	i := 0
	for _, c := range a {
		if c == '-' || c == '_' {
			continue
		}
		for i < len(b) && b[i] == '_' {
			i++
		}
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if i == len(b) || b[i] != c {
			return false
		}
		i++
	}
	return i == len(b)
}

// values computes all values of an op of an array of objects.
func (d *Decoder) values(o *op) []value {
	for _, f := range o.from {
		n := d.get(f)
		var out []value
		switch {
		case n.kind == absent:
			continue
		case o.split != nil && n.kind != list:
			out = o.split(n)
		case o.hashes:
			for _, h := range hashesOf(n, o.table) {
				out = append(out, h.value)
			}
		default:
			out = o.each(n)
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// each maps every item of a list, or the one value that there is.
func (o *op) each(n native) []value {
	if n.kind != list {
		if v := o.one(n); v.kind != noValue {
			return []value{v}
		}
		return nil
	}
	out := make([]value, len(n.items))
	for i, item := range n.items {
		if item.kind != absent {
			out[i] = o.one(item)
		}
	}
	return out
}

// listFill is an array of objects of one row on its way into its column: values by element and field.
type listFill struct {
	rows [][]value
	n    int // fields
}

func (l *listFill) set(element, field int, v value) {
	if v.kind == noValue {
		return
	}
	for len(l.rows) <= element {
		l.rows = append(l.rows, make([]value, l.n))
	}
	l.rows[element][field] = v
}

// listAppender fills an array of objects.
func listAppender(r *rule, path string, elem *arrow.StructType) appender {
	var ops []*op
	for _, o := range r.ops {
		if o.col.List == path {
			ops = append(ops, o)
		}
	}
	if len(ops) == 0 {
		return func(_ *Decoder, c array.Builder) { c.AppendNull() }
	}
	puts := listPuts(r.class, path, elem)
	return func(d *Decoder, c array.Builder) {
		fill := listFill{n: elem.NumFields()}
		for _, o := range ops {
			d.fill(&fill, o, elem)
		}
		for _, o := range ops {
			fill.constants(o, elem)
		}
		fill.append(c.(*array.ListBuilder), puts)
	}
}

func listPuts(class *ocsf.Class, path string, elem *arrow.StructType) []func(array.Builder, value) {
	puts := make([]func(array.Builder, value), elem.NumFields())
	for _, col := range class.List(path) {
		if i, ok := elem.FieldIdx(col.Leaf()); ok {
			puts[i] = put(col.Type)
		}
	}
	return puts
}

// fill puts the values of one op into their elements.
func (d *Decoder) fill(l *listFill, o *op, elem *arrow.StructType) {
	at, _ := elem.FieldIdx(o.col.Leaf())
	if o.fixed.kind != noValue {
		return
	}
	if o.hashes {
		d.fillHashes(l, o, elem)
		return
	}
	if o.slot >= 0 {
		l.set(o.slot, at, d.value(o))
		return
	}
	for i, v := range d.values(o) {
		l.set(i, at, v)
	}
}

func (d *Decoder) fillHashes(l *listFill, o *op, elem *arrow.StructType) {
	at, _ := elem.FieldIdx(o.col.Leaf())
	alg, has := elem.FieldIdx("algorithm_id")
	for _, f := range o.from {
		n := d.get(f)
		if n.kind == absent {
			continue
		}
		for i, h := range hashesOf(n, o.table) {
			l.set(i, at, h.value)
			if has {
				l.set(i, alg, h.algorithm)
			}
		}
		return
	}
}

// constants puts a constant into the elements that there are.
func (l *listFill) constants(o *op, elem *arrow.StructType) {
	if o.fixed.kind == noValue {
		return
	}
	at, _ := elem.FieldIdx(o.col.Leaf())
	for i := range l.rows {
		if o.slot < 0 || o.slot == i {
			l.set(i, at, o.fixed)
		}
	}
}

// append writes the elements that have any value; an array without one is null.
func (l *listFill) append(b *array.ListBuilder, puts []func(array.Builder, value)) {
	open := false
	structs := b.ValueBuilder().(*array.StructBuilder)
	for _, row := range l.rows {
		if !any1(row) {
			continue
		}
		if !open {
			b.Append(true)
			open = true
		}
		structs.Append(true)
		for i, v := range row {
			puts[i](structs.FieldBuilder(i), v)
		}
	}
	if !open {
		b.AppendNull()
	}
}

func any1(row []value) bool {
	for _, v := range row {
		if v.kind != noValue {
			return true
		}
	}
	return false
}
