package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TestOp is a comparison that a source can do on a native field, without case.
type TestOp string

// The native comparisons. A native value that is one of the mapping's words for absent counts as absent in all of them.
const (
	TestAlways     TestOp = "always"     // every record of the rule
	TestEq         TestOp = "eq"         // is one of the values
	TestContains   TestOp = "contains"   // contains one of the values
	TestStartsWith TestOp = "startsWith" // starts with one of the values
	TestEndsWith   TestOp = "endsWith"   // ends with one of the values
	TestNotIn      TestOp = "notIn"      // is there and none of the values
	TestPresent    TestOp = "present"    // is there
	TestAbsent     TestOp = "absent"     // is not there
)

// Test is a comparison on a native field.
type Test struct {
	Field  string // canonical name; the record may spell it otherwise
	Op     TestOp
	Values []string
}

// String writes the test for people.
func (t Test) String() string {
	switch {
	case t.Op == TestAlways:
		return "every record"
	case len(t.Values) == 0:
		return t.Field + " " + string(t.Op)
	}
	const most = 6
	shown := t.Values[:min(len(t.Values), most)]
	text := fmt.Sprintf("%s %s %q", t.Field, t.Op, shown)
	if len(t.Values) > most {
		text += fmt.Sprintf(" and %d more", len(t.Values)-most)
	}
	return text
}

// Inverse is a predicate read backwards through one rule: a record of the rule can satisfy the predicate only if any of the tests
// holds. Without tests no record of the rule can.
type Inverse struct {
	When  string // the records of the rule, for people
	Tests []Test // any of them
	Exact bool   // and if a test holds, the record does satisfy it

	rule *rule
}

// Invert reads a predicate backwards through every rule of the class. It is sound for records as the mapping reads them; a source
// that compares with case, or stores less than the record, must widen further.
func (m *Mapping) Invert(class *ocsf.Class, p *hunt.Predicate) []Inverse {
	var out []Inverse
	for _, r := range m.rulesOf(class) {
		inv := r.invert(p)
		inv.When, inv.rule = r.when(), r
		out = append(out, inv)
	}
	return out
}

// Explain writes for people what a predicate asks of the native fields: the tests of all rules of the class, one line.
func (m *Mapping) Explain(class *ocsf.Class, p *hunt.Predicate) string {
	const most = 6
	var tests []string
	for _, inv := range m.Invert(class, p) {
		for _, t := range inv.Tests {
			if text := t.String(); !slices.Contains(tests, text) {
				tests = append(tests, text)
			}
		}
	}
	switch {
	case len(tests) == 0:
		return p.String() + ": no record"
	case len(tests) > most:
		tests = append(tests[:most], fmt.Sprintf("%d more", len(tests)-most))
	}
	return p.String() + ": " + strings.Join(tests, " or ")
}

// Invert reads a predicate backwards through the rule of this match.
func (m *Match) Invert(p *hunt.Predicate) Inverse {
	inv := m.rule.invert(p)
	inv.When, inv.rule = m.rule.when(), m.rule
	return inv
}

// when writes the conditions of a rule for people.
func (r *rule) when() string {
	var alternatives []string
	for _, all := range r.match {
		var parts []string
		for _, t := range all {
			parts = append(parts, t.String())
		}
		alternatives = append(alternatives, strings.Join(parts, ", "))
	}
	if len(alternatives) == 0 {
		return "any other record"
	}
	return strings.Join(alternatives, " or ")
}

// String writes a condition for people.
func (t *test) String() string {
	switch {
	case t.cond.Exists != nil:
		return fmt.Sprintf("%s exists %t", t.ref.name, *t.cond.Exists)
	case t.cond.Re != "":
		return t.ref.name + " matches " + t.cond.Re
	case len(t.cond.Not) > 0:
		return t.ref.name + " none of " + strings.Join(t.cond.Not, " ")
	}
	return t.ref.name + " " + strings.Join(t.cond.Values, " ")
}

func (r *rule) invert(p *hunt.Predicate) Inverse {
	switch p.Path {
	case ocsf.ColUID, ocsf.ColRaw, ocsf.ColUnmapped, "type_uid":
		return Inverse{Tests: []Test{{Op: TestAlways}}}
	}
	ops := r.opsOf(p.Path)
	if len(ops) == 0 {
		return r.invertDefault(p)
	}
	if p.Op == hunt.Exists && p.Args[0].Num() == 0 {
		return Inverse{Tests: []Test{{Op: TestAlways}}}
	}
	out := Inverse{Exact: len(ops) == 1 && ops[0].col.List == "" && !p.CaseSensitive}
	for _, o := range ops {
		tests, exact := o.invert(p)
		out.Tests = append(out.Tests, tests...)
		out.Exact = out.Exact && exact
	}
	return out
}

// opsOf returns the ops that fill a column; the algorithm of fingerprints is filled by the op of their values.
func (r *rule) opsOf(path string) []*op {
	var out []*op
	for _, o := range r.ops {
		if o.col.Path == path || o.hashes && o.col.List+".algorithm_id" == path {
			out = append(out, o)
		}
	}
	return out
}

// invertDefault answers for a column that the rule does not fill: it has the default of OCSF, or is missing in every record.
func (r *rule) invertDefault(p *hunt.Predicate) Inverse {
	holds := p.Op == hunt.Exists && p.Args[0].Num() == 0
	if v, ok := map[string]int64{"category_uid": r.class.Category, "activity_id": 0, "severity_id": 1}[p.Path]; ok {
		holds = p.Op == hunt.Exists && p.Args[0].Num() == 1 || p.Op != hunt.Exists && p.Compare(hunt.Int(v))
	}
	if holds {
		return Inverse{Tests: []Test{{Op: TestAlways}}, Exact: true}
	}
	return Inverse{Exact: true}
}

// invert returns tests of which one holds in every record that satisfies p, and whether that is exact.
func (o *op) invert(p *hunt.Predicate) ([]Test, bool) {
	if o.fixed.kind != noValue {
		if !o.matches(p, o.fixed) {
			return nil, true
		}
		return []Test{{Op: TestAlways}}, !o.lazy
	}
	var out []Test
	exact := len(o.from) == 1 && (o.spec.Exact == nil || *o.spec.Exact)
	for _, f := range o.from {
		tests, ok := o.invertField(p, f.name)
		out = append(out, tests...)
		exact = exact && ok
	}
	if o.absent.kind != noValue && o.matches(p, o.absent) {
		for _, f := range o.from {
			out = append(out, Test{Field: f.name, Op: TestAbsent})
		}
		// A value that maps to nothing reads as the absent value too.
		out, exact = append(out, Test{Field: o.from[0].name, Op: TestPresent}), exact && o.spec.Via == "enum" && o.spec.Else != nil
		if exact {
			out = out[:len(out)-1]
		}
	}
	return out, exact
}

// matches says whether a mapped value satisfies the predicate.
func (o *op) matches(p *hunt.Predicate, v value) bool {
	if p.Op == hunt.Exists {
		return p.Args[0].Num() == 1
	}
	switch o.col.Type {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		n, ok := v.integer()
		return ok && p.Compare(hunt.Int(n))
	case ocsf.Boolean:
		return p.Compare(hunt.Bool(v.num == 1))
	case ocsf.String:
		return p.Compare(hunt.String(string(v.appendText(nil))))
	}
	return true // not worth a comparison: the test stays wide
}

// invertField inverts through one native field.
func (o *op) invertField(p *hunt.Predicate, field string) ([]Test, bool) {
	wide := []Test{{Field: field, Op: TestPresent}}
	via := o.spec.Via
	switch {
	case o.hashes:
		return o.invertHashes(p, field)
	case p.Op == hunt.Exists:
		return wide, slices.Contains([]string{"", "copy", "str", "lower", "upper"}, via) && o.col.Type == ocsf.String
	case via == "enum":
		return o.invertEnum(p, field)
	case via == "prefix":
		return o.invertPrefix(p, field)
	case o.col.Type == ocsf.Boolean && via == "bool":
		return invertBool(p, field), true
	case o.col.Type == ocsf.IP:
		return invertIP(p, field), false
	case o.col.Type != ocsf.String:
		return wide, false
	}
	if tests, exact, ok := invertText(via, p, field, o.spec); ok {
		return tests, exact
	}
	return wide, false
}

// invertEnum tests for the native texts whose value satisfies the predicate.
func (o *op) invertEnum(p *hunt.Predicate, field string) ([]Test, bool) {
	var hit, all []string
	for k, v := range o.spec.Map {
		c, err := constant(o.col, v)
		if err != nil {
			return []Test{{Field: field, Op: TestPresent}}, false
		}
		all = append(all, k)
		if o.matches(p, c) {
			hit = append(hit, k)
		}
	}
	slices.Sort(hit)
	slices.Sort(all)
	var out []Test
	if len(hit) > 0 {
		out = append(out, Test{field, TestEq, hit})
	}
	if other, err := optional(o.col, o.spec.Else); err == nil && other.kind != noValue && o.matches(p, other) {
		out = append(out, Test{field, TestNotIn, all})
	}
	return out, true
}

// invertPrefix tests for the starts of text whose value satisfies the predicate; a longer start may say otherwise.
func (o *op) invertPrefix(p *hunt.Predicate, field string) ([]Test, bool) {
	if other, err := optional(o.col, o.spec.Else); err != nil || other.kind != noValue && o.matches(p, other) {
		return []Test{{Field: field, Op: TestPresent}}, false
	}
	tests, _ := o.invertEnum(p, field)
	for i := range tests {
		tests[i].Op = TestStartsWith
	}
	return tests, false
}

func invertBool(p *hunt.Predicate, field string) []Test {
	var out []Test
	if p.Compare(hunt.Bool(true)) {
		out = append(out, Test{field, TestEq, []string{"true", "t", "1", "yes"}})
	}
	if p.Compare(hunt.Bool(false)) {
		out = append(out, Test{field, TestEq, []string{"false", "f", "0", "no"}})
	}
	return out
}

// invertIP tests for the spelling of IPv4 addresses. An IPv4-mapped address may also be written in hexadecimal, and IPv6 has many
// spellings, so that these are only told apart after mapping.
func invertIP(p *hunt.Predicate, field string) []Test {
	if p.Op != hunt.Eq && p.Op != hunt.In {
		return []Test{{Field: field, Op: TestPresent}}
	}
	out := Test{field, TestContains, []string{"::ffff:"}}
	for _, a := range p.Args {
		text := hunt.FormatIP(a.Addr16())
		if strings.Contains(text, ":") {
			return []Test{{Field: field, Op: TestPresent}}
		}
		out.Values = append(out.Values, text)
	}
	if len(p.Args) == 0 {
		return nil
	}
	return []Test{out}
}

// invertHashes tests for digests inside a text of many; an algorithm may be told by the length of a bare digest alone.
func (o *op) invertHashes(p *hunt.Predicate, field string) ([]Test, bool) {
	if o.col.Path != p.Path || p.Op == hunt.Exists || p.Op == hunt.LikeOp || p.Op == hunt.RegexOp {
		return []Test{{Field: field, Op: TestPresent}}, false
	}
	return containsTest(p, field), false
}

// containsTest tests that the field contains what is looked for.
func containsTest(p *hunt.Predicate, field string) []Test {
	if len(p.Args) == 0 {
		return nil
	}
	return []Test{{field, TestContains, texts(p)}}
}

func texts(p *hunt.Predicate) []string {
	out := make([]string, len(p.Args))
	for i, a := range p.Args {
		out[i] = a.Str()
	}
	return out
}
