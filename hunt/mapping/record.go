package mapping

import (
	"fmt"
	"strings"

	"github.com/valyala/fastjson"

	"github.com/harrier-xdr/harrier/hunt"
)

// trie finds the slots of the native fields that some mapping reads, by the path inside a JSON record.
type trie struct {
	slot int // -1 if no mapping reads the value itself
	kids map[string]*trie
	elem *trie // fields of the objects in an array
	flat bool  // the object's fields are read as if at the top level
}

func newTrie() *trie { return &trie{slot: -1, kids: map[string]*trie{}} }

func (t *trie) kid(name string) *trie {
	k := t.kids[name]
	if k == nil {
		k = newTrie()
		t.kids[name] = k
	}
	return k
}

// insert makes path lead to slot. A dotted path is found as nested objects and as one literal key.
func (t *trie) insert(path string, slot int) {
	t.kid(path).slot = slot
	if array, rest, ok := strings.Cut(path, "[]."); ok {
		at := t.nested(array)
		if at.elem == nil {
			at.elem = newTrie()
		}
		at.elem.nested(rest).slot = slot
		return
	}
	t.nested(path).slot = slot
}

func (t *trie) nested(path string) *trie {
	for _, part := range strings.Split(path, ".") {
		t = t.kid(part)
	}
	return t
}

// Decoder decodes records for a Set. It belongs to one goroutine; what it returns is valid until the next record.
type Decoder struct {
	set     *Set
	parser  fastjson.Parser
	slots   []native
	used    []int // slots that the current record fills
	flat    []*fastjson.Object
	root    *fastjson.Value
	raw     []byte
	cells   [][]byte
	header  *Header
	scratch []byte
	spoiled []string // columns whose native value was no value of their type
}

// NewDecoder makes a decoder for the mappings of the set.
func (s *Set) NewDecoder() *Decoder { return &Decoder{set: s, slots: make([]native, len(s.slots))} }

func (d *Decoder) reset(raw []byte) {
	for _, i := range d.used {
		d.slots[i] = native{}
	}
	d.used, d.flat, d.scratch, d.spoiled, d.raw = d.used[:0], d.flat[:0], d.scratch[:0], d.spoiled[:0], raw
	d.root, d.cells, d.header = nil, nil, nil
}

// JSON reads one JSON object. raw must not change until the next record. The error says why the text is none.
func (d *Decoder) JSON(raw []byte) error {
	d.reset(raw)
	v, err := d.parser.ParseBytes(raw)
	if err != nil {
		return hunt.Errorf(hunt.RecordsRejected, "the record is no JSON: %w", shorten(err))
	}
	o, err := v.Object()
	if err != nil {
		return hunt.Errorf(hunt.RecordsRejected, "a JSON %s where an object belongs", v.Type())
	}
	d.root = v
	d.visit(o, d.set.trie)
	for i := 0; i < len(d.flat); i++ {
		d.visit(d.flat[i], d.set.trie)
	}
	return nil
}

// shorten cuts the record out of a parser's error: errors never quote data at length.
func shorten(err error) error {
	const most = 120
	if text := err.Error(); len(text) > most {
		return fmt.Errorf("%s (cut)", strings.ToValidUTF8(text[:most], "?"))
	}
	return err
}

func (d *Decoder) visit(o *fastjson.Object, t *trie) {
	o.Visit(func(key []byte, v *fastjson.Value) {
		if k := t.kids[string(key)]; k != nil {
			d.store(k, v)
		}
	})
}

func (d *Decoder) store(k *trie, v *fastjson.Value) {
	if k.slot >= 0 {
		d.set1(k.slot, jsonNative(v))
	}
	switch {
	case v.Type() == fastjson.TypeObject && k.flat:
		d.flat = append(d.flat, v.GetObject())
	case v.Type() == fastjson.TypeObject && len(k.kids) > 0:
		d.visit(v.GetObject(), k)
	case v.Type() == fastjson.TypeArray && k.elem != nil:
		d.elements(k.elem, v.GetArray())
	}
}

// elements stores the fields of the objects in an array: one list per field, as long as the array, absent where an object lacks it.
func (d *Decoder) elements(t *trie, items []*fastjson.Value) {
	for name, k := range t.kids {
		if k.slot >= 0 {
			n := native{kind: list, items: make([]native, len(items))}
			for i, item := range items {
				if v := item.Get(name); v != nil {
					n.items[i] = jsonNative(v)
				}
			}
			d.set1(k.slot, n)
		}
	}
}

func (d *Decoder) set1(slot int, n native) {
	if n.kind == absent {
		return
	}
	d.slots[slot] = n
	d.used = append(d.used, slot)
}

// Header is the list of columns of a log of cells (Zeek TSV, CSV).
type Header struct {
	names []string
	slots []int  // -1 for a column that no mapping reads
	lists []bool // the cell is a list, separated by commas
	fixed []fixedCell
}

type fixedCell struct {
	slot  int
	value []byte
}

// Header prepares the column names of a log of cells. list says which columns are lists, nil for none; fixed are fields that are
// the same in every record of the log (the `_path` of a Zeek log).
func (s *Set) Header(names []string, list []bool, fixed map[string]string) *Header {
	h := &Header{names: names, lists: list, slots: make([]int, len(names))}
	for i, n := range names {
		h.slots[i] = s.slot(n)
	}
	for n, v := range fixed {
		if at := s.slot(n); at >= 0 {
			h.fixed = append(h.fixed, fixedCell{at, []byte(v)})
		}
	}
	return h
}

// slot returns the slot of a native field, -1 if no mapping reads it.
func (s *Set) slot(name string) int {
	if i, ok := s.slots[name]; ok {
		return i
	}
	return -1
}

// Cells reads one record of a log of cells; absent cells are nil. raw is the record as text, for the column raw and the uid.
func (d *Decoder) Cells(h *Header, cells [][]byte, raw []byte) {
	d.reset(raw)
	d.header, d.cells = h, cells
	for _, f := range h.fixed {
		d.set1(f.slot, textNative(f.value))
	}
	for i, slot := range h.slots {
		if slot < 0 || i >= len(cells) || cells[i] == nil {
			continue
		}
		if h.lists != nil && h.lists[i] {
			d.set1(slot, listCell(cells[i]))
		} else {
			d.set1(slot, textNative(cells[i]))
		}
	}
}

func listCell(cell []byte) native {
	n := native{kind: list}
	for from := 0; ; {
		at := from
		for at < len(cell) && cell[at] != ',' {
			at++
		}
		n.items = append(n.items, textNative(cell[from:at]))
		if at == len(cell) {
			return n
		}
		from = at + 1
	}
}
