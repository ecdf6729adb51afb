"""RankNet as in the paper (section III-C, Algorithm 3): a network that orders architectures by accuracy.

Deviations from the paper, each with its reason:

1. Equation (5) is used with the roles of targets and predictions exchanged, max(0, margin - sign(y_i - y_j)
   (s_i - s_j)): as printed, predictions enter only through a sign, so the gradient is zero everywhere. Ties have
   sign 0.
2. Adam instead of plain gradient descent (Algorithm 3, line 16): at the paper's learning rate of 8e-4, 500 plain
   full-batch steps leave the network far from trained. The cosine schedule and the decay (1 - lambda) w stay.
3. Weight decay is Table I's 1e-5; the text below equation (6) says 2.5e-4.
4. "A small set" of synthetic data is half as many rows as there are real ones, drawn anew in every epoch, each row
   labelled by one teacher drawn at random; labels are clipped to the range 0..1 of the scaled targets, since an
   interpolating teacher can be far off between its centres.
5. The RBF teacher has a cubic kernel and a linear tail, solved by least squares; LightGBM may put 5 rows in a leaf
   instead of 20, or it would hardly split the small archives that a search starts from.
6. Scores are mapped back to the unit of the targets before anything else sees them (see `_Calibration`). The sigmoid
   saturates, so its outputs are an order, not an accuracy, and a hypervolume of them would mean nothing. The mapping
   starts from the value before the sigmoid, where large scores still differ in 32-bit arithmetic.
7. The three hidden layers have 300 neurons each; the paper's "3 / 300" leaves open whether that is each or in total.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from math import cos, pi
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from mosegedge.errors import SearchError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.teachers import CubicRbf, DecisionTree, GradientBoosting, Teacher, Values
from mosegedge.space.codes import Codes

_FEWEST_ROWS = 5


class CodeSpace(Protocol):
    """What a predictor must know about codes; `Domain` and `SearchSpace` are such, other spaces can be."""

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Random codes."""

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """Features of codes, N x D."""


class Predictor(Protocol):
    """Learns the accuracy of networks from their codes."""

    def fit(self, codes: Codes, targets: Values) -> None:
        """Learns from evaluated networks."""

    def predict(self, codes: Codes) -> Values:
        """Accuracy of networks, in the unit of the targets."""


class RankNet:
    """The paper's accuracy predictor, scikit-learn style.

    It computes on one thread, so that a fit does not depend on the number of cores, and draws from `rng` only.

    Args:
        space: Samples and encodes codes.
        settings: Hyperparameters.
        rng: Source of the first weights and of the synthetic rows.

    Example:
        >>> space = SearchSpace.load("nano")
        >>> rng = np.random.default_rng(0)
        >>> codes = space.sample(60, rng)
        >>> ranknet = RankNet(space, RankNetSettings(epochs=20), rng)
        >>> ranknet.fit(codes, space.flops(codes).astype(float))
        >>> ranknet.predict(codes).shape
        (60,)
    """

    def __init__(self, space: CodeSpace, settings: RankNetSettings, rng: np.random.Generator) -> None:
        self._space = space
        self._settings = settings
        self._rng = rng
        self._weights: list[torch.Tensor] = []
        self._calibration = _Calibration(np.zeros(2), np.zeros(2))

    def fit(self, codes: Codes, targets: Values) -> None:
        """Trains the network on N codes and their accuracies.

        Raises:
            SearchError: There are too few rows to learn from.
        """
        if len(codes) < _FEWEST_ROWS:
            raise SearchError(
                f"RankNet was given {len(codes)} evaluated networks.",
                known=f"It needs at least {_FEWEST_ROWS}.",
                fix="Start the search with a larger --initial.",
            )
        targets = np.asarray(targets, dtype=np.float64)
        low, span = targets.min(), np.ptp(targets)
        scaled = (targets - low) / span if span else np.zeros(len(targets))
        features = self._space.one_hot(codes)
        synthetic, labels = self._synthetic(features, scaled)
        with _one_thread():
            self._train(features, scaled, synthetic, labels)
        self._calibration = _Calibration(self._score(codes), targets)

    def predict(self, codes: Codes) -> Values:
        """Accuracies of N codes, in the unit of the targets that `fit` was given."""
        if not self._weights:
            raise SearchError("RankNet was asked for a prediction before it was fitted.")
        return self._calibration(self._score(codes))

    def _score(self, codes: Codes) -> Values:
        features = torch.from_numpy(self._space.one_hot(codes))
        with torch.no_grad(), _one_thread():
            return _forward(self._weights, features).numpy().astype(np.float64)

    def _synthetic(self, features: NDArray[np.float32], targets: Values) -> tuple[NDArray[np.float32], Values]:
        """Rows and labels of all epochs, in one table: teachers predict much faster in bulk."""
        count = int(len(features) * self._settings.synthetic_share) * self._settings.epochs
        if not count:
            return np.zeros((0, features.shape[1]), dtype=np.float32), np.zeros(0)
        seeds = self._rng.integers(2**31, size=2)
        teachers: list[Teacher] = [
            CubicRbf(),
            DecisionTree(int(seeds[0])),
            GradientBoosting(int(seeds[1]), rows_per_leaf=5),
        ]
        rows = self._space.one_hot(self._space.sample(count, self._rng))
        teacher_of_row = self._rng.integers(len(teachers), size=count)
        labels = np.zeros(count)
        for number, teacher in enumerate(teachers):
            teacher.fit(features, targets)
            chosen = teacher_of_row == number
            labels[chosen] = teacher.predict(rows[chosen])
        return rows, np.clip(labels, 0.0, 1.0)

    def _train(
        self, features: NDArray[np.float32], targets: Values, synthetic: NDArray[np.float32], labels: Values
    ) -> None:
        settings = self._settings
        self._weights = _first_weights(features.shape[1], settings, self._rng)
        optimizer = torch.optim.Adam(self._weights, lr=settings.learning_rate)
        real_x, real_y = torch.from_numpy(features), torch.from_numpy(targets.astype(np.float32))
        extra_x, extra_y = torch.from_numpy(synthetic), torch.from_numpy(labels.astype(np.float32))
        count = len(synthetic) // settings.epochs
        for epoch in range(settings.epochs):
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 + cos(pi * epoch / settings.epochs)) / 2
            rows = slice(epoch * count, (epoch + 1) * count)
            x, y = torch.cat([real_x, extra_x[rows]]), torch.cat([real_y, extra_y[rows]])
            optimizer.zero_grad()
            _ranking_loss(torch.sigmoid(_forward(self._weights, x)), y, settings.margin).backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for weight in self._weights:
                    weight.mul_(1 - settings.weight_decay)
            optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)


class _Calibration:
    """A rising, piecewise linear map from scores to the unit of the targets.

    The k-th smallest training score is mapped to the k-th smallest target. Beyond the ends it goes on with the mean
    slope of the outer quarter, so that a network predicted better than all evaluated ones stays better.
    """

    def __init__(self, scores: Values, targets: Values) -> None:
        knots = np.unique(np.sort(scores), return_index=True)
        self._scores, self._targets = knots[0], np.sort(targets)[knots[1]]
        quarter = max(1, len(self._scores) // 4)
        self._low_slope = self._slope(0, quarter)
        self._high_slope = self._slope(-1 - quarter, -1)

    def __call__(self, scores: Values) -> Values:
        inside = np.interp(scores, self._scores, self._targets)
        below = np.minimum(scores - self._scores[0], 0.0) * self._low_slope
        above = np.maximum(scores - self._scores[-1], 0.0) * self._high_slope
        return np.asarray(inside + below + above, dtype=np.float64)

    def _slope(self, first: int, last: int) -> float:
        if len(self._scores) < 2:
            return 0.0
        rise = self._targets[last] - self._targets[first]
        return float(rise / (self._scores[last] - self._scores[first]))


def _first_weights(inputs: int, settings: RankNetSettings, rng: np.random.Generator) -> list[torch.Tensor]:
    """Uniform in +-1 / sqrt(fan-in), drawn from a generator of its own: torch's global one stays untouched."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    widths = [inputs, *[settings.neurons] * settings.layers, 1]
    weights = []
    for fan_in, fan_out in pairwise(widths):
        for shape in ((fan_in, fan_out), (fan_out,)):
            values = (2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5
            weights.append(values.requires_grad_())
    return weights


def _forward(weights: list[torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    """The value before the sigmoid, one a row."""
    hidden = features
    for layer in range(0, len(weights), 2):
        hidden = torch.addmm(weights[layer + 1], hidden, weights[layer])
        if layer + 2 < len(weights):
            hidden = hidden.relu()
    return hidden[:, 0]


def _ranking_loss(scores: torch.Tensor, targets: torch.Tensor, margin: float) -> torch.Tensor:
    order = torch.sign(targets[:, None] - targets)
    return (margin - order * (scores[:, None] - scores)).relu().sum() / (2 * len(targets))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
