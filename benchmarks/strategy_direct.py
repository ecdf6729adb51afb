"""Searches without a predictor, for comparison: random networks, and NSGA-II on the networks themselves."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.operators.selection.tournament import TournamentSelection

from benchmarks.oracle import Oracle
from benchmarks.strategy_tasks import WITHOUT_PREDICTOR, Task
from mosegedge.search.config import InnerSettings
from mosegedge.search.dominance import nondominated
from mosegedge.search.problem import (
    CanonicalRepair,
    CodeCrossover,
    CodeDuplicates,
    CodeMutation,
    CodeProblem,
    binary_tournament,
    row_keys,
)
from mosegedge.search.proposing import without
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_POPULATION = 100


@dataclass
class Progress:
    """Hypervolume of a run as it evaluates.

    Args:
        oracle: That it runs on.
        ideal: Hypervolume of the best front.
    """

    oracle: Oracle
    ideal: float
    evaluations: list[int] = field(default_factory=lambda: [0])
    percent: list[float] = field(default_factory=lambda: [0.0])
    _front: Floats = field(default_factory=lambda: np.zeros((0, 2)))

    def add(self, values: Floats) -> None:
        """Takes the objectives of a generation's new networks."""
        together = np.concatenate([self._front, values])
        self._front = together[nondominated(together)]
        self.evaluations.append(self.evaluations[-1] + len(values))
        self.percent.append(round(100.0 * self.oracle.volume(self._front) / self.ideal, 4))


def draw(task: Task, progress: Progress) -> None:
    """Different random networks, the ends of the space first."""
    codes = _random(progress.oracle, task.budget, task.seed)
    each = WITHOUT_PREDICTOR[task.strategy]
    for start in range(0, len(codes), each):
        progress.add(progress.oracle.objectives(codes[start : start + each]))


def evolve(task: Task, progress: Progress) -> None:
    """NSGA-II on the networks themselves, from random ones; a network that comes again is not evaluated again."""
    oracle, settings = progress.oracle, InnerSettings()
    seen = set[bytes]()

    def objectives(codes: Codes) -> Floats:
        values = oracle.objectives(codes)
        keys = row_keys(codes)
        new = [row for row, key in enumerate(keys) if key not in seen]
        seen.update(keys)
        progress.add(values[new])
        return values

    algorithm = NSGA2(
        pop_size=_POPULATION,
        n_offsprings=WITHOUT_PREDICTOR[task.strategy],
        sampling=_random(oracle, _POPULATION, task.seed),
        selection=TournamentSelection(func_comp=binary_tournament),
        crossover=CodeCrossover(settings.crossover),
        mutation=CodeMutation(oracle.domain, settings.mutation),
        repair=CanonicalRepair(oracle.domain),
        eliminate_duplicates=CodeDuplicates(),
        output=None,
        seed=task.seed,
    )
    problem = CodeProblem(objectives, 2, None, length=oracle.description.length)
    algorithm.setup(problem, termination=("n_gen", task.budget), seed=task.seed)
    while progress.evaluations[-1] < task.budget:
        algorithm.next()


def _random(oracle: Oracle, count: int, seed: int) -> Codes:
    """Different networks, the ends of the space first."""
    drawn = oracle.domain.sample(2 * count, np.random.default_rng([seed, 0]))
    return without(np.concatenate([oracle.domain.ends, drawn]), drawn[:0])[:count]
