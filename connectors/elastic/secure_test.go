package elastic_test

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
)

const password = "correct-horse-battery"

// secured is how many events the node with security holds: more than a search asks for at first.
const secured = 7000

// admin sends a request as the superuser.
func admin(t *testing.T, n *node.Node, method, path, body string) map[string]any {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, n.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", password)
	req.Header.Set("Content-Type", "application/json")
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	res, err := client.Do(req)
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

// fingerprint is the SHA-256 of a node's certificate.
func fingerprint(t *testing.T, n *node.Node) string {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(n.URL(), "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	sum := sha256.Sum256(c.ConnectionState().PeerCertificates[0].Raw)
	return hex.EncodeToString(sum[:])
}

// TestSecurity: what a credential and a certificate may be, and what the errors say when they are not; never the secret.
func TestSecurity(t *testing.T) {
	n := nodetest.Start(t, node.Options{Product: node.Elasticsearch, User: "admin", Password: password, TLS: true})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, n.CA(), 0o600); err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"env:GOOD": password, "env:BAD": "wrong-password-here"}
	o := elastic.Options{Secret: func(ref string) (string, error) { return secrets[ref], nil }}
	base := elastic.Config{URLs: []string{n.URL()}, CA: ca, Username: "admin", Password: "env:GOOD"}
	s := connections()
	writer := open(t, base, o)
	rec := events(s, secured, func(i int) int64 { return 1_767_000_000_000_000 + int64(i) })
	if err := ingest(t.Context(), writer, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
		t.Fatal(err)
	}
	describe := func(cfg elastic.Config) (*elastic.Elastic, *hunt.Description, *hunt.Error) {
		e := open(t, cfg, o)
		d, err := e.Describe(t.Context())
		if err == nil {
			return e, d, nil
		}
		for _, secret := range secrets {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows a secret: %v", err)
			}
		}
		return e, nil, hunt.AsError(err, hunt.Internal)
	}
	key := func(body string) string {
		return admin(t, n, "POST", "/_security/api_key", body)["encoded"].(string)
	}
	index := ""
	for name := range admin(t, n, "GET", "/harrier-*/_settings", "") {
		if strings.Contains(name, "events") {
			index = name
		}
	}
	secrets["env:ALL"] = key(`{"name":"all"}`)
	secrets["env:READ"] = key(`{"name":"read","role_descriptors":{"r":{"index":[{"names":["harrier-*"],"privileges":["read","view_index_metadata"]}]}}}`)
	secrets["env:NARROW"] = key(`{"name":"narrow","role_descriptors":{"r":{"index":[{"names":["` + index + `"],"privileges":["read","view_index_metadata"]}]}}}`)
	secrets["env:EXPIRED"] = key(`{"name":"expired","expiration":"1ms"}`)
	for _, name := range []string{"env:ALL", "env:READ"} {
		cfg := base
		cfg.Username, cfg.Password, cfg.APIKey = "", "", name
		e, d, err := describe(cfg)
		if err != nil || len(d.Streams) != 1 || len(d.Denied) > 0 {
			t.Fatalf("%s: %+v, %v", name, d, err)
		}
		got := search(t, e, everything(s, "dst_endpoint.port"), 0)
		got.complete(t, hunt.TimeAsc)
		if len(got.uids) != secured {
			t.Errorf("%s: %d rows", name, len(got.uids))
		}
	}
	narrow := base
	narrow.Username, narrow.Password, narrow.APIKey, narrow.Indices = "", "", "env:NARROW", []string{"harrier-*"}
	if e, d, err := describe(narrow); err != nil || len(d.Denied) == 0 || d.Unread == "" {
		t.Errorf("a key that may not read all of a pattern: %+v, %v", d, err)
	} else if got := search(t, e, everything(s, "dst_endpoint.port"), 0); len(got.uids) != secured {
		t.Errorf("a key that may not read all of a pattern: %d rows of the index that it may read, %v", len(got.uids), got.err)
	}
	fixed := base
	fixed.CA, fixed.Fingerprint = "", fingerprint(t, n)
	if _, _, err := describe(fixed); err != nil {
		t.Errorf("the right fingerprint: %v", err)
	}
	strange := filepath.Join(t.TempDir(), "strange.pem")
	other := httptest.NewTLSServer(http.NotFoundHandler())
	defer other.Close()
	if err := os.WriteFile(strange, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*elastic.Config)
		code   hunt.Code
		says   string
	}{
		"wrong password":    {func(c *elastic.Config) { c.Password = "env:BAD" }, hunt.SourceDenied, "credential"},
		"expired key":       {func(c *elastic.Config) { c.Username, c.Password, c.APIKey = "", "", "env:EXPIRED" }, hunt.SourceDenied, "expired"},
		"no authority":      {func(c *elastic.Config) { c.CA = "" }, hunt.SourceUnavailable, "set ca"},
		"wrong authority":   {func(c *elastic.Config) { c.CA = strange }, hunt.SourceUnavailable, "set ca"},
		"wrong fingerprint": {func(c *elastic.Config) { c.CA, c.Fingerprint = "", strings.Repeat("ab", 32) }, hunt.SourceUnavailable, "fingerprint"},
		"no TLS":            {func(c *elastic.Config) { c.URLs = []string{strings.Replace(n.URL(), "https", "http", 1)} }, hunt.SourceUnavailable, ""},
	} {
		cfg := base
		c.change(&cfg)
		_, _, err := describe(cfg)
		if err == nil || err.Code != c.code || !strings.Contains(err.Message, c.says) {
			t.Errorf("%s: %v, want %s with %q", name, err, c.code, c.says)
		}
	}
	restarted(t, n, writer, s)
}

var errNone = errors.New("no error")

// restarted restarts the node while a search reads: the search ends with an error or whole, and the connection heals.
func restarted(t *testing.T, n *node.Node, e *elastic.Elastic, s *hunt.Stream) {
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	tr, err := e.Translate(everything(s, "dst_endpoint.port"))
	if err != nil {
		t.Fatal(err)
	}
	killed, ended := false, false
	for f, err := range e.Search(t.Context(), tr) {
		_, end := f.(hunt.End)
		_, gap := f.(hunt.PartFailed)
		ended = ended || end || gap || err != nil
		if code := hunt.AsError(cmp.Or(err, errNone), hunt.SourceUnavailable).Code; code != hunt.SourceUnavailable && code != hunt.SourceDamaged {
			t.Errorf("the node is killed: %v", err)
		}
		if !killed {
			killed = true
			if err := n.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if !ended {
		t.Error("the search stopped without an end or an error")
	}
	if _, err := e.Describe(t.Context()); hunt.AsError(cmp.Or(err, errNone), hunt.Internal).Code != hunt.SourceUnavailable {
		t.Errorf("the node is down: %v", err)
	}
	if err := n.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatalf("the connection did not heal: %v", err)
	}
	deadline := time.Now().Add(time.Minute)
	for {
		got := run(t, e, tr, 0)
		if got.err == nil && len(got.parts) == 0 {
			got.complete(t, hunt.TimeAsc)
			if len(got.uids) != secured {
				t.Errorf("%d rows after the restart", len(got.uids))
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the connection did not heal: %v, %v", got.err, got.parts)
		}
	}
}
