package hunt_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// event is a row written by hand: values by path, and arrays of objects.
type event struct {
	values map[string][]hunt.Value
	lists  map[string][]event
}

func (e event) Values(path string) []hunt.Value { return e.values[path] }

func (e event) Elements(path string) []hunt.Row {
	var out []hunt.Row
	for _, x := range e.lists[path] {
		out = append(out, x)
	}
	return out
}

var _ hunt.Row = event{}

func column(t ocsf.Type) *ocsf.Column { return &ocsf.Column{Path: "x", GraphQL: "x", Type: t} }

func must(t *testing.T, col *ocsf.Column, op hunt.Op, args ...hunt.Value) *hunt.Predicate {
	t.Helper()
	p, err := hunt.NewPredicate(col, op, false, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func has(v ...hunt.Value) event { return event{values: map[string][]hunt.Value{"x": v}} }

func ip(s string) hunt.Value { return hunt.IP(netip.MustParseAddr(s)) }

func TestMatchComparesValues(t *testing.T) {
	s, n, f := hunt.String, hunt.Int, hunt.Float
	for _, c := range []struct {
		t    ocsf.Type
		op   hunt.Op
		arg  hunt.Value
		v    hunt.Value
		want bool
	}{
		{ocsf.String, hunt.Eq, s("K"), s("k"), true}, {ocsf.String, hunt.Eq, s("k"), s("\u212a"), false}, {ocsf.String, hunt.Eq, s("\u212a"), s("K"), false},
		{ocsf.String, hunt.Eq, s("\u00c9"), s("\u00e9"), true}, {ocsf.String, hunt.Eq, s("e\u0301"), s("\u00e9"), false}, {ocsf.String, hunt.Eq, s(""), s(""), true},
		{ocsf.String, hunt.Eq, s("ss"), s("\u00df"), false}, {ocsf.String, hunt.Eq, s("i"), s("\u0130"), false},
		{ocsf.String, hunt.Contains, s("ENC"), s("-enc x"), true}, {ocsf.String, hunt.Contains, s(""), s("a"), true}, {ocsf.String, hunt.Contains, s("%"), s("a"), false},
		{ocsf.String, hunt.Contains, s("\x00"), s("a\x00b"), true}, {ocsf.String, hunt.Contains, s("kerberos"), s("\u212aerberos"), false},
		{ocsf.String, hunt.StartsWith, s("AB"), s("abc"), true}, {ocsf.String, hunt.StartsWith, s("b"), s("abc"), false},
		{ocsf.String, hunt.EndsWith, s("BC"), s("abc"), true}, {ocsf.String, hunt.EndsWith, s("abcd"), s("abc"), false},
		{ocsf.String, hunt.LikeOp, s("a*c"), s("ABBC"), true}, {ocsf.String, hunt.LikeOp, s("b"), s("abc"), false}, {ocsf.String, hunt.LikeOp, s(`\*`), s("*"), true},
		{ocsf.String, hunt.RegexOp, s("B+"), s("abbc"), true}, {ocsf.String, hunt.RegexOp, s("^b"), s("abc"), false},
		{ocsf.String, hunt.RegexOp, s("^k$"), s("\u212a"), true}, {ocsf.JSON, hunt.Contains, s(`"A"`), s(`{"a":1}`), true},
		{ocsf.Int, hunt.Eq, n(4), n(4), true}, {ocsf.Int, hunt.LT, n(4), n(4), false}, {ocsf.Int, hunt.LTE, n(4), n(4), true}, {ocsf.Int, hunt.GT, n(4), n(5), true},
		{ocsf.Int, hunt.GTE, n(4), n(3), false}, {ocsf.Long, hunt.Eq, n(1<<53 + 1), n(1 << 53), false}, {ocsf.Enum, hunt.Eq, n(4711), n(4711), true},
		{ocsf.Float, hunt.Eq, f(0), f(0), true}, {ocsf.Float, hunt.LT, f(0.1), f(0.05), true}, {ocsf.Boolean, hunt.Eq, hunt.Bool(false), hunt.Bool(false), true},
		{ocsf.Time, hunt.GTE, hunt.Time(-1), hunt.Time(-1), true}, {ocsf.Time, hunt.LT, hunt.Time(0), hunt.Time(-1), true},
		{ocsf.IP, hunt.Eq, ip("10.0.0.1"), ip("::ffff:10.0.0.1"), true}, {ocsf.IP, hunt.Eq, ip("10.0.0.1"), ip("::10.0.0.1"), false},
		{ocsf.IP, hunt.CIDR, s("0.0.0.0/0"), ip("255.255.255.255"), true}, {ocsf.IP, hunt.CIDR, s("0.0.0.0/0"), ip("::1"), false},
		{ocsf.IP, hunt.CIDR, s("0.0.0.0/0"), ip("::"), false}, {ocsf.IP, hunt.CIDR, s("::/0"), ip("10.0.0.1"), true}, {ocsf.IP, hunt.CIDR, s("::/0"), ip("ffff::"), true},
		{ocsf.IP, hunt.CIDR, s("10.1.2.3/8"), ip("10.255.255.255"), true}, {ocsf.IP, hunt.CIDR, s("10.0.0.0/8"), ip("11.0.0.0"), false},
		{ocsf.IP, hunt.CIDR, s("::ffff:10.0.0.0/104"), ip("10.9.9.9"), true}, {ocsf.IP, hunt.CIDR, s("::ffff:10.0.0.0/104"), ip("11.0.0.0"), false},
		{ocsf.IP, hunt.CIDR, s("10.0.0.1/32"), ip("10.0.0.1"), true}, {ocsf.IP, hunt.CIDR, s("10.0.0.1/32"), ip("10.0.0.2"), false},
		{ocsf.IP, hunt.CIDR, s("10.0.0.0/31"), ip("10.0.0.2"), false}, {ocsf.IP, hunt.CIDR, s("2001:db8::/33"), ip("2001:db8:7fff::1"), true},
		{ocsf.IP, hunt.CIDR, s("2001:db8::/33"), ip("2001:db8:8000::"), false},
	} {
		if got := must(t, column(c.t), c.op, c.arg).Match(has(c.v)); got != c.want {
			t.Errorf("%s %s %s on %s: %v, want %v", c.t, c.op, c.arg.Text(), c.v.Text(), got, c.want)
		}
	}
}

func TestCaseSensitive(t *testing.T) {
	for _, op := range []hunt.Op{hunt.Eq, hunt.In, hunt.Contains, hunt.StartsWith, hunt.EndsWith, hunt.LikeOp, hunt.RegexOp} {
		p, err := hunt.NewPredicate(column(ocsf.String), op, true, hunt.String("Abc"))
		if err != nil {
			t.Fatal(err)
		}
		if !p.Match(has(hunt.String("Abc"))) || p.Match(has(hunt.String("abc"))) {
			t.Errorf("%s: the case-sensitive form does not tell Abc from abc", op)
		}
	}
}

func TestScopes(t *testing.T) {
	for addr, want := range map[string]string{
		"10.0.0.1": "PRIVATE", "172.16.0.1": "PRIVATE", "172.32.0.0": "EXTERNAL", "192.168.0.0": "PRIVATE", "fc00::1": "PRIVATE", "127.0.0.1": "LOOPBACK",
		"::1": "LOOPBACK", "169.254.0.1": "LINK_LOCAL", "fe80::1": "LINK_LOCAL", "224.0.0.1": "MULTICAST", "ff02::1": "MULTICAST", "0.0.0.0": "UNSPECIFIED",
		"::": "UNSPECIFIED", "8.8.8.8": "EXTERNAL", "2001:db8::1": "EXTERNAL", "255.255.255.255": "EXTERNAL", "::10.0.0.1": "EXTERNAL",
	} {
		for _, scope := range hunt.ScopeNames() {
			if got := must(t, column(ocsf.IP), hunt.Scope, hunt.String(scope)).Match(has(ip(addr))); got != (scope == want) {
				t.Errorf("%s in scope %s: %v", addr, scope, got)
			}
		}
	}
}

// TestTwoValuedLogic: a comparison with a missing value is false, for every operator, and its negation true.
func TestTwoValuedLogic(t *testing.T) {
	args := map[ocsf.Type]hunt.Value{ocsf.String: hunt.String(""), ocsf.Int: hunt.Int(0), ocsf.IP: ip("::"), ocsf.Boolean: hunt.Bool(false), ocsf.Time: hunt.Time(0), ocsf.Float: hunt.Float(0)}
	special := map[hunt.Op]hunt.Value{hunt.CIDR: hunt.String("::/0"), hunt.Scope: hunt.String("EXTERNAL"), hunt.Exists: hunt.Bool(true)}
	for typ, arg := range args {
		for _, op := range hunt.Ops(typ) {
			if a, ok := special[op]; ok {
				arg = a
			}
			p := must(t, column(typ), op, arg)
			if p.Match(event{}) || !(hunt.Not{Expr: p}).Match(event{}) {
				t.Errorf("%s of a missing %s is not false", op, typ)
			}
		}
	}
	absent := must(t, column(ocsf.String), hunt.Exists, hunt.Bool(false))
	if !absent.Match(event{}) || absent.Match(has(hunt.String(""))) {
		t.Error("exists: false is for missing values; the empty text is a value")
	}
}

func TestEmptyConditions(t *testing.T) {
	none := must(t, column(ocsf.String), hunt.In)
	if none.Match(has(hunt.String(""))) || !(hunt.Not{Expr: none}).Match(has(hunt.String(""))) {
		t.Error("in: [] matches nothing")
	}
	if !(hunt.And{}).Match(event{}) || (hunt.Or{}).Match(event{}) || !hunt.True().Match(event{}) {
		t.Error("an empty and holds always, an empty or never")
	}
	if !hunt.IsTrue(nil) || !hunt.IsTrue(hunt.And{}) || hunt.IsTrue(hunt.Or{}) || hunt.IsTrue(none) {
		t.Error("IsTrue is for nil and the empty and alone")
	}
}

// TestListsBindAnyOrOne: a predicate on a list holds if any element satisfies it; some binds one element.
func TestListsBindAnyOrOne(t *testing.T) {
	alg := &ocsf.Column{Path: "hashes.alg", GraphQL: "hashes.alg", Type: ocsf.Int, List: "hashes"}
	val := &ocsf.Column{Path: "hashes.value", GraphQL: "hashes.value", Type: ocsf.String, List: "hashes"}
	element := func(a int64, v string) event {
		return event{values: map[string][]hunt.Value{"hashes.alg": {hunt.Int(a)}, "hashes.value": {hunt.String(v)}}}
	}
	row := event{
		values: map[string][]hunt.Value{"hashes.alg": {hunt.Int(1), hunt.Int(2)}, "hashes.value": {hunt.String("aa"), hunt.String("bb")}},
		lists:  map[string][]event{"hashes": {element(1, "aa"), element(2, "bb")}},
	}
	crossed := hunt.And{must(t, alg, hunt.Eq, hunt.Int(1)), must(t, val, hunt.Eq, hunt.String("BB"))}
	paired := hunt.And{must(t, alg, hunt.Eq, hunt.Int(2)), must(t, val, hunt.Eq, hunt.String("BB"))}
	not1 := hunt.Not{Expr: must(t, alg, hunt.Eq, hunt.Int(1))}
	for _, c := range []struct {
		name string
		e    hunt.Expr
		row  event
		want bool
	}{
		{"any, of two elements", crossed, row, true},
		{"some, of two elements", hunt.Some{List: "hashes", Expr: crossed}, row, false},
		{"some, of one element", hunt.Some{List: "hashes", Expr: paired}, row, true},
		{"not any", not1, row, false},
		{"some not", hunt.Some{List: "hashes", Expr: not1}, row, true},
		{"not some", hunt.Not{Expr: hunt.Some{List: "hashes", Expr: paired}}, row, false},
		{"some of none", hunt.Some{List: "hashes", Expr: hunt.True()}, event{}, false},
		{"some at all", hunt.Some{List: "hashes", Expr: hunt.True()}, row, true},
		{"any of none", crossed, event{}, false},
		{"not any of none", not1, event{}, true},
	} {
		if got := c.e.Match(c.row); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNewPredicateRefusals(t *testing.T) {
	s := hunt.String
	for _, c := range []struct {
		t    ocsf.Type
		op   hunt.Op
		args []hunt.Value
		says string
	}{
		{ocsf.String, hunt.LT, []hunt.Value{s("a")}, "lt"}, {ocsf.Int, hunt.Contains, []hunt.Value{s("a")}, "contains"}, {ocsf.IP, hunt.GT, []hunt.Value{ip("::")}, "gt"},
		{ocsf.Boolean, hunt.LTE, []hunt.Value{hunt.Bool(true)}, "lte"}, {ocsf.Enum, hunt.GT, []hunt.Value{hunt.Int(1)}, "gt"}, {ocsf.String, hunt.CIDR, []hunt.Value{s("::/0")}, "cidr"},
		{ocsf.String, hunt.Eq, nil, "one argument"}, {ocsf.String, hunt.Eq, []hunt.Value{s("a"), s("b")}, "one argument"}, {ocsf.String, hunt.Eq, []hunt.Value{hunt.Int(1)}, "type"},
		{ocsf.String, hunt.In, []hunt.Value{s("a"), {}}, "type"}, {ocsf.Long, hunt.Eq, []hunt.Value{hunt.Float(1)}, "type"}, {ocsf.Int, hunt.Exists, []hunt.Value{hunt.Int(1)}, "type"},
		{ocsf.String, hunt.RegexOp, []hunt.Value{s("(")}, "RE2"}, {ocsf.String, hunt.RegexOp, []hunt.Value{s(`(a)\1`)}, "RE2"}, {ocsf.String, hunt.RegexOp, []hunt.Value{s("(?=a)")}, "RE2"},
		{ocsf.String, hunt.RegexOp, []hunt.Value{s("\xff")}, "RE2"}, {ocsf.IP, hunt.CIDR, []hunt.Value{s("10.0.0.0")}, "10.0.0.0/8"}, {ocsf.IP, hunt.CIDR, []hunt.Value{s("10.0.0.0/33")}, "block"},
		{ocsf.IP, hunt.CIDR, []hunt.Value{s("fe80::%eth0/64")}, "block"}, {ocsf.IP, hunt.CIDR, []hunt.Value{s("")}, "block"}, {ocsf.IP, hunt.Scope, []hunt.Value{s("private")}, "PRIVATE"},
	} {
		_, err := hunt.NewPredicate(column(c.t), c.op, false, c.args...)
		var e *hunt.Error
		if !errors.As(err, &e) || e.Code != hunt.BadUserInput || !strings.Contains(e.Error(), c.says) {
			t.Errorf("%s %s %v: error is %v, want a BAD_USER_INPUT that says %q", c.t, c.op, c.args, err, c.says)
		}
	}
}

func TestOperatorNames(t *testing.T) {
	for op := hunt.Eq; op <= hunt.Scope; op++ {
		if got, ok := hunt.ParseOp(op.String()); !ok || got != op {
			t.Errorf("operator %d is %q and reads back as %d", op, op, got)
		}
	}
	for _, name := range []string{"", "EQ", "nonsense"} {
		if op, ok := hunt.ParseOp(name); ok {
			t.Errorf("%q is operator %s", name, op)
		}
	}
}
