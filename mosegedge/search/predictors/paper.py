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
6. Scores are mapped back to the unit of the targets before anything else sees them (see `Quantiles`). The sigmoid
   saturates, so its outputs are an order, not an accuracy, and a hypervolume of them would mean nothing. The mapping
   starts from the value before the sigmoid, where large scores still differ in 32-bit arithmetic.
7. The three hidden layers have 300 neurons each; the paper's "3 / 300" leaves open whether that is each or in total.

As in the paper, digits are one-hot encoded as they stand: where a code space does not pad switched-off positions with
0, their digits are seen. The network can also be built up part by part, as in the paper's Table VI: digits instead of
the one-hot form, squared errors instead of the ranking loss, no synthetic data.
"""

from __future__ import annotations

from dataclasses import replace
from math import cos, pi
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.calibration import Quantiles
from mosegedge.search.predictors.description import CodeDescription, Codes, Values
from mosegedge.search.predictors.interface import CodePredictor
from mosegedge.search.predictors.layers import first_weights, forward
from mosegedge.search.predictors.scaling import TargetScale
from mosegedge.search.predictors.teachers import CubicRbf, DecisionTree, GradientBoosting, Teacher
from mosegedge.search.predictors.threads import one_blas_thread, one_torch_thread

Encoding = Literal["one-hot", "digits"]
Loss = Literal["ranking", "squared"]
Features = NDArray[np.float32]


class PaperRankNet(CodePredictor):
    """The paper's accuracy predictor.

    It computes on one thread, so that a fit does not depend on the number of cores, and draws from `rng` only.

    Args:
        description: Of the codes.
        rng: Source of the first weights and of the synthetic rows.
        settings: Hyperparameters; with `synthetic_share` 0 it learns without teachers.
        encoding: What the network sees of a code.
        loss: What it is trained for.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> description = describe(Domain(SearchSpace.load("nano")))
        >>> codes = description.sample(60, rng)
        >>> ranknet = PaperRankNet(description, rng, RankNetSettings(epochs=20)).fit(codes, codes.mean(axis=1))
        >>> ranknet.predict(codes).shape
        (60,)
    """

    name = "ranknet-paper"

    def __init__(
        self,
        description: CodeDescription,
        rng: np.random.Generator,
        settings: RankNetSettings = RankNetSettings(),  # noqa: B008 - frozen
        *,
        encoding: Encoding = "one-hot",
        loss: Loss = "ranking",
    ) -> None:
        super().__init__(description)
        self._rng = rng
        self._settings = settings
        self._encoding = encoding
        self._loss = _ranking_loss if loss == "ranking" else _squared_loss
        self._weights: list[torch.Tensor] = []
        self._calibration = Quantiles(np.zeros(2), np.zeros(2))

    def _fit(self, codes: Codes, y: Values) -> None:
        low, span = y.min(), np.ptp(y)
        scaled = (y - low) / span if span else np.zeros(len(y))
        features = self._features(codes)
        with one_torch_thread(), one_blas_thread():
            synthetic, labels = self._synthetic(features, scaled)
            if self._loss is _squared_loss:  # the first, random outputs must be small beside the targets
                scale = TargetScale.of(scaled)
                scaled, labels = scale(scaled), scale(labels)
            self._train(features, scaled, synthetic, labels)
        self._calibration = Quantiles(self._score(codes), y)

    def _predict(self, codes: Codes) -> Values:
        return self._calibration(self._score(codes))

    def _score(self, codes: Codes) -> Values:
        features = torch.from_numpy(self._features(codes))
        with torch.no_grad(), one_torch_thread():
            return forward(self._weights, features)[:, 0].numpy().astype(np.float64)

    def _features(self, codes: Codes) -> Features:
        rows = self._encoder.plain_one_hot(codes) if self._encoding == "one-hot" else codes
        return rows.astype(np.float32)

    def _synthetic(self, features: Features, targets: Values) -> tuple[Features, Values]:
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
        rows = self._features(self.description.sample(count, self._rng))
        teacher_of_row = self._rng.integers(len(teachers), size=count)
        labels = np.zeros(count)
        for number, teacher in enumerate(teachers):
            teacher.fit(features, targets)
            chosen = teacher_of_row == number
            labels[chosen] = teacher.predict(rows[chosen])
        return rows, np.clip(labels, 0.0, 1.0)

    def _train(self, features: Features, targets: Values, synthetic: Features, labels: Values) -> None:
        settings = self._settings
        widths = [features.shape[1], *[settings.neurons] * settings.layers, 1]
        self._weights = first_weights(widths, 0, self._rng)
        optimizer = torch.optim.Adam(self._weights, lr=settings.learning_rate)
        real_x, real_y = torch.from_numpy(features), torch.from_numpy(targets.astype(np.float32))
        extra_x, extra_y = torch.from_numpy(synthetic), torch.from_numpy(labels.astype(np.float32))
        count = len(synthetic) // settings.epochs
        for epoch in range(settings.epochs):
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 + cos(pi * epoch / settings.epochs)) / 2
            rows = slice(epoch * count, (epoch + 1) * count)
            x, y = torch.cat([real_x, extra_x[rows]]), torch.cat([real_y, extra_y[rows]])
            optimizer.zero_grad()
            self._loss(forward(self._weights, x)[:, 0], y, settings.margin).backward()  # type: ignore[no-untyped-call]
            with torch.no_grad():
                for weight in self._weights:
                    weight.mul_(1 - settings.weight_decay)
            optimizer.step()
        for weight in self._weights:
            weight.requires_grad_(False)


class Mlp(PaperRankNet):
    """The paper's baseline: the same network trained for squared errors, without teachers.

    Args:
        description: Of the codes.
        rng: Source of the first weights.
        settings: Hyperparameters; `margin` and `synthetic_share` play no part.
    """

    name = "mlp"

    def __init__(
        self,
        description: CodeDescription,
        rng: np.random.Generator,
        settings: RankNetSettings = RankNetSettings(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__(description, rng, replace(settings, synthetic_share=0.0), loss="squared")


def _ranking_loss(scores: torch.Tensor, targets: torch.Tensor, margin: float) -> torch.Tensor:
    order = torch.sign(targets[:, None] - targets)
    scores = torch.sigmoid(scores)
    return (margin - order * (scores[:, None] - scores)).relu().sum() / (2 * len(targets))


def _squared_loss(scores: torch.Tensor, targets: torch.Tensor, margin: float) -> torch.Tensor:  # noqa: ARG001
    return (scores - targets).square().mean()
