package lake

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/arrow/util"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Bounds of what a writer holds in memory before it writes files.
const (
	flushRows  = rowGroup  // of one stream and class
	flushBytes = 256 << 20 // of all
)

// Writer takes the events of one commit. It is not safe for concurrent use; several writers, also of several processes, may work on one
// lake. End it with Commit or Abort.
type Writer struct {
	lake    *Lake
	ctx     context.Context
	inputs  []hunt.Input
	id      string
	lock    *os.File
	seen    []commit // the commits whose events are left out
	buffers map[streamKey]*buffer
	bytes   int64
	files   []parquetDoc
	written int // files so far, for their names
	done    bool
}

// buffer holds rows of one stream and class that are in no file yet.
type buffer struct {
	doc    streamDoc
	class  *ocsf.Class
	schema *arrow.Schema
	recs   []arrow.RecordBatch
	rows   int64
	bytes  int64
}

// Has implements hunt.Sink.
func (l *Lake) Has(_ context.Context, digest string) (bool, error) {
	if _, err := l.view(""); err != nil {
		return false, err
	}
	return l.log.has(digest) > 0, nil
}

// Begin starts one commit of one or several inputs; small inputs are better taken together, because every commit makes files of its
// own. It returns ErrIngested if one of them is committed already, and a *hunt.Error if the lake cannot be written. Files that crashed
// writers left behind are removed first. ctx ends the writer's reads.
func (l *Lake) Begin(ctx context.Context, inputs ...hunt.Input) (hunt.SinkWriter, error) {
	commits, err := l.view("")
	if err != nil {
		return nil, err
	}
	for _, in := range inputs {
		if in.Digest == "" {
			return nil, l.failed(hunt.BadConfig, fmt.Errorf("the input %s has no digest, so it could not be told from others", in.Name))
		}
		if l.log.has(in.Digest) > 0 {
			return nil, hunt.ErrIngested
		}
	}
	w := &Writer{lake: l, ctx: ctx, inputs: inputs, seen: commits, buffers: map[streamKey]*buffer{}}
	var id [8]byte
	rand.Read(id[:]) // never fails
	w.id = hex.EncodeToString(id[:])
	if err := l.removeLeftovers(); err != nil {
		return nil, l.failed(hunt.SourceUnavailable, err)
	}
	if err := w.takeLock(); err != nil {
		return nil, l.failed(hunt.SourceUnavailable, err)
	}
	return w, nil
}

func (l *Lake) failed(code hunt.Code, err error) *hunt.Error {
	return &hunt.Error{Op: "lake: ingest", Source: l.identity.Tenant + "/" + l.identity.Connection, Code: code, Cause: err}
}

// takeLock makes the file that says that this writer lives.
func (w *Writer) takeLock() error {
	dir := filepath.Join(w.lake.dir, writersDir)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	// The name appears with the lock held, so nobody finds the file without its lock.
	temp := filepath.Join(dir, "."+w.id)
	f, err := os.Create(temp)
	if err != nil {
		return err
	}
	if !tryLock(f) {
		return errors.Join(fmt.Errorf("%s cannot be locked", temp), f.Close(), os.Remove(temp))
	}
	w.lock = f
	return os.Rename(temp, filepath.Join(dir, w.id))
}

func (w *Writer) releaseLock() {
	os.Remove(w.lock.Name())
	os.Remove(filepath.Join(w.lake.dir, writersDir, w.id))
	w.lock.Close()
}

// removeLeftovers deletes the files of writers that are gone and that no commit names. It runs once per Lake.
func (l *Lake) removeLeftovers() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cleaned || !locksWork {
		return nil
	}
	l.cleaned = true
	entries, err := os.ReadDir(filepath.Join(l.dir, writersDir))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := l.removeWriter(e.Name()); err != nil {
			return err
		}
	}
	return nil
}

// removeWriter deletes what the writer left, unless it lives.
func (l *Lake) removeWriter(id string) error {
	name := filepath.Join(l.dir, writersDir, id)
	f, err := os.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it ended a moment ago
		}
		return err
	}
	defer f.Close()
	if !tryLock(f) {
		return nil
	}
	// The writer is gone, so the commit log says all that it will ever say about its files.
	commits, err := l.log.list()
	if err != nil {
		return err
	}
	named := map[string]bool{}
	for i := range commits {
		for _, p := range commits[i].Files {
			named[p.Path] = true
		}
	}
	found, err := filepath.Glob(filepath.Join(globEscape(l.dir), "class=*", "day=*", id+"-*.parquet"))
	if err != nil {
		return err
	}
	for _, path := range found {
		rel, err := filepath.Rel(l.dir, path)
		if err != nil || named[filepath.ToSlash(rel)] {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Remove(name)
}

func globEscape(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Append takes events of one stream, in any order of time, with the columns that hunt.Schema makes; a column that rec lacks is null. It
// keeps rec until it is written. The error is a *hunt.Error; the writer can then only be aborted.
func (w *Writer) Append(stream *hunt.Stream, rec arrow.RecordBatch) error {
	if w.done {
		return w.lake.failed(hunt.Internal, errors.New("the writer has ended"))
	}
	if stream == nil || stream.Class == nil {
		return w.lake.failed(hunt.Internal, errors.New("the stream names no class"))
	}
	b := w.buffer(stream)
	if err := checkBatch(b.schema, rec); err != nil {
		return w.lake.failed(hunt.Internal, err)
	}
	if rec.NumRows() == 0 {
		return nil
	}
	size := util.TotalRecordSize(rec)
	b.recs, b.rows, b.bytes = append(b.recs, vector.Project(rec, b.schema)), b.rows+rec.NumRows(), b.bytes+size
	w.bytes += size
	if b.rows >= flushRows {
		return w.flush(b)
	}
	for w.bytes > flushBytes {
		if err := w.flush(w.largest()); err != nil {
			return err
		}
	}
	return nil
}

func (w *Writer) buffer(stream *hunt.Stream) *buffer {
	key := streamKey{stream.Class.Name, stream.Name}
	if b := w.buffers[key]; b != nil {
		return b
	}
	doc := streamDoc{Name: stream.Name, Class: stream.Class.Name, Attributes: []string{}, Closed: map[string][]valueDoc{}}
	for _, a := range slices.Sorted(maps.Keys(stream.Attributes)) {
		if stream.Attributes[a] {
			doc.Attributes = append(doc.Attributes, a)
		}
	}
	for path, values := range stream.Closed {
		doc.Closed[path] = []valueDoc{}
		for _, v := range values {
			doc.Closed[path] = append(doc.Closed[path], valueToDoc(v))
		}
	}
	b := &buffer{doc: doc, class: stream.Class, schema: fullSchema(stream.Class)}
	w.buffers[key] = b
	return b
}

func (w *Writer) largest() *buffer {
	return slices.MaxFunc(slices.Collect(maps.Values(w.buffers)), func(a, b *buffer) int { return int(a.bytes - b.bytes) })
}

// checkBatch refuses what the files could not hold.
func checkBatch(schema *arrow.Schema, rec arrow.RecordBatch) error {
	for _, f := range rec.Schema().Fields() {
		want, ok := schema.FieldsByName(f.Name)
		if !ok || !arrow.TypeEqual(want[0].Type, f.Type) {
			return fmt.Errorf("column %s of type %s is not a column of the class", f.Name, f.Type)
		}
	}
	at, times := rec.Schema().FieldIndices(ocsf.ColUID), rec.Schema().FieldIndices(ocsf.ColTime)
	if len(at) != 1 || len(times) != 1 {
		return errors.New("the batch must have the columns uid and time once each")
	}
	uid := rec.Column(at[0]).(*array.String)
	for i := range uid.Len() {
		if uid.IsNull(i) || uid.Value(i) == "" || !hunt.IsPlainText(uid.Value(i)) {
			return fmt.Errorf("row %d has no valid uid", i)
		}
	}
	return nil
}

// flush writes what a buffer holds: one file for each day.
func (w *Writer) flush(b *buffer) error {
	if b.rows == 0 {
		return nil
	}
	rec, err := concatenate(b.schema, b.recs)
	w.bytes -= b.bytes
	b.recs, b.rows, b.bytes = nil, 0, 0
	if err != nil {
		return w.lake.failed(hunt.Internal, err)
	}
	rec = vector.Sort(rec, hunt.TimeAsc)
	rec, escaped := mapText(rec, hunt.IsPlainText, hunt.EscapeText)
	for day, part := range days(rec) {
		if err := w.writeDay(b, part, parquetDoc{Day: day, Escaped: escaped}); err != nil {
			return w.lake.failed(hunt.SourceUnavailable, err)
		}
	}
	return nil
}

// writeDay writes the events of one day that are not in the lake yet.
func (w *Writer) writeDay(b *buffer, rec arrow.RecordBatch, doc parquetDoc) error {
	doc.Stream, doc.Class, doc.Schema = b.doc.Name, b.doc.Class, fingerprint(b.schema)
	fresh, err := w.dropKnown(rec, doc, w.known(doc))
	if err != nil {
		return err
	}
	b.doc.Duplicates += rec.NumRows() - fresh.NumRows()
	if fresh.NumRows() == 0 {
		return nil
	}
	return w.writeFile(fresh, doc)
}

// known lists the files that may hold events of the class and day of doc: those of the commits seen and of this input.
func (w *Writer) known(doc parquetDoc) []parquetDoc {
	out := sameDay(w.files, doc)
	for i := range w.seen {
		out = append(out, sameDay(w.seen[i].Files, doc)...)
	}
	return out
}

func sameDay(files []parquetDoc, doc parquetDoc) []parquetDoc {
	var out []parquetDoc
	for _, f := range files {
		if f.Class == doc.Class && f.Day == doc.Day && f.Path != doc.Path {
			out = append(out, f)
		}
	}
	return out
}

// dropKnown leaves out the rows whose uid is in one of the files, or further up in rec. It reads only uids, and holds only rec's.
func (w *Writer) dropKnown(rec arrow.RecordBatch, doc parquetDoc, files []parquetDoc) (arrow.RecordBatch, error) {
	uid := rec.Column(0).(*array.String)
	keep, row := make(vector.Mask, uid.Len()), make(map[string]int, uid.Len())
	for i := range keep {
		if _, twice := row[uid.Value(i)]; !twice {
			row[uid.Value(i)], keep[i] = i, true
		}
	}
	for _, f := range files {
		err := readUIDs(w.ctx, filepath.Join(w.lake.dir, filepath.FromSlash(f.Path)), func(u string) {
			if i, ok := row[u]; ok {
				keep[i] = false
			}
		})
		if err != nil {
			return nil, fmt.Errorf("%s: cannot tell which events are in the lake already: %w", f.Path, err)
		}
	}
	return vector.Select(rec, keep), nil
}

func (w *Writer) writeFile(rec arrow.RecordBatch, doc parquetDoc) error {
	w.written++
	doc.Path = filepath.Join(partition(doc.Class, doc.Day), fmt.Sprintf("%s-%d.parquet", w.id, w.written))
	path := filepath.Join(w.lake.dir, doc.Path)
	doc.Path = filepath.ToSlash(doc.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	size, err := writeParquet(path, rec)
	if err != nil {
		return err
	}
	doc.Rows, doc.Bytes = rec.NumRows(), size
	if doc.Day != dayNone {
		first, _ := vector.KeyAt(rec, 0)
		last, _ := vector.KeyAt(rec, int(rec.NumRows())-1)
		doc.MinTime, doc.MaxTime = &first, &last
	}
	w.files = append(w.files, doc)
	return nil
}

// Commit makes the inputs visible, all of them at once. It takes the counts of each input in the order of Begin: searches say which
// inputs have records that could not be decoded. It returns ErrIngested, and leaves nothing behind, if another writer has committed one
// of the inputs since Begin; and a *hunt.Error if the lake cannot be written.
func (w *Writer) Commit(counts ...hunt.Counts) error {
	if w.done {
		return w.lake.failed(hunt.Internal, errors.New("the writer has ended"))
	}
	if len(counts) != len(w.inputs) {
		return w.lake.failed(hunt.Internal, fmt.Errorf("counts of %d inputs were given, and there are %d", len(counts), len(w.inputs)))
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.buffers), streamKey.compare) {
		if err := w.flush(w.buffers[key]); err != nil {
			return err
		}
	}
	synced := map[string]bool{}
	for {
		err := w.tryCommit(counts, synced)
		if errors.Is(err, fs.ErrExist) {
			continue // another writer took the number
		}
		if errors.Is(err, hunt.ErrIngested) {
			w.Abort()
			return err
		}
		if err != nil {
			return w.lake.failed(hunt.SourceUnavailable, err)
		}
		w.done = true
		w.releaseLock()
		return nil
	}
}

func (w *Writer) tryCommit(counts []hunt.Counts, synced map[string]bool) error {
	commits, err := w.lake.log.list()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(w.inputs, func(in hunt.Input) bool { return w.lake.log.has(in.Digest) > 0 }) {
		return hunt.ErrIngested
	}
	if err := w.dropNewer(commits[len(w.seen):]); err != nil {
		return err
	}
	w.seen = commits
	for _, f := range w.files {
		if err := syncUp(filepath.Dir(filepath.Join(w.lake.dir, filepath.FromSlash(f.Path))), w.lake.dir, synced); err != nil {
			return err
		}
	}
	return w.lake.log.publish(w.document(len(commits)+1, counts), w.id)
}

// dropNewer leaves out of the written files the events that other writers have committed in the meantime.
func (w *Writer) dropNewer(commits []commit) error {
	for _, f := range slices.Clone(w.files) {
		var newer []parquetDoc
		for i := range commits {
			newer = append(newer, sameDay(commits[i].Files, f)...)
		}
		if len(newer) == 0 {
			continue
		}
		if err := w.rewrite(f, newer); err != nil {
			return err
		}
	}
	return nil
}

// rewrite replaces a file by one without the events of others, if it has such.
func (w *Writer) rewrite(doc parquetDoc, others []parquetDoc) error {
	path := filepath.Join(w.lake.dir, filepath.FromSlash(doc.Path))
	b := w.buffers[streamKey{doc.Class, doc.Stream}]
	var recs []arrow.RecordBatch
	err := readParquet(w.ctx, path, func(rec arrow.RecordBatch) error {
		rec.Retain()
		recs = append(recs, rec)
		return nil
	})
	if err != nil {
		return err
	}
	rec, err := concatenate(b.schema, recs)
	if err != nil {
		return err
	}
	fresh, err := w.dropKnown(rec, doc, others)
	if err != nil || fresh.NumRows() == rec.NumRows() {
		return err
	}
	b.doc.Duplicates += rec.NumRows() - fresh.NumRows()
	if fresh.NumRows() > 0 {
		if err := w.writeFile(fresh, doc); err != nil {
			return err
		}
	}
	w.files = slices.DeleteFunc(w.files, func(f parquetDoc) bool { return f.Path == doc.Path })
	return os.Remove(path)
}

func (w *Writer) document(number int, counts []hunt.Counts) *commit {
	c := &commit{Number: number, Written: time.Now().UTC().Format(time.RFC3339), Files: w.files, Streams: []streamDoc{}}
	for i, n := range counts {
		c.Inputs = append(c.Inputs, inputDoc{w.inputs[i], n.Records, n.Rejected})
		c.Counts.Records += n.Records
		c.Counts.Rejected += n.Rejected
	}
	if c.Files == nil {
		c.Files = []parquetDoc{}
	}
	for _, key := range slices.SortedFunc(maps.Keys(w.buffers), streamKey.compare) {
		c.Streams = append(c.Streams, w.buffers[key].doc)
		c.Counts.Duplicates += w.buffers[key].doc.Duplicates
	}
	for _, f := range w.files {
		c.Counts.Rows += f.Rows
		if f.MinTime == nil {
			c.Counts.Untimed += f.Rows
		}
	}
	return c
}

// Abort removes what was written. It does nothing after Commit or Abort.
func (w *Writer) Abort() {
	if w.done {
		return
	}
	w.done = true
	for _, f := range w.files {
		os.Remove(filepath.Join(w.lake.dir, filepath.FromSlash(f.Path)))
	}
	w.buffers = nil
	w.releaseLock()
}

// concatenate copies batches of one schema into one.
func concatenate(schema *arrow.Schema, recs []arrow.RecordBatch) (arrow.RecordBatch, error) {
	cols, rows := make([]arrow.Array, schema.NumFields()), int64(0)
	for i := range cols {
		parts := make([]arrow.Array, len(recs))
		for j, r := range recs {
			parts[j] = r.Column(i)
		}
		col, err := array.Concatenate(parts, memory.DefaultAllocator)
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", schema.Field(i).Name, err)
		}
		cols[i] = col
	}
	for _, r := range recs {
		rows += r.NumRows()
	}
	return array.NewRecordBatch(schema, cols, rows), nil
}

// microsPerDay is the length of a day of UTC, which has no leap seconds here.
const microsPerDay = 86_400_000_000

// days cuts a batch that is ordered by time into its days; rows without a time come last.
func days(rec arrow.RecordBatch) iter.Seq2[string, arrow.RecordBatch] {
	times := rec.Column(1).(*array.Timestamp)
	timed := times.Len() - times.NullN()
	return func(yield func(string, arrow.RecordBatch) bool) {
		for from := 0; from < timed; {
			day := floorDay(int64(times.Value(from)))
			to := from + 1
			for to < timed && floorDay(int64(times.Value(to))) == day {
				to++
			}
			if !yield(dayOf(int64(times.Value(from))), rec.NewSlice(int64(from), int64(to))) {
				return
			}
			from = to
		}
		if timed < times.Len() {
			yield(dayNone, rec.NewSlice(int64(timed), int64(times.Len())))
		}
	}
}

// floorDay numbers the days since 1970; days before are negative.
func floorDay(us int64) int64 {
	day := us / microsPerDay
	if us%microsPerDay < 0 {
		day--
	}
	return day
}
