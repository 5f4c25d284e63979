package elastic

import "github.com/harrier-xdr/harrier/hunt"

// A search that asks for everything of a time in which the description says there is much need not ask first how much there is: it counts
// at once, within its point in time.

// rowSize is how large the rows of a stream were, by what was asked for of them.
type rowSize struct {
	of    string // the fields that were asked for
	bytes int64  // of a row, in the cluster's answers
}

// sized names the stream of a search.
type sized struct {
	stream string
	class  int64
}

// foresee notes what is to be expected of a period if that is certain to be worth a sweep, and says whether it is.
func (s *search) foresee(bounds period) bool {
	stream := &s.src.stream
	known, ok := s.e.sizes.Load(s.sized())
	if !ok || known.(rowSize).of != s.fields() || !s.many() || !hunt.IsTrue(s.t.Request.Where) || stream.Time == nil {
		return false
	}
	held := s.unit.period(*stream.Time)
	at := period{max(bounds.from, held.from), min(bounds.to, held.to)}
	if at.from >= at.to {
		return false
	}
	part := (float64(at.to) - float64(at.from)) / (float64(held.to) - float64(held.from))
	rows := int64(part * float64(stream.Rows))
	if rows < 2*int64(s.e.cfg.BatchRows) {
		return false
	}
	s.perRow.Store(known.(rowSize).bytes)
	s.spread = bucket{at, rows}
	return true
}

// learn notes how large the rows are.
func (s *search) learn() {
	if n := s.perRow.Load(); n > 0 {
		s.e.sizes.Store(s.sized(), rowSize{s.fields(), n})
	}
}

func (s *search) sized() sized { return sized{s.src.stream.Name, s.t.Request.Class.UID} }

// fields are those that are asked for.
func (s *search) fields() string {
	if s.byValue.Load() {
		return string(s.columns.plain)
	}
	return string(s.include)
}
