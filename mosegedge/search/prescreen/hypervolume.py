"""Pre-screening by the hypervolume that candidates are expected to add to the archive's front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import SearchError
from mosegedge.search.prescreen.improvement import Front, front_of_pool
from mosegedge.search.prescreen.pool import Pool, Selection, filled_up

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hypervolume:
    """One candidate after the other, each adding most to the front and to those chosen before it.

    Near-duplicates are not chosen together: the first leaves the second nothing to add. Gains count as the search hopes
    for them (`Pool.exploration`).
    """

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        gain = pool.gain
        if pool.exploration:
            gain = gain + pool.exploration * _deviations(pool, "hypervolume")
        chosen = _one_by_one(pool, count, gain, lambda front: front.improvement(pool.costs, gain))
        return filled_up(chosen, "hypervolume", pool, count, rng)


@dataclass(frozen=True)
class ExpectedHypervolume:
    """One candidate after the other, each with the largest expected improvement of the hypervolume.

    Predictions are taken as independent and normally distributed; a chosen candidate counts with its mean for the ones
    after it.
    """

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        mean, sd = pool.gain, _deviations(pool, "ehvi")
        chosen = _one_by_one(pool, count, mean, lambda front: front.expected_improvement(pool.costs, mean, sd))
        return filled_up(chosen, "expected hypervolume", pool, count, rng)


def _one_by_one(pool: Pool, count: int, gain: Floats, added_to: Callable[[Front], Floats]) -> list[int]:
    """Up to `count` rows of the pool, as long as one adds anything; `gain` is what a chosen one counts with."""
    front, chosen = front_of_pool(pool), list[int]()
    while len(chosen) < min(count, len(pool)):
        added = added_to(front)
        added[chosen] = 0.0
        best = int(added.argmax())
        if added[best] <= 0:
            break
        chosen.append(best)
        front = front.with_point(pool.costs[best], float(gain[best]))
    return chosen


def _deviations(pool: Pool, strategy: str) -> Floats:
    if pool.gain_sd is None:
        raise SearchError(
            f"The pre-screening strategy {strategy} needs standard deviations, which this predictor does not give.",
            fix="Search with --predictor gp, or with --prescreen hypervolume and --exploration 0.",
        )
    return pool.gain_sd
