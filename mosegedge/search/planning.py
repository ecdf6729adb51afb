"""What is evaluated next: the initial population, and the candidates of a generation.

A plan depends on the settings, the number of the generation and the results of earlier generations alone, so a search
that was killed makes the same plan again and goes on with what is missing of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.accuracy import PredictorFor
from mosegedge.search.archive import Candidate, evaluated, objectives
from mosegedge.search.config import SearchConfig
from mosegedge.search.domain import Domain
from mosegedge.search.feasible import Feasible
from mosegedge.search.fidelity import held_out_taus
from mosegedge.search.initial import initial_codes
from mosegedge.search.objectives import LATENCY, costs_among
from mosegedge.search.prescreen import Prescreen, Reference
from mosegedge.search.proposing import Clock, History, Proposer, Seeds
from mosegedge.search.records import reference_of, require_a_success
from mosegedge.space.codes import Codes, decode, encode

Floats = NDArray[np.float64]

_DIGITS = 6
_BEYOND_THE_LIMIT = 0.1


@dataclass(frozen=True)
class Plan:
    """The networks of one generation, in the order of their evaluation, and what is known about how they came about.

    Attributes:
        candidates: Not yet evaluated.
        facts: Fields for `generations.jsonl`.
        seconds: Time of each step.
    """

    candidates: list[Candidate]
    facts: dict[str, Any] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Planner:
    """Makes the plans of a search.

    Args:
        domain: The codes that may be used.
        feasible: Their costs and the limits on these.
        config: The settings.
        predictor_for: Makes a predictor.
        prescreen: Chooses among candidates.
    """

    domain: Domain
    feasible: Feasible
    config: SearchConfig
    predictor_for: PredictorFor
    prescreen: Prescreen

    def initial(self) -> Plan:
        """The bounds that meet the limits, and random networks, all different.

        Raises:
            InfeasibleError: No network meets the limit.
        """
        rng = np.random.default_rng([self.config.seed, 0])
        self.feasible.require_feasible(rng)
        codes, reasons = initial_codes(self.feasible, self.config, rng)
        return Plan(self._described(codes, 0, reasons))

    def baselines(self) -> list[Candidate]:
        """Networks of uniform width at every scale, whatever their latency."""
        codes = encode(self.domain.baselines())
        return self._described(codes, -1, ["baseline"] * len(codes))

    def generation(self, number: int, past: Sequence[Candidate]) -> Plan:
        """Fits the predictor to what was evaluated, searches on its predictions, and pre-screens what that finds.

        Args:
            number: Of the generation, from 1.
            past: Everything that was evaluated in earlier generations, failures among it.
        """
        seeds = Seeds.of(self.config.seed, number)
        require_a_success(past)
        history = self._history(past)
        clock = Clock()
        taus = held_out_taus(self.domain, self.config, self.predictor_for, history.codes, history.miou, seeds.check)
        clock.stop("check")
        proposer = Proposer(
            domain=self.domain,
            feasible=self.feasible,
            config=self.config,
            make_predictor=lambda rng: self.predictor_for(self.domain, self.config, rng),
            prescreen=self.prescreen,
        )
        proposal = proposer.propose(history, seeds, generation=number)
        facts = {
            "held_out_tau": taus,
            "predicted_front": proposal.predicted_front,
            "pool": proposal.pool,
            "reasons": {reason: proposal.reasons.count(reason) for reason in sorted(set(proposal.reasons))},
        }
        candidates = self._described(proposal.codes, number, proposal.reasons, proposal.predicted_miou)
        return Plan(candidates, facts, {**clock.seconds, **proposal.seconds})

    def _history(self, past: Sequence[Candidate]) -> History:
        """What was evaluated, as arrays."""
        done = evaluated(past)
        return History(
            codes=encode([candidate.architecture for candidate in done]),
            miou=np.array([candidate.miou for candidate in done], dtype=np.float64),
            objectives=objectives(done, self.config.goals),
            known=encode([candidate.architecture for candidate in past]),
            reference=self._reference([candidate for candidate in past if candidate.generation == 0]),
        )

    def _reference(self, initial: Sequence[Candidate]) -> Reference:
        """The corner that improvements are counted from: the same in all generations, or the front's ends would drift.

        Without a limit it is the worst corner of the initial population, which holds the ends of the space. Under a
        limit on a cost these are missing, and the most accurate network that meets it is what the search is for; so
        the corner lies beyond the limit, where a network close to it still adds something.
        """
        goals = self.config.goals
        corner = reference_of(initial, goals)
        for column, goal in enumerate(costs_among(goals)):
            for limit in self.feasible.limits:
                if limit.of == goal:
                    lowest = min(candidate.cost(goal) for candidate in initial)
                    corner[column] = limit.bound + _BEYOND_THE_LIMIT * (limit.bound - lowest)
        return Reference.of_corner(corner)

    def _described(
        self, codes: Codes, generation: int, reasons: Sequence[str], predicted: Floats | None = None
    ) -> list[Candidate]:
        """Candidates with their costs; values are rounded, so that the archive does not show the last bits."""
        if not len(codes):
            return []
        costs, space = self.feasible.costs, self.domain.space
        mean, sd = costs.predict(LATENCY.name, codes)
        extra = {goal.name: costs.predict(goal.name, codes) for goal in costs.extra}
        return [
            Candidate(
                architecture=architecture,
                generation=generation,
                reason=reasons[row],
                latency_ms=round(float(mean[row]), _DIGITS),
                latency_sd_ms=round(float(sd[row]), _DIGITS),
                params=int(params),
                flops=int(flops),
                predicted_miou=None if predicted is None else round(float(predicted[row]), _DIGITS),
                costs={
                    name: (round(float(means[row]), _DIGITS), round(float(sds[row]), _DIGITS))
                    for name, (means, sds) in extra.items()
                },
            )
            for row, (architecture, params, flops) in enumerate(
                zip(decode(codes), space.params(codes), space.flops(codes), strict=True)
            )
        ]
