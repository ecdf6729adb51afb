"""What a Gaussian process knows once its hyperparameters are fixed and the data are seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.linalg

from mosegedge.search.predictors.description import Values
from mosegedge.search.predictors.evidence import Hyperparameters


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Mean and variance anywhere, for targets of mean 0 and variance 1.

    Attributes:
        hyperparameters: Of the kernel.
        factors: What the standardised features are multiplied by to become coordinates of the Matern part.
        rows: Standardised features of the data.
        coordinates: Their coordinates.
        alpha: Inverse covariance of the data, times their targets.
        cholesky: Lower factor of that covariance.
        linear: The linear part of the mean, one weight a feature.
    """

    hyperparameters: Hyperparameters
    factors: Values
    rows: Values
    coordinates: Values
    alpha: Values
    cholesky: Values
    linear: Values

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, factors: Values, rows: Values, targets: Values) -> Self:
        """Learns from data.

        Args:
            hyperparameters: Of the kernel.
            factors: See the class.
            rows: Standardised features, N x P.
            targets: N values.
        """
        linear = hyperparameters.linear / rows.shape[1]
        coordinates = rows * factors
        covariance = linear * rows @ rows.T + hyperparameters.matern * _matern(coordinates, coordinates)
        covariance[np.diag_indices(len(rows))] += hyperparameters.noise
        cholesky = scipy.linalg.cholesky(covariance, lower=True, check_finite=False)
        alpha = scipy.linalg.cho_solve((cholesky, True), targets, check_finite=False)
        return cls(
            hyperparameters=hyperparameters,
            factors=factors,
            rows=rows,
            coordinates=coordinates,
            alpha=alpha,
            cholesky=cholesky,
            linear=linear * (rows.T @ alpha),
        )

    def mean(self, rows: Values) -> Values:
        """Means at standardised features."""
        shape = _matern(rows * self.factors, self.coordinates)
        return np.asarray(rows @ self.linear + self.hyperparameters.matern * (shape @ self.alpha))

    def mean_and_variance(self, rows: Values) -> tuple[Values, Values]:
        """Means and variances, of the function itself and not of noisy observations of it."""
        matern = self.hyperparameters.matern * _matern(rows * self.factors, self.coordinates)
        linear = self.hyperparameters.linear / rows.shape[1]
        mean = rows @ self.linear + matern @ self.alpha
        explained = scipy.linalg.solve_triangular(
            self.cholesky, (matern + linear * rows @ self.rows.T).T, lower=True, check_finite=False
        )
        prior = linear * (rows**2).sum(axis=1) + self.hyperparameters.matern
        return mean, np.maximum(prior - (explained**2).sum(axis=0), 0.0)


def _matern(first: Values, second: Values) -> Values:
    """The Matern-5/2 function of all pairs of coordinates."""
    r = first @ second.T
    r *= -2.0
    r += (first**2).sum(axis=1)[:, None]
    r += (second**2).sum(axis=1)
    np.maximum(r, 0.0, out=r)
    r *= 5.0
    np.sqrt(r, out=r)
    decay = np.exp(-r)
    polynomial = r / 3.0
    polynomial += 1.0
    polynomial *= r
    polynomial += 1.0
    polynomial *= decay
    return np.asarray(polynomial)
