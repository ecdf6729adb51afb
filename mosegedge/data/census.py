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


def take_census(dataset: SegmentationSet, progress: Progress, *, limit: int | None = None) -> Census:
    """Reads a data set, or its first pictures, and counts.

    Raises:
        DataError: A file is damaged or not as the layout wants it.
    """
    count = len(dataset) if limit is None else min(limit, len(dataset))
    progress.start(f"Reading {dataset.name}/{dataset.split}", count)
    total, appearances = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for index in range(count):
        pixels = np.bincount(dataset.read(index).mask.ravel(), minlength=256)
        total += pixels
        appearances += pixels > 0
        progress.advance()
    classes = len(dataset.classes)
    return Census(
        pictures=count,
        pixels=total[:classes],
        appearances=appearances[:classes],
        ignored=int(total[IGNORE]),
    )
