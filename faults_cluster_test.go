package main

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
)

// Secrets of the tests. The gateway finds them in variables of its environment.
const (
	goodPassword = "correct-horse-battery"
	badPassword  = "wrong-horse-and-battery"
)

// cluster is a search node with users and TLS that holds the telemetry, and what stands in front of it.
type cluster struct {
	*telemetry
	node    *node.Node
	client  *http.Client // trusts the node
	ca      string       // file with its authority
	secrets []string
}

// newCluster starts the node and ingests.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{telemetry: newTelemetry(t)}
	c.node = nodetest.Start(t, node.Options{Product: node.Elasticsearch, User: "admin", Password: goodPassword, TLS: true})
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(c.node.CA())
	c.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	t.Cleanup(c.client.CloseIdleConnections)
	c.ca = write(t, t.TempDir(), "ca.pem", string(c.node.CA()))
	c.setenv(t, "FAULTS_GOOD", goodPassword)
	c.setenv(t, "FAULTS_BAD", badPassword)
	for _, p := range []string{goodPassword, badPassword} {
		c.secrets = append(c.secrets, base64.StdEncoding.EncodeToString([]byte("admin:"+p)))
	}
	c.ingest(t, c.data)
	return c
}

// setenv gives the gateway a secret.
func (c *cluster) setenv(t *testing.T, name, secret string) {
	t.Helper()
	t.Setenv(name, secret)
	c.secrets = append(c.secrets, secret)
}

// ingest lets another process write a folder into the node.
func (c *cluster) ingest(t *testing.T, data string) {
	t.Helper()
	another(t, "ingest", "-c", write(t, t.TempDir(), "harrier.yaml", "connections:\n- {name: faulty, tenant: demo, "+c.direct("")+"}\n"), "--into", "demo/faulty", data)
}

// admin sends a request as the superuser.
func (c *cluster) admin(t *testing.T, method, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.node.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", goodPassword)
	req.Header.Set("Content-Type", "application/json")
	res, err := c.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s %v", method, path, res.StatusCode, text, err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

const signedIn = "username: admin, password: 'env:FAULTS_GOOD'"

// direct is a connection to the node; more is more of its settings.
func (c *cluster) direct(more string) string {
	return fmt.Sprintf("connector: elastic, settings: {urls: [%q], ca: %q, %s%s}", c.node.URL(), c.ca, signedIn, more)
}

// strange is a connection to the node with other settings than its address.
func (c *cluster) strange(settings string) string {
	return fmt.Sprintf("connector: elastic, settings: {urls: [%q], %s}", c.node.URL(), settings)
}

// behind is a connection through a wire. It is described once, so that what is spoiled are the searches of hunts; the wire says when.
func (c *cluster) behind(t *testing.T) (*wire, string) {
	t.Helper()
	w := newWire(t, c.node)
	w.direct.(*httputil.ReverseProxy).Transport = c.client.Transport
	return w, fmt.Sprintf("connector: elastic, settings: {urls: [%q], %s, refresh: 1h}", w.URL, signedIn)
}

// address is where the node listens.
func (c *cluster) address() string { return strings.TrimPrefix(c.node.URL(), "https://") }

// TestFaultsOfACluster: what is wrong with a credential, a certificate, an address, an index or an answer is said with what to do, and
// never the secret.
func TestFaultsOfACluster(t *testing.T) {
	c := newCluster(t)
	t.Run("access and answers", func(t *testing.T) {
		faults := c.accessFaults(t)
		maps.Copy(faults, c.answerFaults(t))
		c.suffer(t, faults, c.secrets...)
	})
	t.Run("an index deleted between two pages", func(t *testing.T) { c.changedBetweenPages(t, "1h", "") })
	t.Run("an index deleted and described between two pages", func(t *testing.T) { c.changedBetweenPages(t, "1ms", "") })
	t.Run("an index mapped anew between two pages", func(t *testing.T) {
		c.changedBetweenPages(t, "1ms", `{"mappings": {"properties": {"time": {"type": "keyword"}, "class_uid": {"type": "integer"}}}}`)
	})
	t.Run("more is ingested", func(t *testing.T) { moreIsIngested(t, c.open(t, c.direct(", prefix: more"), c.secrets...)) })
	t.Run("restart", c.restarts)
}

// accessFaults are faults of credentials, certificates and addresses.
func (c *cluster) accessFaults(t *testing.T) map[string]sourceFault {
	t.Helper()
	c.setenv(t, "FAULTS_EXPIRED", c.admin(t, "POST", "/_security/api_key", `{"name": "expired", "expiration": "1ms"}`)["encoded"].(string))
	c.admin(t, "PUT", "/_security/user/hunter", fmt.Sprintf(`{"password": %q, "roles": ["superuser"]}`, goodPassword+"-of-before"))
	address := closedPort(t)
	folder := t.TempDir()
	trusted := fmt.Sprintf("ca: %q, ", c.ca)
	return map[string]sourceFault{
		"wrong password": {connection: c.strange(trusted + "username: hunter, password: 'env:FAULTS_GOOD'"), line: "DENIED SOURCE_DENIED", state: "DOWN",
			says: []string{"the credential is wrong or expired", "renew it where the settings point to", "hunter"}, heal: func(t *testing.T) {
				c.admin(t, "PUT", "/_security/user/hunter/_password", fmt.Sprintf(`{"password": %q}`, goodPassword))
			}},
		"expired key": {connection: c.strange(trusted + "api_key: 'env:FAULTS_EXPIRED'"), line: "DENIED SOURCE_DENIED", state: "DOWN",
			says: []string{"expired", "renew it where the settings point to"}},
		"wrong authority": {connection: c.strange(fmt.Sprintf("ca: %q, %s", anotherCA(t), signedIn)), line: "FAILED SOURCE_UNAVAILABLE", state: "DOWN",
			says: []string{c.address(), "not trusted", "set ca"}},
		"wrong fingerprint": {connection: c.strange(fmt.Sprintf("fingerprint: %q, %s", fmt.Sprintf("%x", sha256.Sum256(nil)), signedIn)),
			line: "FAILED SOURCE_UNAVAILABLE", state: "DOWN", says: []string{c.address(), "another fingerprint", "set fingerprint anew"}},
		"unreachable": {connection: fmt.Sprintf("connector: elastic, settings: {urls: ['http://%s'], %s}", address, signedIn), line: "FAILED SOURCE_UNAVAILABLE", state: "DOWN",
			says: []string{address, "nothing listens there", "is the node running?"}, heal: func(t *testing.T) { c.serveAt(t, address) }},
		"no such name": {connection: "connector: elastic, settings: {urls: ['http://no-such-host.invalid:9200'], " + signedIn + "}", line: "FAILED SOURCE_UNAVAILABLE", state: "DOWN",
			says: []string{"no-such-host.invalid", "the name cannot be resolved"}},
		"no variable": {connection: c.strange(trusted + "api_key: 'env:FAULTS_NOT_SET'"), line: "DENIED SOURCE_DENIED", state: "DOWN",
			says: []string{"env:FAULTS_NOT_SET", "set the variable FAULTS_NOT_SET"}},
		"no secret file": {connection: c.strange(trusted + fmt.Sprintf("username: admin, password: 'file:%s/secret'", folder)), line: "DENIED SOURCE_DENIED", state: "DOWN",
			says: []string{"file:" + folder + "/secret", "no such file"}, heal: func(t *testing.T) { write(t, folder, "secret", goodPassword+"\n") }},
		"no secret file, apart": {connection: c.strange(trusted+fmt.Sprintf("username: admin, password: 'file:%s/apart'", folder)) + ", isolation: process",
			line: "DENIED SOURCE_DENIED", state: "DOWN",
			says: []string{"file:" + folder + "/apart", "no such file"}, heal: func(t *testing.T) { write(t, folder, "apart", goodPassword+"\n") }},
		"revoked key":        c.revoked(t, "revoked", ""),
		"revoked key, apart": c.revoked(t, "revoked-apart", ", isolation: process"),
	}
}

// revoked is a key that is revoked while the gateway runs. Another one is written where the settings point to; nothing is restarted.
func (c *cluster) revoked(t *testing.T, name, more string) sourceFault {
	t.Helper()
	first := c.admin(t, "POST", "/_security/api_key", fmt.Sprintf(`{"name": %q}`, name))
	second := c.admin(t, "POST", "/_security/api_key", fmt.Sprintf(`{"name": "%s-2"}`, name))
	key := func(of map[string]any) string { return of["encoded"].(string) }
	c.secrets = append(c.secrets, key(first), key(second))
	file := write(t, t.TempDir(), "key", key(first))
	return sourceFault{
		connection: c.strange(fmt.Sprintf("ca: %q, api_key: 'file:%s'", c.ca, file)) + more, line: "DENIED SOURCE_DENIED", state: "DEGRADED or DOWN",
		begin: func(t *testing.T) {
			c.admin(t, "DELETE", "/_security/api_key", fmt.Sprintf(`{"ids": [%q]}`, first["id"]))
		},
		says: []string{"the credential is wrong or expired", "renew it where the settings point to"},
		heal: func(t *testing.T) { write(t, filepath.Dir(file), "key", key(second)) },
	}
}

// anotherCA is a file with an authority that has nothing to do with the node.
func anotherCA(t *testing.T) string {
	t.Helper()
	s := httptest.NewTLSServer(http.NotFoundHandler())
	defer s.Close()
	return write(t, t.TempDir(), "other.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})))
}

// serveAt stands in front of the node at an address.
func (c *cluster) serveAt(t *testing.T, address string) {
	w, _ := c.behind(t)
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("somebody else has taken the port meanwhile: %v", err)
	}
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: w}} //nolint:gosec // a test
	s.Start()
	t.Cleanup(s.Close)
}

// searches spoils so many searches, and lets everything else through.
func (w *wire) searches(times int64, spoil http.HandlerFunc) http.HandlerFunc {
	var n atomic.Int64
	return func(out http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/_search") && n.Add(1) <= times {
			spoil(out, r)
			return
		}
		w.direct.ServeHTTP(out, r)
	}
}

// refuses answers with a status.
func refuses(status int, retryAfter string) http.HandlerFunc {
	return func(out http.ResponseWriter, _ *http.Request) {
		if retryAfter != "" {
			out.Header().Set("Retry-After", retryAfter)
		}
		out.Header().Set("Content-Type", "application/json")
		out.WriteHeader(status)
		fmt.Fprintf(out, `{"error": {"type": "es_rejected_execution_exception", "reason": "rejected execution of task"}, "status": %d}`, status)
	}
}

// cuts breaks the connection off in the middle of the documents.
func (w *wire) cuts(out http.ResponseWriter, r *http.Request) {
	whole := httptest.NewRecorder()
	w.direct.ServeHTTP(whole, r)
	for k, v := range whole.Header() {
		out.Header()[k] = v
	}
	out.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()))
	_, _ = out.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
	_ = http.NewResponseController(out).Flush()
	panic(http.ErrAbortHandler)
}

// answerFaults are faults of the answers to searches.
func (c *cluster) answerFaults(t *testing.T) map[string]sourceFault {
	t.Helper()
	const always = 1 << 40
	faults := map[string]sourceFault{}
	add := func(name string, times int64, spoil func(w *wire) http.HandlerFunc, f sourceFault) {
		w, connection := c.behind(t)
		f.connection = connection
		f.begin = func(*testing.T) { h := w.searches(times, spoil(w)); w.spoil.Store(&h) }
		if strings.HasPrefix(f.line, "FAILED") {
			f.heal = func(*testing.T) { w.spoil.Store(nil) }
		}
		faults[name] = f
	}
	refusing := func(status int, after string) func(*wire) http.HandlerFunc {
		return func(*wire) http.HandlerFunc { return refuses(status, after) }
	}
	add("429 once", 1, refusing(http.StatusTooManyRequests, ""), sourceFault{line: "COMPLETE", state: "HEALTHY or THROTTLED", waits: time.Millisecond})
	add("429 once, a second", 1, refusing(http.StatusTooManyRequests, "1"), sourceFault{line: "COMPLETE", state: "HEALTHY or THROTTLED", waits: time.Second})
	add("429 always", always, refusing(http.StatusTooManyRequests, "1"), sourceFault{line: "THROTTLED SOURCE_THROTTLED or TIMED_OUT SOURCE_TIMEOUT",
		state: "THROTTLED or DEGRADED", waits: time.Second, says: []string{"demo/faulty"}})
	add("429 for an hour", always, refusing(http.StatusTooManyRequests, "3600"), sourceFault{line: "THROTTLED SOURCE_THROTTLED", state: "THROTTLED", says: []string{"demo/faulty"}})
	add("503 once, a second", 1, refusing(http.StatusServiceUnavailable, "1"), sourceFault{line: "COMPLETE", state: "HEALTHY or THROTTLED", waits: time.Second})
	add("503 always", always, refusing(http.StatusServiceUnavailable, ""), sourceFault{line: "FAILED SOURCE_UNAVAILABLE or FAILED SOURCE_SUSPENDED", state: "SUSPENDED",
		says: []string{"cannot answer now", "rejected execution"}})
	add("cut", always, func(w *wire) http.HandlerFunc { return w.cuts }, sourceFault{line: "FAILED SOURCE_DAMAGED", state: "DEGRADED", says: []string{"cut in the middle"}})
	return faults
}

// changedBetweenPages deletes one of two indices between two pages of a hunt, and makes it again with another mapping if one is given. The
// second page has the events of the other index and names this one; if the connection was not described in between (refresh), it is not
// complete.
func (c *cluster) changedBetweenPages(t *testing.T, refresh, again string) {
	const mapping = `{"mappings": {"properties": {"time": {"type": "date"}, "class_uid": {"type": "integer"}, "dst_endpoint": {"properties": {"port": {"type": "integer"}}}}}}`
	const stays, goes = "pages-that-stay", "pages-that-go"
	for _, index := range []string{stays, goes} {
		c.admin(t, "PUT", "/"+index, mapping)
		defer c.admin(t, "DELETE", "/"+index+"?ignore_unavailable=true", "")
	}
	var bulk bytes.Buffer
	for i := range 6 {
		fmt.Fprintf(&bulk, "{\"create\": {\"_index\": %q}}\n{\"time\": %d, \"class_uid\": 4001, \"dst_endpoint\": {\"port\": %d}}\n", []string{stays, goes}[i%2], 1_767_000_000_000+i, 400+i)
	}
	c.admin(t, "POST", "/_bulk?refresh=true", bulk.String())
	g := c.open(t, c.direct(fmt.Sprintf(", format: ocsf, indices: [%s, %s], refresh: %s", stays, goes, refresh)), c.secrets...)
	first := g.page(t, "networkActivities", 2, nil)
	if len(first.of("faulty")) != 2 || !first.Coverage.Complete {
		t.Fatalf("%+v", first)
	}
	c.admin(t, "DELETE", "/"+goes, "")
	if again != "" {
		c.admin(t, "PUT", "/"+goes, again)
		c.admin(t, "POST", "/"+goes+"/_doc?refresh=true", `{"time": "yesterday", "class_uid": 4001}`)
	}
	second := g.page(t, "networkActivities", 10, first.PageInfo.EndCursor)
	told := ""
	for _, l := range second.faulty() {
		told += l.end() + " " + l.text()
	}
	if known := refresh == "1h"; known && second.Coverage.Complete || len(second.of("faulty")) != 2 || !strings.Contains(told, goes) {
		t.Errorf("complete: %v, %d rows; want the 2 that are left and a word of the index %s: %s", second.Coverage.Complete, len(second.of("faulty")), goes, told)
	}
}

// restarts kills the node in the middle of a hunt and starts it again, while the hunts go on: the gateway says so, and finds it again by itself.
func (c *cluster) restarts(t *testing.T) {
	w, connection := c.behind(t)
	g := c.open(t, strings.Replace(connection, "refresh: 1h", "refresh: 200ms", 1), c.secrets...)
	back := make(chan error, 1)
	g.heals(t)
	kill := w.searches(1, func(out http.ResponseWriter, r *http.Request) {
		if err := c.node.Kill(); err != nil {
			t.Error(err)
		}
		w.direct.ServeHTTP(out, r)
	})
	w.spoil.Store(&kill)
	a := g.ask(t)
	for _, l := range a.faulty() {
		if l.State != "FAILED" || !strings.Contains(l.text(), "cannot answer now") {
			t.Errorf("while the node is away: %s %s", l.end(), l.text())
		}
	}
	go func() { back <- c.node.Restart(t.Context()) }()
	for asked := 0; ; asked++ { // as a dashboard does
		select {
		case err := <-back:
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			g.heals(t)
			t.Logf("well %s after the node was, asked %d times meanwhile", time.Since(began).Round(time.Millisecond), asked)
			return
		case <-time.After(500 * time.Millisecond): // how often it looks
			if a := g.ask(t); a.Coverage.Complete && len(back) == 0 {
				t.Log("the node answered before it said that it was there")
			}
		}
	}
}

// moreIsIngested lets another process ingest, twice: classes and attributes that a source did not have appear among the sources and in hunts
// within seconds.
func moreIsIngested(t *testing.T, g *faultyGateway) {
	dir := t.TempDir()
	records := []string{
		`{"ts":1596607802.4,"uid":"a","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":53,"_path":"conn","proto":"udp"}`,
		`{"ts":1596607803.4,"uid":"b","id.orig_h":"10.0.0.1","id.orig_p":1,"id.resp_h":"10.0.0.2","id.resp_p":53,"_path":"dns","proto":"udp","query":"example.test","qtype_name":"A"}`,
	}
	for i, class := range []string{"NETWORK_ACTIVITY", "DNS_ACTIVITY"} {
		write(t, dir, fmt.Sprintf("%d.log", i), records[i]+"\n")
		another(t, "ingest", "-c", g.conf, "--into", "demo/faulty", dir)
		began := time.Now()
		for has := false; !has; {
			s := g.source(t)
			has = slices.ContainsFunc(s.Streams, func(st struct {
				Class      string
				Rows       *int64
				Attributes []string
			}) bool {
				return st.Class == class && st.Rows != nil && *st.Rows == 1
			})
			if time.Since(began) > healsWithin {
				t.Fatalf("no %s after %s: %+v", class, healsWithin, s)
			}
		}
		t.Logf("%s was there after %s", class, time.Since(began).Round(time.Millisecond))
	}
}

// TestMoreIsIngestedIntoALake is moreIsIngested for a lake.
func TestMoreIsIngestedIntoALake(t *testing.T) {
	t.Parallel()
	moreIsIngested(t, newTelemetry(t).open(t, "connector: lake, settings: {path: lake}"))
}
