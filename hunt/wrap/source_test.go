package wrap_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	arrowmemory "github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type frames = iter.Seq2[hunt.Frame, error]

// source is a memory connection whose methods a test may replace. Searches are numbered from 1.
type source struct {
	*memory.Memory
	ref      hunt.ConnectionRef
	describe func(ctx context.Context, n int) (*hunt.Description, error)
	search   func(ctx context.Context, n int, t *hunt.Translation, plain frames) frames
	said     func(*hunt.Description)
	refuse   func(n int) error // of Translate, which is numbered from 1

	mu                  sync.Mutex
	searches, describes int
	translations        int
	live, most          int
	requests            []hunt.Request
}

// newSource holds rows events, one per microsecond from 0.
func newSource(t testing.TB, ref hunt.ConnectionRef, rows int) *source {
	t.Helper()
	s := &source{Memory: memory.Open(hunt.Identity(ref)), ref: ref}
	if err := s.Append(&hunt.Stream{Name: "s", Class: class(), Attributes: map[string]bool{}}, events(0, rows)); err != nil {
		t.Fatal(err)
	}
	return s
}

func class() *ocsf.Class { return ocsf.ByUID(ocsf.NetworkActivity) }

func acme() hunt.ConnectionRef { return hunt.ConnectionRef{Tenant: "acme", Connection: "edr"} }

// events are the rows from to to: of each number one event at that microsecond.
func events(from, to int) arrow.RecordBatch {
	b := array.NewRecordBuilder(arrowmemory.DefaultAllocator, hunt.Schema(class(), nil))
	for i := from; i < to; i++ {
		b.Field(0).(*array.StringBuilder).Append(fmt.Sprintf("%08d", i))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(i))
	}
	return b.NewRecordBatch()
}

func (s *source) Describe(ctx context.Context) (*hunt.Description, error) {
	s.mu.Lock()
	s.describes++
	n := s.describes
	s.mu.Unlock()
	if s.describe != nil {
		return s.describe(ctx, n)
	}
	d, err := s.Memory.Describe(ctx)
	if err == nil && s.said != nil {
		s.said(d)
	}
	return d, err
}

func (s *source) Translate(r hunt.Request) (*hunt.Translation, error) {
	s.mu.Lock()
	s.translations++
	n := s.translations
	s.mu.Unlock()
	if s.refuse != nil {
		if err := s.refuse(n); err != nil {
			return nil, err
		}
	}
	return s.Memory.Translate(r)
}

func (s *source) Search(ctx context.Context, t *hunt.Translation) frames {
	return func(yield func(hunt.Frame, error) bool) {
		s.mu.Lock()
		s.searches++
		n := s.searches
		s.live++
		s.most = max(s.most, s.live)
		s.requests = append(s.requests, t.Request)
		s.mu.Unlock()
		defer func() {
			s.mu.Lock()
			s.live--
			s.mu.Unlock()
		}()
		plain := s.Memory.Search(ctx, t)
		if s.search != nil {
			plain = s.search(ctx, n, t, plain)
		}
		plain(yield)
	}
}

func (s *source) counts() (searches, live, most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.searches, s.live, s.most
}

// in gives a memory answer in batches of n rows.
func in(n int, plain frames) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for f, err := range plain {
			b, ok := f.(*hunt.Batch)
			if !ok {
				if !yield(f, err) {
					return
				}
				continue
			}
			for from := int64(0); from < b.Record.NumRows(); from += int64(n) {
				if !yield(&hunt.Batch{Record: b.Record.NewSlice(from, min(from+int64(n), b.Record.NumRows()))}, nil) {
					return
				}
			}
		}
	}
}

// give makes an iterator of frames and errors.
func give(list ...any) frames {
	return func(yield func(hunt.Frame, error) bool) {
		for _, x := range list {
			f, _ := x.(hunt.Frame)
			err, _ := x.(error)
			if !yield(f, err) {
				return
			}
		}
	}
}

func fails(err error) frames { return give(err) }

func failure(code hunt.Code) *hunt.Error {
	return &hunt.Error{Code: code, Message: "it broke", Retryable: true}
}

// kept wraps a source and closes it when the test ends.
func kept(t testing.TB, s *source, o wrap.Options) *wrap.Connection {
	t.Helper()
	o.Ref = s.ref
	c := wrap.New(wrap.Opened(s), o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error("Close:", err)
		}
	})
	return c
}

// described is kept, and was asked once what it holds, as hosts do.
func described(t testing.TB, s *source, o wrap.Options) *wrap.Connection {
	t.Helper()
	c := kept(t, s, o)
	if _, err := c.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func everything() hunt.Request {
	return hunt.Request{Stream: "s", Class: class(), Range: hunttest.Always(), Where: hunt.True()}
}

func translated(t testing.TB, c hunt.Connector, r hunt.Request) *hunt.Translation {
	t.Helper()
	tr, err := c.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// answer is what a search gave.
type answer struct {
	rows   []int64 // their times
	gaps   []hunt.Frame
	waits  []hunt.Throttled
	end    *hunt.End
	err    *hunt.Error
	frames int
}

// read reads a search to its end, or until stop says so.
func read(ctx context.Context, c hunt.Connector, t *hunt.Translation, stop func(*answer) bool) (a answer) {
	for f, err := range c.Search(ctx, t) {
		if err != nil {
			a.err = hunt.AsError(err, hunt.Internal)
			return a
		}
		a.frames++
		switch f := f.(type) {
		case *hunt.Batch:
			for i := range int(f.Record.NumRows()) {
				us, _ := vector.KeyAt(f.Record, i)
				a.rows = append(a.rows, us)
			}
		case hunt.Throttled:
			a.waits = append(a.waits, f)
		case hunt.PartFailed, hunt.Rejected:
			a.gaps = append(a.gaps, f)
		case hunt.End:
			a.end = &f
		}
		if stop != nil && stop(&a) {
			return a
		}
	}
	return a
}

// ask opens, translates and reads everything.
func ask(t testing.TB, c hunt.Connector) answer {
	t.Helper()
	return read(t.Context(), c, translated(t, c, everything()), nil)
}

// upTo are the times of rows events.
func upTo(rows int) []int64 {
	out := make([]int64, rows)
	for i := range out {
		out[i] = int64(i)
	}
	return out
}

// wantAll checks that an answer is complete and has every row once, in order.
func wantAll(t testing.TB, a answer, rows int) {
	t.Helper()
	if a.err != nil || a.end == nil || !slices.Equal(a.rows, upTo(rows)) {
		t.Errorf("%d rows, end %v, error %v; want the %d rows, each once and in order", len(a.rows), a.end, a.err, rows)
	}
}

func wantError(t testing.TB, err error, code hunt.Code) *hunt.Error {
	t.Helper()
	e := hunt.AsError(err, hunt.Internal)
	if err == nil || e.Code != code {
		t.Fatalf("error is %v, want %s", err, code)
	}
	return e
}
