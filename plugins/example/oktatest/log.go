package oktatest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	retention = 90 * 24 * time.Hour
	tooOld    = 180 * 24 * time.Hour
)

// logEvent is one event of the log.
type logEvent struct {
	published time.Time
	fields    map[string]any
	text      string
}

// parse reads a LogEvent.
func parse(text string) (logEvent, error) {
	e := logEvent{text: text}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&e.fields); err != nil {
		return e, err
	}
	if at, ok := e.fields["published"].(string); ok {
		if t, err := time.Parse(time.RFC3339Nano, at); err == nil {
			e.published = t
		}
	}
	return e, nil
}

func order(events []logEvent) {
	slices.SortStableFunc(events, func(a, b logEvent) int { return a.published.Compare(b.published) })
}

// query is a request as the server understands it.
type query struct {
	since, until time.Time
	filter       filter
	limit        int
	descending   bool
	from         int // how many events of the answer came before
}

// page answers a request for events.
func (s *Server) page(w http.ResponseWriter, r *http.Request, fault Fault) {
	q, wrong := s.read(r.URL.Query())
	if wrong != nil {
		refuse(w, http.StatusBadRequest, wrong.code, wrong.summary)
		return
	}
	found := s.find(q)
	q.from = min(q.from, len(found))
	shown := found[q.from:min(q.from+q.limit, len(found))]
	self := "http://" + r.Host + r.URL.String()
	w.Header().Add("Link", "<"+self+`>; rel="self"`)
	if q.from+len(shown) < len(found) {
		w.Header().Add("Link", "<"+next(self, r.URL, q.from+len(shown), fault)+`>; rel="next"`)
	}
	send(w, shown, fault)
}

// read reads the parameters.
func (s *Server) read(v url.Values) (q query, wrong *problem) {
	now := s.options.Now()
	if q.limit, wrong = limit(v.Get("limit")); wrong != nil {
		return q, wrong
	}
	if q.until, wrong = instant("until", v.Get("until"), now); wrong != nil {
		return q, wrong
	}
	if q.since, wrong = instant("since", v.Get("since"), q.until.Add(-7*24*time.Hour)); wrong != nil {
		return q, wrong
	}
	if q.since.After(now) {
		return q, &problem{"E0000053", "Invalid parameter: The since parameter is in the future."}
	}
	if now.Sub(q.since) > tooOld {
		return q, &problem{"E0000053", "Invalid parameter: The since parameter is over 180 days prior to the current day."}
	}
	q.descending = v.Get("sortOrder") == "DESCENDING"
	if order := v.Get("sortOrder"); order != "" && order != "ASCENDING" && !q.descending {
		return q, &problem{"E0000001", "Api validation failed: 'sortOrder': must be 'ASCENDING' or 'DESCENDING'"}
	}
	if q.from, wrong = cursor(v.Get("after")); wrong != nil {
		return q, wrong
	}
	q.filter, wrong = parseFilter(v.Get("filter"), s.options.IgnoreCase)
	return q, wrong
}

func limit(text string) (int, *problem) {
	if text == "" {
		return 100, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1000 {
		return 0, &problem{"E0000001", "Api validation failed: 'limit': must be between 0 and 1000"}
	}
	return n, nil
}

func instant(name, text string, otherwise time.Time) (time.Time, *problem) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, &problem{"E0000001", "Api validation failed: '" + name + "': must be a valid date-time or empty."}
	}
	return t, nil
}

// find returns the events of the whole answer, in order.
func (s *Server) find(q query) []logEvent {
	s.mu.Lock()
	defer s.mu.Unlock()
	oldest := s.options.Now().Add(-retention)
	var out []logEvent
	for _, e := range s.events {
		within := !e.published.Before(q.since) && !e.published.After(q.until)
		if s.options.OpenBounds {
			within = e.published.After(q.since) && e.published.Before(q.until)
		}
		if within && !e.published.Before(oldest) && q.filter(e.fields) {
			out = append(out, e)
		}
	}
	if q.descending {
		slices.Reverse(out)
	}
	return out
}

// next writes the link to the next page: the same request with a cursor.
func next(self string, u *url.URL, from int, fault Fault) string {
	switch fault {
	case Elsewhere:
		return "http://elsewhere.invalid" + Path + "?after=1"
	case Circle:
		return self
	}
	v := u.Query()
	v.Set("after", base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "position %d", from)))
	base, _, _ := strings.Cut(self, "?")
	return base + "?" + v.Encode()
}

// cursor reads what next wrote.
func cursor(text string) (int, *problem) {
	if text == "" {
		return 0, nil
	}
	from := 0
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		_, err = fmt.Sscanf(string(raw), "position %d", &from)
	}
	if err != nil || from < 0 {
		return 0, &problem{"E0000001", "Api validation failed: 'after': Invalid cursor"}
	}
	return from, nil
}

// send writes the events as a JSON array.
func send(w http.ResponseWriter, events []logEvent, fault Fault) {
	var texts []string
	if fault == Malformed {
		texts = append(texts, `{"eventType":"user.session.start","published":"yesterday"}`)
	}
	for _, e := range events {
		texts = append(texts, e.text)
	}
	if fault == Unsorted {
		slices.Reverse(texts)
	}
	body := "[" + strings.Join(texts, ",") + "]"
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	if fault == Cut {
		body = body[:len(body)*2/3]
	}
	_, _ = w.Write([]byte(body)) // the client may have gone
}
