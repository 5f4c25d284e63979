package protocol

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// broken makes the error for a peer that does not keep the protocol.
func broken(format string, args ...any) *hunt.Error {
	e := hunt.Errorf(hunt.PluginProtocol, format, args...)
	e.Message = Line(e.Message)
	return e
}

// maxLine bounds texts for people that come from the other side.
const maxLine = 4 << 10

// Line makes a text from outside fit for one line of a log or an error: valid UTF-8, without control characters, at most 4 KiB.
func Line(s string) string {
	if len(s) > maxLine {
		cut := maxLine
		for cut > 0 && !utf8.RuneStart(s[cut]) {
			cut--
		}
		s = s[:cut] + "..."
	}
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd")))
}

// text makes a string that protobuf accepts.
func text(s string) string { return strings.ToValidUTF8(s, "\ufffd") }

func encodeValue(v hunt.Value) *pb.Value {
	switch v.Kind() {
	case hunt.StringKind:
		return &pb.Value{Kind: &pb.Value_Text{Text: []byte(v.Str())}}
	case hunt.IntKind:
		return &pb.Value{Kind: &pb.Value_Integer{Integer: v.Num()}}
	case hunt.FloatKind:
		return &pb.Value{Kind: &pb.Value_Number{Number: v.Flt()}}
	case hunt.BoolKind:
		return &pb.Value{Kind: &pb.Value_Boolean{Boolean: v.Num() == 1}}
	case hunt.TimeKind:
		return &pb.Value{Kind: &pb.Value_Time{Time: v.Num()}}
	case hunt.IPKind:
		ip := v.Addr16()
		return &pb.Value{Kind: &pb.Value_Address{Address: ip[:]}}
	}
	return &pb.Value{}
}

func decodeValue(v *pb.Value) (hunt.Value, error) {
	switch k := v.GetKind().(type) {
	case *pb.Value_Text:
		return hunt.String(string(k.Text)), nil
	case *pb.Value_Integer:
		return hunt.Int(k.Integer), nil
	case *pb.Value_Number:
		return hunt.Float(k.Number), nil
	case *pb.Value_Boolean:
		return hunt.Bool(k.Boolean), nil
	case *pb.Value_Time:
		return hunt.Time(k.Time), nil
	case *pb.Value_Address:
		if len(k.Address) != 16 {
			return hunt.Value{}, broken("an address has %d bytes instead of 16", len(k.Address))
		}
		return hunt.IPFrom16([16]byte(k.Address)), nil
	}
	return hunt.Value{}, nil
}

func encodeValues(list []hunt.Value) []*pb.Value {
	var out []*pb.Value
	for _, v := range list {
		out = append(out, encodeValue(v))
	}
	return out
}

func decodeValues(list []*pb.Value) ([]hunt.Value, error) {
	var out []hunt.Value
	for _, v := range list {
		decoded, err := decodeValue(v)
		if err != nil {
			return nil, err
		}
		out = append(out, decoded)
	}
	return out, nil
}

// decodeClass returns the class of a class_uid.
func decodeClass(uid int64) (*ocsf.Class, error) {
	if c := ocsf.ByUID(uid); c != nil {
		return c, nil
	}
	return nil, broken("there is no class %d in this schema; the two sides may be built for different versions of it", uid)
}

// decodeColumn returns the column at a path, the fixed ones included.
func decodeColumn(class *ocsf.Class, path string) (*ocsf.Column, error) {
	if c := class.Column(path); c != nil {
		return c, nil
	}
	return nil, broken("%s has no column %q in this schema; the two sides may be built for different versions of it", class.Name, path)
}

func encodeRange(r *hunt.TimeRange) *pb.TimeRange {
	if r == nil {
		return nil
	}
	return &pb.TimeRange{Start: r.Start, End: r.End}
}

// decodeRange returns nil for an absent range.
func decodeRange(r *pb.TimeRange) (*hunt.TimeRange, error) {
	if r == nil {
		return nil, nil
	}
	if r.GetStart() > r.GetEnd() {
		return nil, broken("a time range ends before it begins: %d to %d", r.GetStart(), r.GetEnd())
	}
	return &hunt.TimeRange{Start: r.GetStart(), End: r.GetEnd()}, nil
}
