package elastic_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/connectors/elastic"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// These helpers read the rows of answers.

func contextWithCancel(t *testing.T) (context.Context, context.CancelFunc) {
	return context.WithCancel(t.Context())
}

func uidAt(b *hunt.Batch, i int) string {
	_, uid := vector.KeyAt(b.Record, i)
	return strings.Clone(uid)
}

// textAt is the text of a column, "" if the row has none.
func textAt(rec arrow.RecordBatch, path string, i int) string {
	for _, v := range (vector.Row{Record: rec, Index: i}).Values(path) {
		if v.Kind() == hunt.StringKind {
			return v.Str()
		}
	}
	return ""
}

// matching counts the rows that satisfy a condition, as the host does.
func matching(f found, e hunt.Expr) int {
	n := 0
	for _, rec := range f.batches {
		for i := range int(rec.NumRows()) {
			if e.Match(vector.Row{Record: rec, Index: i}) {
				n++
			}
		}
	}
	return n
}

// frugalHunts asks random conditions of documents of this package: the rows that remain after the recheck are those of Match.
func frugalHunts(t *testing.T, e *elastic.Elastic, s *hunt.Stream) {
	t.Helper()
	rng := rand.New(rand.NewPCG(51, 52))
	rec := hunttest.RandomBatch(rng, s.Class, 150)
	if err := ingest(t.Context(), e, "a", hunttest.Data{Stream: s, Record: rec}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Describe(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 40 {
		r := everything(s)
		r.Where = hunttest.RandomExpr(rng, s.Class, rec)
		r.Columns = hunt.Paths(r.Where, s.Class)
		got := search(t, e, r, 0)
		got.complete(t, hunt.TimeAsc)
		if n, want := matching(got, r.Where), len(hunttest.Expect(rec, r.Where, r.Range)); n != want {
			t.Fatalf("%.1000s: %d rows, want %d", r.Where, n, want)
		}
	}
}
