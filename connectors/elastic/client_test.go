package elastic

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// TestIdleConnectionIsClosed: a server closes a connection when it is used for the second time, as one whose idle time has just run out
// does. Searches are sent again; what writes is not, because nobody knows what became of it.
func TestIdleConnectionIsClosed(t *testing.T) {
	var mu sync.Mutex
	seen, bodies := map[string]bool{}, []string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		used := seen[r.RemoteAddr]
		seen[r.RemoteAddr] = true
		mu.Unlock()
		if used {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
			return
		}
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		bodies = append(bodies, string(body))
		mu.Unlock()
		w.Header().Set("X-Elastic-Product", "Elasticsearch")
		_, _ = io.WriteString(w, "{}")
	}))
	defer server.Close()
	c, err := newClient(hunt.Identity{Tenant: "acme", Connection: "siem"}, &Config{URLs: []string{server.URL}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	for range 3 {
		if _, err := c.do(t.Context(), esapi.SearchRequest{Index: []string{"logs"}, Body: strings.NewReader(`{"size":1}`)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(bodies) != 3 || strings.Join(bodies, "") != strings.Repeat(`{"size":1}`, 3) {
		t.Errorf("the server read %q", bodies)
	}
	if _, err := c.do(t.Context(), esapi.BulkRequest{Body: strings.NewReader("{}")}, nil); hunt.AsError(err, hunt.Internal).Code != hunt.SourceUnavailable {
		t.Errorf("a write over a connection that was closed gives %v", err)
	}
}
