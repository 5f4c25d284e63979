package wrap

import (
	"cmp"
	"context"
	"sync/atomic"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// Opener opens a connection. The error is a *hunt.Error; BAD_CONFIG is final, all others are tried again. The context ends when the
// connection is closed or openTimeout has passed, not with the hunt that asked first.
type Opener func(ctx context.Context) (hunt.Connector, error)

// Opened returns the opener of a connection that is open already. It cannot be opened anew.
func Opened(c hunt.Connector) Opener {
	var given atomic.Bool
	return func(context.Context) (hunt.Connector, error) {
		if given.Swap(true) {
			return nil, hunt.Errorf(hunt.SourceUnavailable, "the connection was opened by the program and cannot be opened anew")
		}
		return c, nil
	}
}

// Options say how a connection is kept. Ref is required; everything else has a default that fits.
type Options struct {
	// Ref names the connection. Searches are resumed after keys that hold it, so it must be the identity that the connector has.
	Ref hunt.ConnectionRef
	// Limits, Memory and Cache are shared by all connections of a gateway. Without Limits and Memory the connection has its own;
	// without Cache no result is kept.
	Limits *Limits
	Memory *Memory
	Cache  *Cache
	// CacheTTL lets answers of searches without a snapshot be given again for so long; 0 for never. Answers with a snapshot stay true.
	CacheTTL time.Duration
	Retry    Retry
	Breaker  Breaker
	Reopen   Backoff // between tries to open; 1 second to 5 minutes by default
	// Deadline is how long a source may take for one search, all tries and waits for its limits included; the time in which its rows
	// wait for a reader, or for memory, does not count. 0 for no deadline.
	Deadline time.Duration
	// FrameDeadline is how long a source may take for its next frame since it was asked for it, besides the waits that it announced
	// itself; 2 minutes by default, negative for no deadline.
	FrameDeadline time.Duration
	// DescribeDeadline is the same for Describe; 10 seconds by default, less than package exec waits.
	DescribeDeadline time.Duration
	// TranslateDeadline is the same for Translate, which does no I/O but may cross a process boundary; 2 seconds by default.
	TranslateDeadline time.Duration
	// Log is told of what operators want to know: an event in a few words, then names and values by turns. It may be nil and is
	// called from several goroutines at once.
	Log func(event string, fields ...any)
}

// Backoff is a series of waits that doubles: First, twice First and so on, at most Max; each is shortened by up to a half at random,
// so that many who failed together do not come back together.
type Backoff struct{ First, Max time.Duration }

// Retry says how often a search is tried again and when. Errors that are not Retryable are never tried again.
type Retry struct {
	// Tries is how many tries in a row may bring no new row; 4 by default, 1 for no retry.
	Tries int
	// Backoff is the wait where the source names none; 500 milliseconds to 30 seconds by default.
	Backoff Backoff
}

// Breaker says when a connection is left alone.
type Breaker struct {
	Failures int           // in a row; 5 by default
	Delay    time.Duration // until one call is let through again, give or take a tenth; 30 seconds by default
}

// withDefaults fills what was left out.
func (o Options) withDefaults() Options {
	if o.Limits == nil {
		o.Limits = NewLimits()
	}
	if o.Memory == nil {
		o.Memory = NewMemory(0, 0)
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	o.Retry.Tries = cmp.Or(o.Retry.Tries, 4)
	o.Retry.Backoff = o.Retry.Backoff.or(500*time.Millisecond, 30*time.Second)
	o.Reopen = o.Reopen.or(time.Second, 5*time.Minute)
	o.Breaker.Failures = cmp.Or(o.Breaker.Failures, 5)
	o.Breaker.Delay = cmp.Or(o.Breaker.Delay, 30*time.Second)
	o.FrameDeadline = cmp.Or(o.FrameDeadline, 2*time.Minute)
	o.TranslateDeadline = cmp.Or(o.TranslateDeadline, 2*time.Second)
	o.DescribeDeadline = cmp.Or(o.DescribeDeadline, 10*time.Second)
	return o
}

func (b Backoff) or(first, most time.Duration) Backoff {
	b.First = cmp.Or(b.First, first)
	b.Max = max(cmp.Or(b.Max, most), b.First)
	return b
}
