"""Random draws that are the same on every platform and with every version of numpy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Item = TypeVar("Item")
Floats = NDArray[np.floating[Any]]
_UNIT = 2.0**-53


class Dice:
    """Draws made from the raw words of PCG64.

    numpy promises that the words of a bit generator never change; it does not promise that for the distributions of
    `Generator`, so the few that a scene needs are written here.

    Args:
        key: Integers that name the stream; different keys give independent streams.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))

    def uniform(self, low: float = 0.0, high: float = 1.0) -> float:
        """A number in [low, high)."""
        return low + (high - low) * ((int(self._bits.random_raw()) >> 11) * _UNIT)

    def integer(self, low: int, high: int) -> int:
        """An integer in [low, high)."""
        return low + int(self._bits.random_raw()) % (high - low)

    def chance(self, probability: float) -> bool:
        """True with a probability."""
        return self.uniform() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """One of the items, all equally likely."""
        return items[self.integer(0, len(items))]

    def weighted(self, items: Sequence[tuple[Item, float]]) -> Item:
        """One of (item, weight) pairs; the weights add up to one."""
        mark = self.uniform()
        for item, weight in items:
            mark -= weight
            if mark < 0.0:
                return item
        return items[-1][0]

    def uniforms(self, *shape: int) -> Floats:
        """An array of numbers in [0, 1)."""
        count = int(np.prod(shape))
        words = np.asarray(self._bits.random_raw(count), dtype=np.uint64)
        return ((words >> np.uint64(11)) * _UNIT).reshape(shape)

    def octets(self, *shape: int) -> NDArray[np.uint8]:
        """An array of uniform bytes."""
        count = int(np.prod(shape))
        words = np.asarray(self._bits.random_raw((count + 7) // 8), dtype="<u8")
        return words.view(np.uint8)[:count].reshape(shape)
