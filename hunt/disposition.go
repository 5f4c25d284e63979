package hunt

// Disposition says what became of a predicate at a source. No predicate is ever dropped.
type Disposition uint8

// The dispositions, from best to worst.
const (
	Exact      Disposition = iota + 1 // the source returns the same rows as Match
	Widened                           // the source returns a superset; Harrier checks again
	Local                             // not asked of the source; Harrier filters
	Lossy                             // the only native form could miss rows, so it is not used
	Impossible                        // the stream has no such attribute; the stream is not searched
)

var dispositionNames = [...]string{"", "EXACT", "WIDENED", "LOCAL", "LOSSY", "IMPOSSIBLE"}

// String returns the GraphQL name.
func (d Disposition) String() string { return dispositionNames[d] }

// Disposed is a predicate with its disposition at one source.
type Disposed struct {
	Predicate   *Predicate
	Disposition Disposition
	Reason      string // why it is not Exact, "" if it is
}

// Push returns the part of e that a source may evaluate: a condition that every row of e satisfies, made only of predicates that
// are Exact or Widened. A negation is pushed only over Exact predicates, because the complement of a superset loses rows.
func Push(e Expr, of func(*Predicate) Disposition) Expr {
	pushed, _ := push(e, of)
	return pushed
}

// Residual returns the part of e that must be checked again on the rows that come back, And{} if nothing: the conjuncts that the
// source did not evaluate exactly.
func Residual(e Expr, of func(*Predicate) Disposition) Expr {
	conjuncts, ok := e.(And)
	if !ok {
		conjuncts = And{e}
	}
	rest := And{}
	for _, c := range conjuncts {
		if _, exact := push(c, of); !exact {
			rest = append(rest, c)
		}
	}
	return rest
}

// push returns what may be asked for e, and whether that is exactly e.
func push(e Expr, of func(*Predicate) Disposition) (Expr, bool) {
	switch e := e.(type) {
	case And:
		return pushAnd(e, of)
	case Or:
		return pushOr(e, of)
	case Not:
		if inner, exact := push(e.Expr, of); exact {
			return Not{inner}, true
		}
		return True(), false
	case Some:
		if IsTrue(e.Expr) {
			return True(), false // that there is an element at all: no predicate tells whether the source looked
		}
		inner, exact := push(e.Expr, of)
		if IsTrue(inner) && !exact {
			return True(), false
		}
		return Some{e.List, inner}, exact
	case *Predicate:
		switch of(e) {
		case Exact:
			return e, true
		case Widened:
			return e, false
		}
	}
	return True(), false
}

func pushAnd(e And, of func(*Predicate) Disposition) (Expr, bool) {
	out, all := And{}, true
	for _, c := range e {
		p, exact := push(c, of)
		all = all && exact
		if !IsTrue(p) {
			out = append(out, p)
		}
	}
	if len(out) == 1 {
		return out[0], all
	}
	return out, all
}

func pushOr(e Or, of func(*Predicate) Disposition) (Expr, bool) {
	out, all, open := Or{}, true, false
	for _, c := range e {
		p, exact := push(c, of)
		all = all && exact
		open = open || IsTrue(p)
		out = append(out, p)
	}
	if open {
		return True(), all
	}
	return out, all
}
