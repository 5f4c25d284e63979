package wrap

import (
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// State says how a connection is.
type State string

// The states of a connection, the worst that holds.
const (
	Unknown   State = "UNKNOWN"   // it was not asked yet
	Healthy   State = "HEALTHY"   // the last call succeeded
	Degraded  State = "DEGRADED"  // the last search failed, or a call is left behind that does not stop
	Throttled State = "THROTTLED" // searches wait because the source asked for it
	Suspended State = "SUSPENDED" // it failed so often that it is left alone until RetryAt
	Down      State = "DOWN"      // it cannot be opened, or does not describe itself
)

// Health is what is known of a connection at one moment. Times are zero if there is none.
type Health struct {
	State           State
	LastSuccess     time.Time
	LastError       *hunt.Error // the last failure, also if there were successes since; nil if there was none
	LastErrorAt     time.Time
	Failures        int       // in a row: of searches, and of Describe
	BreakerDescribe string    // "closed", "open", "half-open": of Describe
	BreakerSearch   string    // of searches
	RetryAt         time.Time // when it is opened or asked again, if it is left alone
	ThrottledUntil  time.Time // until when the source wants no searches
	InFlight        int64     // searches at the source
	Abandoned       int64     // calls that did not stop when told, and run still
	Searches        int64     // asked by hunts
	Shared          int64     // of these, answered together with another one
	Cached          int64     // of these, answered from the cache
	Retries         int64
	Rows            int64         // that came from the source
	DescribeMedian  time.Duration // of the last Describes that succeeded; 0 before the first
}

// health gathers what Health shows.
type health struct {
	mu        sync.Mutex
	h         Health // without what is taken from elsewhere
	down      bool   // the last opening or Describe failed, or the connection is closed
	describes []time.Duration
	searches  int // that failed in a row
	unheard   int // openings and Describes that failed in a row
}

// describesKept is how many Describes the median is of.
const describesKept = 31

func (r *health) count(change func(*Health)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.h)
}

func (r *health) succeeded() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.LastSuccess, r.searches = time.Now(), 0
}

// failed notes that a search failed. That a query was wrong says nothing about the source, and that it was too much for now is no failure.
func (r *health) failed(err *hunt.Error) {
	if err.Code == hunt.BadUserInput || err.Code == hunt.BadCursor || err.Code == hunt.Cancelled {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.LastError, r.h.LastErrorAt = err, time.Now()
	if err.Code != hunt.SourceThrottled {
		r.searches++
	}
}

// described notes the outcome of an opening or a Describe. Failures of searches stay, because Describe comes before every search.
func (r *health) described(err *hunt.Error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down = err != nil; r.down {
		r.h.LastError, r.h.LastErrorAt = err, time.Now()
		r.unheard++
		return
	}
	r.h.LastSuccess, r.unheard = time.Now(), 0
	r.describes = append(r.describes, took)
	r.describes = slices.Delete(r.describes, 0, max(0, len(r.describes)-describesKept))
}

func (r *health) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.down = true
}

// Health returns what is known of the connection now.
func (c *Connection) Health() Health {
	c.health.mu.Lock()
	h, down := c.health.h, c.health.down
	h.Failures = c.health.searches + c.health.unheard
	if n := len(c.health.describes); n > 0 {
		h.DescribeMedian = slices.Sorted(slices.Values(c.health.describes))[n/2]
	}
	c.health.mu.Unlock()
	h.BreakerDescribe, h.BreakerSearch = c.describing.circuit.State().String(), c.searching.circuit.State().String()
	h.ThrottledUntil = c.options.Limits.heldUntil(c.scopes())
	h.Abandoned = c.tasks.abandoned.Load()
	h.RetryAt = c.opening.nextTry()
	for _, b := range []*breaker{c.describing, c.searching} {
		if left := b.circuit.RemainingDelay(); left > 0 && time.Now().Add(left).After(h.RetryAt) {
			h.RetryAt = time.Now().Add(left)
		}
	}
	h.State = h.state(down)
	return h
}

func (h *Health) state(down bool) State {
	const closed = "closed"
	switch {
	case h.BreakerDescribe != closed || h.BreakerSearch != closed:
		return Suspended
	case down:
		return Down
	case !h.ThrottledUntil.IsZero():
		return Throttled
	case h.Failures > 0 || h.Abandoned > 0:
		return Degraded
	case h.LastSuccess.IsZero():
		return Unknown
	}
	return Healthy
}
