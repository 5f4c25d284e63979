"""Text as hunts compare it. Values are bytes, because telemetry is not always UTF-8.

fold is hunt/fold.go, Like is hunt/like.go, regex is RE2 as hunt/match.go uses it. Where they look at letters, a byte that is no UTF-8 is
one letter that equals nothing but the same byte; Python's surrogateescape is that.
"""

import re

from .ocsf import fold_table

try:
    import re2
except ImportError:  # the package google-re2 is not there: `regex` is then left to the host
    re2 = None


def letters(value):
    return value.decode("utf-8", "surrogateescape")


def fold(value):
    """A-Z become a-z, a letter outside ASCII its lower case unless that is ASCII."""
    if value.isascii():
        return value.lower()
    return letters(value).translate(fold_table()).encode("utf-8", "surrogateescape")


class Like:
    """A pattern: `*` any run of letters, `?` one letter, a backslash takes the next letter as it is; it covers the whole value. Matching
    takes time proportional to pattern times value at worst."""

    def __init__(self, pattern, folded):
        self.folded = folded
        parts, lone = [[]], letters(fold(pattern) if folded else pattern)
        at = 0
        while at < len(lone):
            c = lone[at]
            at += 1
            if c == "\\" and at < len(lone):
                parts[-1].append(lone[at])
                at += 1
            elif c == "?":
                parts[-1].append(None)
            elif c == "*":
                parts.append([])
            else:
                parts[-1].append(c)
        # A part has a fixed length, so that its expression never goes back.
        self.parts = [(len(p), re.compile("".join("." if c is None else re.escape(c) for c in p), re.DOTALL)) for p in parts]

    def match(self, value):
        text = letters(fold(value) if self.folded else value)
        first, *rest = self.parts
        if not first[1].match(text):
            return False
        at = first[0]
        if not rest:
            return at == len(text)
        for _, part in rest[:-1]:
            found = part.search(text, at)
            if not found:
                return False
            at = found.end()
        length, last = rest[-1]
        return len(text) - length >= at and last.match(text, len(text) - length) is not None


def compile_regex(pattern, case_sensitive):
    """A function that says whether a value matches; None where this side cannot say it as the gateway does."""
    if re2 is None:
        return None
    options = re2.Options()
    options.log_errors = False
    options.max_mem = 64 << 20
    text = pattern.decode("utf-8", "strict")
    try:
        compiled = re2.compile(text if case_sensitive else "(?i)" + text, options)
    except (re2.error, UnicodeDecodeError):
        return None

    def match(value):
        # Go reads a byte that is no UTF-8 as U+FFFD.
        return compiled.search(value.decode("utf-8") if _valid(value) else _REPLACED.sub("\ufffd", letters(value))) is not None

    return match


_REPLACED = re.compile("[\udc80-\udcff]")


def _valid(value):
    if value.isascii():
        return True
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True

