package elastic_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

// proxy stands between a connection and a node and can do what networks, proxies and busy nodes do.
type proxy struct {
	*httptest.Server
	mu    sync.Mutex
	fault func(w http.ResponseWriter, r *http.Request) bool // answers itself if it returns true
	edit  func(r *http.Response) error
}

func newProxy(t testing.TB, n *node.Node) *proxy {
	t.Helper()
	target, err := url.Parse(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{}
	back := httputil.NewSingleHostReverseProxy(target)
	back.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	back.ErrorLog = log.New(io.Discard, "", 0)
	back.ModifyResponse = func(r *http.Response) error {
		p.mu.Lock()
		edit := p.edit
		p.mu.Unlock()
		if edit == nil {
			return nil
		}
		return edit(r)
	}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		fault := p.fault
		p.mu.Unlock()
		if fault == nil || !fault(w, r) {
			back.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *proxy) set(fault func(http.ResponseWriter, *http.Request) bool, edit func(*http.Response) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault, p.edit = fault, edit
}

// hangUp ends connections without an answer.
func hangUp(w http.ResponseWriter, _ *http.Request) bool {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		_ = conn.Close() // it may be closed already
	}
	return true
}

// cutAnswer leaves out the second half of the answers of searches.
func cutAnswer(r *http.Response) error {
	if strings.HasSuffix(r.Request.URL.Path, "/_search") {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return err
		}
		r.Body = io.NopCloser(bytes.NewReader(body[:len(body)/2]))
	}
	return nil
}

// refuse answers searches with a status, so many times.
func refuse(times, status int, retryAfter string) func(http.ResponseWriter, *http.Request) bool {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if times == 0 || !strings.HasSuffix(r.URL.Path, "/_search") {
			return false
		}
		times--
		if retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"type":"es_rejected_execution_exception","reason":"rejected execution of task"},"status":%d}`, status)
		return true
	}
}

// TestProxyFaults: what a broken network or a busy cluster does to a search is an error that says so, or is waited for.
func TestProxyFaults(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		p := newProxy(t, n)
		s := connections()
		e := open(t, elastic.Config{URLs: []string{p.URL}, Prefix: "proxy"}, elastic.Options{})
		rec := events(s, 500, func(i int) int64 { return 1_767_000_000_000_000 + int64(i) })
		if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
			t.Fatal(err)
		}
		if _, err := e.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		shortened := func(r *http.Response) error {
			if err := cutAnswer(r); err != nil {
				return err
			}
			r.ContentLength = -1
			r.Header.Del("Content-Length")
			return nil
		}
		garbage := func(w http.ResponseWriter, r *http.Request) bool {
			fmt.Fprint(w, "<html>welcome</html>")
			return true
		}
		for _, c := range []struct {
			name  string
			fault func(http.ResponseWriter, *http.Request) bool
			edit  func(*http.Response) error
			code  hunt.Code // "" if the search is to succeed
			waits int
		}{
			{"nothing", nil, nil, "", 0},
			{"an answer cut in the middle", nil, cutAnswer, hunt.SourceDamaged, 0},
			{"an answer cut where nobody sees it", nil, shortened, hunt.SourceDamaged, 0},
			{"garbage", garbage, nil, hunt.SourceDamaged, 0},
			{"busy twice", refuse(2, http.StatusTooManyRequests, ""), nil, "", 2},
			{"busy, seconds", refuse(1, http.StatusTooManyRequests, "1"), nil, "", 1},
			{"busy for long", refuse(1, http.StatusTooManyRequests, "3600"), nil, hunt.SourceThrottled, 0},
			{"unavailable", refuse(1, http.StatusServiceUnavailable, "7"), nil, hunt.SourceUnavailable, 0},
			{"bad gateway", refuse(1, http.StatusBadGateway, ""), nil, hunt.SourceUnavailable, 0},
			{"unauthorized", refuse(1, http.StatusUnauthorized, ""), nil, hunt.SourceDenied, 0},
		} {
			t.Run(c.name, func(t *testing.T) {
				p.set(c.fault, c.edit)
				defer p.set(nil, nil)
				got := search(t, e, everything(s, "dst_endpoint.port"), 0)
				if c.code == "" {
					got.complete(t, hunt.TimeAsc)
					if len(got.uids) != 500 || len(got.throttle) != c.waits {
						t.Errorf("%d rows and %d waits, want 500 and %d", len(got.uids), len(got.throttle), c.waits)
					}
					return
				}
				if got.err == nil || got.err.Code != c.code || got.end != nil {
					t.Fatalf("error %v (end %v), want %s", got.err, got.end, c.code)
				}
				if c.name == "busy for long" && got.err.RetryAfter != time.Hour || c.name == "unavailable" && got.err.RetryAfter != 7*time.Second {
					t.Errorf("RetryAfter is %v", got.err.RetryAfter)
				}
			})
		}
		p.set(garbage, nil)
		if _, err := e.Describe(t.Context()); hunt.AsError(err, "").Code != hunt.SourceDamaged && hunt.AsError(err, "").Code != hunt.SourceUnavailable {
			t.Errorf("a stranger was described: %v", err)
		}
		p.set(nil, nil)
		if _, err := e.Describe(t.Context()); err != nil {
			t.Errorf("the connection did not heal: %v", err)
		}
	})
}

// TestUnreachable: a connection opens without its cluster, says why it cannot be used, and heals.
func TestUnreachable(t *testing.T) {
	dead := httptest.NewServer(http.NotFoundHandler())
	dead.Close()
	e := open(t, elastic.Config{URLs: []string{dead.URL}}, elastic.Options{})
	_, err := e.Describe(t.Context())
	if got := hunt.AsError(err, ""); got.Code != hunt.SourceUnavailable || !got.Retryable || !strings.Contains(got.Message, "nothing listens there") {
		t.Errorf("refused connection: %v", err)
	}
	e = open(t, elastic.Config{URLs: []string{"http://no-such-host.invalid:9200"}}, elastic.Options{})
	if _, err = e.Describe(t.Context()); hunt.AsError(err, "").Code != hunt.SourceUnavailable {
		t.Errorf("unknown name: %v", err)
	}
}

// TestMissingIndices: an index that is closed or deleted after it was described is a gap with its name; the others are read.
func TestMissingIndices(t *testing.T) {
	onAll(t, func(t *testing.T, n *node.Node) {
		before := contexts(t, n)
		mapping := `{"mappings":{"properties":{"time":{"type":"date"},"class_uid":{"type":"integer"},"dst_endpoint":{"properties":{"port":{"type":"integer"}}}}}}`
		for i, name := range []string{"gone-a", "gone-b", "gone-c"} {
			do(t, "PUT", n.URL()+"/"+name, mapping)
			for k := range 3 {
				do(t, "PUT", fmt.Sprintf("%s/%s/_doc/%d?refresh=true", n.URL(), name, k),
					fmt.Sprintf(`{"time":%d,"class_uid":4001,"dst_endpoint":{"port":443}}`, 1_767_000_000_000+i*10+k))
			}
		}
		e := open(t, elastic.Config{URLs: []string{n.URL()}, Indices: []string{"gone-*"}, Format: elastic.FormatOCSF}, elastic.Options{})
		d, err := e.Describe(t.Context())
		if err != nil || len(d.Streams) != 1 || d.Streams[0].Rows != 9 {
			t.Fatalf("%+v, %v", d, err)
		}
		s := &d.Streams[0]
		got := search(t, e, everything(s, "dst_endpoint.port"), 0)
		got.complete(t, hunt.TimeAsc)
		if len(got.uids) != 9 {
			t.Fatalf("%d rows, want 9", len(got.uids))
		}
		tr, err := e.Translate(everything(s, "dst_endpoint.port"))
		if err != nil {
			t.Fatal(err)
		}
		do(t, "DELETE", n.URL()+"/gone-b", "")
		do(t, "POST", n.URL()+"/gone-c/_close", "")
		got = run(t, e, tr, 0)
		if got.err != nil || got.end == nil || len(got.uids) != 3 || len(got.parts) != 2 {
			t.Fatalf("error %v, %d rows, gaps %+v; want the 3 rows of gone-a and gaps for the others", got.err, len(got.uids), got.parts)
		}
		for i, name := range []string{"gone-b", "gone-c"} {
			if got.parts[i].Part != name || got.parts[i].Err.Code != hunt.SourceChanged {
				t.Errorf("gap %d is %+v, want %s", i, got.parts[i], name)
			}
		}
		d, err = e.Describe(t.Context())
		if err != nil || d.Streams[0].Rows != 3 || !strings.Contains(strings.Join(d.Notes, "\n"), "gone-c") || d.Unread == "" {
			t.Errorf("after closing: %+v, %v", d, err)
		}
		if got := contexts(t, n); got > before {
			t.Errorf("%d search contexts are open, %d were before", got, before)
		}
	})
}
