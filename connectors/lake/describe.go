package lake

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Describe implements hunt.Connector. It reads the commit log alone. A stream provides the attributes that all its commits provide:
// one that only some of them fill would be missing in the others without a word, so it is not offered, and a note says so.
func (l *Lake) Describe(ctx context.Context) (*hunt.Description, error) {
	commits, err := l.view("")
	if err != nil {
		return nil, err
	}
	out := *l.describe(commits)
	out.Streams = slices.Clone(out.Streams)
	return &out, nil
}

// describe adds up commits, once for each state of the log.
func (l *Lake) describe(commits []commit) *hunt.Description {
	l.mu.Lock()
	defer l.mu.Unlock()
	snapshot := strconv.Itoa(len(commits))
	if l.described == nil || l.described.Snapshot != snapshot {
		d := describer{streams: map[streamKey]*hunt.Stream{}, partial: map[streamKey]map[string]bool{}, doubtful: map[streamKey]bool{}}
		for i := range commits {
			d.add(&commits[i])
		}
		l.described = &hunt.Description{Connector: "lake", Version: "DuckDB " + l.version, Streams: d.list(), Notes: d.notes(), Unread: d.unread(), Snapshot: snapshot}
	}
	return l.described
}

// stream returns what is known of a stream without I/O, nil if nothing is.
func (l *Lake) stream(class, name string) *hunt.Stream {
	d := l.describe(l.log.loaded())
	for i := range d.Streams {
		if d.Streams[i].Name == name && d.Streams[i].Class.Name == class {
			return &d.Streams[i]
		}
	}
	return nil
}

type streamKey struct{ class, name string }

func (k streamKey) compare(o streamKey) int {
	return cmp.Or(cmp.Compare(k.class, o.class), cmp.Compare(k.name, o.name))
}

// describer adds up commits.
type describer struct {
	streams  map[streamKey]*hunt.Stream
	partial  map[streamKey]map[string]bool // attributes that only some commits provide
	doubtful map[streamKey]bool            // streams that may lack records that could not be decoded
	rejected int64
	unknown  []string
}

func (d *describer) add(c *commit) {
	d.rejected += c.Counts.Rejected
	for _, s := range c.Streams {
		d.addStream(s)
		if len(c.rejected()) > 0 {
			d.doubtful[streamKey{s.Class, s.Name}] = true
		}
	}
	for _, f := range c.Files {
		if s := d.streams[streamKey{f.Class, f.Stream}]; s != nil {
			addFile(s, f)
		}
	}
}

func (d *describer) addStream(doc streamDoc) {
	class := ocsf.ByName(doc.Class)
	if class == nil {
		d.unknown = append(d.unknown, fmt.Sprintf("stream %s: class %s is not known to this version; its events are not searched", doc.Name, doc.Class))
		return
	}
	key := streamKey{doc.Class, doc.Name}
	attributes := map[string]bool{}
	for _, a := range doc.Attributes {
		attributes[a] = true
	}
	s := d.streams[key]
	if s == nil {
		d.streams[key] = &hunt.Stream{Name: doc.Name, Class: class, Attributes: attributes, Closed: closedOf(doc), Nulled: -1}
		d.partial[key] = map[string]bool{}
		return
	}
	d.intersect(key, s.Attributes, attributes)
	mergeClosed(s.Closed, closedOf(doc))
}

// intersect removes from have what more lacks, and remembers what is in one of them only.
func (d *describer) intersect(key streamKey, have, more map[string]bool) {
	for a := range more {
		if !have[a] {
			d.partial[key][a] = true
		}
	}
	maps.DeleteFunc(have, func(a string, _ bool) bool {
		if !more[a] {
			d.partial[key][a] = true
		}
		return !more[a]
	})
}

// closedOf returns the closed lists of a stream; a list with a value that cannot be read is open.
func closedOf(doc streamDoc) map[string][]hunt.Value {
	out := map[string][]hunt.Value{}
	for path, docs := range doc.Closed {
		values := []hunt.Value{}
		for _, v := range docs {
			if value, ok := v.value(); ok {
				values = append(values, value)
			}
		}
		if len(values) == len(docs) {
			out[path] = values
		}
	}
	return out
}

// mergeClosed keeps the lists that both commits close, with the values of both.
func mergeClosed(have, more map[string][]hunt.Value) {
	for path, values := range have {
		other, ok := more[path]
		if !ok {
			delete(have, path)
			continue
		}
		for _, v := range other {
			if !slices.Contains(values, v) {
				values = append(values, v)
			}
		}
		have[path] = values
	}
}

func addFile(s *hunt.Stream, f parquetDoc) {
	s.Rows += f.Rows
	if f.MinTime == nil || f.MaxTime == nil {
		s.Untimed += f.Rows
		return
	}
	r := hunt.TimeRange{Start: *f.MinTime, End: after(*f.MaxTime)}
	if s.Time == nil {
		s.Time = &r
		return
	}
	s.Time.Start, s.Time.End = min(s.Time.Start, r.Start), max(s.Time.End, r.End)
}

// list returns the streams. One whose events have no time has no range, and neither has one that may lack records: those may be of any
// time, so that the hunt must ask the stream to hear of them.
func (d *describer) list() []hunt.Stream {
	out := []hunt.Stream{}
	for _, key := range slices.SortedFunc(maps.Keys(d.streams), streamKey.compare) {
		s := d.streams[key]
		if d.doubtful[key] {
			s.Time = nil
		}
		out = append(out, *s)
	}
	return out
}

func (d *describer) notes() []string {
	var out []string
	for _, key := range slices.SortedFunc(maps.Keys(d.partial), streamKey.compare) {
		for _, a := range slices.Sorted(maps.Keys(d.partial[key])) {
			out = append(out, fmt.Sprintf("stream %s of %s: %s is filled in a part of the inputs only, so it cannot be searched; ingest the older inputs anew", key.name, key.class, a))
		}
	}
	slices.Sort(d.unknown)
	out = append(out, slices.Compact(d.unknown)...)
	if why := d.unread(); why != "" {
		out = append(out, why)
	}
	return out
}

// unread says what inputs held that is not in the lake; its class is not known.
func (d *describer) unread() string {
	if d.rejected == 0 {
		return ""
	}
	return fmt.Sprintf("%d records could not be decoded when they were ingested; they are not searched", d.rejected)
}
