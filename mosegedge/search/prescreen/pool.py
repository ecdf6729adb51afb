"""What a pre-screening strategy is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The corner that hypervolumes are measured from: nothing that costs more or gains less counts.

    Attributes:
        costs: The highest costs of interest, one for each.
        gain: The lowest gain of interest.
    """

    costs: tuple[float, ...]
    gain: float

    @classmethod
    def of_corner(cls, corner: Floats) -> Self:
        """From a corner with columns as in the archive: costs, and minus the gain last."""
        return cls(costs=tuple(map(float, corner[:-1])), gain=-float(corner[-1]))


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What a strategy may look at. Costs are minimised and known, the gain is maximised and predicted.

    The gain is mIoU where it is an objective; otherwise it is the last cost with its sign turned, which is known too.

    Attributes:
        codes: N x D candidates, none of them evaluated yet.
        costs: N x C costs of theirs, as latency from the profile.
        gain: Their predicted gains.
        gain_sd: Standard deviations of the predictions, where the predictor knows them.
        exploration: How many of them the search hopes for.
        front_costs: F x C costs of the archive's front.
        front_gain: Gains of the archive's front.
        reference: The corner of the archive's hypervolume.
    """

    codes: Codes
    costs: Floats
    gain: Floats
    gain_sd: Floats | None
    front_costs: Floats
    front_gain: Floats
    reference: Reference
    exploration: float = 0.0

    def __len__(self) -> int:
        return len(self.codes)


@dataclass(frozen=True)
class Selection:
    """What a strategy chose.

    Attributes:
        indices: Rows of the pool, in the order in which they are to be evaluated.
        reasons: Why each was chosen, one word each.
    """

    indices: Indices
    reasons: tuple[str, ...]


class Prescreen(Protocol):
    """A strategy: chooses at most `count` rows of a pool; fewer only if the pool is smaller."""

    def __call__(self, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
        """Chooses."""


def filled_up(chosen: list[int], reason: str, pool: Pool, count: int, rng: np.random.Generator) -> Selection:
    """What a strategy found, and random other candidates for the slots that it left free."""
    others = np.setdiff1d(np.arange(len(pool)), chosen)
    extra = rng.permutation(others)[: max(count - len(chosen), 0)]
    indices = np.append(np.array(chosen, dtype=np.int64), extra)
    return Selection(indices, (reason,) * len(chosen) + ("random",) * len(extra))
