package hunttest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Data is events that a source must hold before it is tested.
type Data struct {
	Stream *hunt.Stream      // Name, Class and Attributes
	Record arrow.RecordBatch // all columns of the class, null where the stream has no attribute; rows in any order
}

// Suite says how to test a connector. Run is enough for most.
type Suite struct {
	// Open loads the data into a fresh source and connects to it as Identity. It may register clean-ups with t; the suite closes the
	// connection itself. The connector may give events uids of its own.
	Open func(t *testing.T, data []Data) hunt.Connector
	// Streams says what data to make, by Name, Class and Attributes; nil for one stream of each of four classes, three of them with all
	// attributes and one with every other.
	Streams []hunt.Stream
	// Keep refuses values that the source cannot store, as Keeping does; nil keeps all.
	Keep func(path string, v hunt.Value) bool
	// Grow adds events to the source that was opened last; nil if the test cannot. With it, snapshots are tested against newer events.
	Grow func(t *testing.T, more Data)
}

// Identity returns which connection the suite tests; paging compares keys with it.
func Identity() hunt.Identity { return hunt.Identity{Tenant: "mm", Connection: "conformance"} }

// Run tests that a connector keeps the contract of package hunt, one subtest per behaviour. What is tested follows from the
// connector's own Description, so there is nothing to skip. It looks for leaked goroutines, so it must not run in parallel with
// other tests.
func Run(t *testing.T, open func(t *testing.T, data []Data) hunt.Connector) {
	t.Helper()
	Suite{Open: open}.Run(t)
}

// Run tests as the function Run does.
func (s Suite) Run(t *testing.T) {
	t.Helper()
	for _, name := range Behaviours() {
		t.Run(name, func(t *testing.T) {
			for _, err := range s.Check(t, name) {
				t.Error(err)
			}
		})
	}
}

// behaviour is one thing that a connector must do.
type behaviour struct {
	name  string
	check func(*subject)
}

func behaviours() []behaviour {
	return []behaviour{
		{"Describe", checkDescribe},
		{"Contents", checkContents},
		{"Translate", checkTranslate},
		{"Impossible", checkImpossible},
		{"Predicates", checkPredicates},
		{"Expressions", checkExpressions},
		{"Order", checkOrder},
		{"Paging", checkPaging},
		{"ForeignKeys", checkForeignKeys},
		{"Range", checkRange},
		{"Limit", checkLimit},
		{"Projection", checkProjection},
		{"Snapshot", checkSnapshot},
		{"Concurrency", checkConcurrency},
		{"Cancel", checkCancel},
		{"Break", checkBreak},
		{"Close", checkClose},
	}
}

// Behaviours returns the names of what the suite checks, for Check.
func Behaviours() []string {
	var out []string
	for _, b := range behaviours() {
		out = append(out, b.name)
	}
	return out
}

// Check opens a source and returns what is wrong with one behaviour, at most ten errors. It fails t only where Open or Grow does.
func (s Suite) Check(t *testing.T, name string) (errs []error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	sub := &subject{t: t, ctx: ctx, suite: s, rng: rand.New(rand.NewPCG(42, 42))}
	defer func() {
		if p := recover(); p != nil {
			errs = append(sub.errs, fmt.Errorf("the connector panicked: %v", p))
		}
	}()
	for _, b := range behaviours() {
		if b.name == name {
			sub.open()
			defer sub.close()
			b.check(sub)
			return sub.errs
		}
	}
	return []error{fmt.Errorf("there is no behaviour %q; Behaviours lists them", name)}
}

// subject is a connector under test.
type subject struct {
	t      *testing.T
	ctx    context.Context
	suite  Suite
	rng    *rand.Rand
	data   []Data
	conn   hunt.Connector
	before goleak.Option // goroutines that were there before the first search
	errs   []error
}

// streams returns what data to make.
func (s *subject) streams() []hunt.Stream {
	if s.suite.Streams != nil {
		return s.suite.Streams
	}
	var out []hunt.Stream
	for _, uid := range []int64{ocsf.ProcessActivity, ocsf.NetworkActivity, ocsf.DetectionFinding, ocsf.Authentication} {
		class := ocsf.ByUID(uid)
		out = append(out, hunt.Stream{Name: "conformance", Class: class, Attributes: AllAttributes(class)})
	}
	last := &out[len(out)-1]
	for i := 0; i < len(last.Class.Columns); i += 2 {
		delete(last.Attributes, last.Class.Columns[i].Path)
	}
	return out
}

const rowsPerStream = 100

func (s *subject) open() {
	for _, st := range s.streams() {
		s.data = append(s.data, s.newData(st))
	}
	s.conn = s.suite.Open(s.t, s.data)
	s.before = goleak.IgnoreCurrent()
}

func (s *subject) newData(st hunt.Stream) Data {
	options := []BatchOption{Untimed(), Only(st.Attributes)}
	if s.suite.Keep != nil {
		options = append(options, Keeping(s.suite.Keep))
	}
	return Data{Stream: &st, Record: RandomBatch(s.rng, st.Class, rowsPerStream, options...)}
}

func (s *subject) close() {
	if err := s.conn.Close(); err != nil {
		s.errorf("Close: %v", err)
	}
}

// errorf notes a defect; ten are enough to see what is wrong.
func (s *subject) errorf(format string, args ...any) {
	if len(s.errs) < 10 {
		s.errs = append(s.errs, fmt.Errorf(format, args...))
	}
}

// leaks notes goroutines that came since the source was opened, but for those of connections that HTTP keeps open.
func (s *subject) leaks(when string) {
	err := goleak.Find(s.before, goleak.IgnoreAnyFunction("net/http.(*persistConn).readLoop"), goleak.IgnoreAnyFunction("net/http.(*persistConn).writeLoop"),
		goleak.IgnoreAnyFunction("net/http.(*conn).serve"), goleak.IgnoreAnyFunction("net/http.(*connReader).backgroundRead"))
	if err != nil {
		s.errorf("%s: goroutines are left: %v", when, err)
	}
}
