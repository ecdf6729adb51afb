"""Which of the candidates that the inner search found are evaluated (paper, section III-E, Algorithm 4).

A strategy is a function that follows `Prescreen`; `hierarchical` is the paper's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.uniformity import solve_by_genetic_algorithm
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What a strategy may look at.

    Attributes:
        codes: N x 29 candidates, none of them evaluated yet.
        predicted_miou: Their predicted accuracies.
        latency_ms: Their latencies from the profile.
        front_latency_ms: Latencies of the archive's front.
        front_miou: Accuracies of the archive's front.
    """

    codes: Codes
    predicted_miou: Floats
    latency_ms: Floats
    front_latency_ms: Floats
    front_miou: Floats


@dataclass(frozen=True)
class Selection:
    """What a strategy chose.

    Attributes:
        indices: Rows of the pool, in the order in which they are to be evaluated.
        reasons: Why each was chosen, one word each.
    """

    indices: Indices
    reasons: tuple[str, ...]


class Prescreen(Protocol):
    """A strategy: chooses at most `count` rows of a pool; fewer only if the pool is smaller."""

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""


def hierarchical(pool: Pool, count: int, rng: np.random.Generator) -> Selection:
    """The paper's strategy: an even spread of latencies first, predicted accuracy for the slots that are left.

    The subset of at most `count` candidates is taken whose latencies, together with those of the archive's front, are
    closest to uniform (equation 8; the algorithm fetches the front's latencies, though the equation does not show
    them). What it leaves free is filled with the candidates of highest predicted accuracy.
    """
    spread = solve_by_genetic_algorithm(pool.latency_ms, pool.front_latency_ms, count, rng)
    best_first = np.argsort(-pool.predicted_miou, kind="stable")
    filled = best_first[~np.isin(best_first, spread)][: count - len(spread)]
    return Selection(np.append(spread, filled), ("uniformity",) * len(spread) + ("accuracy",) * len(filled))
