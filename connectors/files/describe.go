package files

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// lostStream is the stream of parts of which nothing is known, because they are damaged or still being read: they may hold anything.
const lostStream = "unreadable"

// stillRead is why a new file is not searched yet.
const stillRead = "still being read"

// Describe looks at the folder for new, grown, replaced and deleted files and describes what there is then. It waits five seconds for
// new files to be read, less if ctx ends earlier; those that take longer are read on in the background, and until they are, a note names
// them and the stream of unreadable parts says so in every class. The error is a *hunt.Error, SOURCE_UNAVAILABLE if the path cannot be
// read.
func (f *Files) Describe(ctx context.Context) (*hunt.Description, error) {
	ctx, end, ok := f.begin(ctx)
	if !ok {
		return nil, f.errClosed()
	}
	defer end()
	if err := f.look(ctx); err != nil {
		return nil, err
	}
	d := *f.state.Load().description
	d.Streams, d.Notes = slices.Clone(d.Streams), slices.Clone(d.Notes)
	return &d, nil
}

// Parts lists the logs that are searched and those that are damaged, by name.
func (f *Files) Parts() []Part {
	st := f.state.Load()
	var out []Part
	for _, p := range st.parts {
		if p.note != "" {
			continue
		}
		digest := st.files[fileName(p)].hex()
		if p.member != "" {
			digest += "!" + p.member
		}
		out = append(out, Part{Name: p.name, Format: string(p.format), Digest: digest, Bytes: p.bytes, Damage: p.damage(), Counts: p.counts()})
	}
	return out
}

// describe makes the description of a state.
func (f *Files) describe(st *state) *hunt.Description {
	d := &hunt.Description{Connector: "files", Version: "1", Snapshot: f.snapshot(st)}
	streams := map[streamKey]*hunt.Stream{}
	for _, p := range st.parts {
		f.addStreams(streams, p)
		if note := p.describe(); note != "" {
			d.Notes = append(d.Notes, note)
		}
	}
	for _, p := range st.parts {
		if p.doubtful() {
			untime(streams, p)
		}
	}
	f.addGone(streams, st)
	for _, s := range streams {
		d.Streams = append(d.Streams, *s)
	}
	if st.unsure() {
		d.Streams = append(d.Streams, lostStreams()...)
	}
	for _, name := range slices.Sorted(maps.Keys(st.reading)) {
		d.Notes = append(d.Notes, name+": not searched yet: "+stillRead)
	}
	slices.SortFunc(d.Streams, func(a, b hunt.Stream) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Class.UID, b.Class.UID))
	})
	return d
}

// addStreams adds what a part holds. Records of a doubtful part that were not searched may be of any class of its mappings.
func (f *Files) addStreams(streams map[streamKey]*hunt.Stream, p *part) {
	if p.doubtful() {
		for _, m := range p.mappings() {
			for _, key := range f.classesOf(m) {
				f.stream(streams, key)
			}
		}
	}
	for _, s := range p.segments {
		for key, held := range s.streams {
			to := f.stream(streams, key)
			to.Rows += held.rows
			to.Untimed += held.untimed
			to.Nulled += held.nulled
			if c := held.first.column; c != "" && to.NulledFirst == "" {
				to.NulledFirst = fmt.Sprintf("%s at byte %d: %s", p.name, held.first.offset, c)
			}
			if held.timed() {
				to.Time = widen(to.Time, held.min, held.max)
			}
		}
	}
}

// stream returns the description of a stream to add to.
func (f *Files) stream(streams map[streamKey]*hunt.Stream, key streamKey) *hunt.Stream {
	if streams[key] == nil {
		s := *f.bases[key]
		s.Rows = 0
		streams[key] = &s
	}
	return streams[key]
}

// untime takes the time range off the streams that a doubtful part may hold more of: what was not searched may be of any time, so the
// stream must not be pruned by it.
func untime(streams map[streamKey]*hunt.Stream, p *part) {
	for key, s := range streams {
		if p.mayHold(key.mapping) {
			s.Time = nil
		}
	}
}

// addGone keeps the streams of what is gone, without a time range: a hunt with an earlier snapshot must be searched to say what it lost.
func (f *Files) addGone(streams map[streamKey]*hunt.Stream, st *state) {
	for _, g := range st.gone {
		for _, key := range g.streams {
			f.stream(streams, key).Time = nil
		}
	}
	for key := range st.trimmed.streams {
		f.stream(streams, key).Time = nil
	}
}

// unsure says whether there are parts of which nothing is known, or an earlier snapshot had such.
func (s *state) unsure() bool {
	return len(s.reading) > 0 || s.trimmed.unknown || slices.ContainsFunc(s.parts, (*part).unknown) ||
		slices.ContainsFunc(s.gone, func(g gone) bool { return g.unknown })
}

// lostStreams describes the stream of unreadable parts in every class, so that no hunt passes for complete.
func lostStreams() []hunt.Stream {
	var out []hunt.Stream
	for i := range ocsf.Classes() {
		c := &ocsf.Classes()[i]
		s := hunt.Stream{Name: lostStream, Class: c, Attributes: map[string]bool{}}
		for _, col := range c.Columns {
			s.Attributes[col.Path] = true
		}
		out = append(out, s)
	}
	return out
}

// describe says what of a part is not searched and why, "" if all of it is.
func (p *part) describe() string {
	c := p.counts()
	switch {
	case p.note != "":
		return p.name + ": not searched: " + p.note
	case p.damage() != nil:
		return p.damage().Error()
	case c.Rejected > 0:
		return fmt.Sprintf("%s: %d of %d records could not be decoded and are not searched", p.name, c.Rejected, c.Records)
	}
	return ""
}

// snapshot names a state: the process, the generation and the files.
func (f *Files) snapshot(st *state) string {
	return f.epoch + "." + strconv.FormatInt(st.gen, 10) + "." + st.print
}

// at returns the generation that a snapshot shows, and whether it is known exactly. Of a snapshot of an earlier process only the files
// tell: if they are what they were, so is the answer.
func (f *Files) at(st *state, snapshot string) (gen int64, known bool) {
	if snapshot == "" {
		return st.gen, true
	}
	part := strings.Split(snapshot, ".")
	if len(part) != 3 {
		return st.gen, false
	}
	if part[0] == f.epoch {
		if n, err := strconv.ParseInt(part[1], 10, 64); err == nil && n <= st.gen {
			return n, true
		}
	}
	n, known := st.history[part[2]]
	if !known {
		n = st.gen
	}
	return n, known
}

// Translate implements hunt.Connector. It reads no file: what it says about parts is from the last look.
func (f *Files) Translate(r hunt.Request) (*hunt.Translation, error) {
	t := &hunt.Translation{Request: r}
	if r.Stream == lostStream {
		t.Native = "nothing is known of parts that are damaged or still being read"
		hunt.Walk(r.Where, func(p *hunt.Predicate) {
			t.Predicates = append(t.Predicates, hunt.Disposed{Predicate: p, Disposition: hunt.Exact})
		})
		return t, nil
	}
	key, base := f.key(r)
	if base == nil {
		return nil, f.errorf(hunt.NotFound, "no stream %q of class %s; Describe lists the streams", r.Stream, r.Class.Name)
	}
	hunt.Walk(r.Where, func(p *hunt.Predicate) {
		d := hunt.Disposed{Predicate: p, Disposition: hunt.Exact}
		if !base.Provides(p.Path) {
			d.Disposition, d.Reason = hunt.Impossible, fmt.Sprintf("mapping %s has no %s for %s", r.Stream, p.Path, r.Class.Name)
		}
		t.Predicates = append(t.Predicates, d)
	})
	t.Native = f.native(key, r)
	for _, d := range t.Predicates {
		if d.Disposition == hunt.Exact {
			t.Native += "\n" + key.mapping.Explain(r.Class, d.Predicate)
		}
	}
	return t, nil
}

// key finds the stream of a request; nil if there is none.
func (f *Files) key(r hunt.Request) (streamKey, *hunt.Stream) {
	key := streamKey{f.set.Mapping(r.Stream), r.Class}
	return key, f.bases[key]
}

// namedParts is how many parts a native text names.
const namedParts = 5

// native says for people which parts are read and with what filter.
func (f *Files) native(key streamKey, r hunt.Request) string {
	st := f.state.Load()
	gen, _ := f.at(st, r.Snapshot)
	var names []string
	var rows int64
	searched := 0
	for _, p := range st.parts {
		if p.note == "" {
			searched++
		}
		if n, some := p.rowsIn(key, r.Range, gen); some {
			names, rows = append(names, p.name), rows+n
		}
	}
	list := strings.Join(names[:min(len(names), namedParts)], ", ")
	if len(names) > namedParts {
		list += ", ..."
	}
	filter := "all"
	if !hunt.IsTrue(r.Where) {
		filter = r.Where.String()
	}
	return fmt.Sprintf("%d of %d parts, %s records: %s; filter: %s", len(names), searched, thousands(rows), list, filter)
}

// rowsIn returns how many rows of a stream lie in the segments that a hunt has to look at.
func (p *part) rowsIn(key streamKey, r hunt.TimeRange, gen int64) (int64, bool) {
	var n int64
	some := false
	for _, s := range p.segments {
		if s.mayMatch(key, r, gen) {
			n, some = n+s.streams[key].rows, true
		}
	}
	return n, some
}

// mayMatch says whether a segment has rows of a stream that may lie in a range, as of a generation.
func (s *segment) mayMatch(key streamKey, r hunt.TimeRange, gen int64) bool {
	held := s.streams[key]
	return s.gen <= gen && held != nil && held.timed() && r.Start <= held.max && held.min < r.End
}

// thousands writes a number with separators.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for at := len(s) - 3; at > 0; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// classesOf lists the streams that a mapping can make.
func (f *Files) classesOf(m *mapping.Mapping) []streamKey {
	var out []streamKey
	for key := range f.bases {
		if key.mapping == m {
			out = append(out, key)
		}
	}
	return out
}
