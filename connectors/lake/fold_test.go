package lake_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// TestKeywordsDoNotFoldEachOther asks for several words at once, which is one pattern: a word in it must find what it finds alone. k and
// s are the letters that more than one rune folds to.
func TestKeywordsDoNotFoldEachOther(t *testing.T) {
	l, data := open(t, t.TempDir()), random(31, 400)
	ingest(t, l, "a", data)
	words := []string{"k", "K", "s", "S", "\u212a", "\u017f", "\u20ac", "\u00e9", "b", "a", "ke", "k\u00e9", "tas", "ta\u017f", "ss", "sk", "ks", "serk", "\u212aerb"}
	col := data.Stream.Class.Column("process.cmd_line")
	rng := rand.New(rand.NewPCG(31, 31))
	for range 60 {
		var e hunt.Or
		for range 2 + rng.IntN(4) {
			op := []hunt.Op{hunt.Contains, hunt.StartsWith, hunt.EndsWith, hunt.Eq, hunt.LikeOp}[rng.IntN(5)]
			p, err := hunt.NewPredicate(col, op, false, hunt.String(words[rng.IntN(len(words))]))
			if err != nil {
				t.Fatal(err)
			}
			e = append(e, p)
		}
		r := everything(data.Stream)
		r.Where, r.Columns = e, []string{"process.cmd_line"}
		want := uids(vector.Take(data.Record, hunttest.Expect(data.Record, e, r.Range)))
		if got := uids(complete(t, l, r).rec); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d", e, len(got), len(want))
		}
	}
}
