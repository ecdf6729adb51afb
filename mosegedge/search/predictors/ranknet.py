"""RankNet as a small ensemble: networks that order networks, taught by a Gaussian process.

The paper's idea (a ranking loss, synthetic data labelled by teachers) with what proved better in measurements: masked
one-hot features with aggregates, a logistic loss on few random pairs instead of a margin on all, no sigmoid, four small
networks in batched tensors instead of a large one, and one Gaussian process as the teacher. A network trained on order
alone spreads its scores evenly, which accuracies are not; the map back to their unit is therefore no straight line (on
real archives that halves the errors), and does not change the order.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi

import numpy as np
import torch

from mosegedge.errors import UsageError
from mosegedge.search.predictors.calibration import Quantiles
from mosegedge.search.predictors.description import CodeDescription, Codes, Values
from mosegedge.search.predictors.encoding import Scaler
from mosegedge.search.predictors.evidence import Hyperparameters
from mosegedge.search.predictors.gp import GaussianProcess
from mosegedge.search.predictors.interface import CodePredictor
from mosegedge.search.predictors.layers import first_weights, forward
from mosegedge.search.predictors.scaling import TargetScale
from mosegedge.search.predictors.threads import one_torch_thread

_ROWS_AT_ONCE = 2048


@dataclass(frozen=True, kw_only=True)
class EnsembleSettings:
    """Hyperparameters of the ensemble.

    Attributes:
        nets: Number of networks.
        layers: Hidden layers of each.
        neurons: Width of each hidden layer.
        steps: Full-batch steps.
        learning_rate: At the start; it falls to 0 along a cosine.
        shifts: Pairs that each row is in, in each step.
        pool: Synthetic rows that the teacher labels; each step gives each network as many of them as there are real
            ones. 0 trains without a teacher.
    """

    nets: int = 4
    layers: int = 2
    neurons: int = 64
    steps: int = 120
    learning_rate: float = 5e-3
    shifts: int = 8
    pool: int = 2000

    def __post_init__(self) -> None:
        for name, least in (("nets", 1), ("layers", 1), ("neurons", 1), ("steps", 1), ("shifts", 1), ("pool", 0)):
            if getattr(self, name) < least:
                raise UsageError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if not 0 < self.learning_rate < float("inf"):
            raise UsageError(f"learning_rate is {self.learning_rate}; it must be a positive number.")


class RankNet(CodePredictor):
    """An ensemble that orders networks; its scores are calibrated to the unit of the targets.

    It computes on one thread, so that a fit does not depend on the number of cores, and draws from `rng` only.

    Args:
        description: Of the codes.
        rng: Source of the first weights, the synthetic rows and the pairs.
        settings: Hyperparameters.
        start: Hyperparameters that the teacher starts from, see `GaussianProcess`.

    Example:
        >>> ranknet = RankNet(description, np.random.default_rng(0)).fit(codes, miou)
        >>> best = others[ranknet.predict(others).argmax()]
    """

    name = "ranknet"

    def __init__(
        self,
        description: CodeDescription,
        rng: np.random.Generator,
        settings: EnsembleSettings = EnsembleSettings(),
        *,
        start: Hyperparameters | None = None,
    ) -> None:
        super().__init__(description)
        self._rng = rng
        self._settings = settings
        self._teacher = GaussianProcess(description, start=start)
        self._weights: list[torch.Tensor] = []
        self._scaler: Scaler
        self._mean: Values
        self._sd: Values
        self._calibration = Quantiles(np.zeros(2), np.zeros(2))

    @property
    def hyperparameters(self) -> Hyperparameters:
        """What the last fit of the teacher found."""
        return self._teacher.hyperparameters

    def _fit(self, codes: Codes, y: Values) -> None:
        features = self._encoder.features(codes)
        self._scaler = Scaler.of(features)
        pool = self.description.sample(self._settings.pool, self._rng)
        labels = self._teacher.fit(codes, y).predict(pool) if len(pool) else np.zeros(0)
        scale = TargetScale.of(y)
        with one_torch_thread():
            self._train(self._tensor(codes), _tensor(scale(y)), self._tensor(pool), _tensor(scale(labels)))
        raw = self._raw_scores(codes)
        self._mean, self._sd = raw.mean(axis=1, keepdims=True), raw.std(axis=1, keepdims=True)
        self._sd = np.where(self._sd > 0, self._sd, 1.0)
        self._calibration = Quantiles(self._score(codes), y)

    def _predict(self, codes: Codes) -> Values:
        return self._calibration(self._score(codes))

    def _score(self, codes: Codes) -> Values:
        """Mean over the networks of scores that have mean 0 and standard deviation 1 on the training rows."""
        return np.asarray(((self._raw_scores(codes) - self._mean) / self._sd).mean(axis=0))

    def _raw_scores(self, codes: Codes) -> Values:
        """Nets x N."""
        rows = self._tensor(codes)
        with torch.no_grad(), one_torch_thread():
            parts = [
                forward(self._weights, part.expand(self._settings.nets, -1, -1))[:, :, 0]
                for part in torch.split(rows, _ROWS_AT_ONCE)
            ]
            return torch.cat(parts, dim=1).numpy().astype(np.float64)

    def _tensor(self, codes: Codes) -> torch.Tensor:
        return _tensor(self._scaler(self._encoder.features(codes)))

    def _train(self, real_x: torch.Tensor, real_y: torch.Tensor, pool_x: torch.Tensor, pool_y: torch.Tensor) -> None:
        settings, rows = self._settings, len(real_x)
        weights = first_weights([real_x.shape[1], *[settings.neurons] * settings.layers, 1], settings.nets, self._rng)
        generator = torch.Generator().manual_seed(int(self._rng.integers(2**63)))
        optimizer = torch.optim.Adam(weights, lr=settings.learning_rate)
        x, y = real_x.expand(settings.nets, -1, -1), real_y.expand(settings.nets, -1)
        for step in range(settings.steps):
            optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 + cos(pi * step / settings.steps)) / 2
            batch_x, batch_y = x, y
            if len(pool_x):
                drawn = torch.randint(len(pool_x), (settings.nets, rows), generator=generator)
                batch_x, batch_y = torch.cat([x, pool_x[drawn]], dim=1), torch.cat([y, pool_y[drawn]], dim=1)
            shifts = torch.randint(1, batch_y.shape[1], (settings.shifts,), generator=generator)
            optimizer.zero_grad()
            _logistic_loss(forward(weights, batch_x)[:, :, 0], batch_y, shifts).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        self._weights = [weight.requires_grad_(False) for weight in weights]


def _logistic_loss(scores: torch.Tensor, targets: torch.Tensor, shifts: torch.Tensor) -> torch.Tensor:
    """Of the pairs of each row with the rows that stand `shifts` further on; ties neither pull nor push."""
    count = scores.shape[1]
    partners = (torch.arange(count) + shifts[:, None]) % count
    order = torch.sign(targets[:, None] - targets[:, partners])
    return torch.nn.functional.softplus(-order * (scores[:, None] - scores[:, partners])).mean()


def _tensor(values: Values) -> torch.Tensor:
    return torch.from_numpy(values.astype(np.float32))
