package graph_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/wrap"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

type frames = iter.Seq2[hunt.Frame, error]

// scripted is a connector over another one whose calls can be replaced.
type scripted struct {
	hunt.Connector
	describe  func() (*hunt.Description, error)
	translate func(*hunt.Translation) (*hunt.Translation, error)
	search    func(ctx context.Context, t *hunt.Translation, inner frames) frames
}

func (s *scripted) Describe(ctx context.Context) (*hunt.Description, error) {
	if s.describe != nil {
		return s.describe()
	}
	return s.Connector.Describe(ctx)
}

func (s *scripted) Translate(r hunt.Request) (*hunt.Translation, error) {
	t, err := s.Connector.Translate(r)
	if err == nil && s.translate != nil {
		return s.translate(t)
	}
	return t, err
}

func (s *scripted) Search(ctx context.Context, t *hunt.Translation) frames {
	inner := s.Connector.Search(ctx, t)
	if s.search != nil {
		return s.search(ctx, t, inner)
	}
	return inner
}

// instead puts frames before the end of a search; the end itself goes where it is nil.
func instead(with ...hunt.Frame) func(context.Context, *hunt.Translation, frames) frames {
	return func(_ context.Context, _ *hunt.Translation, inner frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			for f, err := range inner {
				end, last := f.(hunt.End)
				if !last && !yield(f, err) {
					return
				}
				if !last {
					continue
				}
				for _, g := range with {
					if g == nil {
						g = end
					}
					if !yield(g, nil) {
						return
					}
				}
			}
		}
	}
}

// failing breaks off with an error after its rows.
func failing(err error) func(context.Context, *hunt.Translation, frames) frames {
	return func(_ context.Context, _ *hunt.Translation, inner frames) frames {
		return func(yield func(hunt.Frame, error) bool) {
			for f := range inner {
				if _, last := f.(hunt.End); last {
					yield(nil, err)
					return
				}
				if !yield(f, nil) {
					return
				}
			}
		}
	}
}

// pair is a gateway with a healthy connection, "good", and a scripted one, "odd", of 10 rows each.
func pair(t testing.TB, odd *scripted) *world {
	_, good := filled(t, 1, "acme", "good", 10, ocsf.ProcessActivity)
	m, _ := filled(t, 2, "acme", "odd", 10, ocsf.ProcessActivity)
	odd.Connector = m
	return newWorld(t, good, connection("acme", "odd", odd))
}

const coverageQuery = `query($where: ProcessActivityFilter, $fail: OnSourceFailure) {processActivities(timeRange: ` + wide + `, first: 1000, where: $where, onSourceFailure: $fail) {
	nodes {connection} totalCount {value accuracy} pageInfo {hasNextPage}
	coverage {verdict complete connections {connection stream state reason missing rowsReturned duplicates rejected rejects {part offset count reason} parts {part error {code message}} truncated searched {start} error {code message retryable retryAfterMs}}}}}`

// lineOf is the coverage line of a connection.
func lineOf(t testing.TB, r *reply, name string) map[string]any {
	t.Helper()
	for _, l := range r.list("processActivities.coverage.connections") {
		if at(l, "connection") == name {
			return l.(map[string]any)
		}
	}
	t.Fatalf("no line of %s in %s; errors %v", name, r.raw, r.Errors)
	return nil
}

// rowsFrom counts the rows of a connection.
func rowsFrom(r *reply, name string) int {
	n := 0
	for _, x := range r.list("processActivities.nodes") {
		if at(x, "connection") == name {
			n++
		}
	}
	return n
}

// timed is how many of the ten rows of the connections have a time and so are in a range.
func timed(t testing.TB, name string) int {
	r := pair(t, &scripted{}).must(coverageQuery, nil)
	if got := r.text("processActivities.coverage.complete") + r.text("processActivities.totalCount.accuracy"); got != "trueEXACT" {
		t.Fatalf("two healthy connections: %s", got)
	}
	return rowsFrom(r, name)
}

func TestFailingSources(t *testing.T) {
	good, odd := timed(t, "good"), timed(t, "odd")
	broken := &hunt.Error{Op: "edr: search", Code: hunt.SourceUnavailable, Message: "the door is shut", Retryable: true, RetryAfter: 3 * time.Second}
	for name, c := range map[string]struct {
		script            *scripted
		state, code, text string
		rows              int
	}{
		"breaks off":            {&scripted{search: failing(broken)}, "FAILED", "SOURCE_UNAVAILABLE", "the door is shut", odd},
		"breaks off plainly":    {&scripted{search: failing(errors.New("eof"))}, "FAILED", "SOURCE_FAILED", "eof", odd},
		"no end":                {&scripted{search: instead()}, "FAILED", "STREAM_WITHOUT_END", "without saying", odd},
		"cannot be described":   {&scripted{describe: func() (*hunt.Description, error) { return nil, broken }}, "FAILED", "SOURCE_UNAVAILABLE", "the door is shut", 0},
		"panics when described": {&scripted{describe: func() (*hunt.Description, error) { panic("ouch") }}, "FAILED", "INTERNAL", "defect", 0},
		"cannot translate":      {&scripted{translate: func(*hunt.Translation) (*hunt.Translation, error) { return nil, broken }}, "FAILED", "SOURCE_UNAVAILABLE", "the door is shut", 0},
		"panics": {&scripted{search: func(context.Context, *hunt.Translation, frames) frames {
			return func(func(hunt.Frame, error) bool) { panic("ouch") }
		}}, "FAILED", "INTERNAL", "defect", 0},
		"a part failed":    {&scripted{search: instead(hunt.PartFailed{Part: "shard 7", Err: &hunt.Error{Code: hunt.SourceDamaged, Message: "cut"}}, nil)}, "PARTIAL", "SOURCE_DAMAGED", "cut", odd},
		"records rejected": {&scripted{search: instead(hunt.Rejected{Part: "a.log", Count: 3, Offset: 99, Reason: "no JSON"}, nil)}, "PARTIAL", "RECORDS_REJECTED", "3 records", odd},
	} {
		t.Run(name, func(t *testing.T) {
			w := pair(t, c.script)
			r := w.ask(coverageQuery, nil)
			l := lineOf(t, r, "odd")
			if l["state"] != c.state || at(l, "error.code") != c.code || !strings.Contains(fmt.Sprint(at(l, "error.message")), c.text) {
				t.Errorf("the line is %v", l)
			}
			if rowsFrom(r, "good") != good || rowsFrom(r, "odd") != c.rows || fmt.Sprint(l["rowsReturned"]) != fmt.Sprint(c.rows) {
				t.Errorf("%d and %d rows, want %d and %d; line %v", rowsFrom(r, "good"), rowsFrom(r, "odd"), good, c.rows, l)
			}
			if r.at("processActivities.coverage.complete") != false || r.text("processActivities.totalCount.accuracy") != "LOWER_BOUND" {
				t.Errorf("complete %v, total %v", r.at("processActivities.coverage.complete"), r.at("processActivities.totalCount"))
			}
			checkMirror(t, r, c.code, c.text)
			none := w.ask(coverageQuery, vars{"where": vars{"process": vars{"name": vars{"in": []string{"nobody.exe"}}}}})
			if got := none.text("processActivities.coverage.verdict"); got != "NOT_FOUND_PARTIAL" {
				t.Errorf("without rows the verdict is %s", got)
			}
			all := w.ask(coverageQuery, vars{"fail": "FAIL"})
			all.refused(t, "all or nothing", "SOURCE_FAILURE_FATAL", "")
			w.resolver.Engine.Connections = w.resolver.Engine.Connections[:1]
			r = w.must(coverageQuery, nil)
			if r.at("processActivities.coverage.complete") != true || rowsFrom(r, "good") != good {
				t.Errorf("without the failing connection: %v", r.at("processActivities.coverage"))
			}
		})
	}
}

// checkMirror checks that a failed line is in errors once, with its code and source, for clients that do not know coverage.
func checkMirror(t *testing.T, r *reply, code, text string) {
	t.Helper()
	if len(r.Errors) != 1 {
		t.Fatalf("errors are %v, want one", r.Errors)
	}
	e := r.Errors[0]
	source, _ := e.Extensions["source"].(string)
	if e.Extensions["code"] != code || !strings.HasPrefix(source, "acme/odd") || e.Path.String() != "processActivities" || strings.Count(e.Message, text) != 1 || strings.Count(e.Message, "edr: search") > 1 {
		t.Errorf("mirrored as %+v", e)
	}
}

func TestDetailsOfCoverage(t *testing.T) {
	r := pair(t, &scripted{search: instead(hunt.PartFailed{Part: "b.log", Err: &hunt.Error{Code: hunt.SourceDamaged, Message: "cut"}},
		hunt.Rejected{Part: "a.log", Count: 3, Offset: 99, Reason: "no JSON"}, hunt.Rejected{Part: "a.log", Count: 2, Offset: 200, Reason: "no JSON"}, nil)}).ask(coverageQuery, nil)
	l := lineOf(t, r, "odd")
	want := "map[offset:99 part:a.log reason:no JSON] 5 [map[error:map[code:SOURCE_DAMAGED message:cut] part:b.log]]"
	delete(l["rejects"].([]any)[0].(map[string]any), "count")
	if got := fmt.Sprint(at(l, "rejects.0"), " ", l["rejected"], " ", l["parts"]); got != want || len(l["rejects"].([]any)) != 2 {
		t.Errorf("got %s, want %s", got, want)
	}
	r = pair(t, &scripted{search: instead(hunt.End{Truncated: true, Reason: "10 rows at most"})}).must(coverageQuery, nil)
	l = lineOf(t, r, "odd")
	if l["truncated"] != true || l["reason"] != "10 rows at most" || r.at("processActivities.coverage.complete") != false || r.text("processActivities.totalCount.accuracy") != "LOWER_BOUND" {
		t.Errorf("a truncated source: %v, complete %v", l, r.at("processActivities.coverage.complete"))
	}
	retry := &hunt.Error{Code: hunt.SourceUnavailable, Message: "later", Retryable: true, RetryAfter: 1500 * time.Millisecond}
	r = pair(t, &scripted{search: failing(retry)}).ask(coverageQuery, nil)
	l = lineOf(t, r, "odd")
	if at(l, "error.retryable") != true || fmt.Sprint(at(l, "error.retryAfterMs")) != "1500" || r.Errors[0].Extensions["retryable"] != true || fmt.Sprint(r.Errors[0].Extensions["retryAfterMs"]) != "1500" {
		t.Errorf("line %v, error %v", l, r.Errors[0].Extensions)
	}
}

// TestGapsStayKnown: a page after one that was not complete cannot count the whole answer, though its source has come back.
func TestGapsStayKnown(t *testing.T) {
	script := &scripted{search: func(context.Context, *hunt.Translation, frames) frames {
		return func(yield func(hunt.Frame, error) bool) { yield(nil, errors.New("eof")) }
	}}
	w := pair(t, script)
	r := w.ask(pageQuery, vars{"timeRange": wideVar(), "first": 3})
	if len(r.Errors) != 1 || r.at("processActivities.coverage.complete") != false {
		t.Fatalf("the first page: %v, complete %v", r.Errors, r.at("processActivities.coverage.complete"))
	}
	script.search = nil
	r = w.must(pageQuery, vars{"timeRange": wideVar(), "first": 100, "after": r.at("processActivities.pageInfo.endCursor")})
	if r.at("processActivities.coverage.complete") != true || r.text("processActivities.totalCount.accuracy") != "LOWER_BOUND" {
		t.Errorf("the page itself is complete: %v; the count is %v", r.at("processActivities.coverage.complete"), r.at("processActivities.totalCount"))
	}
}

// TestDeadline: a source that does not answer in time is TIMED_OUT; the others' rows are there.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := &scripted{search: func(ctx context.Context, _ *hunt.Translation, _ frames) frames {
			return func(yield func(hunt.Frame, error) bool) {
				<-ctx.Done()
				yield(nil, ctx.Err())
			}
		}}
		w := pair(t, slow)
		w.resolver.Engine.Connections[1] = opening("acme", "odd", wrap.Opened(slow), 20*time.Second)
		began := time.Now()
		r := w.ask(coverageQuery, nil)
		l := lineOf(t, r, "odd")
		if took := time.Since(began); took != 20*time.Second {
			t.Errorf("the answer took %s", took)
		}
		if l["state"] != "TIMED_OUT" || at(l, "error.code") != "SOURCE_TIMEOUT" || at(l, "error.retryable") != true || rowsFrom(r, "good") == 0 || r.at("processActivities.coverage.complete") != false {
			t.Errorf("line %v, %d rows of the other", l, rowsFrom(r, "good"))
		}
		checkMirror(t, r, "SOURCE_TIMEOUT", "deadline")
	})
}

// TestSourcesThatGiveTooMuch: rows outside of the range, before the cursor, or not satisfying what the source calls LOCAL are checked again.
func TestSourcesThatGiveTooMuch(t *testing.T) {
	for name, d := range map[string]hunt.Disposition{"local": hunt.Local, "widened": hunt.Widened, "lossy": hunt.Lossy} {
		script := &scripted{
			translate: func(tr *hunt.Translation) (*hunt.Translation, error) {
				for i := range tr.Predicates {
					tr.Predicates[i].Disposition, tr.Predicates[i].Reason = d, "cannot"
				}
				return tr, nil
			},
		}
		script.search = func(ctx context.Context, tr *hunt.Translation, _ frames) frames {
			all := *tr
			all.Request.Range, all.Request.Where, all.Request.After, all.Request.Limit = hunttest.Always(), hunt.True(), nil, 0
			return script.Connector.Search(ctx, &all)
		}
		w := pair(t, script)
		honest := pair(t, &scripted{})
		where := vars{"not": vars{"process": vars{"pid": vars{"gte": 5}}}}
		base := vars{"timeRange": vars{"start": "2026-01-02T03:00:00Z", "end": "2026-01-02T04:00:00Z"}, "where": where, "connections": []string{"odd"}, "first": 2}
		want, got := []string{}, []string{}
		for _, p := range pagesOf(t, honest, base, 2) {
			want = append(want, keysOf(p)...)
		}
		for _, p := range pagesOf(t, w, base, 2) {
			got = append(got, keysOf(p)...)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || len(want) == 0 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestImpossibleAndPruned(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	m := memory.Open(hunt.Identity{Tenant: "acme", Connection: "net"})
	narrow := stream(class)
	delete(narrow.Attributes, "process.name")
	narrow.Closed = map[string][]hunt.Value{"metadata.log_name": {hunt.String("conn")}}
	add(t, m, narrow, hunttest.RandomBatch(rand.New(rand.NewPCG(4, 4)), class, 10, hunttest.Only(narrow.Attributes)))
	_, good := filled(t, 1, "acme", "good", 10, ocsf.ProcessActivity)
	_, other := filled(t, 5, "acme", "other", 10, ocsf.BaseEvent)
	w := newWorld(t, good, connection("acme", "net", m), other)
	for _, where := range []vars{{"process": vars{"name": vars{"exists": false}}}, {"not": vars{"process": vars{"name": vars{"eq": "x"}}}}, {"or": []vars{{"process": vars{"pid": vars{"gt": 0}}}, {"process": vars{"name": vars{"eq": "x"}}}}}} {
		r := w.must(coverageQuery, vars{"where": where}) // must: not mirrored in errors
		l := lineOf(t, r, "net")
		if l["state"] != "IMPOSSIBLE" || fmt.Sprint(l["missing"]) != "[process.name]" || l["error"] != nil || l["searched"] != nil || rowsFrom(r, "net") != 0 || r.at("processActivities.coverage.complete") != false {
			t.Errorf("%v: line %v, complete %v", where, l, r.at("processActivities.coverage.complete"))
		}
		if o := lineOf(t, r, "other"); o["state"] != "PRUNED" || o["stream"] != "" || o["reason"] == nil {
			t.Errorf("a connection without the class: %v", o)
		}
	}
	r := w.must(coverageQuery, vars{"where": vars{"metadata": vars{"logName": vars{"eq": "Security"}}, "process": vars{"name": vars{"exists": true}}}})
	if l := lineOf(t, r, "net"); l["state"] != "PRUNED" || r.at("processActivities.coverage.complete") != true {
		t.Errorf("a stream that cannot hold such rows: %v, complete %v", l, r.at("processActivities.coverage.complete"))
	}
	r = w.must(coverageQuery, vars{"fail": "FAIL", "where": vars{"process": vars{"name": vars{"in": []string{"nobody"}}}}})
	if r.text("processActivities.coverage.verdict") != "NOT_FOUND_PARTIAL" {
		t.Errorf("an impossible stream is no failure, but the verdict is %v", r.at("processActivities.coverage.verdict"))
	}
}

// TestConnectionsThatDidNotOpen are lines of every coverage and unhealthy sources.
func TestConnectionsThatDidNotOpen(t *testing.T) {
	w := pair(t, &scripted{})
	shut := opening("acme", "odd", func(context.Context) (hunt.Connector, error) {
		return nil, &hunt.Error{Code: hunt.SourceUnavailable, Message: "no such folder"}
	}, 0)
	w.resolver.Engine.Connections = []exec.Connection{w.resolver.Engine.Connections[0], shut}
	r := w.ask(coverageQuery, nil)
	if l := lineOf(t, r, "odd"); l["state"] != "FAILED" || at(l, "error.code") != "SOURCE_UNAVAILABLE" {
		t.Errorf("the line is %v", l)
	}
	checkMirror(t, r, "SOURCE_UNAVAILABLE", "no such folder")
	s := w.must(`{sources {connection connector healthy error {code} streams {name class rows untimed attributes timeRange {start end}} notes}}`, nil)
	if fmt.Sprint(s.at("sources.1")) != "map[connection:odd connector:memory error:map[code:SOURCE_UNAVAILABLE] healthy:false notes:[] streams:[]]" {
		t.Errorf("the source is %v", s.at("sources.1"))
	}
	st := s.at("sources.0.streams.0")
	if s.at("sources.0.healthy") != true || at(st, "class") != "PROCESS_ACTIVITY" || fmt.Sprint(at(st, "rows")) != "10" || len(at(st, "attributes").([]any)) < 20 || at(st, "timeRange.start") == nil {
		t.Errorf("the source is %v", s.at("sources.0"))
	}
}
