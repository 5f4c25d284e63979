package files

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// table is the header of a log of cells.
type table struct {
	header *mapping.Header
	names  []string
}

// zeekTable is what the `#` lines of a Zeek log have said so far. It does not change; a header line makes a new one.
type zeekTable struct {
	separator, setSeparator, emptyField, unsetField string
	path                                            string
	lists                                           []bool
	names                                           []string
	table                                           *table // nil until #fields
}

func newZeekTable() *zeekTable {
	return &zeekTable{separator: "\t", setSeparator: ",", emptyField: "(empty)", unsetField: "-"}
}

// zeekFramer cuts a Zeek log of cells.
type zeekFramer struct {
	w   *window
	set *mapping.Set
	now *zeekTable
	cut int64 // where a header line begins that has no line break, -1 if none: it may still be being written
	buf [][]byte
	mix []byte // cells of lists whose separator is not the comma
}

func (f *zeekFramer) next(r *record) error {
	for {
		l, err := f.w.line()
		if err != nil {
			return err
		}
		text := bytes.TrimRight(trimBreaks(l.text), "\r")
		switch {
		case l.tooLong:
			*r = record{offset: l.offset, reason: tooLong(), open: !l.terminated}
			return nil
		case len(text) == 0:
			continue
		case text[0] == '#' && !l.terminated:
			f.cut = l.offset
			continue
		case text[0] == '#':
			f.now = f.now.header(f.set, string(text))
			continue
		}
		*r = record{offset: l.offset, raw: text, open: !l.terminated}
		f.cells(r)
		return nil
	}
}

// cells cuts a line into its cells; those that mean nothing become nil.
func (f *zeekFramer) cells(r *record) {
	t := f.now
	if t.table == nil {
		r.reason = "a row before the line #fields that names its columns"
		return
	}
	f.buf, f.mix = f.buf[:0], f.mix[:0]
	for cell := range bytes.SplitSeq(r.raw, []byte(t.separator)) {
		f.buf = append(f.buf, cell)
	}
	if len(f.buf) != len(t.names) {
		r.reason = fmt.Sprintf("%d cells where #fields names %d", len(f.buf), len(t.names))
		return
	}
	for i, cell := range f.buf {
		if len(cell) == 0 || string(cell) == t.unsetField || string(cell) == t.emptyField {
			f.buf[i] = nil
		} else if t.lists != nil && t.lists[i] && t.setSeparator != "," {
			f.buf[i] = f.commas(cell)
		}
	}
	r.table, r.cells = t.table, f.buf
}

// commas writes a list with commas, which is what a mapping.Header expects.
func (f *zeekFramer) commas(cell []byte) []byte {
	from := len(f.mix)
	f.mix = append(f.mix, bytes.ReplaceAll(cell, []byte(f.now.setSeparator), []byte(","))...)
	return f.mix[from:]
}

// header returns the table after a header line. Lines that say nothing about cells (#open, #close) change nothing.
func (t *zeekTable) header(set *mapping.Set, text string) *zeekTable {
	out := *t
	if rest, ok := strings.CutPrefix(text, "#separator"); ok {
		if out.separator = unescape(strings.TrimPrefix(rest, " ")); out.separator == "" {
			out.separator = "\t"
		}
		return &out
	}
	key, rest, _ := strings.Cut(text, out.separator)
	switch key {
	case "#set_separator":
		out.setSeparator = unescape(rest)
	case "#empty_field":
		out.emptyField = unescape(rest)
	case "#unset_field":
		out.unsetField = unescape(rest)
	case "#path":
		out.path = rest
	case "#fields":
		out.names, out.lists = strings.Split(rest, out.separator), nil
	case "#types":
		out.lists = listTypes(strings.Split(rest, out.separator), len(out.names))
	default:
		return t
	}
	out.build(set)
	return &out
}

func (t *zeekTable) build(set *mapping.Set) {
	if len(t.names) == 0 {
		return
	}
	fixed := map[string]string{}
	if t.path != "" {
		fixed["_path"] = t.path
	}
	t.table = &table{header: set.Header(t.names, t.lists, fixed), names: t.names}
}

// listTypes marks the columns that hold several values; nil if the types do not fit the columns.
func listTypes(types []string, columns int) []bool {
	if len(types) != columns {
		return nil
	}
	out := make([]bool, columns)
	for i, t := range types {
		out[i] = slices.Contains([]string{"vector", "set", "table"}, before(t, "["))
	}
	return out
}

func before(s, sep string) string {
	head, _, _ := strings.Cut(s, sep)
	return head
}

// unescape reads `\x09` as the byte that it is.
func unescape(s string) string {
	if rest, ok := strings.CutPrefix(s, `\x`); ok {
		if n, err := strconv.ParseUint(rest, 16, 8); err == nil {
			return string([]byte{byte(n)})
		}
	}
	return s
}
