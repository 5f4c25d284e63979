package plan

import (
	"maps"
	"net/netip"
	"slices"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Support is what a source makes of one operator on one attribute.
type Support struct {
	Path          string // dotted OCSF path
	Op            hunt.Op
	CaseSensitive bool // of text operators only
	Disposition   hunt.Disposition
	Reason        string // why it is not Exact
}

// SupportOf asks a source how exactly it can be asked for each attribute of a stream, with each operator and case rule. It is what
// Translate says of a plain ASCII argument, so it cannot differ from what hunts get; other arguments may fare worse.
func SupportOf(s Source, stream *hunt.Stream) ([]Support, error) {
	where, out := hunt.Or{}, []Support{}
	for _, path := range slices.Sorted(maps.Keys(stream.Attributes)) {
		if col := stream.Class.Column(path); stream.Attributes[path] && col != nil {
			for _, p := range samples(col) {
				where, out = append(where, p), append(out, Support{Path: path, Op: p.Op, CaseSensitive: p.CaseSensitive})
			}
		}
	}
	t, err := s.Translate(hunt.Request{Stream: stream.Name, Class: stream.Class, Range: hunt.TimeRange{Start: 0, End: 1}, Where: where, Snapshot: s.Description.Snapshot})
	if err != nil {
		return nil, err
	}
	disposed := make(map[*hunt.Predicate]hunt.Disposed, len(t.Predicates))
	for _, d := range t.Predicates {
		disposed[d.Predicate] = d
	}
	for i := range out {
		out[i].Disposition = hunt.Local // as the planner takes a predicate without a word
		if d, ok := disposed[where[i].(*hunt.Predicate)]; ok {
			out[i].Disposition, out[i].Reason = d.Disposition, d.Reason
		}
	}
	return out, nil
}

// samples makes one predicate for each operator and case rule of a column.
func samples(col *ocsf.Column) []*hunt.Predicate {
	var out []*hunt.Predicate
	for _, op := range hunt.Ops(col.Type) {
		for _, sensitive := range []bool{false, true} {
			if sensitive && (op == hunt.Exists || col.Type != ocsf.String && col.Type != ocsf.JSON) {
				continue
			}
			if p, err := hunt.NewPredicate(col, op, sensitive, sample(col.Type, op)); err == nil {
				out = append(out, p)
			}
		}
	}
	return out
}

// sample is an argument that an operator takes on a type.
func sample(t ocsf.Type, op hunt.Op) hunt.Value {
	switch op {
	case hunt.Exists:
		return hunt.Bool(true)
	case hunt.CIDR:
		return hunt.String("192.0.2.0/24")
	case hunt.Scope:
		return hunt.String(hunt.ScopeNames()[0])
	}
	switch t {
	case ocsf.String, ocsf.JSON:
		return hunt.String("sample")
	case ocsf.Float:
		return hunt.Float(1.5)
	case ocsf.Boolean:
		return hunt.Bool(true)
	case ocsf.Time:
		return hunt.Time(0)
	case ocsf.IP:
		return hunt.IP(netip.AddrFrom4([4]byte{192, 0, 2, 1}))
	}
	return hunt.Int(1)
}
