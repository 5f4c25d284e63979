package elastic

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
)

// period is a half-open range of time in the units of the field of time.
type period struct{ from, to int64 }

// unit is how many microseconds the numbers of spans count: 1 for documents of this package, 1000 for those of others.
type unit int64

func unitOf(src *source) unit {
	if src.micros {
		return 1
	}
	return 1000
}

// Bounds that clusters take of dates: years 1 to 9999.
const (
	minMillis = -62_135_596_800_000
	maxMillis = 253_402_300_800_000
)

// period is the smallest period that holds a range.
func (u unit) period(r hunt.TimeRange) period {
	if r.Start >= r.End {
		return period{}
	}
	out := period{floorDiv(r.Start, int64(u)), floorDiv(r.End-1, int64(u)) + 1}
	if u > 1 {
		out.from, out.to = max(out.from, minMillis), min(out.to, maxMillis)
	}
	return out
}

// micros is the range of a period.
func (u unit) micros(at period) hunt.TimeRange {
	return hunt.TimeRange{Start: times(at.from, int64(u)), End: times(at.to, int64(u))}
}

// times multiplies, and stops at the ends of 64 bits.
func times(n, by int64) int64 {
	switch {
	case n > math.MaxInt64/by:
		return math.MaxInt64
	case n < math.MinInt64/by:
		return math.MinInt64
	}
	return n * by
}

func floorDiv(n, by int64) int64 {
	q := n / by
	if n%by < 0 {
		q--
	}
	return q
}

// after is the next microsecond.
func after(us int64) int64 {
	if us == math.MaxInt64 {
		return us
	}
	return us + 1
}

// scale says how some indices hold the time of events.
type scale struct {
	field string
	date  bool // a date, not an integer
	nanos bool // a date of nanoseconds, which reaches from 1970 to 2262
}

// scaled are indices that hold the time of some of their events in one way.
type scaled struct {
	scale
	after   []string // fields that come before this one: documents that have one of them belong to that
	indices []string
}

// byScale says how the indices hold the time of events: by which fields, and as what. Every event belongs to one of them.
func byScale(src *source, indices []string) []scaled {
	if src.micros {
		return []scaled{{scale: scale{field: src.time}, indices: indices}}
	}
	groups := map[string]*group{}
	for i := range src.groups {
		for _, name := range src.groups[i].Indices {
			groups[name] = &src.groups[i]
		}
	}
	var out []scaled
	for _, name := range indices {
		var before []string
		for _, at := range src.times {
			if groups[name] == nil {
				continue
			}
			f, ok := groups[name].Fields[at]
			if !ok || !isTime(f, at) {
				continue
			}
			next := scaled{scale: scale{field: at, date: f.Kind != kindInteger, nanos: f.Kind == kindDateNanos}, after: slices.Clone(before)}
			k := slices.IndexFunc(out, func(o scaled) bool { return o.scale == next.scale && slices.Equal(o.after, next.after) })
			if k < 0 {
				k, out = len(out), append(out, next)
			}
			out[k].indices = append(out[k].indices, name)
			before = append(before, at)
		}
	}
	return out
}

// limit adds to a query that the documents belong to these fields of time.
func (s scaled) limit(q json.RawMessage) json.RawMessage {
	if len(s.after) == 0 {
		return q
	}
	parts := []query{{string(q), 1}}
	for _, name := range s.after {
		parts = append(parts, not(exists(name)))
	}
	return allOf(parts...).raw()
}

// query is the condition that the time lies in a period.
func (s scale) query(at period) string {
	if !s.date {
		return fmt.Sprintf(`{"range":{%s:{"gte":%d,"lt":%d}}}`, quote(s.field), at.from, at.to)
	}
	if s.nanos {
		const most = math.MaxInt64 / 1_000_000
		at.from, at.to = min(max(at.from, 0), most), min(max(at.to, 1), most)
	}
	const layout = "2006-01-02T15:04:05.000Z"
	text := func(ms int64) string { return time.UnixMilli(ms).UTC().Format(layout) }
	if s.nanos {
		return fmt.Sprintf(`{"range":{%s:{"gte":"%s","lt":"%s","format":"strict_date_optional_time"}}}`, quote(s.field), text(at.from), text(at.to))
	}
	return fmt.Sprintf(`{"range":{%s:{"gte":"%s","lte":"%s","format":"strict_date_optional_time"}}}`, quote(s.field), text(at.from), text(at.to-1))
}

// native turns the sort value of a hit into the units of spans.
func (s scale) native(sort int64) int64 {
	if s.nanos {
		return floorDiv(sort, 1_000_000)
	}
	return sort
}
