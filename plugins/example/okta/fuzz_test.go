package okta_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
)

// FuzzLink: whatever the header says, a link that is followed leads to the same endpoint of the same host.
func FuzzLink(f *testing.F) {
	for _, s := range []string{
		`<https://example.okta.com/api/v1/logs?after=1>; rel="next"`, `<https://a/>; rel="self", <https://example.okta.com/api/v1/logs?after=2>; rel=next`,
		`<//elsewhere.example/api/v1/logs?after=1>; rel="next"`, `</api/v1/logs?after=3>;rel="prev next"`, `<?after=4>; rel="next"`, `<https://x@example.okta.com/api/v1/logs?a>; rel=next`,
		`<https://example.okta.com/api/v1/logs?a,b>; title="a, <b>; rel=next"; rel="next"`, `<`, `<>`, `<;rel=next`, `<:>; rel=next`, `<a>; rel="next`,
	} {
		f.Add(s)
	}
	here, err := url.Parse("https://example.okta.com/api/v1/logs?limit=1")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, header string) {
		next, failed := okta.NextLink([]string{header}, here)
		if next == nil {
			return
		}
		if failed != nil || next.Scheme != "https" || next.Host != "example.okta.com" || next.Path != "/api/v1/logs" || next.User != nil {
			t.Errorf("%q leads to %s, %v", header, next, failed)
		}
	})
}

func TestLinks(t *testing.T) {
	here, err := url.Parse("https://example.okta.com/api/v1/logs?limit=1")
	if err != nil {
		t.Fatal(err)
	}
	const self = `<https://example.okta.com/api/v1/logs?limit=1>; rel="self"`
	for header, want := range map[string]string{
		self: "",
		self + `, <https://example.okta.com/api/v1/logs?after=2>; rel="next"`: "after=2",
		`<https://example.okta.com/api/v1/logs?after=2,3>; rel="next"`:        "after=2,3",
		`<https://example.okta.com/api/v1/logs?after=2>;REL=next`:             "after=2",
		`<https://example.okta.com/api/v1/logs?after=2>; title="rel=next"`:    "",
		`<https://elsewhere.example/api/v1/logs?after=2>; rel="next"`:         "refused",
		`<http://example.okta.com/api/v1/logs?after=2>; rel="next"`:           "refused",
		`<https://example.okta.com:444/api/v1/logs?after=2>; rel="next"`:      "refused",
		`<https://example.okta.com/api/v1/users?after=2>; rel="next"`:         "refused",
		`<https://example.okta.com/api/v1/logs?limit=1>; rel="next"`:          "refused",
		`<ht tp://%zz>; rel="next"`:                                           "refused",
	} {
		next, failed := okta.NextLink([]string{header}, here)
		got := ""
		switch {
		case failed != nil:
			got = "refused"
		case next != nil:
			got = next.RawQuery
		}
		if got != want {
			t.Errorf("%s: %q, want %q", header, got, want)
		}
	}
}

// FuzzPage: every element of an answer is an event or rejected, and an answer that is not read to its end is damaged.
func FuzzPage(f *testing.F) {
	one := signIns(1)[0]
	for _, s := range []string{"[]", "[" + one + "]", "[" + one + "," + one + "]", "[" + one + ",", "[" + one, "", "null", "{}", "[1,null,\"x\",{}]", "[" + one + "]]", "<html>", "[[]]",
		`[{"published":"2026-01-31T08:00:00Z","eventType":""}]`, `[{"published":1,"eventType":"a"}]`, strings.Repeat("[", 5000), "[" + one + " " + one + "]", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p := okta.ParsePage([]byte(body), hunttest.Identity())
		var whole []json.RawMessage
		err := json.NewDecoder(strings.NewReader(body)).Decode(&whole)
		if isArray := err == nil && strings.HasPrefix(strings.TrimLeft(body, " \t\r\n"), "["); isArray == p.Damaged {
			t.Errorf("damaged %v, but decoding it whole says %v", p.Damaged, err)
		}
		if !p.Damaged && int(p.Rejected)+len(p.Times) != len(whole) {
			t.Errorf("%d events and %d rejected of %d", len(p.Times), p.Rejected, len(whole))
		}
		for i, raw := range p.Raw {
			if !p.Damaged && !strings.Contains(body, raw) {
				t.Errorf("event %d is not in the answer", i)
			}
		}
	})
}
