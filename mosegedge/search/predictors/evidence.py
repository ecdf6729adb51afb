"""The evidence that data give for the hyperparameters of the Gaussian process, with its gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.linalg
from scipy.optimize import minimize

from mosegedge.search.predictors.description import Values

_SCALE_SD, _NOISE_SD, _LENGTH_SD = 2.0, 1.5, 2.0
_NOISE = 0.02


@dataclass(frozen=True, kw_only=True)
class Hyperparameters:
    """Of the kernel `linear F F' + matern M52(sum of weight_g D_g) + noise I`, for targets of variance 1.

    Attributes:
        linear: Variance of the linear part.
        matern: Variance of the Matern part.
        noise: Variance of the noise.
        weights: Of each group of features in the squared distance, inverse squared length scales.
    """

    linear: float
    matern: float
    noise: float
    weights: tuple[float, ...]

    @classmethod
    def start(cls, groups: int, *, trend: bool = True) -> Self:
        """Where an optimisation begins that knows nothing: with a strong linear part, or with next to none."""
        linear, matern = (1.0, math.exp(-1.0)) if trend else (math.exp(-6.0), 1.0)
        return cls(linear=linear, matern=matern, noise=_NOISE, weights=(1.0 / groups,) * groups)

    def logarithms(self) -> Values:
        """All of them in one vector."""
        return np.log([self.linear, self.matern, self.noise, *self.weights])

    @classmethod
    def of_logarithms(cls, logarithms: Values) -> Self:
        """The inverse of `logarithms`."""
        linear, matern, noise, *weights = (float(value) for value in np.exp(logarithms))
        return cls(linear=linear, matern=matern, noise=noise, weights=tuple(weights))


class Evidence:
    """Negative logarithm of likelihood times prior, over the logarithms of the hyperparameters.

    Only the part of the symmetric matrices below the diagonal is kept, as one vector a matrix.

    Args:
        linear_features: N x P; the kernel's linear part is their product.
        group_features: N x P_g of each group; D_g is their squared Euclidean distance.
        y: N targets of mean 0 and variance 1.
    """

    def __init__(self, linear_features: Values, group_features: list[Values], y: Values) -> None:
        self._y = y
        self._below = np.tril_indices(len(y), -1)
        gram = linear_features @ linear_features.T
        self._linear, self._linear_diagonal = gram[self._below], gram.diagonal().copy()
        self._distances = np.stack([_squared_distances(part)[self._below] for part in group_features])
        groups = len(group_features)
        self._prior_mean = np.array([0.0, 0.0, math.log(_NOISE), *[-math.log(groups)] * groups])
        self._prior_sd = np.array([_SCALE_SD, _SCALE_SD, _NOISE_SD, *[_LENGTH_SD] * groups])
        self.bounds = [(-8.0, 6.0), (-8.0, 6.0), (-9.0, 1.0), *[(-8.0, 4.0)] * groups]

    def __call__(self, logarithms: Values) -> tuple[float, Values]:
        """Value and gradient."""
        linear, matern, noise = np.exp(logarithms[:3])
        weights = np.exp(logarithms[3:])
        r = np.sqrt(5.0 * (weights @ self._distances))
        decay = np.exp(-r)
        shape = (1.0 + r + r * r / 3.0) * decay
        factor, inverse, inverse_diagonal, alpha = self._solve(linear, matern, noise, shape)
        # W = K^-1 - alpha alpha'; half of trace(W dK) is the derivative of the negative logarithm of the likelihood.
        w = inverse - alpha[self._below[0]] * alpha[self._below[1]]
        w_diagonal = inverse_diagonal - alpha**2
        slope = -(5.0 / 6.0) * matern * (1.0 + r) * decay
        gradient = np.concatenate(
            [
                [
                    linear * (w @ self._linear + 0.5 * (w_diagonal @ self._linear_diagonal)),
                    matern * (w @ shape + 0.5 * w_diagonal.sum()),
                    noise * 0.5 * w_diagonal.sum(),
                ],
                weights * (self._distances @ (w * slope)),
            ]
        )
        off = (logarithms - self._prior_mean) / self._prior_sd
        half_log_determinant = np.log(factor.diagonal()).sum()
        value = 0.5 * (self._y @ alpha) + half_log_determinant + 0.5 * len(alpha) * math.log(2 * math.pi)
        return float(value + 0.5 * (off @ off)), gradient + off / self._prior_sd

    def maximise(self, starts: Sequence[Hyperparameters], iterations: int) -> Hyperparameters:
        """Where the evidence is highest, after at most so many steps of L-BFGS-B from each start."""
        low, high = np.array(self.bounds).T
        options = {"maxiter": iterations}
        ends = [
            minimize(self, first, jac=True, method="L-BFGS-B", bounds=self.bounds, options=options)
            for first in (np.clip(start.logarithms(), low, high) for start in starts)
        ]
        return Hyperparameters.of_logarithms(min(ends, key=lambda end: float(end.fun)).x)

    def _solve(
        self, linear: float, matern: float, noise: float, shape: Values
    ) -> tuple[Values, Values, Values, Values]:
        """Cholesky factor, the inverse below the diagonal and on it, and K^-1 y."""
        size = len(self._y)
        kernel = np.zeros((size, size), order="F")
        kernel[self._below] = linear * self._linear + matern * shape
        kernel[np.diag_indices(size)] = linear * self._linear_diagonal + matern + noise
        factor = scipy.linalg.cholesky(kernel, lower=True, overwrite_a=True, check_finite=False)
        alpha = scipy.linalg.cho_solve((factor, True), self._y, check_finite=False)
        inverse, _ = scipy.linalg.lapack.dpotri(factor, lower=1)
        return factor, inverse[self._below], inverse.diagonal().copy(), alpha


def _squared_distances(features: Values) -> Values:
    squares = (features**2).sum(axis=1)
    return np.asarray(np.maximum(squares[:, None] + squares - 2.0 * features @ features.T, 0.0))
