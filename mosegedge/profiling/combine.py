"""Two measurements of the same layers and networks become one: where both have an entry, what is kept and why.

Two values of one entry are averaged by their precision, 1 / se^2. Where they are further apart than their errors allow,
the errors were too small, and the error of the mean is widened by as much. A value of grade C gives way to a better one
instead of spoiling it. Values without an error cannot be weighed: the better grade counts, then the larger number of
runs. Two values more than 3 % apart are graded C whatever was done, since at least one of them is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from mosegedge.profiling.measurement import Grade
from mosegedge.profiling.sections import LayerEntry, NetworkEntry, Role

TimedEntry = TypeVar("TimedEntry", LayerEntry, NetworkEntry)
Origin = Literal["first", "second", "same", "averaged", "better"]

APART = 0.03
"""Two values of one entry may be this far apart, relative to their mean."""

_CLOSE = 0.01
_DIGITS = 6
_ROLES: tuple[Role, ...] = ("fit", "held-out", "check")


@dataclass(frozen=True, slots=True, kw_only=True)
class Union:
    """Where the entries of two measurements came from.

    Attributes:
        first: Entries that the first alone has.
        second: Entries that the second alone has.
        same: Entries of one measurement that both hold.
        averaged: Entries of two measurements that were averaged.
        better: Entries of which the better of two was kept.
        apart: Names of those whose two values are more than 3 % apart.
    """

    first: int
    second: int
    same: int
    averaged: int
    better: int
    apart: tuple[str, ...]


def combine_layers(first: Sequence[LayerEntry], second: Sequence[LayerEntry]) -> tuple[list[LayerEntry], Union]:
    """All layers of both, by key."""
    return _combine({entry.key: entry for entry in first}, {entry.key: entry for entry in second})


def combine_networks(first: Sequence[NetworkEntry], second: Sequence[NetworkEntry]) -> tuple[list[NetworkEntry], Union]:
    """All networks of both, by role and code: one that was fitted in either of them must not judge."""
    combined, union = _combine({entry.code: entry for entry in first}, {entry.code: entry for entry in second})
    roles: dict[str, Role] = {}
    for entry in (*first, *second):
        roles[entry.code] = min(roles.get(entry.code, "check"), entry.role, key=_ROLES.index)
    settled = [entry.model_copy(update={"role": roles[entry.code]}) for entry in combined]
    return sorted(settled, key=lambda entry: (_ROLES.index(entry.role), entry.code)), union


def _combine(first: dict[str, TimedEntry], second: dict[str, TimedEntry]) -> tuple[list[TimedEntry], Union]:
    entries: list[TimedEntry] = []
    origins: list[Origin] = []
    apart: list[str] = []
    for name in sorted({*first, *second}):
        if name not in second:
            entries.append(first[name])
            origins.append("first")
        elif name not in first:
            entries.append(second[name])
            origins.append("second")
        else:
            entry, origin = _one_of(first[name], second[name])
            entries.append(entry)
            origins.append(origin)
            if origin != "same" and distance(first[name].value_ms, second[name].value_ms) > APART:
                apart.append(name)
    union = Union(
        first=origins.count("first"),
        second=origins.count("second"),
        same=origins.count("same"),
        averaged=origins.count("averaged"),
        better=origins.count("better"),
        apart=tuple(apart),
    )
    return entries, union


def distance(first_ms: float, second_ms: float) -> float:
    """How far two values are apart, relative to their mean."""
    return abs(first_ms - second_ms) / ((first_ms + second_ms) / 2)


def _one_of(first: TimedEntry, second: TimedEntry) -> tuple[TimedEntry, Origin]:
    if _timing(first) == _timing(second):
        return first.model_copy(update=_costs(first, second)), "same"
    can_average = first.se_ms > 0 and second.se_ms > 0 and (first.grade == "C") == (second.grade == "C")
    if can_average:
        return _averaged(first, second), "averaged"
    chosen, other = sorted((first, second), key=lambda entry: (entry.grade, -entry.n))
    apart = distance(first.value_ms, second.value_ms)
    reason = f"the better of two values {apart:.1%} apart; {chosen.reason}"
    grade: Grade = "C" if apart > APART else chosen.grade
    return chosen.model_copy(update={"grade": grade, "reason": reason, **_costs(chosen, other)}), "better"


def _averaged(first: TimedEntry, second: TimedEntry) -> TimedEntry:
    weights = np.array([1 / entry.se_ms**2 for entry in (first, second)])
    weights /= weights.sum()

    def mean(name: str) -> float:
        return round(float(weights @ [getattr(first, name), getattr(second, name)]), _DIGITS)

    off_ms = abs(first.value_ms - second.value_ms)
    combined_ms = float(np.hypot(first.se_ms, second.se_ms))
    se_ms = first.se_ms * second.se_ms / combined_ms * max(1.0, off_ms / combined_ms)
    apart = distance(first.value_ms, second.value_ms)
    of_distance: Grade = "A" if apart <= _CLOSE else "B" if apart <= APART else "C"
    return first.model_copy(
        update={
            "value_ms": mean("value_ms"),
            "median_ms": mean("median_ms"),
            "p95_ms": mean("p95_ms"),
            "se_ms": max(round(se_ms, _DIGITS), 10.0**-_DIGITS),
            "n": first.n + second.n,
            "grade": max(min(first.grade, second.grade), of_distance),
            "reason": f"mean of two values {apart:.1%} apart; {first.reason}; {second.reason}",
            **_costs(first, second),
        }
    )


def _timing(entry: LayerEntry | NetworkEntry) -> tuple[float | int, ...]:
    return entry.value_ms, entry.median_ms, entry.p95_ms, entry.se_ms, entry.n


def _costs(first: LayerEntry | NetworkEntry, second: LayerEntry | NetworkEntry) -> dict[str, float | None]:
    """Energy and memory, of whichever has them; the mean where both do."""
    found: dict[str, float | None] = {}
    for name in ("energy_mj", "memory_mib"):
        known = [value for value in (getattr(first, name), getattr(second, name)) if value is not None]
        found[name] = round(float(np.mean(known)), _DIGITS) if known else None
    return found
