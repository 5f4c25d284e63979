package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// DecodeObject decodes one JSON object as variables are decoded: numbers stay as written, a key that stands twice in an object is
// refused, because one of its values would be dropped in silence, and nothing may follow. null is a nil map.
func DecodeObject(raw []byte) (map[string]any, error) {
	if err := uniqueKeys(json.NewDecoder(bytes.NewReader(raw))); err != nil {
		return nil, err
	}
	var out map[string]any
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	return out, dec.Decode(&out)
}

// uniqueKeys walks one JSON value.
func uniqueKeys(dec *json.Decoder) error {
	var open []map[string]bool // keys of the objects that are open; nil for a list
	for {
		token, err := dec.Token()
		if err != nil {
			return err
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
		case json.Delim('['):
			open = append(open, nil)
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
		if len(open) == 0 {
			return atEnd(dec)
		}
		if err := nextKey(dec, open[len(open)-1]); err != nil {
			return err
		}
	}
}

func atEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("something follows the JSON value")
	}
	return nil
}

// nextKey reads the key of the next entry if an object is open and has one more.
func nextKey(dec *json.Decoder, keys map[string]bool) error {
	if keys == nil || !dec.More() {
		return nil
	}
	token, err := dec.Token()
	if err != nil {
		return err
	}
	key, _ := token.(string)
	if keys[key] {
		return fmt.Errorf("a key stands twice in one object, at byte %d; give each once and join conditions with and", dec.InputOffset())
	}
	keys[key] = true
	return nil
}
