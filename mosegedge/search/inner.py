"""The inner search of a generation: codes with the best predicted objectives, by NSGA-II, MOEA/D or at random.

NSGA-II and MOEA/D are pymoo's, with operators of our own for codes.
"""

from __future__ import annotations

import contextlib
import sys

import numpy as np
from numpy.typing import NDArray
from pymoo.algorithms.moo.moead import ParallelMOEAD
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.algorithm import Algorithm
from pymoo.operators.selection.tournament import TournamentSelection

from mosegedge.search.config import InnerSettings
from mosegedge.search.domain import CodeDomain
from mosegedge.search.dominance import nondominated
from mosegedge.search.predictors.threads import one_blas_thread
from mosegedge.search.problem import (
    CanonicalRepair,
    CodeCrossover,
    CodeDuplicates,
    CodeMutation,
    CodeProblem,
    Objectives,
    Violation,
    binary_tournament,
)
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 4096
_NEIGHBOURS = 20
_PENALTY = 1e3


def minimise(
    domain: CodeDomain,
    problem: CodeProblem,
    settings: InnerSettings,
    *,
    initial: Codes,
    rng: np.random.Generator,
) -> tuple[Codes, Floats]:
    """Searches codes that minimise the objectives.

    Args:
        domain: The codes that may be used.
        problem: What is minimised.
        settings: Method, sizes and probabilities.
        initial: First population, canonical codes without repetition.
        rng: Source of everything random.

    Returns:
        Codes and objectives of non-dominated, feasible codes, each once; empty if none is feasible.
    """
    search = {"random": _by_chance, "moead": _by_moead, "nsga2": _by_nsga2}[settings.method]
    with one_blas_thread():  # predictors ask for it again with every call, which costs nothing inside
        return search(domain, problem, settings, initial, rng)


def _by_nsga2(
    domain: CodeDomain, problem: CodeProblem, settings: InnerSettings, initial: Codes, rng: np.random.Generator
) -> tuple[Codes, Floats]:
    algorithm = NSGA2(
        pop_size=settings.population,
        sampling=initial,
        selection=TournamentSelection(func_comp=binary_tournament),
        crossover=CodeCrossover(settings.crossover),
        mutation=CodeMutation(domain, settings.mutation),
        repair=CanonicalRepair(domain),
        eliminate_duplicates=CodeDuplicates(),
        output=None,
        seed=int(rng.integers(2**31)),
    )
    return _found_by(algorithm, problem, settings.generations)


def _by_moead(
    domain: CodeDomain, problem: CodeProblem, settings: InnerSettings, initial: Codes, rng: np.random.Generator
) -> tuple[Codes, Floats]:
    """MOEA/D, its objectives scaled to the range of the first population, since it weighs them.

    It knows no constraints: a violation is added to all objectives, so that it never pays. As many members as
    `initial` has rows are used, one a direction.
    """
    algorithm = ParallelMOEAD(
        ref_dirs=_directions(len(initial), problem.n_obj, rng),
        n_neighbors=min(_NEIGHBOURS, len(initial)),
        sampling=initial,
        crossover=CodeCrossover(settings.crossover),
        mutation=CodeMutation(domain, settings.mutation),
        repair=CanonicalRepair(domain),
        output=None,
        seed=int(rng.integers(2**31)),
    )
    scaled = CodeProblem(_scaled(problem, initial), problem.n_obj, None, length=problem.n_var)
    codes = np.unique(_found_by(algorithm, scaled, settings.generations)[0], axis=0)
    return _best_of(codes, problem.objectives, problem.violation)


def _directions(count: int, objectives: int, rng: np.random.Generator) -> Floats:
    """Weights of the objectives: evenly spaced for two of them, uniformly random for more."""
    if objectives > 2:
        return rng.dirichlet(np.ones(objectives), count)
    share = np.linspace(0.0, 1.0, count)
    return np.stack([share, 1.0 - share], axis=1)


def _scaled(problem: CodeProblem, initial: Codes) -> Objectives:
    values = problem.objectives(initial)
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    span = np.where(span > 0, span, 1.0)
    violation = problem.violation

    def objectives(codes: Codes) -> Floats:
        scaled = np.asarray((problem.objectives(codes) - low) / span)
        if violation is not None:
            scaled += _PENALTY * np.maximum(violation(codes), 0.0)[:, None]
        return scaled

    return objectives


def _by_chance(
    domain: CodeDomain, problem: CodeProblem, settings: InnerSettings, initial: Codes, rng: np.random.Generator
) -> tuple[Codes, Floats]:
    """As many random codes as NSGA-II would look at."""
    best = _best_of(initial, problem.objectives, problem.violation)[0]
    left = settings.population * settings.generations
    while left > 0:
        drawn = domain.sample(min(left, _ROWS_AT_ONCE), rng)
        left -= len(drawn)
        best = _best_of(np.unique(np.concatenate([best, drawn]), axis=0), problem.objectives, problem.violation)[0]
    return best, problem.objectives(best) if len(best) else np.zeros((0, problem.n_obj))


def _best_of(codes: Codes, objectives: Objectives, violation: Violation | None) -> tuple[Codes, Floats]:
    """The non-dominated of the feasible codes."""
    feasible = codes[violation(codes) <= 0] if violation is not None else codes
    values = objectives(feasible)
    best = nondominated(values)
    return feasible[best], values[best]


def _found_by(algorithm: Algorithm, problem: CodeProblem, generations: int) -> tuple[Codes, Floats]:
    with contextlib.redirect_stdout(sys.stderr):  # pymoo prints a hint where its compiled parts are missing
        algorithm.setup(problem, termination=("n_gen", generations), seed=algorithm.seed)
        result = algorithm.run()
    if result.opt is None:
        return np.zeros((0, problem.n_var), dtype=np.int64), np.zeros((0, problem.n_obj))
    return result.opt.get("X").astype(np.int64), result.opt.get("F")
