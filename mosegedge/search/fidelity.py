"""How well a predictor orders networks that it has not seen: Kendall's tau on a part of the archive left out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau

from mosegedge.search.config import SearchConfig
from mosegedge.search.domain import Domain
from mosegedge.search.predictors.interface import Predictor
from mosegedge.search.predictors.teachers import GradientBoosting
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_FEWEST_ROWS = 10


def kendall_tau(expected: Floats, found: Floats) -> float | None:
    """Rank correlation rounded to four digits; None where there are fewer than two values or all are equal."""
    if len(found) < 2 or not np.ptp(expected) or not np.ptp(found):
        return None
    return round(float(kendalltau(expected, found).statistic), 4)


def held_out_taus(
    domain: Domain,
    config: SearchConfig,
    predictor_for: Callable[[Domain, SearchConfig, np.random.Generator], Predictor],
    codes: Codes,
    miou: Floats,
    rng: np.random.Generator,
) -> dict[str, float | int | None]:
    """Fits on most of the archive and orders the rest; LightGBM with its defaults and log FLOPs are set beside it.

    Returns:
        Tau by predictor and the number of rows left out; empty where the archive is too small or nothing is to be
        left out.
    """
    count = round(config.held_out * len(codes))
    if count < 2 or len(codes) - count < _FEWEST_ROWS:
        return {}
    order = rng.permutation(len(codes))
    test, train = order[:count], order[count:]
    predictor = predictor_for(domain, config, rng)
    predictor.fit(codes[train], miou[train])
    boosting = GradientBoosting(seed=0)
    boosting.fit(domain.one_hot(codes[train]), miou[train])
    return {
        "rows": count,
        "predictor": kendall_tau(predictor.predict(codes[test]), miou[test]),
        "lightgbm": kendall_tau(boosting.predict(domain.one_hot(codes[test])), miou[test]),
        "log_flops": kendall_tau(np.log(domain.space.flops(codes[test])), miou[test]),
    }
