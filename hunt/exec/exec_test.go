package exec_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// scripted is a connector that plays a script whatever it is asked.
type scripted struct {
	script func(ctx context.Context, yield func(hunt.Frame, error) bool)
	down   *hunt.Error

	retention time.Duration
}

func (s *scripted) Describe(context.Context) (*hunt.Description, error) {
	if s.down != nil {
		return nil, s.down
	}
	return &hunt.Description{Streams: []hunt.Stream{{Name: "s", Class: ocsf.ByUID(ocsf.BaseEvent), Attributes: map[string]bool{"message": true}, Retention: s.retention}}}, nil
}

func (s *scripted) Translate(r hunt.Request) (*hunt.Translation, error) {
	t := &hunt.Translation{Request: r, Native: "scripted"}
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		t.Predicates = append(t.Predicates, hunt.Disposed{Predicate: p, Disposition: hunt.Local})
	})
	return t, nil
}

func (s *scripted) Search(ctx context.Context, _ *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) { s.script(ctx, yield) }
}

func (s *scripted) Close() error { return nil }

// event is a row: its time in microseconds and its message, which is its uid as well.
type event struct {
	time    int64
	message string
}

func batch(events ...event) *hunt.Batch {
	class := ocsf.ByUID(ocsf.BaseEvent)
	b := array.NewRecordBuilder(memory.DefaultAllocator, hunt.Schema(class, []string{"message"}))
	for _, e := range events {
		b.Field(0).(*array.StringBuilder).Append(e.message)
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(e.time))
		b.Field(2).(*array.StringBuilder).Append(e.message)
	}
	return &hunt.Batch{Record: b.NewRecordBatch()}
}

// frames plays fixed frames.
func frames(list ...hunt.Frame) *scripted {
	return &scripted{script: func(_ context.Context, yield func(hunt.Frame, error) bool) {
		for _, f := range list {
			if !yield(f, nil) {
				return
			}
		}
	}}
}

// fails plays nothing but an error.
func fails(err *hunt.Error) *scripted {
	return &scripted{script: func(_ context.Context, yield func(hunt.Frame, error) bool) { yield(nil, err) }}
}

// engine makes connections named a, b, c ... of tenant t.
func engine(deadline time.Duration, list ...*scripted) *exec.Engine {
	e := &exec.Engine{}
	for i, c := range list {
		e.Connections = append(e.Connections, connect(string(rune('a'+i)), c, deadline))
	}
	return e
}

// connect keeps a connector without retries.
func connect(name string, c hunt.Connector, deadline time.Duration) exec.Connection {
	return exec.Connect("scripted", wrap.Opened(c), wrap.Options{Ref: hunt.ConnectionRef{Tenant: "t", Connection: name}, Deadline: deadline, Retry: wrap.Retry{Tries: 1}})
}

func query() *hunt.Query {
	return &hunt.Query{Class: ocsf.ByUID(ocsf.BaseEvent), Range: hunt.TimeRange{Start: 0, End: 100}, Where: hunt.True(), Columns: []string{"message"}, Tenants: []string{"t"}}
}

// messages returns the rows of a page as connection:message.
func messages(p *exec.Page) []string {
	var out []string
	for _, r := range p.Rows {
		for i := r.From; i < r.To; i++ {
			out = append(out, r.Ref.Connection+":"+r.Record.Column(2).(*array.String).Value(i))
		}
	}
	return out
}

func TestMergeInOrderAndDropRepeats(t *testing.T) {
	e := engine(0, frames(batch(event{1, "x"}, event{3, "y"}, event{3, "y"}), batch(event{3, "y"}, event{9, "z"}), hunt.End{}), frames(batch(event{2, "p"}, event{3, "a"}), hunt.End{}))
	p := e.Page(t.Context(), query(), 10)
	if got, want := messages(p), []string{"a:x", "b:p", "a:y", "b:a", "a:z"}; !slices.Equal(got, want) {
		t.Errorf("rows are %v, want %v", got, want)
	}
	if p.Coverage.Lines[0].Duplicates != 2 {
		t.Errorf("%d duplicates, want 2", p.Coverage.Lines[0].Duplicates)
	}
	if p.HasNext || !p.Coverage.Complete() || p.Coverage.Verdict(5) != hunt.Found {
		t.Errorf("page %+v is not the whole complete answer", p)
	}
}

func TestPageEndsExactly(t *testing.T) {
	e := engine(0, frames(batch(event{1, "x"}, event{2, "y"}), hunt.End{}))
	for first, next := range map[int]bool{0: true, 1: true, 2: false, 3: false} {
		p := e.Page(t.Context(), query(), first)
		if p.HasNext != next || p.Count != min(first, 2) {
			t.Errorf("first %d: %d rows, next %t; want next %t", first, p.Count, p.HasNext, next)
		}
	}
}

func TestHostRechecks(t *testing.T) {
	q := query()
	q.Where, _ = hunt.NewPredicate(q.Class.Column("message"), hunt.Eq, false, hunt.String("in"))
	q.After = &hunt.Key{Time: 5, Tenant: "t", Connection: "a", UID: "in"}
	e := engine(0, frames(batch(event{-1, "in"}, event{4, "in"}, event{5, "in"}, event{6, "in"}, event{7, "out"}, event{100, "in"}), hunt.End{}))
	if got := messages(e.Page(t.Context(), q, 10)); !slices.Equal(got, []string{"a:in"}) {
		t.Errorf("rows are %v; only the one at 6 is in the range, after the key and satisfies the hunt", got)
	}
}

func TestStatesOfASource(t *testing.T) {
	boom := &hunt.Error{Code: hunt.SourceUnavailable, Message: "connection reset", Retryable: true}
	damaged := &hunt.Error{Code: hunt.SourceDamaged, Message: "truncated"}
	for _, c := range []struct {
		name  string
		conn  *scripted
		state hunt.State
		code  hunt.Code
		rows  int
	}{
		{"complete", frames(batch(event{1, "x"}), hunt.End{}), hunt.Complete, "", 2},
		{"fails after rows", &scripted{script: func(_ context.Context, yield func(hunt.Frame, error) bool) {
			_ = yield(batch(event{1, "x"}), nil) && yield(nil, boom)
		}}, hunt.Failed, hunt.SourceUnavailable, 2},
		{"stops without End", frames(batch(event{1, "x"})), hunt.Failed, hunt.StreamWithoutEnd, 2},
		{"panics", &scripted{script: func(context.Context, func(hunt.Frame, error) bool) { panic("defect") }}, hunt.Failed, hunt.Internal, 1},
		{"plain error", &scripted{script: func(_ context.Context, yield func(hunt.Frame, error) bool) { yield(nil, errors.New("x")) }}, hunt.Failed, hunt.SourceFailed, 1},
		{"a part failed", frames(hunt.PartFailed{Part: "f.gz", Err: damaged}, batch(event{1, "x"}), hunt.End{}), hunt.Partial, hunt.SourceDamaged, 2},
		{"records rejected", frames(hunt.Rejected{Part: "f", Count: 3, Offset: 17, Reason: "no JSON"}, hunt.End{}), hunt.Partial, hunt.RecordsRejected, 1},
		{"rows after End", frames(hunt.End{}, batch(event{1, "x"})), hunt.Failed, hunt.SourceFailed, 1},
		{"refuses the credential", fails(&hunt.Error{Code: hunt.SourceDenied, Message: "the key has expired"}), hunt.Denied, hunt.SourceDenied, 1},
		{"asks to wait for good", fails(&hunt.Error{Code: hunt.SourceThrottled, Message: "too many requests"}), hunt.ThrottledOut, hunt.SourceThrottled, 1},
		{"says itself that it was too slow", fails(&hunt.Error{Code: hunt.SourceTimeout, Message: "no frame"}), hunt.TimedOut, hunt.SourceTimeout, 1},
		{"cannot be described", &scripted{down: boom}, hunt.Failed, hunt.SourceUnavailable, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			healthy := frames(batch(event{50, "h"}), hunt.End{})
			p := engine(0, c.conn, healthy).Page(t.Context(), query(), 10)
			l := p.Coverage.Lines[0]
			code := hunt.Code("")
			if l.Err != nil {
				code = l.Err.Code
			}
			if l.State != c.state || code != c.code || p.Count != c.rows {
				t.Errorf("state %s code %s rows %d, want %s %s %d", l.State, code, p.Count, c.state, c.code, c.rows)
			}
			if other := p.Coverage.Lines[1]; other.State != hunt.Complete || other.RowsReturned != 1 {
				t.Errorf("the healthy source is %s with %d rows", other.State, other.RowsReturned)
			}
			if want := c.state == hunt.Complete; p.Coverage.Complete() != want {
				t.Errorf("complete is %t", !want)
			}
		})
	}
	p := engine(0, frames(hunt.End{Truncated: true, Reason: "10,000 rows at most"})).Page(t.Context(), query(), 10)
	if p.Coverage.Complete() || p.Coverage.Verdict(0) != hunt.NotFoundPartial {
		t.Error("a truncated source passes for the whole")
	}
}

func TestDeadlineOfASource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hang := &scripted{script: func(ctx context.Context, yield func(hunt.Frame, error) bool) {
			_ = yield(batch(event{1, "x"}), nil)
			<-ctx.Done()
			yield(nil, ctx.Err())
		}}
		p := engine(time.Minute, hang, frames(batch(event{2, "h"}), hunt.End{})).Page(t.Context(), query(), 10)
		if l := p.Coverage.Lines[0]; l.State != hunt.TimedOut || l.Err.Code != hunt.SourceTimeout || l.Took != time.Minute {
			t.Errorf("the line is %+v, want TIMED_OUT after a minute", l)
		}
		if got := messages(p); !slices.Equal(got, []string{"a:x", "b:h"}) {
			t.Errorf("rows are %v: those that came stay", got)
		}
	})
}

func TestCallerGoesAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		hang := &scripted{script: func(ctx context.Context, yield func(hunt.Frame, error) bool) {
			defer close(ended)
			<-ctx.Done()
			yield(nil, ctx.Err())
		}}
		time.AfterFunc(time.Second, cancel)
		p := engine(0, hang).Page(ctx, query(), 10)
		<-ended
		if l := p.Coverage.Lines[0]; l.State == hunt.Complete {
			t.Errorf("a cancelled search is %s", l.State)
		}
	})
}

func TestEnoughRowsStopTheSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stopped := false
		endless := &scripted{script: func(ctx context.Context, yield func(hunt.Frame, error) bool) {
			for i := range int64(100) {
				if !yield(batch(event{i, fmt.Sprint("e", i)}), nil) {
					stopped = true
					return
				}
			}
			yield(hunt.End{}, nil)
		}}
		p := engine(0, endless).Page(t.Context(), query(), 3)
		if p.Count != 3 || !p.HasNext || !stopped {
			t.Errorf("%d rows, next %t, source stopped %t", p.Count, p.HasNext, stopped)
		}
		if l := p.Coverage.Lines[0]; l.State != hunt.Complete || l.Err != nil {
			t.Errorf("the line is %s %v: having seen enough is no gap", l.State, l.Err)
		}
	})
}

func TestUnorderedSourceFails(t *testing.T) {
	for name, conn := range map[string]*scripted{
		"within a batch":  frames(batch(event{5, "x"}, event{3, "y"}), hunt.End{}),
		"between batches": frames(batch(event{5, "x"}), batch(event{3, "y"}), hunt.End{}),
	} {
		p := engine(0, conn).Page(t.Context(), query(), 10)
		if l := p.Coverage.Lines[0]; l.State != hunt.Failed || l.Err.Code != hunt.SourceFailed {
			t.Errorf("%s: the line is %s: pages of it would lose rows", name, l.State)
		}
	}
}

func TestSlowReaderIsNotTheSourcesFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var list []hunt.Frame
		for i := range int64(10) {
			list = append(list, batch(event{i, fmt.Sprint("e", i)}))
		}
		e := engine(time.Second, frames(append(list, hunt.End{})...)).Start(t.Context(), query(), nil)
		rows := 0
		for run := range e.Rows() {
			rows += run.To - run.From
			time.Sleep(10 * time.Second) // the clock of the bubble
		}
		e.Close()
		if l := e.Coverage().Lines[0]; rows != 10 || l.State != hunt.Complete {
			t.Errorf("%d rows, %s: a slow reader timed the source out", rows, l.State)
		}
	})
}

// deaf describes only when the test ends, whatever its context says, and defective panics where it should answer.
type deaf struct {
	scripted
	until chan struct{}
}

func (d *deaf) Describe(context.Context) (*hunt.Description, error) {
	<-d.until
	return nil, nil
}

type defective struct{ scripted }

func (*defective) Translate(hunt.Request) (*hunt.Translation, error) { panic("defect") }

func TestOneBadConnectionKeepsNobodyWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &deaf{until: make(chan struct{})}
		e := engine(0, frames(batch(event{1, "h"}), hunt.End{}))
		for i, c := range []hunt.Connector{bad, &defective{}} {
			e.Connections = append(e.Connections, connect(fmt.Sprint("z", i), c, 0))
		}
		p := e.Page(t.Context(), query(), 10)
		close(bad.until)
		if got := messages(p); !slices.Equal(got, []string{"a:h"}) {
			t.Errorf("rows are %v", got)
		}
		for i, want := range []hunt.Code{hunt.SourceTimeout, hunt.Internal} {
			if l := p.Coverage.Lines[i+1]; l.State != hunt.StateOf(want) || l.Err.Code != want {
				t.Errorf("%s is %s %v, want %s", l.Connection, l.State, l.Err, want)
			}
		}
	})
}

func TestTenantWithoutConnectionIsNotSearched(t *testing.T) {
	q := query()
	q.Tenants = []string{"t", "typo"}
	p := engine(0, frames(hunt.End{})).Page(t.Context(), q, 10)
	if len(p.Coverage.Lines) != 2 || p.Coverage.Complete() || p.Coverage.Verdict(0) != hunt.NotFoundPartial {
		t.Errorf("coverage is %+v: nothing of the tenant typo was searched", p.Coverage.Lines)
	}
}

// TestRetention: what the source no longer has is not searched, and the line says so even though the rest was.
func TestRetention(t *testing.T) {
	day := 24 * time.Hour
	for _, c := range []struct {
		start, end int64 // days before now
		state      hunt.State
		kept       bool
	}{{30, 1, hunt.Complete, false}, {90, 1, hunt.Complete, false}, {91, 1, hunt.Partial, true}, {200, 100, hunt.ImpossibleState, false}} {
		q := query()
		q.Now = (1000 * day).Microseconds()
		q.Range = hunt.TimeRange{Start: q.Now - (time.Duration(c.start) * day).Microseconds(), End: q.Now - (time.Duration(c.end) * day).Microseconds()}
		source := frames(batch(event{q.Range.End - 1, "x"}), hunt.End{})
		source.retention = 90 * day
		l := engine(0, source).Page(t.Context(), q, 10).Coverage.Lines[0]
		if l.State != c.state || (l.Kept != nil) != c.kept || (l.Err != nil) != (c.state != hunt.Complete) {
			t.Errorf("%d to %d days ago: %s, kept %v, %v; want %s", c.start, c.end, l.State, l.Kept, l.Err, c.state)
		}
		if l.Err != nil && l.Err.Code != hunt.BeyondRetention {
			t.Errorf("%d to %d days ago: %v", c.start, c.end, l.Err)
		}
		if c.kept && l.Searched != *l.Kept {
			t.Errorf("%d to %d days ago: searched %s, kept %s", c.start, c.end, l.Searched, l.Kept)
		}
	}
}
