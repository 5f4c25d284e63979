package lake

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/util"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Search implements hunt.Connector. A file that is missing or damaged becomes a PartFailed frame with its path below the connection's
// folder; the others are searched.
func (l *Lake) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		if !l.enter() {
			yield(nil, l.searchError(hunt.SourceUnavailable, errors.New("the lake is closed")))
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := context.AfterFunc(l.ctx, cancel)
		defer stop()
		s := &search{lake: l, t: t, ctx: ctx, frames: make(chan hunt.Frame, 1)}
		done := make(chan error, 1)
		go func() {
			defer l.searches.Done()
			done <- s.run()
			close(s.frames)
		}()
		s.deliver(done, yield)
	}
}

// search is one running search.
type search struct {
	lake   *Lake
	t      *hunt.Translation
	ctx    context.Context
	frames chan hunt.Frame

	windows windows
	end     hunt.End
	named   map[string]bool // files that were read
	total   int64           // files in all
}

// deliver hands frames to the consumer until the search or the context ends. DuckDB may notice the end of the context half a second
// late, so this does not wait for it; Close does.
func (s *search) deliver(done <-chan error, yield func(hunt.Frame, error) bool) {
	for {
		if err := s.ctx.Err(); err != nil {
			yield(nil, s.lake.searchError(hunt.Cancelled, err))
			return
		}
		select {
		case <-s.ctx.Done():
		case f, ok := <-s.frames:
			if !ok {
				s.finish(<-done, yield)
				return
			}
			if !yield(f, nil) {
				return
			}
		}
	}
}

func (s *search) finish(err error, yield func(hunt.Frame, error) bool) {
	if err != nil {
		yield(nil, s.lake.searchError(hunt.SourceFailed, err))
		return
	}
	yield(s.end, nil)
}

// searchError gives a failure its code.
func (l *Lake) searchError(code hunt.Code, err error) *hunt.Error {
	var known *hunt.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.Is(err, context.DeadlineExceeded):
		code = hunt.SourceTimeout
	case errors.Is(err, context.Canceled):
		code = hunt.Cancelled
	}
	return &hunt.Error{Op: "lake: search", Source: l.identity.Tenant + "/" + l.identity.Connection, Code: code, Cause: err}
}

// send hands a frame to deliver.
func (s *search) send(f hunt.Frame) error {
	select {
	case s.frames <- f:
		return nil
	case <-s.ctx.Done():
		return s.ctx.Err()
	}
}

func (s *search) run() error {
	commits, err := s.lake.view(s.t.Request.Snapshot)
	if err != nil {
		return err
	}
	s.named = map[string]bool{}
	if err := s.plan(commits); err != nil {
		return err
	}
	for {
		r, ok := s.windows.next()
		if !ok {
			return nil
		}
		if err := s.window(r); err != nil {
			return err
		}
	}
}

// plan picks the files that may hold rows of the answer, and counts what lies outside of every range.
func (s *search) plan(commits []commit) error {
	r := s.t.Request
	s.windows = windows{bounds: s.bounds(), order: r.Order, target: s.firstTarget()}
	for i := range commits {
		if err := s.rejected(&commits[i]); err != nil {
			return err
		}
		for _, d := range commits[i].Streams {
			if d.Name == r.Stream && d.Class == r.Class.Name {
				s.end.Duplicates += d.Duplicates
			}
		}
		for _, f := range commits[i].Files {
			if err := s.consider(f); err != nil {
				return err
			}
		}
	}
	s.total = int64(len(s.windows.files))
	return nil
}

// rejected says which records of a commit could not be decoded when it was ingested, so that the stream may lack them.
func (s *search) rejected(c *commit) error {
	if !c.has(s.t.Request.Stream, s.t.Request.Class.Name) {
		return nil
	}
	for _, r := range c.rejected() {
		if err := s.send(r); err != nil {
			return err
		}
	}
	return nil
}

// bounds is the range of the request without what lies before its key.
func (s *search) bounds() hunt.TimeRange {
	r := s.t.Request
	out := r.Range
	if r.After != nil && r.Order == hunt.TimeDesc {
		out.End = min(out.End, after(r.After.Time))
	} else if r.After != nil {
		out.Start = max(out.Start, r.After.Time)
	}
	return out
}

// firstTarget guesses how many rows make a first window of a sensible size: a condition is taken to be selective.
func (s *search) firstTarget() int64 {
	if hunt.IsTrue(s.t.Request.Where) && s.t.Request.Limit > 0 {
		return max(minTarget, 2*int64(s.t.Request.Limit))
	}
	target := int64(128 * 1024)
	if slices.Contains(s.t.Request.Columns, ocsf.ColRaw) || slices.Contains(s.t.Request.Columns, ocsf.ColUnmapped) {
		target /= 4
	}
	if !hunt.IsTrue(s.t.Request.Where) {
		target *= 8
	}
	return target
}

// consider takes a file into the plan if it may hold rows of the answer.
func (s *search) consider(f parquetDoc) error {
	r := s.t.Request
	if f.Stream != r.Stream || f.Class != r.Class.Name {
		return nil
	}
	if f.MinTime == nil || f.MaxTime == nil {
		s.end.Untimed += f.Rows
		return nil
	}
	if !fileRange(f).Overlaps(s.windows.bounds) {
		return nil
	}
	info, err := os.Stat(s.lake.path(f))
	if err == nil && info.Size() != f.Bytes {
		err = fmt.Errorf("it has %d bytes, the commit log says %d", info.Size(), f.Bytes)
	}
	if err != nil {
		return s.lose(f, err)
	}
	s.windows.files = append(s.windows.files, f)
	return nil
}

func (l *Lake) path(f parquetDoc) string { return filepath.Join(l.dir, filepath.FromSlash(f.Path)) }

// lose reports a file that cannot be read and takes it out of the plan.
func (s *search) lose(f parquetDoc, cause error) error {
	s.windows.files = slices.DeleteFunc(s.windows.files, func(o parquetDoc) bool { return o.Path == f.Path })
	lost := fileRange(f)
	return s.send(hunt.PartFailed{Part: f.Path, Lost: &lost, Err: &hunt.Error{Op: "lake: read", Source: f.Path, Code: hunt.SourceDamaged,
		Message: "the file is missing or damaged; restore it from a copy: " + firstLine(cause), Cause: cause}})
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// window runs the query over one window, page by page if the limit was pushed: a reader that goes on gets all rows.
func (s *search) window(r hunt.TimeRange) error {
	var from *hunt.Key
	bytes := int64(0)
	for {
		p, err := s.page(r, from)
		bytes += p.bytes
		if err != nil {
			if err := s.diagnose(r, err); err != nil {
				return err
			}
			from = laterKey(p.last, from) // rows that were sent are not sent again
			continue
		}
		if !limited(s.t) || p.rows < int64(s.t.Request.Limit) {
			s.windows.adapt(bytes)
			return s.progress(r)
		}
		from = p.last
	}
}

// laterKey is the key of the last row that was sent.
func laterKey(last, from *hunt.Key) *hunt.Key {
	if last != nil {
		return last
	}
	return from
}

func (s *search) progress(r hunt.TimeRange) error {
	for _, f := range s.windows.in(r) {
		if !s.named[f.Path] {
			s.named[f.Path] = true
			s.end.RowsScanned += f.Rows
		}
	}
	return s.send(hunt.Progress{RowsScanned: s.end.RowsScanned, Done: int64(len(s.named)), Total: s.total})
}

// page is what one query gave.
type page struct {
	rows, bytes int64
	last        *hunt.Key
}

// page runs one query and sends its batches.
func (s *search) page(r hunt.TimeRange, from *hunt.Key) (page, error) {
	var p page
	files := s.windows.in(r)
	if len(files) == 0 {
		return p, nil
	}
	c := &collector{schema: hunt.Schema(s.t.Request.Class, s.t.Request.Columns)}
	for _, f := range files {
		c.escaped = c.escaped || f.Escaped
	}
	defer c.release()
	flush := func() error {
		rec, err := c.take()
		if err != nil || rec == nil {
			return err
		}
		p.rows, p.bytes = p.rows+rec.NumRows(), p.bytes+util.TotalRecordSize(rec)
		us, uid := vector.KeyAt(rec, int(rec.NumRows())-1)
		if err := s.send(&hunt.Batch{Record: rec}); err != nil {
			return err
		}
		p.last = &hunt.Key{Time: us, Tenant: s.lake.identity.Tenant, Connection: s.lake.identity.Connection, UID: uid}
		return nil
	}
	err := s.lake.query(s.ctx, s.events(files, r, from)+s.t.Native, func(rec arrow.RecordBatch) error {
		if c.add(rec) {
			return flush()
		}
		return nil
	})
	if err == nil {
		err = flush()
	}
	return p, err
}

// events writes the WITH clause that names the files of a window.
func (s *search) events(files []parquetDoc, r hunt.TimeRange, from *hunt.Key) string {
	conditions := rangeSQL(r)
	if from != nil {
		ref := hunt.ConnectionRef{Tenant: from.Tenant, Connection: from.Connection}
		conditions += " AND " + afterSQL(*from, ref, s.t.Request.Order)
	}
	return "WITH events AS NOT MATERIALIZED (SELECT * FROM " + s.lake.source(s.t.Request.Class, files) + " WHERE " + conditions + ")\n"
}

// source writes what to select from. Files that an older version wrote may lack columns; those are NULL.
func (l *Lake) source(class *ocsf.Class, files []parquetDoc) string {
	today, schema := true, fullSchema(class)
	current := fingerprint(schema)
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = quoteText(l.path(f))
		today = today && f.Schema == current
	}
	list := "[" + strings.Join(names, ", ") + "]"
	if today {
		return "read_parquet(" + list + ", hive_partitioning = false)"
	}
	columns := make([]string, schema.NumFields())
	for i, f := range schema.Fields() {
		columns[i] = "NULL::" + columnType(class, f.Name) + " AS " + quoteName(f.Name)
	}
	return "(SELECT * FROM read_parquet(" + list + ", hive_partitioning = false, union_by_name = true) UNION ALL BY NAME SELECT " +
		strings.Join(columns, ", ") + " WHERE false)"
}

// diagnose finds out which files of a window made its query fail, and reports them. It returns the failure if it was none of them.
func (s *search) diagnose(r hunt.TimeRange, failure error) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	var known *hunt.Error
	if errors.As(failure, &known) {
		return failure
	}
	found := false
	for _, f := range s.windows.in(r) {
		damage := s.readable(f)
		if err := s.ctx.Err(); err != nil {
			return err
		}
		if damage == nil {
			continue
		}
		found = true
		if err := s.lose(f, damage); err != nil {
			return err
		}
	}
	if !found {
		return failure
	}
	return nil
}

// readable reads all of a file, in both ways that this package reads files, without the request's condition. So it tells a file that
// cannot be read from a query that cannot be run, for lack of memory for instance.
func (s *search) readable(f parquetDoc) error {
	err := readParquet(s.ctx, s.lake.path(f), func(arrow.RecordBatch) error { return nil })
	if err != nil {
		return err
	}
	text := "SELECT max(hash(COLUMNS(*))) FROM " + s.lake.source(s.t.Request.Class, []parquetDoc{f})
	err = s.lake.query(s.ctx, text, func(arrow.RecordBatch) error { return nil })
	if err != nil && strings.Contains(err.Error(), "Out of Memory") {
		return nil
	}
	return err
}
