package wrap_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// meter notes when searches of several connections started and how many ran at a time.
type meter struct {
	mu         sync.Mutex
	live, most int
	starts     []time.Time
	order      []string
}

// over returns a search that takes d and is noted under a name.
func (m *meter) over(name string, d func() time.Duration) func(context.Context, int, *hunt.Translation, frames) frames {
	return func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
		m.mu.Lock()
		m.live++
		m.most = max(m.most, m.live)
		m.starts, m.order = append(m.starts, time.Now()), append(m.order, name)
		m.mu.Unlock()
		time.Sleep(d())
		m.mu.Lock()
		m.live--
		m.mu.Unlock()
		return plain
	}
}

func (m *meter) now() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.live
}

func second() time.Duration { return time.Second }

// limited opens a connection whose source asks for limits.
func limited(t *testing.T, limits *wrap.Limits, ref hunt.ConnectionRef, asked ...hunt.Limit) (*source, *wrap.Connection) {
	t.Helper()
	s := newSource(t, ref, 3)
	s.said = func(d *hunt.Description) { d.Limits = asked }
	return s, described(t, s, wrap.Options{Limits: limits})
}

// distinct asks something that nobody else asks at the same time.
func distinct(t *testing.T, c hunt.Connector, n int) *hunt.Translation {
	t.Helper()
	r := everything()
	r.Limit = 1000 + n
	return translated(t, c, r)
}

// TestLimitsHold runs random searches over connections that share an account and an endpoint in part: whatever happens, no limit is
// exceeded at any time, in any window of its period, and everybody gets an answer.
func TestLimitsHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for seed := range uint64(20) {
			rng := rand.New(rand.NewPCG(seed, 1))
			var mu sync.Mutex
			took := func() time.Duration {
				mu.Lock()
				defer mu.Unlock()
				return time.Duration(rng.IntN(3000)) * time.Millisecond
			}
			limits, accounts, endpoint := wrap.NewLimits(), []*meter{{}, {}}, &meter{}
			perAccount := hunt.Limit{Scope: hunt.PerAccount, Concurrent: 3, Searches: 5, Per: 4 * time.Second}
			perEndpoint := hunt.Limit{Scope: hunt.PerEndpoint, Key: "https://x", Concurrent: 4, Searches: 12, Per: 10 * time.Second}
			var hunts sync.WaitGroup
			for i := range 4 {
				account := perAccount
				account.Key = fmt.Sprint("account ", i%2)
				s, c := limited(t, limits, hunt.ConnectionRef{Tenant: fmt.Sprint("t", i), Connection: "c"}, account, perEndpoint)
				inner, outer := accounts[i%2].over("", took), endpoint
				s.search = func(ctx context.Context, n int, tr *hunt.Translation, plain frames) frames {
					return outer.over("", func() time.Duration { inner(ctx, n, tr, plain); return 0 })(ctx, n, tr, plain)
				}
				for n := range 15 {
					tr, cancelled := distinct(t, c, n), took() < time.Second
					hunts.Go(func() {
						ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
						if cancelled {
							ctx, cancel = context.WithTimeout(t.Context(), took())
						}
						defer cancel()
						if a := read(ctx, c, tr, nil); a.end == nil && !cancelled {
							t.Errorf("seed %d: %v", seed, a.err)
						}
					})
				}
			}
			hunts.Wait()
			for i, m := range accounts {
				m.check(t, fmt.Sprint("seed ", seed, ", account ", i), perAccount)
			}
			endpoint.check(t, fmt.Sprint("seed ", seed, ", endpoint"), perEndpoint)
		}
	})
}

func (m *meter) check(t *testing.T, name string, l hunt.Limit) {
	t.Helper()
	if m.most > l.Concurrent || m.most == 0 {
		t.Errorf("%s: %d searches at a time, the limit is %d", name, m.most, l.Concurrent)
	}
	for i := l.Searches; i < len(m.starts); i++ {
		if d := m.starts[i].Sub(m.starts[i-l.Searches]); d < l.Per {
			t.Errorf("%s: %d searches started in %v, the limit is %d in %v", name, l.Searches+1, d, l.Searches, l.Per)
		}
	}
}

// TestTenantsTakeTurns queues a hundred hunts of one tenant before one of another at an account that they share.
func TestTenantsTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits, m := wrap.NewLimits(), &meter{}
		limit := hunt.Limit{Scope: hunt.PerAccount, Key: "a", Concurrent: 1}
		var hunts sync.WaitGroup
		start := func(tenant string, count int) {
			s, c := limited(t, limits, hunt.ConnectionRef{Tenant: tenant, Connection: "c"}, limit)
			s.search = func(ctx context.Context, n int, tr *hunt.Translation, plain frames) frames {
				return m.over(fmt.Sprint(tenant, " ", tr.Request.Limit-1000), second)(ctx, n, tr, plain)
			}
			for n := range count {
				tr := distinct(t, c, n)
				hunts.Go(func() { wantRows(t, read(t.Context(), c, tr, nil)) })
				synctest.Wait() // so that they come one after the other
			}
		}
		start("busy", 100)
		start("quiet", 2)
		hunts.Wait()
		if at := slices.Index(m.order, "quiet 0"); at < 0 || at > 2 {
			t.Errorf("the other tenant's first hunt came after %d hunts", at)
		}
		if at := slices.Index(m.order, "quiet 1"); at < 0 || at > 4 {
			t.Errorf("the other tenant's second hunt came after %d hunts", at)
		}
		m.order = slices.DeleteFunc(m.order, func(s string) bool { return s[0] == 'q' })
		for n := range 100 {
			if m.order[n] != fmt.Sprint("busy ", n) {
				t.Fatalf("hunt %d of the tenant is %q: first come, first served", n, m.order[n])
			}
		}
	})
}

func wantRows(t *testing.T, a answer) {
	t.Helper()
	if a.err != nil || a.end == nil || len(a.rows) != 3 {
		t.Errorf("%d rows, error %v", len(a.rows), a.err)
	}
}

// TestWaitingIsTold waits for a place and for a period; the reader hears of it when it begins, and a cancelled wait ends at once.
func TestWaitingIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, c := limited(t, wrap.NewLimits(), acme(), hunt.Limit{Scope: hunt.PerConnection, Searches: 1, Per: time.Minute})
		wantRows(t, read(t.Context(), c, distinct(t, c, 0), nil))
		time.Sleep(20 * time.Second)
		began, told := time.Now(), time.Duration(-1)
		a := read(t.Context(), c, distinct(t, c, 1), func(a *answer) bool {
			if len(a.waits) == 1 && told < 0 {
				told = time.Since(began)
			}
			return false
		})
		wantRows(t, a)
		if told != 0 || len(a.waits) != 1 || a.waits[0].RetryAfter != 40*time.Second || time.Since(began) != 40*time.Second {
			t.Errorf("told of %v after %v; the answer came after %v", a.waits, told, time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		began = time.Now()
		wantError(t, read(ctx, c, distinct(t, c, 2), nil).err, hunt.Cancelled)
		if n, _, _ := s.counts(); time.Since(began) != time.Second || n != 2 {
			t.Errorf("it was cancelled after %v; %d searches", time.Since(began), n)
		}
	})
}

// TestAThrottledSearchHoldsBackTheOthers of its account, whatever connection they are of, and nobody else.
func TestAThrottledSearchHoldsBackTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := wrap.NewLimits()
		account := hunt.Limit{Scope: hunt.PerAccount, Key: "a"}
		endpoint := hunt.Limit{Scope: hunt.PerEndpoint, Key: "e"}
		s, one := limited(t, limits, hunt.ConnectionRef{Tenant: "acme", Connection: "1"}, account, endpoint)
		_, two := limited(t, limits, hunt.ConnectionRef{Tenant: "globex", Connection: "2"}, account, endpoint)
		_, other := limited(t, limits, hunt.ConnectionRef{Tenant: "acme", Connection: "3"}, endpoint)
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				if yield(hunt.Throttled{RetryAfter: 30 * time.Second}, nil) {
					time.Sleep(30 * time.Second)
					plain(yield)
				}
			}
		}
		var hunts sync.WaitGroup
		hunts.Go(func() { wantRows(t, ask(t, one)) })
		synctest.Wait()
		began := time.Now()
		if h := one.Health(); h.State != wrap.Throttled || time.Until(h.ThrottledUntil) != 30*time.Second || h.InFlight != 1 {
			t.Errorf("health is %+v", h)
		}
		wantRows(t, ask(t, other))
		if time.Since(began) != 0 {
			t.Errorf("a search of another account waited %v", time.Since(began))
		}
		a := ask(t, two)
		if wantRows(t, a); time.Since(began) != 30*time.Second || len(a.waits) != 1 {
			t.Errorf("a search of the same account waited %v, told %v", time.Since(began), a.waits)
		}
		hunts.Wait()
		if h := two.Health(); h.State != wrap.Healthy {
			t.Errorf("health is %+v", h)
		}
	})
}

func TestLimitsThatChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, most := &meter{}, 1
		s := newSource(t, acme(), 3)
		s.said = func(d *hunt.Description) { d.Limits = []hunt.Limit{{Scope: hunt.PerConnection, Concurrent: most}} }
		s.search = m.over("", second)
		c := described(t, s, wrap.Options{})
		var hunts sync.WaitGroup
		for n := range 4 {
			tr := distinct(t, c, n)
			hunts.Go(func() { wantRows(t, read(t.Context(), c, tr, nil)) })
		}
		synctest.Wait()
		if most = 3; m.now() != 1 {
			t.Errorf("%d at a time", m.now())
		}
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m.now() != 3 {
			t.Errorf("%d at a time after the source takes 3", m.now())
		}
		hunts.Wait()
	})
}

// TestAStartCountsWhenItHappens: a search that passed its account and then waits long for the endpoint counts from its start.
func TestAStartCountsWhenItHappens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits, m := wrap.NewLimits(), &meter{}
		endpoint := hunt.Limit{Scope: hunt.PerEndpoint, Key: "e", Concurrent: 1}
		busy, blocks := limited(t, limits, hunt.ConnectionRef{Tenant: "globex", Connection: "b"}, endpoint)
		busy.search = (&meter{}).over("", func() time.Duration { return 10 * time.Second })
		s, c := limited(t, limits, acme(), hunt.Limit{Scope: hunt.PerAccount, Key: "a", Searches: 1, Per: 4 * time.Second}, endpoint)
		s.search = m.over("", func() time.Duration { return 0 })
		var hunts sync.WaitGroup
		hunts.Go(func() { wantRows(t, ask(t, blocks)) })
		synctest.Wait()
		for n := range 3 {
			tr := distinct(t, c, n)
			hunts.Go(func() { wantRows(t, read(t.Context(), c, tr, nil)) })
		}
		hunts.Wait()
		for i := range m.starts[1:] {
			if d := m.starts[i+1].Sub(m.starts[i]); d != 4*time.Second {
				t.Errorf("search %d started %v after the one before; the account takes one in 4s", i+2, d)
			}
		}
	})
}
