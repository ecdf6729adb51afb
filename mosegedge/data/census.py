"""What a data set holds, found by reading all of it; a damaged file ends the count with its error."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.labels import IGNORE
from mosegedge.progress import Progress


@dataclass(frozen=True, kw_only=True, eq=False)
class Census:
    """Counts over a split.

    Attributes:
        pictures: Number of pictures read.
        pixels: Labelled pixels of each class.
        appearances: Pictures in which each class occurs.
        ignored: Pixels without a class.
    """

    pictures: int
    pixels: NDArray[np.int64]
    appearances: NDArray[np.int64]
    ignored: int

    @property
    def shares(self) -> NDArray[np.float64]:
        """Share of each class in the labelled pixels."""
        return np.asarray(self.pixels / max(1, int(self.pixels.sum())), np.float64)


class Tally:
    """Adds up the labels of pictures.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        self._classes, self._pictures = classes, 0
        self._total, self._appearances = np.zeros(256, np.int64), np.zeros(256, np.int64)

    def add(self, counts: NDArray[np.int64]) -> None:
        """Adds a picture, given as the number of pixels of each of the 256 label values."""
        self._pictures += 1
        self._total += counts
        self._appearances += counts > 0

    @property
    def census(self) -> Census:
        """Everything so far."""
        return Census(
            pictures=self._pictures,
            pixels=self._total[: self._classes].copy(),
            appearances=self._appearances[: self._classes].copy(),
            ignored=int(self._total[IGNORE]),
        )


def take_census(dataset: SegmentationSet, progress: Progress, *, limit: int | None = None) -> Census:
    """Reads a data set, or its first pictures, and counts.

    Raises:
        DataError: A file is damaged or not as the layout wants it.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    progress.start(f"Reading {dataset.name}/{dataset.split}", count)
    tally = Tally(len(dataset.classes))
    for index in range(count):
        tally.add(np.bincount(dataset.read(index).mask.ravel(), minlength=256))
        progress.advance()
    return tally.census
