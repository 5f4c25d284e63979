package transport_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/99designs/gqlgen/graphql"

	"github.com/harrier-xdr/harrier/graph/transport"
)

func TestBadBodiesAreNotRepeated(t *testing.T) {
	for name, body := range map[string]string{
		"empty":            "",
		"text":             secret,
		"string":           `"` + secret + `"`,
		"null":             "null",
		"batch":            `[{"query":"{text}","x":"` + secret + `"}]`,
		"cut":              `{"query":"` + secret,
		"cut after a key":  `{"` + secret,
		"no colon":         `{"query" "` + secret + `"}`,
		"bad escape":       `{"query":"\` + secret + `"}`,
		"unknown entry":    `{"query":"{text}","` + secret + `":1}`,
		"other case":       `{"Query":"{text}"}`,
		"twice":            `{"query":"{text}","query":"` + secret + `"}`,
		"trailing":         `{"query":"{text}"} ` + secret,
		"two objects":      `{"query":"{text}"}{"query":"` + secret + `"}`,
		"query number":     `{"query":12345}`,
		"query object":     `{"query":{"` + secret + `":1}}`,
		"query null":       `{"query":null}`,
		"query empty":      `{"query":""}`,
		"query missing":    `{"variables":{"` + secret + `":1}}`,
		"operation number": `{"query":"{text}","operationName":1}`,
		"variables list":   `{"query":"{text}","variables":["` + secret + `"]}`,
		"variables string": `{"query":"{text}","variables":"` + secret + `"}`,
		"extensions list":  `{"query":"{text}","extensions":[]}`,
		"invalid UTF-8":    "{\"query\":\"{text}\",\"operationName\":\"\xff" + secret + "\"}",
		"deep variables":   `{"query":"{text}","variables":{"a":` + strings.Repeat("[", 200_000) + `}}`,
		"byte order mark":  "\ufeff" + `{"query":"{text}"}`,
		"comment":          `{/*` + secret + `*/"query":"{text}"}`,
	} {
		t.Run(name, func(t *testing.T) {
			w := serve(newHandler(), request(body))
			if code := firstCode(t, w.Body); w.Code != 400 || code != "BAD_REQUEST" {
				t.Errorf("status %d, code %s", w.Code, code)
			}
			if strings.Contains(w.Body.String(), secret) {
				t.Errorf("the error repeats the body: %s", w.Body)
			}
		})
	}
}

func TestNullsAreAllowed(t *testing.T) {
	w := serve(newHandler(), request(`{"operationName":null,"variables":null,"extensions":null,"query":"{text}"}`))
	if w.Code != 200 || firstCode(t, w.Body) != "" {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestBodyLimitIsExact(t *testing.T) {
	body := query("{text}")
	for limit, want := range map[int]int{len(body): 200, len(body) - 1: 413} {
		h := transport.New(newExecutor(nil), transport.Options{MaxBody: int64(limit)})
		if w := serve(h, request(body)); w.Code != want {
			t.Errorf("limit %d for %d bytes: status %d, want %d", limit, len(body), w.Code, want)
		}
	}
}

func FuzzEnvelope(f *testing.F) {
	for _, body := range []string{
		query("{text}"), `{"query":"q","variables":{"a":[1,{"b":null}]},"operationName":"o","extensions":{}}`,
		`{"query":"q"}x`, `[]`, `{"query" "q"}`, `{"query":"q",}`, `{"query":"\ud800"}`, "{\"query\":\"\xff\"}", `{"query":"q","variables":1e999}`,
	} {
		f.Add([]byte(body))
	}
	h := transport.New(fake{&graphql.Response{}}, transport.Options{MaxBody: 1 << 16})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := serve(h, request(string(body)))
		if !json.Valid(w.Body.Bytes()) {
			t.Fatalf("the response is not JSON: %q", w.Body)
		}
		var plainly struct {
			Query *string `json:"query"`
		}
		ok := json.Unmarshal(body, &plainly) == nil && utf8.Valid(body) && plainly.Query != nil && *plainly.Query != ""
		switch {
		case w.Code == 200 && !ok:
			t.Fatalf("accepted a body that is not a request: %q", body)
		case w.Code != 200 && w.Code != 400 && w.Code != 413:
			t.Fatalf("status %d for %q", w.Code, body)
		}
	})
}

func TestRepeatedKeysAreRefused(t *testing.T) {
	for raw, ok := range map[string]bool{
		`{"a":1,"b":{"a":1},"c":[{"a":1},{"a":2}]}`: true,
		`null`:                           true,
		`{}`:                             true,
		`{"a":1,"a":2}`:                  false,
		`{"x":[1,{"a":{},"b":1,"a":3}]}`: false,
		`{"a":1} {}`:                     false,
		`{"a":1`:                         false,
		`[1]`:                            false,
	} {
		if _, err := transport.DecodeObject([]byte(raw)); (err == nil) != ok {
			t.Errorf("%s gives %v", raw, err)
		}
	}
}
