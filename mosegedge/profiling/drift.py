"""Slow changes of a device while it is measured: found by comparing models with themselves at other times.

What hits single bursts is noise. It only adds time, and a low quantile over many bursts leaves it out; it is never
corrected. Two things are. A *window* is a few bursts between two visits of a sentinel, layers that never change: where
the sentinel was slow before and after, something else held the device meanwhile, and the bursts between are measured
again. A *round* is one visit of every model that is still open: where even the least disturbed quarter of its models
was slower or faster than in other rounds, by more than their scatter can explain, the clock or the memory of the device
was another one in that round, and its samples are divided by that factor. More than a few per cent is no drift but
a device that was not free: then nothing is divided, since the bursts that escaped it would come out too fast.

A device that changed its speed between rounds changes it until tomorrow as well. No correction helps there: how far the
level of one measurement is from that of another is a part of every prediction's standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.measurement import Measurement
from mosegedge.profiling.windows import Window

SLOW_WINDOW = 0.05
_LEVEL = 0.2  # quantile of a model's bursts that counts as its level
_LEAST_DISTURBED = 0.25
_FEWEST_VISITS = 8  # of a sentinel before it can tell
_FEWEST_MODELS = 12
_SIGMAS, _LEAST = 4.0, 0.005
LARGEST_CORRECTED = 0.05
_SD_OF_MAD = 1.4826
_SD_OF_QUARTILE = 1.36  # of a normal distribution, for one sample
_SWEEPS = 2
_MOST_ALIKE = 0.8


@dataclass(frozen=True, slots=True)
class Drift:
    """How fast a device was in each round.

    Attributes:
        factors: Round to its factor, 1 for the round in the middle; empty where nothing is significant.
        spread: Slowest round over fastest, minus 1, as it was measured, corrected or not.
        level_sd: Relative standard deviation between the level of these rounds and that of as many at another time;
            None where too few models or rounds were measured to tell.
        beyond: Whether some round differed by more than is corrected.
    """

    factors: Mapping[int, float] = field(default_factory=dict)
    spread: float = 0.0
    level_sd: float | None = None
    beyond: bool = False

    @property
    def corrected_spread(self) -> float:
        """Largest factor over smallest, minus 1, of the rounds that are corrected and those that need not be."""
        return max([*self.factors.values(), 1.0]) / min([*self.factors.values(), 1.0]) - 1

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
    lows = lows[:, usable]
    common, residuals = _polished(lows[~np.isnan(lows).all(axis=1)])  # some models ran in none of these rounds
    spread = float(np.exp(common.max() - common.min()) - 1)
    scatter = _SD_OF_MAD * np.nanmedian(np.abs(residuals - np.nanmedian(residuals, axis=0)), axis=0)
    error = _SD_OF_QUARTILE * scatter / np.sqrt(counts[usable])
    slow = np.abs(common)
    significant = (slow > _SIGMAS * error) & (slow > _LEAST) & (slow < LARGEST_CORRECTED)
    factors = {number: float(np.exp(common[place])) for place, number in enumerate(rounds) if significant[place]}
    free = common < LARGEST_CORRECTED
    return Drift(factors, spread, _level_sd(common[free], error[free]), bool((slow >= LARGEST_CORRECTED).any()))


def slow_windows(windows: Sequence[Window]) -> dict[int, float]:
    """Windows before and after which the sentinel was slow, with by how much at least."""
    lows_ns: dict[str, list[int]] = {}
    for window in windows:
        for sentinel in window.sentinels:
            lows_ns.setdefault(sentinel.key, []).append(sentinel.low_ns)
    levels_ns = {
        key: float(np.quantile(found, _LEVEL)) for key, found in lows_ns.items() if len(found) >= _FEWEST_VISITS
    }
    found = {}
    for number, window in enumerate(windows):
        if len(window.sentinels) == 2 and all(sentinel.key in levels_ns for sentinel in window.sentinels):
            excess = min(sentinel.low_ns / levels_ns[sentinel.key] - 1 for sentinel in window.sentinels)
            if excess > SLOW_WINDOW:
                found[number] = excess
    return found


def _level_sd(common: NDArray[np.float64], error: NDArray[np.float64]) -> float | None:
    """How far the middle of these rounds is from that of as many others, as a standard deviation.

    Rounds after one another are alike, so that they count for fewer: n (1 - r) / (1 + r), with r the correlation of
    neighbours. A median of so many normal values has pi / 2 times the variance of their mean, and two measurements
    differ by twice that of one. The error with which each round is known is no change of speed and taken off. Rounds in
    which the device was not free are left out, as a low quantile leaves them out.
    """
    if len(common) < 2:
        return None
    centred = common - common.mean()
    total = float(centred @ centred)
    variance = total / (len(common) - 1) - float(np.mean(np.square(error)))
    if variance <= 0:
        return 0.0
    alike = float(np.clip(centred[1:] @ centred[:-1] / total, 0.0, _MOST_ALIKE))
    count = max(1.0, len(common) * (1 - alike) / (1 + alike))
    return float(np.sqrt(np.pi * variance / count))


def _polished(lows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What the columns have in common, centred on their median, and what is left; cells may be missing."""
    residuals = lows.copy()
    common = np.zeros(lows.shape[1])
    for _ in range(_SWEEPS):
        residuals -= np.nanquantile(residuals, _LEVEL, axis=1, keepdims=True)
        step = np.nanquantile(residuals, _LEAST_DISTURBED, axis=0)
        residuals -= step
        common += step
    return common - np.median(common), residuals
