"""A Gaussian process over codes: masked Hamming distances, aggregates, and a linear part.

Covariance of two networks:

    linear F F' + matern M52(sum over groups g of weight_g D_g),    M52 = (1 + r + r^2 / 3) exp(-r),  r = sqrt(5 q)

F are all features (masked one-hot and aggregates, standardised) over the root of their number. For a group of positions
D_g counts the digits that differ, a position that is switched off in only one of the networks counting half; for an
aggregate it is the squared half difference of the standardised values. All variances and weights are fitted by
maximising the likelihood times a log-normal prior, which keeps small archives from over-fitting. There are two kinds
of maxima, with a linear trend and without: the fit climbs from a start for each, to the end, and takes the higher one.
On what a search evaluates the other one, or too few steps, make the accuracies of whole batches look too high.
"""

from __future__ import annotations

import numpy as np

from mosegedge.search.predictors.description import CodeDescription, Codes, Values
from mosegedge.search.predictors.encoding import Scaler
from mosegedge.search.predictors.evidence import Evidence, Hyperparameters
from mosegedge.search.predictors.interface import CodePredictor
from mosegedge.search.predictors.posterior import Posterior
from mosegedge.search.predictors.scaling import TargetScale
from mosegedge.search.predictors.threads import one_blas_thread

_MOST_ROWS = 1000
_ROWS_AT_ONCE = 1024


class GaussianProcess(CodePredictor):
    """Predicts accuracies with their standard deviations; nothing in it is random.

    The memory of the fit of the hyperparameters grows with the square of the rows and its time with the cube; beyond
    1000 rows they are fitted to evenly chosen ones, and the process then learns from all.

    Args:
        description: Of the codes.
        start: Hyperparameters to start from alone, those of an earlier fit to nearly the same data.
        iterations: Steps of the fit at most; it ends earlier where they no longer help.

    Example:
        >>> process = GaussianProcess(description).fit(codes, miou)
        >>> mean, sd = process.predict_with_std(others)
        >>> refit = GaussianProcess(description, start=process.hyperparameters).fit(more_codes, more_miou)
    """

    name = "gp"

    def __init__(
        self, description: CodeDescription, *, start: Hyperparameters | None = None, iterations: int = 100
    ) -> None:
        super().__init__(description)
        self._start = start
        self._iterations = iterations
        self._scaler: Scaler
        self._scale: TargetScale
        self._posterior: Posterior

    @property
    def hyperparameters(self) -> Hyperparameters:
        """What the last fit found."""
        self._require_fitted()
        return self._posterior.hyperparameters

    def predict_with_std(self, codes: Codes) -> tuple[Values, Values]:
        """Means and standard deviations in the unit of the targets.

        The deviation is that of the accuracy itself; the noise of one more evaluation is not in it.
        """
        chunks = self._chunks(self._askable(codes))
        with one_blas_thread():
            parts = [self._posterior.mean_and_variance(rows) for rows in chunks]
        mean = np.concatenate([np.zeros(0), *(part[0] for part in parts)])
        variance = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
        return self._scale.back(mean), self._scale.sd * np.sqrt(variance)

    def _fit(self, codes: Codes, y: Values) -> None:
        features = self._encoder.features(codes)
        self._scaler, self._scale = Scaler.of(features), TargetScale.of(y)
        rows, targets = self._scaler(features), self._scale(y)
        chosen = np.unique(np.linspace(0, len(y) - 1, min(len(y), _MOST_ROWS)).round().astype(np.int64))
        with one_blas_thread():
            groups = self._groups(rows[chosen])
            evidence = Evidence(rows[chosen] / np.sqrt(rows.shape[1]), groups, targets[chosen])
            starts = [Hyperparameters.start(len(groups), trend=trend) for trend in (True, False)]
            found = evidence.maximise([self._start] if self._start else starts, self._iterations)
            self._posterior = Posterior.of(found, self._factors(found), rows, targets)

    def _predict(self, codes: Codes) -> Values:
        with one_blas_thread():
            chunks = [self._posterior.mean(rows) for rows in self._chunks(codes)]
        return self._scale.back(np.concatenate([np.zeros(0), *chunks]))

    def _chunks(self, codes: Codes) -> list[Values]:
        """Standardised features, in parts whose distances to the data fit into a cache."""
        rows = self._scaler(self._encoder.features(codes))
        return [rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE)]

    def _groups(self, rows: Values) -> list[Values]:
        """Coordinates of each group of positions, then of each aggregate, before they are weighted."""
        units = self._units
        positions = [rows[:, columns] * units[columns] for columns in self._encoder.groups]
        return positions + [rows[:, [column]] * units[column] for column in range(self._encoder.columns, len(units))]

    def _factors(self, found: Hyperparameters) -> Values:
        """What each standardised feature is multiplied by to become a coordinate."""
        groups = self._encoder.groups
        weights = np.array(found.weights)
        of_column = np.empty(len(self._units))
        for columns, weight in zip(groups, weights[: len(groups)], strict=True):
            of_column[columns] = weight
        of_column[self._encoder.columns :] = weights[len(groups) :]
        return np.asarray(self._units * np.sqrt(of_column))

    @property
    def _units(self) -> Values:
        """Undoes the standardisation of one-hot columns, which then differ by 1 / root 2; halves aggregates."""
        sd = self._scaler.sd
        return np.where(np.arange(len(sd)) < self._encoder.columns, sd / np.sqrt(2.0), 0.5)
