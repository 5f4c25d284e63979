package node_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/connectors/elastic/node"
	"github.com/harrier-xdr/harrier/connectors/elastic/node/nodetest"
	"github.com/harrier-xdr/harrier/hunt"
)

// soon bounds every wait for something that another process does.
const soon = 30 * time.Second

// helperProduct names the variable that turns this test binary into a process that starts a node and waits to be killed.
const helperProduct = "HARRIER_TEST_NODE_PRODUCT"

func TestMain(m *testing.M) {
	if p := os.Getenv(helperProduct); p != "" {
		runHelper(node.Product(p))
	}
	os.Exit(m.Run())
}

func runHelper(p node.Product) {
	n, err := node.Start(context.Background(), node.Options{Product: p})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(n.URL())
	select {}
}

// products runs a test for every product.
func products(t *testing.T, test func(t *testing.T, p node.Product)) {
	t.Helper()
	for _, p := range node.Products() {
		t.Run(string(p), func(t *testing.T) { test(t, p) })
	}
}

// numbers begin the versions of the products.
var numbers = map[node.Product]string{
	node.Elasticsearch: "8.19.", node.OpenSearch: "2.19.", node.Elasticsearch9: "9.", node.OpenSearch3: "3.",
}

func TestNodeKeepsItsEvents(t *testing.T) {
	products(t, func(t *testing.T, p node.Product) {
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		n := nodetest.Start(t, node.Options{Product: p})
		url, first := n.URL(), n.PID()
		if n.CA() != nil {
			t.Error("a node without TLS has an authority")
		}
		expectNumber(t, n, "number", numbers[p])
		index(t, n, "1")
		if err := n.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n.URL() != url || n.PID() == first {
			t.Errorf("after Restart: %s, process %d; before: %s, process %d", n.URL(), n.PID(), url, first)
		}
		expectDocument(t, n, "1")
		index(t, n, "2")
		if err := n.Kill(); err != nil {
			t.Fatal(err)
		}
		expectRefused(t, url)
		if err := n.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		expectDocument(t, n, "1")
		expectDocument(t, n, "2")
		for range 2 { // the second does nothing
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		expectRefused(t, url)
		expectEmpty(t, temp)
		if n.PID() != 0 {
			t.Errorf("process %d after Stop", n.PID())
		}
		if hunt.AsError(n.Restart(t.Context()), hunt.Internal).Code != hunt.BadConfig || n.Kill() == nil {
			t.Error("a stopped node was started or killed again")
		}
	})
}

func TestNodeKeepsItsFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	for _, id := range []string{"1", "2"} {
		n := nodetest.Start(t, node.Options{Product: node.OpenSearch, Dir: dir})
		index(t, n, id)
		expectDocument(t, n, "1")
		if err := n.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A process that starts a node is killed: the node ends and its temporary folder goes.
func TestNodeDiesWithItsParent(t *testing.T) {
	products(t, func(t *testing.T, p node.Product) {
		requireNode(t, p)
		temp := t.TempDir()
		helper := exec.Command(os.Args[0])
		helper.Env = append(os.Environ(), helperProduct+"="+string(p), "TMPDIR="+temp)
		helper.Stderr = t.Output()
		out, err := helper.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := helper.Start(); err != nil {
			t.Fatal(err)
		}
		line, readErr := bufio.NewReader(out).ReadString('\n')
		url := strings.TrimSpace(line)
		if readErr == nil {
			get(t, http.DefaultClient, url, http.StatusOK)
		}
		_ = helper.Process.Kill()
		_ = helper.Wait()
		if readErr != nil {
			t.Fatalf("the helper started no node: %v", readErr)
		}
		expectRefused(t, url)
		expectEmpty(t, temp)
	})
}

func TestSecurity(t *testing.T) {
	for _, tc := range []struct {
		name string
		tls  bool
	}{{"TLS", true}, {"no TLS", false}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			const password = "correct horse battery staple"
			log := new(safeBuffer)
			n := nodetest.Start(t, node.Options{Product: node.Elasticsearch, User: "hunter", Password: password, TLS: tc.tls, Log: log})
			client := trusting(n)
			get(t, client, n.URL(), http.StatusUnauthorized)
			get(t, client, withUser(n.URL(), "hunter", "wrong"), http.StatusUnauthorized)
			get(t, client, withUser(n.URL(), "hunter", password), http.StatusOK)
			expectKeyWorks(t, n, "hunter", password)
			if tc.tls {
				expectUntrusted(t, n)
			}
			if err := n.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			get(t, client, withUser(n.URL(), "hunter", password), http.StatusOK)
			for _, name := range []string{"cmdline", "environ"} {
				shown, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(n.PID()), name)) // empty where there is no such thing
				if bytes.Contains(shown, []byte(password)) {
					t.Errorf("the password stands in %s of the process", name)
				}
			}
			if err := n.Stop(); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(log.String(), password) {
				t.Error("the password stands in the log")
			}
		})
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	n := nodetest.Start(t, node.Options{Product: node.OpenSearch, HeapMB: 384, Settings: map[string]string{"cluster.name": "another"}})
	expectNumber(t, n, "cluster_name", "another")
}

// A start that fails says why, in the words of the node, and leaves nothing.
func TestStartFails(t *testing.T) {
	products(t, func(t *testing.T, p node.Product) {
		requireNode(t, p)
		temp := t.TempDir()
		t.Setenv("TMPDIR", temp)
		n, err := node.Start(t.Context(), node.Options{Product: p, Settings: map[string]string{"no.such.setting": "1"}})
		if err == nil {
			t.Fatal("started", n.Stop())
		}
		var failed *hunt.Error
		if !errors.As(err, &failed) || failed.Code != hunt.SourceUnavailable || !strings.Contains(failed.Message, "no.such.setting") {
			t.Errorf("%v: want SOURCE_UNAVAILABLE and the name of the setting", err)
		}
		expectEmpty(t, temp)
	})
}

func TestStartIsCancelled(t *testing.T) {
	requireNode(t, node.OpenSearch)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	ctx, cancel := context.WithCancel(t.Context())
	// The first line that the node writes shows that its process runs.
	n, err := node.Start(ctx, node.Options{Product: node.OpenSearch, Log: writerFunc(cancel)})
	if err == nil {
		t.Fatal("started", n.Stop())
	}
	if code := hunt.AsError(err, hunt.Internal).Code; code != hunt.Cancelled {
		t.Errorf("%v: code %s, want %s", err, code, hunt.Cancelled)
	}
	expectEmpty(t, temp)
}

func TestOptionsThatDoNotFit(t *testing.T) {
	for name, o := range map[string]node.Options{
		"no product":         {},
		"unknown product":    {Product: "solr"},
		"OpenSearch user":    {Product: node.OpenSearch, User: "u", Password: "p"},
		"OpenSearch TLS":     {Product: node.OpenSearch, TLS: true},
		"OpenSearch 3 user":  {Product: node.OpenSearch3, User: "u", Password: "p"},
		"Elasticsearch 9":    {Product: node.Elasticsearch9, User: "u", Password: "p", TLS: true},
		"user alone":         {Product: node.Elasticsearch, User: "u"},
		"password alone":     {Product: node.Elasticsearch, Password: "p"},
		"TLS alone":          {Product: node.Elasticsearch, TLS: true},
		"colon in user":      {Product: node.Elasticsearch, User: "u:v", Password: "p"},
		"line in password":   {Product: node.Elasticsearch, User: "u", Password: "p\nharrier.home=/"},
		"line in setting":    {Product: node.Elasticsearch, Settings: map[string]string{"a": "b\n"}},
		"equals in setting":  {Product: node.Elasticsearch, Settings: map[string]string{"a=b": "c"}},
		"reserved setting":   {Product: node.Elasticsearch, Settings: map[string]string{"harrier.home": "/"}},
		"port out of range":  {Product: node.Elasticsearch, Port: 65536},
		"heap below nothing": {Product: node.Elasticsearch, HeapMB: -1},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := node.Start(t.Context(), o)
			if err == nil {
				t.Fatal("started", n.Stop())
			}
			var failed *hunt.Error
			if !errors.As(err, &failed) || failed.Code != hunt.BadConfig || failed.Message == "" {
				t.Errorf("%v: want BAD_CONFIG with a message", err)
			}
		})
	}
}

// requireNode skips the test where no node can be started, and builds it otherwise.
func requireNode(t *testing.T, p node.Product) {
	t.Helper()
	if err := node.Available(p); err != nil {
		t.Skip(err)
	}
	if err := node.Build(t.Context(), p, t.Output()); errors.Is(err, node.ErrNoJars) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
}

func index(t *testing.T, n *node.Node, id string) {
	t.Helper()
	body := strings.NewReader(`{"name":"powershell.exe"}`)
	call(t, http.DefaultClient, request(t, http.MethodPut, n.URL()+"/events/_doc/"+id, body), http.StatusCreated)
}

func expectDocument(t *testing.T, n *node.Node, id string) {
	t.Helper()
	text := get(t, http.DefaultClient, n.URL()+"/events/_doc/"+id, http.StatusOK)
	if !strings.Contains(text, "powershell.exe") {
		t.Errorf("document %s: %s", id, text)
	}
}

// expectNumber looks for "key" : "prefix... in what the node says of itself.
func expectNumber(t *testing.T, n *node.Node, key, prefix string) {
	t.Helper()
	if text := get(t, http.DefaultClient, n.URL(), http.StatusOK); !strings.Contains(text, fmt.Sprintf(`"%s" : "%s`, key, prefix)) {
		t.Errorf("want %s %s... in %s", key, prefix, text)
	}
}

// expectKeyWorks makes an API key and calls with it.
func expectKeyWorks(t *testing.T, n *node.Node, user, password string) {
	t.Helper()
	r := request(t, http.MethodPost, n.URL()+"/_security/api_key", strings.NewReader(`{"name":"test"}`))
	r.SetBasicAuth(user, password)
	var key struct{ Encoded string }
	if err := json.Unmarshal([]byte(call(t, trusting(n), r, http.StatusOK)), &key); err != nil {
		t.Fatal(err)
	}
	r = request(t, http.MethodGet, n.URL(), nil)
	r.Header.Set("Authorization", "ApiKey "+key.Encoded)
	call(t, trusting(n), r, http.StatusOK)
}

func expectUntrusted(t *testing.T, n *node.Node) {
	t.Helper()
	answer, err := http.DefaultClient.Do(request(t, http.MethodGet, n.URL(), nil))
	var untrusted *tls.CertificateVerificationError
	if !errors.As(err, &untrusted) {
		t.Errorf("without the authority: %v, %v", answer, err)
	}
}

// expectRefused waits until nobody listens at the address any more.
func expectRefused(t *testing.T, url string) {
	t.Helper()
	_, address, _ := strings.Cut(url, "://")
	eventually(t, "somebody still listens at "+address, func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return true
		}
		c.Close()
		return false
	})
}

// expectEmpty waits until a folder holds no data folder of a node.
func expectEmpty(t *testing.T, folder string) {
	t.Helper()
	eventually(t, "the folder of the node is still there", func() bool {
		left, err := filepath.Glob(filepath.Join(folder, "harrier-node-*"))
		return err == nil && len(left) == 0
	})
}

func eventually(t *testing.T, otherwise string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(soon)
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatal(otherwise)
		}
	}
}

func trusting(n *node.Node) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(n.CA())
	return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: true}}
}

func withUser(url, user, password string) string {
	scheme, rest, _ := strings.Cut(url, "://")
	return scheme + "://" + user + ":" + strings.ReplaceAll(password, " ", "%20") + "@" + rest
}

func get(t *testing.T, client *http.Client, url string, want int) string {
	t.Helper()
	return call(t, client, request(t, http.MethodGet, url, nil), want)
}

func request(t *testing.T, method, url string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	return r
}

func call(t *testing.T, client *http.Client, r *http.Request, want int) string {
	t.Helper()
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer.StatusCode != want {
		t.Fatalf("%s %s: %d, want %d: %s", r.Method, r.URL.Path, answer.StatusCode, want, text)
	}
	return string(text)
}

// safeBuffer is a buffer for several goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// writerFunc is called at every write.
type writerFunc func()

func (f writerFunc) Write(b []byte) (int, error) {
	f()
	return len(b), nil
}
