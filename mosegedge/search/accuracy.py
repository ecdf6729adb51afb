"""The accuracy predictor of a search, as its settings name it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError
from mosegedge.search.config import SearchConfig
from mosegedge.search.domain import Domain
from mosegedge.search.exploration import text_of
from mosegedge.search.predictors.interface import Predictor, UncertainPredictor
from mosegedge.search.predictors.registry import make_predictor
from mosegedge.search.predictors.spaces import describe
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
PredictorFor = Callable[[Domain, SearchConfig, np.random.Generator], Predictor]

WITH_DEVIATIONS = ("gp", "kriging")
"""Predictors that know how sure they are."""


def predictor_for(domain: Domain, config: SearchConfig, rng: np.random.Generator) -> Predictor:
    """A predictor that has learned nothing yet."""
    return make_predictor(config.predictor, describe(domain), rng, paper=config.ranknet)


def require_deviations(predictor: Predictor, config: SearchConfig) -> None:
    """Raises UsageError where the settings need standard deviations that the predictor does not have."""
    needed = max(config.exploration) > 0 or config.prescreen.strategy == "ehvi"
    if needed and not isinstance(predictor, UncertainPredictor):
        raise UsageError(
            f"The predictor {config.predictor} has no standard deviation, which "
            + ("the pre-screening ehvi needs." if config.prescreen.strategy == "ehvi" else "an exploration needs."),
            known=f"exploration is {text_of(config.exploration)}, the pre-screening {config.prescreen.strategy}.",
            fix="Use --exploration 0 and --prescreen hypervolume, or --predictor gp.",
        )


def mean_and_deviation(predictor: Predictor, codes: Codes) -> tuple[Floats, Floats | None]:
    """Predicted accuracies, and their standard deviations where the predictor knows them."""
    if isinstance(predictor, UncertainPredictor):
        return predictor.predict_with_std(codes)
    return predictor.predict(codes), None


def optimistic(predictor: Predictor, codes: Codes, exploration: float) -> Floats:
    """Predicted accuracies plus some standard deviations."""
    if not exploration or not isinstance(predictor, UncertainPredictor):
        return predictor.predict(codes)
    mean, sd = predictor.predict_with_std(codes)
    return np.asarray(mean + exploration * sd)
