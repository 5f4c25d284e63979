package oktatest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
)

var now = time.Date(2026, 2, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return now }

func start(t testing.TB, options oktatest.Options, events ...string) *oktatest.Server {
	t.Helper()
	if options.Now == nil {
		options.Now = clock
	}
	s, err := oktatest.New(events, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// event writes a LogEvent whose uuid is its name.
func event(name, published, more string) string {
	return fmt.Sprintf(`{"uuid":%q,"published":%q,"eventType":"user.session.start"%s}`, name, published, more)
}

// reply is an answer as a client sees it.
type reply struct {
	status int
	names  string // uuids of the events
	code   string // of an error
	text   string
	next   string
	header http.Header
}

func get(t testing.TB, target string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "SSWS secret")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	out := reply{status: res.StatusCode, header: res.Header}
	var events []struct{ UUID string }
	if json.Unmarshal(body, &events) == nil {
		var names []string
		for _, e := range events {
			names = append(names, e.UUID)
		}
		out.names = strings.Join(names, " ")
	}
	var failure struct{ ErrorCode, ErrorSummary string }
	if json.Unmarshal(body, &failure) == nil {
		out.code, out.text = failure.ErrorCode, failure.ErrorSummary
	}
	if m := regexp.MustCompile(`<([^>]*)>; rel="next"`).FindStringSubmatch(strings.Join(res.Header.Values("Link"), ", ")); m != nil {
		out.next = m[1]
	}
	return out
}

func query(s *oktatest.Server, parameters ...string) string {
	v := url.Values{"since": {"2026-01-01T00:00:00Z"}, "until": {"2026-02-01T00:00:00Z"}}
	for i := 0; i < len(parameters); i += 2 {
		v.Set(parameters[i], parameters[i+1])
	}
	return s.URL() + oktatest.Path + "?" + v.Encode()
}

func TestPaging(t *testing.T) {
	s := start(t, oktatest.Options{}, event("c", "2026-01-03T00:00:00Z", ""), event("a", "2026-01-01T00:00:00Z", ""), event("b", "2026-01-02T00:00:00Z", ""),
		event("late", "2026-02-01T00:00:00.001Z", ""), event("never", "yesterday", ""))
	for order, want := range map[string]string{"ASCENDING": "a b|c", "DESCENDING": "c b|a"} {
		first := get(t, query(s, "limit", "2", "sortOrder", order))
		second := get(t, first.next)
		if got := first.names + "|" + second.names; got != want || second.next != "" {
			t.Errorf("%s: %s, then %q", order, got, second.next)
		}
	}
	open := start(t, oktatest.Options{OpenBounds: true}, event("a", "2026-01-01T00:00:00Z", ""), event("b", "2026-01-01T00:00:00.001Z", ""))
	if got := get(t, query(open)).names; got != "b" {
		t.Errorf("with open bounds: %s", got)
	}
}

func TestRefusals(t *testing.T) {
	s := start(t, oktatest.Options{})
	cases := map[string]struct{ target, code string }{
		"limit":        {query(s, "limit", "1001"), "E0000001"},
		"until":        {query(s, "until", "soon"), "E0000001"},
		"order":        {query(s, "sortOrder", "UP"), "E0000001"},
		"cursor":       {query(s, "after", "x"), "E0000001"},
		"too old":      {query(s, "since", "2025-07-01T00:00:00Z"), "E0000053"},
		"to come":      {query(s, "since", "2026-02-02T00:00:00Z", "until", "2026-02-03T00:00:00Z"), "E0000053"},
		"operator":     {query(s, "filter", `eventType eqq "x"`), "E0000053"},
		"field":        {query(s, "filter", `some_field eq "x"`), "E0000053"},
		"published":    {query(s, "filter", `published gt "x"`), "E0000053"},
		"co on a URL":  {query(s, "filter", `debugContext.debugData.url co "x"`), "E0000031"},
		"no value":     {query(s, "filter", `eventType eq x`), "E0000053"},
		"open bracket": {query(s, "filter", `(eventType pr`), "E0000053"},
		"more text":    {query(s, "filter", `eventType pr)`), "E0000053"},
		"nothing":      {query(s, "filter", `eventType pr and`), "E0000053"},
		"deep":         {query(s, "filter", strings.Repeat("(", 60)+"eventType pr"+strings.Repeat(")", 60)), "E0000053"},
	}
	for name, c := range cases {
		if r := get(t, c.target); r.status != http.StatusBadRequest || r.code != c.code || r.text == "" {
			t.Errorf("%s: %d %s %s", name, r.status, r.code, r.text)
		}
	}
	if r := get(t, s.URL()+"/api/v1/users"); r.status != http.StatusNotFound {
		t.Errorf("another endpoint: %d", r.status)
	}
	if r := get(t, query(start(t, oktatest.Options{Token: "other"}))); r.status != http.StatusUnauthorized || r.code != "E0000011" {
		t.Errorf("another token: %d %s", r.status, r.code)
	}
}

func TestRetention(t *testing.T) {
	s := start(t, oktatest.Options{}, event("old", "2025-11-03T11:59:59Z", ""), event("young", "2025-11-03T12:00:00Z", ""))
	if r := get(t, query(s, "since", "2025-09-01T00:00:00Z")); r.names != "young" {
		t.Errorf("%d %q", r.status, r.names)
	}
}

func TestRateLimit(t *testing.T) {
	at := now
	s := start(t, oktatest.Options{RateLimit: 2, Now: func() time.Time { return at }})
	reset := fmt.Sprint(now.Add(time.Minute).Unix())
	for i, want := range []struct {
		status int
		left   string
	}{{200, "1"}, {200, "0"}, {429, "0"}} {
		r := get(t, query(s))
		h := r.header
		if r.status != want.status || h.Get("X-Rate-Limit-Limit") != "2" || h.Get("X-Rate-Limit-Remaining") != want.left || h.Get("X-Rate-Limit-Reset") != reset {
			t.Errorf("request %d: %d %v", i, r.status, h)
		}
	}
	at = at.Add(time.Minute)
	if r := get(t, query(s)); r.status != http.StatusOK {
		t.Errorf("after the reset: %d", r.status)
	}
}

func TestFilters(t *testing.T) {
	events := []string{
		event("a", "2026-01-01T00:00:00Z", `,"actor":{"id":"00u1","displayName":"Alice"},"target":[{"id":"1"},{"id":"2"}],"outcome":{"result":"SUCCESS"}`),
		event("b", "2026-01-02T00:00:00Z", `,"actor":{"id":"00u2","displayName":""},"target":[],"securityContext":{"isProxy":true,"asNumber":7}`),
		event("c", "2026-01-03T00:00:00Z", `,"actor":null,"outcome":{"result":"success"}`),
	}
	s, folded := start(t, oktatest.Options{}, events...), start(t, oktatest.Options{IgnoreCase: true}, events...)
	for filter, want := range map[string]string{
		``:                                      "a b c",
		`outcome.result eq "SUCCESS"`:           "a",
		`outcome.result EQ "success"`:           "c",
		`target.id eq "2"`:                      "a",
		`target.id eq "1" and target.id eq "2"`: "a",
		`actor.id sw "00u"`:                     "a b",
		`actor.id ew "2" or uuid eq "c"`:        "b c",
		`actor.id co "u" and (actor.id ew "1" or actor.id ew "3")`: "a",
		`uuid eq "a" or uuid eq "b" and actor.id eq "none"`:        "a",
		`actor.displayName pr`:                                     "a",
		`not (actor.id pr)`:                                        "c",
		`actor.id ne "00u1"`:                                       "b",
		`uuid gt "a" and uuid le "b"`:                              "b",
		`uuid ge "b" and uuid lt "c"`:                              "b",
		`securityContext.isProxy eq true`:                          "b",
		`securityContext.asNumber eq 7`:                            "b",
		`uuid eq "\u0061"`:                                         "a",
		`actor.displayName eq "a) or (uuid pr"`:                    "",
	} {
		if got := get(t, query(s, "filter", filter)).names; got != want {
			t.Errorf("%s: %q, want %q", filter, got, want)
		}
	}
	if got := get(t, query(folded, "filter", `outcome.result eq "Success"`)).names; got != "a c" {
		t.Errorf("without case: %q", got)
	}
}

// FuzzFilter: whatever the filter, the answer is a page or a refusal.
func FuzzFilter(f *testing.F) {
	for _, s := range []string{`eventType eq "x"`, `not not (uuid pr)`, `a`, `(`, `uuid eq "`, `uuid eq 1e999`, `uuid eq "\ud800"`, `uuid  sw   "a"and uuid pr`, "\xff", `uuid pr or or`} {
		f.Add(s)
	}
	s := start(f, oktatest.Options{}, event("a", "2026-01-01T00:00:00Z", ""))
	f.Fuzz(func(t *testing.T, filter string) {
		if r := get(t, query(s, "filter", filter)); r.status != http.StatusOK && (r.status != http.StatusBadRequest || r.code == "") {
			t.Errorf("%q: %d %s", filter, r.status, r.text)
		}
	})
}
