package lake

import (
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// DuckDB refuses a whole Parquet file if one text in it is not UTF-8. So a byte that is no UTF-8 is stored as a rune of the last
// private plane, U+10FE00 plus the byte, and turned back when it is read. Runes of that block in the original text are stored byte by
// byte in the same way, so nothing is ambiguous. The encoding works rune by rune: a needle that has no such rune occurs in the stored
// text exactly where it occurs in the original.
const escapeBase, escapeLast rune = 0x10FE00, 0x10FEFF

// isPlain says whether s is stored as it is.
func isPlain(s string) bool {
	return utf8.ValidString(s) && !hasEscape(s)
}

// hasEscape says whether valid UTF-8 holds a rune of the block; all of them start with these two bytes.
func hasEscape(s string) bool {
	for {
		i := strings.Index(s, "\xf4\x8f")
		if i < 0 {
			return false
		}
		s = s[i:]
		if r, n := utf8.DecodeRuneInString(s); escapeBase <= r && r <= escapeLast && n > 1 {
			return true
		}
		s = s[1:]
	}
}

// encodeText returns s as it is stored.
func encodeText(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || escapeBase <= r && r <= escapeLast {
			for _, c := range []byte(s[i : i+n]) {
				b.WriteRune(escapeBase + rune(c))
			}
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// decodeText returns the original of a stored text.
func decodeText(s string) string {
	if !hasEscape(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if escapeBase <= r && r <= escapeLast {
			b.WriteByte(byte(r - escapeBase))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// mapText replaces every text of a batch that change says must be changed, in arrays of objects too. It returns rec itself and false
// if there is none.
func mapText(rec arrow.RecordBatch, keep func(string) bool, change func(string) string) (arrow.RecordBatch, bool) {
	m := textMapper{keep, change}
	changed := false
	cols := make([]arrow.Array, rec.NumCols())
	for i, col := range rec.Columns() {
		data := m.data(col.Data())
		if cols[i] = col; data != col.Data() {
			cols[i], changed = array.MakeFromData(data), true
		}
	}
	if !changed {
		return rec, false
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows()), true
}

type textMapper struct {
	keep   func(string) bool
	change func(string) string
}

// data returns d itself if nothing in it must be changed.
func (m textMapper) data(d arrow.ArrayData) arrow.ArrayData {
	if d.DataType().ID() == arrow.STRING {
		return m.text(d)
	}
	kids, changed := make([]arrow.ArrayData, len(d.Children())), false
	for i, k := range d.Children() {
		kids[i] = m.data(k)
		changed = changed || kids[i] != k
	}
	if !changed {
		return d
	}
	return array.NewData(d.DataType(), d.Len(), d.Buffers(), kids, d.NullN(), d.Offset())
}

func (m textMapper) text(d arrow.ArrayData) arrow.ArrayData {
	col := array.NewStringData(d)
	at := 0
	for at < col.Len() && (col.IsNull(at) || m.keep(col.Value(at))) {
		at++
	}
	if at == col.Len() {
		return d
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.Reserve(d.Offset() + col.Len())
	// The parent's offsets count from the start of the buffers, so the new array keeps as many values in front.
	b.AppendNulls(d.Offset())
	for i := range col.Len() {
		if col.IsNull(i) {
			b.AppendNull()
		} else {
			b.Append(m.change(col.Value(i)))
		}
	}
	out := b.NewArray().Data()
	return array.NewData(out.DataType(), d.Len(), out.Buffers(), nil, array.UnknownNullCount, d.Offset())
}
