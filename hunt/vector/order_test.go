package vector_test

import (
	"cmp"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func orders() []hunt.Order { return []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} }

// place is a row as a plain sort sees it.
type place struct {
	row int
	us  int64
	uid string
}

func places(rec arrow.RecordBatch) []place {
	out := make([]place, rec.NumRows())
	for i := range out {
		us, uid := vector.KeyAt(rec, i)
		out[i] = place{i, us, uid}
	}
	return out
}

// plainSort is the reference: a stable sort of (time, uid), rows without a time as the latest.
func plainSort(list []place, order hunt.Order) {
	slices.SortStableFunc(list, func(a, b place) int {
		c := cmp.Or(cmp.Compare(a.us, b.us), strings.Compare(a.uid, b.uid))
		if order == hunt.TimeDesc {
			return -c
		}
		return c
	})
}

func shuffled(rec arrow.RecordBatch, seed uint64) arrow.RecordBatch {
	return vector.Take(rec, newRand(seed).Perm(int(rec.NumRows())))
}

func TestSort(t *testing.T) {
	for _, class := range []*ocsf.Class{ocsf.ByUID(ocsf.DnsActivity), ocsf.ByUID(ocsf.ApiActivity)} {
		sorted := hunttest.RandomBatch(newRand(4), class, 300, hunttest.Untimed())
		for _, order := range orders() {
			in := shuffled(sorted, 5)
			want := places(in)
			plainSort(want, order)
			got := vector.Sort(in, order)
			for i, w := range want {
				if us, uid := vector.KeyAt(got, i); us != w.us || uid != w.uid {
					t.Fatalf("%s %s: row %d is (%d, %s), want (%d, %s)", class.Name, order, i, us, uid, w.us, w.uid)
				}
			}
			if back := vector.Sort(got, hunt.TimeAsc); !array.RecordEqual(back, sorted) {
				t.Errorf("%s %s: sorting changed values", class.Name, order)
			}
		}
	}
}

func TestTakeKeepsEveryValue(t *testing.T) {
	for i := range ocsf.Classes() {
		class := &ocsf.Classes()[i]
		rec := hunttest.RandomBatch(newRand(6), class, 40, hunttest.Untimed())
		index := newRand(7).Perm(40)
		inverse := make([]int, 40)
		for to, from := range index {
			inverse[from] = to
		}
		if back := vector.Take(vector.Take(rec, index), inverse); !array.RecordEqual(back, rec) {
			t.Errorf("%s: a permutation and its inverse changed the batch", class.Name)
		}
		slice := vector.Take(rec.NewSlice(10, 20), []int{9, 0, 0})
		want := vector.Take(rec, []int{19, 10, 10})
		if !array.RecordEqual(slice, want) {
			t.Errorf("%s: Take of a slice is not Take of its rows", class.Name)
		}
		parts := []arrow.RecordBatch{rec.NewSlice(0, 7), rec.NewSlice(7, 30), rec.NewSlice(30, 40)}
		var at []vector.Place
		for _, row := range index {
			k := 0
			for row >= int(parts[k].NumRows()) {
				row, k = row-int(parts[k].NumRows()), k+1
			}
			at = append(at, vector.Place{Batch: k, Row: row})
		}
		if !array.RecordEqual(vector.Gather(parts, at), vector.Take(rec, index)) {
			t.Errorf("%s: Gather of parts is not Take of the whole", class.Name)
		}
		if none := vector.Take(rec, nil); none.NumRows() != 0 || !none.Schema().Equal(rec.Schema()) {
			t.Errorf("%s: Take of nothing gave %d rows of %s", class.Name, none.NumRows(), none.Schema())
		}
	}
}

func TestSelectAndProject(t *testing.T) {
	class := ocsf.ByUID(ocsf.NetworkActivity)
	rec := hunttest.RandomBatch(newRand(3), class, 50)
	mask := make(vector.Mask, 50)
	for i := range mask {
		mask[i] = i%3 == 0
	}
	if got, want := vector.Select(rec, mask), mask.Count(); int(got.NumRows()) != want {
		t.Errorf("Select gave %d rows, want %d", got.NumRows(), want)
	}
	narrow := vector.Project(rec, hunt.Schema(class, []string{"src_endpoint.ip"}))
	if got := narrow.Schema().Fields(); len(got) != 3 || got[2].Name != "src_endpoint.ip" {
		t.Errorf("projected to %s", narrow.Schema())
	}
	wide := vector.Project(narrow, rec.Schema())
	if !wide.Schema().Equal(rec.Schema()) || wide.NumRows() != 50 || wide.Column(3).NullN() != 50 {
		t.Error("a column that a batch lacks must come back null in every row")
	}
}

func TestInRangeIsHalfOpen(t *testing.T) {
	class := ocsf.ByUID(ocsf.DnsActivity)
	rec := hunttest.RandomBatch(newRand(3), class, 200, hunttest.Untimed())
	w := hunttest.Window()
	for _, r := range []hunt.TimeRange{w, {Start: w.Start, End: w.Start}, {Start: w.Start, End: w.Start + 1}, {Start: w.End - 1, End: w.End + 1}} {
		if got, want := vector.InRange(rec, r).Count(), len(hunttest.Expect(rec, hunt.True(), r)); got != want {
			t.Errorf("%s holds %d rows, want %d", r, got, want)
		}
	}
}

func TestAfter(t *testing.T) {
	class := ocsf.ByUID(ocsf.DnsActivity)
	ref := hunt.ConnectionRef{Tenant: "t", Connection: "c"}
	sorted := hunttest.RandomBatch(newRand(12), class, 120)
	for _, order := range orders() {
		rec := vector.Sort(sorted, order)
		if got := vector.After(rec, ref, order, nil); got.NumRows() != 120 {
			t.Errorf("%s: no key left out rows", order)
		}
		for i := range 120 {
			us, uid := vector.KeyAt(rec, i)
			for _, key := range []hunt.Key{{Time: us, Tenant: "t", Connection: "c", UID: uid}, {Time: us, Tenant: "s", Connection: "c", UID: uid},
				{Time: us, Tenant: "t", Connection: "d", UID: uid}, {Time: us + 1, Tenant: "t", Connection: "c"}} {
				want := 0
				for j := range 120 {
					at, id := vector.KeyAt(rec, j)
					c := hunt.Key{Time: at, Tenant: "t", Connection: "c", UID: id}.Compare(key)
					if order == hunt.TimeAsc && c > 0 || order == hunt.TimeDesc && c < 0 {
						want++
					}
				}
				if got := vector.After(rec, ref, order, &key); int(got.NumRows()) != want {
					t.Fatalf("%s: %d rows after %v, want %d", order, got.NumRows(), key, want)
				}
			}
		}
	}
}

// source cuts a batch into an input of Merge.
func source(ref hunt.ConnectionRef, rec arrow.RecordBatch, size int) vector.Input {
	at := 0
	return vector.Input{Ref: ref, Next: func() arrow.RecordBatch {
		n := min(size, int(rec.NumRows())-at)
		if n <= 0 {
			return nil
		}
		at += n
		return rec.NewSlice(int64(at-n), int64(at))
	}}
}

// mergeInputs makes ordered parts with many equal times; two inputs are one connection and share rows.
func mergeInputs(order hunt.Order, size int) (inputs []vector.Input, want []hunt.Key, dups int) {
	class := ocsf.ByUID(ocsf.DnsActivity)
	refs := []hunt.ConnectionRef{{Tenant: "a", Connection: "x"}, {Tenant: "a", Connection: "x"}, {Tenant: "a", Connection: "y"}, {Tenant: "b", Connection: "x"}}
	same := hunttest.RandomBatch(newRand(1), class, 70)
	seen := map[hunt.Key]bool{}
	for i, ref := range refs {
		rec := hunttest.RandomBatch(newRand(uint64(i)+10), class, 90)
		if i < 2 {
			rec = vector.Take(same, newRand(uint64(i)).Perm(70)[:50])
		}
		rec = vector.Sort(rec, order)
		inputs = append(inputs, source(ref, rec, size))
		for row := range int(rec.NumRows()) {
			us, uid := vector.KeyAt(rec, row)
			k := hunt.Key{Time: us, Tenant: ref.Tenant, Connection: ref.Connection, UID: uid}
			if seen[k] {
				dups++
				continue
			}
			seen[k] = true
			want = append(want, k)
		}
	}
	slices.SortFunc(want, func(a, b hunt.Key) int {
		if order == hunt.TimeDesc {
			a, b = b, a
		}
		return a.Compare(b)
	})
	return inputs, want, dups
}

func TestMerge(t *testing.T) {
	for _, order := range orders() {
		for _, size := range []int{1, 7, 1000} {
			inputs, want, wantDups := mergeInputs(order, size)
			dups, got := 0, []hunt.Key{}
			for run := range vector.Merge(inputs, order, func(int) { dups++ }) {
				ref := inputs[run.Source].Ref
				for row := run.From; row < run.To; row++ {
					us, uid := vector.KeyAt(run.Record, row)
					got = append(got, hunt.Key{Time: us, Tenant: ref.Tenant, Connection: ref.Connection, UID: uid})
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s in batches of %d: merged %d rows, want %d in another order or number", order, size, len(got), len(want))
			}
			if dups != wantDups || dups == 0 {
				t.Errorf("%s in batches of %d: %d duplicates, want %d", order, size, dups, wantDups)
			}
		}
	}
}

func TestMergeStopsWhenTheConsumerDoes(t *testing.T) {
	inputs, _, _ := mergeInputs(hunt.TimeAsc, 3)
	runs := 0
	for range vector.Merge(inputs, hunt.TimeAsc, func(int) {}) {
		if runs++; runs == 2 {
			break
		}
	}
	if runs != 2 {
		t.Errorf("%d runs after break at 2", runs)
	}
}

func TestMergeOfNothing(t *testing.T) {
	empty := vector.Input{Next: func() arrow.RecordBatch { return nil }}
	for range vector.Merge([]vector.Input{empty}, hunt.TimeAsc, func(int) {}) {
		t.Error("a run came from an empty input")
	}
}

// TestMergeLeavesOutRepeatsInOneInput: a row that follows itself, within a batch or across two, is yielded once and counted.
func TestMergeLeavesOutRepeatsInOneInput(t *testing.T) {
	rec := hunttest.RandomBatch(newRand(5), ocsf.ByUID(ocsf.DnsActivity), 20)
	var index []int
	for i := range 20 {
		for range 1 + i%3 {
			index = append(index, i)
		}
	}
	repeating, ref := vector.Take(rec, index), hunt.ConnectionRef{Tenant: "t", Connection: "c"}
	for _, size := range []int{1, 2, 3, 1000} {
		dups := [2]int{}
		var got []place
		inputs := []vector.Input{source(ref, rec, size), source(ref, repeating, size)}
		for run := range vector.Merge(inputs, hunt.TimeAsc, func(s int) { dups[s]++ }) {
			if run.From >= run.To {
				t.Errorf("an empty run of input %d", run.Source)
			}
			got = append(got, places(run.Record.NewSlice(int64(run.From), int64(run.To)))...)
		}
		want := places(rec)
		if !slices.EqualFunc(got, want, func(a, b place) bool { return a.us == b.us && a.uid == b.uid }) {
			t.Errorf("in batches of %d: %d rows, want each of the %d once", size, len(got), len(want))
		}
		if dups[0]+dups[1] != len(index) {
			t.Errorf("in batches of %d: %v duplicates, want %d", size, dups, len(index))
		}
	}
}
