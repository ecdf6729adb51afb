"""Pre-screening by the hypervolume that candidates are expected to add to the archive's front."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import SearchError
from mosegedge.search.prescreen.improvement import Staircase, staircase_of
from mosegedge.search.prescreen.pool import Pool, Selection, filled_up

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Hypervolume:
    """One candidate after the other, each adding most to the front and to those chosen before it.

    Near-duplicates are not chosen together: the first leaves the second nothing to add.

    Args:
        exploration: Standard deviations that are added to predicted accuracies; 0 goes by the prediction alone.
    """

    exploration: float = 0.0

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        miou = pool.predicted_miou
        if self.exploration:
            miou = miou + self.exploration * _deviations(pool, "hypervolume")
        chosen = _one_by_one(pool, count, miou, lambda stairs: stairs.improvement(pool.latency_ms, miou))
        return filled_up(chosen, "hypervolume", pool, count, rng)


@dataclass(frozen=True)
class ExpectedHypervolume:
    """One candidate after the other, each with the largest expected improvement of the hypervolume.

    Predictions are taken as independent and normally distributed; a chosen candidate counts with its mean for the ones
    after it.
    """

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        mean, sd = pool.predicted_miou, _deviations(pool, "ehvi")
        chosen = _one_by_one(pool, count, mean, lambda stairs: stairs.expected_improvement(pool.latency_ms, mean, sd))
        return filled_up(chosen, "expected hypervolume", pool, count, rng)


def _one_by_one(pool: Pool, count: int, miou: Floats, gain_over: Callable[[Staircase], Floats]) -> list[int]:
    """Up to `count` rows of the pool, as long as one adds anything; `miou` is what a chosen one counts with."""
    stairs, chosen = staircase_of(pool), list[int]()
    while len(chosen) < min(count, len(pool)):
        gain = gain_over(stairs)
        gain[chosen] = 0.0
        best = int(gain.argmax())
        if gain[best] <= 0:
            break
        chosen.append(best)
        stairs = stairs.with_point(float(pool.latency_ms[best]), float(miou[best]), pool.reference)
    return chosen


def _deviations(pool: Pool, strategy: str) -> Floats:
    if pool.predicted_sd is None:
        raise SearchError(
            f"The pre-screening strategy {strategy} needs standard deviations, which this predictor does not give.",
            fix="Search with --predictor gp, or with --prescreen hypervolume and --exploration 0.",
        )
    return pool.predicted_sd
