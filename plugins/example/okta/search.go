package okta

import (
	"context"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
)

const (
	batchRows = 4 << 10 // rows of a batch, at most
	mostEmpty = 100     // pages in a row without an event
)

// Search implements hunt.Connector. It reads page after page, each when the host has taken the one before, and holds one page and the
// events of one instant. Errors that may pass are not tried again here: the host does that.
func (o *Okta) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		ctx, release := o.bind(ctx)
		defer release()
		s := &search{o: o, req: &t.Request, yield: yield, decoder: o.model.set.NewDecoder(), builder: mapping.NewBuilder(t.Request.Class, t.Request.Columns)}
		if err := s.run(ctx); err != nil && !s.stopped {
			yield(nil, o.fail("okta: search", err))
		}
	}
}

// search is one running search.
type search struct {
	o       *Okta
	req     *hunt.Request
	yield   func(hunt.Frame, error) bool
	stopped bool // the host reads no more
	decoder *mapping.Decoder
	builder *mapping.Builder
	group   []event // of the last instant; more of them may come
	pages   int
	rows    int // that were given or are in the builder
	end     hunt.End
}

// emit gives a frame to the host and says whether the search goes on.
func (s *search) emit(f hunt.Frame) bool {
	s.stopped = s.stopped || !s.yield(f, nil)
	return !s.stopped
}

// run reads all pages. An error is for the caller to yield.
func (s *search) run(ctx context.Context) *hunt.Error {
	q, err := s.o.query(s.req)
	if err != nil {
		return err
	}
	if s.o.closing.Err() != nil {
		return closed()
	}
	if q.filter.never {
		s.emit(s.end)
		return nil
	}
	empty := 0
	for next := q.url(s.o.base); next != nil && !s.stopped; {
		a, err := s.fetch(ctx, next)
		if err != nil || s.stopped {
			return err
		}
		seen := s.end.RowsScanned
		if err := s.take(a); err != nil || s.stopped {
			return err
		}
		if q.exact && s.req.Limit > 0 && s.rows >= s.req.Limit {
			s.group = nil // the host needs no more, and of the last instant not all is known
			break
		}
		next = a.next
		if empty++; s.end.RowsScanned > seen {
			empty = 0
		}
		if empty > mostEmpty {
			return hunt.Errorf(hunt.SourceFailed, "Okta gave %d pages in a row without an event; its links lead nowhere", empty)
		}
		if next != nil && a.rate.known && a.rate.left <= 0 {
			if err := s.wait(ctx, a.pause()); err != nil {
				return err
			}
		}
	}
	s.close()
	if s.flush(); !s.stopped {
		s.emit(s.end)
	}
	return nil
}

// fetch asks for one page, again after the rate limit's reset if it was refused.
func (s *search) fetch(ctx context.Context, u *url.URL) (*answer, *hunt.Error) {
	for refused := 1; ; refused++ {
		a, err := s.o.get(ctx, u)
		if err != nil {
			return nil, err
		}
		if err := a.refusal(); a.status != http.StatusTooManyRequests || refused == mostRefused {
			return a, err
		}
		if err := s.wait(ctx, a.pause()); err != nil || s.stopped {
			return nil, err
		}
	}
}

// wait tells the host that Okta makes the search wait, and waits. It does not if that cannot help.
func (s *search) wait(ctx context.Context, d time.Duration) *hunt.Error {
	deadline, has := ctx.Deadline()
	if d > mostWait || has && time.Until(deadline) < d {
		return tooLong(d)
	}
	if !s.emit(hunt.Throttled{RetryAfter: d}) {
		return nil
	}
	if err := s.o.options.Wait(ctx, d); err != nil {
		return s.o.unreachable(ctx, err)
	}
	return nil
}

// take takes the events of a page and gives what is complete to the host.
func (s *search) take(a *answer) *hunt.Error {
	p := parsePage(a.body, s.o.id)
	if a.cut && p.damage == nil {
		p.damage = hunt.Errorf(hunt.SourceDamaged, "the answer breaks off after byte %d", len(a.body))
	}
	s.pages++
	part := fmt.Sprintf("page %d", s.pages)
	if p.rejected.Count > 0 {
		p.rejected.Part = part
		s.emit(p.rejected)
	}
	for _, e := range p.events {
		if err := s.add(e); err != nil || s.stopped {
			return err
		}
	}
	if s.flush(); p.damage != nil {
		p.damage.Message = part + ": " + p.damage.Message
		p.damage.Retryable = true
		return p.damage
	}
	if !s.stopped && a.next != nil {
		s.emit(hunt.Progress{RowsScanned: s.end.RowsScanned})
	}
	return nil
}

// add takes the next event. Okta orders by time alone, so the events of one instant are held until it has passed.
func (s *search) add(e event) *hunt.Error {
	s.end.RowsScanned++
	if len(s.group) > 0 && e.us != s.group[0].us {
		if (e.us < s.group[0].us) != (s.req.Order == hunt.TimeDesc) {
			return hunt.Errorf(hunt.SourceFailed, "Okta gave an event of %s after one of %s", hunt.FormatTime(e.us), hunt.FormatTime(s.group[0].us))
		}
		s.close()
	}
	s.group = append(s.group, e)
	return nil
}

// close maps the events of an instant in the order of their uids. An event that came twice is one.
func (s *search) close() {
	slices.SortStableFunc(s.group, func(a, b event) int {
		if s.req.Order == hunt.TimeDesc {
			a, b = b, a
		}
		return strings.Compare(a.uid, b.uid)
	})
	for i, e := range s.group {
		if i > 0 && e.uid == s.group[i-1].uid {
			s.end.Duplicates++
		} else if s.wants(e) {
			s.build(e)
		}
	}
	s.group = s.group[:0]
}

// wants says whether an event lies in the request's range and after its key.
func (s *search) wants(e event) bool {
	if !s.req.Range.Contains(e.us) {
		return false
	}
	if s.req.After == nil {
		return true
	}
	c := hunt.Key{Time: e.us, Tenant: s.o.id.Tenant, Connection: s.o.id.Connection, UID: e.uid}.Compare(*s.req.After)
	if s.req.Order == hunt.TimeDesc {
		return c < 0
	}
	return c > 0
}

// build maps an event if it is of the request's class. parsePage has seen that the mapping takes it.
func (s *search) build(e event) {
	if err := s.decoder.JSON(e.raw); err != nil {
		return
	}
	m := s.decoder.Match()
	if m == nil || m.Class != s.req.Class {
		return
	}
	s.builder.AppendUID(s.decoder, m, e.uid)
	if s.rows++; s.builder.Rows() >= batchRows {
		s.flush()
	}
}

// flush gives the rows that are ready to the host.
func (s *search) flush() {
	if s.builder.Rows() > 0 && !s.stopped {
		s.emit(&hunt.Batch{Record: s.builder.Batch()})
	}
}
