"""Choosing the networks that teach the latency model most, before anything was measured.

How uncertain a network will be depends on which networks were measured, not on what they measured. So networks are
chosen one after the other: always the one that, measured, makes a random network least uncertain on average (in closed
form, see `bayes`). What a layer costs is guessed from its multiply-adds; the spreads are usual ones.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.formula import BOUNDARIES, FLOPS, LAYERS, WEIGHTS, entry_terms
from mosegedge.profiling.weights import counts_of, weights_of
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS, Codes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_POOL, _TARGETS = 1000, 300
_MOST_CHOSEN = 200  # further ones are hardly better than random ones
_LAYER_MS, _MILLION_MS = 0.03, 0.022  # a layer's guessed cost: of being run, and of a million multiply-adds
# The formula has few coefficients, which any networks determine: most is to be learned about parts and layers.
_FACTOR_SD, _TERM_SD, _CONSTANT_SD = 0.1, 0.03, 0.02
_PART_SD, _WEIGHT_SD, _NETWORK_SD = 0.05, 0.06, 0.015


def informative_networks(
    space: SearchSpace, *, scales: Sequence[int], count: int, taken: Codes, rng: np.random.Generator
) -> Codes:
    """Networks to fit the latency model to.

    Args:
        space: The search space.
        scales: Scale digits; each gets its share.
        count: How many networks.
        taken: Networks that are measured in any case, K x 29; none of them is chosen.
        rng: Draws the networks that there are to choose from.

    Returns:
        count x 29 distinct codes, in the order of their choice, the scales in turn.
    """
    pool = _pool(space, scales, max(_POOL, 2 * count), taken, rng)
    targets = space.sample(_TARGETS, rng)
    targets[:, SCALE] = np.resize(np.asarray(scales), _TARGETS)
    wanted = np.resize(np.asarray(scales), count)
    chosen = most_informative(space, pool, wanted[:_MOST_CHOSEN], taken=taken, targets=targets)
    for scale in wanted[_MOST_CHOSEN:]:
        chosen.append(next(int(place) for place in np.flatnonzero(pool[:, SCALE] == scale) if place not in chosen))
    return pool[chosen]


def most_informative(space: SearchSpace, pool: Codes, scales: Ints, *, taken: Codes, targets: Codes) -> list[int]:
    """Chooses from a pool: always the network that takes most from the mean variance of the targets.

    Args:
        space: The search space.
        pool: N x 29 distinct codes.
        scales: For each network to be chosen, the scale that it is to have.
        taken: Networks that are measured in any case, K x 29.
        targets: Networks that are to be predicted, M x 29.

    Returns:
        Places in the pool.
    """
    features = _features(space, np.concatenate([taken, pool, targets]))
    between = features @ features.T
    for place in range(len(taken)):
        _measure(between, place)
    between = between[len(taken) :, len(taken) :]
    chosen: list[int] = []
    for scale in scales:
        gain = np.square(between[len(pool) :, : len(pool)]).sum(axis=0)
        gain /= np.diag(between)[: len(pool)] + _NETWORK_SD**2
        gain[pool[:, SCALE] != scale] = -1.0
        gain[chosen] = -1.0
        chosen.append(int(gain.argmax()))
        _measure(between, chosen[-1])
    return chosen


def mean_variance(space: SearchSpace, measured: Codes, networks: Codes) -> float:
    """Mean relative variance of networks once others are measured, as far as it can be said before."""
    features = _features(space, np.concatenate([measured, networks]))
    between = features @ features.T
    for place in range(len(measured)):
        _measure(between, place)
    return float(np.diag(between)[len(measured) :].mean())


def _measure(between: Floats, place: int) -> None:
    """Covariances after one network was measured, in place."""
    column = between[:, place].copy()
    between -= np.outer(column, column / (column[place] + _NETWORK_SD**2))


def _features(space: SearchSpace, codes: Codes) -> Floats:
    """What networks depend on, N x unknowns, in standard deviations relative to their latency."""
    weights = weights_of(space)
    terms = entry_terms(space, np.zeros(len(space.entries)))
    guess_ms = _LAYER_MS + _MILLION_MS * terms[FLOPS]
    counts = counts_of(space, weights, codes)
    cost_ms = counts * guess_ms[weights.first_entry]
    latency_ms = cost_ms.sum(axis=1, keepdims=True)
    part_ms = cost_ms @ (weights.part[:, None] == np.unique(weights.part)).astype(float)
    totals = np.column_stack([space.total(codes, terms[name]) for name in (LAYERS, WEIGHTS, BOUNDARIES)]) / latency_ms
    constants = (codes[:, [SCALE]] == np.unique(codes[:, SCALE])) * np.median(latency_ms) / latency_ms
    return np.hstack(
        [
            np.full((len(codes), 1), _FACTOR_SD),
            _TERM_SD * totals / totals.mean(axis=0),
            _TERM_SD * constants.sum(axis=1, keepdims=True),
            _CONSTANT_SD * constants,
            _PART_SD * part_ms / latency_ms,
            _WEIGHT_SD * cost_ms / latency_ms,
        ]
    )


def _pool(space: SearchSpace, scales: Sequence[int], size: int, taken: Codes, rng: np.random.Generator) -> Codes:
    """Distinct networks to choose from, half of them random, half of all sizes.

    Digits drawn uniformly give networks of nearly equal size; so the others draw first how large they tend to be.
    """
    half = size // 2
    spans = np.broadcast_to(UPPER_BOUNDS - LOWER_BOUNDS, (half, len(UPPER_BOUNDS)))
    spread = space.repair(LOWER_BOUNDS + rng.binomial(spans, rng.random((half, 1))), rng)
    drawn = np.concatenate([space.sample(size - half, rng), spread])
    drawn[:, SCALE] = np.asarray(scales)[np.arange(size) % len(scales)]
    places = np.sort(np.unique(np.concatenate([taken, drawn]), axis=0, return_index=True)[1])
    return drawn[places[places >= len(taken)] - len(taken)]
