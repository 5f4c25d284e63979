package elastic

import (
	"context"
	"encoding/json"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Bounds of a search.
const (
	parallel    = 6    // windows or slices that are read at a time: some are decoded while the cluster reads others
	ahead       = 12   // most windows that are read or wait to be handed on: the next in order may take longer than the others
	firstRows   = 5000 // of the first page, if nothing is known of the size of the documents
	heavyRows   = 1000 // the same, where whole documents are read
	sampleRows  = 500  // the same, where many rows are wanted: if there are more, they are read again with the others
	urlBytes    = 3000 // of index names in one request: clusters refuse a request line of more than 4096
	cleanUpTime = 5 * time.Second
)

var errEnough = errors.New("the consumer has enough")

// Search implements hunt.Connector. What an index or a shard of it does not give becomes a PartFailed frame with its name; the others are
// searched.
func (e *Elastic) Search(ctx context.Context, t *hunt.Translation) iter.Seq2[hunt.Frame, error] {
	return func(yield func(hunt.Frame, error) bool) {
		if !e.enter() {
			yield(nil, e.errClosed())
			return
		}
		defer e.running.Done()
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		stop := context.AfterFunc(e.ctx, cancel)
		defer stop()
		s, err := e.newSearch(ctx, t)
		over := e.client.ended(ctx)
		if err == nil {
			s.yield = func(f hunt.Frame) bool { return yield(f, nil) }
			err = s.run()
			over = e.client.ended(ctx)
			cancel()
			s.cleanUp()
		}
		switch {
		case errors.Is(err, errEnough):
		case err != nil && over != nil:
			yield(nil, over)
		case err != nil:
			yield(nil, hunt.AsError(err, hunt.SourceFailed))
		}
	}
}

// search is one running search. The consumer's goroutine runs it; windows are read by others.
type search struct {
	e       *Elastic
	t       *hunt.Translation
	ctx     context.Context
	yield   func(hunt.Frame) bool
	state   *state
	src     *source
	want    hunt.Request    // what is read: the request, and the columns of filter
	filter  *vector.Program // what the host does not check again and the cluster does not evaluate, nil for nothing
	unit    unit
	product product
	parts   []*part
	include json.RawMessage // the value of _source in requests
	columns *valueColumns   // the value of docvalue_fields in requests, nil if documents have to be read
	byValue atomic.Bool     // read columns instead of documents
	tables  atomic.Bool     // and these as tables, as far as that works
	exact   bool            // the cluster evaluates the whole condition, so that a limit may be pushed

	notes    chan hunt.Frame // from the goroutines that read windows
	readers  chan *reader    // idle ones
	reading  chan struct{}   // has an element for each that has entered
	workers  sync.WaitGroup
	perRow   atomic.Int64 // bytes of a document as it came lately; 0 before the first
	promised atomic.Int64 // rows that the points in time hold
	expected int64        // rows that the only part had when the first of them were asked for, if a sweep is to count them; else 0
	spread   bucket       // when those rows were, or about how many are to be expected and when; none if that is not known
	seen     atomic.Int64 // rows of them that were counted
	rows     int64        // rows that came

	mu   sync.Mutex // guards told
	told map[string]bool
	gaps atomic.Bool

	deleted sync.Map // index name to func() bool, see absence
}

// newSearch prepares a search.
func (e *Elastic) newSearch(ctx context.Context, t *hunt.Translation) (*search, error) {
	st, err := e.known(ctx)
	if err != nil {
		return nil, err
	}
	s := &search{e: e, t: t, ctx: ctx, state: st, product: st.product, exact: true, notes: make(chan hunt.Frame, 16),
		readers: make(chan *reader, parallel+1), reading: make(chan struct{}, parallel), told: map[string]bool{}}
	if s.src = st.source(t.Request.Stream, t.Request.Class); s.src == nil {
		return nil, e.client.fail(hunt.SourceChanged, true, "the stream "+t.Request.Stream+" of "+t.Request.Class.Name+" is not there any more")
	}
	s.unit = unitOf(s.src)
	s.want = t.Request
	if check := s.src.unasked(t.Request); !hunt.IsTrue(check) {
		s.filter = vector.Compile(check)
		s.want.Columns = slices.Concat(t.Request.Columns, columnsOf(check, t.Request.Class))
	}
	s.include = s.includes()
	s.columns = s.valueColumns()
	s.byValue.Store(s.columns != nil)
	s.tables.Store(s.columns != nil && s.product.hasTables() && s.many())
	var searches []nativeSearch
	if err := json.Unmarshal([]byte(t.Native), &searches); err != nil {
		return nil, e.client.fail(hunt.Internal, false, "the native query is not one of this connection: "+err.Error())
	}
	for _, n := range searches {
		s.exact = s.exact && n.Exact
		for _, sc := range byScale(s.src, n.Indices) {
			for indices := range chunks(sc.indices, urlBytes) {
				s.parts = append(s.parts, &part{query: sc.limit(n.Query), indices: indices, left: indices, scale: sc.scale})
			}
		}
	}
	return s, nil
}

// columnsOf lists the columns that a condition looks at.
func columnsOf(e hunt.Expr, class *ocsf.Class) []string {
	var out []string
	hunt.Walk(e, func(p *hunt.Predicate) { out = append(out, p.Path) })
	for _, list := range bareLists(e) {
		for _, c := range class.List(list) {
			out = append(out, c.Path)
		}
	}
	return out
}

// chunks cuts a list of names so that no piece is longer than a request line may be.
func chunks(names []string, most int) iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		from, size := 0, 0
		for i, n := range names {
			if size += len(n) + 3; size > most && i > from {
				if !yield(names[from:i]) {
					return
				}
				from, size = i, len(n)+3
			}
		}
		if from < len(names) {
			yield(names[from:])
		}
	}
}

// includes says which fields of the documents are asked for: only those of the columns, if that leaves out much.
func (s *search) includes() json.RawMessage {
	r := &s.want
	all := s.src.mapping != nil || slices.Contains(r.Columns, ocsf.ColRaw) && (!s.src.micros || len(r.Columns) > len(r.Class.Columns)/2)
	if all {
		return json.RawMessage("true")
	}
	fields := []string{s.src.time}
	for _, f := range hunt.Schema(r.Class, r.Columns).Fields() {
		if f.Name != ocsf.ColUID && f.Name != ocsf.ColTime {
			fields = append(fields, f.Name)
		}
	}
	text, _ := json.Marshal(fields) // texts always encode
	return text
}

// mostValues is how many columns are read by value; clusters allow a hundred (index.max_docvalue_fields_search).
const mostValues = 90

// valueColumns are the columns of a search as they are read from where the cluster keeps values by column.
type valueColumns struct {
	plain  json.RawMessage // the columns
	marked json.RawMessage // and longField
	names  string          // the columns, for ES|QL
}

// of is what a request asks for. Within a point in time it is known already that no document has longField.
func (c *valueColumns) of(pit string) json.RawMessage {
	if pit == "" {
		return c.marked
	}
	return c.plain
}

// valueColumns lists the columns if all of them can be read from where the cluster keeps values by column. Documents of this package say
// in longField which of their values are not there. To read documents of a window is several times slower: the cluster decompresses a
// block of them for each, unless all that it has in a row are asked for.
func (s *search) valueColumns() *valueColumns {
	var paths []string
	for _, f := range hunt.Schema(s.want.Class, s.want.Columns).Fields() {
		col := s.want.Class.Column(f.Name)
		if f.Name == ocsf.ColRaw || f.Name == ocsf.ColUnmapped || len(s.t.Request.Class.List(f.Name)) > 0 || col != nil && col.Type == ocsf.JSON {
			return nil // values by column are arrays, which JSON may be itself
		}
		paths = append(paths, f.Name)
	}
	if !s.src.micros || len(paths) >= mostValues {
		return nil
	}
	plain, _ := json.Marshal(paths) // texts always encode
	marked, _ := json.Marshal(append(paths, longField))
	return &valueColumns{plain, marked, columnNames(paths)}
}

// run yields the frames of a search.
func (s *search) run() error {
	for _, f := range s.e.inputGaps(s.state, &s.src.stream) {
		if err := s.emit(f); err != nil {
			return err
		}
	}
	bounds := s.bounds()
	if bounds.from < bounds.to && len(s.parts) > 0 {
		rest, err := bounds, error(nil)
		if !s.foresee(bounds) {
			rest, err = s.probe(bounds)
		}
		if err == nil && rest.from < rest.to {
			err = s.readOn(rest)
		}
		if err != nil {
			return err
		}
	}
	s.drain()
	s.learn()
	return s.emit(hunt.End{RowsScanned: s.rows, Untimed: s.src.stream.Untimed})
}

// bounds is the range of the request, without what lies before its key, in the units of the cluster.
func (s *search) bounds() period {
	r := s.t.Request
	at := r.Range
	if r.After != nil && r.Order == hunt.TimeDesc {
		at.End = min(at.End, after(r.After.Time))
	} else if r.After != nil {
		at.Start = max(at.Start, r.After.Time)
	}
	return s.unit.period(at)
}

// limited says that only the first rows may be wanted and that the cluster can tell which they are.
func (s *search) limited() bool { return s.exact && s.t.Request.Limit > 0 }

// emit hands a frame to the consumer.
func (s *search) emit(f hunt.Frame) error {
	if err := s.ctx.Err(); err != nil {
		return err
	}
	if !s.yield(f) {
		return errEnough
	}
	return nil
}

// emitPiece hands rows to the consumer, and before them what is missing among them.
func (s *search) emitPiece(p *piece) error {
	for _, f := range p.frames {
		if err := s.emit(f); err != nil {
			return err
		}
	}
	if p.rec == nil {
		return nil
	}
	n, step := p.rec.NumRows(), int64(s.e.cfg.BatchRows)
	for from := int64(0); from < n; from += step {
		if err := s.emit(&hunt.Batch{Record: p.rec.NewSlice(from, min(n, from+step))}); err != nil {
			return err
		}
	}
	return s.emit(hunt.Progress{RowsScanned: s.rows})
}

// piece is rows of one range of time, in the request's order.
type piece struct {
	frames []hunt.Frame // PartFailed and Rejected
	rec    arrow.RecordBatch
	err    error

	// Of a slice, whose rows are merged with those of others.
	order vector.Ordered // its rows instead of rec
	seen  int64          // rows that came from the cluster
	held  int64          // rows that it holds, as the cluster says
}

// reader returns an idle reader or makes one.
func (s *search) reader() *reader {
	select {
	case d := <-s.readers:
		return d
	default:
		return &reader{decoder: s.e.newDecoder(s.src, &s.want)}
	}
}

// free gives a reader back; its rows were taken or are discarded.
func (s *search) free(d *reader) {
	d.discard()
	d.direct = false
	select {
	case s.readers <- d:
	default:
	}
}

// finish makes a piece of the rows of a period: in order, and only those that the request asks for.
func (s *search) finish(r rows, at period, gaps []gap) *piece {
	p := s.order(r, at, gaps)
	if len(p.order.Rows) > 0 {
		p.rec = p.order.Take()
	}
	p.order = vector.Ordered{}
	return p
}

// order makes a piece as finish does and leaves the rows where they are.
func (s *search) order(r rows, at period, gaps []gap) *piece {
	p := &piece{}
	for _, g := range gaps {
		if f, fresh := s.tell(g, at); fresh {
			p.frames = append(p.frames, f)
		}
	}
	for _, f := range r.rejected {
		s.gaps.Store(true)
		p.frames = append(p.frames, f)
	}
	if r.rec == nil {
		return p
	}
	own := vector.InRange(r.rec, s.unit.micros(at))
	if stray := count(own, false); stray > 0 && s.src.mapping != nil {
		s.gaps.Store(true)
		p.frames = append(p.frames, hunt.Rejected{Part: strings.Join(s.indices(), ","), Count: int64(stray),
			Reason: "the time of the event is not that of the field " + s.src.time + ", by which it is found"})
	}
	wanted := vector.InRange(r.rec, s.t.Request.Range)
	for i := range own {
		own[i] = own[i] && wanted[i]
	}
	if s.filter != nil {
		for i, match := range s.filter.Filter(r.rec) {
			own[i] = own[i] && match
		}
		r.rec = vector.Project(r.rec, hunt.Schema(s.t.Request.Class, s.t.Request.Columns))
	}
	ref := hunt.ConnectionRef(s.e.identity)
	p.order = vector.Order(r.rec, own, s.t.Request.Order).After(ref, s.t.Request.After)
	return p
}

func count(m vector.Mask, want bool) int {
	n := 0
	for _, on := range m {
		if on == want {
			n++
		}
	}
	return n
}

func (s *search) indices() []string {
	var out []string
	for _, p := range s.parts {
		out = append(out, p.indices...)
	}
	return out
}
