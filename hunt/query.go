package hunt

import (
	"cmp"
	"slices"
	"strings"

	"github.com/harrier-xdr/harrier/schema/ocsf"
)

// TimeRange is half-open: Start <= time < End, both in microseconds since 1970, UTC.
type TimeRange struct{ Start, End int64 }

// Contains says whether an instant lies in the range.
func (r TimeRange) Contains(us int64) bool { return r.Start <= us && us < r.End }

// Overlaps says whether the ranges share an instant.
func (r TimeRange) Overlaps(o TimeRange) bool { return r.Start < o.End && o.Start < r.End }

// String writes the range as RFC 3339 instants.
func (r TimeRange) String() string { return "[" + FormatTime(r.Start) + ", " + FormatTime(r.End) + ")" }

// Order is the order of an answer's rows.
type Order uint8

// Rows are ordered by time, then tenant, connection and uid, all of them upwards or all of them downwards.
const (
	TimeAsc Order = iota
	TimeDesc
)

// String returns the GraphQL name.
func (o Order) String() string {
	if o == TimeDesc {
		return "TIME_DESC"
	}
	return "TIME_ASC"
}

// Key is the place of a row in the order of an answer. No two events have the same key.
type Key struct {
	Time       int64 // microseconds since 1970, UTC
	Tenant     string
	Connection string
	UID        string
}

// Compare orders keys upwards; reverse it for TimeDesc.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Time, o.Time), strings.Compare(k.Tenant, o.Tenant),
		strings.Compare(k.Connection, o.Connection), strings.Compare(k.UID, o.UID))
}

// Query is one hunt for events of one class, as the planner takes it.
type Query struct {
	Class       *ocsf.Class
	Range       TimeRange
	Where       Expr     // And{} for everything
	Columns     []string // dotted OCSF paths to return, besides uid and time
	Order       Order
	Tenants     []string // tenants to search, at least one
	Connections []string // connections to search by name; all if empty
	After       *Key     // rows after this one only; nil from the start
	Limit       int      // rows wanted; 0 for all
	Now         int64    // when the hunt was asked, microseconds, UTC: what the retention of a source is counted from
	// Snapshots pins what each connection shows, by ConnectionRef; a connection without one shows its newest state.
	Snapshots map[ConnectionRef]string
}

// ConnectionRef names a connection of a tenant.
type ConnectionRef struct{ Tenant, Connection string }

// String writes tenant/connection.
func (c ConnectionRef) String() string { return c.Tenant + "/" + c.Connection }

// Walk calls visit for every predicate of e, in order.
func Walk(e Expr, visit func(*Predicate)) {
	switch e := e.(type) {
	case And:
		for _, x := range e {
			Walk(x, visit)
		}
	case Or:
		for _, x := range e {
			Walk(x, visit)
		}
	case Not:
		Walk(e.Expr, visit)
	case Some:
		Walk(e.Expr, visit)
	case *Predicate:
		visit(e)
	}
}

// Paths returns the dotted OCSF paths that e looks at, sorted: those of its predicates, and of every array of objects that it binds one.
func Paths(e Expr, class *ocsf.Class) []string {
	var out []string
	Walk(e, func(p *Predicate) { out = append(out, p.Path) })
	for _, list := range Lists(e) {
		if cols := class.List(list); len(cols) > 0 {
			out = append(out, cols[0].Path) // any column of an array brings the whole
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Lists returns the paths of the arrays of objects that e binds an element of.
func Lists(e Expr) []string {
	var out []string
	switch e := e.(type) {
	case And:
		for _, x := range e {
			out = append(out, Lists(x)...)
		}
	case Or:
		for _, x := range e {
			out = append(out, Lists(x)...)
		}
	case Not:
		return Lists(e.Expr)
	case Some:
		return []string{e.List}
	}
	return out
}

// True is the condition that every event satisfies.
func True() Expr { return And{} }

// IsTrue says whether e is syntactically the condition that every event satisfies.
func IsTrue(e Expr) bool {
	a, ok := e.(And)
	return e == nil || ok && len(a) == 0
}
