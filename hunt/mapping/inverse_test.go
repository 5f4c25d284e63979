package mapping_test

import (
	"bufio"
	"compress/gzip"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/demo"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// sample is a record with what it maps to.
type sample struct {
	raw    string
	match  *mapping.Match
	mapped arrow.RecordBatch
}

// TestInverseIsSound maps records, asks random predicates of the columns, and holds the native tests to the answer: a record that
// satisfies the predicate passes, and if the inverse says that it is exact, no other record does.
func TestInverseIsSound(t *testing.T) {
	set, err := mapping.Builtin()
	if err != nil {
		t.Fatal(err)
	}
	exact, wide := 0, 0
	for name, lines := range recordsByFile(t) {
		samples := mapAll(set, lines)
		if len(samples) == 0 {
			continue // records inside arrays, one file with its truth
		}
		rng := rand.New(rand.NewPCG(7, 11))
		d := set.NewDecoder()
		for range 400 {
			from := samples[rng.IntN(len(samples))]
			p := randomPredicate(rng, from)
			for _, s := range samples {
				if s.match.Class != from.match.Class {
					continue
				}
				if err := d.JSON([]byte(s.raw)); err != nil {
					t.Fatal(err)
				}
				inv := s.match.Invert(p)
				want, got := p.Match(vector.Row{Record: s.mapped}), d.Holds(inv)
				if want && !got {
					t.Fatalf("%s: %s holds, but none of its native tests %v\n%s", name, p, inv.Tests, s.raw)
				}
				if inv.Exact && want != got {
					t.Fatalf("%s: %s does not hold, but one of its exact native tests %v\n%s", name, p, inv.Tests, s.raw)
				}
				if inv.Exact {
					exact++
				} else {
					wide++
				}
			}
		}
	}
	if exact == 0 || wide == 0 {
		t.Fatalf("%d exact and %d wide inverses were tried; the test proves nothing", exact, wide)
	}
	t.Logf("%d exact and %d wide inverses hold", exact, wide)
}

// randomPredicate asks a column of the sample's class, mostly one that has a value in it.
func randomPredicate(rng *rand.Rand, s sample) *hunt.Predicate {
	for {
		col := &s.match.Class.Columns[rng.IntN(len(s.match.Class.Columns))]
		if len((vector.Row{Record: s.mapped}).Values(col.Path)) == 0 && rng.IntN(8) > 0 {
			continue
		}
		ops := hunt.Ops(col.Type)
		return hunttest.RandomPredicate(rng, col, ops[rng.IntN(len(ops))], s.mapped)
	}
}

func mapAll(set *mapping.Set, lines []string) []sample {
	var out []sample
	d := set.NewDecoder()
	for _, raw := range lines {
		if d.JSON([]byte(raw)) != nil {
			continue
		}
		if m := d.Match(); m != nil {
			b := mapping.NewBuilder(m.Class, append(paths(m.Class), "raw", "unmapped"))
			b.Append(d, m, hunt.Identity{})
			out = append(out, sample{raw, m, b.Batch()})
		}
	}
	return out
}

// recordsByFile returns JSON records of many kinds: generated ones, and real ones where the shared data is there.
func recordsByFile(t *testing.T) map[string][]string {
	t.Helper()
	dir := t.TempDir()
	if _, err := demo.Write(t.Context(), dir, demo.Options{Events: 3000}, nil); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(dir, "*", "*.json*"))
	incidents, _ := filepath.Glob("../../../shared/data/incidents/*/*.jsonl.gz")
	out := map[string][]string{}
	for _, name := range append(names, incidents...) {
		if lines := readLines(t, name); len(lines) > 0 {
			out[filepath.Base(filepath.Dir(name))+"/"+filepath.Base(name)] = lines
		}
	}
	return out
}

// readLines returns up to 60 records of one line each, spread over the file.
func readLines(t *testing.T, name string) []string {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		all = append(all, lines.Text())
	}
	step := max(1, len(all)/60)
	var out []string
	for i := 0; i < len(all); i += step {
		out = append(out, all[i])
	}
	return out
}
