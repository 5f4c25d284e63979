package wrap

import (
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/harrier-xdr/harrier/hunt"
)

// breaker leaves a source alone that failed so often in a row. After the delay one call is let through: its success closes the breaker,
// its failure opens it again.
type breaker struct {
	circuit circuitbreaker.CircuitBreaker[any]
	mu      sync.Mutex
	last    *hunt.Error // of the failures; nil before the first
}

func newBreaker(b Breaker, changed func(from, to string)) *breaker {
	return &breaker{circuit: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(b.Failures)).WithSuccessThreshold(1).WithDelay(b.Delay).WithJitterFactor(0.1).
		OnStateChanged(func(e circuitbreaker.StateChangedEvent) { changed(e.OldState.String(), e.NewState.String()) }).Build()}
}

// permit is the right to make one call; its holder settles it once.
type permit struct {
	b     *breaker
	trial bool // the one call that decides whether the breaker closes
}

// acquire lets a call through, or says when the source is asked again.
func (b *breaker) acquire() (*permit, *hunt.Error) {
	if !b.circuit.TryAcquirePermit() {
		return nil, b.suspended()
	}
	return &permit{b, b.circuit.IsHalfOpen()}, nil
}

// refuses says whether a call would fail now, without making it the one that is let through.
func (b *breaker) refuses() *hunt.Error {
	if b.circuit.IsOpen() && b.circuit.RemainingDelay() > 0 {
		return b.suspended()
	}
	return nil
}

// suspended is the error of a call that is not made. While another call is under way to try the source, a second is soon enough.
func (b *breaker) suspended() *hunt.Error {
	wait := b.circuit.RemainingDelay()
	if wait == 0 {
		wait = time.Second
	}
	e := &hunt.Error{Code: hunt.SourceSuspended, Retryable: true, RetryAfter: wait,
		Message: "the source failed so often that it is left alone for " + wait.Round(time.Second).String()}
	if last := b.lastFailure(); last != nil {
		e.Message += "; it last said: " + last.Error()
		e.Cause = last
	}
	return e
}

func (b *breaker) lastFailure() *hunt.Error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.last
}

// settle takes what became of the call. What says nothing about the source (it was cancelled, the query was wrong) neither closes nor
// opens; then the next call may try.
func (p *permit) settle(err *hunt.Error) {
	switch {
	case err == nil:
		p.b.circuit.RecordSuccess()
	case ofHealth(err.Code):
		p.b.mu.Lock()
		p.b.last = err
		p.b.mu.Unlock()
		p.b.circuit.RecordFailure()
	default:
		p.drop()
	}
}

// drop gives the permit back without a word about the source. A trial that said nothing is replaced by a new one.
func (p *permit) drop() {
	if p.trial && p.b.circuit.IsHalfOpen() {
		p.b.circuit.Open()
		p.b.circuit.HalfOpen()
	}
}

// ofHealth says whether an error of that code speaks of the source's health, rather than of the query, the caller or the credential.
func ofHealth(code hunt.Code) bool {
	return slices.Contains([]hunt.Code{
		hunt.SourceUnavailable, hunt.SourceFailed, hunt.SourceTimeout, hunt.StreamWithoutEnd, hunt.PluginCrashed, hunt.PluginProtocol,
	}, code)
}
