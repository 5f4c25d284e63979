package plan

import (
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// verdict says what is known beforehand about a condition on the rows of a stream.
type verdict uint8

const (
	never   verdict = iota // no row can satisfy it
	always                 // every row satisfies it
	depends                // it depends on the row
	unknown                // it depends on an attribute that the stream does not have: it cannot be asked
)

// possible evaluates a condition over what is known of a stream. A condition that is unknown makes the stream impossible, but not
// where the rest of the hunt rules the stream out anyway: what cannot hold such rows need not be asked. missing lists the attributes.
func possible(e hunt.Expr, s *hunt.Stream) (v verdict, missing []string) {
	j := judge{stream: s}
	v = j.expr(e)
	slices.Sort(j.missing)
	return v, slices.Compact(j.missing)
}

// judge walks a condition and gathers the attributes that the stream lacks.
type judge struct {
	stream  *hunt.Stream
	missing []string
}

func (j *judge) expr(e hunt.Expr) verdict {
	switch e := e.(type) {
	case hunt.And:
		return j.fold(e, never, always)
	case hunt.Or:
		return j.fold(e, always, never)
	case hunt.Not:
		return negate(j.expr(e.Expr))
	case hunt.Some:
		return j.some(e)
	case *hunt.Predicate:
		return j.predicate(e)
	}
	return depends
}

// some needs an element: where the stream has no such array, it cannot be asked.
func (j *judge) some(e hunt.Some) verdict {
	v := j.expr(e.Expr)
	if v == always && !slices.ContainsFunc(j.stream.Class.List(e.List), func(c *ocsf.Column) bool { return j.stream.Provides(c.Path) }) {
		j.missing = append(j.missing, e.List)
		return unknown
	}
	if v == always {
		return depends
	}
	return v
}

// fold combines verdicts: stop decides alone, neutral changes nothing, and unknown outweighs depends.
func (j *judge) fold(list []hunt.Expr, stop, neutral verdict) verdict {
	out := neutral
	for _, e := range list {
		switch v := j.expr(e); {
		case v == stop:
			return stop
		case v == unknown, out == unknown:
			out = unknown
		case v == depends:
			out = depends
		}
	}
	return out
}

func negate(v verdict) verdict {
	switch v {
	case never:
		return always
	case always:
		return never
	}
	return v
}

// predicate compares with the closed values of an attribute. They may all be missing in a row, so only `never` follows, and
// that not for exists.
func (j *judge) predicate(p *hunt.Predicate) verdict {
	if !j.stream.Provides(p.Path) {
		j.missing = append(j.missing, p.Path)
		return unknown
	}
	if p.Op == hunt.In && len(p.Args) == 0 {
		return never
	}
	values, closed := j.stream.Closed[p.Path]
	if closed && p.Op != hunt.Exists && !slices.ContainsFunc(values, loose(p)) {
		return never
	}
	return depends
}

// loose compares without case: the spelling in the records may differ from the one that is known.
func loose(p *hunt.Predicate) func(hunt.Value) bool {
	switch {
	case !p.CaseSensitive || p.Type != ocsf.String:
		return p.Compare
	case p.Op == hunt.RegexOp || p.Op == hunt.LikeOp:
		return func(hunt.Value) bool { return true }
	}
	return func(v hunt.Value) bool {
		return slices.ContainsFunc(p.Needles(), func(n string) bool {
			a, b := hunt.Fold(v.Str()), hunt.Fold(n)
			switch p.Op {
			case hunt.Contains:
				return strings.Contains(a, b)
			case hunt.StartsWith:
				return strings.HasPrefix(a, b)
			case hunt.EndsWith:
				return strings.HasSuffix(a, b)
			}
			return a == b
		})
	}
}

// closedReason names the closed attributes of the hunt, for people.
func closedReason(e hunt.Expr, s *hunt.Stream) string {
	var names []string
	hunt.Walk(e, func(p *hunt.Predicate) {
		if _, ok := s.Closed[p.Path]; ok {
			names = append(names, p.Path)
		}
	})
	slices.Sort(names)
	if names = slices.Compact(names); len(names) == 0 {
		return "rows"
	}
	return strings.Join(names, ", ")
}
