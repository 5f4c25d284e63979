package lake_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/connectors/lake"
	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

func begin(t *testing.T, l *lake.Lake, digest string) hunt.SinkWriter {
	t.Helper()
	w, err := l.Begin(t.Context(), hunt.Input{Name: digest, Digest: digest})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestExactlyOnce(t *testing.T) {
	l := open(t, t.TempDir())
	early := begin(t, l, "a")
	ingest(t, l, "a", random(10, 20))
	if _, err := l.Begin(t.Context(), hunt.Input{Name: "again", Digest: "a"}); !errors.Is(err, hunt.ErrIngested) {
		t.Errorf("Begin with a known digest: %v, want ErrIngested", err)
	}
	other := random(11, 20)
	if err := early.Append(other.Stream, other.Record); err != nil {
		t.Fatal(err)
	}
	if err := early.Commit(hunt.Counts{}); !errors.Is(err, hunt.ErrIngested) {
		t.Errorf("Commit of an input that another writer was faster with: %v, want ErrIngested", err)
	}
	if got, want := complete(t, l, everything(other.Stream)).rec.NumRows(), timed(random(10, 20).Record).NumRows(); got != want {
		t.Errorf("%d rows, want %d", got, want)
	}
}

// TestUncommittedIsInvisible leaves a writer in the middle, as a crash does, and then removes what it left.
func TestUncommittedIsInvisible(t *testing.T) {
	root := t.TempDir()
	l, data := open(t, root), random(12, 50)
	w := begin(t, l, "a")
	if err := w.Append(data.Stream, data.Record); err != nil {
		t.Fatal(err)
	}
	if err := lake.Flush(w); err != nil {
		t.Fatal(err)
	}
	if len(parquetFiles(t, root)) == 0 {
		t.Fatal("nothing was written, so nothing is tested")
	}
	again := open(t, root)
	if n := complete(t, again, everything(data.Stream)).rec.NumRows(); n != 0 {
		t.Errorf("%d rows of an input that is not committed", n)
	}
	begin(t, again, "b").Abort()
	if len(parquetFiles(t, root)) == 0 {
		t.Error("the files of a living writer were removed")
	}
	lake.Crash(w)
	third := open(t, root)
	begin(t, third, "c").Abort()
	if left := parquetFiles(t, root); len(left) > 0 {
		t.Errorf("leftovers of a dead writer: %v", left)
	}
	ingest(t, third, "a", data)
	if got := uids(complete(t, third, everything(data.Stream)).rec); !slices.Equal(got, uids(timed(data.Record))) {
		t.Errorf("%d rows after the second try", len(got))
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	root := t.TempDir()
	l, data := open(t, root), random(13, 50)
	w := begin(t, l, "a")
	if err := w.Append(data.Stream, data.Record); err != nil {
		t.Fatal(err)
	}
	if err := lake.Flush(w); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if left := parquetFiles(t, root); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

// TestTwoWriters lets two writers, which begin before either commits, bring an overlapping set of events.
func TestTwoWriters(t *testing.T) {
	root := t.TempDir()
	one, two := open(t, root), open(t, root)
	a, b := random(14, 60), random(15, 60)
	shared := join(a.Record, vector.Take(b.Record, []int{0, 1, 2, 3, 59}))
	w1, w2 := begin(t, one, "a"), begin(t, two, "b")
	for _, step := range []error{
		w1.Append(a.Stream, shared), w2.Append(b.Stream, b.Record), lake.Flush(w1), lake.Flush(w2),
		w1.Commit(hunt.Counts{Records: 65}), w2.Commit(hunt.Counts{Records: 60}),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	got := complete(t, one, everything(a.Stream))
	if want := uids(join(timed(a.Record), timed(b.Record))); !slices.Equal(uids(got.rec), want) {
		t.Errorf("%d rows, want %d", got.rec.NumRows(), len(want))
	}
	if got.end.Duplicates != 5 {
		t.Errorf("End.Duplicates is %d, want 5", got.end.Duplicates)
	}
}

func TestConcurrentCommitsTakeDifferentNumbers(t *testing.T) {
	root := t.TempDir()
	const n = 8
	done := make(chan error, n)
	for i := range n {
		l, data := open(t, root), random(uint64(100+i), 20)
		w := begin(t, l, "input "+string(rune('a'+i)))
		go func() { done <- errors.Join(w.Append(data.Stream, data.Record), w.Commit(hunt.Counts{})) }()
	}
	for range n {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	d, err := open(t, root).Describe(t.Context())
	if err != nil || d.Snapshot != "8" || len(d.Streams) != 1 || d.Streams[0].Rows != n*20 {
		t.Errorf("description %+v, error %v; want 8 commits with 160 rows", d, err)
	}
}

func TestDuplicates(t *testing.T) {
	l, data := open(t, t.TempDir()), random(16, 40)
	ingest(t, l, "a", data, data)
	ingest(t, l, "b", data)
	w := begin(t, l, "c")
	for range 2 {
		if err := errors.Join(w.Append(data.Stream, data.Record), lake.Flush(w)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(hunt.Counts{}); err != nil {
		t.Fatal(err)
	}
	a := complete(t, l, everything(data.Stream))
	if !slices.Equal(uids(a.rec), uids(timed(data.Record))) || a.end.Duplicates != 4*40 {
		t.Errorf("%d rows and %d duplicates, want %d and 160", a.rec.NumRows(), a.end.Duplicates, timed(data.Record).NumRows())
	}
}

func TestDescribeNeedsNoMapping(t *testing.T) {
	root := t.TempDir()
	l, data := open(t, root), random(17, 40)
	data.Stream.Closed = map[string][]hunt.Value{"activity_id": {hunt.Int(1)}, "process.name": {hunt.String("a\xff")}}
	ingest(t, l, "a", data)
	d, err := open(t, root).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s := d.Streams[0]
	if s.Name != "sysmon" || s.Rows != 40 || s.Untimed != 40-timed(data.Record).NumRows() || !s.Provides("process.cmd_line") ||
		!slices.Equal(s.Closed["activity_id"], data.Stream.Closed["activity_id"]) || !slices.Equal(s.Closed["process.name"], data.Stream.Closed["process.name"]) {
		t.Errorf("stream %+v", s)
	}
	less := random(18, 10)
	delete(less.Stream.Attributes, "process.cmd_line")
	ingest(t, l, "b", less)
	if d, err = l.Describe(t.Context()); err != nil || d.Streams[0].Provides("process.cmd_line") || !strings.Contains(strings.Join(d.Notes, "\n"), "process.cmd_line") {
		t.Errorf("an attribute that only some inputs fill is offered: %v, %v", d.Notes, err)
	}
}

func TestNamesCannotLeaveTheRoot(t *testing.T) {
	root := t.TempDir()
	l, err := lake.Open(t.Context(), hunt.Identity{Tenant: "../..", Connection: "a/b'\x00\u00e9"}, lake.Config{Path: filepath.Join(root, "it's")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	data := random(19, 20)
	ingest(t, l, "a", data)
	if got := uids(complete(t, l, everything(data.Stream)).rec); !slices.Equal(got, uids(timed(data.Record))) {
		t.Errorf("%d rows", len(got))
	}
	entries, err := os.ReadDir(root)
	if err != nil || len(entries) != 1 {
		t.Errorf("beside the root: %v, %v", entries, err)
	}
}

// TestOlderSchema reads files that lack columns of today, alone and beside new ones.
func TestOlderSchema(t *testing.T) {
	root := t.TempDir()
	l, data, newer := open(t, root), random(20, 60), random(21, 60)
	ingest(t, l, "a", data)
	lost := []string{"process.cmd_line", "process.file.hashes", "device.ip"}
	lake.Age(t, l, lost...)
	aged := open(t, root)
	check := func(want []arrow.RecordBatch) {
		t.Helper()
		r := everything(data.Stream)
		got := complete(t, aged, r)
		if !array.RecordEqual(got.rec, vector.Project(join(want...), hunt.Schema(r.Class, r.Columns))) {
			t.Errorf("got %v", got.rec)
		}
	}
	old := without(timed(data.Record), lost...)
	check([]arrow.RecordBatch{old})
	ingest(t, aged, "b", newer)
	check([]arrow.RecordBatch{old, timed(newer.Record)})
}

// without makes columns null.
func without(rec arrow.RecordBatch, names ...string) arrow.RecordBatch {
	cols := slices.Clone(rec.Columns())
	for i, f := range rec.Schema().Fields() {
		if slices.Contains(names, f.Name) {
			cols[i] = array.MakeArrayOfNull(memory.DefaultAllocator, f.Type, int(rec.NumRows()))
		}
	}
	return array.NewRecordBatch(rec.Schema(), cols, rec.NumRows())
}

// TestRejectedRecords: what could not be decoded at the ingest is told by every search that it may matter to, up to its snapshot.
func TestRejectedRecords(t *testing.T) {
	l, data := open(t, t.TempDir()), random(30, 40)
	ingest(t, l, "sound", data)
	before, err := l.Describe(t.Context())
	if err != nil || before.Streams[0].Time == nil {
		t.Fatalf("description %+v, error %v", before, err)
	}
	w, err := l.Begin(t.Context(), hunt.Input{Name: "a.jsonl", Digest: "a"}, hunt.Input{Name: "b.jsonl", Digest: "b"}, hunt.Input{Name: "c.jsonl", Digest: "c"})
	if err != nil {
		t.Fatal(err)
	}
	more := random(31, 40)
	if err := w.Append(more.Stream, more.Record); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(hunt.Counts{Records: 40}); err == nil {
		t.Fatal("counts of one of three inputs are taken")
	}
	if err := w.Commit(hunt.Counts{Records: 45, Rejected: 5}, hunt.Counts{Records: 3}, hunt.Counts{Records: 2, Rejected: 2}); err != nil {
		t.Fatal(err)
	}
	r := everything(data.Stream)
	got := complete(t, l, r).rejected
	if len(got) != 2 || got[0].Part != "a.jsonl" || got[0].Count != 5 || got[0].Reason == "" || got[1].Part != "c.jsonl" || got[1].Count != 2 {
		t.Errorf("rejected is %+v", got)
	}
	if now, err := l.Describe(t.Context()); err != nil || now.Streams[0].Time != nil {
		t.Errorf("a hunt of another time would not hear of the rejects: %+v, %v", now, err)
	}
	r.Snapshot = before.Snapshot
	if got := complete(t, l, r).rejected; len(got) != 0 {
		t.Errorf("an earlier snapshot has rejected %+v", got)
	}
	r.Snapshot, r.Stream = "", "other"
	if got := complete(t, l, r).rejected; len(got) != 0 {
		t.Errorf("a stream of other commits has rejected %+v", got)
	}
}

// TestUntimedOnly: a stream without any time is asked, and says how many events have none.
func TestUntimedOnly(t *testing.T) {
	l, data := open(t, t.TempDir()), random(32, 60)
	var rows []int
	times := data.Record.Column(1)
	for i := range times.Len() {
		if times.IsNull(i) {
			rows = append(rows, i)
		}
	}
	if len(rows) == 0 {
		t.Fatal("no row is without a time, so nothing is tested")
	}
	data.Record = vector.Take(data.Record, rows)
	ingest(t, l, "a", data)
	d, err := l.Describe(t.Context())
	n := int64(len(rows))
	if err != nil || d.Streams[0].Time != nil || d.Streams[0].Rows != n || d.Streams[0].Untimed != n {
		t.Errorf("stream %+v, error %v; want %d rows, all untimed, and no range", d.Streams[0], err, n)
	}
	if got := complete(t, l, everything(data.Stream)); got.rec.NumRows() != 0 || got.end.Untimed != n {
		t.Errorf("%d rows, end %+v", got.rec.NumRows(), got.end)
	}
}

// TestOlderCommitCountsTogether: a document that does not count rejected records by input still tells them.
func TestOlderCommitCountsTogether(t *testing.T) {
	root := t.TempDir()
	l, data := open(t, root), random(33, 20)
	w := begin(t, l, "a")
	if err := errors.Join(w.Append(data.Stream, data.Record), w.Commit(hunt.Counts{Records: 24, Rejected: 4})); err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(root, "*", "*", "_commits", "*.json"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("%v, %v", logs, err)
	}
	text, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	older := strings.Replace(string(text), `"rejected": 4`, `"rejected": 0`, 1)
	if older == string(text) || !strings.Contains(older, `"rejected": 4`) {
		t.Fatalf("the document is not what this test knows: %s", text)
	}
	if err := os.WriteFile(logs[0], []byte(older), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := complete(t, open(t, root), everything(data.Stream)).rejected; len(got) != 1 || got[0].Count != 4 {
		t.Errorf("rejected is %+v", got)
	}
}
