package elastic

import (
	"fmt"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/vector"
)

// probe asks for the first rows and yields them. It returns the period that is left to read. If many are wanted it does not ask for them in
// order: they are all, or are read again with the others.
func (s *search) probe(bounds period) (period, error) {
	size := s.probeSize()
	d := s.reader()
	defer s.free(d)
	d.direct = true
	rest := period{bounds.to, bounds.to}
	if s.t.Request.Order == hunt.TimeDesc {
		rest = period{bounds.from, bounds.from}
	}
	var gaps []gap
	for _, p := range s.parts {
		r := request{at: bounds, size: size, sorted: !s.many()}
		alone := !r.sorted && len(s.parts) == 1 // what the answer says is of the whole search
		if alone {
			r.aggs = p.scale.limits()
		}
		if r.sorted && s.limited() && s.product.name == productElasticsearch {
			r.total = fmt.Sprint(size + 1) // so that it need not look at all
		}
		e, found, err := s.ask(p, r, d)
		if tooLarge(err) || vanished(err) {
			d.discard()
			return bounds, nil // windows find out how much can be read at a time, and which index is gone
		}
		if err != nil {
			return rest, err
		}
		gaps = append(gaps, found...)
		d.decode(e)
		if e.total.Relation == "eq" && e.total.Value <= int64(e.count) {
			continue
		}
		if alone && e.total.Relation == "eq" {
			s.expected = e.total.Value
			p.setShards(e.Shards.Total)
			err = s.widen(&s.spread, bounds, e)
		}
		if err != nil {
			return rest, err
		}
		if !r.sorted || e.count == 0 || e.count < size && len(found) == 0 {
			d.discard()
			return bounds, nil
		}
		rest = s.further(rest, bounds, p.scale.native(e.last))
	}
	s.drain()
	done := period{bounds.from, rest.from}
	if s.t.Request.Order == hunt.TimeDesc {
		done = period{rest.to, bounds.to}
	}
	r := d.take()
	if done.from >= done.to { // all of one instant, of which there is more
		r = rows{}
	}
	if r.rec != nil && rest.from < rest.to {
		mask := vector.InRange(r.rec, s.unit.micros(rest)) // these are read again, with others of the last instant
		for i := range mask {
			mask[i] = !mask[i]
		}
		r.rec = vector.Select(r.rec, mask)
	}
	return rest, s.emitProbe(r, done, gaps)
}

func (s *search) emitProbe(r rows, done period, gaps []gap) error {
	if r.rec != nil {
		s.rows += r.rec.NumRows()
	}
	return s.emitPiece(s.finish(r, done, gaps))
}

// further extends the rest of a probe to the last row of one part: rows of its instant may be missing.
func (s *search) further(rest, bounds period, last int64) period {
	if s.t.Request.Order == hunt.TimeDesc {
		return period{bounds.from, max(rest.to, min(last+1, bounds.to))}
	}
	return period{min(rest.from, max(last, bounds.from)), bounds.to}
}

func (s *search) probeSize() int {
	size := firstRows
	switch {
	case s.many():
		size = sampleRows
	case string(s.include) == "true":
		size = heavyRows
	}
	if limit := s.t.Request.Limit; s.limited() && !s.many() {
		size = limit + 16
	} else if limit > 0 {
		size = min(size, 4*limit+100)
	}
	return min(size, s.e.cfg.BatchRows)
}

// drain hands on what was noted while the probe ran.
func (s *search) drain() {
	for {
		select {
		case f := <-s.notes:
			_ = s.emit(f) // if the consumer has enough, it says so again
		default:
			return
		}
	}
}
