package files

import (
	"slices"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Part is one log: a file, or a member of a zip archive.
type Part struct {
	Name   string      // path relative to Config.Path with slashes; `archive.zip!member` for a member
	Format string      // "ndjson", "json-array", "json-wrapper", "zeek-tsv", "csv"
	Digest string      // hex SHA-256 of the file's bytes on disk that were read; of a member followed by `!member`
	Bytes  int64       // on disk; of a member its compressed bytes
	Damage *hunt.Error // what cut the part off when it was last read, nil if it was read to its end
	Counts
}

// Counts says what became of the records of a part: Records = Rows + Rejected.
type Counts struct {
	Records  int64 // blank lines and header lines are none
	Rows     int64 // mapped; identical records count each
	Rejected int64 // could not be decoded, or no mapping takes them
	Untimed  int64 // rows without a time
}

func (c *Counts) add(o Counts) {
	c.Records += o.Records
	c.Rows += o.Rows
	c.Rejected += o.Rejected
	c.Untimed += o.Untimed
}

// streamKey names a stream: what shares a mapping and a class.
type streamKey struct {
	mapping *mapping.Mapping
	class   *ocsf.Class
}

// reject is a record that could not be decoded.
type reject struct {
	offset int64 // in bytes of the uncompressed part
	reason string
}

// keptRejects is how many rejects of a part are kept in detail; the counts are exact.
const keptRejects = 20

// streamStats says what a segment holds of one stream.
type streamStats struct {
	rows, untimed int64
	min, max      int64 // microseconds, inclusive; only if rows > untimed
	nulled        int64 // values that are no value of their column
	first         spoiled
}

// spoiled is the first value of a segment that is no value of its column.
type spoiled struct {
	column string // "" if there is none
	offset int64  // of its record, in bytes of the uncompressed part
}

// timed says whether any row has a time.
func (s *streamStats) timed() bool { return s.rows > s.untimed }

// segment is what one look found new in a part: the whole part at first, and then what a growing log gained. It does not change once it
// is part of a state; its cached batches belong to the cache.
type segment struct {
	part     string
	from, to int64      // bytes of the uncompressed part; to is -1 for all of it
	first    bool       // it begins the part, perhaps behind a byte order mark
	zeek     *zeekTable // the header that is in force at from
	gen      int64      // the generation that it came with
	open     bool       // its one line has no line break
	counts   Counts
	rejects  []reject
	damage   *hunt.Error
	streams  map[streamKey]*streamStats

	cached map[streamKey][]*batch // guarded by the cache; nil if the cache does not hold it
	bytes  int64
}

// part is one log in a state. It does not change; a part that grew is a new one that shares segments with the old.
type part struct {
	name     string
	member   string // within a zip archive, "" if the part is the file
	format   format
	plain    bool // not compressed and no member: it may be read from its middle
	bytes    int64
	note     string // why it is not searched; "" if it is
	segments []*segment
	pending  int64      // where a last line begins that may still be being written; -1 if none
	end      *zeekTable // the header that is in force at the end
}

func (p *part) counts() Counts {
	var c Counts
	for _, s := range p.segments {
		c.add(s.counts)
	}
	return c
}

// damage returns what cut the part off, nil if it was read to its end.
func (p *part) damage() *hunt.Error {
	for _, s := range p.segments {
		if s.damage != nil {
			return s.damage
		}
	}
	return nil
}

// doubtful says whether the part has records that were not searched, so that its streams may hold more than the index knows.
func (p *part) doubtful() bool { return p.damage() != nil || p.counts().Rejected > 0 }

// mappings returns the mappings that took records of the part.
func (p *part) mappings() []*mapping.Mapping {
	var out []*mapping.Mapping
	for _, s := range p.segments {
		for k := range s.streams {
			if !slices.Contains(out, k.mapping) {
				out = append(out, k.mapping)
			}
		}
	}
	return out
}

// mayHold says whether records of the part that were not searched may belong to a stream of the mapping.
func (p *part) mayHold(m *mapping.Mapping) bool { return slices.Contains(p.mappings(), m) }

// unknown says whether the part is damaged and nothing of it is known.
func (p *part) unknown() bool { return p.damage() != nil && len(p.mappings()) == 0 }
