package protocol

import (
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// EncodeFrame writes a frame that is no batch; nil for a batch, which Sender sends.
func EncodeFrame(f hunt.Frame) *pb.Frame {
	switch f := f.(type) {
	case hunt.Progress:
		return &pb.Frame{Frame: &pb.Frame_Progress{Progress: &pb.Progress{RowsScanned: f.RowsScanned, Done: f.Done, Total: f.Total}}}
	case hunt.Watermark:
		return &pb.Frame{Frame: &pb.Frame_Watermark{Watermark: &pb.Watermark{Time: f.Time}}}
	case hunt.Throttled:
		return &pb.Frame{Frame: &pb.Frame_Throttled{Throttled: &pb.Throttled{RetryAfter: int64(f.RetryAfter)}}}
	case hunt.PartFailed:
		part := &pb.PartFailed{Part: text(f.Part), Lost: encodeRange(f.Lost)}
		if f.Err != nil {
			part.Error = EncodeError(f.Err)
		}
		return &pb.Frame{Frame: &pb.Frame_PartFailed{PartFailed: part}}
	case hunt.Rejected:
		return &pb.Frame{Frame: &pb.Frame_Rejected{Rejected: &pb.Rejected{Part: text(f.Part), Count: f.Count, Offset: f.Offset, Reason: text(f.Reason)}}}
	case hunt.End:
		return &pb.Frame{Frame: &pb.Frame_End{End: &pb.End{
			Truncated: f.Truncated, Reason: text(f.Reason), RowsScanned: f.RowsScanned, Duplicates: f.Duplicates, Untimed: f.Untimed,
		}}}
	}
	return nil
}

// EncodeFailure writes the frame that ends a search that failed.
func EncodeFailure(err error) *pb.Frame {
	return &pb.Frame{Frame: &pb.Frame_Error{Error: EncodeError(err)}}
}

// DecodeFrame reads a frame that is neither schema nor batch. An error frame comes back as its *hunt.Error; every other error has the
// code PLUGIN_PROTOCOL.
func DecodeFrame(f *pb.Frame) (hunt.Frame, error) {
	switch f := f.GetFrame().(type) {
	case *pb.Frame_Progress:
		p := f.Progress
		return hunt.Progress{RowsScanned: p.GetRowsScanned(), Done: p.GetDone(), Total: p.GetTotal()},
			natural("progress", p.GetRowsScanned(), p.GetDone(), p.GetTotal())
	case *pb.Frame_Watermark:
		return hunt.Watermark{Time: f.Watermark.GetTime()}, nil
	case *pb.Frame_Throttled:
		return hunt.Throttled{RetryAfter: time.Duration(f.Throttled.GetRetryAfter())}, natural("a delay", f.Throttled.GetRetryAfter())
	case *pb.Frame_PartFailed:
		return decodePart(f.PartFailed)
	case *pb.Frame_Rejected:
		r := f.Rejected
		return hunt.Rejected{Part: Line(r.GetPart()), Count: r.GetCount(), Offset: r.GetOffset(), Reason: Line(r.GetReason())},
			natural("rejected records", r.GetCount(), r.GetOffset())
	case *pb.Frame_End:
		e := f.End
		return hunt.End{
			Truncated: e.GetTruncated(), Reason: Line(e.GetReason()), RowsScanned: e.GetRowsScanned(), Duplicates: e.GetDuplicates(), Untimed: e.GetUntimed(),
		}, natural("an end", e.GetRowsScanned()+1, e.GetDuplicates(), e.GetUntimed())
	case *pb.Frame_Error:
		if f.Error == nil {
			return nil, broken("a search ended with an error that is none")
		}
		return nil, DecodeError(f.Error)
	}
	return nil, broken("a frame is of no kind that this side knows")
}

func decodePart(p *pb.PartFailed) (hunt.Frame, error) {
	lost, err := decodeRange(p.GetLost())
	if err != nil {
		return nil, err
	}
	if p.GetError() == nil {
		return nil, broken("part %q failed without an error", p.GetPart())
	}
	return hunt.PartFailed{Part: Line(p.GetPart()), Lost: lost, Err: DecodeError(p.GetError())}, nil
}

// natural refuses numbers below 0.
func natural(what string, numbers ...int64) error {
	for _, n := range numbers {
		if n < 0 {
			return broken("%s has the number %d", what, n)
		}
	}
	return nil
}
