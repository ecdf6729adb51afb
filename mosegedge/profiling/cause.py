"""Why two profiles may differ: what their provenance says, and which of it fits the pattern of the differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from mosegedge.profiling.compare import Changes
from mosegedge.profiling.fingerprint import Fact, facts_apart
from mosegedge.profiling.profile import Profile

Group = Literal[
    "driver and runtime", "hardware", "system", "settings", "precision", "threads", "clocks", "protocol", "mosegedge"
]

_CLOCK_CHANGE, _LOAD_CHANGE, _HEAT_CHANGE_C = 0.02, 0.5, 5.0
_ONE_FACTOR = 0.8
_PROTOCOL: dict[str, Group] = {
    "precision": "precision",
    "threads": "threads",
    "affinity": "threads",
    "clock": "protocol",
    "statistic": "protocol",
    "opset": "protocol",
    "warmup": "protocol",
    "samples": "protocol",
    "stopping": "protocol",
    "passes": "protocol",
}
_OF_ALL: tuple[Group, ...] = (
    "precision", "threads", "clocks", "hardware", "protocol", "settings", "driver and runtime", "system"
)  # fmt: skip
_OF_SOME: tuple[Group, ...] = (
    "driver and runtime", "precision", "threads", "settings", "hardware", "system", "protocol", "clocks"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which two profiles' provenance differs.

    Attributes:
        group: What it is about.
        fact: The place with both values.
    """

    group: Group
    fact: Fact


def provenance_apart(before: Profile, after: Profile) -> list[Difference]:
    """Everything that two profiles say differently about their device and the way of measuring."""
    return list(_differences(before, after))


def likely_cause(changes: Changes, apart: list[Difference]) -> str:
    """One sentence: the pattern of the differences, and what in the provenance goes with such a pattern."""
    if not changes.rows:
        return "The profiles have nothing in common that both measured."
    if not changes.different:
        return f"No {_noun(changes)} differs by more than chance."
    pattern, order = _pattern(changes)
    fitting = [one for group in order for one in apart if one.group == group]
    if not fitting:
        return (
            f"{pattern} Nothing in the provenance goes with that: other programs on the machine, or a setting that "
            "the device does not tell."
        )
    first = [one for one in fitting if one.group == fitting[0].group]
    said = "; ".join(str(one.fact) for one in first[:3])
    return f"{pattern} The likely cause is the {first[0].group}: {said}."


def _noun(changes: Changes) -> str:
    return "network" if changes.rows[0].kind == "network" else "layer"


def _pattern(changes: Changes) -> tuple[str, tuple[Group, ...]]:
    """The differences in words, and the groups of causes in the order in which they explain such a pattern."""
    count, different, alone = len(changes.rows), changes.different, changes.standing_out
    factor = changes.median_ratio or 1.0
    differ = f"{different} of {count} {_noun(changes)}s differ"
    if different - alone >= _ONE_FACTOR * different and alone <= (1 - _ONE_FACTOR) * count:
        return f"{differ}, nearly all by one factor, {factor:.3f}.", _OF_ALL
    kinds = {
        kind: rows for kind, rows in changes.by_kind().items() if rows.standing_out > len(rows.rows) / 2 and rows.rows
    }
    if kinds and len(kinds) < len(changes.by_kind()):
        said = ", ".join(f"{kind} ({rows.median_ratio or 1.0:.3f})" for kind, rows in sorted(kinds.items()))
        return f"{differ}, above all {said}; the median of all is {factor:.3f}.", _OF_SOME
    return f"{differ}; {alone} stand out from the common factor {factor:.3f}.", _OF_SOME


def _differences(before: Profile, after: Profile) -> Iterator[Difference]:
    device, other = before.device, after.device
    parts: tuple[tuple[Group, str], ...] = (
        ("driver and runtime", "vendor"), ("driver and runtime", "backend"), ("hardware", "hardware"),
        ("system", "system"), ("settings", "settings"),
    )  # fmt: skip
    for group, part in parts:
        for fact in facts_apart(getattr(device, part), getattr(other, part), part):
            yield Difference(group, fact)
    for name, group in _PROTOCOL.items():
        then, now = getattr(before.protocol, name), getattr(after.protocol, name)
        if then != now:
            yield Difference(group, Fact(f"protocol.{name}", then, now))
    for fact in _conditions_apart(device.conditions, other.conditions):
        yield Difference("clocks", fact)
    if before.mosegedge != after.mosegedge:
        yield Difference("mosegedge", Fact("mosegedge", before.mosegedge, after.mosegedge))
    if before.origin != after.origin:
        yield Difference("protocol", Fact("origin", before.origin, after.origin))


def _conditions_apart(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> Iterator[Fact]:
    """Clocks, heat and load over all passes, where they differ by more than they do by themselves."""
    clocks = [_mean(side, "clock_mhz") for side in (before, after)]
    if clocks[0] and clocks[1] and abs(clocks[1] / clocks[0] - 1) > _CLOCK_CHANGE:
        yield Fact("clock_mhz", round(clocks[0]), round(clocks[1]))
    for name, least in (("temperature_c", _HEAT_CHANGE_C), ("load_1m", _LOAD_CHANGE)):
        then, now = _mean(before, name), _mean(after, name)
        if then is not None and now is not None and abs(now - then) > least:
            yield Fact(name, round(then, 1), round(now, 1))
    for name in ("governor", "throttled"):
        seen = [sorted({str(one[name]) for one in side if one.get(name)}) for side in (before, after)]
        if seen[0] != seen[1]:
            yield Fact(name, ", ".join(seen[0]) or None, ", ".join(seen[1]) or None)


def _mean(conditions: list[dict[str, Any]], name: str) -> float | None:
    """Mean over all passes of a number, or of a list of numbers; None where none was told."""
    told = [one.get(name) for one in conditions]
    numbers = [number for value in told for number in (value if isinstance(value, list) else [value])]
    found = [float(number) for number in numbers if isinstance(number, int | float) and not isinstance(number, bool)]
    return float(np.mean(found)) if found else None
