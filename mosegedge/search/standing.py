"""Where networks stand when their costs are seen anew: which are on a front, and what put the others off it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mosegedge.search.archive import Candidate, front_of, objectives
from mosegedge.search.limits import Limit
from mosegedge.search.objectives import Objectives
from mosegedge.search.result import keeps_to, shortfall, value_of


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One network and its place.

    Attributes:
        candidate: With the costs that count now.
        on_front: Whether nothing dominates it and it keeps to the limits.
        reason: Why it is not on the front; empty where it is.
    """

    candidate: Candidate
    on_front: bool
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """The network and where it stands."""
        return {**self.candidate.to_json(), "on_front": self.on_front, "reason": self.reason}


def standings(
    candidates: Sequence[Candidate], goals: Objectives, limits: Sequence[Limit] = (), confidence: float = 0.5
) -> list[Standing]:
    """The place of each network among all of them.

    Args:
        candidates: Networks, failed ones among them.
        goals: What is traded off.
        limits: What a network of the front must keep to.
        confidence: Probability with which it must.
    """
    within = [one for one in candidates if one.miou is not None and keeps_to(one, limits, confidence)]
    front = front_of(within, goals)
    members = {one.architecture for one in front}
    return [
        Standing(candidate=one, on_front=True)
        if one.architecture in members
        else Standing(candidate=one, on_front=False, reason=_reason(one, front, goals, limits, confidence))
        for one in candidates
    ]


def _reason(
    candidate: Candidate, front: Sequence[Candidate], goals: Objectives, limits: Sequence[Limit], confidence: float
) -> str:
    if candidate.failure is not None:
        return candidate.failure
    for limit in limits:
        if shortfall(candidate, limit, confidence) > 0 and not keeps_to(candidate, [limit], confidence):
            return f"it does not keep to {limit.text()}: it has {limit.of.shown(value_of(candidate, limit.of))}"
    better = _dominating(candidate, front, goals)
    values = ", ".join(f"{goal.kind.title} {goal.shown(value_of(better, goal))}" for goal in goals)
    return f"{better.architecture} is no worse in anything: {values}"


def _dominating(candidate: Candidate, front: Sequence[Candidate], goals: Objectives) -> Candidate:
    """The first member of the front that is nowhere worse; there is one, or the network would be on the front."""
    no_worse = (objectives(front, goals) <= objectives([candidate], goals)).all(axis=1)
    return front[int(np.flatnonzero(no_worse)[0])]
