package hunt

// Simplify returns a condition with the same meaning in which nothing is constant, unless all of it is: True() for always, Or{} for
// never. The planner does it first, so that connectors see constants only where a whole condition is one. Predicates stay as they are,
// the same pointers.
func Simplify(e Expr) Expr {
	switch e := e.(type) {
	case And:
		out, never := parts(e, isFalse, IsTrue)
		if never {
			return Or{}
		}
		return single(And(out), out)
	case Or:
		out, always := parts(e, IsTrue, isFalse)
		if always {
			return True()
		}
		return single(Or(out), out)
	case Not:
		return negated(Simplify(e.Expr))
	case Some:
		if inner := Simplify(e.Expr); !isFalse(inner) {
			return Some{e.List, inner}
		}
		return Or{}
	case nil:
		return True()
	}
	return e
}

// parts simplifies the members of a list: one that decides it ends it, and those that change nothing are left out.
func parts(list []Expr, decides, idle func(Expr) bool) (out []Expr, decided bool) {
	for _, e := range list {
		s := Simplify(e)
		if decides(s) {
			return nil, true
		}
		if !idle(s) {
			out = append(out, s)
		}
	}
	return out, false
}

// single is the only member of a list, or the list.
func single(list Expr, members []Expr) Expr {
	if len(members) == 1 {
		return members[0]
	}
	return list
}

func negated(e Expr) Expr {
	switch {
	case IsTrue(e):
		return Or{}
	case isFalse(e):
		return True()
	}
	if not, ok := e.(Not); ok {
		return not.Expr
	}
	return Not{e}
}

// isFalse says whether e is syntactically the condition that no event satisfies.
func isFalse(e Expr) bool {
	o, ok := e.(Or)
	return ok && len(o) == 0
}
