"""The subset of candidates whose latencies, with those of the front, are closest to uniform: an exact solution.

The measure is that of `mosegedge.search.uniformity`. Let the size k of the subset be fixed, so that n = m + k latencies
are compared with the uniform distribution. In ascending order of latency, an element that is taken as the r-th of n
deviates by max(r / n - u, u - (r - 1) / n), u being its place between the smallest and the largest latency. All front
members are taken, a candidate may be. With M front members and c candidates taken so far, r is M + c + 1, so the
smallest possible largest deviation for each c is all that must be known: a table of K + 1 values that is updated once
for each element, for all sizes at once.

Many subsets tie, since the measure is a maximum. Of equal sizes the larger is taken, then the subset of largest weight:
a second pass maximises the sum of weights among subsets that deviate by no more than the optimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]

_TIE = 1e-12


@dataclass(frozen=True)
class _Elements:
    """Front members and candidates in ascending order of latency.

    Args:
        place: Where each lies between the smallest and the largest, 0..1.
        candidate: Index of the candidate; -1 for a front member.
        front_before: Number of front members before each.
    """

    place: Floats
    candidate: Indices
    front_before: Indices

    @classmethod
    def of(cls, candidates: Floats, front: Floats) -> Self:
        """Sorts them."""
        values = np.concatenate([front, candidates])
        order = np.argsort(values, kind="stable")
        index = order - len(front)
        is_front = index < 0
        place = (values[order] - values.min()) / (np.ptp(values) or 1.0)
        return cls(place, np.where(is_front, -1, index), np.cumsum(is_front) - is_front)

    def deviation(self, element: int, taken: Indices, total: Floats) -> Floats:
        """Deviation of an element that is taken after `taken` candidates, of `total` in the end."""
        place, before = self.place[element], self.front_before[element] + taken
        return np.asarray(np.maximum((before + 1) / total - place, place - before / total))


def solve_exactly(candidates: Floats, front: Floats, limit: int, *, weights: Floats, full: bool = False) -> Indices:
    """Indices of the chosen candidates in ascending order of latency.

    Args:
        candidates: Latencies of N candidates.
        front: Latencies of M front members, all of which count.
        limit: Largest allowed size.
        weights: Of the candidates; decides between subsets that are equally close to uniform. Random weights make the
            choice among them random.
        full: Whether exactly `limit` are chosen, instead of as many as are best.
    """
    limit = min(limit, len(candidates))
    if limit <= 0:
        return np.zeros(0, dtype=np.int64)
    elements = _Elements.of(candidates, front)
    sizes = np.array([limit]) if full else np.arange(0 if len(front) else 1, limit + 1)
    worst = _least_deviations(elements, len(front), sizes)
    size = int(sizes[worst <= worst.min() + _TIE].max())
    return _heaviest(elements, len(front), size, worst.min() + _TIE, weights)


def _least_deviations(elements: _Elements, front: int, sizes: Indices) -> Floats:
    """For each size the smallest Kolmogorov-Smirnov statistic that a subset of it reaches."""
    taken = np.arange(sizes.max() + 1)
    total = (front + sizes)[:, None].astype(np.float64)
    least = np.full((len(sizes), len(taken)), np.inf)
    least[:, 0] = 0.0
    for element, candidate in enumerate(elements.candidate):
        deviation = elements.deviation(element, taken, total)
        if candidate < 0:
            np.maximum(least, deviation, out=least)
        else:
            with_it = np.maximum(least[:, :-1], deviation[:, :-1])
            np.minimum(least[:, 1:], with_it, out=least[:, 1:])
    return np.asarray(least[np.arange(len(sizes)), sizes])


def _heaviest(elements: _Elements, front: int, size: int, allowed: float, weights: Floats) -> Indices:
    """The subset of one size and of no larger deviation than allowed that has the largest sum of weights."""
    count = np.arange(size + 1)
    total = np.array(float(max(front + size, 1)))
    best = np.full(size + 1, -np.inf)
    best[0] = 0.0
    took = np.zeros((len(elements.candidate), size + 1), dtype=bool)
    for element, candidate in enumerate(elements.candidate):
        possible = np.where(elements.deviation(element, count, total) <= allowed, best, -np.inf)
        if candidate < 0:
            best = possible
        else:
            with_it = possible[:-1] + weights[candidate]
            took[element, 1:] = with_it > best[1:]
            best[1:] = np.maximum(best[1:], with_it)
    chosen = []
    left = size
    for element in range(len(took) - 1, -1, -1):
        if took[element, left]:
            chosen.append(elements.candidate[element])
            left -= 1
    return np.array(chosen[::-1], dtype=np.int64)
