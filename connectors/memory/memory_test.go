package memory_test

import (
	"cmp"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/connectors/memory"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/hunttest"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

func TestConformance(t *testing.T) {
	var m *memory.Memory
	add := func(t *testing.T, d hunttest.Data) {
		if err := m.Append(d.Stream, d.Record); err != nil {
			t.Fatal(err)
		}
	}
	open := func(t *testing.T, data []hunttest.Data) hunt.Connector {
		m = memory.Open(hunttest.Identity())
		for _, d := range data {
			add(t, d)
		}
		return m
	}
	hunttest.Suite{Open: open, Grow: add}.Run(t)
}

func TestUIDAndRawAreKept(t *testing.T) {
	m, st, rec := loaded(t, 200)
	got := all(t, m, st, hunt.Request{Columns: hunttest.Paths(st.Class), Range: hunttest.Always()})
	want := vector.Take(rec, hunttest.Expect(rec, hunt.True(), hunttest.Always()))
	if len(got) != 1 || !array.RecordEqual(got[0], want) {
		t.Error("the events that came back are not those that were appended")
	}
}

func TestDuplicatesAreOneEvent(t *testing.T) {
	m, st, rec := loaded(t, 50)
	if err := m.Append(st, vector.Take(rec, []int{7, 3, 3})); err != nil {
		t.Fatal(err)
	}
	other := &hunt.Stream{Name: "other", Class: st.Class, Attributes: st.Attributes}
	if err := m.Append(other, rec.NewSlice(0, 5)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int64{st.Name: 3, "other": 5} {
		tr, err := m.Translate(hunt.Request{Stream: name, Class: st.Class, Range: hunttest.Always()})
		if err != nil {
			t.Fatal(err)
		}
		for f, err := range m.Search(t.Context(), tr) {
			if end, ok := f.(hunt.End); err != nil || ok && end.Duplicates != want {
				t.Errorf("stream %s: %+v, %v; want %d duplicates", name, f, err, want)
			}
		}
	}
	d, err := m.Describe(t.Context())
	if err != nil || d.Streams[0].Rows != 50 || d.Streams[1].Rows != 0 {
		t.Errorf("described %+v, %v", d, err)
	}
}

// TestBatchesAndParts reads more rows than a batch holds, appended in overlapping parts and out of order.
func TestBatchesAndParts(t *testing.T) {
	m, st, _ := loaded(t, 0)
	class := ocsf.ByUID(ocsf.BaseEvent)
	base := &hunt.Stream{Name: "base", Class: class, Attributes: st.Attributes}
	rng := rand.New(rand.NewPCG(3, 3))
	for range 5 {
		rec := vector.Project(hunttest.RandomBatch(rng, class, 5000), hunt.Schema(class, nil))
		if err := m.Append(base, vector.Take(rec, rng.Perm(5000))); err != nil {
			t.Fatal(err)
		}
	}
	for _, limit := range []int{0, 10} {
		rows, last := 0, hunt.Key{Time: -1 << 63}
		for _, b := range all(t, m, base, hunt.Request{Range: hunttest.Always(), Limit: limit}) {
			if b.NumRows() > 8<<10 || limit > 0 && b.NumRows() > int64(limit) {
				t.Errorf("limit %d: a batch of %d rows", limit, b.NumRows())
			}
			for i := range int(b.NumRows()) {
				us, uid := vector.KeyAt(b, i)
				if k := (hunt.Key{Time: us, UID: uid}); k.Compare(last) <= 0 {
					t.Fatalf("limit %d: row %v does not come after %v", limit, k, last)
				} else {
					last = k
				}
			}
			rows += int(b.NumRows())
		}
		if rows != 25_000 {
			t.Errorf("limit %d: %d rows, want 25000", limit, rows)
		}
	}
}

func TestRefusals(t *testing.T) {
	m, st, rec := loaded(t, 10)
	narrow := &hunt.Stream{Name: st.Name, Class: st.Class}
	wrong := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "uid", Type: arrow.BinaryTypes.Binary}}, nil), nil, 0)
	noTime := arrow.NewSchema([]arrow.Field{hunt.Field(st.Class, "uid")}, nil)
	_, errStream := m.Translate(hunt.Request{Stream: "nobody", Class: st.Class})
	errs := map[string]error{
		"other attributes":  m.Append(narrow, rec),
		"another class":     m.Append(&hunt.Stream{Name: "x", Class: ocsf.ByUID(ocsf.BaseEvent)}, rec),
		"wrong type":        m.Append(st, wrong),
		"no time":           m.Append(st, vector.Project(rec, noTime)),
		"no class":          m.Append(&hunt.Stream{Name: "x"}, rec),
		"no uid in a row":   m.Append(st, vector.Project(vector.Project(rec, arrow.NewSchema(nil, nil)), hunt.Schema(st.Class, nil))),
		"unknown stream":    errStream,
		"snapshot of text":  snapshotError(t, m, st, "x"),
		"snapshot to come":  snapshotError(t, m, st, "99"),
		"negative snapshot": snapshotError(t, m, st, "-1"),
	}
	codes := map[string]hunt.Code{"unknown stream": hunt.NotFound, "snapshot of text": hunt.BadCursor, "snapshot to come": hunt.BadCursor, "negative snapshot": hunt.BadCursor}
	for name, err := range errs {
		var e *hunt.Error
		if want := cmp.Or(codes[name], hunt.BadUserInput); !errors.As(err, &e) || e.Code != want {
			t.Errorf("%s: error is %v, want %s", name, err, want)
		}
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if hunt.AsError(m.Append(st, rec), hunt.Internal).Code != hunt.SourceUnavailable {
		t.Error("Append after Close does not say SOURCE_UNAVAILABLE")
	}
}

func snapshotError(t *testing.T, m *memory.Memory, st *hunt.Stream, snapshot string) error {
	t.Helper()
	tr, err := m.Translate(hunt.Request{Stream: st.Name, Class: st.Class, Snapshot: snapshot})
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range m.Search(t.Context(), tr) {
		return err
	}
	return nil
}

// loaded opens a connection with rows events of one stream.
func loaded(t *testing.T, rows int) (*memory.Memory, *hunt.Stream, arrow.RecordBatch) {
	t.Helper()
	class := ocsf.ByUID(ocsf.ProcessActivity)
	m, st := memory.Open(hunttest.Identity()), &hunt.Stream{Name: "s", Class: class, Attributes: hunttest.AllAttributes(class)}
	rec := hunttest.RandomBatch(rand.New(rand.NewPCG(1, 1)), class, rows, hunttest.Untimed())
	if err := m.Append(st, rec); err != nil {
		t.Fatal(err)
	}
	return m, st, rec
}

// all returns the batches of a search.
func all(t *testing.T, m *memory.Memory, st *hunt.Stream, r hunt.Request) []arrow.RecordBatch {
	t.Helper()
	r.Stream, r.Class = st.Name, st.Class
	tr, err := m.Translate(r)
	if err != nil {
		t.Fatal(err)
	}
	var out []arrow.RecordBatch
	for f, err := range m.Search(t.Context(), tr) {
		if err != nil {
			t.Fatal(err)
		}
		if b, ok := f.(*hunt.Batch); ok {
			out = append(out, b.Record)
		}
	}
	return out
}
