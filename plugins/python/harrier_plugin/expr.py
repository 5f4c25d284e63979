"""Conditions and their meaning: hunt/match.go, written again for Python.

A row is a dict from dotted path to value; a value that is missing is not in it. Values are bytes (String, JSON, IP), int (Int, Long, Enum,
Time), float and bool. An array of objects is a list of such dicts under the array's path; keys in them are full paths.
"""

import ipaddress
import math

from .text import Like, compile_regex, fold

TEXT = ("String", "JSON")


class Predicate:
    """A comparison of a column with arguments."""

    def __init__(self, message, klass):
        self.path, self.op, self.case_sensitive = message.path, message.op, message.case_sensitive
        self.type, self.list = klass.type(message.path), klass.list(message.path)
        self.args = [_value(a) for a in message.args]
        self.compare = self._compare()

    @property
    def supported(self):
        """Whether this side can evaluate it."""
        return self.compare is not None

    def _compare(self):
        """A function that says whether one value satisfies the comparison."""
        if self.op == "exists":
            return lambda _: True
        if self.type in TEXT:
            return self._text()
        if self.type == "IP":
            return self._address()
        args = self.args
        if self.type == "Float":
            return self._float()
        one = args[0] if args else None
        ordered = {"lt": lambda v: v < one, "lte": lambda v: v <= one, "gt": lambda v: v > one, "gte": lambda v: v >= one}
        if self.op in ordered:
            return ordered[self.op]
        wanted = frozenset(args)
        return lambda v: v in wanted

    def _float(self):
        # As Go's cmp.Compare: NaN equals NaN and is below every other number.
        def key(v):
            return (0, 0.0) if math.isnan(v) else (1, v)

        keys = [key(a) for a in self.args]
        how = {
            "lt": lambda v, a: v < a, "lte": lambda v, a: v <= a, "gt": lambda v, a: v > a, "gte": lambda v, a: v >= a,
        }.get(self.op, lambda v, a: v == a)
        return lambda v: any(how(key(v), a) for a in keys)

    def _text(self):
        if self.op == "regex":
            return compile_regex(self.args[0], self.case_sensitive)
        if self.op == "like":
            return Like(self.args[0], not self.case_sensitive).match
        needles = self.args if self.case_sensitive else [fold(a) for a in self.args]
        read = (lambda v: v) if self.case_sensitive else fold
        one = needles[0] if needles else b""
        if self.op == "contains":
            return lambda v: one in read(v)
        if self.op == "startsWith":
            return lambda v: read(v).startswith(one)
        if self.op == "endsWith":
            return lambda v: read(v).endswith(one)
        wanted = frozenset(needles)
        return lambda v: read(v) in wanted

    def _address(self):
        if self.op == "cidr":
            low, high = _bounds(self.args[0].decode())
            return lambda v: low <= v <= high
        if self.op == "scope":
            name = self.args[0].decode()
            return lambda v: scope_of(v) == name
        wanted = frozenset(self.args)
        return lambda v: v in wanted

    def match(self, row):
        if self.list and self.list in row:
            values = [e[self.path] for e in row[self.list] if self.path in e]
        else:
            value = row.get(self.path)
            values = [] if value is None else [value]
        if self.op == "exists":
            return bool(values) == self.args[0]
        return any(map(self.compare, values))


class All:
    """Holds if all conditions hold; without conditions always."""

    def __init__(self, parts):
        self.parts = parts

    def match(self, row):
        return all(p.match(row) for p in self.parts)


class Any:
    """Holds if any condition holds; without conditions never."""

    def __init__(self, parts):
        self.parts = parts

    def match(self, row):
        return any(p.match(row) for p in self.parts)


class Not:
    """Holds if the condition does not."""

    def __init__(self, part):
        self.part = part

    def match(self, row):
        return not self.part.match(row)


class Some:
    """Holds if one element of an array of objects satisfies a condition."""

    def __init__(self, path, part):
        self.path, self.part = path, part

    def match(self, row):
        return any(self.part.match(e) for e in row.get(self.path, ()))


def decode(message, klass):
    """Reads a condition; an absent one always holds."""
    kind = message.WhichOneof("node") if message is not None else None
    if kind is None:
        return All([])
    if kind == "all":
        return All([decode(e, klass) for e in message.all.exprs])
    if kind == "any":
        return Any([decode(e, klass) for e in message.any.exprs])
    if kind == "not":
        return Not(decode(getattr(message, "not"), klass))
    if kind == "some":
        return Some(message.some.list, decode(message.some.expr, klass))
    return Predicate(message.predicate, klass)


def walk(expr):
    """The predicates of a condition, from left to right."""
    if isinstance(expr, Predicate):
        yield expr
    elif isinstance(expr, (All, Any)):
        for part in expr.parts:
            yield from walk(part)
    elif isinstance(expr, (Not, Some)):
        yield from walk(expr.part)


def push(expr, exact):
    """What of a condition this side may evaluate, and whether that is all of it (hunt.Push): a negation is pushed only over what is exact,
    because the complement of a superset loses rows."""
    if isinstance(expr, Predicate):
        return (expr, True) if exact(expr) else (All([]), False)
    if isinstance(expr, Not):
        inner, whole = push(expr.part, exact)
        return (Not(inner), True) if whole else (All([]), False)
    if isinstance(expr, Some):
        if always(expr.part):
            return All([]), False  # no predicate tells whether this side looked, so the host does
        inner, whole = push(expr.part, exact)
        return (Some(expr.path, inner), whole) if whole or not always(inner) else (All([]), False)
    parts = [push(p, exact) for p in expr.parts]
    whole = all(w for _, w in parts)
    if isinstance(expr, All):
        return All([p for p, _ in parts if not always(p)]), whole
    return (All([]) if any(always(p) for p, _ in parts) else Any([p for p, _ in parts])), whole


def always(expr):
    """Whether a condition is, as it is written, the one that always holds."""
    return isinstance(expr, All) and not expr.parts


def _value(message):
    kind = message.WhichOneof("kind")
    return None if kind is None else getattr(message, kind)


def address(text):
    """The 16 bytes of an address; IPv4 mapped into IPv6."""
    a = ipaddress.ip_address(text)
    return a.packed if a.version == 6 else b"\0" * 10 + b"\xff\xff" + a.packed


def _bounds(block):
    net = ipaddress.ip_network(block, strict=False)
    return address(net[0]), address(net[-1])


def scope_of(value):
    """The scope of an address as hunt.InScope has it."""
    mapped = value[:12] == b"\0" * 10 + b"\xff\xff"
    a = value[12:] if mapped else value
    if not any(a):
        return "UNSPECIFIED"
    if mapped:
        if a[0] == 10 or a[0] == 172 and a[1] & 0xF0 == 16 or a[:2] == b"\xc0\xa8":
            return "PRIVATE"
        if a[0] == 127:
            return "LOOPBACK"
        if a[:2] == b"\xa9\xfe":
            return "LINK_LOCAL"
        return "MULTICAST" if a[0] & 0xF0 == 0xE0 else "EXTERNAL"
    if a == b"\0" * 15 + b"\1":
        return "LOOPBACK"
    if a[0] & 0xFE == 0xFC:
        return "PRIVATE"
    if a[0] == 0xFE and a[1] & 0xC0 == 0x80:
        return "LINK_LOCAL"
    return "MULTICAST" if a[0] == 0xFF else "EXTERNAL"
