package conformance

import (
	"cmp"
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
)

// Data is events of one stream.
type Data struct {
	Stream *hunt.Stream      // Name, Class and Attributes
	Record arrow.RecordBatch // all columns of the class, null where the stream has no attribute; rows in any order
}

// Suite says how to test a connector. With Open it is tested over events that the suite makes; with Connect alone it is surveyed: what
// its streams hold is read first, and every other answer is compared with that. The hooks after Open may be nil; a behaviour that needs
// one is skipped then and says so. They act on the source that was opened last.
type Suite struct {
	// Open loads the data into a fresh source and connects to it. The connector may give events uids of its own. It is called several
	// times, also with a part of the streams.
	Open func(ctx context.Context, data []Data) (hunt.Connector, error)
	// Connect opens one more connection to the source, as a restarted gateway does.
	Connect func(ctx context.Context) (hunt.Connector, error)
	// Grow adds events to the source. Events that it holds already are given too; they are no new events then.
	Grow func(ctx context.Context, more Data) error
	// Remove deletes events from the source; they are as the source gave them, with all columns of the stream.
	Remove func(ctx context.Context, gone Data) error
	// Fault makes the source fail from now on, also in searches that run, until mend is called.
	Fault func(ctx context.Context) (mend func() error, err error)
	// Throttle makes the source refuse its next requests, as many as are given; it tells to wait for retryAfter if that is not 0.
	Throttle func(ctx context.Context, requests int, retryAfter time.Duration) error

	// Identity is the connection's; the function Identity if it is zero. Paging compares keys with it.
	Identity hunt.Identity
	// Streams says what data to make, by Name, Class and Attributes; nil for one stream of each of four classes, three of them with all
	// attributes and one with every other.
	Streams []hunt.Stream
	// Volume is the stream of which many events are made, of a class that Streams does not have; nil for some attributes of dns_activity.
	Volume *hunt.Stream
	// Rows is how many events Volume gets, 5,000 if it is 0. In a survey it bounds what is read of each stream.
	Rows int
	// Keep refuses values that the source cannot store, as sample.Keeping does; nil keeps all.
	Keep func(path string, v hunt.Value) bool
	// Secrets are texts that no description, native query or error may hold.
	Secrets []string
	// Background names functions whose goroutines the connector keeps while it is open; they are no leaks.
	Background []string
	// Thorough asks several times as much: every case for every stream.
	Thorough bool
	// Beside is shared by suites that run at the same time in one process, so that none works while another one measures its memory; nil for
	// one that runs alone.
	Beside *sync.RWMutex
}

// beside keeps suites that run at the same time out of the way of a behaviour until the function that it returns is called.
func (s Suite) beside(b *behaviour) (done func()) {
	switch {
	case s.Beside == nil:
		return func() {}
	case b.Name == leaks:
		s.Beside.Lock()
		return s.Beside.Unlock
	}
	s.Beside.RLock()
	return s.Beside.RUnlock
}

// Identity returns which connection a suite tests if it does not say.
func Identity() hunt.Identity { return hunt.Identity{Tenant: "mm", Connection: "conformance"} }

// Behaviour is one thing that a connector must do.
type Behaviour struct {
	Name     string
	Contract string // one sentence
}

// Result is what became of checking one behaviour.
type Result struct {
	Behaviour
	Problems []error       // what is wrong, ten at most; none if the behaviour is kept
	Skipped  string        // why it does not apply or cannot be tested; "" if it was
	Notes    []string      // what was left out of a behaviour that was checked, one line each
	Cases    int           // requests that were made and judged
	Took     time.Duration // wall-clock time
}

// Session checks behaviours over one source that those share which change nothing. Behaviours must not be checked at the same time: one
// would see the goroutines of the other.
type Session struct {
	suite  Suite
	shared *source
}

// Begin opens the shared source. Close ends the session.
func (s Suite) Begin(ctx context.Context) (*Session, error) {
	shared, err := s.open(ctx, everything)
	if err != nil {
		return nil, err
	}
	return &Session{suite: s, shared: shared}, nil
}

// Close closes the connection of the shared source.
func (x *Session) Close() error { return x.shared.conn.Close() }

// Check checks one behaviour over a source of its own. An error of Open is a problem.
func (s Suite) Check(ctx context.Context, name string) Result {
	x := &Session{suite: s}
	if b := find(name); b != nil && b.ground == shared {
		began := time.Now()
		opened, err := s.Begin(ctx)
		if err != nil {
			return Result{Behaviour: b.Behaviour, Problems: []error{fmt.Errorf("the source could not be opened: %w", err)}, Took: time.Since(began)}
		}
		x = opened
		defer x.Close() //nolint:errcheck // Close has a behaviour of its own
	}
	return x.Check(ctx, name)
}

// Check checks one behaviour. It returns when the check has ended, or soon after ctx or the behaviour's own bound of time has.
func (x *Session) Check(ctx context.Context, name string) Result {
	b := find(name)
	if b == nil {
		return Result{Behaviour: Behaviour{Name: name}, Problems: []error{fmt.Errorf("there is no behaviour %q; Behaviours lists them", name)}}
	}
	began, most := time.Now(), 3*time.Minute
	if x.suite.Thorough {
		most *= 10
	}
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	s := x.suite.subject(ctx, b, x.shared)
	over := make(chan struct{})
	go func() {
		defer close(over)
		s.run()
	}()
	select {
	case <-over:
	case <-ctx.Done():
		s.wait(over)
	}
	out := s.result()
	out.Took = time.Since(began)
	return out
}

// seed makes the same random events in every check of a behaviour.
func seed(name string) *rand.Rand {
	h := fnv.New64a()
	h.Write([]byte(name)) //nolint:errcheck // it never fails
	return rand.New(rand.NewPCG(42, h.Sum64()))
}

func (s Suite) identity() hunt.Identity {
	if s.Identity == (hunt.Identity{}) {
		return Identity()
	}
	return s.Identity
}

// survey says whether the source holds what it holds.
func (s Suite) survey() bool { return s.Open == nil }

func (s Suite) rows() int { return cmp.Or(s.Rows, 5000) }
