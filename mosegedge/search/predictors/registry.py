"""Predictors by name."""

from __future__ import annotations

from difflib import get_close_matches

import numpy as np

from mosegedge.errors import UsageError
from mosegedge.search.config import RankNetSettings
from mosegedge.search.predictors.description import CodeDescription
from mosegedge.search.predictors.evidence import Hyperparameters
from mosegedge.search.predictors.interface import CodePredictor

PREDICTORS = (
    "gp",
    "ranknet",
    "ranknet-paper",
    "rbf",
    "kriging",
    "svr",
    "tree",
    "lightgbm",
    "lightgbm-defaults",
    "forest",
    "mlp",
)


def make_predictor(
    name: str,
    description: CodeDescription,
    rng: np.random.Generator,
    *,
    paper: RankNetSettings = RankNetSettings(),  # noqa: B008 - frozen
    start: Hyperparameters | None = None,
) -> CodePredictor:
    """A predictor that has learned nothing yet.

    Args:
        name: One of `PREDICTORS`.
        description: Of the codes, `describe(domain)` for this project's.
        rng: Everything random is drawn from it.
        paper: Hyperparameters of `ranknet-paper` and `mlp`.
        start: Hyperparameters that `gp`, and the teacher of `ranknet`, start from; those of an earlier fit.

    Raises:
        UsageError: There is no predictor of that name.

    Example:
        >>> predictor = make_predictor("gp", describe(domain), np.random.default_rng(0))
        >>> predictor.fit(codes, miou).predict(others)
    """
    require_predictor(name)
    match name:
        case "gp":
            from mosegedge.search.predictors.gp import GaussianProcess

            return GaussianProcess(description, start=start)
        case "ranknet":
            from mosegedge.search.predictors.ranknet import RankNet

            return RankNet(description, rng, start=start)
        case "ranknet-paper":
            from mosegedge.search.predictors.paper import PaperRankNet

            return PaperRankNet(description, rng, paper)
        case "mlp":
            from mosegedge.search.predictors.paper import Mlp

            return Mlp(description, rng, paper)
        case "kriging":
            from mosegedge.search.predictors.regressors import Kriging

            return Kriging(description, rng)
        case _:
            from mosegedge.search.predictors.regressors import Regressor

            return Regressor(description, name, rng)


def require_predictor(name: str) -> None:
    """Checks a name without loading anything.

    Raises:
        UsageError: There is no predictor of that name.
    """
    if name not in PREDICTORS:
        close = get_close_matches(name, PREDICTORS, n=1)
        raise UsageError(
            f"There is no predictor {name!r}.",
            known=f"There are {', '.join(PREDICTORS)}.",
            fix=f"Did you mean {close[0]}?" if close else "Choose one of them.",
        )
