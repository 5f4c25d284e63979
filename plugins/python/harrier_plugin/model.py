"""What an author writes and what comes and goes, as plain data. Times are microseconds since 1970, durations seconds."""

import dataclasses
import os
from typing import Any, Callable

from . import expr, ocsf, settings
from . import connector_pb2 as pb
from .errors import HunterError


@dataclasses.dataclass
class Stream:
    """A part of a source with one class and one set of attributes (dotted paths that it can fill)."""

    name: str
    klass: ocsf.Class
    attributes: frozenset
    closed: dict = dataclasses.field(default_factory=dict)  # path -> all values that occur
    time: tuple | None = None  # first instant, first instant after the last
    untimed: int = 0
    nulled: int = -1
    nulled_first: str = ""
    rows: int = -1
    retention: float = 0
    watermark: int = 0
    lag: float = 0
    ceiling: int = 0
    max_values: int = 0

    def provides(self, path):
        return path in ocsf.FIXED or path in self.attributes

    def encode(self):
        out = pb.Stream(
            name=self.name, class_uid=self.klass.uid, attributes=sorted(self.attributes), untimed=self.untimed, nulled=self.nulled,
            nulled_first=self.nulled_first, rows=self.rows, retention=int(self.retention * 1e9), watermark=self.watermark,
            lag=int(self.lag * 1e9), ceiling=self.ceiling, max_values=self.max_values)
        if self.time is not None:
            out.time.start, out.time.end = self.time
        for path, values in self.closed.items():
            out.closed.add(path=path, values=[encode_value(self.klass.type(path), v) for v in values])
        return out


def encode_value(kind, value):
    """The message of a value of a column type."""
    names = {"String": "text", "JSON": "text", "Float": "number", "Boolean": "boolean", "Time": "time", "IP": "address"}
    return pb.Value(**{names.get(kind, "integer"): value})


@dataclasses.dataclass
class Description:
    """What a connection holds and can do."""

    connector: str
    version: str
    streams: list
    backend: str = ""
    notes: list = dataclasses.field(default_factory=list)
    unread: str = ""
    snapshot: bytes = b""

    def encode(self):
        return pb.Description(
            connector=self.connector, version=self.version, backend=self.backend, streams=[s.encode() for s in self.streams],
            notes=self.notes, unread=self.unread, snapshot=self.snapshot)


class Request:
    """What the host asks of one stream."""

    def __init__(self, message):
        self.klass = ocsf.by_uid(message.class_uid)
        self.stream, self.columns, self.limit, self.snapshot = message.stream, list(message.columns), message.limit, message.snapshot
        self.start, self.end = message.range.start, message.range.end
        self.descending = message.order == pb.ORDER_TIME_DESC
        self.after = None
        if message.HasField("after"):
            k = message.after
            self.after = (k.time, k.tenant.encode(), k.connection.encode(), k.uid)
        for path in self.columns:
            if path not in self.klass.columns:
                raise HunterError("PLUGIN_PROTOCOL", f"{self.klass.name} has no column {path!r} in this schema")
        self.where = expr.decode(message.where if message.HasField("where") else None, self.klass)

    def predicates(self):
        """The predicates of the condition, in the order of Translation.disposed."""
        return list(expr.walk(self.where))


EXACT, WIDENED, LOCAL, LOSSY, IMPOSSIBLE = range(pb.DISPOSITION_EXACT, pb.DISPOSITION_IMPOSSIBLE + 1)


@dataclasses.dataclass
class Disposed:
    """What becomes of a predicate at the source: EXACT, WIDENED, LOCAL, LOSSY, IMPOSSIBLE; why, unless EXACT."""

    disposition: int
    reason: str = ""


@dataclasses.dataclass
class Translation:
    """A request in native form: text for people, and a Disposed for each predicate."""

    native: str
    disposed: list

    def encode(self):
        return pb.Translation(
            native=self.native.encode("utf-8", "surrogateescape"),
            predicates=[pb.Disposed(disposition=d.disposition, reason=d.reason) for d in self.disposed])


@dataclasses.dataclass
class Progress:
    rows_scanned: int
    done: int = 0
    total: int = 0

    def encode(self):
        return pb.Frame(progress=pb.Progress(rows_scanned=self.rows_scanned, done=self.done, total=self.total))


@dataclasses.dataclass
class Watermark:
    time: int

    def encode(self):
        return pb.Frame(watermark=pb.Watermark(time=self.time))


@dataclasses.dataclass
class Throttled:
    retry_after: float

    def encode(self):
        return pb.Frame(throttled=pb.Throttled(retry_after=int(self.retry_after * 1e9)))


@dataclasses.dataclass
class PartFailed:
    part: str
    error: HunterError
    lost: tuple | None = None  # times that it may have held

    def encode(self):
        out = pb.PartFailed(part=self.part, error=self.error.encode())
        if self.lost is not None:
            out.lost.start, out.lost.end = self.lost
        return pb.Frame(part_failed=out)


@dataclasses.dataclass
class Rejected:
    part: str
    count: int
    offset: int
    reason: str

    def encode(self):
        return pb.Frame(rejected=pb.Rejected(part=self.part, count=self.count, offset=self.offset, reason=self.reason))


@dataclasses.dataclass
class End:
    truncated: bool = False
    reason: str = ""
    rows_scanned: int = -1
    duplicates: int = 0
    untimed: int = 0

    def encode(self):
        return pb.Frame(end=pb.End(
            truncated=self.truncated, reason=self.reason, rows_scanned=self.rows_scanned, duplicates=self.duplicates, untimed=self.untimed))


class Setup:
    """What a connection is opened with."""

    def __init__(self, message, log):
        self.tenant, self.connection, self.log = message.tenant, message.connection, log
        self._message = message

    def settings(self, **fields):
        """Reads the settings strictly. fields are name=(type, default); a name whose default is `...` must be there."""
        m = self._message
        return settings.decode(m.settings, fields, m.settings_file, max(1, m.settings_line))

    def path(self, path):
        """Makes a path of the settings relative to the gateway's configuration file."""
        return os.path.join(self._message.base_folder, path)

    def secret(self, ref):
        """The secret that a reference in the settings (env:NAME, file:PATH) stands for."""
        answer = self._message.secrets.get(ref) if ref in self._message.secrets else None
        if answer is not None and answer.WhichOneof("answer") == "value":
            return answer.value.decode("utf-8", "surrogateescape")
        raise HunterError("BAD_CONFIG", answer.problem if answer is not None else
                          "a secret of the settings is no reference; write env:NAME or file:PATH there")


class Connector:
    """One connection to one source. Calls come from several threads at once."""

    def open(self, setup: Setup) -> None:
        """Opens the connection. It comes once, before the others."""
        raise NotImplementedError

    def describe(self) -> Description:
        """What the source holds now; called before every hunt, so cheap."""
        raise NotImplementedError

    def translate(self, request: Request) -> Translation:
        """The request in native form, without I/O; every predicate gets a Disposed, and nothing is guessed."""
        raise NotImplementedError

    def search(self, request: Request, translation: Any, cancelled: Callable[[], bool]):
        """Yields pyarrow.RecordBatch (with request.klass.schema(request.columns), in the request's order and after its key), Progress,
        Watermark, Throttled, PartFailed, Rejected and last End. It looks at cancelled() often enough to stop within a second. A gap is told
        before the rows that come after it."""
        raise NotImplementedError

    def close(self) -> None:
        """Releases what the connection holds. No search runs any more."""
