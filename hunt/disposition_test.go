package hunt_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// source evaluates what is pushed to it as a source would: Exact predicates as Match, Widened ones as a superset.
type source struct {
	rng     *rand.Rand
	dispose map[*hunt.Predicate]hunt.Disposition
}

func (s *source) of(p *hunt.Predicate) hunt.Disposition {
	if _, ok := s.dispose[p]; !ok {
		s.dispose[p] = hunt.Exact + hunt.Disposition(s.rng.IntN(5))
	}
	return s.dispose[p]
}

// native is e with its widened leaves replaced by supersets.
func (s *source) native(t *testing.T, e hunt.Expr) hunt.Expr {
	switch e := e.(type) {
	case hunt.And:
		out := hunt.And{}
		for _, x := range e {
			out = append(out, s.native(t, x))
		}
		return out
	case hunt.Or:
		out := hunt.Or{}
		for _, x := range e {
			out = append(out, s.native(t, x))
		}
		return out
	case hunt.Not:
		return hunt.Not{Expr: s.native(t, e.Expr)}
	case hunt.Some:
		return hunt.Some{List: e.List, Expr: s.native(t, e.Expr)}
	case *hunt.Predicate:
		switch s.of(e) {
		case hunt.Exact:
			return e
		case hunt.Widened:
			return superset{e, s.rng.Uint64()}
		}
		t.Errorf("%s is %s and was pushed", e, s.of(e))
	}
	return e
}

// superset holds where its predicate does, and for about half of the other rows.
type superset struct {
	*hunt.Predicate
	seed uint64
}

func (s superset) Match(r hunt.Row) bool {
	if s.Predicate.Match(r) {
		return true
	}
	h := s.seed
	for _, v := range r.Values(ocsf.ColUID) {
		for _, c := range []byte(v.Str()) {
			h = h*1099511628211 + uint64(c)
		}
	}
	return h>>40&1 == 1
}

func rowsOf(rec arrow.RecordBatch, e hunt.Expr) []int {
	return hunttest.Expect(rec, e, hunttest.Always())
}

// TestPushAndResidualAreSound: what is pushed loses no row whatever the source can do, and what is checked again removes every other.
func TestPushAndResidualAreSound(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	pushed, residual := 0, 0
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		rec := hunttest.RandomBatch(rng, class, 24)
		for range 80 {
			e := hunttest.RandomExpr(rng, class, rec)
			s := &source{rng, map[*hunt.Predicate]hunt.Disposition{}}
			push, rest := hunt.Push(e, s.of), hunt.Residual(e, s.of)
			want, got := rowsOf(rec, e), rowsOf(rec, s.native(t, push))
			for _, row := range want {
				if !slices.Contains(got, row) {
					t.Fatalf("row %d of %s is lost by what was pushed: %s", row, e, push)
				}
			}
			checked := []int{}
			for _, row := range got {
				if rest.Match(vector.Row{Record: rec, Index: row}) {
					checked = append(checked, row)
				}
			}
			if !slices.Equal(checked, want) {
				t.Fatalf("%s\npushed %s\nresidual %s\ngives %v, want %v", e, push, rest, checked, want)
			}
			if !hunt.IsTrue(push) {
				pushed++
			}
			if !hunt.IsTrue(rest) {
				residual++
			}
		}
	}
	if pushed < 200 || residual < 200 {
		t.Errorf("too little was tried: %d conditions pushed, %d residuals", pushed, residual)
	}
}

// bare says whether e asks for an element of an array without saying which: no predicate tells whether a source looked.
func bare(e hunt.Expr) bool {
	switch e := e.(type) {
	case hunt.And:
		return slices.ContainsFunc(e, bare)
	case hunt.Or:
		return slices.ContainsFunc(e, bare)
	case hunt.Not:
		return bare(e.Expr)
	case hunt.Some:
		return hunt.IsTrue(e.Expr)
	}
	return false
}

// TestSimplify: the meaning stays, and no constant is left inside.
func TestSimplify(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	class := ocsf.ByUID(ocsf.ProcessActivity)
	rec := hunttest.RandomBatch(rng, class, 20)
	constant := func(e hunt.Expr) bool {
		or, ok := e.(hunt.Or)
		return hunt.IsTrue(e) || ok && len(or) == 0
	}
	var inside func(hunt.Expr) bool
	inside = func(e hunt.Expr) bool {
		switch e := e.(type) {
		case hunt.And:
			return slices.ContainsFunc(e, func(x hunt.Expr) bool { return constant(x) || inside(x) })
		case hunt.Or:
			return slices.ContainsFunc(e, func(x hunt.Expr) bool { return constant(x) || inside(x) })
		case hunt.Not:
			return constant(e.Expr) || inside(e.Expr)
		case hunt.Some:
			return !hunt.IsTrue(e.Expr) && (constant(e.Expr) || inside(e.Expr))
		}
		return false
	}
	spoil := func(e hunt.Expr) hunt.Expr {
		never := hunt.Not{Expr: hunt.And{hunt.True(), hunt.Not{Expr: hunt.Or{}}}}
		return []hunt.Expr{hunt.And{e, hunt.True()}, hunt.Or{never, e}, hunt.Not{Expr: hunt.Not{Expr: e}}, hunt.And{e, never}, hunt.Or{e, hunt.True()}, e}[rng.IntN(6)]
	}
	changed := 0
	for range 500 {
		e := spoil(hunt.And{spoil(hunttest.RandomExpr(rng, class, rec)), hunt.Or{spoil(hunttest.RandomExpr(rng, class, rec)), hunt.Or{}}})
		s := hunt.Simplify(e)
		if got, want := rowsOf(rec, s), rowsOf(rec, e); !slices.Equal(got, want) {
			t.Fatalf("%s\nbecame %s\nand gives %v, want %v", e, s, got, want)
		}
		if inside(s) {
			t.Fatalf("%s\nbecame %s, which holds a constant", e, s)
		}
		if s.String() != e.String() {
			changed++
		}
	}
	if changed < 300 {
		t.Errorf("only %d conditions changed", changed)
	}
}

// TestPushOfOneDisposition: all Exact leaves nothing to check but whether there is an element at all; all Local pushes nothing.
func TestPushOfOneDisposition(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	class := ocsf.ByUID(ocsf.NetworkActivity)
	rec := hunttest.RandomBatch(rng, class, 20)
	for range 300 {
		e := hunttest.RandomExpr(rng, class, rec)
		exact := func(*hunt.Predicate) hunt.Disposition { return hunt.Exact }
		if rest := hunt.Residual(e, exact); hunt.IsTrue(rest) == bare(e) {
			t.Fatalf("%s is exact and has a residual: %s", e, rest)
		}
		if bare(e) {
			continue
		}
		if got, want := rowsOf(rec, hunt.Push(e, exact)), rowsOf(rec, e); !slices.Equal(got, want) {
			t.Fatalf("%s is exact and was pushed as %s", e, hunt.Push(e, exact))
		}
		for _, d := range []hunt.Disposition{hunt.Local, hunt.Lossy, hunt.Impossible} {
			hunt.Walk(hunt.Push(e, func(*hunt.Predicate) hunt.Disposition { return d }), func(p *hunt.Predicate) {
				t.Fatalf("%s is %s and was pushed", p, d)
			})
		}
	}
}

// TestNotIsPushedOverExactOnly: the complement of a superset loses rows.
func TestNotIsPushedOverExactOnly(t *testing.T) {
	p := must(t, column(ocsf.String), hunt.Eq, hunt.String("a"))
	for d, want := range map[hunt.Disposition]string{hunt.Exact: `not x eq "a"`, hunt.Widened: "and()", hunt.Local: "and()"} {
		if got := hunt.Push(hunt.Not{Expr: p}, func(*hunt.Predicate) hunt.Disposition { return d }).String(); got != want {
			t.Errorf("not over %s is pushed as %s, want %s", d, got, want)
		}
	}
}
