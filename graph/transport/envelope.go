package transport

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"
)

// readBody reads at most limit bytes of an application/json body.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, *Refusal) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != string(plainJSON) || !utf8Charset(params) {
		return nil, &Refusal{Code: CodeUnsupportedMedia, Message: "the body must be application/json in UTF-8; set the Content-Type header"}
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return nil, &Refusal{Code: CodeUnsupportedMedia, Message: "the body must not be compressed; leave Content-Encoding out"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &Refusal{Code: CodeTooLarge, Message: fmt.Sprintf("the body is larger than %d bytes; send less", limit)}
	}
	if err != nil {
		return nil, &Refusal{Code: CodeBadRequest, Message: "the body could not be read to its end; send it again"}
	}
	return body, nil
}

// decode reads the request envelope. Names are exact and occur once, unlike in
// json.Unmarshal, so that a proxy and this service never read two different requests.
// Invalid UTF-8 is refused, because it would turn into another search text silently.
// Errors are fixed texts with at most a position: they never hold a part of the body.
func decode(body []byte) (*graphql.RawParams, error) {
	if !utf8.Valid(body) {
		return nil, errors.New("the body is not valid UTF-8; encode it as UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := open(dec); err != nil {
		return nil, err
	}
	e := envelope{dec: dec}
	for dec.More() {
		if err := e.entry(); err != nil {
			return nil, err
		}
	}
	return e.finish()
}

// open reads the first token, which must start an object.
func open(dec *json.Decoder) error {
	token, err := dec.Token()
	switch {
	case err != nil:
		return malformed(dec)
	case token == json.Delim('['):
		return errors.New("the body is a list; send one operation per request")
	case token != json.Delim('{'):
		return errors.New("the body must be a JSON object with query, operationName, variables, extensions")
	}
	return nil
}

type envelope struct {
	dec                                         *json.Decoder
	query, operation                            *string
	variables, extensions                       map[string]any
	hasQuery, hasOperation, hasVars, hasExtends bool
}

func (e *envelope) entry() error {
	key, err := e.dec.Token()
	if err != nil {
		return malformed(e.dec)
	}
	switch key {
	case "query":
		return e.value(&e.hasQuery, &e.query, "query must be a string")
	case "operationName":
		return e.value(&e.hasOperation, &e.operation, "operationName must be a string or null")
	case "variables":
		return e.object(&e.hasVars, &e.variables, "variables must be an object or null")
	case "extensions":
		return e.object(&e.hasExtends, &e.extensions, "extensions must be an object or null")
	}
	return errors.New("the body has an unknown entry; only query, operationName, variables and extensions are read")
}

func (e *envelope) value(seen *bool, into any, wrong string) error {
	if *seen {
		return errors.New("the body has an entry twice; send each once")
	}
	*seen = true
	err := e.dec.Decode(into)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errors.New(wrong)
	}
	if err != nil {
		return malformed(e.dec)
	}
	return nil
}

// object reads an entry that is an object, without repeated keys.
func (e *envelope) object(seen *bool, into *map[string]any, wrong string) error {
	var raw json.RawMessage
	if err := e.value(seen, &raw, wrong); err != nil {
		return err
	}
	out, err := DecodeObject(raw)
	if _, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return errors.New(wrong)
	}
	*into = out
	return err
}

func (e *envelope) finish() (*graphql.RawParams, error) {
	if _, err := e.dec.Token(); err != nil { // the closing brace
		return nil, malformed(e.dec)
	}
	if _, err := e.dec.Token(); err != io.EOF {
		return nil, errors.New("the body goes on after the JSON object; send one operation per request")
	}
	if e.query == nil || *e.query == "" {
		return nil, errors.New("query is missing; put the GraphQL document into the entry query")
	}
	p := &graphql.RawParams{Query: *e.query, Variables: e.variables, Extensions: e.extensions}
	if e.operation != nil {
		p.OperationName = *e.operation
	}
	return p, nil
}

func malformed(dec *json.Decoder) error {
	return fmt.Errorf("the body is not valid JSON after byte %d; check its syntax", dec.InputOffset())
}
