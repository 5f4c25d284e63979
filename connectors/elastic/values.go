package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow/array"
)

// An answer with values by column is read in one pass and without a tree of it: its documents are alike, so that the field which came after
// this one in the last document is mostly the next. What is found is where the values stand in the answer; they go into the columns column
// by column when the rest of the answer is known to be good. An answer that is not as the cluster writes it is left to the parsers of
// documents.

// errDocuments says that an answer has documents, not values by column.
var errDocuments = errors.New("the answer has documents")

// values are those of one answer.
type values struct {
	spans   []span // of all columns, row by row; of a column that a row lacks the zero value
	scratch []byte // texts that were escaped
	marked  bool   // a text may stand for another one, see original
}

// span is where a value stands: one text without its quotes, or one number, true or false.
type span struct{ from, size uint32 }

// Marks of a span, in its size.
const (
	spanText    = 1 << 31 // a text
	spanScratch = 1 << 30 // in scratch, not in the answer
	spanOther   = 1 << 29 // no single value
	spanSize    = spanOther - 1
)

// columnValue is a value that is read by its column, with the one that came after it in the last document; nil before that is known.
type columnValue struct {
	leaf *leaf
	key  []byte // as it stands in a document, with the colon
	next *columnValue
}

func newColumnValue(path string, at *leaf) *columnValue {
	return &columnValue{leaf: at, key: []byte(quote(path) + ":")}
}

// parseValues reads an answer with values by column. The error is errDocuments if it has documents, as those of others always are.
func (d *documentDecoder) parseValues(body []byte) (*envelope, error) {
	if d.foreign {
		return nil, errDocuments
	}
	if len(body) > spanSize {
		return nil, errEnvelope
	}
	d.found.spans, d.found.scratch, d.body = d.found.spans[:0], d.found.scratch[:0], body
	e, s := &envelope{}, &scanner{b: body}
	var last []byte
	err := s.members(func(key []byte) error {
		if string(key) == "hits" {
			return s.members(func(key []byte) error {
				if string(key) == "hits" {
					return s.each('[', ']', func() (err error) {
						e.count++
						last, err = d.hitValues(s)
						return err
					})
				}
				value, err := s.value()
				if err == nil && string(key) == "total" {
					err = json.Unmarshal(value, &e.total)
				}
				return err
			})
		}
		value, err := s.value()
		if err != nil {
			return err
		}
		return e.field(key, value)
	})
	if err != nil {
		return nil, err
	}
	if s.space() < len(body) || e.Shards == nil {
		return nil, errEnvelope
	}
	e.sorted(last)
	return e, nil
}

// hitValues reads one hit and returns its sort values.
func (d *documentDecoder) hitValues(s *scanner) (sort []byte, err error) {
	at, has := len(d.found.spans), false
	for range d.row {
		d.found.spans = append(d.found.spans, span{})
	}
	err = s.members(func(key []byte) (err error) {
		switch string(key) {
		case "_id", "_source":
			return errDocuments
		case "fields":
			has = true
			return d.fieldValues(s, d.found.spans[at:])
		case "sort":
			sort, err = s.value()
		default:
			_, err = s.value()
		}
		return err
	})
	if err == nil && !has {
		err = errEnvelope
	}
	return sort, err
}

// fieldValues notes where the values of a row stand.
func (d *documentDecoder) fieldValues(s *scanner, row []span) error {
	last := &d.before
	return s.each('{', '}', func() error {
		next := last.next
		if next == nil || !bytes.HasPrefix(s.b[s.i:], next.key) {
			key, err := s.key()
			if err != nil {
				return err
			}
			if next = d.values[string(key)]; next == nil {
				_, err = s.value()
				return err
			}
			last.next = next
		} else {
			s.i += len(next.key)
		}
		last = next
		at, err := d.valueSpan(s)
		row[next.leaf.cell] = at
		return err
	})
}

// valueSpan reads an array of one value. It is written for what is common: a text, and a whole number.
func (d *documentDecoder) valueSpan(s *scanner) (span, error) {
	rest := s.b[s.i:]
	if len(rest) > 3 && rest[0] == '[' && rest[1] == '"' {
		inner := scanner{b: s.b, i: s.i + 1}
		if inner.text() && inner.take(']') {
			from := s.i + 1
			s.i = inner.i
			return d.textSpan(s, from, bytes.TrimRight(s.b[from:s.i-1], " \t\r\n"))
		}
	} else if n := wholeNumber(rest); n > 0 {
		at := span{uint32(s.i + 1), uint32(n)}
		s.i += n + 2
		return at, nil
	}
	return d.anySpan(s)
}

// wholeNumber is the length of the number in an array of one whole number that certainly fits into 64 bits, else 0.
func wholeNumber(b []byte) int {
	if len(b) < 3 || b[0] != '[' {
		return 0
	}
	if n := digits(b[1:]); n > 0 && b[n+1] == ']' {
		return n
	}
	return 0
}

// digits is the length of a whole number that certainly fits into 64 bits and is not the last in b, else 0.
func digits(b []byte) int {
	const most = 18
	n := 0
	if len(b) > 0 && b[0] == '-' {
		n = 1
	}
	first := n
	for n < len(b) && b[n]-'0' <= 9 {
		n++
	}
	if n == len(b) || n == first || n-first > most || b[first] == '0' && n-first > 1 {
		return 0
	}
	return n
}

// anySpan reads any value: one text, number, true or false, alone or in an array; anything else is known not to be one.
func (d *documentDecoder) anySpan(s *scanner) (span, error) {
	value, err := s.value()
	if err != nil || !json.Valid(value) {
		return span{}, s.broken()
	}
	from, null := s.i-len(value), span{}
	if value[0] == '[' {
		var items [][]byte
		var at int
		inner := scanner{b: value}
		_ = inner.array(func(item []byte) error { // it is valid
			items, at = append(items, item), inner.i-len(item)
			return nil
		})
		null = span{0, spanOther}
		if len(items) != 1 {
			return null, nil
		}
		value, from = items[0], from+at
	}
	switch value[0] {
	case '"':
		return d.textSpan(s, from, value)
	case 'n':
		return null, nil
	case '[', '{':
		return span{0, spanOther}, nil
	}
	return span{uint32(from), uint32(len(value))}, nil
}

// textSpan is the place of a text, which stands with its quotes at a place of the answer: there, or in scratch without its escapes.
func (d *documentDecoder) textSpan(s *scanner, from int, quoted []byte) (span, error) {
	text := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(text, '\\') < 0 {
		return span{uint32(from + 1), uint32(len(text)) | spanText}, nil
	}
	at := len(d.found.scratch)
	var err error
	if d.found.scratch, err = appendUnescaped(d.found.scratch, quoted); err != nil {
		return span{}, s.broken()
	}
	return span{uint32(at), uint32(len(d.found.scratch)-at) | spanText | spanScratch}, nil
}

// appendUnescaped appends what a text with its quotes stands for.
func appendUnescaped(dst, quoted []byte) ([]byte, error) {
	from := len(dst)
	text := quoted[1 : len(quoted)-1]
	for {
		n := bytes.IndexByte(text, '\\')
		if n < 0 {
			return append(dst, text...), nil
		}
		c := unescape(text[n+1]) // a text does not end with a backslash of its own
		if c == 0 {
			var whole string
			err := json.Unmarshal(quoted, &whole)
			return append(dst[:from], whole...), err
		}
		dst = append(append(dst, text[:n]...), c)
		text = text[n+2:]
	}
}

// unescape is what a character behind a backslash stands for (RFC 8259, section 7); 0 if it needs what follows it, or is none.
func unescape(c byte) byte {
	switch c {
	case '"', '\\', '/':
		return c
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return 0
}

// blockRows is how many rows go into their columns together: their values stand side by side in the answer, so that the processor has them
// at hand for all columns.
const blockRows = 64

// decodeValues appends the rows whose values were found.
func (d *documentDecoder) decodeValues(e *envelope) {
	d.found.marked = marked(d.body) || marked(d.found.scratch)
	for i, b := range d.builders {
		if texts, ok := b.(*array.StringBuilder); ok {
			d.reserve(texts, i, e.count)
		}
	}
	for left := d.found.spans; len(left) > 0; {
		n := min(len(left), blockRows*len(d.row))
		d.decodeBlock(left[:n])
		left = left[n:]
	}
	d.count += e.count
}

// reserve makes room for the values of a column of texts.
func (d *documentDecoder) reserve(b *array.StringBuilder, column, rows int) {
	size := 0
	for at := column; at < len(d.found.spans); at += len(d.row) {
		size += int(d.found.spans[at].size & spanSize)
	}
	b.Reserve(rows)
	b.ReserveData(size)
}

// decodeBlock appends some rows.
func (d *documentDecoder) decodeBlock(spans []span) {
	for i, put := range d.appends {
		if b, isText := d.builders[i].(*array.StringBuilder); isText {
			d.appendTexts(b, spans[i:])
			continue
		}
		for at := i; at < len(spans); at += len(d.row) {
			d.row[i] = cell{}
			if found := spans[at]; found != (span{}) {
				d.store(d.leaves[i], d.row, d.valueOf(found))
			}
			put(d.builders[i], &d.row[i])
		}
	}
}

// appendTexts appends the values of a column of texts, the first of which is at the start of spans.
func (d *documentDecoder) appendTexts(b *array.StringBuilder, spans []span) {
	for at := 0; at < len(spans); at += len(d.row) {
		switch found := spans[at]; {
		case found.size&spanText != 0 && d.found.marked:
			b.BinaryBuilder.Append(d.original(d.textOf(found)))
		case found.size&spanText != 0:
			b.BinaryBuilder.Append(d.textOf(found))
		case found != (span{}):
			d.nulled++
			fallthrough
		default:
			b.AppendNull()
		}
	}
}

// textOf is what stands at a place.
func (d *documentDecoder) textOf(at span) []byte {
	from := d.body
	if at.size&spanScratch != 0 {
		from = d.found.scratch
	}
	return from[at.from : at.from+at.size&spanSize]
}

// valueOf is the value that stands at a place.
func (d *documentDecoder) valueOf(at span) jsonValue {
	if at.size&spanOther != 0 {
		return jsonValue{kind: jsonOther}
	}
	text := d.textOf(at)
	switch {
	case at.size&spanText != 0:
		return jsonValue{kind: jsonText, text: text}
	case text[0] == 't':
		return jsonValue{kind: jsonBool, num: 1}
	case text[0] == 'f':
		return jsonValue{kind: jsonBool}
	}
	if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
		return jsonValue{kind: jsonInt, num: n}
	}
	if f, err := strconv.ParseFloat(string(text), 64); err == nil && !math.IsInf(f, 0) {
		return jsonValue{kind: jsonFloat, flt: f}
	}
	return jsonValue{kind: jsonOther}
}
