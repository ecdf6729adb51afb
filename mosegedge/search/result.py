"""What a finished search found: its front, the networks picked from it, or why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mosegedge.errors import InfeasibleError
from mosegedge.search.archive import Candidate, evaluated, front_of
from mosegedge.search.config import SearchConfig
from mosegedge.search.limits import Limit, all_limits, deviations_for
from mosegedge.search.objectives import KINDS, LATENCY, MIOU, Objective, Objectives, costs_among
from mosegedge.search.pick import Pick
from mosegedge.search.records import front_hypervolume
from mosegedge.search.select import choose

_ROUNDING = 1e-6


@dataclass(frozen=True, kw_only=True)
class SearchResult:
    """What a finished search found.

    Attributes:
        goals: What was traded off.
        front: Non-dominated evaluated networks that keep to the limits, lowest first cost first.
        chosen: The ones picked from it, in its order.
        baselines: Networks of uniform width.
        evaluated: Number of networks with an accuracy.
        failed: Number of networks whose evaluation failed.
        hypervolume: Of the front, as ms times mIoU, from the worst corner of the initial population.
        fronts: Where the objectives hold more than one cost, the front of each alone against mIoU, by its name.
        device: What the first profile is called; empty where that is not known.
    """

    goals: Objectives
    front: list[Candidate]
    chosen: list[Candidate]
    baselines: list[Candidate]
    evaluated: int
    failed: int
    hypervolume: float
    fronts: Mapping[str, list[Candidate]]
    device: str = ""

    @property
    def devices(self) -> dict[str, str]:
        """By the name of each objective that comes from a profile, the device that it is of."""
        return {goal.name: goal.named(self.device).label for goal in self.goals if goal.kind.of_device}

    def to_json(self) -> dict[str, Any]:
        """The content of `front.json`; `k` counts the chosen networks from 1."""
        return {
            "front": [candidate.to_json() for candidate in self.front],
            "chosen": [{"k": k, **candidate.to_json()} for k, candidate in enumerate(self.chosen, start=1)],
            "evaluated": self.evaluated,
            "failed": self.failed,
            "hypervolume": self.hypervolume,
            "objectives": [goal.name for goal in self.goals],
            "devices": self.devices,
            "fronts": {name: [str(one.architecture) for one in front] for name, front in self.fronts.items()},
        }


def result_of(
    config: SearchConfig,
    candidates: Sequence[Candidate],
    baselines: list[Candidate],
    latencies: Objectives,
    *,
    device: str = "",
) -> SearchResult:
    """What an archive amounts to.

    Args:
        config: The settings of its search.
        candidates: Everything that was evaluated, failures among it.
        baselines: Networks of uniform width.
        latencies: The latency on each profile.
        device: What the first profile is called.

    Raises:
        InfeasibleError: No evaluated network keeps to the limits; the message names the nearest.
    """
    goals = config.goals
    limits = all_limits(config.max_latency_ms, config.limits, latencies)
    within = [one for one in evaluated(candidates) if keeps_to(one, limits, config.confidence)]
    if not within:
        raise _out_of_reach(candidates, limits, config.confidence)
    front = front_of(within, goals)
    initial = [one for one in candidates if one.generation == 0]
    return SearchResult(
        goals=goals,
        front=front,
        chosen=choose(front, config.chosen, pick=Pick.parse(config.pick), goals=goals),
        baselines=baselines,
        evaluated=len(evaluated(candidates)),
        failed=len(candidates) - len(evaluated(candidates)),
        hypervolume=front_hypervolume(front, initial, goals),
        fronts=fronts_by_cost(within, goals),
        device=device,
    )


def fronts_by_cost(candidates: Iterable[Candidate], goals: Objectives) -> dict[str, list[Candidate]]:
    """For each cost by itself the front against mIoU; empty where there is one cost, whose front is the whole one."""
    costs, done = costs_among(goals), list(candidates)
    return {cost.name: front_of(done, (MIOU, cost)) for cost in costs} if len(costs) > 1 else {}


def keeps_to(candidate: Candidate, limits: Iterable[Limit], confidence: float) -> bool:
    """Whether an evaluated network keeps to all limits: those on predictions with a probability, others as they are."""
    return all(shortfall(candidate, limit, confidence) <= _ROUNDING for limit in limits)


def shortfall(candidate: Candidate, limit: Limit, confidence: float) -> float:
    """By how much a network breaks a limit, relative to it; 0 or less where it keeps to it."""
    if limit.of.maximised:
        return 1.0 - (candidate.miou or 0.0) / limit.bound
    was_measured = limit.of == LATENCY and candidate.measured_ms is not None
    deviations = 0.0 if was_measured else deviations_for(confidence)
    return (candidate.cost(limit.of) + deviations * candidate.spread(limit.of)) / limit.bound - 1.0


def _out_of_reach(candidates: Sequence[Candidate], limits: Sequence[Limit], confidence: float) -> InfeasibleError:
    done = evaluated(candidates)
    nearest = min(done, key=lambda one: max(shortfall(one, limit, confidence) for limit in limits))
    named: dict[str, Objective] = {limit.of.name: limit.of for limit in limits} | {
        MIOU.name: MIOU,
        LATENCY.name: LATENCY,
    }
    values = [f"{goal.words} {goal.shown(value_of(nearest, goal))}" for goal in named.values()]
    return InfeasibleError(
        f"None of the {len(done)} evaluated networks has {' and '.join(limit.text() for limit in limits)}.",
        known=f"The nearest has {', '.join(values)}: {nearest.architecture}.",
        fix="Relax a limit; the archive is kept, so that a search with more generations may come nearer.",
    )


def value_of(candidate: Candidate, goal: Objective) -> float:
    """An objective of an evaluated network, in its own direction."""
    return (candidate.miou or 0.0) if goal.kind == KINDS["miou"] else candidate.cost(goal)
