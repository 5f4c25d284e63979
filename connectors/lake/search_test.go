package lake_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

func TestRoundTrip(t *testing.T) {
	l, data := open(t, t.TempDir()), random(1, 300)
	ingest(t, l, "a", data)
	r := everything(data.Stream)
	got := complete(t, l, r)
	want := vector.Project(timed(data.Record), hunt.Schema(r.Class, r.Columns))
	if !array.RecordEqual(got.rec, want) {
		for i, col := range got.rec.Columns() {
			if !array.Equal(col, want.Column(i)) {
				t.Errorf("column %s: got %v, want %v", want.ColumnName(i), col, want.Column(i))
			}
		}
	}
	if untimed := data.Record.NumRows() - want.NumRows(); got.end.Untimed != untimed || untimed == 0 {
		t.Errorf("End.Untimed is %d, want %d", got.end.Untimed, untimed)
	}
}

// TestSearchEqualsMatch compares searches with Match on the events as they were appended.
func TestSearchEqualsMatch(t *testing.T) {
	l, data := open(t, t.TempDir()), random(2, 200)
	ingest(t, l, "a", data)
	rng := rand.New(rand.NewPCG(3, 3))
	found := 0
	for range 150 {
		e := hunttest.RandomExpr(rng, data.Stream.Class, data.Record)
		r := everything(data.Stream)
		r.Where, r.Order = e, hunt.Order(rng.IntN(2))
		want := hunttest.Expect(data.Record, e, r.Range)
		expected := vector.Sort(vector.Take(data.Record, want), r.Order)
		if got := uids(complete(t, l, r).rec); !slices.Equal(got, uids(expected)) {
			t.Errorf("%s: %d rows, want %d", e, len(got), len(want))
		}
		found += len(want)
	}
	if found == 0 {
		t.Error("no expression found anything, so nothing was tested")
	}
}

func TestSnapshotStaysWhileIngesting(t *testing.T) {
	l, first, second := open(t, t.TempDir()), random(4, 60), random(5, 60)
	ingest(t, l, "a", first)
	d, err := l.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ingest(t, l, "b", second)
	r := everything(first.Stream)
	r.Snapshot = d.Snapshot
	if got := uids(complete(t, l, r).rec); !slices.Equal(got, uids(timed(first.Record))) {
		t.Errorf("the snapshot shows %d rows, want %d", len(got), timed(first.Record).NumRows())
	}
	r.Snapshot = ""
	both := join(timed(first.Record), timed(second.Record))
	if got := uids(complete(t, l, r).rec); !slices.Equal(got, uids(both)) {
		t.Errorf("the newest state shows %d rows, want %d", len(got), both.NumRows())
	}
	r.Snapshot = "99"
	var e *hunt.Error
	if a := search(t, l, r); !errors.As(a.err, &e) || e.Code != hunt.BadCursor {
		t.Errorf("a snapshot that is not there: %v, want BAD_CURSOR", a.err)
	}
}

func TestDamagedFiles(t *testing.T) {
	damage := map[string]func(path string) error{
		"missing":                       os.Remove,
		"truncated":                     func(path string) error { return os.Truncate(path, 100) },
		"header and footer overwritten": func(path string) error { return overwrite(path, 0, true) },
		"pages overwritten":             func(path string) error { return overwrite(path, 64, false) },
	}
	for name, harm := range damage {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			l, first, second := open(t, root), random(6, 500), random(7, 60)
			ingest(t, l, "a", first)
			before := parquetFiles(t, root)
			ingest(t, l, "b", second)
			for _, path := range before {
				if strings.Contains(path, "day=2") {
					if err := harm(path); err != nil {
						t.Fatal(err)
					}
				}
			}
			a := search(t, l, everything(first.Stream))
			if a.err != nil || a.end == nil || len(a.parts) == 0 {
				t.Fatalf("error %v, end %v, parts %v; want lost parts and an end", a.err, a.end, a.parts)
			}
			part := a.parts[0]
			if filepath.IsAbs(part.Part) || !strings.HasPrefix(part.Part, "class=process_activity/day=") || part.Err.Code != hunt.SourceDamaged || part.Lost == nil {
				t.Errorf("part %+v", part)
			}
			if got := uids(a.rec); !slices.Equal(got, uids(timed(second.Record))) {
				t.Errorf("%d rows of the sound file, want %d", len(got), timed(second.Record).NumRows())
			}
		})
	}
}

// overwrite puts noise into a file, from a place on; all of it or 400 bytes.
func overwrite(path string, from int, whole bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	to := len(text)
	if !whole {
		to = from + 400
	}
	for i := from; i < to; i++ {
		text[i] = byte(i*7 + 3)
	}
	return os.WriteFile(path, text, 0o644)
}

func TestSearchAfterClose(t *testing.T) {
	l := open(t, t.TempDir())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if a := search(t, l, everything(processes())); a.err == nil {
		t.Error("a search after Close has no error")
	}
}

func TestSearchWithoutFilesEnds(t *testing.T) {
	a := complete(t, open(t, t.TempDir()), everything(processes()))
	if a.rec.NumRows() != 0 {
		t.Errorf("%d rows of nothing", a.rec.NumRows())
	}
}

func TestCancel(t *testing.T) {
	l, data := open(t, t.TempDir()), random(8, 100)
	ingest(t, l, "a", data)
	tr, err := l.Translate(everything(data.Stream))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var last error
	for f, err := range l.Search(ctx, tr) {
		if _, ok := f.(hunt.End); ok {
			t.Error("a cancelled search says that it is complete")
		}
		last = err
	}
	var e *hunt.Error
	if !errors.As(last, &e) || e.Code != hunt.Cancelled {
		t.Errorf("error %v, want CANCELLED", last)
	}
}

// TestLimitGoesOn reads on after the limit: the connector asks for the next page itself.
func TestLimitGoesOn(t *testing.T) {
	l, data := open(t, t.TempDir()), random(9, 120)
	ingest(t, l, "a", data)
	r := everything(data.Stream)
	r.Limit, r.Columns = 7, nil
	for _, r.Order = range []hunt.Order{hunt.TimeAsc, hunt.TimeDesc} {
		want := uids(vector.Sort(timed(data.Record), r.Order))
		if got := uids(complete(t, l, r).rec); !slices.Equal(got, want) {
			t.Errorf("%s: %d rows, want %d", r.Order, len(got), len(want))
		}
	}
}

// TestLongLists compares `in` with many values, which is another query than with few, with Match.
func TestLongLists(t *testing.T) {
	l, data := open(t, t.TempDir()), random(22, 100)
	ingest(t, l, "a", data)
	class := data.Stream.Class
	rng := rand.New(rand.NewPCG(22, 22))
	for _, path := range []string{"process.name", "process.pid", "device.ip", "process.file.hashes.value", "time", "process.file.hashes.algorithm_id"} {
		col := class.Column(path)
		for _, sensitive := range []bool{false, true} {
			var args []hunt.Value
			for len(args) < 30 {
				args = append(args, hunttest.RandomPredicate(rng, col, hunt.In, data.Record).Args...)
			}
			p, err := hunt.NewPredicate(col, hunt.In, sensitive, args...)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range []hunt.Expr{p, hunt.Not{Expr: p}, hunt.Or{p, hunt.Not{Expr: hunt.And{p}}}} {
				r := everything(data.Stream)
				r.Where = e
				want := uids(vector.Take(data.Record, hunttest.Expect(data.Record, e, r.Range)))
				if got := uids(complete(t, l, r).rec); !slices.Equal(got, want) {
					t.Errorf("%s: %d rows, want %d", e, len(got), len(want))
				}
			}
		}
	}
}

// TestLargePatterns searches with patterns at the bounds of what is pushed: DuckDB must take all of them.
func TestLargePatterns(t *testing.T) {
	l, data := open(t, t.TempDir()), random(23, 60)
	ingest(t, l, "a", data)
	col := data.Stream.Class.Column("process.cmd_line")
	for _, text := range []string{`.{0,990}x`, `\pL{0,15}x`, `(?:\w{1,30}\s){0,30}`, `[^a-z]{500}|x`, strings.Repeat("(?i)k\u00e9", 300), strings.Repeat(`(a|\d){9}`, 100)} {
		p, err := hunt.NewPredicate(col, hunt.RegexOp, false, hunt.String(text))
		if err != nil {
			t.Fatal(err)
		}
		r := everything(data.Stream)
		r.Where = p
		want := uids(vector.Take(data.Record, hunttest.Expect(data.Record, p, r.Range)))
		if got := uids(complete(t, l, r).rec); !slices.Equal(got, want) {
			t.Errorf("%.40s: %d rows, want %d", text, len(got), len(want))
		}
	}
	var keywords hunt.Or
	for i := range 3000 {
		p, err := hunt.NewPredicate(col, hunt.Contains, false, hunt.String(strings.Repeat("Keyword", 3)+string(rune('a'+i%26))+string(rune(0x100+i))))
		if err != nil {
			t.Fatal(err)
		}
		keywords = append(keywords, p)
	}
	r := everything(data.Stream)
	r.Where = keywords
	complete(t, l, r)
}
