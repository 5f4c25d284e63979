package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// Bounds of points in time.
const (
	keepAlive  = "3m" // after each request
	mostOpened = 4    // for one part, if the cluster loses them
)

// part is one request of the translation, or some of its indices.
type part struct {
	query   json.RawMessage
	indices []string
	scale   scale

	mu     sync.Mutex // guards what follows
	left   []string   // those of the indices that could be read when the last point in time was opened
	pit    string     // its point in time, "" if none is open
	opened int        // points in time so far
	lost   bool       // nothing of it can be read any more
	shards int        // that the last answer was of
}

func (p *part) setShards(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shards = n
}

// known returns which of its points in time is open, by number, and how many shards it has.
func (p *part) known() (opened, shards int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.opened, p.shards
}

func (p *part) forget(pit string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit == pit {
		p.pit = ""
	}
}

// answered notes what an answer says of the part: the cluster may give its point in time another name.
func (p *part) answered(pit string, e *envelope) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit == pit {
		p.pit, p.shards = cmp.Or(e.PIT, pit), e.Shards.Total
	}
}

// point returns the point in time of a part and opens it if there is none; "" if nothing of the part can be read.
func (s *search) point(p *part, gaps []gap) (string, []gap, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pit != "" || p.lost {
		return p.pit, gaps, nil
	}
	if p.opened++; p.opened > mostOpened {
		p.lost = true
		return "", append(gaps, missing(strings.Join(p.left, ","), s.e.client.fail(hunt.SourceChanged, true, "the cluster loses the search's point in time again and again"))), nil
	}
	pit, found, err := s.open(p.left)
	gaps = append(gaps, found...)
	if vanished(err) {
		p.left, found, err = s.survivors(p.left)
		gaps = append(gaps, found...)
		if err == nil && len(p.left) > 0 {
			pit, found, err = s.open(p.left)
			gaps = append(gaps, found...)
		}
	}
	if err != nil {
		return "", gaps, err
	}
	if pit != "" && s.byValue.Load() {
		pit = s.checkValues(p, pit)
	}
	p.pit, p.lost = pit, pit == ""
	return pit, gaps, nil
}

// checkValues asks whether a document of a point in time has values that are in the documents alone; then none is read by column, and
// neither if the cluster does not say. It returns the point in time, which may have another name now.
func (s *search) checkValues(p *part, pit string) string {
	body := fmt.Sprintf(`{"size":0,"track_total_hits":1,"query":{"bool":{"filter":[%s,%s]}},"pit":{"id":%s,"keep_alive":"%s"}}`,
		p.query, exists(longField).raw(), quote(pit), keepAlive)
	e := &envelope{}
	a, err := s.e.client.do(s.ctx, esapi.SearchRequest{Body: strings.NewReader(body)}, nil)
	if err == nil {
		e, err = scan(a.body)
	}
	if err != nil || e.total.Value > 0 || len(s.check(e, p)) > 0 {
		s.byValue.Store(false)
	}
	return cmp.Or(e.PIT, pit)
}

// vanished says whether an error is about one of the indices and not about the cluster.
func vanished(err error) bool {
	r := refusalOf(err)
	return r != nil && (r.status == http.StatusNotFound || r.status == http.StatusForbidden || r.problem.has("index_closed_exception"))
}

// survivors finds out which indices can still be read.
func (s *search) survivors(indices []string) ([]string, []gap, error) {
	var left []string
	var gaps []gap
	for _, name := range indices {
		pit, found, err := s.open([]string{name})
		gaps = append(gaps, found...)
		switch {
		case err == nil:
			left = append(left, name)
			s.e.closePIT(pit, s.product)
		case vanished(err):
			gaps = append(gaps, missing(name, err))
		default:
			return nil, gaps, err
		}
	}
	return left, gaps, nil
}

// opened is the answer to the opening of a point in time.
type opened struct {
	ID     string  `json:"id"`
	PIT    string  `json:"pit_id"`
	Shards *shards `json:"_shards"`
	err    error
}

func (o opened) id() string { return cmp.Or(o.ID, o.PIT) }

// open opens a point in time. Shards that are not there are gaps.
func (s *search) open(indices []string) (string, []gap, error) {
	query := url.Values{"keep_alive": {keepAlive}}
	path := strings.Join(indices, ",") + "/_pit"
	if s.product.name == productOpenSearch {
		path = strings.Join(indices, ",") + "/_search/point_in_time"
	}
	out := s.openAt(path, query)
	if r := refusalOf(out.err); r != nil && r.status == http.StatusServiceUnavailable && s.product.name == productElasticsearch {
		query.Set("allow_partial_search_results", "true") // since 8.16; the searches then say which shards are missing
		if again := s.openAt(path, query); again.err == nil {
			out = again
		}
	}
	switch {
	case out.err != nil:
		return "", nil, out.err
	case out.id() == "":
		return "", nil, s.e.client.fail(hunt.SourceDamaged, true, "the cluster opened a point in time without an id")
	case out.Shards != nil && s.product.name == productOpenSearch:
		return out.id(), s.check(&envelope{Shards: out.Shards}, &part{indices: indices}), nil
	}
	return out.id(), nil, nil
}

// openAt sends the request that opens a point in time. If the search is over before the answer comes, the answer is waited for all the
// same, in the background: nobody else would know what to delete.
func (s *search) openAt(path string, query url.Values) opened {
	if !s.e.enter() {
		return opened{err: s.e.errClosed()}
	}
	answers, over := make(chan opened), s.ctx
	ctx, cancel := context.WithCancel(context.WithoutCancel(over))
	stop := context.AfterFunc(over, func() { time.AfterFunc(cleanUpTime, cancel) })
	go func() {
		defer s.e.running.Done()
		defer cancel()
		defer stop()
		var out opened
		out.err = s.e.client.get(ctx, raw{method: http.MethodPost, path: path, query: query}, &out)
		select {
		case answers <- out:
		case <-over.Done():
			if out.id() != "" {
				s.e.closePIT(out.id(), s.product)
			}
		}
	}()
	select {
	case out := <-answers:
		return out
	case <-over.Done():
		return opened{err: s.e.client.ended(over)}
	}
}

// closePIT deletes a point in time. That the cluster does not answer is no matter: it forgets it by itself.
func (e *Elastic) closePIT(pit string, p product) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), cleanUpTime)
	defer cancel()
	req := raw{method: http.MethodDelete, path: "_pit", body: []byte(`{"id":` + quote(pit) + `}`)}
	if p.name == productOpenSearch {
		req = raw{method: http.MethodDelete, path: "_search/point_in_time", body: []byte(`{"pit_id":[` + quote(pit) + `]}`)}
	}
	_, _ = e.client.do(ctx, req, nil)
}

// cleanUp waits for the readers and deletes the points in time, which cost the cluster memory, in the background; Close waits for it.
func (s *search) cleanUp() {
	s.workers.Wait()
	for _, p := range s.parts {
		p.mu.Lock()
		pit := p.pit
		p.pit = ""
		p.mu.Unlock()
		if pit == "" || !s.e.enter() && !s.e.leave(pit, s.product) {
			continue
		}
		go func() {
			defer s.e.running.Done()
			s.e.closePIT(pit, s.product)
		}()
	}
}

// leave deletes a point in time of a connection that is being closed, in the caller's goroutine: Close waits for the caller.
func (e *Elastic) leave(pit string, p product) bool {
	e.closePIT(pit, p)
	return false
}
