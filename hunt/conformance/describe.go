package conformance

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// slowest is how long the median of several descriptions, or translations, may take.
const (
	slowestDescribe  = time.Second
	slowestTranslate = 100 * time.Millisecond
)

func checkDescribe(s *subject) {
	var took []time.Duration
	first := s.describe()
	if first == nil {
		return
	}
	want := fmt.Sprintf("%+v", plain(first))
	for range 5 {
		began := time.Now()
		d := s.describe()
		took = append(took, time.Since(began))
		if d == nil {
			return
		}
		if again := fmt.Sprintf("%+v", plain(d)); again != want {
			s.errorf("Describe says two things:\n%.2000s\n%.2000s", want, again)
			return
		}
	}
	if m := median(took); m > slowestDescribe {
		s.errorf("Describe takes %s; the host describes before every hunt", m)
	}
	s.checkDescription(first)
}

func median(list []time.Duration) time.Duration {
	slices.Sort(list)
	return list[len(list)/2]
}

// plain is a description without pointers and without what changes by itself, for comparing.
func plain(d *hunt.Description) []any {
	out := []any{d.Connector, d.Version, d.Backend, d.Notes, d.Denied, d.Limits, d.Unread, d.Snapshot}
	for _, st := range d.Streams {
		name, span := "", hunt.TimeRange{}
		if st.Class != nil {
			name = st.Class.Name
		}
		if st.Time != nil {
			span = *st.Time
		}
		out = append(out, st.Name, name, span, st.Rows, st.Untimed, st.Nulled, st.NulledFirst, st.Retention, st.Ceiling, st.MaxValues,
			slices.Sorted(maps.Keys(st.Attributes)), st.Closed)
	}
	return out
}

// checkDescription looks at what a description says by itself.
func (s *subject) checkDescription(d *hunt.Description) {
	if d.Connector == "" {
		s.errorf("Describe: no kind of connector")
	}
	seen := map[string]bool{}
	for i := range d.Streams {
		st := &d.Streams[i]
		if st.Name == "" || st.Class == nil {
			s.errorf("Describe: stream %d has no name or no class", i)
			continue
		}
		id := st.Name + " of " + st.Class.Name
		if seen[id] {
			s.errorf("Describe: stream %s is there twice", id)
		}
		seen[id] = true
		s.checkStream(id, st)
	}
	for _, l := range d.Limits {
		if l.Concurrent < 0 || l.Searches < 0 || (l.Searches > 0) != (l.Per > 0) || (l.Scope == hunt.PerConnection) != (l.Key == "") {
			s.errorf("Describe: the limit %+v makes no sense", l)
		}
	}
	for _, denied := range d.Denied {
		if denied.Action == "" || denied.Message == "" {
			s.errorf("Describe: the denial %+v has no action or no message", denied)
		}
	}
}

func (s *subject) checkStream(id string, st *hunt.Stream) {
	for path, has := range st.Attributes {
		if has && st.Class.Column(path) == nil {
			s.errorf("Describe: stream %s: %s has no column %s", id, st.Class.Name, path)
		}
	}
	for path := range st.Closed {
		if !st.Provides(path) {
			s.errorf("Describe: stream %s: %s has closed values but is no attribute", id, path)
		}
	}
	if st.Time != nil && st.Time.Start > st.Time.End {
		s.errorf("Describe: stream %s: its range of time ends before it starts: %s", id, st.Time)
	}
	if st.Rows < -1 || st.Untimed < 0 || st.Nulled < -1 || st.Retention < 0 || st.Lag < 0 || st.Ceiling < 0 || st.MaxValues < 0 {
		s.errorf("Describe: stream %s: a number is negative: %+v", id, *st)
	}
}

func checkFacts(s *subject) {
	for _, h := range s.held() {
		if h.loaded != nil {
			s.checkLoaded(h)
		} else if h.whole && h.Rows >= 0 && h.Rows != int64(len(h.ref.keys))+h.Untimed {
			s.errorf("Describe: %s has %d rows; %d with a time and %d without were found", h.label(), h.Rows, len(h.ref.keys), h.Untimed)
		}
		for i, key := range h.ref.keys {
			if h.Time != nil && !h.Time.Contains(key.Time) {
				s.errorf("Describe: %s has an event at %s, outside of its range %s", h.label(), hunt.FormatTime(key.Time), h.Time)
			}
			s.checkClosed(h, i)
		}
		s.count()
	}
}

// checkLoaded compares what a stream says of itself with what it was loaded with.
func (s *subject) checkLoaded(h *held) {
	want, rec := h.loaded.Stream.Attributes, h.loaded.Record
	for _, path := range slices.Sorted(maps.Keys(want)) {
		if want[path] != h.Attributes[path] {
			s.errorf("Describe: %s lacks the attribute %s that was loaded", h.label(), path)
		}
	}
	for _, path := range slices.Sorted(maps.Keys(h.Attributes)) {
		if h.Attributes[path] && !want[path] {
			s.errorf("Describe: %s claims the attribute %s that was not loaded", h.label(), path)
		}
	}
	if h.Rows != -1 && h.Rows != rec.NumRows() {
		s.errorf("Describe: %s has %d rows, want %d or -1", h.label(), h.Rows, rec.NumRows())
	}
	if untimed := untimedOf(rec); h.Untimed != untimed {
		s.errorf("Describe: %s has %d events without a time, want %d", h.label(), h.Untimed, untimed)
	}
}

func untimedOf(rec arrow.RecordBatch) int64 { return int64(vector.Column(rec, ocsf.ColTime).NullN()) }

// checkClosed compares an event's values with the lists of all values.
func (s *subject) checkClosed(h *held, row int) {
	for path, values := range h.Closed {
		for _, v := range (vector.Row{Record: h.ref.rec, Index: row}).Values(path) {
			if !slices.Contains(values, v) {
				s.errorf("Describe: %s has %s = %.100s, which Closed does not list", h.label(), path, v.Text())
			}
		}
	}
}

// checkContents: uid and raw are the source's own.
func checkContents(s *subject) {
	for _, h := range s.held() {
		s.count()
		want, left := h.loaded.Record, map[string]int{}
		for _, row := range sample.Expect(want, hunt.True(), sample.Always()) {
			left[fingerprint(h, want, row)]++
		}
		for row := range h.ref.keys {
			f := fingerprint(h, h.ref.rec, row)
			if left[f]--; left[f] < 0 {
				s.errorf("%s: an event came back that was not loaded: %.500s", h.label(), f)
			}
		}
		for f, n := range left {
			if n > 0 {
				s.errorf("%s: an event is missing: %.500s", h.label(), f)
			}
		}
	}
}

// fingerprint writes the time and the attributes of a row.
func fingerprint(h *held, rec arrow.RecordBatch, row int) string {
	us, _ := sample.TimeAt(rec, row)
	out := []byte(hunt.FormatTime(us))
	r := vector.Row{Record: rec, Index: row}
	for i := range h.Class.Columns {
		c := &h.Class.Columns[i]
		if !h.Provides(c.Path) {
			continue
		}
		for _, v := range r.Values(c.Path) {
			out = append(append(append(append(out, ' '), c.Path...), '='), v.Text()...)
		}
	}
	return string(out)
}
