package hunt

import (
	"bytes"
	"cmp"
	"net/netip"
	"slices"
	"strings"
)

// Match holds if every condition does.
func (a And) Match(r Row) bool {
	for _, e := range a {
		if !e.Match(r) {
			return false
		}
	}
	return true
}

// Match holds if any condition does.
func (o Or) Match(r Row) bool { return slices.ContainsFunc(o, func(e Expr) bool { return e.Match(r) }) }

// Match holds if the condition does not.
func (n Not) Match(r Row) bool { return !n.Expr.Match(r) }

// Match holds if one element satisfies the condition.
func (s Some) Match(r Row) bool {
	return slices.ContainsFunc(r.Elements(s.List), func(e Row) bool { return s.Expr.Match(e) })
}

// Match holds if any value at the path satisfies the comparison; exists looks at whether there is a value.
func (p *Predicate) Match(r Row) bool {
	values := r.Values(p.Path)
	if p.Op == Exists {
		return (len(values) > 0) == (p.Args[0].Num() == 1)
	}
	return slices.ContainsFunc(values, p.Compare)
}

// Compare says whether one value that is there satisfies the comparison. The operator is not Exists.
func (p *Predicate) Compare(v Value) bool {
	switch v.Kind() {
	case StringKind:
		return p.compareText(v.Str())
	case IPKind:
		return p.compareIP(v)
	case FloatKind:
		return p.compareOrdered(func(a Value) int { return cmp.Compare(v.Flt(), a.Flt()) })
	}
	return p.compareOrdered(func(a Value) int { return cmp.Compare(v.Num(), a.Num()) })
}

func (p *Predicate) compareText(s string) bool {
	switch p.Op {
	case LikeOp:
		return p.like.Match(s)
	case RegexOp:
		return p.regex.MatchString(s)
	}
	if !p.CaseSensitive {
		s = Fold(s)
	}
	return slices.ContainsFunc(p.folded, func(arg string) bool {
		switch p.Op {
		case Contains:
			return strings.Contains(s, arg)
		case StartsWith:
			return strings.HasPrefix(s, arg)
		case EndsWith:
			return strings.HasSuffix(s, arg)
		}
		return s == arg
	})
}

func (p *Predicate) compareIP(v Value) bool {
	ip := v.Addr16()
	switch p.Op {
	case CIDR:
		return bytes.Compare(ip[:], p.lo[:]) >= 0 && bytes.Compare(ip[:], p.hi[:]) <= 0
	case Scope:
		return InScope(ip, p.Args[0].Str())
	}
	return slices.Contains(p.Args, v)
}

func (p *Predicate) compareOrdered(with func(Value) int) bool {
	return slices.ContainsFunc(p.Args, func(a Value) bool {
		c := with(a)
		switch p.Op {
		case LT:
			return c < 0
		case LTE:
			return c <= 0
		case GT:
			return c > 0
		case GTE:
			return c >= 0
		}
		return c == 0
	})
}

// ScopeNames returns the address scopes that the operator scope knows.
func ScopeNames() []string {
	return []string{"PRIVATE", "LOOPBACK", "LINK_LOCAL", "MULTICAST", "UNSPECIFIED", "EXTERNAL"}
}

// ScopeBlocks lists the address blocks of a scope of InScope; none for EXTERNAL, which is what all others leave.
func ScopeBlocks(scope string) []string {
	switch scope {
	case "PRIVATE":
		return []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
	case "LOOPBACK":
		return []string{"127.0.0.0/8", "::1/128"}
	case "LINK_LOCAL":
		return []string{"169.254.0.0/16", "fe80::/10"}
	case "MULTICAST":
		return []string{"224.0.0.0/4", "ff00::/8"}
	case "UNSPECIFIED":
		return []string{"0.0.0.0/32", "::/128"}
	}
	return nil
}

// InScope says whether an address lies in a scope. PRIVATE is RFC 1918 and RFC 4193; EXTERNAL is every address in no other scope.
func InScope(ip [16]byte, scope string) bool {
	a := netip.AddrFrom16(ip).Unmap()
	switch scope {
	case "PRIVATE":
		return a.IsPrivate()
	case "LOOPBACK":
		return a.IsLoopback()
	case "LINK_LOCAL":
		return a.IsLinkLocalUnicast()
	case "MULTICAST":
		return a.IsMulticast()
	case "UNSPECIFIED":
		return a.IsUnspecified()
	}
	return !a.IsPrivate() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}
