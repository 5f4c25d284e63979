package hunt

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// Expr is a condition on one event. Its meaning is Match; logic is two-valued: a comparison with a missing value is false and its
// negation true. The implementations are And, Or, Not, Some and *Predicate.
type Expr interface {
	// Match says whether the event satisfies the condition. It is the definition of the language, written to be read.
	Match(Row) bool
	// String writes the condition for people and golden files.
	String() string
}

// Row is one event, or one element of an array of objects, as Match sees it.
type Row interface {
	// Values returns the values at the dotted OCSF path: none if it is missing, several only for a path inside an array of objects.
	Values(path string) []Value
	// Elements returns the elements of the array of objects at path, as rows that answer to the same full paths.
	Elements(path string) []Row
}

// And holds if all conditions hold; without conditions it holds always.
type And []Expr

// Or holds if any condition holds; without conditions it holds never.
type Or []Expr

// Not holds if the condition does not.
type Not struct{ Expr Expr }

// Some holds if one element of the array of objects List satisfies Expr. Paths inside are full paths (`file.hashes.value`).
type Some struct {
	List string
	Expr Expr
}

// Op is a comparison operator.
type Op uint8

// The operators. Which types take which is in NewPredicate.
const (
	Eq Op = iota + 1
	In
	Contains
	StartsWith
	EndsWith
	LikeOp
	RegexOp
	Exists // argument true: a value is there; false: none is
	LT
	LTE
	GT
	GTE
	CIDR
	Scope // argument: the name of an address scope
)

var opNames = [...]string{"", "eq", "in", "contains", "startsWith", "endsWith", "like", "regex", "exists", "lt", "lte", "gt", "gte", "cidr", "scope"}

// String returns the GraphQL name of the operator.
func (o Op) String() string { return opNames[o] }

// ParseOp returns the operator with the GraphQL name.
func ParseOp(name string) (Op, bool) {
	i := slices.Index(opNames[1:], name)
	return Op(i + 1), i >= 0
}

// Predicate compares the values of one column with arguments. On a path inside an array of objects it holds if any value does;
// within Some it sees the bound element alone. Make it with NewPredicate.
type Predicate struct {
	Path          string
	Type          ocsf.Type
	Op            Op
	Args          []Value // one, but for In; none for an In that matches nothing
	CaseSensitive bool    // only text operators look at it

	regex  *regexp.Regexp
	like   *Like
	lo, hi [16]byte // bounds of a CIDR, both inclusive
	folded []string // folded text arguments
}

// ops lists the operators that a column type takes.
func ops(t ocsf.Type) []Op {
	switch t {
	case ocsf.String, ocsf.JSON:
		return []Op{Eq, In, Contains, StartsWith, EndsWith, LikeOp, RegexOp, Exists}
	case ocsf.Int, ocsf.Long, ocsf.Float, ocsf.Time:
		return []Op{Eq, In, LT, LTE, GT, GTE, Exists}
	case ocsf.IP:
		return []Op{Eq, In, CIDR, Scope, Exists}
	}
	return []Op{Eq, In, Exists}
}

// Ops returns the operators that columns of type t take.
func Ops(t ocsf.Type) []Op { return ops(t) }

// kindOf is the kind of value that columns of type t hold.
func kindOf(t ocsf.Type) Kind {
	switch t {
	case ocsf.String, ocsf.JSON:
		return StringKind
	case ocsf.Float:
		return FloatKind
	case ocsf.Boolean:
		return BoolKind
	case ocsf.Time:
		return TimeKind
	case ocsf.IP:
		return IPKind
	}
	return IntKind
}

// NewPredicate makes a predicate on col and checks it: the operator fits the type, the arguments fit the operator, a regular
// expression compiles under RE2, a CIDR parses. The error is a *Error with code BAD_USER_INPUT and names the operator.
func NewPredicate(col *ocsf.Column, op Op, caseSensitive bool, args ...Value) (*Predicate, error) {
	p := &Predicate{Path: col.Path, Type: col.Type, Op: op, Args: args, CaseSensitive: caseSensitive}
	if !slices.Contains(ops(col.Type), op) {
		return nil, badInput("%s is a %s; it takes %s, not %s", col.GraphQL, col.Type, opList(col.Type), op)
	}
	if op != In && len(args) != 1 {
		return nil, badInput("%s on %s takes one argument, got %d", op, col.GraphQL, len(args))
	}
	for _, a := range args {
		if want := p.argKind(); a.Kind() != want {
			return nil, badInput("%s on %s: argument %s has the wrong type", op, col.GraphQL, a.Text())
		}
	}
	return p, p.compile(col.GraphQL)
}

func opList(t ocsf.Type) string {
	var names []string
	for _, o := range ops(t) {
		names = append(names, o.String())
	}
	return strings.Join(names, ", ")
}

func (p *Predicate) argKind() Kind {
	switch p.Op {
	case Exists:
		return BoolKind
	case CIDR, Scope:
		return StringKind
	}
	return kindOf(p.Type)
}

func (p *Predicate) compile(name string) error {
	switch p.Op {
	case RegexOp:
		return p.compileRegex(name)
	case CIDR:
		return p.compileCIDR(name)
	case Scope:
		if !slices.Contains(ScopeNames(), p.Args[0].Str()) {
			return badInput("scope on %s: %q is no address scope; use one of %s", name, p.Args[0].Str(), strings.Join(ScopeNames(), ", "))
		}
	case LikeOp:
		p.like = CompileLike(p.Args[0].Str(), !p.CaseSensitive)
	case Eq, In, Contains, StartsWith, EndsWith:
		for _, a := range p.Args {
			if a.Kind() == StringKind && !p.CaseSensitive {
				p.folded = append(p.folded, Fold(a.Str()))
			} else {
				p.folded = append(p.folded, a.Str())
			}
		}
	}
	return nil
}

func (p *Predicate) compileRegex(name string) error {
	text := p.Args[0].Str()
	if !p.CaseSensitive {
		text = "(?i)" + text
	}
	re, err := regexp.Compile(text)
	if err != nil {
		return badInput("regex on %s: %v; the syntax is RE2, without backreferences and look-around", name, strings.TrimPrefix(err.Error(), "error parsing regexp: "))
	}
	p.regex = re
	return nil
}

func (p *Predicate) compileCIDR(name string) error {
	pre, err := netip.ParsePrefix(p.Args[0].Str())
	if err != nil {
		return badInput("cidr on %s: %q is no address block such as 10.0.0.0/8 or 2001:db8::/32", name, p.Args[0].Str())
	}
	p.lo, p.hi = prefixBounds(pre)
	return nil
}

// prefixBounds returns the first and the last 16-byte address of a block; a block of IPv4 lies in the mapped range.
func prefixBounds(pre netip.Prefix) (lo, hi [16]byte) {
	bits := pre.Bits()
	if pre.Addr().Is4() {
		bits += 96
	}
	lo = pre.Masked().Addr().As16()
	hi = lo
	for i := range 16 {
		if keep := bits - 8*i; keep < 8 {
			hi[i] |= 0xff >> max(keep, 0)
		}
	}
	return lo, hi
}

// Regex returns the compiled expression of a RegexOp predicate, with (?i) in front unless it is case-sensitive.
func (p *Predicate) Regex() *regexp.Regexp { return p.regex }

// Pattern returns the compiled pattern of a LikeOp predicate.
func (p *Predicate) Pattern() *Like { return p.like }

// Block returns the bounds of a CIDR predicate, both inclusive.
func (p *Predicate) Block() (lo, hi [16]byte) { return p.lo, p.hi }

// Needles returns the text arguments as they are compared: folded unless the predicate is case-sensitive.
func (p *Predicate) Needles() []string { return p.folded }

func badInput(format string, args ...any) *Error {
	return &Error{Code: BadUserInput, Message: fmt.Sprintf(format, args...)}
}

// String writes `all of (...)`.
func (a And) String() string { return join("and", a) }

// String writes `any of (...)`.
func (o Or) String() string { return join("or", o) }

// String writes `not (...)`.
func (n Not) String() string { return "not " + n.Expr.String() }

// String writes `some LIST (...)`.
func (s Some) String() string { return "some " + s.List + " " + s.Expr.String() }

// String writes path, operator and arguments; long lists are cut.
func (p *Predicate) String() string {
	var b strings.Builder
	b.WriteString(p.Path + " " + p.Op.String())
	if p.CaseSensitive {
		b.WriteString(" caseSensitive")
	}
	if p.Op == In {
		b.WriteString(" [" + argList(p.Args) + "]")
	} else {
		b.WriteString(" " + p.Args[0].Text())
	}
	return b.String()
}

func argList(args []Value) string {
	const most = 8
	var out []string
	for i, a := range args {
		if i == most {
			out = append(out, fmt.Sprintf("... %d more", len(args)-most))
			break
		}
		out = append(out, a.Text())
	}
	return strings.Join(out, ", ")
}

func join(word string, list []Expr) string {
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = e.String()
	}
	return word + "(" + strings.Join(parts, "; ") + ")"
}
