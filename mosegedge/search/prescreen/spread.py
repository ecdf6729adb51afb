"""Pre-screening by an even spread of latencies: the paper's hierarchical strategy, and the spread alone.

Both are defined for one cost, as latency on one device; settings with more objectives are refused (see `config`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.search.prescreen.exact import solve_exactly
from mosegedge.search.prescreen.pool import Indices, Pool, Selection
from mosegedge.search.uniformity import solve_by_genetic_algorithm

Floats = NDArray[np.float64]
Solver = Literal["exact", "genetic"]


@dataclass(frozen=True, kw_only=True)
class Hierarchical:
    """The paper's strategy (section III-E): an even spread of latencies first, accuracy for the slots that are left.

    The subset of at most `count` candidates is taken whose latencies are closest to uniform; what it leaves free is
    filled with the candidates of highest predicted accuracy.

    Args:
        counts_front: Whether the latencies of the archive's front count along with those of the subset. Algorithm 4
            fetches them; equation 8 as printed does not use them.
        solver: `exact` (a dynamic programme), or `genetic` as in the paper. Of equally good subsets both take the
            largest, then a random one.
    """

    counts_front: bool = True
    solver: Solver = "exact"

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        front = pool.front_costs[:, 0] if self.counts_front else np.zeros(0)
        spread = self._spread(pool.costs[:, 0], front, count, rng)
        best_first = np.argsort(-pool.gain, kind="stable")
        filled = best_first[~np.isin(best_first, spread)][: count - len(spread)]
        reasons = ("uniformity",) * len(spread) + ("accuracy",) * len(filled)
        return Selection(np.append(spread, filled), reasons)

    def _spread(self, candidates: Floats, front: Floats, count: int, rng: np.random.Generator) -> Indices:
        if self.solver == "genetic":
            return solve_by_genetic_algorithm(candidates, front, count, rng)
        return solve_exactly(candidates, front, count, weights=rng.random(len(candidates)))


@dataclass(frozen=True, kw_only=True)
class LatencySpread:
    """Exactly `count` candidates whose latencies are closest to uniform; accuracy plays no part.

    Args:
        counts_front: Whether the latencies of the archive's front count along with theirs.
    """

    counts_front: bool = True

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""
        front = pool.front_costs[:, 0] if self.counts_front else np.zeros(0)
        chosen = solve_exactly(pool.costs[:, 0], front, count, weights=rng.random(len(pool)), full=True)
        return Selection(chosen, ("uniformity",) * len(chosen))
