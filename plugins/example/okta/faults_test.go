package okta_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/plugins/example/okta"
	"github.com/harrier-xdr/harrier/plugins/example/oktatest"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// at makes one request fail, the first being 1.
func at(request int, fault oktatest.Fault) func(int) oktatest.Fault {
	return func(n int) oktatest.Fault {
		if n == request {
			return fault
		}
		return oktatest.None
	}
}

// TestFaults breaks the second of three pages: the rows of the first are there, the error has the right code, and no End comes.
func TestFaults(t *testing.T) {
	cases := map[string]struct {
		fault     oktatest.Fault
		code      hunt.Code
		retryable bool
		says      string
		rows      int // at least
	}{
		"cut":             {oktatest.Cut, hunt.SourceDamaged, true, "page 2: the answer breaks off", 10},
		"server error":    {oktatest.Broken, hunt.SourceUnavailable, true, "E0000009", 7},
		"unavailable":     {oktatest.Unavailable, hunt.SourceUnavailable, true, "HTTP status 503", 7},
		"garbage":         {oktatest.Garbage, hunt.SourceDamaged, true, "no JSON array", 7},
		"token expired":   {oktatest.Denied, hunt.SourceDenied, false, "E0000011", 7},
		"role taken away": {oktatest.Forbidden, hunt.SourceDenied, false, "okta.logs.read", 7},
		"another host":    {oktatest.Elsewhere, hunt.SourceFailed, false, "leads away", 7},
		"redirect":        {oktatest.Redirect, hunt.SourceUnavailable, false, "elsewhere", 7},
		"circle":          {oktatest.Circle, hunt.SourceFailed, false, "the page that it is on", 7},
		"unsorted":        {oktatest.Unsorted, hunt.SourceFailed, false, "after one of", 7},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			o := open(t, serve(t, signIns(30), oktatest.Options{Fault: at(2, c.fault)}), okta.Config{PageSize: 10}, nil)
			f := search(t, o, everything(ocsf.Authentication))
			if f.err == nil || f.end != nil {
				t.Fatalf("no error, end %v, after %d rows", f.end, len(f.keys))
			}
			if f.err.Code != c.code || f.err.Retryable != c.retryable || !strings.Contains(f.err.Error(), c.says) {
				t.Errorf("error is %s, retryable %v: %v", f.err.Code, f.err.Retryable, f.err)
			}
			if len(f.keys) < c.rows || len(f.keys) >= 30 {
				t.Errorf("%d rows came before the error, want at least %d", len(f.keys), c.rows)
			}
			if strings.Contains(f.err.Error(), secret) {
				t.Error("the error shows the token")
			}
		})
	}
}

// TestMalformedEventsAreRejected: the others are found, and the gap is told before them, with its place.
func TestMalformedEventsAreRejected(t *testing.T) {
	o := open(t, serve(t, signIns(30), oktatest.Options{Fault: at(2, oktatest.Malformed)}), okta.Config{PageSize: 10}, nil)
	f := search(t, o, everything(ocsf.Authentication))
	want := hunt.Rejected{Part: "page 2", Count: 1, Offset: 1, Reason: "published is no time"}
	if f.end == nil || len(f.keys) != 30 || !slices.Equal(f.rejected, []hunt.Rejected{want}) {
		t.Errorf("%d rows, rejected %+v, %v", len(f.keys), f.rejected, f.err)
	}
}

// TestRateLimit reads eight pages where three a minute are allowed: the search waits until the reset, says so, and misses nothing.
func TestRateLimit(t *testing.T) {
	c := newClock()
	o := open(t, serve(t, signIns(80), oktatest.Options{RateLimit: 3, Now: c.Now}), okta.Config{PageSize: 10}, c)
	f := search(t, o, everything(ocsf.Authentication))
	if f.end == nil || len(f.keys) != 80 {
		t.Fatalf("%d of 80 rows, %v", len(f.keys), f.err)
	}
	// The clock stood five seconds after the minute, and moves only by waiting.
	if want := []time.Duration{55 * time.Second, time.Minute}; !slices.Equal(f.throttle, want) || !slices.Equal(c.waited, want) {
		t.Errorf("told %v, waited %v, want %v", f.throttle, c.waited, want)
	}
}

// TestRefusedAgainAndAgain: after five refusals in a row the host decides.
func TestRefusedAgainAndAgain(t *testing.T) {
	refuse := func(int) oktatest.Fault { return oktatest.TooMany }
	o := open(t, serve(t, signIns(3), oktatest.Options{RateLimit: 100, Fault: refuse}), okta.Config{}, nil)
	f := search(t, o, everything(ocsf.Authentication))
	if f.err == nil || f.err.Code != hunt.SourceThrottled || !f.err.Retryable || f.err.RetryAfter != 55*time.Second || len(f.throttle) != 4 {
		t.Errorf("told %v, error %+v", f.throttle, f.err)
	}
}

// TestNoWaitBeyondTheDeadline: a search that cannot wait until the reset fails at once and says when to come again.
func TestNoWaitBeyondTheDeadline(t *testing.T) {
	c := newClock()
	o := open(t, serve(t, signIns(3), oktatest.Options{RateLimit: 100, Now: c.Now, Fault: at(1, oktatest.TooMany)}), okta.Config{}, c)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	f := searchWith(ctx, t, o, everything(ocsf.Authentication))
	if f.err == nil || f.err.Code != hunt.SourceThrottled || f.err.RetryAfter != 55*time.Second || len(c.waited) > 0 {
		t.Errorf("waited %v, error %+v", c.waited, f.err)
	}
}

// TestCancelWhileOktaIsSilent stops a search that waits for an answer, by its context and by Close. It takes the best of three, because
// the machine may be busy.
func TestCancelWhileOktaIsSilent(t *testing.T) {
	stops := map[string]struct {
		stop func(cancel func(), o *okta.Okta)
		code hunt.Code
	}{
		"context": {func(cancel func(), _ *okta.Okta) { cancel() }, hunt.Cancelled},
		"close":   {func(_ func(), o *okta.Okta) { _ = o.Close() }, hunt.SourceUnavailable},
	}
	for name, c := range stops {
		t.Run(name, func(t *testing.T) {
			best := time.Hour
			for range 3 {
				s := serve(t, signIns(30), oktatest.Options{Fault: at(2, oktatest.Stall)})
				o := open(t, s, okta.Config{PageSize: 10}, nil)
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan found, 1)
				go func() { done <- searchWith(ctx, t, o, everything(ocsf.Authentication)) }()
				<-s.Stalled()
				began := time.Now()
				c.stop(cancel, o)
				f := <-done
				best = min(best, time.Since(began))
				cancel()
				if f.err == nil || f.err.Code != c.code || f.end != nil {
					t.Errorf("error %v, end %v", f.err, f.end)
				}
			}
			if best > 100*time.Millisecond {
				t.Errorf("it stopped after %s", best)
			}
		})
	}
}

// TestDescribe says what the organisation allows, asks Okta once in 30 seconds, and sees a token that is refused.
func TestDescribe(t *testing.T) {
	c := newClock()
	s := serve(t, nil, oktatest.Options{RateLimit: 60, Now: func() time.Time { return c.Now().Add(90 * time.Second) }, Fault: at(2, oktatest.Denied)})
	o := open(t, s, okta.Config{}, c)
	for range 3 {
		d, err := o.Describe(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		host := strings.TrimPrefix(s.URL(), "http://")
		want := []hunt.Limit{{Scope: hunt.PerAccount, Key: "okta " + host, Concurrent: 10}, {Scope: hunt.PerEndpoint, Key: "okta " + host + "/api/v1/logs", Searches: 60, Per: time.Minute}}
		if !slices.Equal(d.Limits, want) || len(d.Quota) != 1 || d.Quota[0].Left != 59 || d.Quota[0].Of != 60 || d.ClockSkew != 90*time.Second {
			t.Errorf("limits %+v, quota %+v, skew %s", d.Limits, d.Quota, d.ClockSkew)
		}
		for _, stream := range d.Streams {
			if stream.Retention != 90*24*time.Hour || stream.Rows != -1 || stream.Nulled != -1 || stream.Watermark != 0 {
				t.Errorf("stream %s: %+v", stream.Class.Name, stream)
			}
		}
	}
	if n := len(s.Requests()); n != 1 {
		t.Errorf("%d requests for three descriptions", n)
	}
	_ = c.Wait(t.Context(), time.Minute)
	if _, err := o.Describe(t.Context()); hunt.AsError(err, hunt.Internal).Code != hunt.SourceDenied {
		t.Errorf("error %v, want SOURCE_DENIED", err)
	}
	if _, err := o.Describe(t.Context()); err != nil {
		t.Errorf("after the refusal it does not ask again: %v", err)
	}
}

// TestLimit: a hunt for few rows of a class asks for small pages and stops when it has them.
func TestLimit(t *testing.T) {
	s := serve(t, signIns(60), oktatest.Options{})
	o := open(t, s, okta.Config{}, nil)
	r := everything(ocsf.Authentication)
	r.Limit = 5
	if f := search(t, o, r); len(f.keys) < 5 || f.end == nil || len(s.Requests()) > 2 || !strings.Contains(s.Requests()[0], "limit=6&") {
		t.Errorf("%d rows, requests %v, %v", len(f.keys), s.Requests(), f.err)
	}
}

// TestBeyondRetention: Okta does not have what is older, and is not asked for what it refuses.
func TestBeyondRetention(t *testing.T) {
	old := logEvent(map[string]any{"uuid": "old", "eventType": "user.session.start", "published": "2025-06-01T00:00:00Z"})
	s := serve(t, append(signIns(3), old), oktatest.Options{})
	f := search(t, open(t, s, okta.Config{}, nil), everything(ocsf.Authentication))
	if len(f.keys) != 3 || f.end == nil || !strings.Contains(s.Requests()[0], "since=2025-10-23T23%3A59%3A59.999Z") {
		t.Errorf("%d rows, %v, %v", len(f.keys), s.Requests(), f.err)
	}
}

func TestConfig(t *testing.T) {
	good := okta.Config{URL: "https://example.okta.com", Token: "env:OKTA_TOKEN"}
	cases := map[string]struct {
		change func(*okta.Config)
		secret string
		says   string
	}{
		"no url":           {func(c *okta.Config) { c.URL = "" }, "t", "url"},
		"http":             {func(c *okta.Config) { c.URL = "http://example.okta.com" }, "t", "https"},
		"a path":           {func(c *okta.Config) { c.URL += "/admin" }, "t", "alone"},
		"a user":           {func(c *okta.Config) { c.URL = "https://me:" + secret + "@example.okta.com" }, "t", "alone"},
		"no token":         {func(c *okta.Config) { c.Token = "" }, "t", "reference"},
		"the token itself": {func(c *okta.Config) { c.Token = secret }, "t", "reference"},
		"an empty secret":  {func(*okta.Config) {}, " \n", "empty"},
		"a scheme in it":   {func(*okta.Config) {}, "SSWS " + secret, "blanks"},
		"no such secret":   {func(*okta.Config) {}, "", "OKTA_TOKEN is not set"},
		"large pages":      {func(c *okta.Config) { c.PageSize = 1001 }, "t", "1 to 1000"},
		"negative pages":   {func(c *okta.Config) { c.PageSize = -1 }, "t", "1 to 1000"},
		"authorization":    {func(c *okta.Config) { c.Authorization = "Basic" }, "t", "Bearer"},
	}
	for name, c := range cases {
		cfg := good
		c.change(&cfg)
		read := func(string) (string, error) {
			if c.secret == "" {
				return "", errors.New("OKTA_TOKEN is not set")
			}
			return c.secret, nil
		}
		_, err := okta.Open(hunttest.Identity(), cfg, okta.Options{Secret: read})
		e := hunt.AsError(err, hunt.Internal)
		if err == nil || e.Code != hunt.BadConfig || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, url := range []string{"https://example.okta.com", "https://example.okta.com/", "http://localhost:8080", "http://127.0.0.1", "http://[::1]:80"} {
		cfg := good
		cfg.URL = url
		if o, err := okta.Open(hunttest.Identity(), cfg, okta.Options{Secret: reader}); err != nil {
			t.Errorf("%s: %v", url, err)
		} else {
			_ = o.Close()
		}
	}
}

// TestAuthorization: both kinds of token are sent as Okta wants them, and a token that is replaced is taken.
func TestAuthorization(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = append(got, r.Header.Get("Authorization"))
		_, _ = w.Write([]byte("[]"))
	}))
	defer server.Close()
	secrets := []string{"at the start", "first", "second"}
	secrets[0] = "start"
	read := func(ref string) (string, error) {
		if ref != "file:token" {
			t.Errorf("asked for %q", ref)
		}
		next := secrets[0]
		secrets = secrets[1:]
		return next, nil
	}
	cfg := okta.Config{URL: server.URL, Token: "file:token", Authorization: "Bearer"}
	o, err := okta.Open(hunttest.Identity(), cfg, okta.Options{Secret: read, Now: newClock().Now})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	for range 2 {
		if f := search(t, o, everything(ocsf.Authentication)); f.err != nil {
			t.Fatal(f.err)
		}
	}
	if want := []string{"Bearer first", "Bearer second"}; !slices.Equal(got, want) {
		t.Errorf("sent %v, want %v", got, want)
	}
}

// TestNotOkta: what answers otherwise is no source, and is told so before a hunt.
func TestNotOkta(t *testing.T) {
	for name, fault := range map[string]oktatest.Fault{"garbage": oktatest.Garbage, "cut": oktatest.Cut, "error": oktatest.Broken, "redirect": oktatest.Redirect} {
		o := open(t, serve(t, nil, oktatest.Options{Fault: at(1, fault)}), okta.Config{}, nil)
		if _, err := o.Describe(t.Context()); hunt.AsError(err, hunt.Internal).Code != hunt.SourceUnavailable {
			t.Errorf("%s: %v", name, err)
		}
	}
}
