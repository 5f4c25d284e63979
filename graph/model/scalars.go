package model

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"

	"github.com/99designs/gqlgen/graphql"

	"github.com/harrier-xdr/harrier/hunt"
)

// DateTime is an instant in microseconds since 1970, UTC; GraphQL shows RFC 3339.
type DateTime int64

// MarshalGQL writes RFC 3339 in UTC with six digits of a second.
func (d DateTime) MarshalGQL(w io.Writer) {
	_, _ = io.WriteString(w, strconv.Quote(hunt.FormatTime(int64(d))))
}

// UnmarshalGQL refuses: input types are converted by package graph, which knows the path for the message.
func (d *DateTime) UnmarshalGQL(any) error { return errInput("DateTime") }

// IP is an address of 16 bytes, IPv4 mapped into IPv6.
type IP [16]byte

// MarshalGQL writes the shortest form; an IPv4-mapped address as IPv4.
func (a IP) MarshalGQL(w io.Writer) { _, _ = io.WriteString(w, strconv.Quote(hunt.FormatIP(a))) }

// UnmarshalGQL refuses, as DateTime does.
func (a *IP) UnmarshalGQL(any) error { return errInput("IP") }

// JSON is the text of one JSON value.
type JSON json.RawMessage

// MarshalGQL writes the value as it is.
func (j JSON) MarshalGQL(w io.Writer) { _, _ = w.Write(j) }

// UnmarshalGQL refuses, as DateTime does.
func (j *JSON) UnmarshalGQL(any) error { return errInput("JSON") }

// Input is an input object as the client gave it: gqlparser has checked names, types and enum values, and package graph converts it
// by the column table.
type Input = map[string]any

// UnmarshalInput keeps an input object as it is.
func UnmarshalInput(v any) (Input, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("an input object is expected, not %T", v)
	}
	return m, nil
}

// MarshalInput is there for gqlgen; inputs are never answered.
func MarshalInput(Input) graphql.Marshaler { return graphql.Null }

func errInput(name string) error { return fmt.Errorf("%s is converted with its input object", name) }
