"""The event classes and enums of Harrier's OCSF schema, read from tables.json (generate.sh makes it)."""

import functools
import json
import pathlib

import pyarrow as pa

from .errors import HunterError

TABLES = json.loads(pathlib.Path(__file__).with_name("tables.json").read_text(encoding="utf-8"))

_ARROW = {
    "String": pa.string(), "JSON": pa.string(), "Int": pa.int64(), "Long": pa.int64(), "Enum": pa.int64(), "Float": pa.float64(),
    "Boolean": pa.bool_(), "Time": pa.timestamp("us", tz="UTC"), "IP": pa.binary(16),
}

FIXED = ("uid", "time", "raw", "unmapped")


class Class:
    """An event class: name, uid, category, columns (dotted path -> {type, list, enum}) and lists (array of objects -> fields)."""

    def __init__(self, name, table):
        self.name, self.uid, self.category = name, table["uid"], table["category"]
        self.columns, self.lists = table["columns"], table["lists"]

    def type(self, path):
        """The type of a column: String, Int, Long, Float, Boolean, Time, IP, JSON or Enum."""
        return self.columns[path]["type"]

    def list(self, path):
        """The array of objects that a column is in, "" if none."""
        return self.columns[path].get("list", "")

    def arrow(self, path):
        """The Arrow type of a column, or of a whole array of objects."""
        if path in self.lists:
            return pa.list_(pa.struct([pa.field(leaf, _ARROW[self.type(f"{path}.{leaf}")]) for leaf in self.lists[path]]))
        return _ARROW[self.type(path)]

    def schema(self, paths):
        """The schema of batches with the columns at paths: uid and time, then the others by name. A path in an array brings the array."""
        names = {self.list(p) or p for p in paths if p not in ("uid", "time")}
        fields = [pa.field("uid", pa.string(), nullable=False), pa.field("time", _ARROW["Time"])]
        return pa.schema(fields + [pa.field(n, self.arrow(n)) for n in sorted(names, key=str.encode)])

    def number(self, path, caption):
        """The number of an enum's caption in this class."""
        return TABLES["enums"][self.columns[path]["enum"]][caption]


_CLASSES = {name: Class(name, table) for name, table in TABLES["classes"].items()}
_BY_UID = {c.uid: c for c in _CLASSES.values()}


def by_name(name):
    return _CLASSES[name]


def by_uid(uid):
    if uid not in _BY_UID:
        raise HunterError("PLUGIN_PROTOCOL", f"there is no class {uid} in this schema; the two sides may be built for different versions of it")
    return _BY_UID[uid]


@functools.cache
def fold_table():
    """What str.translate needs to fold text as hunt.Fold does."""
    return {ord(u): low for u, low in zip(TABLES["upper"], TABLES["lower"], strict=True)}
