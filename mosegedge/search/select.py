"""Picking a few networks from the final front.

The paper takes architectures "based on their trade-offs" by a procedure in a supplement that is not public. The usual
way here, `spread`:

1. The most accurate network of the front is always taken: under a latency limit it is the answer.
2. Then high-trade-off points, best first. The trade-off of a front member is the smallest ratio of loss to gain when
   one moves from it to a neighbour (Rachmawati and Srinivasan, 2009), with objectives scaled to the front's range and
   neighbours those within an eighth of it, or else the two nearest on either side. Taken are local maxima above 1:
   there, every move costs more than it brings.
3. If there are fewer than asked for, the most accurate network in the first and in the first two thirds of the
   latency range.
4. If there are still too few, the member farthest in latency from those chosen, until there are enough.

Steps 2 and 3 skip members closer than half an even spacing (in latency) to one chosen before. With more than two
objectives the distance is that of all scaled objectives, and step 3 is left out.

The other ways are those of `mosegedge.search.pick`.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.archive import Candidate, objectives
from mosegedge.search.objectives import ACCURACY_AND_LATENCY, Objective, Objectives
from mosegedge.search.pick import Pick

Floats = NDArray[np.float64]

_RADIUS = 0.125
_SIDE_NEIGHBOURS = 2
_SPREAD = Pick("spread")


def choose(
    front: Sequence[Candidate], count: int = 5, *, pick: Pick = _SPREAD, goals: Objectives = ACCURACY_AND_LATENCY
) -> list[Candidate]:
    """At most `count` members of a front (as `front_of` gives it), in its order.

    Args:
        front: Non-dominated networks.
        count: How many.
        pick: By what they are picked.
        goals: What the front trades off.
    """
    if len(front) <= count:
        return list(front)
    values = objectives(front, goals)
    if pick.way == "nearest" and pick.target is not None:
        chosen = _nearest(front, pick.target, pick.value)[:count]
    elif pick.way == "trade-off":
        chosen = _by_trade_off(values)[:count]
    elif pick.way == "knee":
        chosen = _around_the_knee(_scaled(values))[:count]
    elif values.shape[1] == 2:
        chosen = _spread_of_pairs(_scaled(values), count)
    else:
        chosen = _spread_of_many(_scaled(values), count)
    return [front[index] for index in sorted(chosen)]


def _spread_of_pairs(scaled: Floats, count: int) -> list[int]:
    cost = scaled[:, 0]
    chosen = [len(scaled) - 1]
    spacing = 0.5 / count
    for index in (*_high_trade_offs(scaled), *_best_of_thirds(cost)):
        if len(chosen) < count and np.abs(cost[chosen] - cost[index]).min() >= spacing:
            chosen.append(index)
    while len(chosen) < count:
        distance = np.abs(cost[:, None] - cost[chosen]).min(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
    return chosen


def _spread_of_many(scaled: Floats, count: int) -> list[int]:
    """The most accurate, high trade-offs that are not near one another, then the farthest from those chosen."""
    chosen = [int(scaled[:, -1].argmin())]
    value = trade_offs(scaled)
    for index in np.argsort(-value, kind="stable"):
        distance = np.linalg.norm(scaled[chosen] - scaled[index], axis=1).min()
        if len(chosen) < count and 1 < value[index] < np.inf and distance >= 0.5 / count:
            chosen.append(int(index))
    while len(chosen) < count:
        distances = np.linalg.norm(scaled[:, None] - scaled[chosen], axis=2).min(axis=1)
        distances[chosen] = -1.0
        chosen.append(int(distances.argmax()))
    return chosen


def _nearest(front: Sequence[Candidate], target: Objective, value: float) -> list[int]:
    """Members in order of their distance from a target."""
    found = [one.miou or 0.0 if target.maximised else one.cost(target) for one in front]
    return [int(index) for index in np.argsort(np.abs(np.array(found) - value), kind="stable")]


def _by_trade_off(values: Floats) -> list[int]:
    """The high-trade-off points that pymoo finds, then the others, each by their trade-off."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # it imports a name of scipy's that has moved
        from pymoo.mcdm.high_tradeoff import HighTradeoffPoints

    points = HighTradeoffPoints(zero_to_one=False).do(_scaled(values))
    special = np.zeros(len(values), dtype=bool)
    special[[] if points is None else np.atleast_1d(points)] = True
    order = np.lexsort((-_finite(trade_offs(_scaled(values))), ~special))
    return [int(index) for index in order]


def _around_the_knee(scaled: Floats) -> list[int]:
    """The member of the largest trade-off, then those nearest to it."""
    knee = int(_finite(trade_offs(scaled)).argmax())
    return [int(index) for index in np.argsort(np.linalg.norm(scaled - scaled[knee], axis=1), kind="stable")]


def _finite(values: Floats) -> Floats:
    """A member without a neighbour that gains anything is an end, not a knee."""
    return np.where(np.isfinite(values), values, 0.0)


def trade_offs(scaled: Floats) -> Floats:
    """Smallest loss per gain of a move to a neighbour, for each of N scaled, non-dominated points sorted by cost.

    A large value marks a knee; the ends of the front have neighbours on one side only.
    """
    count = len(scaled)
    difference = scaled[None] - scaled[:, None]
    loss = np.maximum(difference, 0.0).sum(axis=2)
    gain = np.maximum(-difference, 0.0).sum(axis=2)
    near = np.linalg.norm(difference, axis=2) <= _RADIUS
    steps = np.abs(np.arange(count)[:, None] - np.arange(count))
    if scaled.shape[1] == 2:
        near |= steps <= _SIDE_NEIGHBOURS
    else:
        distance = np.linalg.norm(difference, axis=2)
        near |= distance <= np.sort(distance, axis=1)[:, [min(2 * _SIDE_NEIGHBOURS, count - 1)]]
    ratio = np.divide(loss, gain, out=np.full_like(loss, np.inf), where=near & (gain > 0))
    return np.asarray(ratio.min(axis=1))


def _high_trade_offs(scaled: Floats) -> list[int]:
    """Local maxima above 1 along the front, ends left out, largest first."""
    value = trade_offs(scaled)
    inner = np.arange(1, len(value) - 1)
    peaks = inner[(value[inner] > 1) & (value[inner] >= value[inner - 1]) & (value[inner] >= value[inner + 1])]
    return [int(index) for index in peaks[np.argsort(-value[peaks], kind="stable")]]


def _best_of_thirds(latency: Floats) -> list[int]:
    """On a front the most accurate within a limit is the slowest within it."""
    return [int(np.flatnonzero(latency <= part / 3).max()) for part in (1, 2)]


def _scaled(values: Floats) -> Floats:
    span = np.ptp(values, axis=0)
    return np.asarray((values - values.min(axis=0)) / np.where(span > 0, span, 1.0))
