package transport

import (
	"net/http"

	"github.com/vektah/gqlparser/v2/gqlerror"
)

// Code is the value of extensions.code of an error. Codes are append-only: clients branch
// on them.
type Code string

// The codes that decide a status. Errors may have other codes; those come with data, or
// take the status of the phase that failed.
const (
	CodeBadRequest       Code = "BAD_REQUEST"               // the HTTP request is not a GraphQL request
	CodeParseFailed      Code = "GRAPHQL_PARSE_FAILED"      // the document is not GraphQL
	CodeValidationFailed Code = "GRAPHQL_VALIDATION_FAILED" // the document does not fit the schema
	CodeTooComplex       Code = "QUERY_TOO_COMPLEX"         // a structural limit of package guard
	CodeBadUserInput     Code = "BAD_USER_INPUT"            // a value does not coerce
	CodeUnauthenticated  Code = "UNAUTHENTICATED"           // who asks is not known
	CodeForbidden        Code = "FORBIDDEN"                 // who asks may not
	CodeMethodNotAllowed Code = "METHOD_NOT_ALLOWED"        // not POST
	CodeNotAcceptable    Code = "NOT_ACCEPTABLE"            // no content type that both sides speak
	CodeTooLarge         Code = "PAYLOAD_TOO_LARGE"         // the body is over the limit
	CodeUnsupportedMedia Code = "UNSUPPORTED_MEDIA_TYPE"    // the body is not application/json
	CodeThrottled        Code = "THROTTLED"                 // too many requests, or too dear
	CodeUnavailable      Code = "UNAVAILABLE"               // cancelled or shutting down; try again
	CodeTimeout          Code = "TIMEOUT"                   // no answer within the deadline
	CodeInternal         Code = "INTERNAL"                  // a fault of the service
	CodeErrorsLeftOut    Code = "ERRORS_LEFT_OUT"           // the note that ends a capped list
)

// status is the table of HTTP statuses of answers without data. GraphQL over HTTP wants
// 200 for a well-formed request in application/json, whatever is wrong with its document;
// the draft of 2026 would have 422 for validation, which the public audit suite rejects.
func status(code Code, as media) int {
	switch code {
	case CodeParseFailed, CodeValidationFailed, CodeTooComplex, CodeBadUserInput:
		if as == plainJSON {
			return http.StatusOK
		}
		return http.StatusBadRequest
	case CodeUnauthenticated:
		return http.StatusUnauthorized
	case CodeForbidden:
		return http.StatusForbidden
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case CodeNotAcceptable:
		return http.StatusNotAcceptable
	case CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeUnsupportedMedia:
		return http.StatusUnsupportedMediaType
	case CodeThrottled:
		return http.StatusTooManyRequests
	case CodeUnavailable:
		return http.StatusServiceUnavailable
	case CodeTimeout:
		return http.StatusGatewayTimeout
	case CodeInternal:
		return http.StatusInternalServerError
	}
	return http.StatusBadRequest
}

// known reports whether the table has a row of its own for the code.
func known(code Code) bool {
	return code == CodeBadRequest || status(code, responseJSON) != http.StatusBadRequest ||
		status(code, plainJSON) != http.StatusBadRequest
}

// leading returns the first code of the errors that decides a status, or the fallback.
func leading(errs gqlerror.List, fallback Code) Code {
	for _, e := range errs {
		switch c := e.Extensions["code"].(type) {
		case string:
			if known(Code(c)) {
				return Code(c)
			}
		case Code:
			if known(c) {
				return c
			}
		}
	}
	return fallback
}
