package wrap

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"maps"
	"math"
	"slices"

	"github.com/harrier-xdr/harrier/hunt"
)

// digest is the SHA-256 of a canonical encoding: two values with one digest are the same.
type digest [sha256.Size]byte

// encoder writes values one after the other so that no two sequences have the same bytes: texts and lists have their length in front.
type encoder struct {
	hash hash.Hash
	full []byte // not hashed yet
}

func newEncoder() *encoder { return &encoder{hash: sha256.New()} }

func (e *encoder) sum() (d digest) {
	e.flush()
	e.hash.Sum(d[:0])
	return d
}

// flush hashes what was gathered.
func (e *encoder) flush() {
	_, _ = e.hash.Write(e.full) // a hash never fails
	e.full = e.full[:0]
}

func (e *encoder) text(list ...string) {
	for _, s := range list {
		e.num(int64(len(s)))
		e.full = append(e.full, s...)
	}
}

func (e *encoder) num(list ...int64) {
	if len(e.full) > 4096 {
		e.flush()
	}
	for _, n := range list {
		e.full = binary.LittleEndian.AppendUint64(e.full, uint64(n))
	}
}

func (e *encoder) flag(on bool) {
	if on {
		e.num(1)
	} else {
		e.num(0)
	}
}

func (e *encoder) value(v hunt.Value) {
	ip := v.Addr16()
	e.num(int64(v.Kind()), v.Num(), int64(math.Float64bits(v.Flt())))
	e.text(v.Str(), string(ip[:]))
}

func (e *encoder) values(list []hunt.Value) {
	e.num(int64(len(list)))
	for _, v := range list {
		e.value(v)
	}
}

// expr writes the whole condition; hunt.Expr.String, which is for people, cuts long lists. No condition is the one that always holds.
func (e *encoder) expr(x hunt.Expr) {
	switch x := x.(type) {
	case hunt.And:
		e.exprs("and", x)
	case hunt.Or:
		e.exprs("or", x)
	case hunt.Not:
		e.exprs("not", []hunt.Expr{x.Expr})
	case hunt.Some:
		e.text("some", x.List)
		e.expr(x.Expr)
	case *hunt.Predicate:
		e.text("is", x.Path)
		e.num(int64(x.Type), int64(x.Op))
		e.flag(x.CaseSensitive)
		e.values(x.Args)
	default:
		e.exprs("and", nil)
	}
}

func (e *encoder) exprs(word string, list []hunt.Expr) {
	e.text(word)
	e.num(int64(len(list)))
	for _, x := range list {
		e.expr(x)
	}
}

// searchDigest identifies what a search asks, and how it was translated.
func searchDigest(t *hunt.Translation) digest {
	e, r := newEncoder(), &t.Request
	e.text(r.Stream, r.Snapshot)
	if r.Class != nil {
		e.num(r.Class.UID)
	}
	e.num(r.Range.Start, r.Range.End, int64(r.Order), int64(r.Limit))
	columns := slices.Compact(slices.Sorted(slices.Values(r.Columns)))
	e.num(int64(len(columns)))
	e.text(columns...)
	e.flag(r.After != nil)
	if r.After != nil {
		e.num(r.After.Time)
		e.text(r.After.Tenant, r.After.Connection, r.After.UID)
	}
	e.expr(r.Where)
	e.text(t.Native)
	e.num(int64(len(t.Predicates)))
	for _, d := range t.Predicates {
		e.text(d.Predicate.Path) // they are those of the condition, in its order
		e.num(int64(d.Predicate.Op), int64(d.Disposition))
	}
	return e.sum()
}

// streamDigest identifies what a description says of the connection and of one of its streams. If that changes, what was answered
// before may not be what would be answered now.
func streamDigest(d *hunt.Description, s *hunt.Stream) digest {
	e := newEncoder()
	e.text(d.Connector, d.Version, d.Backend, d.Unread)
	if d.Artifact != nil {
		e.text(d.Artifact.Digest)
	}
	e.text(s.Name, s.NulledFirst)
	e.num(s.Class.UID, s.Untimed, s.Nulled, s.Rows, int64(s.Retention), s.Watermark, int64(s.Lag), int64(s.Ceiling), int64(s.MaxValues))
	e.flag(s.Time != nil)
	if s.Time != nil {
		e.num(s.Time.Start, s.Time.End)
	}
	e.num(int64(len(s.Attributes)), int64(len(s.Closed)))
	for _, path := range slices.Sorted(maps.Keys(s.Attributes)) {
		e.text(path)
		e.flag(s.Attributes[path])
	}
	for _, path := range slices.Sorted(maps.Keys(s.Closed)) {
		e.text(path)
		e.values(s.Closed[path])
	}
	return e.sum()
}
