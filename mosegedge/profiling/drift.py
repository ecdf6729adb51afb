"""Slow changes of a device while it is measured: found by comparing models with themselves at other times.

Two things are told apart. A *window* is a few dozen bursts between two visits of the sentinels, a handful of layers
that never change: where most sentinels never came near their own low level, something else held the device for the
whole window, and its bursts are measured again. A *round* is one visit of every model that is still open: where the
fastest runs of most models moved together by more than their scatter can explain, the clock or the memory of the
device was another one in that round, and its samples are divided by that factor. What hits single bursts is noise; it
only adds time, a low quantile leaves it out, and nothing here corrects it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.measurement import Measurement

SLOW_WINDOW = 0.08
_LEVEL = 0.2  # quantile of a sentinel's windows that counts as its level
_FEWEST_WINDOWS = 3
_FEWEST_MODELS = 8
_SIGMAS, _LEAST = 4.0, 0.005
_SD_OF_MAD = 1.4826
_SD_OF_MEDIAN = 1.2533
_SWEEPS = 4


@dataclass(frozen=True, slots=True)
class Drift:
    """How fast a device was in each round.

    Attributes:
        factors: Round to its factor, 1 for the round in the middle; empty where nothing is significant.
        spread: Slowest round over fastest, minus 1, as it was measured.
    """

    factors: Mapping[int, float] = field(default_factory=dict)
    spread: float = 0.0

    def corrected(self, measurement: Measurement) -> Measurement:
        """The samples as they would have been in the round in the middle."""
        if not self.factors or not measurement.rounds:
            return measurement
        bursts = tuple(
            tuple(round(ns / self.factors.get(number, 1.0)) for ns in burst)
            for burst, number in zip(measurement.bursts_ns, measurement.rounds, strict=True)
        )
        return replace(measurement, bursts_ns=bursts)


def drift_of(measurements: Sequence[Measurement]) -> Drift:
    """What the rounds of some models have in common, by median polish of the logarithms of their fastest runs.

    Args:
        measurements: Of models of one kind: what slows networks down need not be what slows single layers down.
    """
    rounds = sorted({number for measurement in measurements for number in measurement.rounds})
    known = [measurement for measurement in measurements if len(set(measurement.rounds)) > 1]
    if len(rounds) < 2 or len(known) < _FEWEST_MODELS:
        return Drift()
    lows = np.full((len(known), len(rounds)), np.nan)
    for row, measurement in enumerate(known):
        for burst, number in zip(measurement.bursts_ns, measurement.rounds, strict=True):
            column = rounds.index(number)
            lows[row, column] = np.fmin(lows[row, column], np.log(min(burst)))
    counts = np.sum(~np.isnan(lows), axis=0)
    usable = counts >= _FEWEST_MODELS
    if usable.sum() < 2:
        return Drift()
    rounds = [number for number, use in zip(rounds, usable, strict=True) if use]
    common, residuals = _polished(lows[:, usable])
    spread = float(np.exp(common.max() - common.min()) - 1)
    scatter = _SD_OF_MAD * np.nanmedian(np.abs(residuals), axis=0)
    error = _SD_OF_MEDIAN * scatter / np.sqrt(counts[usable])
    significant = (np.abs(common) > _SIGMAS * error) & (np.abs(common) > _LEAST)
    if not significant.any():
        return Drift(spread=spread)
    return Drift(
        factors={number: float(np.exp(value)) for number, value in zip(rounds, common, strict=True)}, spread=spread
    )


def slow_windows(lows_ns: Sequence[Mapping[str, int]]) -> dict[int, float]:
    """Windows in which the sentinels were slow all the time, with by how much.

    Args:
        lows_ns: For each window the fastest run of every sentinel in it; a window without sentinels is never slow.
    """
    judged = [window for window in lows_ns if window]
    if len(judged) < _FEWEST_WINDOWS:
        return {}
    keys = sorted({key for window in judged for key in window})
    levels = {key: np.quantile([window[key] for window in judged if key in window], _LEVEL) for key in keys}
    excess = {
        number: float(np.median([window[key] / levels[key] - 1 for key in window]))
        for number, window in enumerate(lows_ns)
        if window
    }
    return {number: value for number, value in excess.items() if value > SLOW_WINDOW}


def _polished(lows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the columns have in common, centred on their median, and what is left; cells may be missing."""
    residuals = lows.copy()
    common = np.zeros(lows.shape[1])
    for _ in range(_SWEEPS):
        residuals -= np.nanmedian(residuals, axis=1, keepdims=True)
        step = np.nanmedian(residuals, axis=0)
        residuals -= step
        common += step
    return common - np.median(common), residuals
