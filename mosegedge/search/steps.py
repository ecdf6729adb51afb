"""What a front reaches at no more than given costs: a staircase over one cost, a grid over two.

Costs are minimised and known exactly; the gain (accuracy) is maximised. Over the costs the best gain of the front is
constant between the costs of its members. A point adds, on each cell that costs no less than it does, the size of the
cell there times what its gain has over the front's. Where the gain is normally distributed the expectation is a sum of
one-dimensional ones; nothing is sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Floats = NDArray[np.float64]

_ROOT_OF_TWO_PI = float(np.sqrt(2.0 * np.pi))
_CELLS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Staircase:
    """The best gain of a front at no more than a cost.

    Args:
        edges: Costs at which steps begin, and the reference's at the end; the first is minus infinity.
        heights: Gain on each step, ascending; on the first that of the reference.
    """

    edges: Floats
    heights: Floats

    @classmethod
    def of(cls, cost: Floats, gain: Floats, limit: float, floor: float) -> Self:
        """The staircase of some points; those beyond the reference or dominated make no step.

        Args:
            cost: Of N points.
            gain: Of N points.
            limit: Cost of the reference.
            floor: Gain of the reference.
        """
        inside = (cost < limit) & (gain > floor)
        order = np.lexsort((-gain[inside], cost[inside]))
        ordered, height = cost[inside][order], gain[inside][order]
        best_before = np.concatenate([[floor], np.maximum.accumulate(height)[:-1]])
        higher = height > best_before
        edges = np.concatenate([[-np.inf], ordered[higher], [limit]])
        return cls(edges, np.concatenate([[floor], height[higher]]))

    def with_point(self, costs: Floats, gain: float) -> Staircase:
        """The staircase after one more point."""
        before, heights = self.edges[1:-1], self.heights[1:]
        limit, floor = float(self.edges[-1]), float(self.heights[0])
        return Staircase.of(np.append(before, costs), np.append(heights, gain), limit, floor)

    def improvement(self, costs: Floats, gain: Floats) -> Floats:
        """Hypervolume, in units of cost times gain, that each of N points would add alone; `costs` is N x 1."""
        return np.asarray((self._widths(costs) * np.maximum(gain[:, None] - self.heights, 0.0)).sum(axis=1))

    def expected_improvement(self, costs: Floats, mean: Floats, sd: Floats) -> Floats:
        """Expectation of `improvement` for normally distributed gains."""
        hoped = expected_excess(mean[:, None] - self.heights, sd[:, None])
        return np.asarray((self._widths(costs) * hoped).sum(axis=1))

    def _widths(self, costs: Floats) -> Floats:
        """N x steps: the length of each step to the right of each cost."""
        start = np.maximum(self.edges[:-1], costs.reshape(-1, 1))
        return np.maximum(self.edges[1:] - start, 0.0)


@dataclass(frozen=True)
class Grid:
    """The best gain of a front at no more than two costs.

    Args:
        first: Values of the first cost at which cells begin, the reference's at the end; it starts at minus infinity.
        second: The same of the second cost.
        heights: Gain in each cell.
        points: F x 3, the two costs and the gain of the points that make it.
    """

    first: Floats
    second: Floats
    heights: Floats
    points: Floats

    @classmethod
    def of(cls, costs: Floats, gain: Floats, limits: Floats, floor: float) -> Self:
        """The grid of N points; those beyond the reference (two costs and a gain) count nothing."""
        points = np.column_stack([costs, gain])
        points = points[(costs < limits).all(axis=1) & (gain > floor)]
        starts = [np.concatenate([[-np.inf], np.unique(points[:, axis])]) for axis in (0, 1)]
        heights = np.full((len(starts[0]), len(starts[1])), floor)
        place = tuple(np.searchsorted(starts[axis], points[:, axis]) for axis in (0, 1))
        np.maximum.at(heights, place, points[:, 2])
        heights = np.maximum.accumulate(np.maximum.accumulate(heights, axis=0), axis=1)
        return cls(np.append(starts[0], limits[0]), np.append(starts[1], limits[1]), heights, points)

    @property
    def floor(self) -> float:
        """Gain of the reference."""
        return float(self.heights[0, 0])

    @property
    def volume(self) -> float:
        """Hypervolume of the points from the reference."""
        sizes = np.diff(self.first[1:])[:, None] * np.diff(self.second[1:])
        return float((sizes * (self.heights[1:, 1:] - self.floor)).sum())

    def with_point(self, costs: Floats, gain: float) -> Grid:
        """The grid after one more point."""
        points = np.vstack([self.points, [*costs, gain]])
        limits = np.array([self.first[-1], self.second[-1]])
        return Grid.of(points[:, :2], points[:, 2], limits, self.floor)

    def improvement(self, costs: Floats, gain: Floats) -> Floats:
        """Hypervolume that each of N points would add alone; `costs` is N x 2."""
        return self._summed(costs, lambda rows: np.maximum(gain[rows, None, None] - self.heights, 0.0))

    def expected_improvement(self, costs: Floats, mean: Floats, sd: Floats) -> Floats:
        """Expectation of `improvement` for normally distributed gains."""
        return self._summed(
            costs, lambda rows: expected_excess(mean[rows, None, None] - self.heights, sd[rows, None, None])
        )

    def _summed(self, costs: Floats, height_of: Callable[[slice], Floats]) -> Floats:
        """Sums heights over the cells, some points at a time, so that large fronts need little memory."""
        wide, deep = (_lengths(edges, costs[:, axis]) for axis, edges in enumerate((self.first, self.second)))
        total = np.zeros(len(costs))
        step = max(1, _CELLS_AT_ONCE // self.heights.size)
        for start in range(0, len(costs), step):
            rows = slice(start, start + step)
            total[rows] = np.einsum("ni,nj,nij->n", wide[rows], deep[rows], height_of(rows))
        return total


def expected_excess(over: Floats, sd: Floats) -> Floats:
    """Expectation of what normally distributed values have above a level.

    Args:
        over: Mean minus level.
        sd: Standard deviation, of a shape that fits.
    """
    spread = np.maximum(sd, 1e-12)
    z = over / spread
    density = np.exp(-0.5 * z * z) / _ROOT_OF_TWO_PI
    return np.asarray(spread * density + over * ndtr(z))


def _lengths(edges: Floats, values: Floats) -> Floats:
    """N x cells: the length of each cell beyond each value."""
    return np.maximum(edges[1:] - np.maximum(edges[:-1], values[:, None]), 0.0)
