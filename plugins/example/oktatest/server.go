package oktatest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// Path is the endpoint of the System Log.
const Path = "/api/v1/logs"

// Options says what the organisation is like.
type Options struct {
	Token      string           // that requests must bring; any is good if it is ""
	Scheme     string           // of Authorization, SSWS if ""
	RateLimit  int              // requests in a minute, 0 for no limit and no headers
	Now        func() time.Time // the clock, time.Now if nil; also of the Date header
	IgnoreCase bool             // filters compare without case
	OpenBounds bool             // since and until are not within
	Fault      func(request int) Fault
}

// Fault is what goes wrong with a request.
type Fault int

// The faults.
const (
	None        Fault = iota
	Cut               // the body ends in the middle, and the connection with it
	Broken            // status 500 and Okta's error
	Garbage           // status 200 and a page of HTML
	Stall             // nothing comes until the client goes away
	Denied            // status 401
	Forbidden         // status 403
	Elsewhere         // the link to the next page leads to another host
	Redirect          // status 302 to another host
	Circle            // the link to the next page leads to the page itself
	Malformed         // one more element, which is no LogEvent, in front of the others
	Unsorted          // the events come in the wrong order
	TooMany           // status 429 although the limit is not reached
	Unavailable       // status 503 without a body
)

// Server is a running organisation. It is safe for concurrent use.
type Server struct {
	options Options
	http    *httptest.Server
	stalled chan struct{}

	mu       sync.Mutex
	events   []logEvent // by published, then by arrival
	requests []string   // the query string of each
	window   time.Time  // the minute that is counted
	used     int
}

// New starts an organisation that holds events, each the JSON text of a LogEvent. An event without published is held and never found,
// as every request has a range. The caller closes it. The error names the event that is no JSON.
func New(events []string, options Options) (*Server, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Fault == nil {
		options.Fault = func(int) Fault { return None }
	}
	if options.Scheme == "" {
		options.Scheme = "SSWS"
	}
	s := &Server{options: options, stalled: make(chan struct{}, 64)}
	if err := s.Add(events...); err != nil {
		return nil, err
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	return s, nil
}

// Add adds events, as they happen or late.
func (s *Server) Add(events ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, text := range events {
		e, err := parse(text)
		if err != nil {
			return fmt.Errorf("event %d: %w", i, err)
		}
		s.events = append(s.events, e)
	}
	order(s.events)
	return nil
}

// Remove deletes the events that are this text.
func (s *Server) Remove(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = slices.DeleteFunc(s.events, func(e logEvent) bool { return e.text == text })
}

// URL returns the address of the organisation.
func (s *Server) URL() string { return s.http.URL }

// Requests returns the query strings that came, in order.
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// Stalled receives whenever a request begins to stall.
func (s *Server) Stalled() <-chan struct{} { return s.stalled }

// Close ends the server and what it is still answering.
func (s *Server) Close() {
	s.http.CloseClientConnections()
	s.http.Close()
}

// serve answers one request.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	fault := s.options.Fault(s.note(r))
	w.Header().Set("Date", s.options.Now().UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Type", "application/json")
	switch {
	case r.URL.Path != Path || r.Method != http.MethodGet:
		refuse(w, http.StatusNotFound, "E0000007", "Not found: Resource not found: "+r.URL.Path)
	case fault == Denied || !s.authorized(r):
		refuse(w, http.StatusUnauthorized, "E0000011", "Invalid token provided")
	case fault == Forbidden:
		refuse(w, http.StatusForbidden, "E0000006", "You do not have permission to perform the requested action")
	case !s.allow(w) || fault == TooMany:
		refuse(w, http.StatusTooManyRequests, "E0000047", "API call exceeded rate limit due to too many requests.")
	case fault == Broken:
		refuse(w, http.StatusInternalServerError, "E0000009", "Internal Server Error")
	case fault == Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case fault == Redirect:
		w.Header().Set("Location", "http://elsewhere.invalid"+Path)
		w.WriteHeader(http.StatusFound)
	case fault == Garbage:
		fmt.Fprint(w, "<html><body>sign in to the network</body></html>")
	case fault == Stall:
		s.stalled <- struct{}{}
		<-r.Context().Done()
	default:
		s.page(w, r, fault)
	}
}

// note keeps the query string and returns the number of the request, from 1.
func (s *Server) note(r *http.Request) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.URL.RawQuery)
	return len(s.requests)
}

func (s *Server) authorized(r *http.Request) bool {
	return s.options.Token == "" || r.Header.Get("Authorization") == s.options.Scheme+" "+s.options.Token
}

// allow counts the request in its minute and writes the headers of the rate limit.
func (s *Server) allow(w http.ResponseWriter) bool {
	if s.options.RateLimit == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := s.options.Now().Truncate(time.Minute); !now.Equal(s.window) {
		s.window, s.used = now, 0
	}
	s.used++
	w.Header().Set("X-Rate-Limit-Limit", fmt.Sprint(s.options.RateLimit))
	w.Header().Set("X-Rate-Limit-Remaining", fmt.Sprint(max(s.options.RateLimit-s.used, 0)))
	w.Header().Set("X-Rate-Limit-Reset", fmt.Sprint(s.window.Add(time.Minute).Unix()))
	return s.used <= s.options.RateLimit
}

// refuse writes an error as Okta does.
func refuse(w http.ResponseWriter, status int, code, summary string) {
	body, err := json.Marshal(map[string]any{"errorCode": code, "errorSummary": summary, "errorLink": code, "errorId": "oae-test", "errorCauses": []any{}})
	if err != nil {
		status = http.StatusInternalServerError
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may have gone
}
