package files

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/mapping"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// fillUnmapped computes the column unmapped of an answer's rows out of their raw records, which the cache holds and which are JSON: the
// rows of an answer are few, those of its parts many. Rows that were mapped for this search have the column already.
func (s *search) fillUnmapped(rec arrow.RecordBatch, refs []ref) (arrow.RecordBatch, error) {
	computed, err := s.unmapped(refs)
	if err != nil {
		return nil, err
	}
	b := array.NewStringBuilder(memory.DefaultAllocator)
	next := 0
	for i := range refs {
		if has := vector.Column(refs[i].rec, ocsf.ColUnmapped); has != nil {
			vector.AppendFrom(b, has, refs[i].row)
			continue
		}
		vector.AppendFrom(b, computed, next)
		next++
	}
	at := rec.Schema().FieldIndices(ocsf.ColUnmapped)[0]
	out, err := rec.SetColumn(at, b.NewArray())
	if err != nil {
		return nil, s.f.errorf(hunt.Internal, "unmapped: %w", err)
	}
	return out, nil
}

// unmapped decodes the raw records of the rows that come from the cache.
func (s *search) unmapped(refs []ref) (arrow.Array, error) {
	d := s.f.set.NewDecoder()
	b := mapping.NewBuilder(s.key.class, []string{ocsf.ColUnmapped})
	for i := range refs {
		if vector.Column(refs[i].rec, ocsf.ColUnmapped) != nil {
			continue
		}
		if err := d.JSON([]byte(rawColumn(refs[i].rec).Value(refs[i].row))); err != nil {
			return nil, s.f.errorf(hunt.Internal, "unmapped: %w", err)
		}
		m := d.Match()
		if m == nil {
			return nil, s.f.errorf(hunt.Internal, "unmapped: %w", fmt.Errorf("no mapping takes a record that was mapped"))
		}
		b.Append(d, m, s.f.id)
	}
	return vector.Column(b.Batch(), ocsf.ColUnmapped), nil
}
