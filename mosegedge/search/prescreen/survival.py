"""Pre-screening by NSGA-II's survival: rank first, crowding among equals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.dominance import nondominated
from mosegedge.search.prescreen.pool import Pool, Selection

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Survival:
    """Candidates of the lowest rank among candidates and the archive's front; of one rank the least crowded."""

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses; of equally crowded candidates random ones."""
        costs = np.concatenate([pool.costs, pool.front_costs])
        gain = np.concatenate([pool.gain, pool.front_gain])
        rank, crowding = rank_and_crowding(np.column_stack([costs, -gain]))
        mine = np.arange(len(pool))
        order = np.lexsort((rng.random(len(pool)), -crowding[mine], rank[mine]))[:count]
        return Selection(order, ("survival",) * len(order))


def rank_and_crowding(values: Floats) -> tuple[Floats, Floats]:
    """Non-domination rank from 0, and crowding distance within the rank (infinite at its ends)."""
    rank = np.full(len(values), -1.0)
    crowding = np.zeros(len(values))
    number = 0
    while (rank < 0).any():
        left = np.flatnonzero(rank < 0)
        best = left[nondominated(values[left])]
        rank[best], crowding[best] = number, _crowding(values[best])
        number += 1
    return rank, crowding


def _crowding(values: Floats) -> Floats:
    """Sum over objectives of the distance between a row's two neighbours, relative to the range."""
    distance = np.zeros(len(values))
    for column in values.T:
        order = np.argsort(column, kind="stable")
        ordered = np.concatenate([[-np.inf], column[order], [np.inf]])
        distance[order] += (ordered[2:] - ordered[:-2]) / (np.ptp(column) or 1.0)
    return distance
