package hunt

import (
	"errors"
	"fmt"
	"time"
)

// Code says what kind of thing went wrong. Codes are append-only: they cross the plugin wire and clients act on them.
type Code string

// The codes of errors.
const (
	BadUserInput       Code = "BAD_USER_INPUT"       // the query is wrong; the message says where
	BadCursor          Code = "BAD_CURSOR"           // the cursor is not one of this hunt, or was changed
	UnknownTenant      Code = "UNKNOWN_TENANT"       // no such tenant, or not yours: the two are not told apart
	Unauthenticated    Code = "UNAUTHENTICATED"      // no token, or an unknown one
	BadConfig          Code = "BAD_CONFIG"           // a configuration or mapping file is wrong; the message has the position
	SourceUnavailable  Code = "SOURCE_UNAVAILABLE"   // the source cannot be reached or opened
	SourceFailed       Code = "SOURCE_FAILED"        // the source broke off while answering
	SourceTimeout      Code = "SOURCE_TIMEOUT"       // the source did not answer before its deadline
	SourceDamaged      Code = "SOURCE_DAMAGED"       // part of the source cannot be read (truncated, not what it says it is)
	RecordsRejected    Code = "RECORDS_REJECTED"     // some records could not be decoded; they were not searched
	StreamWithoutEnd   Code = "STREAM_WITHOUT_END"   // the stream stopped without saying that it is complete
	Cancelled          Code = "CANCELLED"            // the caller went away
	Internal           Code = "INTERNAL"             // a defect of Harrier
	SourceFailureFatal Code = "SOURCE_FAILURE_FATAL" // a source failed and the caller asked for all or nothing
	NotFound           Code = "NOT_FOUND"            // nothing of that id
	SourceDenied       Code = "SOURCE_DENIED"        // the credential is wrong, expired or may not do it; the message says which
	SourceThrottled    Code = "SOURCE_THROTTLED"     // the source asks to wait; RetryAfter says how long if it does
	SourceSuspended    Code = "SOURCE_SUSPENDED"     // it failed so often that it is left alone for a while (the breaker is open)
	SourceChanged      Code = "SOURCE_CHANGED"       // what was being read was deleted or re-mapped meanwhile
	PluginRefused      Code = "PLUGIN_REFUSED"       // the executable is not the one that was pinned, cannot run here, or speaks no protocol of ours
	PluginCrashed      Code = "PLUGIN_CRASHED"       // the process of the connection ended; it is started again
	PluginProtocol     Code = "PLUGIN_PROTOCOL"      // the plugin broke the protocol: a frame that is none, a schema that lies
	BeyondRetention    Code = "BEYOND_RETENTION"     // the source no longer has events of a part of the range
)

// Error is how everything in Harrier fails.
type Error struct {
	Op         string        // what was being done: "files: read", "lake: ingest"
	Source     string        // tenant/connection/stream, file or configuration path; "" if none
	Code       Code          // kind of failure
	Message    string        // one line for people: what happened, where, what to do
	Path       string        // GraphQL input path of a BAD_USER_INPUT, "" if none
	Retryable  bool          // the same request may succeed later
	RetryAfter time.Duration // earliest sensible retry; 0 if not known
	Cause      error         // may be nil
}

// Error writes the message, with where it happened in front.
func (e *Error) Error() string {
	text := e.Message
	if text == "" && e.Cause != nil {
		text = e.Cause.Error()
	}
	if e.Source != "" {
		text = e.Source + ": " + text
	}
	if e.Op != "" {
		text = e.Op + ": " + text
	}
	return text
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Cause }

// Errorf makes an Error with a code; a %w argument becomes its cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Cause: errors.Unwrap(err)}
}

// AsError returns err as an *Error; one that is none becomes code.
func AsError(err error, code Code) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: code, Message: err.Error(), Cause: err}
}
