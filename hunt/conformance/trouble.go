package conformance

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// checkFault breaks the source after every number of frames of a search, in both orders, and mends it again.
func checkFault(s *subject) {
	noticed := 0
	for _, h := range s.held() {
		for _, limit := range []int{0, max(len(h.ref.keys)/4, 1)} {
			for _, order := range bothOrders() {
				r := ordered(h.full(), order)
				r.Limit = limit
				a := s.search(r)
				if a.end == nil {
					return
				}
				for _, after := range s.positions(a.frames) {
					if s.fault(h, r, after) {
						noticed++
					}
				}
				s.compare(h, r)
			}
		}
	}
	if noticed == 0 {
		s.notef("no search noticed a fault: the connector had all that it needed, or Fault breaks nothing")
	}
}

// fault breaks the source after some frames and judges the answer; it says whether the connector noticed.
func (s *subject) fault(h *held, r hunt.Request, after int) bool {
	t := s.translate(r)
	if t == nil {
		return false
	}
	var mend func() error
	broken := func() {
		if mend != nil {
			return
		}
		m, err := s.suite.Fault(s.ctx)
		if mend = m; err != nil || m == nil {
			s.errorf("Fault: %v", err)
			mend = func() error { return nil }
		}
	}
	if after == 0 {
		broken()
	}
	a := s.read(t, func(a *answer) bool {
		if a.frames >= after {
			broken()
		}
		return false
	})
	when := fmt.Sprintf("%s, limit %d, with a fault after %d frames", r.Order, r.Limit, after)
	if a.err == nil && a.end == nil {
		s.errorf("Search %s, %s: the stream stopped without End or an error", brief(r), when)
	}
	s.honest(h, r, a, when)
	s.excused(h, r, a, when)
	if mend != nil {
		if err := mend(); err != nil {
			s.errorf("Fault: the source could not be mended: %v", err)
		}
	}
	return !a.claimsAll()
}

// excused notes rows that are missing before the last row of an answer without a gap that was told before the rows after them: the
// host stops reading when it has enough rows, so it would not hear of a gap that comes later.
func (s *subject) excused(h *held, r hunt.Request, a answer, when string) {
	want, next := h.expected(r), 0
	for _, k := range want {
		if next < len(a.rows) && a.rows[next] == k {
			next++
			continue
		}
		if next >= len(a.rows) {
			return // what is missing at the end is for honest to judge
		}
		told := slices.ContainsFunc(a.gaps, func(g gap) bool { return g.rows <= next && (g.lost == nil || g.lost.Contains(k.Time)) })
		if !told {
			s.errorf("Search %s, %s: row %v is missing and no gap was told before the rows after it", brief(r), when, k)
			return
		}
	}
}

// checkThrottle lets the source refuse the first requests of a search: few, so that waiting is enough, and so many that it is not.
func checkThrottle(s *subject) {
	for _, h := range s.held()[:min(len(s.held()), 1)] {
		for _, requests := range []int{1, math.MaxInt32} {
			for _, wait := range []time.Duration{0, time.Second} {
				s.throttled(h, requests, wait)
			}
		}
		if err := s.suite.Throttle(s.ctx, 0, 0); err != nil {
			s.errorf("Throttle: %v", err)
		}
		s.compare(h, h.request())
	}
}

func (s *subject) throttled(h *held, requests int, wait time.Duration) {
	r := h.request()
	t := s.translate(r)
	if t == nil {
		return
	}
	if err := s.suite.Throttle(s.ctx, requests, wait); err != nil {
		s.errorf("Throttle: %v", err)
		return
	}
	when := fmt.Sprintf("with %d requests refused, told to wait for %s", requests, wait)
	a := s.read(t, func(a *answer) bool { return len(a.waits) >= 3 }) // nobody waits for ever
	s.honest(h, r, a, when)
	for _, w := range a.waits {
		if wait > 0 && w.RetryAfter < wait/2 {
			s.errorf("Search %s, %s: Throttled says %s", brief(r), when, w.RetryAfter)
		}
	}
	if a.err == nil && len(a.waits) == 0 {
		s.errorf("Search %s, %s: neither Throttled nor an error came", brief(r), when)
	}
	if a.err == nil {
		return
	}
	e := hunt.AsError(a.err, hunt.Internal)
	if e.Code != hunt.SourceThrottled || !e.Retryable || wait > 0 && e.RetryAfter < wait/2 {
		s.errorf("Search %s, %s: the error is %s, retryable %v after %s, want SOURCE_THROTTLED: %v", brief(r), when, e.Code, e.Retryable, e.RetryAfter, e)
	}
}
