package files

import (
	"errors"
	"io"
	"slices"
)

// jsonFramer cuts the elements of arrays out of JSON documents without holding a document. A document is an array, or an object
// with an array under one of the keys that exports use.
type jsonFramer struct {
	w  *window
	in place
}

// place is where in a document the framer stands.
type place uint8

const (
	outside   place = iota // between documents
	inArray                // among the elements of a document that is an array
	inObject               // among the keys of a document that is an object
	inRecords              // among the elements of an array in such an object
)

// wrapperKeys returns the keys under which exports of cloud services keep their records.
func wrapperKeys() []string { return []string{"Records", "value"} }

func (f *jsonFramer) next(r *record) error {
	for {
		c, err := f.w.token()
		if err != nil {
			return f.end(err)
		}
		switch {
		case f.in == outside:
			err = f.enter(c)
		case f.in == inObject:
			err = f.key(c)
		case c == ',':
			f.w.drop(1)
		case c == ']':
			f.w.drop(1)
			f.in = map[place]place{inArray: outside, inRecords: inObject}[f.in]
		default:
			return f.element(r)
		}
		if err != nil {
			return err
		}
	}
}

// end says what the end of the part means where the framer stands.
func (f *jsonFramer) end(err error) error {
	if errors.Is(err, io.EOF) && f.in != outside {
		return malformedf("the JSON document has no end")
	}
	return err
}

// enter begins a document.
func (f *jsonFramer) enter(c byte) error {
	switch c {
	case '[':
		f.in = inArray
	case '{':
		f.in = inObject
	default:
		return malformedf("%q where a JSON array or object belongs", c)
	}
	f.w.drop(1)
	return nil
}

// key reads a key of a wrapper with its value, or enters the array of records that it holds.
func (f *jsonFramer) key(c byte) error {
	switch c {
	case ',':
		f.w.drop(1)
		return nil
	case '}':
		f.w.drop(1)
		f.in = outside
		return nil
	case '"':
	default:
		return malformedf("%q where a JSON key belongs", c)
	}
	name, err := f.w.value()
	if err != nil {
		return f.end(err)
	}
	wanted := slices.Contains(wrapperKeys(), string(trimQuotes(name.text)))
	if c, err = f.w.token(); err == nil && c == ':' {
		f.w.drop(1)
		c, err = f.w.token()
	}
	if err != nil {
		return f.end(err)
	}
	if wanted && c == '[' {
		f.w.drop(1)
		f.in = inRecords
		return nil
	}
	_, err = f.w.value()
	return err
}

func trimQuotes(b []byte) []byte { return b[min(1, len(b)):max(len(b)-1, min(1, len(b)))] }

func (f *jsonFramer) element(r *record) error {
	v, err := f.w.value()
	if err != nil {
		return err
	}
	*r = record{offset: v.offset, raw: v.text}
	if v.tooLong {
		r.reason = tooLong()
	}
	return nil
}

// startsWrapper says whether the text begins an object that holds records under one of the wrapper keys.
func startsWrapper(head []byte) bool {
	f := jsonFramer{w: &window{buf: slices.Clone(head), err: io.EOF}}
	for {
		c, err := f.w.token()
		if err != nil {
			return false
		}
		switch f.in {
		case outside:
			err = f.enter(c)
		case inObject:
			err = f.key(c)
		case inRecords:
			return c == '{' || c == ']'
		}
		if err != nil || f.in == outside {
			return false
		}
	}
}

// token skips white space and returns the next byte without dropping it.
func (w *window) token() (byte, error) {
	for {
		for i, c := range w.buf {
			if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
				w.drop(i)
				return c, nil
			}
		}
		w.drop(len(w.buf))
		if !w.more() {
			return 0, w.err
		}
	}
}

// scanner finds the end of a JSON value by its brackets and quotes alone; what is between them is for the decoder.
type scanner struct {
	depth          int
	quoted, escape bool
	scalar         bool
}

// end returns the length of the value in b, scanning from the byte at from; false if it goes on behind b.
func (s *scanner) end(b []byte, from int) (int, bool) {
	for i := from; i < len(b); i++ {
		switch c := b[i]; {
		case s.escape:
			s.escape = false
		case s.quoted:
			s.escape = c == '\\'
			s.quoted = c != '"'
			if !s.quoted && s.depth == 0 {
				return i + 1, true
			}
		case c == '"' && !s.scalar:
			s.quoted = true
		case c == '{' || c == '[':
			s.depth++
		case (c == '}' || c == ']') && s.depth > 0:
			if s.depth--; s.depth == 0 && !s.scalar {
				return i + 1, true
			}
		case s.depth > 0:
		case c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n' || c == '\r' || c == '\t':
			return i, true
		default:
			s.scalar = true
		}
	}
	return 0, false
}

// value cuts off one JSON value, which begins here.
func (w *window) value() (line, error) {
	var s scanner
	v := line{offset: w.offset, terminated: true}
	from := 0
	for {
		if n, ok := s.end(w.buf, from); ok {
			if !v.tooLong {
				v.text = w.buf[:n]
			}
			w.drop(max(n, min(1, len(w.buf)))) // a bracket that nothing opened is a value of one byte
			return v.bounded(), nil
		}
		if from = len(w.buf); from > maxRecord {
			v.tooLong = true
			w.drop(from)
			w.buf, from = nil, 0
		}
		if !w.more() {
			if errors.Is(w.err, io.EOF) {
				return line{}, malformedf("the JSON document ends inside a value")
			}
			return line{}, w.err
		}
	}
}
