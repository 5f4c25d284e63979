package wrap_test

import (
	"context"
	"fmt"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// pinned asks for everything in the newest snapshot.
func pinned(t *testing.T, c hunt.Connector) *hunt.Translation {
	t.Helper()
	d, err := c.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := everything()
	r.Snapshot = d.Snapshot
	return translated(t, c, r)
}

func all(t *testing.T, c hunt.Connector, tr *hunt.Translation) (out []hunt.Frame) {
	t.Helper()
	for f, err := range c.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

func TestACompleteAnswerIsGivenAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 100)
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				_ = yield(hunt.Progress{RowsScanned: 5, Done: 1, Total: 2}, nil) && yield(hunt.Watermark{Time: 9}, nil)
				in(40, plain)(yield)
			}
		}
		cache := wrap.NewCache(0)
		c := described(t, s, wrap.Options{Cache: cache})
		tr := pinned(t, c)
		first, second := all(t, c, tr), all(t, c, tr)
		if s.searches != 1 || !reflect.DeepEqual(first, second) || len(first) != 6 {
			t.Errorf("%d searches; first %v, again %v", s.searches, first, second)
		}
		if h := c.Health(); h.Cached != 1 || h.Rows != 100 || cache.Used() == 0 {
			t.Errorf("health is %+v, %d bytes are kept", h, cache.Used())
		}
		if err := s.Append(&hunt.Stream{Name: "s", Class: class(), Attributes: map[string]bool{}}, events(100, 120)); err != nil {
			t.Fatal(err)
		}
		wantAll(t, read(t.Context(), c, pinned(t, c), nil), 120)
		other := described(t, newSource(t, hunt.ConnectionRef{Tenant: "globex", Connection: "edr"}, 7), wrap.Options{Cache: cache})
		wantAll(t, read(t.Context(), other, pinned(t, other), nil), 7)
	})
}

// TestOnlyCompleteAnswersAreKept: each of these is asked of the source every time.
func TestOnlyCompleteAnswersAreKept(t *testing.T) {
	for name, search := range map[string]func(yield func(hunt.Frame, error) bool){
		"truncated":     func(yield func(hunt.Frame, error) bool) { yield(hunt.End{Truncated: true}, nil) },
		"part failed":   give(hunt.PartFailed{Part: "a"}, hunt.End{}),
		"rejected":      give(hunt.Rejected{Part: "a", Count: 1}, hunt.End{}),
		"no end":        give(&hunt.Batch{Record: events(0, 3)}),
		"error":         give(&hunt.Batch{Record: events(0, 3)}, &hunt.Error{Code: hunt.SourceFailed}),
		"not all read":  give(&hunt.Batch{Record: events(0, 3)}, &hunt.Batch{Record: events(3, 6)}, &hunt.Batch{Record: events(6, 9)}, hunt.End{}),
		"too large":     give(&hunt.Batch{Record: events(0, 1000)}, hunt.End{}),
		"no snapshot":   give(hunt.End{}),
		"not described": give(hunt.End{}),
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSource(t, acme(), 3)
			s.search = func(context.Context, int, *hunt.Translation, frames) frames { return search }
			s.said = func(d *hunt.Description) {
				if name == "not described" {
					d.Streams = nil
				}
			}
			cache := wrap.NewCache(20_000)
			c := described(t, s, wrap.Options{Cache: cache, Retry: wrap.Retry{Tries: 1}})
			tr := pinned(t, c)
			if name == "no snapshot" {
				tr = translated(t, c, everything())
			}
			for range 2 {
				read(t.Context(), c, tr, func(*answer) bool { return name == "not all read" })
			}
			if s.searches != 2 || cache.Used() != 0 {
				t.Errorf("%s: %d searches at the source, %d bytes are kept", name, s.searches, cache.Used())
			}
		})
	}
}

func TestCacheTTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		c := described(t, s, wrap.Options{Cache: wrap.NewCache(0), CacheTTL: time.Minute})
		for _, step := range []struct {
			wait     time.Duration
			searches int
		}{{0, 1}, {59 * time.Second, 1}, {time.Second, 2}, {time.Second, 2}} {
			time.Sleep(step.wait)
			if wantAll(t, ask(t, c), 3); s.searches != step.searches {
				t.Errorf("%d searches, want %d", s.searches, step.searches)
			}
		}
		s.said = func(d *hunt.Description) { d.Backend = "another version" }
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		if wantAll(t, ask(t, c), 3); s.searches != 3 {
			t.Error("the answer of another version was given")
		}
	})
}

// TestCacheIsBounded keeps what was used last.
func TestCacheIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 20_000
		s, cache := newSource(t, acme(), 100), wrap.NewCache(most)
		c := described(t, s, wrap.Options{Cache: cache})
		snapshot := pinned(t, c).Request.Snapshot
		ask := func(n int) (asked bool) {
			before, r := s.searches, everything()
			r.Snapshot, r.Limit = snapshot, 1000+n
			wantAll(t, read(t.Context(), c, translated(t, c, r), nil), 100)
			if cache.Used() > most {
				t.Errorf("%d bytes are kept", cache.Used())
			}
			return s.searches > before
		}
		for n := range 30 {
			ask(n)
			if n > 0 && ask(0) {
				t.Fatal(fmt.Sprint("the answer that is used all the time was dropped after ", n))
			}
		}
		if ask(29) || !ask(1) {
			t.Error("kept is not what was used last")
		}
	})
}
