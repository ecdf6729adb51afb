"""What whole networks teach about the rows of the look-up table, in closed form.

Before any network was measured a weight (see `weights`) costs what the formula says, give or take. Its deviation has
three parts: the standard error of its isolated measurement; one that it shares with all layers of the same part of the
network at the same scale (the layers of a stage take and give the same shapes, so they gain or lose together); and one
of its own. The constant of a scale has a deviation as well. All are normal and independent, so that of two networks
with counts x and x' of the weights

    cov(x, x') = additivity_sd^2 * (shared * sum over parts (x c)_p (x' c)_p + (1 - shared) * sum over weights c^2 x x')
                 + sum over weights (a se)^2 x x' + constant_sd^2            at the same scale, 0 between two scales

with c the cost of a weight by the formula and `a` the formula's factor of isolated latencies. A measured network has
the noise (network_sd * latency)^2 + se^2. Networks of all scales fit the formula; deviations are learned scale by
scale. With no networks the result is the formula, with many it is a regression on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.formula import SUM, Formula, entry_costs, entry_terms
from mosegedge.profiling.weights import Weights, rows_by_scale, weights_of
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_JITTER = 1e-12
_ROWS_AT_ONCE = 2048  # so many counts stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is believed of a device before its whole networks are looked at.

    Attributes:
        formula: The mean.
        additivity_sd: Standard deviation of a weight's cost in a network around the formula, relative to the cost.
        shared: Share of that variance that all weights of one part at one scale have in common, 0 to 1.
        constant_sd_ms: Standard deviation of the constant of a scale.
        network_sd: Relative standard deviation of a measured network around what its weights add up to.
    """

    formula: Formula
    additivity_sd: float
    shared: float
    constant_sd_ms: float
    network_sd: float


class Table(NamedTuple):
    """Isolated layers: latency of each row of the look-up table (NaN where not measured), and its standard error."""

    entry_ms: Floats
    se_ms: Floats


class Networks(NamedTuple):
    """Whole networks: N x 29 codes, measured latencies and their standard errors."""

    codes: Codes
    measured_ms: Floats
    se_ms: Floats


@dataclass(frozen=True, eq=False)
class Spread:
    """How uncertain networks of one scale are: a variance by the counts of their weights.

    Attributes:
        parts: Weights x parts: what the deviation of each part adds, in standard deviations.
        own_variance: Variance of each weight alone.
        constant_sd_ms: Standard deviation of the constant.
        learned: (Weights + 1) x K: what measured networks take away; the last row belongs to the constant.
    """

    parts: Floats
    own_variance: Floats
    constant_sd_ms: float
    learned: Floats

    def covariance(self, first: Floats, second: Floats) -> Floats:
        """Between two sets of networks before any was measured, by their counts: N x M."""
        common = (first @ self.parts) @ (second @ self.parts).T
        own = (first * self.own_variance) @ second.T
        return np.asarray(common + own + np.square(self.constant_sd_ms))

    def variance(self, counts: Floats) -> Floats:
        """Of each network, by its counts; never negative."""
        common = np.square(counts @ self.parts).sum(axis=1)
        own = np.square(counts) @ self.own_variance
        learned = np.square(counts @ self.learned[:-1] + self.learned[-1]).sum(axis=1)
        found: Floats = np.maximum(common + own + np.square(self.constant_sd_ms) - learned, 0.0)
        return found


@dataclass(frozen=True, eq=False)
class Posterior:
    """What is believed after whole networks were looked at.

    Attributes:
        entry_ms: Cost of each row of the look-up table in a network; NaN where the profile has none.
        constant_ms: The constant by scale digit; NaN where the profile has none.
        weights: Which rows have a weight in common.
        spreads: The uncertainty by scale digit.
    """

    entry_ms: Floats
    constant_ms: Floats
    weights: Weights
    spreads: Mapping[int, Spread]

    @property
    def is_sound(self) -> bool:
        """Whether all of it are numbers, as of all sane measurements."""
        spreads = [part for spread in self.spreads.values() for part in (spread.own_variance, spread.learned)]
        constants = self.constant_ms[list(self.spreads)]
        return all(np.isfinite(part).all() for part in (constants, *spreads)) and not np.isinf(self.entry_ms).any()

    def variance(self, entries: Ints, scales: Ints) -> Floats:
        """Variance in ms^2 of each network around the mean of networks like it.

        Args:
            entries: Rows of their layers, N x slots, -1 where a layer is switched off.
            scales: Their scale digits; each has a spread.
        """
        found = np.zeros(len(entries))
        for scale, rows in rows_by_scale(scales):
            spread = self.spreads[scale]
            for start in range(0, len(rows), _ROWS_AT_ONCE):
                block = rows[start : start + _ROWS_AT_ONCE]
                found[block] = spread.variance(self.weights.counts(entries[block], scale))
        return found


def condition(space: SearchSpace, prior: Prior, table: Table, networks: Networks) -> Posterior:
    """Updates the prior by whole networks.

    Args:
        space: The search space.
        prior: The formula and its spreads.
        table: Isolated layers.
        networks: Whole networks of scales that have a constant, with layers that have a cost; there may be none.
    """
    weights = weights_of(space)
    formula = prior.formula
    entry_ms = entry_costs(entry_terms(space, table.entry_ms), formula.coefficients)
    constant_ms = np.array([formula.constants_ms.get(scale, np.nan) for scale in range(len(weights.starts) - 1)])
    entries, scales = space.entries_of(networks.codes), networks.codes[:, SCALE]
    residual_ms = networks.measured_ms - formula_ms(space, formula, entry_ms, networks.codes)
    noise = np.square(prior.network_sd * networks.measured_ms) + np.square(networks.se_ms)
    spreads: dict[int, Spread] = {}
    for scale in formula.constants_ms:
        spread = spread_before(weights, prior, table, entry_ms, scale)
        rows = np.flatnonzero(scales == scale)
        counts = weights.counts(entries[rows], scale)
        update = _update(spread, counts, residual_ms[rows], noise[rows])
        spreads[scale] = Spread(spread.parts, spread.own_variance, spread.constant_sd_ms, update.learned)
        shifts = np.zeros(len(weights.part))
        shifts[weights.of_scale(scale)] = update.weights_ms
        entry_ms = entry_ms + shifts[weights.of_entry]
        constant_ms[scale] += update.constant_ms
    return Posterior(entry_ms, constant_ms, weights, spreads)


def formula_ms(space: SearchSpace, formula: Formula, entry_ms: Floats, codes: Codes) -> Floats:
    """What the formula says of networks, given what it says of each row of the table."""
    found: Floats = np.array([formula.constants_ms[scale] for scale in codes[:, SCALE].tolist()])
    found = found + space.total(codes, entry_ms)
    if formula.overflow is not None:
        found = found + formula.overflow.cost_ms(space.total(codes, space.entry_params / 1e6))
    return found


def spread_before(weights: Weights, prior: Prior, table: Table, entry_ms: Floats, scale: int) -> Spread:
    """The uncertainty at one scale before networks were looked at; weights without a cost have none."""
    rows = weights.first_entry[weights.of_scale(scale)]
    cost_ms = np.nan_to_num(entry_ms[rows])
    se_ms = prior.formula.coefficients.get(SUM, 0.0) * np.nan_to_num(table.se_ms[rows])
    common_sd = prior.additivity_sd * prior.shared**0.5
    own = np.square(prior.additivity_sd * cost_ms) * (1 - prior.shared) + np.square(se_ms)
    parts = common_sd * cost_ms[:, None] * weights.parts_of(scale)
    return Spread(parts, own, prior.constant_sd_ms, np.zeros((len(rows) + 1, 0)))


class _Update(NamedTuple):
    weights_ms: Floats
    constant_ms: float
    learned: Floats


def _update(spread: Spread, counts: Floats, residual_ms: Floats, noise: Floats) -> _Update:
    """By how much networks of one scale move each weight and the constant, and what is uncertain no more."""
    with_weights = spread.parts @ (counts @ spread.parts).T + spread.own_variance[:, None] * counts.T
    gain = np.vstack([with_weights, np.full((1, len(counts)), np.square(spread.constant_sd_ms))])
    between = spread.covariance(counts, counts)
    if not between.any():
        return _Update(np.zeros(len(gain) - 1), 0.0, gain[:, :0])
    between[np.diag_indices(len(counts))] += noise + _JITTER * np.trace(between)
    root = np.linalg.cholesky(between)
    learned = np.linalg.solve(root, gain.T).T
    moved = learned @ np.linalg.solve(root, residual_ms)
    if learned.shape[1] > len(gain):
        learned = np.transpose(np.linalg.qr(learned.T, mode="r"))  # the same squares by fewer columns
    return _Update(moved[:-1], float(moved[-1]), learned)
