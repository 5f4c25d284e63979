"""Evaluates conditions that the Go test wrote: one line of JSON for each class with its rows, then conditions with the answers that Go gives."""

import json
import struct
import sys

from harrier_plugin import connector_pb2 as pb
from harrier_plugin import expr, ocsf


def value(v):
    kind, text = v
    if kind == "text":
        return bytes.fromhex(text)
    return struct.unpack(">d", bytes.fromhex(text))[0] if kind == "float" else bool(text) if kind == "bool" else text


def row(r):
    return {path: [row(e) for e in v] if isinstance(v, list) and (not v or isinstance(v[0], dict)) else value(v) for path, v in r.items()}


def answers(condition, rows):
    return "".join("1" if condition.match(r) else "0" for r in rows)


klass, rows, wrong, count = None, [], 0, 0
for line in sys.stdin:
    case = json.loads(line)
    if "class" in case:
        klass, rows = ocsf.by_uid(case["class"]), [row(r) for r in case["rows"]]
        continue
    message = pb.Expr.FromString(bytes.fromhex(case["expr"]))
    condition = expr.decode(message, klass)
    exact = dict(zip(map(id, expr.walk(condition)), case["exact"], strict=True))
    if not all(p.supported for p in expr.walk(condition)):
        continue
    pushed, _ = expr.push(condition, lambda p: exact[id(p)])
    count += 1
    for what, got, want in (("match", answers(condition, rows), case["match"]), ("push", answers(pushed, rows), case["push"])):
        if got != want and (wrong := wrong + 1) <= 5:
            print(what, case["text"], "gives", got, "want", want)
print(count, wrong)
