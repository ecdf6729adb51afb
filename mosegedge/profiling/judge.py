"""How good predictions are on networks that were measured but never fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Predicted against measured.

    Attributes:
        kendall_tau: Rank correlation by pairs.
        spearman: Rank correlation by ranks.
        mape: Mean absolute relative error.
        bias: Mean relative error; positive where predictions are too high.
        worst: Largest absolute relative error.
    """

    kendall_tau: float
    spearman: float
    mape: float
    bias: float
    worst: float


def agreement(predicted: Floats, measured: Floats) -> Agreement:
    """Compares two latencies of each network."""
    relative = predicted / measured - 1
    return Agreement(
        kendall_tau=kendall_tau(predicted, measured),
        spearman=spearman(predicted, measured),
        mape=float(np.mean(np.abs(relative))),
        bias=float(np.mean(relative)),
        worst=float(np.max(np.abs(relative))),
    )


def kendall_tau(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Kendall's tau-b; 0 where one side is constant."""
    from scipy.stats import kendalltau

    return _number(kendalltau(first, second).statistic)


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation; 0 where one side is constant."""
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    from scipy.stats import spearmanr

    return _number(spearmanr(first, second).statistic)


def _number(value: float) -> float:
    return 0.0 if np.isnan(value) else float(value)
