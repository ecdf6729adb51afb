"""Hypervolume that candidates add to the front of an archive, over as many costs as there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import SearchError
from mosegedge.search.dominance import nondominated, volume_by_pymoo
from mosegedge.search.prescreen.pool import Pool
from mosegedge.search.steps import Grid, Staircase

Floats = NDArray[np.float64]


class Front(Protocol):
    """The front of an archive: what a point would add to it, and itself with one point more."""

    def with_point(self, costs: Floats, gain: float) -> Front:
        """The front after one more point."""

    def improvement(self, costs: Floats, gain: Floats) -> Floats:
        """Hypervolume that each of N points would add alone."""

    def expected_improvement(self, costs: Floats, mean: Floats, sd: Floats) -> Floats:
        """Expectation of `improvement` for normally distributed gains."""


@dataclass(frozen=True)
class Boxes:
    """A front over three costs or more: volumes by pymoo, with and without each point.

    Args:
        values: F x M, costs and minus the gain, all inside the reference.
        reference: The worst corner, length M.
    """

    values: Floats
    reference: Floats

    def with_point(self, costs: Floats, gain: float) -> Boxes:
        """The front after one more point."""
        values = np.vstack([self.values, [*costs, -gain]])
        values = values[(values < self.reference).all(axis=1)]
        return Boxes(values[nondominated(values)], self.reference)

    def improvement(self, costs: Floats, gain: Floats) -> Floats:
        """Hypervolume that each of N points would add alone."""
        before = volume_by_pymoo(self.values, self.reference)
        after = [
            volume_by_pymoo(self.with_point(row, one).values, self.reference)
            for row, one in zip(costs, gain, strict=True)
        ]
        return np.maximum(np.array(after) - before, 0.0)

    def expected_improvement(self, costs: Floats, mean: Floats, sd: Floats) -> Floats:  # noqa: ARG002
        """Refused: there is no closed form here.

        Raises:
            SearchError: Always.
        """
        raise SearchError(
            f"The pre-screening ehvi works with one or two costs; there are {costs.shape[1]}.",
            fix="Search with --prescreen hypervolume.",
        )


def front_of_pool(pool: Pool) -> Front:
    """The front of the archive that the candidates of a pool would be added to."""
    limits, floor = pool.reference.costs, pool.reference.gain
    if len(limits) == 1:
        return Staircase.of(pool.front_costs[:, 0], pool.front_gain, limits[0], floor)
    if len(limits) == 2:
        return Grid.of(pool.front_costs, pool.front_gain, np.array(limits), floor)
    reference = np.append(limits, -floor)
    values = np.column_stack([pool.front_costs, -pool.front_gain])
    values = values[(values < reference).all(axis=1)]
    return Boxes(values[nondominated(values)], reference)
