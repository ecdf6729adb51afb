"""The step at the heart of a search: what was evaluated in, what is to be evaluated next out.

It knows codes as arrays and a domain that makes them canonical, and so works on any space.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.accuracy import mean_and_deviation, optimistic
from mosegedge.search.config import SearchConfig
from mosegedge.search.costs import minimised
from mosegedge.search.domain import CodeDomain
from mosegedge.search.dominance import nondominated
from mosegedge.search.exploration import deviations_in
from mosegedge.search.feasible import Feasible
from mosegedge.search.inner import minimise
from mosegedge.search.limits import least_miou
from mosegedge.search.objectives import costs_among
from mosegedge.search.predictors.interface import Predictor
from mosegedge.search.prescreen import Pool, Prescreen, Reference
from mosegedge.search.problem import CodeProblem, Violation
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class History:
    """What was evaluated so far.

    Attributes:
        codes: N x D networks with an accuracy.
        miou: Their accuracies.
        objectives: N x M, all minimised: costs, and minus mIoU last.
        known: Every network that must not come again, failures among them.
        reference: The corner that hypervolumes are measured from.
    """

    codes: Codes
    miou: Floats
    objectives: Floats
    known: Codes
    reference: Reference

    @property
    def front(self) -> NDArray[np.int64]:
        """Rows of the non-dominated networks, lowest first cost first."""
        best = np.flatnonzero(nondominated(self.objectives))
        return best[np.argsort(self.objectives[best, 0], kind="stable")]


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """What is to be evaluated next.

    Attributes:
        codes: In the order of their evaluation.
        predicted_miou: What the predictor expects of them.
        reasons: Why each was chosen.
        predicted_front: Size of the predicted front.
        pool: Number of candidates that pre-screening chose from.
        seconds: Time of each step.
    """

    codes: Codes
    predicted_miou: Floats
    reasons: tuple[str, ...]
    predicted_front: int
    pool: int
    seconds: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Seeds:
    """Sources of randomness, one a step, so that no step depends on how much another draws.

    Attributes:
        fit: Of the predictor.
        inner: Of the inner search.
        screen: Of pre-screening.
        check: Of what only looks at how good the predictor is.
    """

    fit: np.random.Generator
    inner: np.random.Generator
    screen: np.random.Generator
    check: np.random.Generator

    @classmethod
    def of(cls, seed: int, generation: int) -> Self:
        """Those of a generation, which depend on the seed of the search and its number alone."""
        parts = np.random.SeedSequence([seed, generation]).spawn(4)
        fit, inner, screen, check = (np.random.default_rng(part) for part in parts)
        return cls(fit=fit, inner=inner, screen=screen, check=check)


@dataclass(frozen=True)
class Outlook:
    """A predictor that has learned, and how far beyond its predictions a generation hopes.

    Args:
        predictor: Of accuracy.
        exploration: Standard deviations.
    """

    predictor: Predictor
    exploration: float

    def hoped(self, codes: Codes) -> Floats:
        """Accuracies if all goes well."""
        return optimistic(self.predictor, codes, self.exploration)


@dataclass(frozen=True, kw_only=True)
class Proposer:
    """Fits a predictor, searches on its predictions, pre-screens what that finds.

    Attributes:
        domain: The codes that may be used.
        feasible: Their costs and the limits on these.
        config: The settings.
        make_predictor: Makes an unfitted predictor.
        prescreen: Chooses among candidates.
    """

    domain: CodeDomain
    feasible: Feasible
    config: SearchConfig
    make_predictor: Callable[[np.random.Generator], Predictor]
    prescreen: Prescreen

    def propose(self, history: History, seeds: Seeds, *, generation: int) -> Proposal:
        """The networks of a generation, counted from 1; none of them is known already."""
        clock = Clock()
        predictor = self.make_predictor(seeds.fit)
        predictor.fit(history.codes, history.miou)
        clock.stop("fit")
        deviations = deviations_in(self.config.exploration, generation, explore_from=self.config.explore_from)
        outlook = Outlook(predictor, deviations)
        found = self._inner_search(outlook, history, seeds.inner)
        pool, miou = self._pool(found, outlook, history, seeds.inner)
        clock.stop("inner search")
        selection = self.prescreen(pool, self.config.evaluations, seeds.screen)
        clock.stop("pre-screening")
        codes = pool.codes[selection.indices]
        return Proposal(
            codes=codes,
            predicted_miou=miou[selection.indices],
            reasons=selection.reasons,
            predicted_front=len(found),
            pool=len(pool),
            seconds=clock.seconds,
        )

    def _objectives(self, outlook: Outlook, codes: Codes) -> Floats:
        """N x M predicted objectives, minus mIoU first where it is one."""
        values = self._minimised(codes, outlook.hoped(codes))
        return values[:, np.arange(-1, values.shape[1] - 1)]

    def _minimised(self, codes: Codes, miou: Floats) -> Floats:
        """N x M objectives as the archive has them."""
        goals = self.config.goals
        return minimised(goals, self.feasible.costs.means(costs_among(goals), codes), miou)

    def _violation(self, outlook: Outlook) -> Violation | None:
        """What the inner search must keep below 0: limits on costs, and the least mIoU as it is hoped for.

        A generation that looks further hopes for more hypervolume, not that networks keep to a limit.
        """
        cautious = Outlook(outlook.predictor, min(self.config.exploration))
        least = least_miou(self.config.limits)
        if least is None:
            return self.feasible.excess if self.feasible.limits else None

        def violation(codes: Codes) -> Floats:
            missing = 1.0 - cautious.hoped(codes) / least
            return np.maximum(self.feasible.excess(codes), missing)

        return violation

    def _inner_search(self, outlook: Outlook, history: History, rng: np.random.Generator) -> Codes:
        """The predicted front, known codes among it."""
        problem = CodeProblem(
            lambda codes: self._objectives(outlook, codes),
            len(self.config.goals),
            self._violation(outlook),
            length=history.codes.shape[1],
        )
        size = self.config.inner.population
        seeds = history.codes[best_rows(history.objectives, round(size * self.config.inner.from_archive))]
        together = np.concatenate([seeds, self.feasible.sample(size, rng)])
        first = np.sort(np.unique(together, axis=0, return_index=True)[1])[:size]
        return minimise(self.domain, problem, self.config.inner, initial=together[first], rng=rng)[0]

    def _pool(self, found: Codes, outlook: Outlook, history: History, rng: np.random.Generator) -> tuple[Pool, Floats]:
        """Candidates that are not known, and their predicted accuracies.

        They are the predicted front, topped up where that leaves too few of them.

        The top-up takes single changes of the found and the evaluated front, best predicted first, then random codes.
        """
        known, front, wanted = history.known, history.front, self.config.evaluations
        pool = without(found, known)
        if len(pool) < wanted:
            around = np.concatenate([found, history.codes[front]])
            near = np.concatenate([self.domain.neighbours(code) for code in around])
            near = without(near[self.feasible.meets(near)], np.concatenate([known, pool]))
            pool = np.concatenate([pool, self._best_predicted(near, outlook, wanted - len(pool))])
        if len(pool) < wanted:
            random = without(self.feasible.sample(len(known) + wanted, rng), np.concatenate([known, pool]))
            pool = np.concatenate([pool, random[: wanted - len(pool)]])
        return self._described(pool, outlook, history)

    def _described(self, codes: Codes, outlook: Outlook, history: History) -> tuple[Pool, Floats]:
        miou, sd = mean_and_deviation(outlook.predictor, codes)
        values, front = self._minimised(codes, miou), history.objectives[history.front]
        if all(not goal.maximised for goal in self.config.goals):
            sd = np.zeros(len(codes))  # the gain is a cost, which is known
        pool = Pool(
            codes=codes,
            costs=values[:, :-1],
            gain=-values[:, -1],
            gain_sd=sd,
            exploration=outlook.exploration,
            front_costs=front[:, :-1],
            front_gain=-front[:, -1],
            reference=history.reference,
        )
        return pool, miou

    def _best_predicted(self, codes: Codes, outlook: Outlook, count: int) -> Codes:
        """At least `count` codes of the best predicted fronts, where there are so many."""
        chosen = codes[:0]
        while len(chosen) < count and len(codes):
            best = nondominated(self._objectives(outlook, codes))
            chosen, codes = np.concatenate([chosen, codes[best]]), codes[~best]
        return chosen


@dataclass
class Clock:
    """Seconds of the steps of one plan."""

    seconds: dict[str, float] = field(default_factory=dict)
    _last: float = field(default_factory=time.monotonic)

    def stop(self, step: str) -> None:
        """Ends a step; the next begins."""
        now = time.monotonic()
        self.seconds[step] = round(now - self._last, 3)
        self._last = now


def best_rows(objectives: Floats, count: int) -> NDArray[np.int64]:
    """Up to `count` rows, front by front; the last front that fits in part is thinned evenly along its first column."""
    left = np.argsort(objectives[:, 0], kind="stable")
    chosen: list[NDArray[np.int64]] = []
    room = count
    while len(left) and room > 0:
        best = nondominated(objectives[left])
        front, left = left[best], left[~best]
        taken = min(room, len(front))
        chosen.append(front[np.linspace(0, len(front) - 1, taken).round().astype(np.int64)])
        room -= taken
    return np.concatenate(chosen) if chosen else left[:0]


def without(codes: Codes, known: Codes) -> Codes:
    """Different rows of `codes` that are not among `known`, in their order."""
    together = np.concatenate([known, codes])
    first = np.sort(np.unique(together, axis=0, return_index=True)[1])
    return together[first[first >= len(known)]]
