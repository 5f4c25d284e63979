package bench_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/harrier-xdr/harrier/hunt/heap"
)

// turn is one of several ways to do the same work.
type turn struct {
	name    string
	run     func(ctx context.Context) (time.Duration, error)
	against string // name of the turn that it is divided by, "" for none
	target  string // what that ratio should be, for people
	times   []time.Duration
}

// whole times all of do.
func whole(do func(ctx context.Context) error) func(context.Context) (time.Duration, error) {
	return func(ctx context.Context) (time.Duration, error) { return timed(func() error { return do(ctx) }) }
}

// took is the median of a turn.
func (t *turn) took() time.Duration { return median(slices.Clone(t.times)) }

// ratio divides the median of a turn by that of the one it is measured against; 0 if there is none.
func (t *turn) ratio(all []*turn) float64 {
	i := slices.IndexFunc(all, func(o *turn) bool { return o.name == t.against })
	if i < 0 || all[i].took() == 0 {
		return 0
	}
	return float64(t.took()) / float64(all[i].took())
}

// turnRounds is how often each way is measured: once with -short, to see that all of it works.
func turnRounds() int {
	if testing.Short() {
		return 1
	}
	return rounds
}

// inTurn runs all ways once to warm them up, and then in turn, and reports the medians. rows is what each of them handles. The figures
// do not depend on b.N.
func inTurn(b *testing.B, rows int, turns []*turn, notes ...string) {
	b.Helper()
	defer heap.Reserve(heap.Gateway)() // as the gateway does, for all ways
	before := load()
	for i := range turnRounds() + 1 {
		for _, t := range turns {
			took, err := t.run(b.Context())
			if err != nil {
				b.Fatalf("%s: %v", t.name, err)
			}
			if i > 0 {
				t.times = append(t.times, took)
			}
		}
	}
	head := fmt.Sprintf("%s: medians of %d rounds in turn; load of the machine %s before, %s after, %d processors", b.Name(), turnRounds(), before, load(), runtime.GOMAXPROCS(0))
	printTurns(os.Stdout, head, rows, turns, notes)
	b.ReportMetric(0, "ns/op")
	for _, t := range turns {
		if r := t.ratio(turns); r > 0 {
			b.ReportMetric(r, unitName(t.name)+"-ratio")
		}
	}
}

// unitName makes of a name what the testing package takes as a unit.
func unitName(name string) string {
	return strings.Join(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == ',' || r == ':' }), "-")
}

// load is the machine's load average of the last minute, where the system tells it.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(text), " ")
	return first
}

func printTurns(out io.Writer, head string, rows int, turns []*turn, notes []string) {
	fmt.Fprintf(out, "\n%s\n", head)
	t := tabwriter.NewWriter(out, 2, 0, 2, ' ', 0)
	fmt.Fprintln(t, "way\tms\trows/s\tratio\tto\ttarget")
	for _, one := range turns {
		ratio := "-"
		if r := one.ratio(turns); r > 0 {
			ratio = fmt.Sprintf("%.2f", r)
		}
		fmt.Fprintf(t, "%s\t%.1f\t%.0f\t%s\t%s\t%s\n", one.name, milliseconds(one.took()), float64(rows)/one.took().Seconds(), ratio, cmp.Or(one.against, "-"), cmp.Or(one.target, "-"))
	}
	t.Flush()
	for _, n := range notes {
		fmt.Fprintln(out, n)
	}
}
