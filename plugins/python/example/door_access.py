"""A connector for the exports of an invented door-access system: a folder of JSON lines (*.jsonl) and CSV (*.csv, with a header).

A record says who held which badge to which reader: `at` (ISO 8601), `controller`, `reader`, `door`, `badge`, `holder`, `holder_id`,
`event` (entry, exit, denied, forced), `factors` (badge, pin, finger; several joined by +), `ip` (of the controller), `note`. Each becomes
an OCSF authentication event. The folder is read again when a file has changed; what it holds is kept in memory, so this is for folders
of some gigabytes at most.
"""

import csv
import datetime
import hashlib
import io
import json
import os
import re
import threading

from harrier_plugin import Connector, Description, Disposed, End, Events, HunterError, PartFailed, Progress, Rejected, Stream, Translation
from harrier_plugin import expr, ocsf
from harrier_plugin.model import EXACT, IMPOSSIBLE, LOCAL

VERSION = "1.0.0"
STREAM = "door.access"
CLASS = ocsf.by_name("authentication")

# Columns that are copied: OCSF path -> field.
COPIED = {"user.name": "holder", "user.uid": "holder_id", "actor.user.name": "holder", "dst_endpoint.hostname": "door", "device.hostname": "controller",
          "device.uid": "reader", "status_detail": "note", "metadata.event_code": "event"}
ACTIVITY = {"entry": "LOGON", "exit": "LOGOFF", "denied": "LOGON"}
STATUS = {"entry": "SUCCESS", "exit": "SUCCESS", "denied": "FAILURE"}
FACTORS = {"badge": "HARDWARE_TOKEN", "pin": "PASSWORD", "finger": "BIOMETRIC"}
FIELDS = frozenset([*COPIED.values(), "at", "badge", "factors", "ip"])
WANTED = [*COPIED, "activity_id", "category_uid", "type_uid", "severity_id", "status_id", "status_code", "src_endpoint.ip", "metadata.product.name",
          "metadata.uid", "auth_factors.factor_type", "auth_factors.factor_type_id", "is_mfa"]
ATTRIBUTES = frozenset(p for p in WANTED if p in CLASS.columns)


class State:
    """What the folder held when it was read."""

    def __init__(self, stamp):
        self.stamp = stamp
        self.rows, self.gaps = [], []
        self.nulled, self.nulled_first = 0, ""
        self.files = 0


class DoorAccess(Connector):
    def open(self, setup):
        s = setup.settings(folder=(str, ...))
        self.folder, self.tenant, self.connection = setup.path(s["folder"]), setup.tenant, setup.connection
        if not os.path.isdir(self.folder):
            raise HunterError("BAD_CONFIG", f"folder: {s['folder']} is no folder", op="door-access: open", source=f"{self.tenant}/{self.connection}")
        self.lock, self.state, self.events = threading.Lock(), None, None

    def describe(self):
        state, events = self.read()
        stream = Stream(STREAM, CLASS, ATTRIBUTES, time=events.span(), rows=len(events.rows) + events.untimed, untimed=events.untimed,
                        nulled=state.nulled, nulled_first=state.nulled_first)
        if "metadata.product.name" in ATTRIBUTES:
            stream.closed["metadata.product.name"] = [b"Door access"]
        return Description("door-access", VERSION, [stream], backend=f"{state.files} files")

    def translate(self, request):
        self.known(request)
        disposed = [self.dispose(p) for p in request.predicates()]
        order = "newest first" if request.descending else "oldest first"
        return Translation(f"read {STREAM} of {len(disposed)} predicates, {order}", disposed)

    def dispose(self, predicate):
        if predicate.path not in ocsf.FIXED and predicate.path not in ATTRIBUTES:
            return Disposed(IMPOSSIBLE, f"door records have no {predicate.path}")
        if not predicate.supported:
            return Disposed(LOCAL, "RE2 is not installed beside this connector, or refuses the expression")
        return Disposed(EXACT)

    def search(self, request, translation, cancelled):
        self.known(request)
        state, events = self.read()
        yield from state.gaps  # before the rows: they may have been anywhere
        yield Progress(0, 0, state.files)
        yield from events.search(request, lambda p: self.dispose(p).disposition == EXACT, cancelled)
        if not cancelled():
            yield End(rows_scanned=len(events.rows), duplicates=events.duplicates, untimed=events.untimed)

    def known(self, request):
        if request.stream != STREAM or request.klass is not CLASS:
            raise HunterError("NOT_FOUND", f"there is no stream {request.stream!r} of that class", op="door-access", source=f"{self.tenant}/{self.connection}")

    def read(self):
        """The state of the folder, read again if a file has changed."""
        with self.lock:
            stamp = self.stamp()
            if self.state is None or self.state.stamp != stamp:
                state = State(stamp)
                for name, *_ in stamp:
                    self.load(state, name)
                self.events = Events(CLASS, state.rows, self.tenant, self.connection)
                state.rows = []
                self.state = state
            return self.state, self.events

    def stamp(self):
        try:
            found = [(e.name, e.stat()) for e in os.scandir(self.folder) if e.name.endswith((".jsonl", ".csv"))]
        except OSError as e:
            raise HunterError("SOURCE_UNAVAILABLE", f"the folder cannot be read: {e.strerror}", op="door-access: describe",
                              source=f"{self.tenant}/{self.connection}", retryable=True) from None
        return sorted((name, s.st_size, s.st_mtime_ns) for name, s in found)

    def load(self, state, name):
        state.files += 1
        try:
            with open(os.path.join(self.folder, name), "rb") as f:
                content = f.read()
        except OSError as e:
            state.gaps.append(PartFailed(name, HunterError("SOURCE_DAMAGED", f"{name} cannot be read: {e.strerror}", op="door-access: read")))
            return
        rejected = None
        for offset, raw, record in (json_lines if name.endswith(".jsonl") else csv_lines)(content):
            if isinstance(record, str):
                rejected = rejected or Rejected(name, 0, offset, record)
                rejected.count += 1
                continue
            state.rows.append(self.row(state, f"{name}, byte {offset}", raw, record))
        if rejected is not None:
            state.gaps.append(rejected)

    def row(self, state, where, raw, record):
        """Maps a record. A value that is none of its type is missing in the row, counted, and stays in raw."""
        def spoiled(path):
            state.nulled += 1
            state.nulled_first = state.nulled_first or f"{where}: {path}"

        key = self.tenant.encode() + b"\0" + self.connection.encode() + b"\0" + raw
        event = record.get("event", "")
        activity = CLASS.number("activity_id", ACTIVITY.get(event, "OTHER"))
        row = {
            "uid": hashlib.sha256(key).hexdigest()[:32].encode(), "raw": raw, "activity_id": activity, "category_uid": CLASS.category,
            "type_uid": CLASS.uid * 100 + activity, "severity_id": 3 if event in ("denied", "forced") else 1,
            "status_id": CLASS.number("status_id", STATUS.get(event, "OTHER")), "metadata.product.name": b"Door access",
        }
        at = instant(record.get("at"))
        if at is not None:
            row["time"] = at
        elif record.get("at"):
            spoiled("time")
        if record.get("ip"):
            try:
                row["src_endpoint.ip"] = expr.address(record["ip"])
            except ValueError:
                spoiled("src_endpoint.ip")
        for path, field in COPIED.items():
            if record.get(field):
                row[path] = encode(record[field])
        factors = [f for f in record.get("factors", "").split("+") if f]
        if factors:
            row["auth_factors"] = [{"auth_factors.factor_type": encode(f), "auth_factors.factor_type_id": CLASS.number("auth_factors.factor_type_id", FACTORS.get(f, "OTHER"))}
                                   for f in factors]
            row["is_mfa"] = len(factors) > 1
        if record.get("badge"):
            row["metadata.uid"] = encode(record["badge"])
        rest = {k: v for k, v in record.items() if k not in FIELDS and v}
        if rest:
            row["unmapped"] = encode(json.dumps(rest, ensure_ascii=False, sort_keys=True))
        return row


# Halves of surrogate pairs that JSON escapes can leave alone; those that stand for bytes are not among them.
LONE = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def encode(text):
    return LONE.sub("\ufffd", text).encode("utf-8", "surrogateescape")


def instant(text):
    """Microseconds since 1970; None for what is no time. A time without a zone is UTC."""
    try:
        at = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=datetime.timezone.utc)
    return (at - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)


def json_lines(content):
    """Yields (offset, raw, record); record is a text where the line is none."""
    offset = 0
    for line in content.splitlines(keepends=True):
        raw, start = line.strip(), offset
        offset += len(line)
        if not raw:
            continue
        try:
            record = json.loads(raw.decode("utf-8", "surrogateescape"))
        except ValueError:
            yield start, raw, "the line is no JSON"
            continue
        if isinstance(record, dict):
            yield start, raw, {k: as_text(v) for k, v in record.items() if v is not None}
        else:
            yield start, raw, "the line is no JSON object"


def as_text(value):
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def csv_lines(content):
    """As json_lines. A record is one line: the system writes no line breaks into its cells."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return
    names = next(csv.reader(io.StringIO(lines[0].decode("utf-8-sig", "surrogateescape"))))
    offset = len(lines[0])
    for line in lines[1:]:
        raw, start = line.rstrip(b"\r\n"), offset
        offset += len(line)
        if not raw:
            continue
        cells = next(csv.reader(io.StringIO(raw.decode("utf-8", "surrogateescape"))))
        if len(cells) == len(names):
            yield start, raw, {n: c for n, c in zip(names, cells) if c}
        else:
            yield start, raw, f"the line has {len(cells)} cells instead of {len(names)}"
