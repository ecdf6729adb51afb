"""Works timed in one run, round after round in random order, so that a disturbance hits none of them alone.

Other programs only add time, so the time of a work is a low quantile over the rounds. What a ratio is worth shows when
it is taken from half of the rounds alone: the first, the second, the even and the odd ones.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QUANTILE = 0.2
_FEWEST = 2

Floats = NDArray[np.float64]


class Work(NamedTuple):
    """What is timed: a network, or another name, and the way it is run."""

    network: str
    way: str


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How many times longer some works take than others.

    Attributes:
        value: From all rounds.
        lowest: From half of them.
        highest: From half of them.
    """

    value: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.lowest:.3f} to {self.highest:.3f})"


def interleaved(
    works: Mapping[Work, Callable[[], object]],
    *,
    rounds: int,
    most_s: float = float("inf"),
    rng: np.random.Generator,
    wait: Callable[[], object] = lambda: None,
) -> dict[Work, Floats]:
    """Seconds of every work in every round.

    Args:
        works: What is timed.
        rounds: How often, at most.
        most_s: No round begins after this time.
        rng: Decides the order in each round.
        wait: Returns when all that was started is done, as on a GPU.
    """
    keys = list(works)
    began = time.perf_counter()
    for work in works.values():  # the first run prepares kernels and memory
        work()
    seconds: dict[Work, list[float]] = {key: [] for key in keys}
    for number in range(rounds):
        if number >= _FEWEST and time.perf_counter() - began > most_s:
            break
        sys.stderr.write(f"\rround {number + 1} of {rounds}")
        for place in rng.permutation(len(keys)):
            key = keys[int(place)]
            wait()
            started = time.perf_counter()
            works[key]()
            wait()
            seconds[key].append(time.perf_counter() - started)
    sys.stderr.write("\n")
    return {key: np.array(values) for key, values in seconds.items()}


def low_ms(seconds: Floats) -> float:
    """The time of a work in milliseconds."""
    return 1e3 * float(np.quantile(seconds, QUANTILE))


def ratio_of(seconds: Mapping[Work, Floats], above: Sequence[Work], below: Sequence[Work]) -> Ratio:
    """The summed times of some works by those of others; a work may be named more than once."""

    def of(rounds: slice) -> float:
        upper, lower = (sum(low_ms(seconds[work][rounds]) for work in works) for works in (above, below))
        return upper / lower

    half = max(1, len(seconds[above[0]]) // 2)
    parts = [of(slice(half)), of(slice(half, None)), of(slice(0, None, 2)), of(slice(1, None, 2))]
    return Ratio(value=of(slice(None)), lowest=min(parts), highest=max(parts))
