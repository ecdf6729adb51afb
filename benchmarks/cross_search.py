"""The cheapest networks above a floor of accuracy, for several kinds of cost, found by searches with a common archive.

Accuracy depends on no device, so the searches learn from one pool of evaluated networks and from one another. Each step
is the core's own: predictor, inner search under limits, pre-screening, and the costs that profiles give.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mosegedge.errors import UsageError
from mosegedge.files import Journal
from mosegedge.search.accuracy import predictor_for
from mosegedge.search.archive import Archive, Candidate, evaluated
from mosegedge.search.config import SearchConfig
from mosegedge.search.costs import Costs, costs_of
from mosegedge.search.domain import Domain
from mosegedge.search.evaluating import in_turn
from mosegedge.search.feasible import Feasible
from mosegedge.search.limits import Limit
from mosegedge.search.objectives import MIOU, Objective, objective
from mosegedge.search.planning import Planner
from mosegedge.search.prescreen.registry import make_prescreen
from mosegedge.search.replaying import rescored
from mosegedge.search.result import keeps_to
from mosegedge.search.targets import Targets
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.codes import encode

ARCHIVE, STEPS = "archive.jsonl", "steps.jsonl"
FLOPS = objective("flops")


@dataclass(frozen=True, kw_only=True)
class Aim:
    """What one search is after.

    Attributes:
        goal: The cost to be low.
        floor: The mIoU to be reached.
    """

    goal: Objective
    floor: float


@dataclass(frozen=True, kw_only=True)
class CrossSearch:
    """Searches for the cheapest networks above each floor, by each cost.

    Attributes:
        space: What can be built.
        costs: FLOPs, and the latency on every device.
        floors: Least mIoU, ascending.
        count: Networks wanted for each floor and cost.
        config: Settings of a step; objectives and limits are filled in.
    """

    space: SearchSpace
    costs: Costs
    floors: tuple[float, ...]
    count: int
    config: SearchConfig

    @property
    def goals(self) -> tuple[Objective, ...]:
        """FLOPs first, then the latency on each device."""
        return (FLOPS, *self.costs.latencies)

    @property
    def aims(self) -> list[Aim]:
        """Every cost at every floor."""
        return [Aim(goal=goal, floor=floor) for floor in self.floors for goal in self.goals]

    def cheapest(self, candidates: Sequence[Candidate], aim: Aim) -> list[Candidate]:
        """The wanted number of evaluated networks above the floor, cheapest first; fewer where there are fewer."""
        floor = [Limit(objective=MIOU.name, bound=aim.floor)]
        within = [one for one in evaluated(candidates) if keeps_to(one, floor, self.config.confidence)]
        return sorted(within, key=lambda one: (one.cost(aim.goal), str(one.architecture)))[: self.count]

    def proposed(self, past: Sequence[Candidate], aim: Aim, number: int) -> list[Candidate]:
        """Networks that may be above the floor and cheaper than the dearest of those that are wanted.

        Args:
            past: Everything evaluated so far, the pool among it as generation 0.
            aim: What is searched.
            number: Of the step, from 1.

        Returns:
            Empty where the predictor hopes for none.
        """
        limits = [Limit(objective=MIOU.name, bound=aim.floor)]
        best = self.cheapest(past, aim)
        if len(best) == self.count:
            limits.append(Limit(objective=aim.goal.name, bound=best[-1].cost(aim.goal)))
        config = replace(self.config, objectives=(MIOU.name, aim.goal.name), limits=tuple(limits))
        planner = Planner(
            Domain(self.space, config.scales),
            Feasible(costs=self.costs, limits=tuple(limit for limit in limits if not limit.of.maximised)),
            config,
            predictor_for,
            make_prescreen(config),
        )
        plan = planner.generation(number, past)
        return plan.candidates if plan.facts["predicted_front"] else []

    def run(
        self, pool: Sequence[Candidate], folder: Path, evaluate: Callable[[Architecture], float], rounds: int
    ) -> tuple[Candidate, ...]:
        """Goes through all aims a few times; stopped, the same call goes on.

        Args:
            pool: Networks to start from, with this search's costs.
            folder: Where the archive and the record of the steps are.
            evaluate: Accuracy of a network.
            rounds: How often each aim has its turn.

        Returns:
            The pool and everything that was evaluated here.
        """
        archive, steps = Archive(folder / ARCHIVE), Journal(folder / STEPS)
        done = len(steps.read())
        for number, aim in enumerate(self.aims * rounds, start=1):
            if number <= done:
                continue
            started = time.monotonic()
            past = [*pool, *archive.before(number)]
            planned = self.proposed(past, aim, number)
            for candidate in in_turn(evaluate, [one for one in planned if one.architecture not in archive]):
                archive.append(candidate)
            steps.append(_step(self, aim, number, past, archive.of(number)))
            sys.stderr.write(
                f"step {number}/{len(self.aims) * rounds}: {aim.goal.name} above {aim.floor:g}, {len(planned)} "
                f"evaluated, {time.monotonic() - started:.0f} s\n"
            )
        return (*pool, *archive.candidates)


def search_of(
    targets: Targets, space: SearchSpace, config: SearchConfig, *, floors: tuple[float, ...], count: int
) -> CrossSearch:
    """A search on the devices of some profiles."""
    targets.require_usable(config)
    costs = costs_of(
        Domain(space, config.scales), space, targets.latency(0, space), targets.models(targets.resolved(config), space)
    )
    return CrossSearch(space=space, costs=costs, floors=floors, count=count, config=config)


def pool_of(path: Path, search: CrossSearch, supernet_sha256: str) -> list[Candidate]:
    """The networks of a file of `benchmarks.pool` on the searched scales, with the costs of a search.

    Raises:
        UsageError: They were evaluated with another supernet.
    """
    header, *records = Journal(path).read()
    if header["supernet_sha256"] != supernet_sha256:
        raise UsageError(
            f"The networks of {path} were evaluated with another supernet.",
            known=f"Its digest is {header['supernet_sha256']}, that of --supernet {supernet_sha256}.",
            fix="Name that supernet, or evaluate a pool of this one: python -m benchmarks.pool",
        )
    architectures = [Architecture.parse(record["code"]) for record in records]
    codes = encode(architectures)
    candidates = [
        Candidate(
            architecture=architecture,
            generation=0,
            reason="pool",
            latency_ms=0.0,
            latency_sd_ms=0.0,
            params=int(params),
            flops=int(flops),
            miou=float(record["miou"]),
        )
        for architecture, record, params, flops in zip(
            architectures, records, search.space.params(codes), search.space.flops(codes), strict=True
        )
        if architecture.digits[0] in search.config.scales
    ]
    return rescored(candidates, search.costs)


def _step(
    search: CrossSearch, aim: Aim, number: int, past: Sequence[Candidate], new: Sequence[Candidate]
) -> dict[str, Any]:
    """What a step came to."""
    before, after = (search.cheapest(candidates, aim) for candidates in (past, [*past, *new]))
    return {
        "step": number,
        "goal": aim.goal.name,
        "floor": aim.floor,
        "evaluated": len(new),
        "above_the_floor": sum((one.miou or 0.0) >= aim.floor for one in new),
        "cheapest_before": [one.cost(aim.goal) for one in before],
        "cheapest_after": [one.cost(aim.goal) for one in after],
    }
