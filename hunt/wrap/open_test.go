package wrap_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestASourceThatWasDownComesBack opens a connection that fails five times: each Describe between two tries answers at once with the
// last error and when it is tried again, the waits grow, and then it is healthy without anybody's help.
func TestASourceThatWasDownComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tries := newSource(t, acme(), 3), 0
		c := wrap.New(func(context.Context) (hunt.Connector, error) {
			if tries++; tries <= 5 {
				return nil, errors.New("connection refused")
			}
			return s, nil
		}, wrap.Options{Ref: acme()})
		defer c.Close()
		if h := c.Health(); h.State != wrap.Unknown || tries != 0 {
			t.Errorf("before its first use: %s, %d tries", h.State, tries)
		}
		_, err := c.Translate(everything())
		wantError(t, err, hunt.SourceUnavailable)
		wait := time.Duration(0)
		for n := 1; n <= 5; n++ {
			began := time.Now()
			_, err := c.Describe(t.Context())
			e := wantError(t, err, hunt.SourceUnavailable)
			if tries != n || time.Since(began) != 0 || !e.Retryable || e.RetryAfter <= wait*2/3 || e.Source != "acme/edr" || !strings.Contains(e.Error(), "refused") {
				t.Fatalf("try %d of %d: %v after %v, retry after %v (before: %v)", n, tries, e, time.Since(began), e.RetryAfter, wait)
			}
			wait = e.RetryAfter
			time.Sleep(wait / 2)
			_, err = c.Describe(t.Context())
			if e := wantError(t, err, hunt.SourceUnavailable); tries != n || e.RetryAfter != wait-wait/2 {
				t.Fatalf("between tries: %d tries, retry after %v, want %v", tries, e.RetryAfter, wait-wait/2)
			}
			if h := c.Health(); h.State != wrap.Down || h.Failures != n || time.Until(h.RetryAt) != wait-wait/2 {
				t.Fatalf("health is %+v", h)
			}
			time.Sleep(wait - wait/2)
		}
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantAll(t, ask(t, c), 3)
		if h := c.Health(); h.State != wrap.Healthy || h.Failures != 0 || h.LastError == nil || !h.RetryAt.IsZero() {
			t.Errorf("health is %+v", h)
		}
	})
}

func TestAWrongConfigurationIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		c := wrap.New(func(context.Context) (hunt.Connector, error) {
			tries++
			return nil, &hunt.Error{Code: hunt.BadConfig, Message: "line 3: no such key"}
		}, wrap.Options{Ref: acme()})
		defer c.Close()
		for range 3 {
			_, err := c.Describe(t.Context())
			if e := wantError(t, err, hunt.BadConfig); e.Retryable || e.RetryAfter != 0 {
				t.Errorf("%+v: it is tried again", e)
			}
			time.Sleep(time.Hour)
		}
		if tries != 1 {
			t.Errorf("opened %d times", tries)
		}
	})
}

// TestOpeningOutlivesWhoAsked lets the first hunt go away while the connection opens, and a reopening take long.
func TestOpeningOutlivesWhoAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, tries := newSource(t, acme(), 3), atomic.Int32{}
		c := wrap.New(func(ctx context.Context) (hunt.Connector, error) {
			time.Sleep(time.Minute)
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if tries.Add(1) == 1 {
				panic("oops")
			}
			return s, nil
		}, wrap.Options{Ref: acme()})
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.Describe(ctx)
		if e := wantError(t, err, hunt.SourceUnavailable); !strings.Contains(e.Error(), "still being opened") {
			t.Error(e)
		}
		_, err = c.Describe(t.Context())
		wantError(t, err, hunt.Internal)
		time.Sleep(10 * time.Second)
		began := time.Now()
		_, err = c.Describe(t.Context())
		if wantError(t, err, hunt.Internal); time.Since(began) > time.Second {
			t.Errorf("a hunt waited %v for a source that was down", time.Since(began))
		}
		time.Sleep(time.Minute)
		if _, err := c.Describe(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestAnOpenerThatHangs keeps callers waiting for as long as it may take to open, and not for ever.
func TestAnOpenerThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		c := wrap.New(func(context.Context) (hunt.Connector, error) { <-release; return nil, errors.New("at last") }, wrap.Options{Ref: acme()})
		began := time.Now()
		_, err := c.Describe(t.Context())
		if wantError(t, err, hunt.SourceUnavailable); time.Since(began) != 5*time.Minute {
			t.Errorf("waited %v", time.Since(began))
		}
		close(release)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestCloseWhileOpening(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		c := wrap.New(func(ctx context.Context) (hunt.Connector, error) {
			<-ctx.Done()
			return s, nil // too late, but still
		}, wrap.Options{Ref: acme()})
		outcome := make(chan error)
		go func() {
			_, err := c.Describe(t.Context())
			outcome <- err
		}()
		synctest.Wait()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		wantError(t, <-outcome, hunt.SourceUnavailable)
		_, err := s.Memory.Describe(t.Context())
		wantError(t, err, hunt.SourceUnavailable) // it was closed
		_, err = c.Describe(t.Context())
		wantError(t, err, hunt.SourceUnavailable)
	})
}
