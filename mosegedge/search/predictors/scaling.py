"""Targets in units that a predictor likes, and scores back in the unit of the targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mosegedge.search.predictors.description import Values


@dataclass(frozen=True)
class TargetScale:
    """Maps targets to mean 0 and standard deviation 1, and back.

    Args:
        mean: Of the targets.
        sd: Of the targets; 0 where all are equal, which makes every prediction that target.
    """

    mean: float
    sd: float

    @classmethod
    def of(cls, y: Values) -> Self:
        """A scale for these targets; differences of rounding do not count."""
        mean, sd = float(y.mean()), float(y.std())
        return cls(mean, sd if sd > 1e-12 * float(np.abs(y).max()) else 0.0)

    def __call__(self, y: Values) -> Values:
        """Targets of mean 0 and standard deviation 1."""
        return (y - self.mean) / self.sd if self.sd else np.zeros(len(y))

    def back(self, z: Values) -> Values:
        """From mean 0 and standard deviation 1 to the unit of the targets."""
        return np.asarray(self.mean + self.sd * z, dtype=np.float64)
