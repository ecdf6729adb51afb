"""What a pre-screening strategy is given and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reference:
    """The corner that hypervolumes are measured from: nothing slower or less accurate counts.

    Attributes:
        latency_ms: The slowest latency of interest.
        miou: The lowest accuracy of interest.
    """

    latency_ms: float
    miou: float


@dataclass(frozen=True, kw_only=True)
class Pool:
    """What a strategy may look at. Latency is minimised, accuracy maximised.

    Attributes:
        codes: N x D candidates, none of them evaluated yet.
        latency_ms: Their latencies from the profile.
        predicted_miou: Their predicted accuracies.
        predicted_sd: Standard deviations of the predictions, where the predictor knows them.
        front_latency_ms: Latencies of the archive's front.
        front_miou: Accuracies of the archive's front.
        reference: The corner of the archive's hypervolume.
    """

    codes: Codes
    latency_ms: Floats
    predicted_miou: Floats
    predicted_sd: Floats | None
    front_latency_ms: Floats
    front_miou: Floats
    reference: Reference

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
