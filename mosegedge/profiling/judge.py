"""How good predictions are on networks that were measured but never fitted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.anchors import Slowdown
from mosegedge.profiling.latency import LatencyModel
from mosegedge.profiling.sections import CertificateSection
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

SDS_OF_90 = 1.6448536269514722
"""Standard deviations on either side of the mean that hold 90 % of a normal distribution."""


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


@dataclass(frozen=True, eq=False, kw_only=True)
class Judged:
    """Networks that a model is judged on.

    Attributes:
        codes: N x 29.
        measured_ms: Their latencies, N.
        halves_ms: The same from either half of the measurement, N x 2; None where they are not known.
    """

    codes: Codes
    measured_ms: Floats
    halves_ms: Floats | None = None


def certify(
    model: LatencyModel,
    judged: Judged,
    entries_ms: Mapping[str, float],
    *,
    source: Literal["held-out", "check"],
    measured: date,
    slowdown: Slowdown | None = None,
) -> CertificateSection | None:
    """Judges a latency model on networks that it was never fitted on; None where there is none.

    Held-out networks were measured in the same rounds as the others, so the device's speed at another time is left out
    of their intervals.

    Args:
        model: The model.
        judged: The networks.
        entries_ms: Isolated layers by their key, for the plain sum beside it; empty where none was measured.
        source: Role of the networks.
        measured: When they were measured.
        slowdown: How much slower the device was then than when it was profiled, where that is known.

    Raises:
        ProfileError: The model does not cover one of the networks.
    """
    space, codes, latency_ms = model.space, judged.codes, judged.measured_ms
    if not len(codes):
        return None
    predicted_ms, sd_ms = (model.meanwhile if source == "held-out" else model).predict(codes)
    flops = space.flops(codes).astype(float)
    halves = None if judged.halves_ms is None else judged.halves_ms.T
    scales = codes[:, SCALE]
    plain = _plain_sum(space, codes, latency_ms, entries_ms) if entries_ms else None
    return CertificateSection(
        source=source,
        measured=measured,
        networks=len(codes),
        **asdict(agreement(predicted_ms, latency_ms)),
        coverage90=inside90(predicted_ms, sd_ms, latency_ms),
        by_scale_kendall_tau=tau_by_scale(scales, predicted_ms, latency_ms),
        flops_kendall_tau=kendall_tau(flops, latency_ms),
        by_scale_flops_kendall_tau=tau_by_scale(scales, flops, latency_ms),
        params_kendall_tau=kendall_tau(space.params(codes).astype(float), latency_ms),
        sum_of_layers_kendall_tau=plain.kendall_tau if plain else None,
        sum_of_layers_mape=plain.mape if plain else None,
        repeatability_kendall_tau=None if halves is None else kendall_tau(*halves),
        by_scale_repeatability_kendall_tau=None if halves is None else tau_by_scale(scales, *halves),
        **_at_this_speed(model, judged, slowdown),
    )


def _at_this_speed(model: LatencyModel, judged: Judged, slowdown: Slowdown | None) -> dict[str, float]:
    """The errors that are left when the device's speed is known; empty where it is not."""
    if slowdown is None:
        return {}
    predicted_ms, sd_ms = model.meanwhile.predict(judged.codes)
    sd_ms = np.hypot(sd_ms, slowdown.relative_se * predicted_ms)
    measured_ms = judged.measured_ms / slowdown.ratio
    return {
        "slowdown": slowdown.ratio,
        "slowdown_se": slowdown.relative_se,
        "mape_at_this_speed": float(np.mean(np.abs(predicted_ms / measured_ms - 1))),
        "coverage90_at_this_speed": inside90(predicted_ms, sd_ms, measured_ms),
    }


def inside90(predicted_ms: Floats, sd_ms: Floats, measured_ms: Floats) -> float:
    """Share of networks inside the 90 % interval of their prediction."""
    return float(np.mean(np.abs(measured_ms - predicted_ms) <= SDS_OF_90 * sd_ms))


def tau_by_scale(scales: NDArray[np.int64], first: Floats, second: Floats) -> dict[str, float]:
    """Kendall's tau among the networks of each scale digit."""
    return {str(scale): kendall_tau(first[scales == scale], second[scales == scale]) for scale in np.unique(scales)}


def _plain_sum(space: SearchSpace, codes: Codes, latency_ms: Floats, entries_ms: Mapping[str, float]) -> Agreement:
    """What adding up isolated layers would have said."""
    sums_ms = [sum(entries_ms[layer.spec.key] for layer in space.layers_of(network)) for network in space.decode(codes)]
    return agreement(np.array(sums_ms), latency_ms)
