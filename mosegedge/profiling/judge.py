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


def kendall_tau(first: Floats, second: Floats) -> float:
    """Kendall's tau-b; 0 where one side is constant."""
    upper = np.triu_indices(len(first), k=1)
    signs = [np.sign(values[:, None] - values[None, :])[upper] for values in (first, second)]
    return _cosine(signs[0], signs[1])


def spearman(first: Floats, second: Floats) -> float:
    """Spearman's rank correlation, equal values sharing their mean rank; 0 where one side is constant."""
    ranks = [_mean_ranks(values) for values in (first, second)]
    return _cosine(ranks[0] - ranks[0].mean(), ranks[1] - ranks[1].mean())


def _mean_ranks(values: Floats) -> Floats:
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: Floats = (last - (counts - 1) / 2)[places]
    return ranks


def _cosine(first: Floats, second: Floats) -> float:
    """Both correlations are this, of the signs of all pairs and of the centred ranks."""
    length = float(np.sqrt((first @ first) * (second @ second)))
    return float(first @ second) / length if length else 0.0
