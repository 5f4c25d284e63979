package wrap_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

func denied() *hunt.Error {
	return &hunt.Error{Code: hunt.SourceDenied, Message: "the key has expired"}
}

// expiring is a source whose credential expires when expired says so.
func expiring(t *testing.T, rows int, expired func() bool) *source {
	t.Helper()
	s := newSource(t, acme(), rows)
	s.describe = func(ctx context.Context, _ int) (*hunt.Description, error) {
		if expired() {
			return nil, denied()
		}
		return s.Memory.Describe(ctx)
	}
	return s
}

// TestARenewedCredentialIsTakenUp lets a credential expire. The connection is opened anew: at first in vain, because there is no other
// credential yet, and then with one that the source accepts. The old connection is closed only then.
func TestARenewedCredentialIsTakenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expired, renewed := false, false
		before, after := expiring(t, 3, func() bool { return expired }), newSource(t, acme(), 4)
		var contexts []context.Context
		c := wrap.New(func(ctx context.Context) (hunt.Connector, error) {
			contexts = append(contexts, ctx)
			switch {
			case len(contexts) == 1:
				return before, nil
			case !renewed:
				return nil, denied()
			}
			return after, nil
		}, wrap.Options{Ref: acme()})
		defer c.Close()
		wantAll(t, opened(t, c), 3)

		expired = true
		for n := 2; n < 5; n++ { // each waits longer than the one before
			wantDenied(t, c)
			if len(contexts) != n {
				t.Fatalf("opened %d times, want %d", len(contexts), n)
			}
			wantDenied(t, c)
			if len(contexts) != n {
				t.Fatal("it is opened again at once")
			}
			time.Sleep(time.Minute)
		}
		if _, err := before.Memory.Describe(t.Context()); err != nil || contexts[0].Err() != nil {
			t.Fatalf("the connection is closed though there is no other: %v, %v", err, contexts[0].Err())
		}
		renewed = true
		wantDenied(t, c)
		if _, err := before.Memory.Describe(t.Context()); err == nil || contexts[0].Err() == nil {
			t.Error("the connection that is not used any more is still open")
		}
		wantAll(t, opened(t, c), 4)
		if h := c.Health(); h.State != wrap.Healthy || contexts[len(contexts)-1].Err() != nil {
			t.Errorf("health is %+v", h)
		}
	})
}

// TestASearchThatIsDeniedRenews has a description that needs no credential.
func TestASearchThatIsDeniedRenews(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after := newSource(t, acme(), 3), newSource(t, acme(), 3)
		before.search = func(context.Context, int, *hunt.Translation, frames) frames {
			return func(yield func(hunt.Frame, error) bool) { yield(nil, denied()) }
		}
		c := wrap.New(oneThen(before, after), wrap.Options{Ref: acme()})
		defer c.Close()
		wantError(t, opened(t, c).err, hunt.SourceDenied)
		synctest.Wait()
		wantAll(t, opened(t, c), 3)
	})
}

// TestARenewalLeavesSearchesAlone has a search under way while another connection takes the place of the one that it uses: that one is
// closed when the search is over.
func TestARenewalLeavesSearchesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		expired, release := false, make(chan struct{})
		before, after := expiring(t, 3, func() bool { return expired }), newSource(t, acme(), 4)
		before.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				<-release
				plain(yield)
			}
		}
		c := wrap.New(oneThen(before, after), wrap.Options{Ref: acme()})
		defer c.Close()
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		under := make(chan answer)
		tr := translated(t, c, everything())
		go func() { under <- read(t.Context(), c, tr, nil) }()
		synctest.Wait()
		expired = true
		wantDenied(t, c)
		other := everything()
		other.Limit = 4 // not the search that is under way
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantAll(t, read(t.Context(), c, translated(t, c, other), nil), 4)
		close(release)
		wantAll(t, <-under, 3)
		synctest.Wait()
		_, err := before.Memory.Describe(t.Context())
		wantError(t, err, hunt.SourceUnavailable)
	})
}

// TestADenialThatLasts does not open connections all the time.
func TestADenialThatLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := 0
		c := wrap.New(func(context.Context) (hunt.Connector, error) {
			opens++
			return expiring(t, 3, func() bool { return true }), nil
		}, wrap.Options{Ref: acme(), Reopen: wrap.Backoff{First: time.Second, Max: 10 * time.Second}})
		defer c.Close()
		for range 6000 {
			wantDenied(t, c)
			time.Sleep(100 * time.Millisecond)
		}
		if opens < 60 || opens > 130 { // every 5 to 10 seconds
			t.Errorf("opened %d times in ten minutes", opens)
		}
	})
}

// TestCloseWhileRenewing closes both the connection and the one that is to take its place.
func TestCloseWhileRenewing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before, after, opens := expiring(t, 3, func() bool { return true }), newSource(t, acme(), 3), 0
		c := wrap.New(func(ctx context.Context) (hunt.Connector, error) {
			if opens++; opens == 1 {
				return before, nil
			}
			<-ctx.Done()
			return after, nil
		}, wrap.Options{Ref: acme()})
		wantDenied(t, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		for _, s := range []*source{before, after} {
			_, err := s.Memory.Describe(t.Context())
			wantError(t, err, hunt.SourceUnavailable)
		}
	})
}

// oneThen opens one connection at first and another one from then on.
func oneThen(before, after hunt.Connector) wrap.Opener {
	next := before
	return func(context.Context) (hunt.Connector, error) {
		c := next
		next = after
		return c, nil
	}
}

// opened asks a connection after it was described, as every hunt does.
func opened(t *testing.T, c *wrap.Connection) answer {
	t.Helper()
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ask(t, c)
}

// wantDenied describes a connection whose credential is not accepted, and waits for what follows from it.
func wantDenied(t *testing.T, c *wrap.Connection) {
	t.Helper()
	_, err := c.Describe(t.Context())
	wantError(t, err, hunt.SourceDenied)
	synctest.Wait()
}
