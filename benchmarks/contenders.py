"""The predictors that `benchmarks.predictors` compares, by the names in its tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.archives import Evaluations
from mosegedge.errors import UsageError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.description import Codes, Values
from mosegedge.search.predictors.interface import Predictor
from mosegedge.search.predictors.paper import Encoding, Loss, PaperRankNet
from mosegedge.search.predictors.ranknet import EnsembleSettings, RankNet
from mosegedge.search.predictors.registry import PREDICTORS, make_predictor, require_predictor

NO_SYNTHETIC = "ranknet-paper, no synthetic data"
LOG_FLOPS = "log FLOPs"
COMPARISON = (*PREDICTORS[:3], NO_SYNTHETIC, *PREDICTORS[3:], LOG_FLOPS)


@dataclass(frozen=True)
class Step:
    """One row of the development of RankNet.

    Attributes:
        encoding: What the network sees of a code.
        loss: What it is trained for.
        synthetic_share: Synthetic rows, relative to the real ones.
    """

    encoding: Encoding
    loss: Loss
    synthetic_share: float


STEPS = {
    "digits, squared errors": Step("digits", "squared", 0.0),
    "one-hot": Step("one-hot", "squared", 0.0),
    "ranking loss": Step("digits", "ranking", 0.0),
    "synthetic data": Step("digits", "squared", 0.5),
    "one-hot, ranking loss": Step("one-hot", "ranking", 0.0),
    "one-hot, ranking loss, synthetic data": Step("one-hot", "ranking", 0.5),
}
ENSEMBLE_ALONE = "ensemble on masked features, no teacher"
ENSEMBLE = "ensemble on masked features, GP teacher"
DEVELOPMENT = (*STEPS, ENSEMBLE_ALONE, ENSEMBLE)


class LogFlops:
    """Orders networks by the logarithm of their multiply-adds and learns nothing but their unit.

    Args:
        data: Knows the multiply-adds of its own codes; no others can be asked for.
    """

    def __init__(self, data: Evaluations) -> None:
        self._of = {code.tobytes(): value for code, value in zip(data.codes, data.log_flops, strict=True)}

    def fit(self, codes: Codes, y: Values) -> object:
        """A straight line through the training rows, falling ones excluded."""
        x = self._values(codes)
        slope = max(float(np.cov(x, y)[0, 1] / max(float(x.var(ddof=1)), 1e-12)), 1e-6)
        self._line = slope, float(y.mean()) - slope * float(x.mean())
        return self

    def predict(self, codes: Codes) -> Values:
        """Values on the line."""
        return np.asarray(self._line[1] + self._line[0] * self._values(codes))

    def _values(self, codes: Codes) -> Values:
        return np.array([self._of[code.tobytes()] for code in codes])


def contender(name: str, data: Evaluations, rng: np.random.Generator) -> Predictor:
    """The predictor of that name, which has learned nothing yet."""
    if name == LOG_FLOPS:
        return LogFlops(data)
    if name == NO_SYNTHETIC:
        return PaperRankNet(data.description, rng, RankNetSettings(synthetic_share=0.0))
    if name in STEPS:
        step = STEPS[name]
        settings = RankNetSettings(synthetic_share=step.synthetic_share)
        return PaperRankNet(data.description, rng, settings, encoding=step.encoding, loss=step.loss)
    if name in (ENSEMBLE, ENSEMBLE_ALONE):
        return RankNet(data.description, rng, EnsembleSettings(pool=2000 if name == ENSEMBLE else 0))
    return make_predictor(name, data.description, rng)


def named(text: str) -> tuple[str, ...]:
    """Names of predictors as a user writes them, with commas.

    Raises:
        UsageError: One of them does not exist.
    """
    short = {"log-flops": LOG_FLOPS, "ranknet-paper-alone": NO_SYNTHETIC}
    names = tuple(short.get(name.strip(), name.strip()) for name in text.split(",") if name.strip())
    for name in names:
        if name not in short.values():
            require_predictor(name)
    if not names:
        raise UsageError("--predictors names none.")
    return names
