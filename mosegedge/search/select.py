"""Picking a few networks from the final front.

The paper takes architectures "based on their trade-offs" by a procedure in a supplement that is not public. Here:

1. The most accurate network of the front is always taken: under a latency limit it is the answer.
2. Then high-trade-off points, best first. The trade-off of a front member is the smallest ratio of loss to gain when
   one moves from it to a neighbour (Rachmawati and Srinivasan, 2009), with objectives scaled to the front's range and
   neighbours those within an eighth of it, or else the two nearest on either side. Taken are local maxima above 1:
   there, every move costs more than it brings.
3. If there are fewer than asked for, the most accurate network in the first and in the first two thirds of the
   latency range.
4. If there are still too few, the member farthest in latency from those chosen, until there are enough.

Steps 2 and 3 skip members closer than half an even spacing (in latency) to one chosen before.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.archive import Candidate, objectives

Floats = NDArray[np.float64]

_RADIUS = 0.125
_SIDE_NEIGHBOURS = 2


def choose(front: Sequence[Candidate], count: int = 5) -> list[Candidate]:
    """At most `count` members of a front (as `front_of` gives it), fastest first."""
    if len(front) <= count:
        return list(front)
    scaled = _scaled(objectives(front))
    latency = scaled[:, 0]
    chosen = [len(front) - 1]
    spacing = 0.5 / count
    for index in (*_high_trade_offs(scaled), *_best_of_thirds(latency)):
        if len(chosen) < count and np.abs(latency[chosen] - latency[index]).min() >= spacing:
            chosen.append(index)
    while len(chosen) < count:
        distance = np.abs(latency[:, None] - latency[chosen]).min(axis=1)
        distance[chosen] = -1.0
        chosen.append(int(distance.argmax()))
    return [front[index] for index in sorted(chosen)]


def trade_offs(scaled: Floats) -> Floats:
    """Smallest loss per gain of a move to a neighbour, for each of N scaled, non-dominated points sorted by latency.

    A large value marks a knee; the ends of the front have neighbours on one side only.
    """
    count = len(scaled)
    difference = scaled[None] - scaled[:, None]
    loss = np.maximum(difference, 0.0).sum(axis=2)
    gain = np.maximum(-difference, 0.0).sum(axis=2)
    near = np.linalg.norm(difference, axis=2) <= _RADIUS
    steps = np.abs(np.arange(count)[:, None] - np.arange(count))
    near |= steps <= _SIDE_NEIGHBOURS
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
