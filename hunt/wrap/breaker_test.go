package wrap_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

func TestBreakerLeavesASourceAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		last, gate := failure(hunt.SourceFailed), make(chan struct{})
		broken := true
		s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
			if n == 3 {
				<-gate
			}
			if broken {
				return fails(last)
			}
			return plain
		}
		c := described(t, s, wrap.Options{Retry: wrap.Retry{Tries: 1}, Breaker: wrap.Breaker{Failures: 2, Delay: 10 * time.Second}})
		for range 2 {
			wantError(t, ask(t, c).err, hunt.SourceFailed)
			if _, err := c.Describe(t.Context()); err != nil { // does not hide that searches fail
				t.Fatal(err)
			}
		}
		began := time.Now()
		e := wantError(t, ask(t, c).err, hunt.SourceSuspended)
		if !e.Retryable || e.RetryAfter < 9*time.Second || e.RetryAfter > 11*time.Second || !errors.Is(e, last) || time.Since(began) != 0 {
			t.Errorf("%v, retry after %v, after %v", e, e.RetryAfter, time.Since(began))
		}
		if h := c.Health(); h.State != wrap.Suspended || h.BreakerSearch != "open" || h.BreakerDescribe != "closed" || time.Until(h.RetryAt) != e.RetryAfter {
			t.Errorf("health is %+v", h)
		}
		time.Sleep(e.RetryAfter)
		outcome := make(chan answer)
		go func() { outcome <- ask(t, c) }() // the one that is let through
		synctest.Wait()
		r := everything()
		r.Limit = 7 // another search, so that it does not read along
		wantError(t, read(t.Context(), c, translated(t, c, r), nil).err, hunt.SourceSuspended)
		broken = false
		close(gate)
		wantAll(t, <-outcome, 3)
		wantAll(t, ask(t, c), 3)
		if h := c.Health(); h.State != wrap.Healthy || h.BreakerSearch != "closed" {
			t.Errorf("health is %+v", h)
		}
	})
}

func TestBreakerOfDescribe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		s.describe = func(ctx context.Context, n int) (*hunt.Description, error) {
			if n <= 3 {
				return nil, failure(hunt.SourceUnavailable)
			}
			return s.Memory.Describe(ctx)
		}
		c := kept(t, s, wrap.Options{Breaker: wrap.Breaker{Failures: 3, Delay: time.Minute}})
		for range 3 {
			_, err := c.Describe(t.Context())
			wantError(t, err, hunt.SourceUnavailable)
		}
		_, err := c.Describe(t.Context())
		e := wantError(t, err, hunt.SourceSuspended)
		if !strings.Contains(e.Error(), "it last said: it broke") {
			t.Error(e)
		}
		time.Sleep(e.RetryAfter)
		if _, err := c.Describe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestErrorsThatSayNothingOfTheSource does not open the breaker; and a trial that was cancelled leaves the next one its turn.
func TestErrorsThatSayNothingOfTheSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		code := hunt.BadUserInput
		hang := false
		s.search = func(ctx context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			switch {
			case hang:
				<-ctx.Done()
				return fails(ctx.Err())
			case code == "":
				return plain
			}
			return fails(&hunt.Error{Code: code})
		}
		c := described(t, s, wrap.Options{Breaker: wrap.Breaker{Failures: 1, Delay: time.Minute}})
		for _, code = range []hunt.Code{hunt.BadUserInput, hunt.SourceDenied, hunt.SourceThrottled, hunt.Internal, hunt.BadCursor, hunt.NotFound, hunt.SourceChanged} {
			wantError(t, ask(t, c).err, code)
		}
		code = hunt.SourceFailed
		wantError(t, ask(t, c).err, hunt.SourceFailed)
		e := wantError(t, ask(t, c).err, hunt.SourceSuspended)
		time.Sleep(e.RetryAfter)
		hang = true
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		wantError(t, read(ctx, c, translated(t, c, everything()), nil).err, hunt.SourceTimeout)
		hang, code = false, ""
		wantAll(t, ask(t, c), 3)
	})
}
