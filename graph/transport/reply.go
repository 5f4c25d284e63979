package transport

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Refusal says why a request is not executed.
type Refusal struct {
	// Code decides the HTTP status and goes to extensions.code.
	Code Code
	// Message is for the caller: what happened and what to do. It must not hold secrets
	// or parts of the request.
	Message string
	// Extensions are added beside the code, for example requestId or retryAfterMs.
	Extensions map[string]any
}

// Refuse answers a request that never reaches the executor, with the error as GraphQL
// JSON and the status that belongs to its code. Middleware around the handler uses it too,
// so that every refusal looks alike. UNAUTHENTICATED gets a WWW-Authenticate header for
// bearer tokens unless the caller has set one.
func Refuse(w http.ResponseWriter, r *http.Request, why Refusal) {
	if why.Code == CodeUnauthenticated && w.Header().Get("WWW-Authenticate") == "" {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	as := negotiate(r.Header.Values("Accept")).json()
	out, err := render(&graphql.Response{Errors: gqlerror.List{why.asError()}}, 1)
	if err != nil {
		out, _ = render(&graphql.Response{Errors: gqlerror.List{internalError().asError()}}, 1)
		why.Code = CodeInternal
	}
	out.write(w, as, status(why.Code, as))
}

func (why Refusal) asError() *gqlerror.Error {
	ext := map[string]any{"code": string(why.Code)}
	for k, v := range why.Extensions {
		if k != "code" {
			ext[k] = v
		}
	}
	return &gqlerror.Error{Message: why.Message, Extensions: ext}
}

func internalError() Refusal {
	return Refusal{Code: CodeInternal, Message: "the service failed on this request; the fault was logged"}
}

// rendered is a response as JSON in three parts around the data, which the executor has
// already encoded: encoding it again would cost more than making it, and would escape the
// <, > and & of command lines.
type rendered struct {
	head, data, tail []byte
}

// render encodes a response, errors first. At most limit errors are kept; the last of
// them then says how many were left out. It fails if an extension cannot be encoded.
func render(resp *graphql.Response, limit int) (rendered, error) {
	out := rendered{head: []byte("{"), data: resp.Data, tail: []byte("}")}
	if len(resp.Errors) > 0 {
		errs, err := encode(capped(resp.Errors, limit))
		if err != nil {
			return rendered{}, fmt.Errorf("encoding the errors of a response: %w", err)
		}
		out.head = append(append(out.head, `"errors":`...), errs...)
	} else if out.data == nil {
		out.data = []byte("null") // an answer has errors or data
	}
	if out.data != nil {
		if len(out.head) > 1 {
			out.head = append(out.head, ',')
		}
		out.head = append(out.head, `"data":`...)
	}
	if len(resp.Extensions) > 0 {
		ext, err := encode(resp.Extensions)
		if err != nil {
			return rendered{}, fmt.Errorf("encoding the extensions of a response: %w", err)
		}
		out.tail = append(append([]byte(`,"extensions":`), ext...), '}')
	}
	return out, nil
}

func encode(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

func capped(errs gqlerror.List, limit int) gqlerror.List {
	if len(errs) <= limit {
		return errs
	}
	kept := limit - 1
	note := Refusal{
		Code:       CodeErrorsLeftOut,
		Message:    fmt.Sprintf("%d more errors were left out; a response holds %d", len(errs)-kept, limit),
		Extensions: map[string]any{"leftOut": len(errs) - kept},
	}
	return append(errs[:kept:kept], note.asError())
}

// write sends a whole response. A failed write means that the client has gone; net/http
// notices it too and there is nobody left to tell.
func (out rendered) write(w http.ResponseWriter, as media, code int) {
	commonHeaders(w.Header(), as)
	w.Header().Set("Content-Length", strconv.Itoa(len(out.head)+len(out.data)+len(out.tail)))
	w.WriteHeader(code)
	for _, part := range [][]byte{out.head, out.data, out.tail} {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

// commonHeaders keeps answers out of caches, and away from browsers that would guess at
// a type: with <>& unescaped a guess could be HTML.
func commonHeaders(h http.Header, as media) {
	h.Set("Content-Type", as.header())
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if !slices.Contains(h.Values("Vary"), "Accept") {
		h.Add("Vary", "Accept")
	}
}
