"""The comparison set: regressors of well-known libraries on features of codes, with settings that suit small archives.

Every one learns targets of mean 0 and standard deviation 1: support vectors with their usual tolerance of 0.1 would
otherwise see a constant, and a Gaussian process a wrong prior.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel
from sklearn.svm import SVR

from mosegedge.search.predictors.description import CodeDescription, Codes, Values
from mosegedge.search.predictors.encoding import Encoder, Scaler
from mosegedge.search.predictors.interface import CodePredictor
from mosegedge.search.predictors.scaling import TargetScale
from mosegedge.search.predictors.teachers import CubicRbf, DecisionTree, GradientBoosting, Teacher
from mosegedge.search.predictors.threads import one_blas_thread


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A regressor and what it sees.

    Attributes:
        features: Of canonical or other codes.
        make: A regressor with a seed.
        scaled: Whether the aggregates, which come after the one-hot columns, are brought to mean 0 and standard
            deviation 1.
    """

    features: Callable[[Encoder, Codes], Values]
    make: Callable[[int], Teacher]
    scaled: bool = False


class Regressor(CodePredictor):
    """A predictor made from a recipe.

    Args:
        description: Of the codes.
        name: One of `RECIPES`.
        rng: Source of the seed.
    """

    def __init__(self, description: CodeDescription, name: str, rng: np.random.Generator) -> None:
        super().__init__(description)
        self.name = name
        self._recipe = RECIPES[name]
        self._rng = rng

    def _fit(self, codes: Codes, y: Values) -> None:
        features = self._recipe.features(self._encoder, codes)
        self._scaler = self._scaler_for(features)
        self._scale = TargetScale.of(y)
        self._regressor = self._recipe.make(int(self._rng.integers(2**31)))
        with one_blas_thread(), warnings.catch_warnings():
            # A length scale at its bound is no fault: the position simply does not matter.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._regressor.fit(self._scaler(features), self._scale(y))

    def _scaler_for(self, features: Values) -> Scaler:
        plain = features.shape[1] if not self._recipe.scaled else self._encoder.columns
        scaler, column = Scaler.of(features), np.arange(features.shape[1])
        return Scaler(np.where(column < plain, 0.0, scaler.mean), np.where(column < plain, 1.0, scaler.sd))

    def _predict(self, codes: Codes) -> Values:
        if not len(codes):
            return np.zeros(0)
        features = self._scaler(self._recipe.features(self._encoder, codes))
        with one_blas_thread():
            return self._scale.back(np.asarray(self._regressor.predict(features), dtype=np.float64))


class Kriging(Regressor):
    """A Gaussian process with one length scale for all columns, as usual in surrogate modelling.

    Args:
        description: Of the codes.
        rng: Not used; nothing in it is random.
    """

    def __init__(self, description: CodeDescription, rng: np.random.Generator) -> None:
        super().__init__(description, "kriging", rng)

    def predict_with_std(self, codes: Codes) -> tuple[Values, Values]:
        """Means and standard deviations in the unit of the targets, without the noise of one more evaluation."""
        codes = self._askable(codes)
        if not len(codes):
            return np.zeros(0), np.zeros(0)
        features = self._scaler(self._recipe.features(self._encoder, codes))
        assert isinstance(self._regressor, GaussianProcessRegressor)
        with one_blas_thread():
            mean, sd = self._regressor.predict(features, return_std=True)
        noise = self._regressor.kernel_.k2.noise_level
        return self._scale.back(mean), self._scale.sd * np.sqrt(np.maximum(sd**2 - noise, 0.0))


def _kriging(seed: int) -> GaussianProcessRegressor:
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * RBF(5.0, (0.1, 1e3)) + WhiteKernel(0.02, (1e-4, 1.0))
    return GaussianProcessRegressor(kernel, random_state=seed)


def _svr(seed: int) -> SVR:
    regressor = SVR(C=10.0, epsilon=0.05, gamma="auto")
    regressor.random_state = seed  # it would draw one, which it has no use for, from numpy's global generator
    return regressor


RECIPES: dict[str, Recipe] = {
    "rbf": Recipe(features=Encoder.one_hot, make=lambda _: CubicRbf()),
    "kriging": Recipe(features=Encoder.one_hot, make=_kriging),
    "svr": Recipe(features=Encoder.features, make=_svr, scaled=True),
    "tree": Recipe(features=Encoder.one_hot, make=DecisionTree),
    "lightgbm": Recipe(
        features=lambda encoder, codes: np.concatenate([encoder.numbers(codes), encoder.aggregates(codes)], axis=1),
        make=lambda seed: GradientBoosting(seed, rows_per_leaf=5, leaves=8, trees=300, learning_rate=0.05),
    ),
    "lightgbm-defaults": Recipe(features=Encoder.plain_one_hot, make=GradientBoosting),
    "forest": Recipe(
        features=Encoder.numbers,
        make=lambda seed: RandomForestRegressor(n_estimators=300, random_state=seed, n_jobs=1),
    ),
}
