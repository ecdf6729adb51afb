"""Tables of the profiler: op_summary (time of each operator) and fusion_op (which ONNX nodes it was made of).

The headers differ between releases, so columns are found by name, with the unit taken from it, and any may be absent.
Values may be N/A, quoted, or end in blanks. `Task Start Time` has another unit in 6.0.RC1 than in 6.0.1 under the same
name, so it only gives the order.
"""

import csv
import glob
import os
import re
from collections import OrderedDict
from typing import Any, Dict, List, NamedTuple, Optional

from device_agents.protocol import BACKEND_FAILED, RpcError

SUMMARIES, FUSIONS = "op_summary*.csv", "fusion_op*.csv"
_NS = {"": 1000.0, "ns": 1.0, "us": 1000.0, "ms": 1e6}
_HEADER = re.compile(r"^(.*?)\s*(?:\((\w+)\))?$")
_NOTHING = ("", "n/a", "na", "null", "none")
_INSERTED = ("TransData", "Cast")
_SEPARATORS = re.compile(r"[\s,;|]+")
_AI_CPU = "AI_CPU"


class Row(NamedTuple):
    """One run of one operator."""

    model: str
    round: str
    name: str
    kind: str
    task: str
    start: Optional[float]
    ns: float


def tables(folder: str) -> List[str]:
    """All op_summary files below a folder."""
    return sorted(glob.glob(os.path.join(glob.escape(folder), "**", SUMMARIES), recursive=True))


def layers_of(folder: str, runs: int) -> List[Dict[str, Any]]:
    """Time of each operator in one run of the model, in the order in which they began.

    Args:
        folder: Where the profiler's tables are, at any depth.
        runs: How often the model was run; an upper limit for what is found in the tables.

    Raises:
        RpcError: There is no table, or none that has names and durations.
    """
    rows = [row for path in tables(folder) for row in read_summary(path)]
    if not rows:
        text = "The tables of the profiler in %s hold no operator with a name and a duration."
        raise RpcError(BACKEND_FAILED, text % folder)
    fusions: Dict[str, List[str]] = {}
    for path in glob.glob(os.path.join(glob.escape(folder), "**", FUSIONS), recursive=True):
        fusions.update(read_fusions(path))
    grouped: "OrderedDict[str, List[Row]]" = OrderedDict()
    for row in rows:
        grouped.setdefault(row.name, []).append(row)
    rounds = _rounds(grouped, runs)
    return [_layer(name, members, rounds, fusions) for name, members in grouped.items()]


def read_summary(path: str) -> List[Row]:
    """Rows of one op_summary file that have a name and a duration, by their start where it is told."""
    rows = []
    for fields in _records(path):
        ns = _duration_ns(fields)
        name = _text(fields, "op_name")
        if name and ns is not None:
            start = _number(_value(fields, "task_start_time"))
            label = os.path.basename(path) if "infer_id" not in _names(fields) else _text(fields, "infer_id")
            kind, task = _text(fields, "op_type"), _text(fields, "task_type").upper()
            rows.append(Row(_text(fields, "model_id"), label, name, kind, task, start, ns))
    if all(row.start is not None for row in rows):
        rows.sort(key=lambda row: row.start or 0.0)
    return rows


def read_fusions(path: str) -> Dict[str, List[str]]:
    """Names of original ONNX nodes by fused operator."""
    found = {}
    for fields in _records(path):
        name, originals = _text(fields, "fusion_op"), _text(fields, "original_ops")
        if name:
            found[name] = [part for part in _SEPARATORS.split(originals.strip("[]{}()")) if part.strip("'\"")]
            found[name] = [part.strip("'\"") for part in found[name]]
    return found


def _layer(name: str, members: List[Row], rounds: int, fusions: Dict[str, List[str]]) -> Dict[str, Any]:
    kind = members[0].kind
    inserted = kind in _INSERTED and name not in fusions
    nodes = fusions.get(name, [] if inserted else [name])
    note = ""
    if any(_AI_CPU in row.task for row in members):
        note = "runs on AI CPU, not on the AI cores; caused by %s" % (", ".join(nodes) or name)
    elif inserted:
        note = "inserted by ATC"
    return {
        "name": name,
        "kind": kind or "unknown",
        "ns": int(round(sum(row.ns for row in members) / rounds)),
        "nodes": nodes,
        "note": note,
    }


def _rounds(grouped: Dict[str, List[Row]], runs: int) -> int:
    """How many runs the tables hold: older releases export one of them, newer ones all in one file.

    A static graph runs every operator equally often; few operators take more than one task in a run, so the count that
    most of them have is the number of runs.
    """
    counts = [len(members) for members in grouped.values()]
    labels = {(row.model, row.round) for members in grouped.values() for row in members}
    usual = max(sorted(set(counts)), key=counts.count)
    return max(1, min(max(len(labels), usual), runs))


def _records(path: str) -> List[Dict[str, str]]:
    with open(path, newline="", encoding="utf-8-sig", errors="replace") as stream:
        return list(csv.DictReader(stream, skipinitialspace=True))


def _names(fields: Dict[str, Any]) -> List[str]:
    return [_split(header)[0] for header in fields if header]


def _split(header: str) -> List[str]:
    """Name and unit of a column: "Task Duration(us)" and "aicore_time(us)" alike."""
    found = _HEADER.match(header.strip().strip('"').strip())
    name, unit = (found.group(1), found.group(2) or "") if found else (header, "")
    return [re.sub(r"[\s_]+", "_", name.strip().lower()), unit.lower()]


def _value(fields: Dict[str, Any], name: str) -> str:
    for header, value in fields.items():
        if header and _split(header)[0] == name:
            return _cleaned(value)
    return ""


def _text(fields: Dict[str, Any], name: str) -> str:
    value = _value(fields, name)
    return "" if value.lower() in _NOTHING else value


def _cleaned(value: Any) -> str:
    return value.strip().strip('"').strip() if isinstance(value, str) else ""


def _duration_ns(fields: Dict[str, Any]) -> Optional[float]:
    """Task Duration, else the time on the AI core."""
    for wanted in ("task_duration", "aicore_time"):
        for header, value in fields.items():
            name, unit = _split(header) if header else ("", "")
            number = _number(_cleaned(value)) if name == wanted else None
            if number is not None:
                return number * _NS.get(unit, 1000.0)
    return None


def _number(text: str) -> Optional[float]:
    try:
        return float(text)
    except ValueError:
        return None
