package conformance

import (
	"context"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/harrier-xdr/harrier/hunt"
	"github.com/harrier-xdr/harrier/hunt/conformance/sample"
	"github.com/harrier-xdr/harrier/hunt/vector"
	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// random makes a nested condition over what a stream has.
func (s *subject) random(h *held) hunt.Expr {
	return sample.RandomExprOver(s.rng, sample.Columns(h.Class, h.Attributes), h.ref.rec)
}

func checkTranslate(s *subject) {
	ctx, cancel := context.WithCancel(s.ctx)
	if _, err := s.src.conn.Describe(ctx); err != nil {
		s.failure("Describe", err)
	}
	cancel() // what was described in it is still good for translations
	var took []time.Duration
	for _, h := range s.some() {
		for i := range s.fewer(10, 40) {
			r := h.asking(s.random(h))
			r.Order, r.Limit = bothOrders()[i%2], i%3*10
			if i%4 == 0 && len(h.ref.keys) > 0 {
				r.After = &h.ref.keys[len(h.ref.keys)/2]
			}
			before := fmt.Sprintf("%+v", r)
			began := time.Now()
			t := s.translate(r)
			took = append(took, time.Since(began))
			if t == nil {
				continue
			}
			if fmt.Sprintf("%+v", r) != before {
				s.errorf("Translate %s: it changed the request", brief(r))
			}
			s.checkTranslation(r, t)
			s.again(r, t)
		}
	}
	if len(took) > 0 {
		if m := median(took); m > slowestTranslate {
			s.errorf("Translate takes %s; it is pure", m)
		}
	}
}

// again asks for the same translation from several goroutines.
func (s *subject) again(r hunt.Request, want *hunt.Translation) {
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			t := s.translate(r)
			if t != nil && (t.Native != want.Native || !slices.Equal(t.Predicates, want.Predicates)) {
				s.errorf("Translate %s: two answers to one request:\n%.300s\n%.300s", brief(r), want.Native, t.Native)
			}
		})
	}
	group.Wait()
}

// checkTranslation looks at the dispositions of a request whose attributes the stream has.
func (s *subject) checkTranslation(r hunt.Request, t *hunt.Translation) {
	if t.Native == "" {
		s.errorf("Translate %s: no native text", brief(r))
	}
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
	q := t.Request
	if q.Stream != r.Stream || q.Class != r.Class || q.Range != r.Range || q.Order != r.Order || q.After != r.After && (q.After == nil || r.After == nil || *q.After != *r.After) ||
		q.Limit != r.Limit || q.Snapshot != r.Snapshot || !slices.Equal(q.Columns, r.Columns) {
		s.errorf("Translate %s: the translation is of another request", brief(r))
	}
}

func checkImpossible(s *subject) {
	for _, h := range s.held() {
		for i := range h.Class.Columns {
			col := &h.Class.Columns[i]
			if h.Provides(col.Path) {
				continue
			}
			for _, op := range hunt.Ops(col.Type) {
				p := sample.RandomPredicate(s.rng, col, op, h.ref.rec)
				there := sample.RandomPredicate(s.rng, h.Class.Column(ocsf.ColTime), hunt.Exists, h.ref.rec)
				r := h.request()
				r.Where = hunt.Or{there, hunt.Not{Expr: p}}
				t := s.translate(r)
				if t != nil && (len(t.Predicates) != 2 || t.Predicates[0].Disposition == hunt.Impossible || t.Predicates[1].Disposition != hunt.Impossible) {
					s.errorf("Translate %s: the stream has no %s, so the predicate on it is IMPOSSIBLE and the other is not: %s", brief(r), col.Path, dispositions(t))
				}
			}
		}
	}
}

// checkPredicates asks each column of several streams of one of them only, unless the suite is thorough.
func checkPredicates(s *subject) {
	seen := map[string]bool{}
	for _, h := range s.held() {
		for _, col := range sample.Columns(h.Class, h.Attributes) {
			if seen[col.Path] && !s.suite.Thorough {
				continue
			}
			seen[col.Path] = true
			for _, op := range hunt.Ops(col.Type) {
				for _, caseSensitive := range caseRules(col, op) {
					s.compare(h, h.asking(sample.What{Column: col, Op: op, CaseSensitive: caseSensitive}.Predicate(s.rng, h.ref.rec)))
				}
			}
		}
	}
}

func caseRules(col *ocsf.Column, op hunt.Op) []bool {
	if isText(col) && op != hunt.Exists {
		return []bool{false, true}
	}
	return []bool{false}
}

func isText(col *ocsf.Column) bool { return col.Type == ocsf.String || col.Type == ocsf.JSON }

// checkHostile asks one column of each type, inside an array of objects and outside, and every text column that has a giant value.
func checkHostile(s *subject) {
	for _, h := range s.some()[:min(len(s.some()), s.fewer(1, math.MaxInt))] {
		for _, col := range s.typical(h) {
			for _, op := range hunt.Ops(col.Type) {
				for _, caseSensitive := range caseRules(col, op) {
					s.hostile(h, sample.What{Column: col, Op: op, CaseSensitive: caseSensitive})
				}
			}
		}
	}
}

// typical picks one column of each type, inside an array and outside; of the text columns outside that with the least text and the
// two with the most, which have the giant values.
func (s *subject) typical(h *held) []*ocsf.Column {
	type kind struct {
		t    ocsf.Type
		list bool
	}
	var out, texts []*ocsf.Column
	seen := map[kind]bool{{ocsf.String, false}: true}
	for _, col := range sample.Columns(h.Class, h.Attributes) {
		if k := (kind{col.Type, col.List != ""}); !seen[k] {
			seen[k] = true
			out = append(out, col)
		} else if col.Type == ocsf.String && col.List == "" && h.Attributes[col.Path] {
			texts = append(texts, col)
		}
	}
	slices.SortStableFunc(texts, func(a, b *ocsf.Column) int { return textBytes(h, b) - textBytes(h, a) })
	if len(texts) > 3 {
		texts = append(texts[:2], texts[len(texts)-1])
	}
	return append(out, texts...)
}

// textBytes is how much text a column holds.
func textBytes(h *held, col *ocsf.Column) int {
	n := 0
	for row := range h.ref.keys {
		for _, v := range (vector.Row{Record: h.ref.rec, Index: row}).Values(col.Path) {
			n += len(v.Str())
		}
	}
	return n
}

// hostile asks for every hostile argument. Arguments with one disposition are asked together, so that many are asked in little time.
func (s *subject) hostile(h *held, w sample.What) {
	args := sample.HostileArgs(w.Column, w.Op)
	s.rng.Shuffle(len(args), func(i, j int) { args[i], args[j] = args[j], args[i] })
	if isText(w.Column) && !s.suite.Thorough {
		args = affordable(w, args, textBytes(h, w.Column))
	}
	groups := map[hunt.Disposition][]hunt.Expr{}
	for _, p := range w.Predicates(args) {
		t := s.translate(h.asking(p))
		if t == nil {
			return
		}
		s.checkTranslation(t.Request, t)
		if len(t.Predicates) == 1 {
			d := t.Predicates[0].Disposition
			groups[d] = append(groups[d], p)
		}
	}
	for d := hunt.Exact; d <= hunt.Impossible; d++ {
		for together := range slices.Chunk(groups[d], 16) {
			s.together(h, together)
		}
	}
}

// affordable leaves out most giant arguments, and other ones as well for a column with much text or one that is made of the record.
func affordable(w sample.What, args []hunt.Value, bytes int) []hunt.Value {
	cost, most := max(bytes, 8000), 2
	if w.Column.Type == ocsf.JSON {
		cost *= 4
	}
	if w.Op == hunt.RegexOp || w.Op == hunt.LikeOp {
		cost, most = cost*6, 1
	}
	long := func(v hunt.Value) bool { return len(v.Str()) > 2000 }
	short := slices.DeleteFunc(slices.Clone(args), long)
	giant := slices.DeleteFunc(args, func(v hunt.Value) bool { return !long(v) || len(v.Str()) > 100_000 && w.Op != hunt.Eq })
	return append(short[:min(len(short), 100_000/cost+most)], giant[:min(len(giant), most)]...)
}

// together asks for any of some conditions, and for none of them. Where that is wrong, it finds out which of them is.
func (s *subject) together(h *held, list []hunt.Expr) {
	before := s.problems()
	_, any1 := s.differs(h, h.asking(hunt.Or(list)))
	_, none := s.differs(h, h.asking(hunt.Not{Expr: hunt.Or(list)}))
	if !any1 && !none && s.problems() == before {
		return
	}
	for _, p := range list {
		s.compare(h, h.asking(p))
	}
}

func checkExpressions(s *subject) {
	for _, h := range s.held() {
		for i := range s.fewer(20, 120) {
			r := h.asking(s.random(h))
			if n := len(h.ref.keys); i%2 == 0 && n > 0 {
				r.Range = hunt.TimeRange{Start: h.ref.keys[n/10].Time, End: h.ref.keys[n-1-n/10].Time}
			}
			r.Order = bothOrders()[min(i%3, 1)]
			s.compare(h, r)
		}
	}
}

func checkLists(s *subject) {
	for _, h := range s.some()[:min(len(s.some()), s.fewer(1, math.MaxInt))] {
		sizes := []int{1000, 10_000}
		if h.MaxValues > 0 {
			sizes = []int{h.MaxValues, h.MaxValues + 1, 10_000}
		}
		seen := map[ocsf.Type]bool{}
		for _, col := range s.typical(h) {
			for _, n := range sizes {
				rules := caseRules(col, hunt.In)
				if n == 10_000 && !s.suite.Thorough { // the longest list once for each type
					if seen[col.Type] {
						continue
					}
					seen[col.Type], rules = true, rules[:1]
				}
				for _, caseSensitive := range rules {
					s.list(h, sample.What{Column: col, Op: hunt.In, CaseSensitive: caseSensitive}, n)
				}
			}
		}
	}
}

// list asks for n values, some of which events have.
func (s *subject) list(h *held, w sample.What, n int) {
	var args []hunt.Value
	for len(args) < min(n/2, 20) {
		more := sample.What{Column: w.Column, Op: hunt.In}.Predicate(s.rng, h.ref.rec).Args
		for _, v := range more {
			if len(v.Str()) < 1000 {
				args = append(args, v)
			}
		}
	}
	for i := len(args); i < n; i++ {
		args = append(args, filler(w.Column, i))
	}
	s.rng.Shuffle(len(args), func(i, j int) { args[i], args[j] = args[j], args[i] })
	p, err := hunt.NewPredicate(w.Column, w.Op, w.CaseSensitive, args...)
	if err != nil {
		s.errorf("the suite is wrong: %v", err)
		return
	}
	s.compare(h, h.asking(p))
	if n < 5000 || s.suite.Thorough {
		s.compare(h, h.asking(hunt.Not{Expr: p}))
	}
}

// filler makes the ith value of a column's type that hardly any event has.
func filler(col *ocsf.Column, i int) hunt.Value {
	switch col.Type {
	case ocsf.Int, ocsf.Long, ocsf.Enum:
		return hunt.Int(int64(1_000_000 + i))
	case ocsf.Float:
		return hunt.Float(float64(i) + 0.5)
	case ocsf.Boolean:
		return hunt.Bool(i%2 == 0)
	case ocsf.Time:
		return hunt.Time(sample.Window().End + int64(i)*1_000_003)
	case ocsf.IP:
		return hunt.IP(netip.AddrFrom4([4]byte{198, 18, byte(i >> 8), byte(i)}))
	}
	return hunt.String(fmt.Sprintf("Absent-%d\u00e9", i))
}
