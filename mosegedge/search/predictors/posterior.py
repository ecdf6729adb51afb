"""What a Gaussian process knows once its hyperparameters are fixed and the data are seen."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
import scipy.linalg
from scipy.linalg.blas import dgemm, dtrmm
from scipy.linalg.lapack import dtrtri

from mosegedge.search.predictors.description import Values
from mosegedge.search.predictors.evidence import Hyperparameters


@dataclass(frozen=True, kw_only=True)
class Posterior:
    """Mean and variance anywhere, for targets of mean 0 and variance 1.

    An inner search asks for few rows many times, so all that depends on the data alone is computed once.

    Attributes:
        hyperparameters: Of the kernel.
        factors: What the standardised features are multiplied by to become coordinates of the Matern part.
        rows: Standardised features of the data.
        alpha: Inverse covariance of the data, times their targets.
        cholesky: Lower factor of that covariance.
    """

    hyperparameters: Hyperparameters
    factors: Values
    rows: Values
    alpha: Values
    cholesky: Values

    @classmethod
    def of(cls, hyperparameters: Hyperparameters, factors: Values, rows: Values, targets: Values) -> Self:
        """Learns from data.

        Args:
            hyperparameters: Of the kernel.
            factors: See the class.
            rows: Standardised features, N x P.
            targets: N values.
        """
        linear, coordinates = hyperparameters.linear / rows.shape[1], rows * factors
        matern = _matern(_outgoing(coordinates), _incoming(coordinates))
        covariance = linear * rows @ rows.T + hyperparameters.matern * matern
        covariance[np.diag_indices(len(rows))] += hyperparameters.noise
        cholesky = scipy.linalg.cholesky(covariance, lower=True, check_finite=False)
        alpha = scipy.linalg.cho_solve((cholesky, True), targets, check_finite=False)
        return cls(hyperparameters=hyperparameters, factors=factors, rows=rows, alpha=alpha, cholesky=cholesky)

    def mean(self, rows: Values) -> Values:
        """Means at standardised features."""
        return self._mean(rows, _matern(_outgoing(rows * self.factors), self._data))

    def mean_and_variance(self, rows: Values) -> tuple[Values, Values]:
        """Means and variances, of the function itself and not of noisy observations of it."""
        matern = _matern(_outgoing(rows * self.factors), self._data)
        mean = self._mean(rows, matern)
        # Both products write into the same matrix, whose transpose is in the order that BLAS takes.
        found = self.hyperparameters
        covariance = dgemm(1.0, self._linear_part.T, rows.T, found.matern, matern.T, overwrite_c=1)
        explained = dtrmm(1.0, self._whitening, covariance, lower=1, overwrite_b=1).T
        prior = found.linear / rows.shape[1] * _squares(rows) + found.matern
        return mean, np.maximum(prior - _squares(explained), 0.0)

    def _mean(self, rows: Values, matern: Values) -> Values:
        return np.asarray(rows @ self._linear_weights + matern @ self._matern_weights)

    @cached_property
    def _data(self) -> Values:
        return _incoming(self.rows * self.factors)

    @cached_property
    def _linear_part(self) -> Values:
        """P x N: standardised features times this are the linear part of their covariances with the data."""
        return np.ascontiguousarray(self.hyperparameters.linear / self.rows.shape[1] * self.rows.T)

    @cached_property
    def _linear_weights(self) -> Values:
        return np.asarray(self._linear_part @ self.alpha)

    @cached_property
    def _matern_weights(self) -> Values:
        return self.hyperparameters.matern * self.alpha

    @cached_property
    def _whitening(self) -> Values:
        """Inverse of the Cholesky factor: one product with it takes half the time of solving.

        The noise keeps the factor well conditioned.
        """
        return np.asarray(dtrtri(self.cholesky, lower=1)[0])


def _matern(outgoing: Values, incoming: Values) -> Values:
    """The Matern-5/2 function of all pairs of coordinates, in as few passes over the pairs as can be."""
    shape = outgoing @ incoming.T
    np.maximum(shape, 0.0, out=shape)
    r = np.sqrt(shape)
    shape *= 1.0 / 3.0
    shape += r
    shape += 1.0
    np.negative(r, out=r)
    shape *= np.exp(r, out=r)
    return shape


def _outgoing(coordinates: Values) -> Values:
    """One side of a product that gives 5 times the squared distances of all pairs of coordinates."""
    return np.column_stack([-10.0 * coordinates, 5.0 * _squares(coordinates), np.ones(len(coordinates))])


def _incoming(coordinates: Values) -> Values:
    """The other side."""
    return np.column_stack([coordinates, np.ones(len(coordinates)), 5.0 * _squares(coordinates)])


def _squares(rows: Values) -> Values:
    """Squared length of each row."""
    return np.asarray(np.einsum("ij,ij->i", rows, rows))
