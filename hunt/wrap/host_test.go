package wrap_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// TestAHuntOverWrappedConnections runs hunts of package exec over a source that breaks, one that asks to wait and one that was down.
func TestAHuntOverWrappedConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &exec.Engine{}
		limits, memory, cache := wrap.NewLimits(), wrap.NewMemory(0, 0), wrap.NewCache(0)
		add := func(name string, open func(*source) wrap.Opener) {
			ref := hunt.ConnectionRef{Tenant: "acme", Connection: name}
			o := wrap.Options{Ref: ref, Limits: limits, Memory: memory, Cache: cache}
			engine.Connections = append(engine.Connections, exec.Connect("test", open(newSource(t, ref, 500)), o))
		}
		add("breaks", func(s *source) wrap.Opener {
			s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
				if n == 1 {
					return give(&hunt.Batch{Record: events(0, 30)}, failure(hunt.SourceFailed))
				}
				return in(100, plain)
			}
			return wrap.Opened(s)
		})
		add("throttles", func(s *source) wrap.Opener {
			s.search = func(_ context.Context, n int, _ *hunt.Translation, plain frames) frames {
				if n == 1 {
					return fails(&hunt.Error{Code: hunt.SourceThrottled, Retryable: true, RetryAfter: 20 * time.Second})
				}
				return plain
			}
			return wrap.Opened(s)
		})
		tries := 0
		add("was down", func(s *source) wrap.Opener {
			return func(context.Context) (hunt.Connector, error) {
				if tries++; tries == 1 {
					return nil, errors.New("no route to host")
				}
				return s, nil
			}
		})
		query := func() *hunt.Query {
			return &hunt.Query{Class: class(), Range: hunttest.Always(), Where: hunt.True(), Tenants: []string{"acme"}}
		}
		page := engine.Page(t.Context(), query(), 5000)
		if page.Count != 1000 || page.Coverage.Complete() {
			t.Errorf("%d rows, complete %v: one source is down, the others have 1000", page.Count, page.Coverage.Complete())
		}
		for range 2 { // the second is from the cache
			page = engine.Page(t.Context(), query(), 5000)
			if page.Count != 1500 || !page.Coverage.Complete() {
				t.Errorf("%d rows, %+v", page.Count, page.Coverage.Lines)
			}
		}
		for _, c := range engine.Connections {
			if h := c.Connector.Health(); h.State != wrap.Healthy || h.Cached == 0 || h.Rows != 500 {
				t.Errorf("%s: %+v", c.Ref, h)
			}
		}
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
}
