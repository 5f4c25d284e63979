package conformance

import (
	"cmp"
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// source is an open connection and what it was loaded with.
type source struct {
	conn hunt.Connector
	data []Data // none in a survey

	said atomic.Pointer[hunt.Description] // the last one, nil before the first

	mu   sync.Mutex
	held []*held // the reference, nil until it was read
}

// load says what a source is loaded with.
type load uint8

const (
	everything load = iota // all streams and the volume
	small                  // two streams
	large                  // the volume alone
)

// smallRows is how many events streams other than the volume get.
const smallRows = 100

// open makes a source, or connects to the one that there is.
func (s Suite) open(ctx context.Context, l load) (*source, error) {
	if s.survey() {
		if s.Connect == nil {
			return nil, errors.New("the suite has neither Open nor Connect")
		}
		conn, err := s.Connect(ctx)
		return &source{conn: conn}, err
	}
	data := s.makeData(l)
	conn, err := s.Open(ctx, data)
	if err == nil && conn == nil {
		err = errors.New("the suite's Open gave no connector")
	}
	return &source{conn: conn, data: data}, err
}

func (s Suite) makeData(l load) []Data {
	rng := rand.New(rand.NewPCG(42, 42))
	var out []Data
	streams := s.streams()
	if l == small {
		streams = slices.Delete(streams, 1, max(len(streams)-1, 1))
	}
	if l != large {
		for i := range streams {
			out = append(out, s.newData(rng, streams[i], i == 0))
		}
	}
	if l != small {
		st := s.volume()
		options := append(s.options(st), sample.FewInstants())
		out = append(out, Data{Stream: &st, Record: sample.RandomBatch(rng, st.Class, s.rows(), options...)})
	}
	return out
}

// newData makes the events of a stream; extremes are too costly for every one.
func (s Suite) newData(rng *rand.Rand, st hunt.Stream, extremes bool) Data {
	options := s.options(st)
	if extremes {
		options = append(options, sample.Extremes())
	}
	return Data{Stream: &st, Record: sample.RandomBatch(rng, st.Class, smallRows, options...)}
}

func (s Suite) options(st hunt.Stream) []sample.BatchOption {
	options := []sample.BatchOption{sample.Untimed(), sample.Only(st.Attributes)}
	if s.Keep != nil {
		options = append(options, sample.Keeping(s.Keep))
	}
	return options
}

// streams returns what data to make, besides the volume.
func (s Suite) streams() []hunt.Stream {
	if s.Streams != nil {
		return slices.Clone(s.Streams)
	}
	var out []hunt.Stream
	for _, uid := range []int64{ocsf.ProcessActivity, ocsf.NetworkActivity, ocsf.DetectionFinding, ocsf.Authentication} {
		class := ocsf.ByUID(uid)
		out = append(out, hunt.Stream{Name: "conformance", Class: class, Attributes: sample.AllAttributes(class)})
	}
	last := &out[len(out)-1]
	for i := 0; i < len(last.Class.Columns); i += 2 {
		delete(last.Attributes, last.Class.Columns[i].Path)
	}
	return out
}

// volume returns the stream of which there are many events.
func (s Suite) volume() hunt.Stream {
	if s.Volume != nil {
		return *s.Volume
	}
	class := ocsf.ByUID(ocsf.DnsActivity)
	// The first three are those that every mapping fills; type_uid is one that it computes.
	st := hunt.Stream{Name: "conformance", Class: class, Attributes: map[string]bool{"activity_id": true, "category_uid": true, "severity_id": true}}
	for i := range class.Columns {
		if c := &class.Columns[i]; (c.List != "" || i%4 == 0) && c.Path != "type_uid" {
			st.Attributes[c.Path] = true
		}
	}
	return st
}

// held is a described stream with its events as the source gives them back, ordered by (time, uid).
type held struct {
	hunt.Stream
	loaded *Data // nil in a survey
	volume bool  // it has many events
	ref    reference
	span   hunt.TimeRange // what the reference covers; nothing is asked outside of it
	whole  bool           // the reference is all that the stream holds
}

// request asks a stream for everything.
func (h *held) request() hunt.Request {
	return hunt.Request{Stream: h.Name, Class: h.Class, Range: h.span, Where: hunt.True()}
}

// asking is request for a condition, with the columns that a host needs to check it again.
func (h *held) asking(e hunt.Expr) hunt.Request {
	r := h.request()
	r.Where = e
	r.Columns = hunt.Paths(e, h.Class)
	return r
}

// full is request with all columns.
func (h *held) full() hunt.Request {
	r := h.request()
	r.Columns = h.columns()
	return r
}

// columns returns the columns that the stream can fill.
func (h *held) columns() []string {
	return slices.DeleteFunc(sample.Paths(h.Class), func(p string) bool { return !h.Provides(p) })
}

func (h *held) label() string { return "stream " + h.Name + " of " + h.Class.Name }

// find returns the described stream that data was loaded into, nil if there is none.
func findStream(d *hunt.Description, want *hunt.Stream) *hunt.Stream {
	at := slices.IndexFunc(d.Streams, func(st hunt.Stream) bool {
		return st.Name == want.Name && st.Class != nil && st.Class.UID == want.Class.UID
	})
	if at < 0 {
		return nil
	}
	return &d.Streams[at]
}

// held reads every stream: those that the suite loaded, or all in a survey. It is read once for each source.
func (s *subject) held() []*held {
	s.src.mu.Lock()
	defer s.src.mu.Unlock()
	if s.src.held != nil {
		return s.src.held
	}
	before := s.problems()
	out := s.readHeld()
	if s.problems() == before {
		s.src.held = out
	}
	return out
}

func (s *subject) readHeld() []*held {
	d := s.describe()
	if d == nil {
		return nil
	}
	var out []*held
	if s.suite.survey() {
		for i := range d.Streams {
			if d.Streams[i].Class != nil {
				out = append(out, s.surveyed(&held{Stream: d.Streams[i], span: sample.Always()}))
			}
		}
		return out
	}
	for i := range s.src.data {
		data := &s.src.data[i]
		st := findStream(d, data.Stream)
		if st == nil {
			s.errorf("Describe: stream %s of %s is not there", data.Stream.Name, data.Stream.Class.Name)
			continue
		}
		h := &held{Stream: *st, loaded: data, span: sample.Always(), whole: true, volume: data.Record.NumRows() > 2*smallRows}
		h.ref = s.suite.reference(s.search(h.full()).concat(hunt.Schema(h.Class, h.columns())))
		out = append(out, h)
	}
	return out
}

// surveyed reads the reference of a stream, up to as many rows as the suite allows; then the span ends before the last of them.
func (s *subject) surveyed(h *held) *held {
	r, most := h.full(), s.suite.rows()
	t := s.translate(r)
	if t == nil {
		return h
	}
	a := s.read(t, func(a *answer) bool { return len(a.rows) > most })
	s.healthy(r, a)
	h.whole = a.end != nil
	h.ref = s.suite.reference(a.concat(hunt.Schema(h.Class, r.Columns)))
	h.volume = len(h.ref.keys) > 2*smallRows
	if !h.whole && len(h.ref.keys) > 0 {
		h.span.End = h.ref.keys[len(h.ref.keys)-1].Time
		h.ref = s.suite.reference(h.ref.before(h.span.End))
		s.notef("%s: the first %d events are compared, those before %s", h.label(), len(h.ref.keys), hunt.FormatTime(h.span.End))
	}
	if len(h.ref.keys) == 0 {
		s.notef("%s holds no events that could be compared", h.label())
	}
	return h
}

// some returns the streams that have few events; all of them in a thorough suite or where there are no others.
func (s *subject) some() []*held {
	out := slices.Clone(s.held())
	if few := slices.DeleteFunc(slices.Clone(out), func(h *held) bool { return h.volume }); !s.suite.Thorough && len(few) > 0 {
		return few
	}
	return out
}

// most returns the stream with the most events, nil if there is no stream.
func (s *subject) most() *held {
	all := s.held()
	if len(all) == 0 {
		return nil
	}
	return slices.MaxFunc(all, func(a, b *held) int { return cmp.Compare(len(a.ref.keys), len(b.ref.keys)) })
}
