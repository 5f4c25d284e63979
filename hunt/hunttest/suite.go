package hunttest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance"
)

// Data is events that a source must hold before it is tested.
type Data = conformance.Data

// Suite says how to test a connector, as conformance.Suite does; hooks fail the test that they are given. Run is enough for most.
type Suite struct {
	// Open loads the data into a fresh source and connects to it as Identity. It may register clean-ups with t; the suite closes the
	// connection itself. The connector may give events uids of its own. It is called several times, also with a part of the streams.
	Open func(t *testing.T, data []Data) hunt.Connector
	// Connect opens one more connection to the source that was opened last, as a restarted gateway does; nil if the test cannot. With it,
	// uids are compared over connections.
	Connect func(t *testing.T) hunt.Connector
	// Grow adds events to the source that was opened last; nil if the test cannot. Events that it holds already are given too.
	Grow func(t *testing.T, more Data)
	// Remove deletes events from the source that was opened last; they are as the source gave them. nil if the test cannot.
	Remove func(t *testing.T, gone Data)
	// Fault makes the source that was opened last fail from now on, also in searches that run, until mend is called; nil if the test cannot.
	Fault func(t *testing.T) (mend func())
	// Throttle makes the source refuse its next requests, as many as are given; it tells to wait for retryAfter if that is not 0. nil if the
	// test cannot.
	Throttle func(t *testing.T, requests int, retryAfter time.Duration)

	// Streams says what data to make, by Name, Class and Attributes; nil for one stream of each of four classes, three of them with all
	// attributes and one with every other.
	Streams []hunt.Stream
	// Volume is the stream of which many events are made, of a class that Streams does not have; nil for some attributes of dns_activity.
	Volume *hunt.Stream
	// Rows is how many events Volume gets; 5,000 if it is 0.
	Rows int
	// Keep refuses values that the source cannot store, as Keeping does; nil keeps all.
	Keep func(path string, v hunt.Value) bool
	// Secrets are texts that no description, native query or error may hold.
	Secrets []string
	// Background names functions whose goroutines the connector keeps while it is open; they are no leaks.
	Background []string
	// Thorough asks several times as much.
	Thorough bool
	// Beside is shared by suites that run at the same time; nil for one that runs alone.
	Beside *sync.RWMutex
}

// Identity returns which connection the suite tests; paging compares keys with it.
func Identity() hunt.Identity { return conformance.Identity() }

// Run tests that a connector keeps the contract of package hunt, one subtest per behaviour. What is tested follows from the
// connector's own Description; a behaviour that a suite without a hook cannot test is skipped and says so. It looks for leaked
// goroutines, so it must not run in parallel with other tests.
func Run(t *testing.T, open func(t *testing.T, data []Data) hunt.Connector) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// Run tests as the function Run does.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	h := &hooks{Suite: s, t: t}
	session, err := h.suite().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { session.Close() }) //nolint:errcheck // Close has a behaviour of its own
	for _, b := range conformance.Behaviours() {
		t.Run(b.Name, func(t *testing.T) {
			h.t = t
			report(t, session.Check(t.Context(), b.Name))
		})
	}
}

// report shows a result.
func report(t *testing.T, r conformance.Result) {
	t.Helper()
	for _, note := range r.Notes {
		t.Log(note)
	}
	for _, err := range r.Problems {
		t.Error(err)
	}
	if r.Skipped != "" {
		t.Skip(r.Skipped)
	}
	t.Logf("%s (%d requests)", r.Contract, r.Cases)
}

// Behaviours returns the names of what the suite checks, for Check.
func Behaviours() []string {
	var out []string
	for _, b := range conformance.Behaviours() {
		out = append(out, b.Name)
	}
	return out
}

// Check opens a source and returns what is wrong with one behaviour, at most ten errors; what was left out is logged. It fails t only
// where a hook does.
func (s Suite) Check(t *testing.T, name string) []error {
	t.Helper()
	h := &hooks{Suite: s, t: t}
	r := h.suite().Check(t.Context(), name)
	for _, note := range append(r.Notes, r.Skipped) {
		if note != "" {
			t.Log(name + ": " + note)
		}
	}
	return r.Problems
}

// hooks calls the hooks of a suite with the test that runs.
type hooks struct {
	Suite
	t *testing.T
}

// suite is the suite that the engine takes.
func (h *hooks) suite() conformance.Suite {
	out := conformance.Suite{Identity: Identity(), Streams: h.Streams, Volume: h.Volume, Rows: h.Rows, Keep: h.Keep, Secrets: h.Secrets,
		Background: h.Background, Thorough: h.Thorough, Beside: h.Beside}
	if h.Open != nil {
		out.Open = func(_ context.Context, data []Data) (hunt.Connector, error) { return h.Open(h.t, data), nil }
	}
	if h.Connect != nil {
		out.Connect = func(context.Context) (hunt.Connector, error) { return h.Connect(h.t), nil }
	}
	if h.Grow != nil {
		out.Grow = func(_ context.Context, more Data) error { h.Grow(h.t, more); return nil }
	}
	if h.Remove != nil {
		out.Remove = func(_ context.Context, gone Data) error { h.Remove(h.t, gone); return nil }
	}
	if h.Fault != nil {
		out.Fault = func(context.Context) (func() error, error) {
			mend := h.Fault(h.t)
			return func() error { mend(); return nil }, nil
		}
	}
	if h.Throttle != nil {
		out.Throttle = func(_ context.Context, requests int, retryAfter time.Duration) error {
			h.Throttle(h.t, requests, retryAfter)
			return nil
		}
	}
	return out
}
