package mapping

import (
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
)

// invertText inverts a text comparison through a transform. ok is false where nothing but the presence of the field is known.
func invertText(via string, p *hunt.Predicate, field string, s *Spec) (tests []Test, exact, ok bool) {
	if p.Op == hunt.LikeOp || p.Op == hunt.RegexOp {
		return nil, false, false
	}
	if len(p.Args) == 0 {
		return nil, true, true
	}
	switch via {
	case "", "copy", "str", "lower", "upper":
		return sameTest(p, field), true, true
	case "guid":
		return invertGUID(p, field)
	case "user":
		return invertUser(p, field)
	case "before_at", "after_at", "domain":
		return invertPart(via, p, field)
	case "basename":
		return basenameTests(p, field), false, true
	case "dirname":
		return dirnameTests(p, field), false, true
	case "ext":
		return nil, false, false
	case "trim", "re", "first", "url_host", "url_query":
		return containsTest(p, field), false, true
	case "split":
		return containsTest(p, field), false, s.Strip == ""
	case "json":
		return containsTest(p, field), false, !slices.ContainsFunc(texts(p), escapable)
	}
	return nil, false, false
}

// testOp is the native form of an operator on text.
func testOp(op hunt.Op) TestOp {
	switch op {
	case hunt.Contains:
		return TestContains
	case hunt.StartsWith:
		return TestStartsWith
	case hunt.EndsWith:
		return TestEndsWith
	}
	return TestEq
}

func sameTest(p *hunt.Predicate, field string) []Test {
	return []Test{{field, testOp(p.Op), texts(p)}}
}

// invertGUID tests for both spellings, with and without braces.
func invertGUID(p *hunt.Predicate, field string) ([]Test, bool, bool) {
	if p.Op != hunt.Eq && p.Op != hunt.In {
		return containsTest(p, field), false, true
	}
	var spellings []string
	for _, t := range texts(p) {
		spellings = append(spellings, t, "{"+t+"}")
	}
	return []Test{{field, TestEq, spellings}}, !slices.ContainsFunc(texts(p), func(t string) bool { return strings.ContainsAny(t, "{}") }), true
}

// invertUser tests for NAME and DOMAIN\NAME.
func invertUser(p *hunt.Predicate, field string) ([]Test, bool, bool) {
	list := texts(p)
	if slices.ContainsFunc(list, func(t string) bool { return strings.Contains(t, `\`) }) || p.Op == hunt.Contains || p.Op == hunt.StartsWith {
		return containsTest(p, field), false, true
	}
	if p.Op == hunt.EndsWith {
		return sameTest(p, field), list[0] != "", true
	}
	return []Test{{field, TestEq, list}, {field, TestEndsWith, each(list, `\`, "")}}, true, true
}

// invertPart tests for the part before or after an `@`, or before the last backslash.
func invertPart(via string, p *hunt.Predicate, field string) ([]Test, bool, bool) {
	list := texts(p)
	if p.Op != hunt.Eq && p.Op != hunt.In {
		return containsTest(p, field), false, true
	}
	switch via {
	case "before_at":
		plain := !slices.ContainsFunc(list, func(t string) bool { return strings.Contains(t, "@") })
		return []Test{{field, TestEq, list}, {field, TestStartsWith, each(list, "", "@")}}, plain, true
	case "after_at":
		return []Test{{field, TestEndsWith, each(list, "@", "")}}, false, true
	}
	return []Test{{field, TestStartsWith, each(list, "", `\`)}}, false, true
}

// basenameTests test for the last part of a path, which may have separators behind it.
func basenameTests(p *hunt.Predicate, field string) []Test {
	var list []string
	for _, t := range texts(p) {
		list = append(list, strings.Trim(t, `\/`))
	}
	switch p.Op {
	case hunt.Eq, hunt.In, hunt.EndsWith:
		return []Test{{field, TestEndsWith, slices.Concat(list, each(list, "", `\`), each(list, "", "/"))}, {field, TestContains, doubled(list)}}
	}
	return []Test{{field, TestContains, list}}
}

// doubled are the ends of paths with several separators behind them.
func doubled(list []string) []string {
	return slices.Concat(each(list, "", `\\`), each(list, "", "//"), each(list, "", `\/`), each(list, "", `/\`))
}

// dirnameTests test for what comes before the last part of a path.
func dirnameTests(p *hunt.Predicate, field string) []Test {
	switch p.Op {
	case hunt.Eq, hunt.In, hunt.StartsWith:
		return []Test{{field, TestStartsWith, texts(p)}}
	}
	return containsTest(p, field)
}

func each(list []string, before, after string) []string {
	out := make([]string, len(list))
	for i, t := range list {
		out[i] = before + t + after
	}
	return out
}

// escapable says whether JSON may write a text otherwise than it is.
func escapable(t string) bool {
	return strings.ContainsFunc(t, func(r rune) bool {
		return r >= 0x80 || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r)
	})
}

// Holds says whether the record that the decoder holds is of the inverse's rule and passes one of its tests. Sources that evaluate
// native predicates do the same in their own way; tests hold them to it.
func (d *Decoder) Holds(inv Inverse) bool {
	return slices.ContainsFunc(inv.Tests, func(t Test) bool { return d.holds(inv.rule, t) })
}

func (d *Decoder) holds(r *rule, t Test) bool {
	if t.Op == TestAlways {
		return true
	}
	n := d.get(r.field(t.Field))
	switch t.Op {
	case TestAbsent:
		return n.kind == absent
	case TestPresent:
		return n.kind != absent
	}
	if n.kind == absent {
		return false
	}
	if n.kind == list {
		return slices.ContainsFunc(n.items, func(item native) bool { return item.kind != absent && t.text(hunt.Fold(string(item.str()))) })
	}
	return t.text(hunt.Fold(string(n.str())))
}

// text compares one folded native value.
func (t Test) text(s string) bool {
	one := slices.ContainsFunc(t.Values, func(v string) bool {
		v = hunt.Fold(v)
		switch t.Op {
		case TestContains:
			return strings.Contains(s, v)
		case TestStartsWith:
			return strings.HasPrefix(s, v)
		case TestEndsWith:
			return strings.HasSuffix(s, v)
		}
		return s == v
	})
	return one != (t.Op == TestNotIn)
}

// field finds a native field that an op of the rule reads.
func (r *rule) field(name string) *fieldRef {
	for _, o := range r.ops {
		for _, f := range o.from {
			if f.name == name {
				return f
			}
		}
	}
	return &fieldRef{name: name}
}
