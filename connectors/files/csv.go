package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/harrier-xdr/harrier/hunt/mapping"
)

// csvFramer cuts comma-separated values with a header. It is our own because encoding/csv turns the line breaks inside cells into line
// feeds, and a record's text and uid must be what the source wrote. A quote inside a cell that is not quoted is an ordinary byte.
type csvFramer struct {
	w     *window
	set   *mapping.Set
	table *table
	cells [][]byte
	flat  []byte // unquoted cells
	json  []byte // the record as text
}

func (f *csvFramer) next(r *record) error {
	for {
		l, err := f.w.csvRecord()
		if err != nil {
			return err
		}
		if l.tooLong {
			*r = record{offset: l.offset, reason: tooLong()}
			return nil
		}
		f.split(l.text)
		if len(f.cells) == 1 && len(bytes.TrimSpace(f.cells[0])) == 0 {
			continue
		}
		if f.table == nil {
			f.header()
			continue
		}
		*r = record{offset: l.offset, open: false}
		f.record(r)
		return nil
	}
}

func (f *csvFramer) header() {
	names := make([]string, len(f.cells))
	for i, c := range f.cells {
		names[i] = string(c)
	}
	f.table = &table{header: f.set.Header(names, nil, nil), names: names}
}

// record makes the text of a record, a JSON object of header to cell in header order without empty cells, and its cells.
func (f *csvFramer) record(r *record) {
	f.json = append(f.json[:0], '{')
	for i, cell := range f.cells {
		if len(cell) == 0 {
			f.cells[i] = nil
			continue
		}
		name := ""
		if i < len(f.table.names) {
			name = f.table.names[i]
		}
		if len(f.json) > 1 {
			f.json = append(f.json, ',')
		}
		f.json = append(appendQuoted(f.json, name), ':')
		f.json = appendQuoted(f.json, string(cell))
	}
	r.raw, r.table, r.cells = append(f.json, '}'), f.table, f.cells
	if len(f.cells) > len(f.table.names) {
		r.reason = fmt.Sprintf("%d cells where the header names %d", len(f.cells), len(f.table.names))
	}
}

// appendQuoted appends a JSON string. Bytes that are no UTF-8 stay as they are, so that different records stay different.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c == '\n':
			dst = append(dst, '\\', 'n')
		case c == '\r':
			dst = append(dst, '\\', 'r')
		case c == '\t':
			dst = append(dst, '\\', 't')
		case c < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

// csvState is where in a record the search for its end stands.
type csvState uint8

const (
	cellStart csvState = iota
	cellPlain
	cellQuoted
	quoteInQuoted // either the end of the cell or half of a doubled quote
)

func (s csvState) after(c byte) csvState {
	switch {
	case s == cellQuoted && c == '"':
		return quoteInQuoted
	case s == cellQuoted, s == quoteInQuoted && c == '"', s == cellStart && c == '"':
		return cellQuoted
	case c == ',':
		return cellStart
	}
	return cellPlain
}

// csvRecord cuts off one record, which may span lines.
func (w *window) csvRecord() (line, error) {
	state, from := cellStart, 0
	for {
		for i, c := range w.buf[from:] {
			if c == '\n' && state != cellQuoted {
				l := line{text: w.buf[:from+i], offset: w.offset, terminated: true}
				w.drop(from + i + 1)
				return l.bounded(), nil
			}
			state = state.after(c)
		}
		if from = len(w.buf); from > maxRecord {
			return line{}, malformedf("a CSV record is %s", tooLong())
		}
		if !w.more() {
			if errors.Is(w.err, io.EOF) && state == cellQuoted {
				return line{}, malformedf("a quoted CSV cell has no end")
			}
			return w.lastLine()
		}
	}
}

// split cuts a record into its cells without their quotes.
func (f *csvFramer) split(text []byte) {
	text = bytes.TrimSuffix(text, []byte("\r"))
	f.cells, f.flat = f.cells[:0], f.flat[:0]
	if cap(f.flat) < len(text) {
		f.flat = make([]byte, 0, len(text)) // cells point into it, so it must not move
	}
	state, start := cellStart, 0
	for _, c := range text {
		was := state
		state = state.after(c)
		switch {
		case state == cellStart:
			f.cells = append(f.cells, f.flat[start:len(f.flat):len(f.flat)])
			start = len(f.flat)
		case state == quoteInQuoted, was == cellStart && state == cellQuoted:
		default:
			f.flat = append(f.flat, c)
		}
	}
	f.cells = append(f.cells, f.flat[start:len(f.flat):len(f.flat)])
}
