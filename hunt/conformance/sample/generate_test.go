package sample_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func newRand(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

func TestRandomBatchIsSortedAndTyped(t *testing.T) {
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		rec := sample.RandomBatch(newRand(7), class, 200, sample.Untimed())
		if want := hunt.Schema(class, sample.Paths(class)); !rec.Schema().Equal(want) {
			t.Fatalf("%s: schema is %s, want %s", class.Name, rec.Schema(), want)
		}
		if vector.Sort(rec, hunt.TimeAsc) != rec {
			t.Errorf("%s: the rows are not ordered by (time, uid)", class.Name)
		}
		uids := map[string]bool{}
		for row := range int(rec.NumRows()) {
			_, uid := vector.KeyAt(rec, row)
			uids[uid] = true
		}
		if len(uids) != 200 {
			t.Errorf("%s: %d distinct uids in 200 rows", class.Name, len(uids))
		}
		if rec.Column(1).NullN() == 0 {
			t.Errorf("%s: no row is untimed", class.Name)
		}
	}
}

func TestRandomBatchIsDeterministic(t *testing.T) {
	class := ocsf.ByUID(ocsf.NetworkActivity)
	a, b := sample.RandomBatch(newRand(3), class, 50), sample.RandomBatch(newRand(3), class, 50)
	if !array.RecordEqual(a, b) {
		t.Error("the same seed gave two different batches")
	}
	x, y := sample.RandomExpr(newRand(4), class, a), sample.RandomExpr(newRand(4), class, b)
	if x.String() != y.String() {
		t.Errorf("the same seed gave two conditions:\n%s\n%s", x, y)
	}
}

func TestRandomBatchOptions(t *testing.T) {
	class := ocsf.ByUID(ocsf.ProcessActivity)
	noText := func(_ string, v hunt.Value) bool { return v.Kind() != hunt.StringKind }
	rec := sample.RandomBatch(newRand(1), class, 100, sample.Only(map[string]bool{"process.pid": true, "process.name": true}), sample.Keeping(noText))
	for i, f := range rec.Schema().Fields() {
		filled := rec.Column(i).NullN() < rec.Column(i).Len()
		if want := slices.Contains([]string{"uid", "time", "process.pid"}, f.Name); filled != want {
			t.Errorf("column %s filled: %v, want %v", f.Name, filled, want)
		}
	}
}

// TestRandomExprReachesEverything counts what a few thousand conditions hold: every operator of every type, arrays of objects, and both
// answers.
func TestRandomExprReachesEverything(t *testing.T) {
	type use struct {
		t  ocsf.Type
		op hunt.Op
	}
	seen, want := map[use]bool{}, map[use]bool{}
	rng, some, hits, rows := newRand(11), 0, 0, 0
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		rec := sample.RandomBatch(rng, class, 20)
		for _, c := range sample.Columns(class, nil) {
			for _, op := range hunt.Ops(c.Type) {
				want[use{c.Type, op}] = true
			}
		}
		for range 200 {
			e := sample.RandomExpr(rng, class, rec)
			hunt.Walk(e, func(p *hunt.Predicate) { seen[use{p.Type, p.Op}] = true })
			if _, ok := e.(hunt.Some); ok {
				some++
			}
			hits += len(sample.Expect(rec, e, sample.Always()))
			rows += int(rec.NumRows())
		}
	}
	for u := range want {
		if !seen[u] {
			t.Errorf("no condition has %s on %s", u.op, u.t)
		}
	}
	if some == 0 || hits < rows/10 || hits > rows*9/10 {
		t.Errorf("conditions say too little: %d of %d rows hit, %d arrays of objects", hits, rows, some)
	}
}

func TestExpectLeavesUntimedRowsOut(t *testing.T) {
	class := ocsf.ByUID(ocsf.DnsActivity)
	rec := sample.RandomBatch(newRand(5), class, 100, sample.Untimed())
	w := sample.Window()
	for _, i := range sample.Expect(rec, hunt.True(), w) {
		if us, _ := vector.KeyAt(rec, i); !w.Contains(us) {
			t.Errorf("row %d at %d is not in %s", i, us, w)
		}
	}
	all := sample.Expect(rec, hunt.True(), sample.Always())
	if got, want := len(all), 100-rec.Column(1).NullN(); got != want {
		t.Errorf("the widest range holds %d rows, want %d", got, want)
	}
}
