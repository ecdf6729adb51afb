"""Hypervolume that candidates add to a front of latency (minimised) and accuracy (maximised).

The front is a staircase: between its members' latencies the best accuracy at no more latency is constant. A candidate
at latency l with accuracy a adds, on each step that lies to the right of l, the step's width there times what a has
over the step. The latency of a candidate is known, so where its accuracy is normally distributed the expectation is a
sum of one-dimensional ones; nothing is sampled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from mosegedge.search.prescreen.pool import Pool, Reference

Floats = NDArray[np.float64]

_ROOT_OF_TWO_PI = float(np.sqrt(2.0 * np.pi))


@dataclass(frozen=True)
class Staircase:
    """The best accuracy of a front at no more than a latency.

    Args:
        edges: Latencies at which steps begin, and the reference latency at the end; the first is minus infinity.
        heights: Accuracy on each step, ascending; on the first that of the reference.
    """

    edges: Floats
    heights: Floats

    @classmethod
    def of(cls, latency_ms: Floats, miou: Floats, reference: Reference) -> Self:
        """The staircase of some points; those beyond the reference or dominated make no step."""
        inside = (latency_ms < reference.latency_ms) & (miou > reference.miou)
        order = np.lexsort((-miou[inside], latency_ms[inside]))
        latency, height = latency_ms[inside][order], miou[inside][order]
        best_before = np.concatenate([[reference.miou], np.maximum.accumulate(height)[:-1]])
        higher = height > best_before
        edges = np.concatenate([[-np.inf], latency[higher], [reference.latency_ms]])
        return cls(edges, np.concatenate([[reference.miou], height[higher]]))

    def with_point(self, latency_ms: float, miou: float, reference: Reference) -> Staircase:
        """The staircase after one more point."""
        latencies = np.append(self.edges[1:-1], latency_ms)
        return Staircase.of(latencies, np.append(self.heights[1:], miou), reference)

    def improvement(self, latency_ms: Floats, miou: Floats) -> Floats:
        """Hypervolume, in ms times mIoU, that each of N points would add alone."""
        return np.asarray((self._widths(latency_ms) * np.maximum(miou[:, None] - self.heights, 0.0)).sum(axis=1))

    def expected_improvement(self, latency_ms: Floats, mean: Floats, sd: Floats) -> Floats:
        """Expectation of `improvement` for normally distributed accuracies."""
        over = mean[:, None] - self.heights
        spread = np.maximum(sd, 1e-12)[:, None]
        z = over / spread
        density = np.exp(-0.5 * z * z) / _ROOT_OF_TWO_PI
        return np.asarray((self._widths(latency_ms) * (spread * density + over * ndtr(z))).sum(axis=1))

    def _widths(self, latency_ms: Floats) -> Floats:
        """N x steps: the length of each step to the right of each latency."""
        start = np.maximum(self.edges[:-1], latency_ms[:, None])
        return np.maximum(self.edges[1:] - start, 0.0)


def staircase_of(pool: Pool) -> Staircase:
    """The staircase of the archive's front."""
    return Staircase.of(pool.front_latency_ms, pool.front_miou, pool.reference)
