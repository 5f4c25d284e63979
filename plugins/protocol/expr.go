package protocol

import (
	"github.com/harrier-xdr/harrier/hunt"
	pb "github.com/harrier-xdr/harrier/plugins/protocol/connectorv1"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// EncodeExpr writes a condition; nil is no condition.
func EncodeExpr(e hunt.Expr) *pb.Expr {
	switch e := e.(type) {
	case hunt.And:
		return &pb.Expr{Node: &pb.Expr_All{All: encodeExprs(e)}}
	case hunt.Or:
		return &pb.Expr{Node: &pb.Expr_Any{Any: encodeExprs(e)}}
	case hunt.Not:
		return &pb.Expr{Node: &pb.Expr_Not{Not: EncodeExpr(e.Expr)}}
	case hunt.Some:
		return &pb.Expr{Node: &pb.Expr_Some{Some: &pb.Some{List: e.List, Expr: EncodeExpr(e.Expr)}}}
	case *hunt.Predicate:
		return &pb.Expr{Node: &pb.Expr_Predicate{Predicate: &pb.Predicate{
			Path: e.Path, Op: e.Op.String(), Args: encodeValues(e.Args), CaseSensitive: e.CaseSensitive,
		}}}
	}
	return nil
}

func encodeExprs(list []hunt.Expr) *pb.ExprList {
	out := &pb.ExprList{}
	for _, e := range list {
		out.Exprs = append(out.Exprs, EncodeExpr(e))
	}
	return out
}

// maxDepth is how deep conditions may be nested; a hunt is refused long before.
const maxDepth = 1000

// DecodeExpr reads a condition on events of class; an absent one is hunt.True. The error is a *hunt.Error with code PLUGIN_PROTOCOL.
func DecodeExpr(class *ocsf.Class, e *pb.Expr) (hunt.Expr, error) {
	if e == nil {
		return hunt.True(), nil
	}
	return exprDecoder{class, maxDepth}.expr(e)
}

// exprDecoder reads conditions; depth is how deep they may still be nested.
type exprDecoder struct {
	class *ocsf.Class
	depth int
}

func (d exprDecoder) expr(e *pb.Expr) (hunt.Expr, error) {
	if d.depth--; d.depth < 0 {
		return nil, broken("a condition is nested more than %d deep", maxDepth)
	}
	switch n := e.GetNode().(type) {
	case *pb.Expr_All:
		list, err := d.list(n.All)
		return hunt.And(list), err
	case *pb.Expr_Any:
		list, err := d.list(n.Any)
		return hunt.Or(list), err
	case *pb.Expr_Not:
		inner, err := d.expr(n.Not)
		return hunt.Not{Expr: inner}, err
	case *pb.Expr_Some:
		if len(d.class.List(n.Some.GetList())) == 0 || n.Some.GetList() == "" {
			return nil, broken("%s has no array of objects %q", d.class.Name, n.Some.GetList())
		}
		inner, err := d.expr(n.Some.GetExpr())
		return hunt.Some{List: n.Some.GetList(), Expr: inner}, err
	case *pb.Expr_Predicate:
		return d.predicate(n.Predicate)
	}
	return nil, broken("a condition has no node that this side knows")
}

func (d exprDecoder) list(l *pb.ExprList) ([]hunt.Expr, error) {
	out := make([]hunt.Expr, len(l.GetExprs()))
	for i, e := range l.GetExprs() {
		var err error
		if out[i], err = d.expr(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (d exprDecoder) predicate(p *pb.Predicate) (hunt.Expr, error) {
	col, err := decodeColumn(d.class, p.GetPath())
	if err != nil {
		return nil, err
	}
	op, ok := hunt.ParseOp(p.GetOp())
	if !ok {
		return nil, broken("%q is no operator of this side", p.GetOp())
	}
	args, err := decodeValues(p.GetArgs())
	if err != nil {
		return nil, err
	}
	out, err := hunt.NewPredicate(col, op, p.GetCaseSensitive(), args...)
	if err != nil {
		return nil, broken("%v", err)
	}
	return out, nil
}
