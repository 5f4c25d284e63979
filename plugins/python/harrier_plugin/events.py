"""A store of events in memory that answers requests by the meaning of module expr."""

import bisect
import itertools

import pyarrow as pa

from . import expr

BATCH_ROWS = 4096
CHECK_ROWS = 256  # rows between two looks at whether the search is still wanted


class Events:
    """Events of one class, as rows of module expr with uid (bytes) and time (int). Events of one uid are one event; those without a time
    are in no range and only counted. The store does not change."""

    def __init__(self, klass, rows, tenant, connection):
        self.klass, self._place = klass, (tenant.encode(), connection.encode())
        timed = [r for r in rows if r.get("time") is not None]
        timed.sort(key=lambda r: (r["time"], r["uid"]))
        self.rows = [r for i, r in enumerate(timed) if i == 0 or r["uid"] != timed[i - 1]["uid"]]
        self.untimed, self.duplicates = len({r["uid"] for r in rows if r.get("time") is None}), len(timed) - len(self.rows)
        self._times = [r["time"] for r in self.rows]
        self._columns = {}

    def span(self):
        """The range of the times, None if there are no events."""
        return (self._times[0], self._times[-1] + 1) if self._times else None

    def search(self, request, exact, cancelled):
        """Yields batches of the rows that satisfy what this side evaluates of the condition: its predicates for which exact(p) holds."""
        low, high = self._within(request)
        where, whole = expr.push(request.where, exact)
        limit = request.limit if whole and request.limit else high - low
        wanted = range(high - 1, low - 1, -1) if request.descending else range(low, high)
        if not expr.always(where):
            wanted = self._matching(where, wanted, cancelled)
        wanted = itertools.islice(wanted, limit)
        while not cancelled():
            rows = list(itertools.islice(wanted, BATCH_ROWS))
            if not rows:
                return
            yield self.batch(request, rows)

    def _matching(self, where, indices, cancelled):
        match, rows = where.match, self.rows
        for n, i in enumerate(indices):
            if n % CHECK_ROWS == 0 and cancelled():
                return
            if match(rows[i]):
                yield i

    def _within(self, request):
        """The rows of the range that come after the request's key."""
        low, high = bisect.bisect_left(self._times, request.start), bisect.bisect_left(self._times, request.end)
        if request.after is None:
            return low, max(low, high)
        key = lambda r: (r["time"], *self._place, r["uid"])  # noqa: E731
        if request.descending:
            high = min(high, bisect.bisect_left(self.rows, request.after, key=key))
        else:
            low = max(low, bisect.bisect_right(self.rows, request.after, key=key))
        return low, max(low, high)

    def batch(self, request, indices):
        """The rows at indices as a batch with the columns of a request."""
        schema = request.klass.schema(request.columns)
        contiguous = indices[-1] - indices[0] == len(indices) - 1
        chosen = None if contiguous else pa.array(indices, pa.int64())
        arrays = []
        for field in schema:
            column = self._column(field.name)
            arrays.append(column.slice(indices[0], len(indices)) if contiguous else column.take(chosen))
        return pa.RecordBatch.from_arrays(arrays, schema=schema)

    def _column(self, name):
        if name not in self._columns:
            self._columns[name] = self._build(name)
        return self._columns[name]

    def _build(self, name):
        if name not in self.klass.lists:
            return array([r.get(name) for r in self.rows], self.klass.arrow(name))
        kind, offsets, flat = self.klass.arrow(name), [], []
        for r in self.rows:
            elements = r.get(name)
            offsets.append(None if elements is None else len(flat))
            flat.extend(elements or ())
        offsets.append(len(flat))
        children = [array([e.get(f"{name}.{f.name}") for e in flat], f.type) for f in kind.value_type]
        objects = pa.StructArray.from_arrays(children, fields=list(kind.value_type))
        return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), objects)


def array(values, kind):
    """An Arrow array; text is taken as the bytes that it is, because telemetry is not always UTF-8."""
    if kind == pa.string():
        return pa.array(values, pa.binary()).view(pa.string())
    return pa.array(values, kind)
