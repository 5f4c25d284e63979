package plan

import (
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
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
	v = judge(e, s, &missing)
	slices.Sort(missing)
	return v, slices.Compact(missing)
}

func judge(e hunt.Expr, s *hunt.Stream, missing *[]string) verdict {
	switch e := e.(type) {
	case hunt.And:
		return fold(e, s, missing, never, always)
	case hunt.Or:
		return fold(e, s, missing, always, never)
	case hunt.Not:
		return negate(judge(e.Expr, s, missing))
	case hunt.Some:
		if v := judge(e.Expr, s, missing); v != always {
			return v
		}
		return depends // an element must be there
	case *hunt.Predicate:
		return judgePredicate(e, s, missing)
	}
	return depends
}

// fold combines verdicts: stop decides alone, neutral changes nothing, and unknown outweighs depends.
func fold(list []hunt.Expr, s *hunt.Stream, missing *[]string, stop, neutral verdict) verdict {
	out := neutral
	for _, e := range list {
		switch v := judge(e, s, missing); {
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

// judgePredicate compares with the closed values of an attribute. They may all be missing in a row, so only `never` follows, and
// that not for exists.
func judgePredicate(p *hunt.Predicate, s *hunt.Stream, missing *[]string) verdict {
	if !s.Provides(p.Path) {
		*missing = append(*missing, p.Path)
		return unknown
	}
	if p.Op == hunt.In && len(p.Args) == 0 {
		return never
	}
	values, closed := s.Closed[p.Path]
	if closed && p.Op != hunt.Exists && !slices.ContainsFunc(values, loose(p)) {
		return never
	}
	return depends
}

// loose compares without case: the spelling in the records may differ from the one that is known.
func loose(p *hunt.Predicate) func(hunt.Value) bool {
	if !p.CaseSensitive || p.Op == hunt.RegexOp || p.Op == hunt.LikeOp {
		if p.CaseSensitive {
			return func(hunt.Value) bool { return true }
		}
		return p.Compare
	}
	q := *p
	return func(v hunt.Value) bool {
		return slices.ContainsFunc(q.Needles(), func(n string) bool {
			a, b := hunt.Fold(v.Str()), hunt.Fold(n)
			switch q.Op {
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
