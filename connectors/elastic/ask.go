package elastic

import (
	"bytes"
	"cmp"
	"fmt"
	"time"

	"github.com/elastic/go-elasticsearch/v8/esapi"

	"github.com/harrier-xdr/harrier/hunt"
)

// Bounds of one request.
const (
	mostTries   = 5 // if the cluster has no room for it
	longestWait = 30 * time.Second
)

// request is what is asked of a part.
type request struct {
	at     period
	size   int
	sorted bool // in the request's order
	total  string
	slice  int // number of the slice
	slices int // of how many; 0 for none
	aggs   string

	byValue bool // columns instead of documents

	cursor bool   // in the order of the cursor; only within a point in time of Elasticsearch
	after  *int64 // after this place of the cursor; nil for the beginning
	opened int    // only in the point in time of this number; 0 for any
}

// body writes a request.
func (s *search) body(p *part, pit string, r request) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"size":%d,"track_total_hits":%s,"query":{"bool":{"filter":[%s,%s]}}`, r.size, cmp.Or(r.total, "true"), p.query, p.scale.query(r.at))
	switch {
	case r.size > 0 && r.byValue:
		fmt.Fprintf(&b, `,"_source":false,"stored_fields":"_none_","docvalue_fields":%s`, s.columns.of(pit))
	case r.size > 0:
		fmt.Fprintf(&b, `,"_source":%s`, s.include)
	}
	switch {
	case r.sorted && s.t.Request.Order == hunt.TimeDesc:
		fmt.Fprintf(&b, `,"sort":[{%s:{"order":"desc"}}]`, quote(p.scale.field))
	case r.sorted:
		fmt.Fprintf(&b, `,"sort":[{%s:{"order":"asc"}}]`, quote(p.scale.field))
	case r.cursor:
		b.WriteString(`,"sort":["_shard_doc"]`)
	case r.size > 0:
		b.WriteString(`,"sort":["_doc"]`)
	}
	if r.after != nil {
		fmt.Fprintf(&b, `,"search_after":[%d]`, *r.after)
	}
	if r.slices > 0 {
		fmt.Fprintf(&b, `,"slice":{"id":%d,"max":%d}`, r.slice, r.slices)
	}
	if r.aggs != "" {
		fmt.Fprintf(&b, `,"aggs":%s`, r.aggs)
	}
	if pit != "" {
		fmt.Fprintf(&b, `,"pit":{"id":%s,"keep_alive":"%s"}`, quote(pit), keepAlive)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// ask sends a request to a part, within its point in time unless direct is set, and parses the answer with d. It waits where the
// cluster has no room, and opens the point in time anew if the cluster has lost it. gaps say what the answer lacks; without an answer
// the envelope is nil.
func (s *search) ask(p *part, r request, d *reader) (*envelope, []gap, error) {
	var gaps []gap
	for try := 0; ; {
		pit := ""
		if !d.direct {
			var err error
			if pit, gaps, err = s.point(p, gaps); pit == "" {
				return nil, gaps, err
			}
			if opened, _ := p.known(); r.opened != 0 && r.opened != opened {
				return nil, gaps, errMoved
			}
		}
		e, err := s.once(p, pit, r, d)
		if err == nil {
			found := s.check(e, p)
			if !busy(found) || try >= mostTries {
				return e, append(gaps, found...), nil
			}
			err = found[0].err
		}
		switch code := hunt.AsError(err, hunt.SourceFailed).Code; {
		case tooLarge(err) && r.size > 1:
			s.perRow.Store(min(maxAnswer, 8*max(s.perRow.Load(), int64(s.e.cfg.PageBytes/r.size)))) // the next windows are smaller
			if code == hunt.SourceThrottled {                                                       // its memory is full: smaller answers help, and so does time
				if err := s.wait(hunt.AsError(err, code), try); err != nil {
					return nil, gaps, err
				}
			}
			return nil, gaps, err
		case code == hunt.SourceThrottled && try < mostTries:
			if err := s.wait(hunt.AsError(err, code), try); err != nil {
				return nil, gaps, err
			}
			try++
		case code == hunt.SourceChanged && !d.direct:
			p.forget(pit)
		default:
			return nil, gaps, err
		}
	}
}

// busy says whether shards had no room for a search, and nothing else is wrong.
func busy(gaps []gap) bool {
	for _, g := range gaps {
		if g.err.Code != hunt.SourceThrottled {
			return false
		}
	}
	return len(gaps) > 0
}

// once sends a request once.
func (s *search) once(p *part, pit string, r request, d *reader) (*envelope, error) {
	r.byValue = r.size > 0 && s.byValue.Load()
	req := esapi.SearchRequest{Body: bytes.NewReader(s.body(p, pit, r))}
	if pit == "" {
		req.Index = p.indices
	}
	a, err := s.e.client.do(s.ctx, req, d.buf)
	if err != nil {
		return nil, err
	}
	d.buf = a.body
	if r.byValue && pit == "" && bytes.Contains(a.body, []byte(quote(longField))) {
		s.byValue.Store(false) // some values are in the documents alone
		return s.once(p, pit, r, d)
	}
	e, err := d.parse(a.body)
	if err != nil {
		return nil, s.e.client.fail(hunt.SourceDamaged, true, "the cluster's answer is cut or damaged; look for a proxy between: "+shorten(err.Error()))
	}
	e.Terminated = e.Terminated && !(r.size == 0 && s.product.shortcuts())
	if e.count > 0 {
		s.perRow.Store(max(1, int64(len(a.body)/e.count)))
	}
	if pit != "" {
		p.answered(pit, e)
	}
	return e, nil
}

// wait lets the cluster catch its breath, and says so. A wait that is too long is left to the host.
func (s *search) wait(err *hunt.Error, try int) error {
	pause := err.RetryAfter
	if pause > longestWait {
		return err
	}
	if pause == 0 {
		pause = 250 * time.Millisecond << try
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case s.notes <- hunt.Throttled{RetryAfter: pause}:
	default: // nobody reads them just now
	}
	select {
	case <-timer.C:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

// reader is a decoder with a buffer for answers, of which it decodes one at a time.
type reader struct {
	decoder
	buf    []byte
	direct bool // ask the indices themselves, not a point in time
}
