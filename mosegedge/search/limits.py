"""Limits: what a network may cost at most, or must reach, with the probability that it does."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import NormalDist

from mosegedge.errors import UsageError
from mosegedge.search.objectives import KINDS, Objective, objective


@dataclass(frozen=True, kw_only=True)
class Limit:
    """The bound of one objective: most of a cost, least of an accuracy.

    Attributes:
        objective: Its name.
        bound: In the unit of the objective; FLOPs and parameters are counted singly.
    """

    objective: str
    bound: float

    def __post_init__(self) -> None:
        if not 0 < self.bound < math.inf:
            raise UsageError(
                f"The limit of {self.of.name} is {self.bound}; it must be a positive number.",
                fix=f"Set it with {option_of(self.of)}.",
            )

    @property
    def of(self) -> Objective:
        """What is limited."""
        return objective(self.objective)

    def text(self) -> str:
        """As people read it: `latency at most 30 ms`."""
        found = self.of
        return f"{found.words} {'at least' if found.maximised else 'at most'} {found.shown(self.bound)}"


def option_of(found: Objective) -> str:
    """The command line's option for a limit."""
    if found.maximised:
        return f"--min-{found.kind.name}"
    unit = "" if found.kind == KINDS["flops"] or found.kind == KINDS["params"] else f"-{found.unit.lower()}"
    return f"--max-{found.kind.name}{unit}"


def all_limits(
    max_latency_ms: float | None, limits: Iterable[Limit], latencies: Iterable[Objective]
) -> tuple[Limit, ...]:
    """Every limit by itself: the one on latency holds on every profile, unless one has its own.

    Args:
        max_latency_ms: The limit on all profiles, if there is one.
        limits: The other ones.
        latencies: The latency on each profile.

    Raises:
        UsageError: A quantity is limited twice.
    """
    given = tuple(limits)
    names = [limit.objective for limit in given]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise UsageError(f"{twice[0]} is limited twice.", fix="Give each limit once.")
    if max_latency_ms is None:
        return given
    rest = (Limit(objective=one.name, bound=max_latency_ms) for one in latencies if one.name not in names)
    return (*rest, *given)


def deviations_for(confidence: float) -> float:
    """Standard deviations that a normally distributed value must stay below its limit, to meet it so probably."""
    return NormalDist().inv_cdf(confidence)


def least_miou(limits: Iterable[Limit]) -> float | None:
    """The mIoU that a network must reach, if there is such a limit."""
    return max((limit.bound for limit in limits if limit.of.maximised), default=None)
