package protocol

import (
	"errors"
	"slices"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// Codes lists the codes of errors that may cross the wire.
func Codes() []hunt.Code {
	return []hunt.Code{
		hunt.BadUserInput, hunt.BadCursor, hunt.UnknownTenant, hunt.Unauthenticated, hunt.BadConfig, hunt.SourceUnavailable,
		hunt.SourceFailed, hunt.SourceTimeout, hunt.SourceDamaged, hunt.RecordsRejected, hunt.StreamWithoutEnd, hunt.Cancelled,
		hunt.Internal, hunt.SourceFailureFatal, hunt.NotFound, hunt.SourceDenied, hunt.SourceThrottled, hunt.SourceSuspended,
		hunt.SourceChanged, hunt.PluginRefused, hunt.PluginCrashed, hunt.PluginProtocol, hunt.BeyondRetention,
	}
}

// EncodeError writes an error with all its fields; the cause as text. nil is no error. An error that is no *hunt.Error becomes INTERNAL.
func EncodeError(err error) *pb.Error {
	if err == nil {
		return nil
	}
	e := hunt.AsError(err, hunt.Internal)
	out := &pb.Error{
		Op: text(e.Op), Source: text(e.Source), Code: string(e.Code), Message: text(e.Message), Path: text(e.Path),
		Retryable: e.Retryable, RetryAfter: int64(e.RetryAfter),
	}
	if e.Cause != nil {
		out.Cause = text(e.Cause.Error())
	}
	return out
}

// DecodeError reads an error; nil for an absent one. Texts become lines, a negative delay none. An error whose code this side does not
// know is still that failure, with code PLUGIN_PROTOCOL.
func DecodeError(e *pb.Error) *hunt.Error {
	if e == nil {
		return nil
	}
	out := &hunt.Error{
		Op: Line(e.GetOp()), Source: Line(e.GetSource()), Code: hunt.Code(e.GetCode()), Message: Line(e.GetMessage()), Path: Line(e.GetPath()),
		Retryable: e.GetRetryable(), RetryAfter: max(0, time.Duration(e.GetRetryAfter())),
	}
	if e.GetCause() != "" {
		out.Cause = errors.New(Line(e.GetCause()))
	}
	if !slices.Contains(Codes(), out.Code) {
		out.Message = Line("the plugin failed with the code " + e.GetCode() + ", which is none: " + out.Message)
		out.Code = hunt.PluginProtocol
	}
	if out.Message == "" && out.Cause == nil {
		out.Message = "the plugin failed without saying why"
	}
	return out
}
