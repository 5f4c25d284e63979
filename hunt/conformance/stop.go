package conformance

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// checkConcurrency: the race detector, where it is on, sees the rest.
func checkConcurrency(s *subject) {
	all := s.held()
	var requests []hunt.Request
	for _, h := range all {
		requests = append(requests, h.asking(s.random(h)))
	}
	var group sync.WaitGroup
	for i := range 4 {
		group.Go(func() {
			for j := range all {
				at := (i + j) % len(all)
				s.compare(all[at], ordered(all[at].request(), bothOrders()[i%2]))
				s.compare(all[at], requests[at])
				s.describe()
			}
		})
	}
	group.Wait()
	if h := s.most(); h != nil {
		s.oneTranslation(h)
	}
}

// oneTranslation searches one translation several times at once.
func (s *subject) oneTranslation(h *held) {
	r := h.request()
	t := s.translate(r)
	if t == nil {
		return
	}
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if a := s.read(t, nil); a.err == nil && !slices.Equal(a.rows, h.ref.keys) {
				s.errorf("Search %s: searches of one translation at the same time differ:%s", brief(r), difference(a.rows, h.ref.keys))
			}
		})
	}
	group.Wait()
}

// several returns requests whose answers come in several frames, where the source makes several of them.
func (s *subject) several() map[*held]hunt.Request {
	out := map[*held]hunt.Request{}
	for _, h := range s.some()[:min(len(s.some()), s.fewer(1, math.MaxInt))] {
		out[h] = h.request()
	}
	if h := s.most(); h != nil {
		r := h.full()
		r.Limit = max(len(h.ref.keys)/4, 1)
		out[h] = r
	}
	return out
}

// positions returns after how many frames of n to stop: at each, or at some of many.
func (s *subject) positions(n int) []int {
	var out []int
	for i := range n + 1 {
		if i < 3 || i >= n-2 || s.suite.Thorough && n < 100 {
			out = append(out, i)
		}
	}
	return out
}

// checkCancel: a search that ends as if it were complete is complete.
func checkCancel(s *subject) {
	for h, r := range s.several() {
		t := s.translate(r)
		if t == nil {
			return
		}
		n := s.read(t, nil).frames
		for _, after := range s.positions(n) {
			s.cancel(h, t, after)
		}
		if s.problems() > 0 {
			return // more of them would take long
		}
		s.meanwhile(h, t)
		s.deadline(h, t)
		s.compare(h, r)
	}
	s.leaks("after cancelling")
}

// cancel ends the context after some frames and waits for the search to stop.
func (s *subject) cancel(h *held, t *hunt.Translation, after int) {
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	cancelled, done := make(chan struct{}), make(chan answer, 1)
	var once sync.Once
	end := func() { once.Do(func() { stop(); close(cancelled) }) }
	go func() {
		if after == 0 {
			end()
		}
		a := s.readIn(ctx, t, func(a *answer) bool {
			if a.frames >= after {
				end()
			}
			return false
		})
		end()
		done <- a
	}()
	select {
	case <-cancelled:
	case <-s.ctx.Done():
		s.errorf("Search %s: no frame and no end", brief(t.Request))
		return
	}
	s.stopped(h, t, done, fmt.Sprintf("cancelled after %d frames", after))
}

// meanwhile cancels while the search is on its way to its first frame.
func (s *subject) meanwhile(h *held, t *hunt.Translation) {
	ctx, stop := context.WithCancel(s.ctx)
	defer stop()
	done, started := make(chan answer, 1), make(chan struct{})
	go func() {
		close(started)
		done <- s.readIn(ctx, t, nil)
	}()
	<-started
	stop()
	s.stopped(h, t, done, "cancelled while it ran")
}

// deadline searches in a context whose time is over.
func (s *subject) deadline(h *held, t *hunt.Translation) {
	ctx, stop := context.WithDeadline(s.ctx, time.Now().Add(-time.Second))
	defer stop()
	done := make(chan answer, 1)
	go func() { done <- s.readIn(ctx, t, nil) }()
	s.stopped(h, t, done, "after its deadline")
}

// stopped waits for a search that must stop, and judges what it said.
func (s *subject) stopped(h *held, t *hunt.Translation, done <-chan answer, when string) {
	limit := time.NewTimer(time.Second)
	defer limit.Stop()
	select {
	case a := <-done:
		s.honest(h, t.Request, a, when)
		if a.err != nil {
			if code := hunt.AsError(a.err, hunt.Internal).Code; code != hunt.Cancelled && code != hunt.SourceTimeout {
				s.errorf("Search %s, %s: the error is %s, want CANCELLED or SOURCE_TIMEOUT: %v", brief(t.Request), when, code, a.err)
			}
		}
	case <-limit.C:
		s.errorf("Search %s, %s: it has not stopped within a second", brief(t.Request), when)
	}
}

// honest notes an answer that claims to be whole and is not, or that has rows that there are not.
func (s *subject) honest(h *held, r hunt.Request, a answer, when string) {
	want := h.expected(r)
	if extra := without(a.rows, want); len(extra) > 0 {
		s.errorf("Search %s, %s: rows came that are not there:%s", brief(r), when, listed("too many", extra))
	}
	if r.Limit > 0 {
		want = want[:min(len(want), r.Limit)]
	}
	if a.claimsAll() && len(a.rows) < len(want) {
		s.errorf("Search %s, %s: End came after %d of %d rows, without a gap", brief(r), when, len(a.rows), len(want))
	}
}

func checkBreak(s *subject) {
	for h, r := range s.several() {
		t := s.translate(r)
		if t == nil {
			return
		}
		n := s.read(t, nil).frames
		for _, after := range s.positions(n) {
			s.read(t, func(a *answer) bool { return a.frames > after })
		}
		s.leaks("after the consumer stopped")
		if s.problems() > 0 {
			return
		}
		s.compare(h, r)
	}
}

// checkClose: Close waits for searches, so it runs beside one that goes on reading.
func checkClose(s *subject) {
	all := s.held()
	var translations []*hunt.Translation
	for _, h := range all {
		if t := s.translate(h.full()); t != nil {
			translations = append(translations, t)
		}
	}
	if h := s.most(); h != nil {
		s.closing(h)
	}
	for range 2 {
		s.close()
	}
	s.leaks("after Close")
	for _, t := range translations {
		if a := s.read(t, nil); a.err == nil {
			s.errorf("Search %s after Close: no error", brief(t.Request))
		}
	}
}

// closing closes the connection after the first frame of a search.
func (s *subject) closing(h *held) {
	r := h.full()
	r.Limit = max(len(h.ref.keys)/8, 1)
	t := s.translate(r)
	if t == nil {
		return
	}
	closed, done := make(chan struct{}), make(chan answer, 1)
	var once sync.Once
	shut := func() { once.Do(func() { go func() { defer close(closed); s.close() }() }) }
	go func() {
		a := s.read(t, func(*answer) bool { shut(); return false })
		shut()
		done <- a
	}()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	for range 2 {
		select {
		case a := <-done:
			s.honest(h, r, a, "closed while it ran")
			done = nil
		case <-closed:
			closed = nil
		case <-limit.C:
			s.errorf("Close during a search: neither has ended after 10 seconds")
			return
		}
	}
}

// checkLeaks compares what is live after many searches with what was live before them, three times. Every search leaving something
// behind grows each time; caches that fill up do not.
func checkLeaks(s *subject) {
	const perSearch = 2 << 10 // bytes; less than a batch of any size
	all := s.some()
	if len(all) == 0 {
		return
	}
	r, round := all[len(all)-1].full(), s.fewer(15, 100)
	run := func() {
		for i := range round {
			if t := s.translate(r); t != nil {
				s.read(t, nil)
				s.read(t, func(*answer) bool { return true })
			}
			if i%5 == 0 {
				s.describe()
			}
		}
	}
	run()
	if s.leaks("after many searches"); s.problems() > 0 {
		return
	}
	live, grown := liveBytes(), int64(math.MaxInt64)
	for range 3 {
		run()
		now := liveBytes()
		grown, live = min(grown, now-live), now
	}
	if grown > int64(round)*perSearch {
		s.errorf("%d searches leave at least %d bytes of memory behind, three times in a row", round, grown)
	}
}

// liveBytes is what is reachable.
func liveBytes() int64 {
	var m runtime.MemStats
	for range 2 { // what finalizers free goes in the second
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// checkSecrets: describe, translate and failure look for secrets wherever something is said; this one makes the connector talk.
func checkSecrets(s *subject) {
	s.describe()
	for h, r := range s.several() {
		for range 10 {
			s.compare(h, h.asking(s.random(h)))
		}
		t := s.translate(r)
		if t == nil {
			return
		}
		s.cancel(h, t, 0)
		s.deadline(h, t)
		r.Stream += "-unknown"
		if t, err := s.src.conn.Translate(r); err != nil {
			s.checkError("Translate of an unknown stream", err)
		} else {
			s.read(t, nil) // an error is looked at
		}
	}
}
