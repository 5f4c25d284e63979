package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/99designs/gqlgen/graphql"
	"github.com/99designs/gqlgen/graphql/executor"
	"github.com/rs/zerolog"

	"github.com/harrier-xdr/harrier/access"
	"github.com/harrier-xdr/harrier/bench/hunts"
	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/graph"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/exec"
	"github.com/harrier-xdr/harrier/hunt/wrap"
)

// chaosSeed makes the faults; the same seed gives the same faults in the same order.
const chaosSeed = 20261122

// chaosGrace is how much longer than a source an answer may take.
const chaosGrace = 3 * time.Second

// chaosDeadline is how long a source may take. A source without a fault must keep it too, which under the race detector and beside all
// other tests takes a node several times longer.
func chaosDeadline() time.Duration {
	if raced {
		return 10 * time.Second
	}
	return 2 * time.Second
}

// fault is something that happens to a source while hunts run.
type fault struct {
	name string
	// allowed are the ends that a searched stream may come to, "STATE CODE" or "COMPLETE"; a COMPLETE stream has all rows.
	allowed []string
	begin   func(v *victim) (end func())
}

// victim is a connection that faults happen to.
type victim struct {
	name   string
	faults []fault
	flaky  *flaky // nil for connections of real processes
	pid    func() int
	now    *fault
	moment time.Duration // after which a fault of one moment happens
	end    func()
}

// TestChaos asks hunts while sources fail in all ways: every answer comes in time, says of each source what was done to it, and holds
// all rows of the sources that it calls complete; the healthy source never loses a row; and every source heals. HARRIER_CHAOS=10m
// makes it longer.
func TestChaos(t *testing.T) {
	lasts := 6 * chaosDeadline()
	if text := os.Getenv("HARRIER_CHAOS"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			t.Fatal(err)
		}
		lasts = d
	}
	w := newChaos(t)
	defer w.close()
	until := time.Now().Add(lasts)
	for time.Now().Before(until) && !t.Failed() {
		w.step()
	}
	w.log()
}

// chaos is the gateway under attack.
type chaos struct {
	t       *testing.T
	rng     *rand.Rand
	api     *executor.Executor
	engine  *exec.Engine
	hunts   []hunts.Hunt
	want    map[string]map[string][]string // connection, hunt: uids
	victims []*victim

	mu    sync.Mutex
	asked int
	ends  map[string]int // "fault: end"
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	list, err := hunts.All()
	if err != nil {
		t.Fatal(err)
	}
	data := t.TempDir()
	options := demo.DefaultOptions()
	options.Events = 3000
	if _, err := demo.Write(t.Context(), data, options, nil); err != nil {
		t.Fatal(err)
	}
	w := &chaos{t: t, rng: rand.New(rand.NewPCG(chaosSeed, 0)), engine: &exec.Engine{}, hunts: list, want: map[string]map[string][]string{}, ends: map[string]int{}}
	held := inMemory(t, data)
	broken := &flaky{Connector: held}
	w.add("healthy", wrap.Opened(inFiles(t, data)), &victim{})
	w.add("flaky", wrap.Opened(broken), &victim{faults: flakyFaults(), flaky: broken})
	w.process("plugin", fmt.Sprintf("connector: plugin, process: {path: %q, args: [memory-plugin, %q]}", os.Args[0], data))
	w.process("lake", w.lake(data))
	w.cluster(data)
	w.api = graph.NewExecutor(newGateway(w.engine, []byte("key"), access.NewTokens()).resolver)
	w.learn()
	return w
}

// add keeps a connection with short waits.
func (w *chaos) add(name string, open wrap.Opener, v *victim) {
	v.name = name
	w.victims = append(w.victims, v)
	deadline := chaosDeadline()
	w.engine.Connections = append(w.engine.Connections, exec.Connect(name, open, wrap.Options{
		Ref: hunt.ConnectionRef{Tenant: demoTenant, Connection: name}, Deadline: deadline, FrameDeadline: deadline / 2, DescribeDeadline: deadline / 2, TranslateDeadline: deadline / 4,
		Retry: wrap.Retry{Backoff: wrap.Backoff{First: 100 * time.Millisecond, Max: time.Second}}, Breaker: wrap.Breaker{Delay: 200 * time.Millisecond},
		Reopen: wrap.Backoff{First: 50 * time.Millisecond, Max: 500 * time.Millisecond},
	}))
}

// process adds a connection that runs in a process of its own.
func (w *chaos) process(name, connection string) {
	cfg, err := loadConfig(configuration(w.t, connection))
	if err != nil {
		w.t.Fatal(err)
	}
	set, err := loadMappings(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	inner, err := cfg.opener(&cfg.Connections[0], set, zerolog.Nop())(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	pid := func() int {
		d, err := inner.Describe(context.Background())
		if err != nil || d.Artifact == nil {
			return 0
		}
		return d.Artifact.PID
	}
	w.add(name, wrap.Opened(inner), &victim{faults: processFaults(), pid: pid})
}

// lake ingests the folder and returns the configuration of a lake in a process of its own.
func (w *chaos) lake(data string) string {
	dir := w.t.TempDir()
	conf := write(w.t, dir, "harrier.yaml", "connections:\n- {name: demo, tenant: demo, connector: lake, settings: {path: lake}}\n")
	if status, _, errs := run(w.t, "ingest", "-c", conf, "--into", "demo", data); status != 0 {
		w.t.Fatalf("ingest: %s", errs)
	}
	return fmt.Sprintf("connector: lake, isolation: process, settings: {path: %q}", dir+"/lake")
}

// coldFor is how long a hunt is asked again before any fault: a node that has just started, on a busy machine, may need longer than the
// short deadlines of chaos, and the breaker may then leave it alone for a moment.
const coldFor = 2 * time.Minute

// whole asks a hunt until all of it is searched.
func (w *chaos) whole(h *hunts.Hunt) *chaosAnswer {
	for began := time.Now(); ; {
		a := w.ask(h)
		late := false
		for _, l := range a.Coverage.Connections {
			if l.State == "COMPLETE" || l.State == "PRUNED" || l.State == "IMPOSSIBLE" {
				continue
			}
			if late = l.Error != nil && slices.Contains([]string{"SOURCE_TIMEOUT", "SOURCE_SUSPENDED"}, l.Error.Code); !late || time.Since(began) > coldFor {
				w.t.Fatalf("%s before any fault: %s is %s %v", h.Name, l.Connection, l.State, l.Error)
			}
		}
		if !late {
			return a
		}
	}
}

// learn asks every hunt once while all is well: what comes must be complete, and is the reference.
func (w *chaos) learn() {
	for _, v := range w.victims {
		w.want[v.name] = map[string][]string{}
	}
	for i := range w.hunts {
		a := w.whole(&w.hunts[i])
		for name, uids := range a.byConnection() {
			w.want[name][w.hunts[i].Name] = uids
		}
	}
	if len(w.want["healthy"]) < 20 {
		w.t.Fatalf("only %d hunts find anything", len(w.want["healthy"]))
	}
}

// step lets faults happen to some sources, asks hunts meanwhile, ends the faults and waits until all is well again.
func (w *chaos) step() {
	for _, v := range w.victims {
		if v.now = nil; len(v.faults) > 0 && w.rng.IntN(3) > 0 {
			v.now, v.moment = &v.faults[w.rng.IntN(len(v.faults))], time.Duration(w.rng.IntN(60))*time.Millisecond
			v.end = v.now.begin(v)
		}
	}
	picked := make([]*hunts.Hunt, 4)
	for i := range picked {
		picked[i] = &w.hunts[w.rng.IntN(len(w.hunts))]
	}
	var all sync.WaitGroup
	for _, h := range picked {
		all.Go(func() { w.judge(h, w.ask(h)) })
	}
	all.Wait()
	for _, v := range w.victims {
		if v.now != nil {
			v.end()
		}
	}
	w.heal()
}

// heal asks until every source is complete again, which must not take long.
func (w *chaos) heal() {
	whole := slices.IndexFunc(w.hunts, func(h hunts.Hunt) bool { return h.Name == "every process event" })
	ctx, cancel := context.WithTimeout(w.t.Context(), 15*chaosDeadline())
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		a := w.ask(&w.hunts[whole])
		if a.Coverage.Complete {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			w.t.Errorf("%s after the faults ended, sources are not well: %s", 15*chaosDeadline(), a.states())
			return
		}
	}
}

// chaosAnswer is what is judged.
type chaosAnswer struct {
	Nodes    []struct{ UID, Connection string }
	Coverage struct {
		Complete    bool
		Connections []struct {
			Connection, Stream, State string
			RowsReturned              int64
			Error                     *struct{ Code, Message string }
		}
	}
}

func (a *chaosAnswer) byConnection() map[string][]string {
	out := map[string][]string{}
	for _, n := range a.Nodes {
		out[n.Connection] = append(out[n.Connection], n.UID)
	}
	return out
}

func (a *chaosAnswer) states() string {
	var out []string
	for _, l := range a.Coverage.Connections {
		text := l.Connection + " " + l.Stream + " " + l.State
		if l.Error != nil {
			text += " " + l.Error.Code + " " + l.Error.Message
		}
		out = append(out, text)
	}
	return strings.Join(out, "; ")
}

// ask runs a hunt through GraphQL. It must not take longer than the deadlines allow.
func (w *chaos) ask(h *hunts.Hunt) *chaosAnswer {
	class := h.Class()
	doc := fmt.Sprintf(`query($where: %sFilter) { f: %s(timeRange: {start: "2000-01-01T00:00:00Z", end: "2100-01-01T00:00:00Z"}, where: $where, first: 10000) {
		nodes { uid connection } coverage { complete connections { connection stream state rowsReturned error { code message } } } } }`, class.Type, class.Root)
	began := time.Now()
	resp, err := graph.Execute(w.t.Context(), w.api, &access.Principal{Name: "test", Tenants: []string{demoTenant}}, &graphql.RawParams{Query: doc, Variables: map[string]any{"where": plain(w.t, h.Where)}})
	if took := time.Since(began); took > chaosDeadline()+chaosGrace {
		w.t.Errorf("%s took %s", h.Name, took)
	}
	var data struct{ F *chaosAnswer }
	if err == nil {
		err = json.Unmarshal(resp.Data, &data)
	}
	if err != nil || data.F == nil {
		w.t.Errorf("%s: %v, %v", h.Name, err, resp)
		return &chaosAnswer{}
	}
	return data.F
}

// judge holds the coverage of an answer against what was done to each source.
func (w *chaos) judge(h *hunts.Hunt, a *chaosAnswer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked++
	rows := a.byConnection()
	for _, v := range w.victims {
		complete := true
		for _, l := range a.Coverage.Connections {
			if l.Connection != v.name || l.State == "PRUNED" || l.State == "IMPOSSIBLE" {
				continue
			}
			end := l.State
			if l.Error != nil {
				end += " " + l.Error.Code
			}
			complete = complete && l.State == "COMPLETE"
			w.ends[v.title()+": "+end]++
			if !slices.Contains(v.allowed(), end) {
				w.t.Errorf("%s: %s under %q is %s: %v", h.Name, v.name, v.title(), end, l.Error)
			}
		}
		w.compare(h, v, rows[v.name], complete)
	}
}

// compare: a complete source gave all its rows, any other none that it does not have.
func (w *chaos) compare(h *hunts.Hunt, v *victim, got []string, complete bool) {
	want := w.want[v.name][h.Name]
	if complete && !slices.Equal(got, want) {
		w.t.Errorf("%s: %s under %q calls itself complete: %s", h.Name, v.name, v.title(), differ(got, want))
	}
	if extra := slices.DeleteFunc(slices.Clone(got), func(u string) bool { return slices.Contains(want, u) }); len(extra) > 0 {
		w.t.Errorf("%s: %s under %q gives %d rows that it does not have", h.Name, v.name, v.title(), len(extra))
	}
}

func (v *victim) title() string {
	if v.now == nil {
		return "no fault"
	}
	return v.now.name
}

func (v *victim) allowed() []string {
	if v.now == nil {
		return []string{"COMPLETE"}
	}
	return v.now.allowed
}

// log prints what happened, for the figures.
func (w *chaos) log() {
	var lines []string
	for end, n := range w.ends {
		lines = append(lines, fmt.Sprintf("%6d  %s", n, end))
	}
	slices.Sort(lines)
	w.t.Logf("%d hunts\n%s", w.asked, strings.Join(lines, "\n"))
}

func (w *chaos) close() {
	if err := w.engine.Close(); err != nil {
		w.t.Error(err)
	}
}

// processFaults happen to a connection in a process of its own.
func processFaults() []fault {
	signal := func(v *victim, s syscall.Signal) {
		if pid := v.pid(); pid != 0 {
			_ = syscall.Kill(pid, s) // it may have ended by itself
		}
	}
	return []fault{
		{"kill -9", []string{"COMPLETE", "TIMED_OUT SOURCE_TIMEOUT", "FAILED PLUGIN_CRASHED", "FAILED SOURCE_SUSPENDED"}, func(v *victim) func() {
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				tick := time.NewTicker(30 * time.Millisecond)
				defer tick.Stop()
				for {
					signal(v, syscall.SIGKILL)
					select {
					case <-tick.C:
					case <-stop:
						return
					}
				}
			}()
			return func() { close(stop); <-stopped }
		}},
		{"killed once", []string{"COMPLETE", "TIMED_OUT SOURCE_TIMEOUT", "FAILED PLUGIN_CRASHED", "FAILED SOURCE_SUSPENDED"}, func(v *victim) func() {
			killed := make(chan struct{})
			time.AfterFunc(v.moment, func() { signal(v, syscall.SIGKILL); close(killed) })
			return func() { <-killed }
		}},
		{"stopped", []string{"TIMED_OUT SOURCE_TIMEOUT", "FAILED SOURCE_SUSPENDED", "FAILED PLUGIN_CRASHED"}, func(v *victim) func() {
			pid := v.pid()
			_ = syscall.Kill(pid, syscall.SIGSTOP)
			return func() { _ = syscall.Kill(pid, syscall.SIGCONT) }
		}},
	}
}

// flaky is a connector that does what the fault says.
type flaky struct {
	hunt.Connector
	search atomic.Pointer[func(ctx context.Context, t *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool)]
	down   atomic.Pointer[hunt.Error]
}

// Describe fails if the source is down.
func (f *flaky) Describe(ctx context.Context) (*hunt.Description, error) {
	if err := f.down.Load(); err != nil {
		return nil, err
	}
	return f.Connector.Describe(ctx)
}

// Search does what the fault says.
func (f *flaky) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	frames := f.Connector.Search(ctx, t)
	spoil := f.search.Load()
	if spoil == nil {
		return frames
	}
	return func(yield func(hunt.Frame, error) bool) { (*spoil)(ctx, t, frames, yield) }
}

// spoiled is a fault of searches.
func spoiled(name string, allowed []string, search func(ctx context.Context, t *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool)) fault {
	return fault{name, allowed, func(v *victim) func() {
		v.flaky.search.Store(&search)
		return func() { v.flaky.search.Store(nil) }
	}}
}

// fails is a fault that yields an error in place of an answer.
func fails(name string, allowed []string, err *hunt.Error) fault {
	return spoiled(name, allowed, func(_ context.Context, _ *hunt.Translation, _ iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
		yield(nil, err)
	})
}

func flakyFaults() []fault {
	return slices.Concat(refusals(), []fault{
		spoiled("breaks off", []string{"FAILED SOURCE_FAILED", "FAILED SOURCE_SUSPENDED"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			for f := range frames {
				if _, end := f.(hunt.End); end || !yield(f, nil) {
					break
				}
			}
			yield(nil, &hunt.Error{Code: hunt.SourceFailed, Message: "connection reset"})
		}),
		spoiled("forgets its end", []string{"FAILED STREAM_WITHOUT_END", "FAILED SOURCE_SUSPENDED"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			for f := range frames {
				if _, end := f.(hunt.End); end || !yield(f, nil) {
					return
				}
			}
		}),
		spoiled("breaks off once", []string{"COMPLETE"}, breaksOnce()),
		spoiled("slow", []string{"COMPLETE"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			for f, err := range frames {
				time.Sleep(10 * time.Millisecond) // the fault itself
				if !yield(f, err) {
					return
				}
			}
		}),
		spoiled("hangs", []string{"TIMED_OUT SOURCE_TIMEOUT", "FAILED SOURCE_SUSPENDED"}, func(ctx context.Context, _ *hunt.Translation, _ iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			<-ctx.Done()
			yield(nil, ctx.Err())
		}),
		spoiled("asks to wait", []string{"COMPLETE"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			if !yield(hunt.Throttled{RetryAfter: 5 * time.Millisecond}, nil) {
				return
			}
			frames(yield)
		}),
		spoiled("loses a part", []string{"PARTIAL SOURCE_DAMAGED"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			lost := hunt.PartFailed{Part: "shard 1", Err: &hunt.Error{Code: hunt.SourceDamaged, Message: "checksum of shard 1 does not fit"}}
			if !yield(lost, nil) {
				return
			}
			frames(func(f hunt.Frame, err error) bool {
				if _, batch := f.(*hunt.Batch); batch {
					return true
				}
				return yield(f, err)
			})
		}),
		spoiled("rejects a record", []string{"PARTIAL RECORDS_REJECTED"}, func(_ context.Context, _ *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
			if yield(hunt.Rejected{Part: "log", Count: 1, Reason: "no JSON"}, nil) {
				frames(yield)
			}
		}),
		spoiled("panics", []string{"FAILED INTERNAL", "FAILED SOURCE_SUSPENDED"}, func(context.Context, *hunt.Translation, iter.Seq2[hunt.Frame, error], func(hunt.Frame, error) bool) {
			panic("defect")
		}),
	})
}

// refusals are faults in which the source says what is wrong.
func refusals() []fault {
	return []fault{
		fails("unreachable", []string{"FAILED SOURCE_UNAVAILABLE", "FAILED SOURCE_SUSPENDED"}, &hunt.Error{Code: hunt.SourceUnavailable, Message: "connection refused", Retryable: true}),
		fails("refuses the key", []string{"DENIED SOURCE_DENIED"}, &hunt.Error{Code: hunt.SourceDenied, Message: "the key has expired"}),
		fails("throttles for good", []string{"THROTTLED SOURCE_THROTTLED", "TIMED_OUT SOURCE_TIMEOUT"}, &hunt.Error{Code: hunt.SourceThrottled, Message: "too many requests", Retryable: true, RetryAfter: 50 * time.Millisecond}),
		{"does not describe itself", []string{"FAILED SOURCE_UNAVAILABLE", "FAILED SOURCE_SUSPENDED"}, func(v *victim) func() {
			v.flaky.down.Store(&hunt.Error{Code: hunt.SourceUnavailable, Message: "connection refused", Retryable: true})
			return func() { v.flaky.down.Store(nil) }
		}},
	}
}

// breaksOnce breaks the first try of every search after its first batch, so that the host has to resume it.
func breaksOnce() func(context.Context, *hunt.Translation, iter.Seq2[hunt.Frame, error], func(hunt.Frame, error) bool) {
	return func(_ context.Context, t *hunt.Translation, frames iter.Seq2[hunt.Frame, error], yield func(hunt.Frame, error) bool) {
		for f, err := range frames {
			if !yield(f, err) {
				return
			}
			if _, batch := f.(*hunt.Batch); batch && t.Request.After == nil {
				yield(nil, &hunt.Error{Code: hunt.SourceUnavailable, Message: "connection reset", Retryable: true, Cause: errors.New("broken pipe")})
				return
			}
		}
	}
}
