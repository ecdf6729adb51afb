"""The inner problem of a generation, for pymoo: codes as integers, and operators that keep them canonical.

Operators work on whole arrays. pymoo 0.6 draws from the generator
of the algorithm that it seeds itself; no global random state is involved.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymoo.core.crossover import Crossover
from pymoo.core.duplicate import DuplicateElimination
from pymoo.core.mutation import Mutation
from pymoo.core.population import Population
from pymoo.core.problem import Problem
from pymoo.core.repair import Repair

from mosegedge.search.domain import CodeDomain
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Objectives = Callable[[Codes], Floats]
Violation = Callable[[Codes], Floats]


class CodeProblem(Problem):  # type: ignore[misc]
    """Objectives to be minimised over codes, and at most one constraint.

    Args:
        objectives: N x D codes to N x M values.
        count: M.
        violation: N codes to N values that are positive where a code breaks the constraint.
        length: D.
    """

    def __init__(self, objectives: Objectives, count: int, violation: Violation | None, *, length: int = 29) -> None:
        super().__init__(n_var=length, n_obj=count, n_ieq_constr=int(violation is not None), xl=0, xu=8, vtype=int)
        self.objectives = objectives
        self.violation = violation

    def _evaluate(self, x: Codes, out: dict[str, Any], *args: Any, **kwargs: Any) -> None:  # noqa: ARG002
        out["F"] = self.objectives(x)
        if self.violation is not None:
            out["G"] = self.violation(x)[:, None]


class CodeCrossover(Crossover):  # type: ignore[misc]
    """Two-point or uniform crossover, each for half of the pairs."""

    def __init__(self, probability: float) -> None:
        super().__init__(n_parents=2, n_offsprings=2, prob=probability)

    def _do(self, problem: Problem, x: Codes, *args: Any, random_state: np.random.Generator, **kwargs: Any) -> Codes:  # noqa: ARG002
        _, pairs, length = x.shape
        first, last = np.sort(random_state.integers(0, length + 1, size=(2, pairs, 1)), axis=0)
        inside = (np.arange(length) >= first) & (np.arange(length) < last)
        coin = random_state.random((pairs, length)) < 0.5
        swap = np.where(random_state.random((pairs, 1)) < 0.5, inside, coin)
        return np.where(swap, x[::-1], x)


class CodeMutation(Mutation):  # type: ignore[misc]
    """Draws single digits anew from their allowed values."""

    def __init__(self, domain: CodeDomain, probability: float) -> None:
        super().__init__()
        self._domain = domain
        self._probability = probability

    def _do(self, problem: Problem, x: Codes, *args: Any, random_state: np.random.Generator, **kwargs: Any) -> Codes:  # noqa: ARG002
        hit = random_state.random(x.shape) < self._probability
        return np.where(hit, self._domain.draw(len(x), random_state), x)


class CanonicalRepair(Repair):  # type: ignore[misc]
    """Brings offspring to canonical form, so that one network has one code."""

    def __init__(self, domain: CodeDomain) -> None:
        super().__init__()
        self._domain = domain

    def _do(self, problem: Problem, x: Codes, *args: Any, random_state: np.random.Generator, **kwargs: Any) -> Codes:  # noqa: ARG002
        return self._domain.repair(x, random_state)


class CodeDuplicates(DuplicateElimination):  # type: ignore[misc]
    """Finds equal codes by their bytes instead of by distances."""

    def _do(self, pop: Population, other: Population | None, is_duplicate: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = row_keys(pop.get("X"))
        if other is not None:
            known = set(row_keys(other.get("X")))
            return np.array([row in known for row in rows], dtype=bool)
        first = {row: index for index, row in reversed(list(enumerate(rows)))}
        is_duplicate[:] = True
        is_duplicate[list(first.values())] = False
        return is_duplicate


def binary_tournament(
    pop: Population,
    pairs: NDArray[np.int64],
    *,
    random_state: np.random.Generator,
    **kwargs: Any,  # noqa: ARG001
) -> NDArray[np.int64]:
    """NSGA-II's tournament on whole columns: less violation, then lower rank, then larger crowding, then a coin."""
    violation = pop.get("CV")[:, 0]
    rank, crowding = pop.get("rank", "crowding")
    rank = np.where(violation > 0, 0, rank).astype(float)
    crowding = np.where(violation > 0, 0.0, crowding).astype(float)
    coin = random_state.random(len(pairs)) < 0.5
    winner = np.where(coin, pairs[:, 0], pairs[:, 1])
    for values in (-crowding, rank, violation):
        a, b = values[pairs[:, 0]], values[pairs[:, 1]]
        winner = np.where(a < b, pairs[:, 0], np.where(b < a, pairs[:, 1], winner))
    return winner[:, None]


def row_keys(codes: Codes) -> list[bytes]:
    """One comparable value per row: equal rows have equal keys."""
    rows: list[bytes] = codes.astype(np.uint8).view(f"V{codes.shape[1]}").ravel().tolist()
    return rows
