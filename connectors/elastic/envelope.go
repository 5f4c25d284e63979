package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// envelope is what surrounds the documents of an answer of _search.
type envelope struct {
	PIT        string          `json:"pit_id"`
	TimedOut   bool            `json:"timed_out"`
	Terminated bool            `json:"terminated_early"`
	Shards     *shards         `json:"_shards"`
	Aggs       json.RawMessage `json:"aggregations"`

	total total
	hits  []hit // where the documents are, if they were found one by one
	count int   // of documents
	last  int64 // sort value of the last document, after it was decoded
}

// shards says how many shards answered.
type shards struct {
	Total      int            `json:"total"`
	Successful int            `json:"successful"`
	Failed     int            `json:"failed"`
	Failures   []shardFailure `json:"failures"`
}

// total is how many documents match; exact if Relation is "eq".
type total struct {
	Value    int64  `json:"value"`
	Relation string `json:"relation"`
}

// hit is the text of one document and what names it.
type hit struct {
	index, id []byte
	source    []byte // JSON as the cluster sent it, the document or its values by column; nil if it sent none
	sort      []byte // JSON array, nil if the search was not sorted
}

var errEnvelope = errors.New("the answer has not the form of an answer of _search")

// scan finds the documents of an answer without decoding them, so that one that cannot be decoded costs only itself, and so that their
// text is at hand. It checks the form of what surrounds them; the documents are checked when they are decoded.
func scan(body []byte) (*envelope, error) {
	e := &envelope{}
	s := scanner{b: body}
	err := s.object(func(key, value []byte) error {
		switch string(key) {
		case "hits":
			return e.scanHits(value)
		}
		return e.field(key, value)
	})
	if err == nil && (s.space() < len(body) || e.Shards == nil) {
		err = errEnvelope
	}
	return e, err
}

// field decodes one small field of the envelope, if it is one that is wanted.
func (e *envelope) field(key, value []byte) error {
	switch string(key) {
	case "_shards":
		return json.Unmarshal(value, &e.Shards)
	case "pit_id":
		return json.Unmarshal(value, &e.PIT)
	case "timed_out":
		return json.Unmarshal(value, &e.TimedOut)
	case "terminated_early":
		return json.Unmarshal(value, &e.Terminated)
	case "aggregations":
		e.Aggs = value
	}
	return nil
}

func (e *envelope) scanHits(text []byte) error {
	outer := scanner{b: text}
	return outer.object(func(key, value []byte) error {
		switch string(key) {
		case "total":
			return json.Unmarshal(value, &e.total)
		case "hits":
			inner := scanner{b: value}
			return inner.array(e.scanHit)
		}
		return nil
	})
}

func (e *envelope) scanHit(text []byte) error {
	var h hit
	s := scanner{b: text}
	err := s.object(func(key, value []byte) (err error) {
		switch string(key) {
		case "_index":
			h.index, err = unquote(value)
		case "_id":
			h.id, err = unquote(value)
		case "_source", "fields":
			h.source = value
		case "sort":
			h.sort = value
		}
		return err
	})
	e.hits = append(e.hits, h)
	e.count++
	return err
}

// lastHit reads the sort value of the last document.
func (e *envelope) lastHit() {
	if n := len(e.hits); n > 0 {
		e.sorted(e.hits[n-1].sort)
	}
}

// sorted reads the sort values of the last document, nil if the search was not sorted.
func (e *envelope) sorted(sort []byte) {
	var values []int64
	if sort != nil && json.Unmarshal(sort, &values) == nil && len(values) > 0 {
		e.last = values[0]
	}
}

// unquote decodes a JSON text.
func unquote(value []byte) ([]byte, error) {
	if len(value) < 2 || value[0] != '"' {
		return nil, errEnvelope
	}
	if bytes.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], nil
	}
	var s string
	err := json.Unmarshal(value, &s)
	return []byte(s), err
}

// scanner finds the ends of JSON values.
type scanner struct {
	b []byte
	i int
}

// space goes to the next byte that is no white space and returns its place.
func (s *scanner) space() int {
	for s.i < len(s.b) && (s.b[s.i] == ' ' || s.b[s.i] == '\n' || s.b[s.i] == '\r' || s.b[s.i] == '\t') {
		s.i++
	}
	return s.i
}

// take consumes a byte.
func (s *scanner) take(c byte) bool {
	if s.space() < len(s.b) && s.b[s.i] == c {
		s.i++
		return true
	}
	return false
}

// object visits the members of an object.
func (s *scanner) object(visit func(key, value []byte) error) error {
	return s.members(func(key []byte) error {
		value, err := s.value()
		if err != nil {
			return err
		}
		return visit(key, value)
	})
}

// array visits the elements of an array.
func (s *scanner) array(visit func(value []byte) error) error {
	return s.each('[', ']', func() error {
		value, err := s.value()
		if err != nil {
			return err
		}
		return visit(value)
	})
}

// members visits the keys of an object; visit consumes the value.
func (s *scanner) members(visit func(key []byte) error) error {
	return s.each('{', '}', func() error {
		key, err := s.key()
		if err != nil {
			return err
		}
		return visit(key)
	})
}

// each visits what stands between an opening and a closing byte, separated by commas; visit consumes it.
func (s *scanner) each(opening, closing byte, visit func() error) error {
	if !s.take(opening) {
		return s.broken()
	}
	if s.take(closing) {
		return nil
	}
	for {
		if err := visit(); err != nil {
			return err
		}
		if s.take(closing) {
			return nil
		}
		if !s.take(',') {
			return s.broken()
		}
	}
}

// key consumes a key and its colon.
func (s *scanner) key() ([]byte, error) {
	quoted, err := s.value()
	if err != nil {
		return nil, err
	}
	key, err := unquote(quoted)
	if err != nil || !s.take(':') {
		return nil, s.broken()
	}
	return key, nil
}

func (s *scanner) broken() error {
	return fmt.Errorf("%w: no JSON at byte %d of %d", errEnvelope, s.i, len(s.b))
}

// value returns the text of the next value. It does not check what is inside of arrays and objects.
func (s *scanner) value() ([]byte, error) {
	from := s.space()
	depth := 0
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case '"':
			if !s.text() {
				return nil, s.broken()
			}
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			if depth == 0 {
				return s.scalar(from)
			}
			depth--
			s.i++
		case ',', ' ', '\n', '\r', '\t', ':':
			if depth == 0 {
				return s.scalar(from)
			}
			s.i++
			continue
		default:
			s.i++
			continue
		}
		if depth == 0 {
			return s.b[from:s.i], nil
		}
	}
	return nil, s.broken()
}

// scalar ends a value that is no text, object or array.
func (s *scanner) scalar(from int) ([]byte, error) {
	if s.i == from {
		return nil, s.broken()
	}
	return s.b[from:s.i], nil
}

// text consumes a JSON text; false if it does not end.
func (s *scanner) text() bool {
	for i := s.i + 1; ; {
		n := bytes.IndexByte(s.b[i:], '"')
		if n < 0 {
			s.i = len(s.b)
			return false
		}
		i += n + 1
		escapes := 0
		for k := i - 2; k > s.i && s.b[k] == '\\'; k-- {
			escapes++
		}
		if escapes%2 == 0 {
			s.i = i
			return true
		}
	}
}
