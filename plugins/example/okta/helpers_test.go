package okta_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

var update = flag.Bool("update", false, "write the golden files")

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "00aSecretThatNobodyMaySee"

// clock is a clock that moves only when somebody waits.
type clock struct {
	mu     sync.Mutex
	now    time.Time
	waited []time.Duration
}

func newClock() *clock { return &clock{now: time.Date(2026, 2, 1, 12, 0, 5, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waited, c.now = append(c.waited, d), c.now.Add(d)
	return ctx.Err()
}

// serve starts an organisation.
func serve(t testing.TB, events []string, options oktatest.Options) *oktatest.Server {
	t.Helper()
	if options.Now == nil {
		options.Now = newClock().Now
	}
	options.Token = secret
	s, err := oktatest.New(events, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func reader(string) (string, error) { return secret + "\n", nil }

// open connects to an organisation, with a clock of its own that shows the same time.
func open(t testing.TB, s *oktatest.Server, cfg okta.Config, c *clock) *okta.Okta {
	t.Helper()
	if c == nil {
		c = newClock()
	}
	cfg.URL, cfg.Token = s.URL(), "env:OKTA_TOKEN"
	o, err := okta.Open(hunttest.Identity(), cfg, okta.Options{Secret: reader, Now: c.Now, Wait: c.Wait})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.Close() })
	return o
}

// everything asks for all events of a class.
func everything(class int64, columns ...string) hunt.Request {
	return hunt.Request{Stream: "okta.systemlog", Class: ocsf.ByUID(class), Range: hunttest.Always(), Where: hunt.True(), Columns: columns}
}

// found is the answer of a search.
type found struct {
	batches  []arrow.RecordBatch
	keys     []hunt.Key
	frames   []hunt.Frame // but batches
	end      *hunt.End
	err      *hunt.Error
	throttle []time.Duration
	rejected []hunt.Rejected
}

func search(t testing.TB, c hunt.Connector, r hunt.Request) found {
	t.Helper()
	return searchWith(t.Context(), t, c, r)
}

func searchWith(ctx context.Context, t testing.TB, c hunt.Connector, r hunt.Request) found {
	t.Helper()
	tr, err := c.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	var out found
	for f, err := range c.Search(ctx, tr) {
		if err != nil {
			out.err = hunt.AsError(err, hunt.Internal)
			return out
		}
		switch f := f.(type) {
		case *hunt.Batch:
			out.batches = append(out.batches, f.Record)
			out.keys = append(out.keys, keysOf(f.Record)...)
			continue
		case hunt.End:
			out.end = &f
		case hunt.Throttled:
			out.throttle = append(out.throttle, f.RetryAfter)
		case hunt.Rejected:
			out.rejected = append(out.rejected, f)
		}
		out.frames = append(out.frames, f)
	}
	return out
}

// logEvent writes a LogEvent of some fields by dotted path; missing ones get what every event has.
func logEvent(fields map[string]any) string {
	all := map[string]any{}
	for path, v := range fields {
		set(all, path, v)
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(all); err != nil {
		panic(err)
	}
	return strings.TrimSpace(b.String())
}

func set(to map[string]any, path string, v any) {
	head, rest, more := strings.Cut(path, ".")
	if !more {
		to[head] = v
		return
	}
	inner, ok := to[head].(map[string]any)
	if !ok {
		inner = map[string]any{}
		to[head] = inner
	}
	set(inner, rest, v)
}

// signIns makes n sign-ins, one a second, of which some share an instant.
func signIns(n int) []string {
	start := time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC)
	var out []string
	for i := range n {
		out = append(out, logEvent(map[string]any{
			"uuid": fmt.Sprintf("%08x-0000-4000-8000-%012x", i*2654435761%(1<<32), i), "eventType": "user.session.start", "severity": "INFO",
			"published":         start.Add(time.Duration(i/3) * time.Second).Format("2006-01-02T15:04:05.000Z"),
			"actor.alternateId": fmt.Sprintf("user%d@example.com", i), "outcome.result": "SUCCESS", "client.ipAddress": fmt.Sprintf("192.0.2.%d", i%256),
		}))
	}
	return out
}

// organisation makes n events of every kind that the mapping tells apart, as an organisation has them.
func organisation(rng *rand.Rand, n int) []string {
	types := []string{
		"user.session.start", "user.session.end", "user.authentication.sso", "user.authentication.auth_via_mfa", "user.authentication.auth_via_IDP",
		"policy.evaluate_sign_on", "user.authentication.verify", "user.lifecycle.create", "user.lifecycle.suspend", "user.account.lock", "user.mfa.factor.activate",
		"user.mfa.factor.update", "group.user_membership.add", "application.lifecycle.update", "system.api_token.create", "mim.checkOSXAccessEligibility.true",
		"system.org.rate_limit.warning", "system.agent.ad.connect",
	}
	names := []string{"alice@example.com", "Alice@Example.com", "bob@example.com", "unknown", "system@okta.com", "Zoë@example.com", "k", "K", "\u212a"}
	w := hunttest.Window()
	var out []string
	for i := range n {
		us := w.Start/1000*1000 + rng.Int64N(20)*1000
		if i%3 == 0 {
			us = w.Start + rng.Int64N(w.End-w.Start)/1000*1000
		}
		f := map[string]any{"uuid": fmt.Sprintf("%08x-1111-4000-8000-%012x", rng.Uint32(), i), "eventType": pick(rng, types),
			"published": time.UnixMicro(us).UTC().Format("2006-01-02T15:04:05.000Z"), "severity": pick(rng, []string{"INFO", "WARN", "ERROR", "DEBUG"}),
			"displayMessage": pick(rng, []string{"User login to Okta", "Rate limit 100%", "-"}), "version": "0"}
		some := func(path string, values ...any) {
			if rng.IntN(5) > 0 {
				f[path] = pick(rng, values)
			}
		}
		some("outcome.result", "SUCCESS", "FAILURE", "ALLOW", "DENY", "CHALLENGE", "UNKNOWN", "SKIPPED")
		some("outcome.reason", "INVALID_CREDENTIALS", "VERIFICATION_ERROR", "Sign-on policy evaluation resulted in DENY")
		some("transaction.id", "W1", "w1", "W2")
		some("actor.id", "00u1abc", "00U1ABC", "00u2")
		some("actor.type", "User", "SystemPrincipal", "PublicClientApp", "Robot")
		some("actor.alternateId", anys(names)...)
		some("actor.displayName", "Alice Example", "Bob", "system")
		some("client.ipAddress", "192.0.2.1", "192.0.2.11", "10.0.0.1", "2001:db8::1", "::ffff:192.0.2.1", "not an address")
		some("client.userAgent.rawUserAgent", "Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "UNKNOWN")
		some("client.geographicalContext.city", "Zürich", "ZÜRICH", "Oslo")
		some("client.geographicalContext.country", "Switzerland", "Norway")
		some("securityContext.asNumber", 64496, 64497)
		some("securityContext.asOrg", "example networks")
		some("authenticationContext.externalSessionId", "102abc", "102ABC", "unknown")
		some("authenticationContext.credentialType", "PASSWORD", "OTP")
		some("debugContext.debugData.requestUri", "/api/v1/authn", "/idp/idx/challenge?x=1")
		some("target", []any{}, []any{target(rng)}, []any{target(rng), target(rng)}, nil)
		out = append(out, logEvent(f))
	}
	return out
}

func target(rng *rand.Rand) map[string]any {
	return map[string]any{"id": pick(rng, []string{"00u7", "00g8", "0oa9"}), "type": pick(rng, []string{"User", "UserGroup", "AppInstance"}),
		"alternateId": pick(rng, []string{"carol@example.com", "unknown", "payroll"}), "displayName": pick(rng, []string{"Carol", "Admins", "Payroll"})}
}

func pick[T any](rng *rand.Rand, list []T) T { return list[rng.IntN(len(list))] }

func anys(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}
