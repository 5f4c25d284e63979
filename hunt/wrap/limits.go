package wrap

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Limits keeps what sources ask of their callers, for all connections and tenants of a gateway together: how many searches may run and
// start, and who must wait after a source said that it is too much. Make it with NewLimits.
//
// Within a scope (a connection, an account, an endpoint) tenants take turns, and the searches of one tenant go in the order in which
// they came. A search passes its scopes one after the other, the connection's first, then accounts, then endpoints, each by name. All
// take the same way, so that no two wait for each other.
type Limits struct {
	mu     sync.Mutex
	scopes map[scopeKey]*scope
}

// scopeKey names who shares a limit. Accounts and endpoints are shared whatever tenant the connections are of.
type scopeKey struct {
	kind hunt.LimitScope
	key  string
}

// NewLimits makes an empty registry.
func NewLimits() *Limits { return &Limits{scopes: map[scopeKey]*scope{}} }

// scope is one limit with those who pass it and those who wait for it. Its mutex is the registry's.
type scope struct {
	asked  map[hunt.ConnectionRef][]hunt.Limit // what each connection said; the strictest of all counts
	inside map[*pass]bool
	recent []*start // in the order of passing
	held   time.Time
	lines  []*line // tenants that wait; the first is next
	timer  *time.Timer
}

// line is the searches of one tenant that wait.
type line struct {
	tenant string
	passes []*pass
}

// start is a search that counts against the searches of a period: from when it passed, and when it did not start yet, until it has.
type start struct {
	at      time.Time
	started bool
}

// pass is one search on its way through a scope, and then inside.
type pass struct {
	s      *scope
	start  *start
	passed chan struct{} // closed when it may go on
}

// slot is what a search holds while it runs. Its methods are for one goroutine.
type slot struct {
	l      *Limits
	passes []*pass
}

// declare notes what a connection asks, in place of what it asked before with the scopes was, and returns its scopes in the order in
// which searches pass them. The first is always the connection itself.
func (l *Limits) declare(ref hunt.ConnectionRef, limits []hunt.Limit, was []*scope) []*scope {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range was {
		delete(s.asked, ref)
	}
	own := scopeKey{hunt.PerConnection, ref.String()}
	l.at(own).asked[ref] = nil
	keys := []scopeKey{own}
	for _, limit := range limits {
		k := own
		if limit.Scope != hunt.PerConnection {
			k = scopeKey{limit.Scope, limit.Key}
		}
		l.at(k).asked[ref] = append(l.at(k).asked[ref], limit)
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b scopeKey) int {
		return cmp.Or(cmp.Compare(rank(a.kind), rank(b.kind)), cmp.Compare(a.key, b.key))
	})
	var out []*scope
	for _, k := range slices.Compact(keys) {
		out = append(out, l.at(k))
	}
	for _, s := range slices.Concat(was, out) {
		l.dispatch(s) // it may have more room now
	}
	return out
}

// rank orders scopes from the narrowest.
func rank(kind hunt.LimitScope) int {
	return slices.Index([]hunt.LimitScope{hunt.PerConnection, hunt.PerAccount, hunt.PerEndpoint}, kind)
}

func (l *Limits) at(k scopeKey) *scope {
	s := l.scopes[k]
	if s == nil {
		s = &scope{asked: map[hunt.ConnectionRef][]hunt.Limit{}, inside: map[*pass]bool{}}
		l.scopes[k] = s
	}
	return s
}

// forget takes a connection that is closed out of the registry.
func (l *Limits) forget(ref hunt.ConnectionRef) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for k, s := range l.scopes {
		delete(s.asked, ref)
		if len(s.asked) == 0 && len(s.inside) == 0 && len(s.lines) == 0 && !s.held.After(time.Now()) {
			delete(l.scopes, k)
		}
		l.dispatch(s)
	}
}

// acquire takes a search through the scopes. waits is told each time that it has to wait, with for how long if that is known (else 0);
// an error of it ends the waiting. The error is that, or the cause of ctx's end.
func (l *Limits) acquire(ctx context.Context, tenant string, scopes []*scope, waits func(time.Duration) error) (*slot, error) {
	out := &slot{l: l}
	for _, s := range scopes {
		p := l.enter(s, tenant)
		err := p.wait(ctx, l, waits)
		out.passes = append(out.passes, p)
		if err != nil {
			l.leave(p, tenant)
			out.release()
			return nil, err
		}
	}
	out.begin()
	return out, nil
}

// enter puts a search at the end of its tenant's line.
func (l *Limits) enter(s *scope, tenant string) *pass {
	l.mu.Lock()
	defer l.mu.Unlock()
	p := &pass{s: s, passed: make(chan struct{})}
	i := slices.IndexFunc(s.lines, func(n *line) bool { return n.tenant == tenant })
	if i < 0 {
		i = len(s.lines)
		s.lines = append(s.lines, &line{tenant: tenant})
	}
	s.lines[i].passes = append(s.lines[i].passes, p)
	l.dispatch(s)
	return p
}

// wait waits until the scope lets the search go on.
func (p *pass) wait(ctx context.Context, l *Limits, waits func(time.Duration) error) error {
	select {
	case <-p.passed:
		return nil
	default:
	}
	l.mu.Lock()
	_, until := p.s.admits(time.Now())
	l.mu.Unlock()
	var left time.Duration
	if !until.IsZero() {
		left = max(0, time.Until(until))
	}
	if err := waits(left); err != nil {
		return err
	}
	select {
	case <-p.passed:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// leave takes a search out of the line if it still waits there.
func (l *Limits) leave(p *pass, tenant string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(p.s.lines, func(n *line) bool { return n.tenant == tenant })
	if i < 0 {
		return
	}
	n := p.s.lines[i]
	n.passes = slices.DeleteFunc(n.passes, func(o *pass) bool { return o == p })
	if len(n.passes) == 0 {
		p.s.lines = slices.Delete(p.s.lines, i, i+1)
	}
}

// admits says whether the scope has room now; if not, when it will have, as far as time alone decides that.
func (s *scope) admits(now time.Time) (ok bool, at time.Time) {
	if s.held.After(now) {
		return false, s.held
	}
	for limit := range s.limits {
		if limit.Concurrent > 0 && len(s.inside) >= limit.Concurrent {
			return false, time.Time{}
		}
		if n := len(s.recent) - limit.Searches; limit.Searches > 0 && n >= 0 {
			first := s.recent[n] // this and all after it are as many as may start in the period
			if !first.started {
				return false, time.Time{}
			}
			if free := first.at.Add(limit.Per); free.After(now) && free.After(at) {
				at = free
			}
		}
	}
	return at.IsZero(), at
}

// limits calls yield with what was asked of the scope.
func (s *scope) limits(yield func(hunt.Limit) bool) {
	for _, list := range s.asked {
		for _, limit := range list {
			if !yield(limit) {
				return
			}
		}
	}
}

// dispatch lets go on whom the scope has room for, and comes back when time makes room.
func (l *Limits) dispatch(s *scope) {
	now := time.Now()
	for len(s.lines) > 0 {
		ok, at := s.admits(now)
		if !ok {
			s.wake(l, at)
			return
		}
		s.next(now)
	}
}

// next lets the first search of the first tenant pass and puts that tenant last.
func (s *scope) next(now time.Time) {
	n := s.lines[0]
	p := n.passes[0]
	n.passes = n.passes[1:]
	s.lines = s.lines[1:]
	if len(n.passes) > 0 {
		s.lines = append(s.lines, n)
	}
	s.inside[p] = true
	if keep := s.most(); keep > 0 {
		p.start = &start{at: now}
		s.recent = append(s.recent, p.start)
		s.recent = slices.Delete(s.recent, 0, max(0, len(s.recent)-keep))
	}
	close(p.passed)
}

// most is how many starts must be remembered.
func (s *scope) most() int {
	n := 0
	for limit := range s.limits {
		n = max(n, limit.Searches)
	}
	return n
}

// wake makes dispatch run again at an instant; the zero time is none.
func (s *scope) wake(l *Limits, at time.Time) {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	if at.IsZero() {
		return
	}
	s.timer = time.AfterFunc(time.Until(at), func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.dispatch(s)
	})
}

// begin notes that the search starts now. It may have waited at a later scope, so that it counts from now on for all of them.
func (t *slot) begin() {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	for _, p := range t.passes {
		if p.start != nil {
			p.start.at, p.start.started = time.Now(), true
			slices.SortStableFunc(p.s.recent, startsFirst)
			t.l.dispatch(p.s)
		}
	}
}

// startsFirst orders starts by time, those that have not happened last.
func startsFirst(a, b *start) int {
	if a.started != b.started {
		if a.started {
			return -1
		}
		return 1
	}
	return a.at.Compare(b.at)
}

// release gives the places back. A search that never started does not count against the searches of a period.
func (t *slot) release() {
	t.l.mu.Lock()
	defer t.l.mu.Unlock()
	for _, p := range t.passes {
		delete(p.s.inside, p)
		if p.start != nil && !p.start.started {
			p.s.recent = slices.DeleteFunc(p.s.recent, func(o *start) bool { return o == p.start })
		}
		t.l.dispatch(p.s)
	}
	t.passes = nil
}

// abandonedHold is how long the search of a connector that does not stop keeps its places: the source may still be working on it.
const abandonedHold = time.Minute

// releaseAfter gives the places back when the search has ended at the source, at the latest after abandonedHold.
func (t *slot) releaseAfter(search *task) {
	select {
	case <-search.done:
		t.release()
		return
	default:
	}
	go func() {
		timer := time.NewTimer(abandonedHold)
		defer timer.Stop()
		select {
		case <-search.done:
		case <-timer.C:
		}
		t.release()
	}()
}

// hold keeps searches from starting until the source takes more: those of the connection, and those of the account that it shares, or of
// the endpoint if the source counts by nothing narrower.
func (l *Limits) hold(scopes []*scope, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	until := time.Now().Add(d)
	for i, s := range scopes {
		if i > 1 {
			break // scopes are ordered from the narrowest: the connection, then the narrowest that is shared
		}
		if until.After(s.held) {
			s.held = until
			l.dispatch(s)
		}
	}
}

// heldUntil returns until when searches through the scopes are held back, the zero time if they are not.
func (l *Limits) heldUntil(scopes []*scope) (until time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range scopes {
		if s.held.After(time.Now()) && s.held.After(until) {
			until = s.held
		}
	}
	return until
}
