package hunttest

import (
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// checkDescribe: a description is well-formed, true, and the same when nothing has changed.
func checkDescribe(s *subject) {
	first, second := s.describe(), s.describe()
	if first == nil || second == nil {
		return
	}
	if a, b := fmt.Sprintf("%+v", plain(first)), fmt.Sprintf("%+v", plain(second)); a != b {
		s.errorf("Describe says two things:\n%s\n%s", a, b)
	}
	if first.Connector == "" {
		s.errorf("Describe: no kind of connector")
	}
	seen := map[string]bool{}
	for i := range first.Streams {
		st := &first.Streams[i]
		if st.Name == "" || st.Class == nil {
			s.errorf("Describe: stream %d has no name or no class", i)
			continue
		}
		if id := st.Name + " of " + st.Class.Name; seen[id] {
			s.errorf("Describe: stream %s is there twice", id)
		} else {
			seen[id] = true
		}
		s.checkAttributes(st)
	}
	for i, h := range s.held() {
		s.checkFacts(h, s.data[i])
	}
}

// plain is a description without pointers, for comparing.
func plain(d *hunt.Description) []any {
	out := []any{d.Connector, d.Version, d.Notes, d.Snapshot}
	for _, st := range d.Streams {
		name, held := "", hunt.TimeRange{}
		if st.Class != nil {
			name = st.Class.Name
		}
		if st.Time != nil {
			held = *st.Time
		}
		out = append(out, st.Name, name, held, st.Rows, st.Untimed, slices.Sorted(maps.Keys(st.Attributes)), st.Closed)
	}
	return out
}

func (s *subject) checkAttributes(st *hunt.Stream) {
	for path := range st.Attributes {
		if st.Class.Column(path) == nil {
			s.errorf("Describe: stream %s: %s has no column %s", st.Name, st.Class.Name, path)
		}
	}
	for path := range st.Closed {
		if !st.Provides(path) {
			s.errorf("Describe: stream %s: %s has closed values but is no attribute", st.Name, path)
		}
	}
}

// checkFacts compares what a stream says of itself with its events.
func (s *subject) checkFacts(h *held, d Data) {
	if !maps.Equal(h.Attributes, d.Stream.Attributes) {
		s.errorf("Describe: stream %s of %s has %d attributes, want the %d that were loaded", h.Name, h.Class.Name, len(h.Attributes), len(d.Stream.Attributes))
	}
	if h.Rows != -1 && h.Rows != d.Record.NumRows() {
		s.errorf("Describe: stream %s of %s has %d rows, want %d or -1", h.Name, h.Class.Name, h.Rows, d.Record.NumRows())
	}
	if untimed := int64(columnOf(d.Record, ocsf.ColTime).NullN()); h.Untimed != untimed {
		s.errorf("Describe: stream %s of %s has %d events without a time, want %d", h.Name, h.Class.Name, h.Untimed, untimed)
	}
	for i := range int(h.rec.NumRows()) {
		if us, _ := timeAt(h.rec, i); h.Time != nil && !h.Time.Contains(us) {
			s.errorf("Describe: stream %s of %s has an event at %s, outside of its range %s", h.Name, h.Class.Name, hunt.FormatTime(us), h.Time)
		}
		for path, values := range h.Closed {
			for _, v := range (vector.Row{Record: h.rec, Index: i}).Values(path) {
				if !slices.Contains(values, v) {
					s.errorf("Describe: stream %s of %s has %s = %s, which Closed does not list", h.Name, h.Class.Name, path, v.Text())
				}
			}
		}
	}
}

// checkContents: a search for everything gives exactly the events that were loaded, with every value of every attribute. uid and raw
// are the source's own.
func checkContents(s *subject) {
	for i, h := range s.held() {
		want := s.data[i].Record
		left := map[string]int{}
		for _, row := range Expect(want, hunt.True(), Always()) {
			left[fingerprint(h, want, row)]++
		}
		for row := range int(h.rec.NumRows()) {
			f := fingerprint(h, h.rec, row)
			if left[f]--; left[f] < 0 {
				s.errorf("stream %s of %s: an event came back that was not loaded: %.500s", h.Name, h.Class.Name, f)
			}
		}
		for f, n := range left {
			if n > 0 {
				s.errorf("stream %s of %s: an event is missing: %.500s", h.Name, h.Class.Name, f)
			}
		}
		if a := s.search(h.request()); a.end != nil && a.end.Untimed != int64(columnOf(want, ocsf.ColTime).NullN()) {
			s.errorf("stream %s of %s: End counts %d events without a time, want %d", h.Name, h.Class.Name, a.end.Untimed, columnOf(want, ocsf.ColTime).NullN())
		}
	}
}

// fingerprint writes the time and the attributes of a row.
func fingerprint(h *held, rec arrow.RecordBatch, row int) string {
	us, _ := timeAt(rec, row)
	out := hunt.FormatTime(us)
	r := vector.Row{Record: rec, Index: row}
	for i := range h.Class.Columns {
		c := &h.Class.Columns[i]
		if !h.Provides(c.Path) {
			continue
		}
		for _, v := range r.Values(c.Path) {
			out += " " + c.Path + "=" + v.Text()
		}
	}
	return out
}

// checkTranslate: a translation has one disposition for each predicate, in order, and is the same when asked again.
func checkTranslate(s *subject) {
	for _, h := range s.held() {
		for range 30 {
			r := h.asking(RandomExprOver(s.rng, Columns(h.Class, h.Attributes), h.rec))
			a, errA := s.conn.Translate(r)
			b, errB := s.conn.Translate(r)
			if errA != nil || errB != nil {
				s.errorf("Translate %s: %v, %v", brief(r), errA, errB)
				continue
			}
			if a.Native == "" {
				s.errorf("Translate %s: no native text", brief(r))
			}
			if a.Native != b.Native || !slices.Equal(a.Predicates, b.Predicates) {
				s.errorf("Translate %s: two answers to one request:\n%.300s\n%.300s", brief(r), a.Native, b.Native)
			}
			s.checkDispositions(r, a)
		}
	}
}

func (s *subject) checkDispositions(r hunt.Request, t *hunt.Translation) {
	n := 0
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		if n >= len(t.Predicates) || t.Predicates[n].Predicate != p {
			s.errorf("Translate %s: predicate %d is not %s", brief(r), n, p)
		} else if d := t.Predicates[n]; d.Disposition < hunt.Exact || d.Disposition > hunt.Impossible {
			s.errorf("Translate %s: %s has no disposition", brief(r), p)
		} else if d.Disposition == hunt.Impossible {
			s.errorf("Translate %s: %s is IMPOSSIBLE, but the stream has the attribute", brief(r), p)
		} else if d.Disposition != hunt.Exact && d.Reason == "" {
			s.errorf("Translate %s: %s is %s without a reason", brief(r), p, d.Disposition)
		}
		n++
	})
	if n != len(t.Predicates) {
		s.errorf("Translate %s: %d dispositions for %d predicates", brief(r), len(t.Predicates), n)
	}
	if t.Request.Stream != r.Stream || t.Request.Class != r.Class || t.Request.Range != r.Range {
		s.errorf("Translate %s: the translation is of another request", brief(r))
	}
}

// checkImpossible: an attribute that a stream does not have is IMPOSSIBLE, for every operator.
func checkImpossible(s *subject) {
	for _, h := range s.held() {
		for i := range h.Class.Columns {
			col := &h.Class.Columns[i]
			if h.Provides(col.Path) {
				continue
			}
			for _, op := range hunt.Ops(col.Type) {
				p := RandomPredicate(s.rng, col, op, h.rec)
				t, err := s.conn.Translate(h.asking(p))
				if err != nil || len(t.Predicates) != 1 || t.Predicates[0].Disposition != hunt.Impossible {
					s.errorf("Translate %s: the stream has no %s, so the predicate is IMPOSSIBLE (error: %v)", brief(h.asking(p)), col.Path, err)
				}
			}
		}
	}
}

// checkPredicates: every attribute with every operator and both case rules gives the rows of Match.
func checkPredicates(s *subject) {
	for _, h := range s.held() {
		for _, col := range Columns(h.Class, h.Attributes) {
			for _, op := range hunt.Ops(col.Type) {
				for _, caseSensitive := range caseRules(col) {
					r := h.asking(predicate(s.rng, h.rec, what{col, op, caseSensitive}))
					s.compare(h, r)
				}
			}
		}
	}
}

func caseRules(col *ocsf.Column) []bool {
	if col.Type == ocsf.String || col.Type == ocsf.JSON {
		return []bool{false, true}
	}
	return []bool{false}
}

// checkExpressions: nested conditions give the rows of Match, within a range and without.
func checkExpressions(s *subject) {
	for _, h := range s.held() {
		columns := Columns(h.Class, h.Attributes)
		for i := range 60 {
			r := h.asking(RandomExprOver(s.rng, columns, h.rec))
			if i%2 == 0 {
				r.Range = Window()
			}
			if i%3 == 0 {
				r.Order = hunt.TimeDesc
			}
			s.compare(h, r)
		}
	}
}
