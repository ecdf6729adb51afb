"""What is evaluated next: the initial population, and the candidates of a generation.

A plan depends on the settings, the number of the generation and the results of earlier generations alone, so a search
that was killed makes the same plan again and goes on with what is missing of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.archive import Candidate, evaluated, front_of, nondominated, objectives
from mosegedge.search.config import SearchConfig
from mosegedge.search.domain import Domain
from mosegedge.search.fidelity import held_out_taus
from mosegedge.search.latency import LatencyLimit
from mosegedge.search.predictor import Predictor, RankNet
from mosegedge.search.prescreen import Pool, Prescreen
from mosegedge.search.problem import CodeProblem, minimise
from mosegedge.search.records import require_a_success
from mosegedge.space.codes import Codes, decode, encode

Floats = NDArray[np.float64]
PredictorFor = Callable[[Domain, SearchConfig, np.random.Generator], Predictor]

_DIGITS = 6


def ranknet_for(domain: Domain, config: SearchConfig, rng: np.random.Generator) -> Predictor:
    """The paper's predictor with the search's settings."""
    return RankNet(domain, config.ranknet, rng)


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
        latency: Their latencies and the limit.
        config: The settings.
        predictor_for: Makes a predictor.
        prescreen: Chooses among candidates.
    """

    domain: Domain
    latency: LatencyLimit
    config: SearchConfig
    predictor_for: PredictorFor
    prescreen: Prescreen

    def initial(self) -> Plan:
        """The bounds that meet the limit, and random networks, all different.

        Raises:
            InfeasibleError: No network meets the limit.
        """
        rng = np.random.default_rng([self.config.seed, 0])
        self.latency.require_feasible(rng)
        bounds = encode([self.domain.smallest, self.domain.largest])
        meets = self.latency.meets(bounds)
        drawn = self.latency.sample(self.config.initial + 2, rng)
        codes = np.concatenate([bounds[meets], drawn])
        kept = np.sort(np.unique(codes, axis=0, return_index=True)[1])[: self.config.initial]
        names = [name for name, met in zip(("lower bound", "upper bound"), meets, strict=True) if met]
        reasons = [names[row] if row < len(names) else "random" for row in kept]
        return Plan(self._described(codes[kept], 0, reasons))

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
        seeds = np.random.SeedSequence([self.config.seed, number]).spawn(4)
        fit_rng, inner_rng, screen_rng, check_rng = (np.random.default_rng(seed) for seed in seeds)
        done = evaluated(past)
        require_a_success(past)
        codes = encode([candidate.architecture for candidate in done])
        miou = -objectives(done)[:, 1]
        clock = _Clock()
        taus = held_out_taus(self.domain, self.config, self.predictor_for, codes, miou, check_rng)
        clock.stop("check")
        predictor = self.predictor_for(self.domain, self.config, fit_rng)
        predictor.fit(codes, miou)
        clock.stop("fit")
        found = self._inner_search(predictor, past, inner_rng)
        pool = self._pool(found, predictor, past, inner_rng)
        clock.stop("inner search")
        selection = self.prescreen(pool, self.config.evaluations, screen_rng)
        clock.stop("pre-screening")
        chosen = selection.indices
        facts = {
            "held_out_tau": taus,
            "predicted_front": len(found),
            "pool": len(pool.codes),
            "reasons": {reason: selection.reasons.count(reason) for reason in sorted(set(selection.reasons))},
        }
        predicted = pool.predicted_miou[chosen]
        candidates = self._described(pool.codes[chosen], number, list(selection.reasons), predicted)
        return Plan(candidates, facts, clock.seconds)

    def _inner_search(self, predictor: Predictor, past: Sequence[Candidate], rng: np.random.Generator) -> Codes:
        """The predicted front, evaluated codes among it."""
        limited = np.isfinite(self.latency.limit_ms)
        problem = CodeProblem(
            lambda codes: np.stack([-predictor.predict(codes), self.latency.mean_ms(codes)], axis=1),
            2,
            self.latency.excess if limited else None,
        )
        size = self.config.inner.population
        seeds = _best_of(past, size // 2)
        random = self.latency.sample(size, rng)
        together = np.concatenate([seeds, random])
        first = np.sort(np.unique(together, axis=0, return_index=True)[1])[:size]
        return minimise(self.domain, problem, self.config.inner, initial=together[first], rng=rng)[0]

    def _pool(self, found: Codes, predictor: Predictor, past: Sequence[Candidate], rng: np.random.Generator) -> Pool:
        """Candidates that were never evaluated: the predicted front, topped up where that leaves too few of them.

        The top-up takes single changes of the found and the evaluated front, best predicted first, then random codes.
        """
        known = encode([candidate.architecture for candidate in past])
        front = front_of(past)
        pool = _without(found, known)
        if len(pool) < self.config.evaluations:
            around = np.concatenate([found, encode([candidate.architecture for candidate in front])])
            near = np.concatenate([self.domain.neighbours(code) for code in around])
            near = _without(near[self.latency.meets(near)], np.concatenate([known, pool]))
            pool = np.concatenate([pool, self._best_predicted(near, predictor, self.config.evaluations - len(pool))])
        if len(pool) < self.config.evaluations:
            random = self.latency.sample(len(known) + self.config.evaluations, rng)
            random = _without(random, np.concatenate([known, pool]))
            pool = np.concatenate([pool, random[: self.config.evaluations - len(pool)]])
        values = objectives(front)
        return Pool(
            codes=pool,
            predicted_miou=predictor.predict(pool),
            latency_ms=self.latency.mean_ms(pool),
            front_latency_ms=values[:, 0],
            front_miou=-values[:, 1],
        )

    def _best_predicted(self, codes: Codes, predictor: Predictor, count: int) -> Codes:
        """At least `count` codes of the best predicted fronts, where there are so many."""
        chosen = np.zeros((0, codes.shape[1]), dtype=np.int64)
        while len(chosen) < count and len(codes):
            best = nondominated(np.stack([-predictor.predict(codes), self.latency.mean_ms(codes)], axis=1))
            chosen, codes = np.concatenate([chosen, codes[best]]), codes[~best]
        return chosen

    def _described(
        self, codes: Codes, generation: int, reasons: Sequence[str], predicted: Floats | None = None
    ) -> list[Candidate]:
        """Candidates with their costs; values are rounded, so that the archive does not show the last bits."""
        if not len(codes):
            return []
        mean, sd = self.latency.predict(codes)
        space = self.domain.space
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
            )
            for row, (architecture, params, flops) in enumerate(
                zip(decode(codes), space.params(codes), space.flops(codes), strict=True)
            )
        ]


class _Clock:
    """Seconds of the steps of one plan."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._last = time.monotonic()

    def stop(self, step: str) -> None:
        now = time.monotonic()
        self.seconds[step] = round(now - self._last, 3)
        self._last = now


def _best_of(past: Sequence[Candidate], count: int) -> Codes:
    """Up to `count` evaluated codes, front by front; the last front that fits in part is thinned evenly."""
    left = sorted(evaluated(past), key=lambda candidate: candidate.latency_ms)
    chosen: list[Candidate] = []
    while left and len(chosen) < count:
        best = nondominated(objectives(left))
        front = [candidate for candidate, is_best in zip(left, best, strict=True) if is_best]
        left = [candidate for candidate, is_best in zip(left, best, strict=True) if not is_best]
        room = min(count - len(chosen), len(front))
        chosen += [front[index] for index in np.linspace(0, len(front) - 1, room).round().astype(int)]
    return encode([candidate.architecture for candidate in chosen])


def _without(codes: Codes, known: Codes) -> Codes:
    """Different rows of `codes` that are not among `known`, in their order."""
    together = np.concatenate([known, codes])
    first = np.sort(np.unique(together, axis=0, return_index=True)[1])
    return together[first[first >= len(known)]]
