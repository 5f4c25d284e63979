package okta_test

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// predicate makes a predicate on a column of a class.
func predicate(t testing.TB, class int64, path string, op hunt.Op, args ...hunt.Value) *hunt.Predicate {
	t.Helper()
	p, err := hunt.NewPredicate(ocsf.ByUID(class).Column(path), op, false, args...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func caseSensitive(p *hunt.Predicate) *hunt.Predicate {
	q, err := hunt.NewPredicate(ocsf.ByUID(ocsf.Authentication).Column(p.Path), p.Op, true, p.Args...)
	if err != nil {
		panic(err)
	}
	return q
}

// translations are the cases of testdata/translate.golden.
func translations(t testing.TB) []struct {
	name string
	r    hunt.Request
} {
	text, auth := hunt.String, func(path string, op hunt.Op, args ...hunt.Value) *hunt.Predicate {
		return predicate(t, ocsf.Authentication, path, op, args...)
	}
	ip := func(s string) hunt.Value { return hunt.IP(netip.MustParseAddr(s)) }
	many := make([]hunt.Value, 200)
	for i := range many {
		many[i] = ip(fmt.Sprintf("203.0.113.%d", i))
	}
	var out []struct {
		name string
		r    hunt.Request
	}
	add := func(name string, class int64, where hunt.Expr, change func(*hunt.Request)) {
		r := hunt.Request{Stream: "okta.systemlog", Class: ocsf.ByUID(class), Range: hunttest.Window(), Where: where}
		if change != nil {
			change(&r)
		}
		out = append(out, struct {
			name string
			r    hunt.Request
		}{name, r})
	}
	failed := auth("status_id", hunt.Eq, hunt.Int(2))
	add("all sign-ins", ocsf.Authentication, hunt.True(), nil)
	add("all API activity: the rest cannot be asked for", ocsf.ApiActivity, hunt.True(), nil)
	add("a word of Okta, in any spelling", ocsf.Authentication, auth("metadata.event_code", hunt.Eq, text("USER.Authentication.auth_via_idp")), nil)
	add("an event type that the mapping does not name", ocsf.Authentication, auth("metadata.event_code", hunt.Eq, text("user.authentication.auth_via_new")), nil)
	add("failures, newest first, ten", ocsf.Authentication, failed, func(r *hunt.Request) { r.Order, r.Limit = hunt.TimeDesc, 10 })
	add("a name without regard to case", ocsf.Authentication, auth("user.name", hunt.Eq, text("alice@example.com")), nil)
	add("a name with regard to case", ocsf.Authentication, caseSensitive(auth("user.name", hunt.Eq, text("alice@example.com"))), nil)
	add("text without letters", ocsf.Authentication, auth("status_detail", hunt.Eq, text("12345")), nil)
	add("contains and ends with", ocsf.Authentication, hunt.And{auth("http_request.user_agent", hunt.Contains, text("c0")), auth("user.name", hunt.EndsWith, text("@x1"))}, nil)
	add("letters outside ASCII", ocsf.Authentication, auth("src_endpoint.location.city", hunt.StartsWith, text("Zürich")), nil)
	add("a pattern", ocsf.Authentication, auth("user.name", hunt.RegexOp, text("^a.*z$")), nil)
	add("an address", ocsf.Authentication, auth("src_endpoint.ip", hunt.Eq, ip("192.0.2.1")), nil)
	add("a block", ocsf.Authentication, auth("src_endpoint.ip", hunt.CIDR, text("192.0.2.0/24")), nil)
	add("more addresses than fit", ocsf.Authentication, auth("src_endpoint.ip", hunt.In, many...), nil)
	add("a field that Okta has no filter for", ocsf.Authentication, auth("src_endpoint.autonomous_system.number", hunt.GT, hunt.Int(64496)), nil)
	add("an attribute that there is not", ocsf.Authentication, auth("user.domain", hunt.Eq, text("x")), nil)
	add("or with something that cannot be asked", ocsf.Authentication, hunt.Or{failed, auth("raw", hunt.Contains, text("x"))}, nil)
	add("or and and", ocsf.Authentication, hunt.And{hunt.Or{failed, auth("activity_id", hunt.Eq, hunt.Int(2))}, auth("severity_id", hunt.Eq, hunt.Int(4))}, nil)
	add("a negation", ocsf.Authentication, hunt.Not{Expr: failed}, nil)
	add("nothing", ocsf.Authentication, hunt.Or{}, nil)
	add("never true of the class", ocsf.Authentication, auth("metadata.product.name", hunt.Eq, text("Entra")), nil)
	add("one target", ocsf.ApiActivity, hunt.Some{List: "resources", Expr: predicate(t, ocsf.ApiActivity, "resources.uid", hunt.Eq, text("00 1"))}, nil)
	add("quotes", ocsf.Authentication, auth("status_detail", hunt.Eq, text(`" or 1 <&`)), nil)
	add("after a key", ocsf.Authentication, failed, func(r *hunt.Request) { r.After = &hunt.Key{Time: r.Range.Start + 5_000_000, UID: "x"} })
	add("before a key", ocsf.Authentication, failed, func(r *hunt.Request) {
		r.Order, r.After = hunt.TimeDesc, &hunt.Key{Time: r.Range.Start + 5_000_000, UID: "x"}
	})
	add("parts of a millisecond", ocsf.Authentication, failed, func(r *hunt.Request) { r.Range = hunt.TimeRange{Start: r.Range.Start + 1, End: r.Range.Start + 1001} })
	add("all times", ocsf.Authentication, failed, func(r *hunt.Request) { r.Range = hunttest.Always() })
	add("a time to come", ocsf.Authentication, failed, func(r *hunt.Request) { r.Range = hunt.TimeRange{Start: 1 << 51, End: 1 << 52} })
	return out
}

func TestTranslations(t *testing.T) {
	o := open(t, serve(t, nil, oktatest.Options{}), okta.Config{}, nil)
	var b strings.Builder
	for _, c := range translations(t) {
		tr, err := o.Translate(c.r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "# %s\n%s\n", c.name, tr.Native)
		for _, d := range tr.Predicates {
			fmt.Fprintf(&b, "  %s: %s\n", d.Disposition, d.Predicate)
			if d.Reason != "" {
				fmt.Fprintf(&b, "    %s\n", d.Reason)
			}
		}
		b.WriteString("\n")
	}
	golden(t, "translate.golden", b.String())
}

// TestOktaTakesEveryTranslation: the server parses each of them, so that none is refused with status 400.
func TestOktaTakesEveryTranslation(t *testing.T) {
	o := open(t, serve(t, signIns(3), oktatest.Options{}), okta.Config{}, nil)
	for _, c := range translations(t) {
		if f := search(t, o, c.r); f.err != nil || f.end == nil {
			t.Errorf("%s: %v", c.name, f.err)
		}
	}
}

// golden compares with a file, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(got, "\n")
	for i, line := range strings.Split(string(want), "\n") {
		if i >= len(lines) || lines[i] != line {
			t.Fatalf("%s differs from line %d on; run with -update and look at the difference. It was\n%s\nand is\n%s", name, i+1, line, lines[min(i, len(lines)-1)])
		}
	}
	if got != string(want) {
		t.Errorf("%s has more lines now; run with -update and look at the difference", name)
	}
}
