"""Regressors on features: cubic RBF, decision tree, gradient boosting.

They label synthetic architectures for the paper's RankNet, fitted on the same one-hot features and on targets scaled to
0..1 (paper, Algorithm 3, line 4); with other settings they are predictors of their own, see `regressors`.
"""

from __future__ import annotations

from typing import Protocol

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.tree import DecisionTreeRegressor

Features = NDArray[np.float32] | NDArray[np.float64]
Values = NDArray[np.float64]

_ROWS_AT_ONCE = 4096


class Teacher(Protocol):
    """A regressor on one-hot features."""

    def fit(self, features: Features, targets: Values) -> None:
        """Learns from N x D features and N targets."""

    def predict(self, features: Features) -> Values:
        """Targets of N x D features."""


class CubicRbf:
    """Interpolation with the kernel r^3 and a linear tail.

    One-hot columns are collinear, so the interpolation system is singular; the least-squares solution of smallest
    norm is taken. A constant tail instead of the linear one is useless on one-hot features.
    """

    def fit(self, features: Features, targets: Values) -> None:
        """Solves for the kernel weights and the tail."""
        self._centres = features.astype(np.float64)
        tail = _with_constant(self._centres)
        size, extra = tail.shape
        system = np.zeros((size + extra, size + extra))
        system[:size, :size] = _cubed_distances(self._centres, self._centres)
        system[:size, size:] = tail
        system[size:, :size] = tail.T
        solution = np.linalg.lstsq(system, np.append(targets, np.zeros(extra)), rcond=None)[0]
        self._weights, self._tail = solution[:size], solution[size:]

    def predict(self, features: Features) -> Values:
        """Interpolated values, in chunks so that the distance matrix stays small."""
        chunks = []
        for start in range(0, len(features), _ROWS_AT_ONCE):
            rows = features[start : start + _ROWS_AT_ONCE].astype(np.float64)
            chunks.append(_cubed_distances(rows, self._centres) @ self._weights + _with_constant(rows) @ self._tail)
        return np.concatenate(chunks) if chunks else np.zeros(0)


class DecisionTree:
    """One regression tree, grown until its leaves are pure."""

    def __init__(self, seed: int) -> None:
        self._tree = DecisionTreeRegressor(random_state=seed)

    def fit(self, features: Features, targets: Values) -> None:
        """Grows the tree."""
        self._tree.fit(features, targets)

    def predict(self, features: Features) -> Values:
        """Values of the leaves."""
        return np.asarray(self._tree.predict(features), dtype=np.float64)


class GradientBoosting:
    """LightGBM, single-threaded and deterministic.

    Args:
        seed: LightGBM's seed.
        rows_per_leaf: Fewest training rows in a leaf; LightGBM's own default of 20 hardly splits a hundred rows.
        leaves: Most leaves of a tree.
        trees: Number of trees.
        learning_rate: Share of each tree that is added.
    """

    def __init__(
        self, seed: int, *, rows_per_leaf: int = 20, leaves: int = 31, trees: int = 100, learning_rate: float = 0.1
    ) -> None:
        self._trees = trees
        self._parameters = {
            "objective": "regression",
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": 1,
            "verbosity": -1,
            "min_data_in_leaf": rows_per_leaf,
            "num_leaves": leaves,
            "learning_rate": learning_rate,
        }

    def fit(self, features: Features, targets: Values) -> None:
        """Boosts the trees."""
        data = lightgbm.Dataset(features, targets, params={"verbosity": -1}, free_raw_data=True)
        self._booster = lightgbm.train(self._parameters, data, num_boost_round=self._trees)

    def predict(self, features: Features) -> Values:
        """Sum of the trees."""
        return np.asarray(self._booster.predict(features, num_threads=1), dtype=np.float64)


def _with_constant(features: Values) -> Values:
    return np.concatenate([np.ones((len(features), 1)), features], axis=1)


def _cubed_distances(rows: Values, centres: Values) -> Values:
    squared = (rows**2).sum(axis=1)[:, None] + (centres**2).sum(axis=1) - 2.0 * rows @ centres.T
    return np.asarray(np.maximum(squared, 0.0) ** 1.5, dtype=np.float64)
