package graph_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
)

const (
	aliceToken = "harrier_alice-0123456789"
	bobToken   = "harrier_bob-0123456789"
)

// serve mounts a gateway over HTTP; alice has the tenants of the world's principal, bob has beta.
func serve(t *testing.T, w *world) *httptest.Server {
	t.Helper()
	tokens := access.NewTokens()
	for token, p := range map[string]*access.Principal{aliceToken: w.who, bobToken: {Name: "bob", Tenants: []string{"beta"}}} {
		if err := tokens.Add(access.HashToken(token), p); err != nil {
			t.Fatal(err)
		}
	}
	s := httptest.NewServer(graph.Handler(w.exec, tokens, nil))
	t.Cleanup(func() {
		s.Close()
		s.Client().CloseIdleConnections()
	})
	return s
}

// post sends a request; header pairs may be given.
func post(ctx context.Context, t *testing.T, s *httptest.Server, body any, header ...string) *http.Response {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := s.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

const subscription = `subscription($in: HuntInput!, $batch: Int!, $from: String) {hunt(input: $in, batch: $batch, resumeFrom: $from) {__typename
	... on HuntEvents {cursor events {uid tenant ... on ProcessActivity {process {name}}}}
	... on HuntProgress {tenant connection stream rowsScanned partsDone partsTotal throttledMs}
	... on HuntDone {rows coverage {verdict complete connections {connection state rowsReturned error {code}}}}}}`

// follower reads the events of one subscription.
type follower struct {
	t    *testing.T
	scan *bufio.Scanner
}

// follow starts a subscription over server-sent events.
func follow(ctx context.Context, t *testing.T, s *httptest.Server, v vars) *follower {
	t.Helper()
	resp := post(ctx, t, s, vars{"query": subscription, "variables": v}, "Accept", "text/event-stream", "Authorization", "Bearer "+aliceToken)
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("status %s, %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	scan := bufio.NewScanner(resp.Body)
	scan.Buffer(nil, 16<<20)
	return &follower{t, scan}
}

// next returns the next message, nil at `complete`; it fails if the stream is cut.
func (f *follower) next() *reply {
	f.t.Helper()
	for f.scan.Scan() {
		if f.scan.Text() == "event: complete" {
			return nil
		}
		data, ok := strings.CutPrefix(f.scan.Text(), "data: ")
		if !ok {
			continue
		}
		r := &reply{}
		dec := json.NewDecoder(strings.NewReader(data))
		dec.UseNumber()
		if err := dec.Decode(r); err != nil {
			f.t.Fatalf("%v in %s", err, data)
		}
		return r
	}
	f.t.Fatalf("the stream was cut: %v", f.scan.Err())
	return nil
}

// streamedHunt is a whole subscription.
type streamedHunt struct {
	uids     []string
	sizes    []int
	cursors  []string
	progress []*reply
	done     *reply
}

func (f *follower) all() *streamedHunt {
	f.t.Helper()
	out := &streamedHunt{}
	for r := f.next(); r != nil; r = f.next() {
		if len(r.Errors) > 0 || out.done != nil {
			f.t.Fatalf("errors %v, or a message after HuntDone: %v", r.Errors, r.Data)
		}
		switch r.at("hunt.__typename") {
		case "HuntEvents":
			for _, e := range r.list("hunt.events") {
				out.uids = append(out.uids, at(e, "uid").(string))
			}
			out.sizes, out.cursors = append(out.sizes, len(r.list("hunt.events"))), append(out.cursors, r.text("hunt.cursor"))
		case "HuntProgress":
			out.progress = append(out.progress, r)
		case "HuntDone":
			out.done = r
		default:
			f.t.Fatalf("a message of type %v", r.at("hunt.__typename"))
		}
	}
	if out.done == nil {
		f.t.Fatal("the stream has no HuntDone")
	}
	return out
}

func streamVars(batch int, from any) vars {
	return vars{"in": with(huntOf("processActivities", vars{"not": vars{"process": vars{"pid": vars{"eq": 443}}}}), "tenants", []string{"acme", "beta"}), "batch": batch, "from": from}
}

func TestSubscription(t *testing.T) {
	w := threeConnections(t, 30)
	s := serve(t, w)
	want := w.must(`query($in: HuntInput!) {hunt(input: $in, first: 1000) {nodes {uid}}}`, vars{"in": streamVars(0, nil)["in"]}).uids("hunt")
	for _, batch := range []int{1, 7, 10_000} {
		got := follow(t.Context(), t, s, streamVars(batch, nil)).all()
		if !slices.Equal(got.uids, want) || len(want) < 60 {
			t.Errorf("batch %d: %d events, want %d", batch, len(got.uids), len(want))
		}
		for i, n := range got.sizes {
			if full := min(batch, len(want)-i*batch); n != full {
				t.Errorf("batch %d: message %d has %d events, want %d", batch, i, n, full)
			}
		}
		if got.done.text("hunt.rows") != fmt.Sprint(len(want)) || got.done.text("hunt.coverage.verdict") != "FOUND" || got.done.at("hunt.coverage.complete") != true || len(got.done.list("hunt.coverage.connections")) != 3 {
			t.Errorf("batch %d: %v", batch, got.done.Data)
		}
		if batch != 7 {
			continue
		}
		for i, cursor := range got.cursors {
			rest := follow(t.Context(), t, s, streamVars(batch, cursor)).all()
			if !slices.Equal(rest.uids, want[min(len(want), (i+1)*batch):]) || rest.done.text("hunt.rows") != fmt.Sprint(len(rest.uids)) || rest.done.text("hunt.coverage.verdict") != "FOUND" {
				t.Errorf("resumed after message %d: %d events; %v", i, len(rest.uids), rest.done.at("hunt.coverage.verdict"))
			}
			for _, again := range append(rest.cursors, cursor) { // the cursors of a stream continue pages too, and know what came before
				r := w.must(huntQuery, vars{"in": streamVars(0, nil)["in"], "first": 1000, "after": again})
				if r.text("hunt.totalCount.value") != fmt.Sprint(len(want)) {
					t.Errorf("a page after message %d counts %v, want %d", i, r.at("hunt.totalCount"), len(want))
				}
			}
		}
	}
}

func TestSubscriptionRefusals(t *testing.T) {
	w := threeConnections(t, 10)
	s := serve(t, w)
	cursor := follow(t.Context(), t, s, streamVars(3, nil)).all().cursors[0]
	good := streamVars(3, nil)
	in := good["in"].(vars)
	for name, c := range map[string]struct {
		v          vars
		code, path string
	}{
		"batch 0":        {with(good, "batch", 0), "BAD_USER_INPUT", "batch"},
		"batch 10001":    {with(good, "batch", 10_001), "BAD_USER_INPUT", "batch"},
		"foreign tenant": {with(good, "in", with(in, "tenants", []string{"none"})), "UNKNOWN_TENANT", "input.tenants"},
		"range":          {with(good, "in", with(in, "timeRange", vars{})), "BAD_USER_INPUT", "input.timeRange"},
		"fail":           {with(good, "in", with(in, "onSourceFailure", "FAIL")), "BAD_USER_INPUT", "input.onSourceFailure"},
		"order":          {with(with(good, "from", cursor), "in", with(in, "orderBy", "TIME_DESC")), "BAD_CURSOR", "resumeFrom"},
		"changed cursor": {with(good, "from", cursor+"A"), "BAD_CURSOR", "resumeFrom"},
	} {
		f := follow(t.Context(), t, s, c.v)
		r := f.next()
		if r == nil {
			t.Errorf("%s: the stream is empty", name)
			continue
		}
		r.refused(t, name, c.code, c.path)
		if f.next() != nil {
			t.Errorf("%s: a message came after the refusal", name)
		}
	}
}

// TestSubscriptionShowsProgressAndFailures: what sources say on the way is sent, and HuntDone says which failed.
func TestSubscriptionShowsProgressAndFailures(t *testing.T) {
	script := &scripted{search: func(_ context.Context, _ *hunt.Translation, inner frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			yield(hunt.Progress{RowsScanned: 5, Done: 1, Total: 2}, nil)
			yield(hunt.Throttled{RetryAfter: 1500 * time.Millisecond}, nil)
			yield(nil, &hunt.Error{Code: hunt.SourceUnavailable, Message: "gone"})
		}
	}}
	w := pair(t, script)
	got := follow(t.Context(), t, serve(t, w), vars{"in": huntOf("processActivities", vars{}), "batch": 100}).all()
	said := map[string]any{} // messages of one stream may come joined
	for _, p := range got.progress {
		for _, field := range []string{"tenant", "connection", "stream", "rowsScanned", "partsDone", "partsTotal", "throttledMs"} {
			if v := p.at("hunt." + field); v != nil {
				said[field] = v
			}
		}
	}
	if text, want := fmt.Sprint(said), "map[connection:odd partsDone:1 partsTotal:2 rowsScanned:5 stream:s tenant:acme throttledMs:1500]"; text != want {
		t.Errorf("progress %s, want %s", text, want)
	}
	if got.done.at("hunt.coverage.complete") != false || got.done.text("hunt.coverage.connections.1") != "map[connection:odd error:map[code:SOURCE_UNAVAILABLE] rowsReturned:0 state:FAILED]" || len(got.uids) == 0 {
		t.Errorf("%d events, done %v", len(got.uids), got.done.Data)
	}
}

// TestThrottlingIsSeenAsItHappens: the source goes on only after the client has been told that it waits.
func TestThrottlingIsSeenAsItHappens(t *testing.T) {
	seen := make(chan struct{})
	script := &scripted{search: func(ctx context.Context, _ *hunt.Translation, _ frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			yield(hunt.Throttled{RetryAfter: time.Minute}, nil)
			select {
			case <-seen:
				yield(hunt.End{}, nil)
			case <-ctx.Done():
				yield(nil, ctx.Err())
			}
		}
	}}
	f := follow(t.Context(), t, serve(t, pair(t, script)), vars{"in": huntOf("processActivities", vars{}), "batch": 100})
	var done *reply
	for r := f.next(); r != nil; r = f.next() {
		if r.at("hunt.throttledMs") != nil {
			close(seen)
		}
		done = r
	}
	if done.at("hunt.coverage.complete") != true || fmt.Sprint(done.at("hunt.coverage.connections.1.state")) != "COMPLETE" {
		t.Errorf("the hunt ended with %v", done.Data)
	}
}

// TestClientThatGoes: the search ends when the client has gone, and nothing stays behind (TestMain looks for goroutines).
func TestClientThatGoes(t *testing.T) {
	started, ended := make(chan struct{}), make(chan error, 1)
	script := &scripted{search: func(ctx context.Context, _ *hunt.Translation, _ frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			close(started)
			<-ctx.Done()
			ended <- ctx.Err()
			yield(nil, ctx.Err())
		}
	}}
	w := pair(t, script)
	ctx, gone := context.WithCancel(t.Context())
	follow(ctx, t, serve(t, w), vars{"in": huntOf("processActivities", vars{}), "batch": 1})
	<-started
	gone()
	if err := <-ended; err == nil {
		t.Error("the search was not cancelled")
	}
}

// TestClientThatGoesWhileRowsCome: the same while messages wait to be read.
func TestClientThatGoesWhileRowsCome(t *testing.T) {
	w := threeConnections(t, 500)
	ctx, gone := context.WithCancel(t.Context())
	f := follow(ctx, t, serve(t, w), streamVars(1, nil))
	if f.next() == nil {
		t.Error("the stream is empty")
	}
	gone()
}
