package lake_test

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestNativeQueries holds the SQL that explain prints, and the dispositions, against a golden file.
func TestNativeQueries(t *testing.T) {
	l, s := open(t, t.TempDir()), processes()
	p := func(path string, op hunt.Op, sensitive bool, args ...hunt.Value) *hunt.Predicate {
		t.Helper()
		out, err := hunt.NewPredicate(s.Class.Column(path), op, sensitive, args...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	text := hunt.String
	key := &hunt.Key{Time: hunttest.Window().Start, Tenant: hunttest.Identity().Tenant, Connection: hunttest.Identity().Connection, UID: "it's"}
	cases := []struct {
		name string
		r    hunt.Request
	}{
		{"everything", hunt.Request{}},
		{"limit, newest first, columns", hunt.Request{Order: hunt.TimeDesc, Limit: 50, Columns: []string{"process.cmd_line", "process.file.hashes.value"}}},
		{"after a key", hunt.Request{After: key}},
		{"after a key of a connection before this one", hunt.Request{After: &hunt.Key{Time: key.Time, Tenant: "a"}}},
		{"after a key of a connection before this one, newest first", hunt.Request{After: &hunt.Key{Time: key.Time, Tenant: "a"}, Order: hunt.TimeDesc}},
		{"contains", hunt.Request{Where: p("process.cmd_line", hunt.Contains, false, text(`-Enc 'é' 100%`)), Limit: 10}},
		{"equal", hunt.Request{Where: p("process.name", hunt.Eq, false, text("CMD.exe"))}},
		{"equal with a Kelvin sign", hunt.Request{Where: p("process.name", hunt.Eq, false, text("\u212a"))}},
		{"equal, case-sensitive, with a NUL byte", hunt.Request{Where: p("process.name", hunt.Eq, true, text("a\x00b"))}},
		{"in, of both kinds", hunt.Request{Where: p("process.name", hunt.In, false, text("a"), text("b'"), text("\u00e9"))}},
		{"in, empty", hunt.Request{Where: p("process.name", hunt.In, false)}},
		{"bytes that are no UTF-8", hunt.Request{Where: p("process.name", hunt.Contains, false, text("\xff")), Limit: 10}},
		{"like without ?", hunt.Request{Where: p("process.name", hunt.LikeOp, false, text(`*\\cmd.\*`))}},
		{"like with ?", hunt.Request{Where: p("process.name", hunt.LikeOp, false, text("?md*")), Limit: 10}},
		{"regex", hunt.Request{Where: p("process.cmd_line", hunt.RegexOp, false, text(`^frombase64string\(.{0,200}(iex|invoke-expression)\b`)), Limit: 10}},
		{"regex under not", hunt.Request{Where: hunt.Not{Expr: p("process.cmd_line", hunt.RegexOp, true, text("[^a-f]$"))}}},
		{"regex that is too large", hunt.Request{Where: p("process.cmd_line", hunt.RegexOp, true, text(strings.Repeat("(a{900}|b)", 4)))}},
		{"keywords", hunt.Request{Where: hunt.Or{p("process.cmd_line", hunt.Contains, false, text("mimikatz")), p("process.cmd_line", hunt.EndsWith, true, text("|x")), p("process.pid", hunt.Eq, false, hunt.Int(4))}}},
		{"exists and not", hunt.Request{Where: hunt.And{p("process.name", hunt.Exists, false, hunt.Bool(true)), p("process.file.hashes.value", hunt.Exists, false, hunt.Bool(false)), hunt.Not{Expr: p("process.pid", hunt.GT, false, hunt.Int(-1))}}}},
		{"some", hunt.Request{Where: hunt.Some{List: "process.file.hashes", Expr: hunt.And{p("process.file.hashes.algorithm_id", hunt.Eq, false, hunt.Int(3)), p("process.file.hashes.value", hunt.StartsWith, false, text("aB")), p("process.name", hunt.Eq, false, text("x"))}}}},
		{"addresses", hunt.Request{Where: hunt.Or{p("device.ip", hunt.CIDR, false, text("192.168.2.0/24")), p("device.ip", hunt.Eq, false, hunt.IP(netip.MustParseAddr("::1"))), p("device.ip", hunt.Scope, false, text("LINK_LOCAL"))}}},
		{"time", hunt.Request{Where: p("time", hunt.GTE, false, hunt.Time(1<<62))}},
	}
	var b strings.Builder
	for _, c := range cases {
		c.r.Stream, c.r.Class, c.r.Range = s.Name, s.Class, hunttest.Window()
		tr, err := l.Translate(c.r)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "== %s\n%s\n", c.name, tr.Native)
		for _, d := range tr.Predicates {
			fmt.Fprintf(&b, "-- %.80s: %s %s\n", d.Predicate, d.Disposition, d.Reason)
		}
	}
	golden(t, "native.golden", b.String())
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; run with -update and review the difference. Got:\n%s", name, got)
	}
}
