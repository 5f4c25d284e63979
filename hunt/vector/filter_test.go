package vector_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 2)) }

// checkFilter compares the columnar answer with Match, row by row.
func checkFilter(t *testing.T, rec arrow.RecordBatch, e hunt.Expr) {
	t.Helper()
	mask := vector.Compile(e).Filter(rec)
	if len(mask) != int(rec.NumRows()) {
		t.Fatalf("mask of %d rows has %d places: %s", rec.NumRows(), len(mask), short(e.String()))
	}
	for i, got := range mask {
		if want := e.Match(vector.Row{Record: rec, Index: i}); got != want {
			t.Errorf("row %d: Filter says %v, Match says %v: %s\nvalues: %s", i, got, want, short(e.String()), values(rec, i, e))
			return
		}
	}
}

func short(s string) string { return s[:min(len(s), 600)] }

func values(rec arrow.RecordBatch, row int, e hunt.Expr) string {
	out := ""
	hunt.Walk(e, func(p *hunt.Predicate) {
		for _, v := range (vector.Row{Record: rec, Index: row}).Values(p.Path) {
			out += p.Path + " = " + short(v.Text()) + "; "
		}
	})
	return short(out)
}

// TestFilterIsMatch evaluates random conditions over random and hostile events of every class: whole batches, slices of them, empty
// ones, and batches that lack columns.
func TestFilterIsMatch(t *testing.T) {
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		t.Run(class.Name, func(t *testing.T) {
			rng := newRand(uint64(class.UID))
			rec := hunttest.RandomBatch(rng, class, 60, hunttest.Untimed())
			paths := hunttest.Paths(class)
			narrow := vector.Project(rec, hunt.Schema(class, paths[:len(paths)/2]))
			for range 50 {
				checkFilter(t, rec, hunttest.RandomExpr(rng, class, rec))
				checkFilter(t, rec.NewSlice(7, 23), hunttest.RandomExpr(rng, class, rec))
				checkFilter(t, narrow, hunttest.RandomExpr(rng, class, rec))
			}
			checkFilter(t, rec.NewSlice(5, 5), hunttest.RandomExpr(rng, class, rec))
		})
	}
}

// TestFilterOfEveryOperator leaves none to chance: each column type with each operator and both case rules.
func TestFilterOfEveryOperator(t *testing.T) {
	for _, uid := range []int64{ocsf.DetectionFinding, ocsf.ModuleActivity} {
		class := ocsf.ByUID(uid)
		rng := newRand(99)
		rec := hunttest.RandomBatch(rng, class, 40)
		for _, col := range hunttest.Columns(class, nil) {
			for _, op := range hunt.Ops(col.Type) {
				for range 2 {
					checkFilter(t, rec, hunttest.RandomPredicate(rng, col, op, rec))
				}
			}
		}
	}
}

// TestKeywordLists compares lists of thousands of keywords, which become one automaton, with Match.
func TestKeywordLists(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rng := newRand(21)
	rec := hunttest.RandomBatch(rng, class, 30)
	cmdLine, name := class.Column("process.cmd_line"), class.Column("process.name")
	for _, size := range []int{1, 2, 3, 4, 5, 100, 3000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			list := hunt.Or{}
			for i := range size {
				col := cmdLine
				if i%5 == 4 {
					col = name
				}
				p, err := hunt.NewPredicate(col, hunt.Contains, i%7 == 6, hunt.String(keyword(rng, rec, i)))
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, p)
			}
			checkFilter(t, rec, list)
			checkFilter(t, rec, hunt.Not{Expr: list})
		})
	}
}

// keyword is mostly a text that no value holds, sometimes a piece of one, rarely one with bytes that are no UTF-8.
func keyword(rng *rand.Rand, rec arrow.RecordBatch, i int) string {
	col := rec.Column(rec.Schema().FieldIndices("process.cmd_line")[0]).(*array.String)
	s := col.Value(rng.IntN(col.Len()))
	switch {
	case i%10 == 0 && len(s) > 3:
		from := rng.IntN(min(len(s)-2, 1000))
		return s[from : from+2+rng.IntN(min(len(s)-from-1, 20))]
	case i%97 == 1:
		return fmt.Sprintf("\xff%d", i)
	}
	return fmt.Sprintf("Keyword-%d-\u212a", i)
}

// TestLongKeywords holds Compile to a bound: an automaton over a keyword of 64 KB would take hours to build.
func TestLongKeywords(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rec := hunttest.RandomBatch(newRand(2), class, 30)
	list := hunt.Or{}
	for _, needle := range []string{"abc", "cmd", "KERB", "svc", "win", strings.Repeat("0123456789abcde ", 4096) + "needle", strings.Repeat("x", 1<<20)} {
		p, err := hunt.NewPredicate(class.Column("process.cmd_line"), hunt.Contains, false, hunt.String(needle))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	began := time.Now()
	checkFilter(t, rec, list)
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("a list with long keywords took %s", took)
	}
}

func TestFilterOfEmptyLists(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rec := hunttest.RandomBatch(newRand(1), class, 20)
	for _, c := range []struct {
		e    hunt.Expr
		want int
	}{{hunt.And{}, 20}, {hunt.Or{}, 0}, {hunt.Not{Expr: hunt.And{}}, 0}, {hunt.Not{Expr: hunt.Or{}}, 20}} {
		if got := vector.Compile(c.e).Filter(rec).Count(); got != c.want {
			t.Errorf("%s selects %d rows, want %d", c.e, got, c.want)
		}
	}
}

// TestFilterIsConcurrent shares one program between goroutines; the race detector judges.
func TestFilterIsConcurrent(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rng := newRand(8)
	rec := hunttest.RandomBatch(rng, class, 50)
	list := hunt.Or{}
	for i := range 20 {
		p, err := hunt.NewPredicate(class.Column("process.cmd_line"), hunt.Contains, false, hunt.String(keyword(rng, rec, i)))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	program := vector.Compile(list)
	want := fmt.Sprint(program.Filter(rec))
	t.Run("group", func(t *testing.T) {
		for range 4 {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				if got := fmt.Sprint(program.Filter(rec)); got != want {
					t.Error("two goroutines got different answers from one program")
				}
			})
		}
	})
}

// TestFloats covers the column type that no class has today, with NaN: Match orders it before all numbers and equal to itself.
func TestFloats(t *testing.T) {
	col := &ocsf.Column{Path: "score", GraphQL: "score", Type: ocsf.Float}
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.AppendNull()
	args := []hunt.Value{}
	for _, f := range []float64{math.NaN(), math.Inf(-1), math.Inf(1), -1e308, -1, negativeZero(), 0, 5e-324, 0.1, 1, 1e308} {
		b.Append(f)
		args = append(args, hunt.Float(f))
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil)
	rec := array.NewRecordBatch(schema, []arrow.Array{b.NewArray()}, int64(len(args)+1))
	for _, op := range hunt.Ops(ocsf.Float) {
		for _, a := range args {
			if op == hunt.Exists {
				a = hunt.Bool(a.Flt() > 0)
			}
			p, err := hunt.NewPredicate(col, op, false, a)
			if err != nil {
				t.Fatal(err)
			}
			checkFilter(t, rec, p)
		}
	}
}

func negativeZero() float64 { return math.Copysign(0, -1) }
