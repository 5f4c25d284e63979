package protocol

import (
	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
)

// EncodeRequest writes a request.
func EncodeRequest(r *hunt.Request) *pb.Request {
	out := &pb.Request{
		Stream: text(r.Stream), Range: encodeRange(&r.Range), Where: EncodeExpr(r.Where), Columns: r.Columns, Order: pb.Order(r.Order),
		Limit: int64(r.Limit), Snapshot: []byte(r.Snapshot),
	}
	if r.Class != nil {
		out.ClassUid = r.Class.UID
	}
	if k := r.After; k != nil {
		out.After = &pb.Key{Time: k.Time, Tenant: text(k.Tenant), Connection: text(k.Connection), Uid: []byte(k.UID)}
	}
	return out
}

// DecodeRequest reads and checks a request. The error is a *hunt.Error with code PLUGIN_PROTOCOL.
func DecodeRequest(r *pb.Request) (hunt.Request, error) {
	class, err := decodeClass(r.GetClassUid())
	if err != nil {
		return hunt.Request{}, err
	}
	where, err := DecodeExpr(class, r.GetWhere())
	if err != nil {
		return hunt.Request{}, err
	}
	during, err := decodeRange(r.GetRange())
	if err != nil {
		return hunt.Request{}, err
	}
	if during == nil || r.GetLimit() < 0 || r.GetOrder() != pb.Order_ORDER_TIME_ASC && r.GetOrder() != pb.Order_ORDER_TIME_DESC {
		return hunt.Request{}, broken("a request has no range, a negative limit or an unknown order")
	}
	for _, path := range r.GetColumns() {
		if _, err := decodeColumn(class, path); err != nil {
			return hunt.Request{}, err
		}
	}
	out := hunt.Request{
		Stream: r.GetStream(), Class: class, Range: *during, Where: where, Columns: r.GetColumns(), Order: hunt.Order(r.GetOrder()),
		Limit: int(r.GetLimit()), Snapshot: string(r.GetSnapshot()),
	}
	if k := r.GetAfter(); k != nil {
		out.After = &hunt.Key{Time: k.GetTime(), Tenant: k.GetTenant(), Connection: k.GetConnection(), UID: string(k.GetUid())}
	}
	return out, nil
}

// EncodeTranslation writes what a translation adds to its request.
func EncodeTranslation(t *hunt.Translation) *pb.Translation {
	out := &pb.Translation{Native: []byte(t.Native)}
	for _, d := range t.Predicates {
		out.Predicates = append(out.Predicates, &pb.Disposed{Disposition: pb.Disposition(d.Disposition), Reason: text(d.Reason)})
	}
	return out
}

// DecodeTranslation reads the translation of a request: one disposition for each predicate of its condition. The error is a *hunt.Error
// with code PLUGIN_PROTOCOL.
func DecodeTranslation(r hunt.Request, t *pb.Translation) (*hunt.Translation, error) {
	out := &hunt.Translation{Request: r, Native: string(t.GetNative())}
	var predicates []*hunt.Predicate
	hunt.Walk(r.Where, func(p *hunt.Predicate) { predicates = append(predicates, p) })
	if len(predicates) != len(t.GetPredicates()) {
		return nil, broken("a translation has %d dispositions for %d predicates", len(t.GetPredicates()), len(predicates))
	}
	for i, d := range t.GetPredicates() {
		if d.GetDisposition() < pb.Disposition_DISPOSITION_EXACT || d.GetDisposition() > pb.Disposition_DISPOSITION_IMPOSSIBLE {
			return nil, broken("a translation gives predicate %d the disposition %d, which is none", i, d.GetDisposition())
		}
		out.Predicates = append(out.Predicates, hunt.Disposed{
			Predicate: predicates[i], Disposition: hunt.Disposition(d.GetDisposition()), Reason: Line(d.GetReason()),
		})
	}
	return out, nil
}
