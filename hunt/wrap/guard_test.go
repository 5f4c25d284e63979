package wrap_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// deaf is a search that hangs after some frames and does not listen to its context, until the test lets go of it.
func deaf(release chan struct{}, list ...any) func(context.Context, int, *hunt.Translation, frames) frames {
	return func(context.Context, int, *hunt.Translation, frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			open := true
			give(list...)(func(f hunt.Frame, err error) bool {
				open = yield(f, err)
				return open
			})
			<-release
		}
	}
}

func TestAConnectorThatHangs(t *testing.T) {
	once := wrap.Retry{Tries: 1}
	for name, c := range map[string]struct {
		options wrap.Options
		timeout time.Duration // of the hunt
		code    hunt.Code
		after   time.Duration
		message string
	}{
		"frame deadline":    {wrap.Options{FrameDeadline: 5 * time.Second, Retry: once}, time.Hour, hunt.SourceTimeout, 5 * time.Second, "gave nothing for 5s"},
		"source deadline":   {wrap.Options{Deadline: 5 * time.Second, Retry: once}, time.Hour, hunt.SourceTimeout, 5 * time.Second, "before its deadline"},
		"three tries":       {wrap.Options{Deadline: 12 * time.Second, FrameDeadline: 5 * time.Second}, time.Hour, hunt.SourceTimeout, 12 * time.Second, "(tried 3 times)"},
		"the hunt is over":  {wrap.Options{}, 5 * time.Second, hunt.SourceTimeout, 5 * time.Second, "deadline of the hunt"},
		"default deadlines": {wrap.Options{Retry: once}, time.Hour, hunt.SourceTimeout, 2 * time.Minute, "gave nothing"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, release := newSource(t, acme(), 3), make(chan struct{})
			s.search = deaf(release, hunt.Progress{})
			conn := described(t, s, c.options)
			ctx, cancel := context.WithTimeout(t.Context(), c.timeout)
			defer cancel()
			began := time.Now()
			a := read(ctx, conn, translated(t, conn, everything()), nil)
			e := wantError(t, a.err, c.code)
			if took := time.Since(began); took < c.after || took > c.after+time.Second/2 || !strings.Contains(e.Error(), c.message) {
				t.Errorf("%s: %v after %v", name, e, took)
			}
			time.Sleep(time.Second)
			if h := conn.Health(); h.Abandoned == 0 || h.State != wrap.Degraded || h.InFlight != 0 {
				t.Errorf("%s: health is %+v", name, h)
			}
			close(release)
			synctest.Wait()
			if h := conn.Health(); h.Abandoned != 0 {
				t.Errorf("%s: %d calls are left behind after they ended", name, h.Abandoned)
			}
		})
	}
}

func TestADescribeThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newSource(t, acme(), 3), make(chan struct{})
		s.describe = func(context.Context, int) (*hunt.Description, error) {
			<-release
			return nil, failure(hunt.SourceFailed)
		}
		c := kept(t, s, wrap.Options{})
		began := time.Now()
		_, err := c.Describe(t.Context())
		wantError(t, err, hunt.SourceTimeout)
		if h := c.Health(); time.Since(began) != 10*time.Second || h.Abandoned != 1 || h.State != wrap.Down {
			t.Errorf("after %v: %+v", time.Since(began), h)
		}
		close(release)
		synctest.Wait()
		if h := c.Health(); h.Abandoned != 0 {
			t.Error("the call ended and is still counted")
		}
	})
}

// TestASlowReaderIsNotTheSourcesFault reads one frame an hour.
func TestASlowReaderIsNotTheSourcesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 50)
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames { return in(10, plain) }
		c := described(t, s, wrap.Options{Deadline: 10 * time.Second, FrameDeadline: time.Second})
		a := read(t.Context(), c, translated(t, c, everything()), func(*answer) bool { time.Sleep(time.Hour); return false })
		wantAll(t, a, 50)
	})
}

// TestAnAnnouncedWaitIsNoSilence: a source that said how long it waits is not late before that.
func TestAnAnnouncedWaitIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		s.search = func(_ context.Context, _ int, _ *hunt.Translation, plain frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				if yield(hunt.Throttled{RetryAfter: time.Minute}, nil) {
					time.Sleep(61 * time.Second)
					plain(yield)
				}
			}
		}
		wantAll(t, ask(t, described(t, s, wrap.Options{FrameDeadline: 2 * time.Second})), 3)
	})
}

// TestTheDeadlineIsOfAllTries: waits between tries count as well.
func TestTheDeadlineIsOfAllTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSource(t, acme(), 3)
		s.search = func(context.Context, int, *hunt.Translation, frames) frames {
			time.Sleep(6 * time.Second)
			return fails(failure(hunt.SourceFailed))
		}
		c := described(t, s, wrap.Options{Deadline: 10 * time.Second, Retry: wrap.Retry{Tries: 100, Backoff: wrap.Backoff{First: 2 * time.Second}}})
		began := time.Now()
		wantError(t, ask(t, c).err, hunt.SourceTimeout)
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// TestCloseOfAConnectorThatHangs does not wait for ever.
func TestCloseOfAConnectorThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, release := newSource(t, acme(), 3), make(chan struct{})
		s.search = deaf(release)
		c := wrap.New(wrap.Opened(s), wrap.Options{Ref: acme()})
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		outcome := make(chan answer)
		go func() { outcome <- ask(t, c) }()
		synctest.Wait()
		began := time.Now()
		err := c.Close()
		if wantError(t, err, hunt.SourceTimeout); time.Since(began) > 15*time.Second {
			t.Errorf("Close took %v", time.Since(began))
		}
		if again := c.Close(); again != err {
			t.Errorf("the second Close says %v", again)
		}
		wantError(t, (<-outcome).err, hunt.SourceUnavailable)
		close(release)
		synctest.Wait()
	})
}

// mute hangs when it is asked to translate.
type mute struct {
	*source
	release chan struct{}
}

func (m mute) Translate(hunt.Request) (*hunt.Translation, error) {
	<-m.release
	return nil, failure(hunt.SourceFailed)
}

func TestATranslateThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := mute{newSource(t, acme(), 3), make(chan struct{})}
		c := wrap.New(wrap.Opened(m), wrap.Options{Ref: acme()})
		defer c.Close() //nolint:errcheck // it holds nothing
		if _, err := c.Describe(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		_, err := c.Translate(everything())
		wantError(t, err, hunt.SourceTimeout)
		if took := time.Since(began); took != 2*time.Second || c.Health().Abandoned != 1 {
			t.Errorf("it took %v, and %d calls are left behind", took, c.Health().Abandoned)
		}
		close(m.release)
		synctest.Wait()
		if c.Health().Abandoned != 0 {
			t.Error("the call ended and is still counted")
		}
	})
}
