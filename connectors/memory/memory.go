package memory

import (
	"context"
	"maps"
	"strconv"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Memory is a connection to events that were appended to it. It is safe for concurrent use: a search shows what had been appended
// when it began.
type Memory struct {
	id hunt.Identity

	mu      sync.RWMutex
	streams []*stream
	uids    map[string]bool // of all streams: an event is in a connection once
	seq     int64           // counts appends
	closed  bool
}

var _ hunt.Connector = (*Memory)(nil)

// stream holds the appended batches of one stream, in order of appending; def counts them.
type stream struct {
	def   hunt.Stream
	parts []part
}

// part is what one Append brought: its new events ordered by (time, uid).
type part struct {
	seq        int64
	rec        arrow.RecordBatch
	duplicates int64 // rows that were left out
	untimed    int64
}

// Open makes an empty connection.
func Open(id hunt.Identity) *Memory { return &Memory{id: id, uids: map[string]bool{}} }

// Append adds the events of rec to a stream and makes the stream at its first call; Name, Class, Attributes and Closed of stream are
// taken over, and must be the same in later calls. The columns of rec must have the types of hunt.Schema, uid and time among them;
// columns may be left out and rows may come in any order. A row whose uid the connection holds already, or that comes twice in rec,
// is left out and counted. rec must not be changed afterwards. An error is a *hunt.Error with code BAD_USER_INPUT, or
// SOURCE_UNAVAILABLE after Close; nothing was added then.
func (m *Memory) Append(def *hunt.Stream, rec arrow.RecordBatch) error {
	if err := check(def, rec); err != nil {
		return m.fail("memory: append", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return m.fail("memory: append", closed())
	}
	s := m.find(def.Name, def.Class)
	if s == nil {
		s = &stream{def: hunt.Stream{Name: def.Name, Class: def.Class, Attributes: maps.Clone(def.Attributes), Closed: maps.Clone(def.Closed)}}
		m.streams = append(m.streams, s)
	} else if !maps.Equal(s.def.Attributes, def.Attributes) {
		return m.fail("memory: append", hunt.Errorf(hunt.BadUserInput, "stream %s has other attributes than at its first append; use another name", def.Name))
	}
	m.seq++
	s.add(m.newPart(rec))
	return nil
}

// check compares the columns of rec with what hunt.Schema says.
func check(def *hunt.Stream, rec arrow.RecordBatch) *hunt.Error {
	if def.Name == "" || def.Class == nil {
		return hunt.Errorf(hunt.BadUserInput, "a stream needs a name and a class")
	}
	known := map[string]arrow.DataType{}
	for _, f := range hunt.Schema(def.Class, paths(def.Class)).Fields() {
		known[f.Name] = f.Type
	}
	for _, f := range rec.Schema().Fields() {
		want, ok := known[f.Name]
		if !ok {
			return hunt.Errorf(hunt.BadUserInput, "%s has no column %s, or the batch has it twice", def.Class.Name, f.Name)
		}
		if !arrow.TypeEqual(f.Type, want) {
			return hunt.Errorf(hunt.BadUserInput, "column %s is %s; hunt.Schema wants %s", f.Name, f.Type, want)
		}
		delete(known, f.Name)
	}
	if known[ocsf.ColUID] != nil || known[ocsf.ColTime] != nil {
		return hunt.Errorf(hunt.BadUserInput, "the batch lacks uid or time")
	}
	if vector.Project(rec, hunt.Schema(def.Class, nil)).Column(0).NullN() > 0 {
		return hunt.Errorf(hunt.BadUserInput, "a row has no uid")
	}
	return nil
}

func paths(class *ocsf.Class) []string {
	out := []string{ocsf.ColRaw, ocsf.ColUnmapped}
	for i := range class.Columns {
		out = append(out, class.Columns[i].Path)
	}
	return out
}

// newPart takes the events of rec that are new, in order.
func (m *Memory) newPart(rec arrow.RecordBatch) part {
	fresh := make(vector.Mask, rec.NumRows())
	for i := range fresh {
		_, uid := vector.KeyAt(rec, i)
		fresh[i] = !m.uids[uid]
		m.uids[uid] = true
	}
	p := part{seq: m.seq, rec: vector.Sort(vector.Select(rec, fresh), hunt.TimeAsc)}
	p.duplicates = rec.NumRows() - p.rec.NumRows()
	p.untimed = int64(timeColumn(p.rec).NullN())
	return p
}

func timeColumn(rec arrow.RecordBatch) arrow.Array {
	return rec.Column(rec.Schema().FieldIndices(ocsf.ColTime)[0])
}

// find returns the stream of that name and class, or nil.
func (m *Memory) find(name string, class *ocsf.Class) *stream {
	for _, s := range m.streams {
		if s.def.Name == name && class != nil && s.def.Class.UID == class.UID {
			return s
		}
	}
	return nil
}

// Describe implements hunt.Connector. It fails after Close only.
func (m *Memory) Describe(context.Context) (*hunt.Description, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.closed {
		return nil, m.fail("memory: describe", closed())
	}
	d := &hunt.Description{Connector: "memory", Version: "1", Snapshot: strconv.FormatInt(m.seq, 10)}
	for _, s := range m.streams {
		out := s.def
		out.Attributes, out.Closed = maps.Clone(s.def.Attributes), maps.Clone(s.def.Closed)
		d.Streams = append(d.Streams, out)
	}
	return d, nil
}

// add takes a part in and counts it.
func (s *stream) add(p part) {
	s.parts = append(s.parts, p)
	s.def.Rows += p.rec.NumRows()
	s.def.Untimed += p.untimed
	if timed := int(p.rec.NumRows() - p.untimed); timed > 0 {
		times := timeColumn(p.rec).(*array.Timestamp)
		s.def.Time = widen(s.def.Time, int64(times.Value(0)), int64(times.Value(timed-1)))
	}
}

// widen returns r so that it holds the instants first and last too.
func widen(r *hunt.TimeRange, first, last int64) *hunt.TimeRange {
	if r == nil {
		return &hunt.TimeRange{Start: first, End: last + 1}
	}
	return &hunt.TimeRange{Start: min(r.Start, first), End: max(r.End, last+1)}
}

// Translate implements hunt.Connector. Every predicate is EXACT, or IMPOSSIBLE if the stream has no such attribute. The error is NOT_FOUND
// for a stream that there is not.
func (m *Memory) Translate(r hunt.Request) (*hunt.Translation, error) {
	m.mu.RLock()
	s := m.find(r.Stream, r.Class)
	m.mu.RUnlock()
	if s == nil {
		return nil, m.fail("memory: translate", unknown(r.Stream))
	}
	t := &hunt.Translation{Request: r, Native: native(r.Where)}
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		d := hunt.Disposed{Predicate: p, Disposition: hunt.Exact}
		if !s.def.Provides(p.Path) {
			d.Disposition, d.Reason = hunt.Impossible, "stream "+r.Stream+" has no "+p.Path
		}
		t.Predicates = append(t.Predicates, d)
	})
	return t, nil
}

func native(e hunt.Expr) string {
	if e == nil {
		e = hunt.True()
	}
	return e.String()
}

// Close implements hunt.Connector. It lets the events go; searches that are running stop with SOURCE_UNAVAILABLE.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed, m.streams, m.uids = true, nil, nil
	return nil
}

func (m *Memory) isClosed() bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.closed
}

// fail says where an error happened.
func (m *Memory) fail(op string, err *hunt.Error) *hunt.Error {
	err.Op, err.Source = op, m.id.Tenant+"/"+m.id.Connection
	return err
}

func closed() *hunt.Error { return hunt.Errorf(hunt.SourceUnavailable, "the connection is closed") }

func unknown(name string) *hunt.Error {
	return hunt.Errorf(hunt.NotFound, "there is no stream %s of that class; Describe lists them", strconv.Quote(name))
}
