"""What a segmentation data set is."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from mosegedge.progress import Progress

Split = Literal["train", "guide", "val"]
"""`train` fits weights, `guide` (held out from it) leads a search, `val` is looked at once, in reports."""

SPLITS: tuple[Split, ...] = get_args(Split)

_ROOM = 2 << 30


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A picture with its labels.

    Attributes:
        image: H x W x 3, RGB.
        mask: H x W class numbers, 255 where no class is given.
    """

    image: NDArray[np.uint8]
    mask: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class DataGeometry:
    """What a search space must know of a data set.

    Attributes:
        classes: Number of classes.
        aspect: Height and width, as a ratio, of a network's input: (3, 4) or (1, 2), mostly that of the pictures.
    """

    classes: int
    aspect: tuple[int, int]


class SegmentationSet(Protocol):
    """Pictures with labels, read one at a time; reading an index twice gives equal samples.

    Attributes:
        name: The data set's name, without the split.
        split: Which part of it this is.
        classes: Class names, in the order of the labels.
    """

    name: str
    split: Split
    classes: tuple[str, ...]

    @property
    def label_size(self) -> tuple[int, int] | None:
        """Height and width of the masks; None where pictures have sizes of their own."""

    @property
    def palette(self) -> NDArray[np.uint8]:
        """K x 3 colours to show the classes with."""

    def __len__(self) -> int: ...

    def read(self, index: int) -> Sample:
        """The sample at an index from 0 to len - 1; anything else is an IndexError."""


def check_index(dataset: SegmentationSet, index: int) -> int:
    """The index itself when it is inside the data set."""
    if not 0 <= index < len(dataset):
        raise IndexError(f"{dataset.name}/{dataset.split} has the samples 0 to {len(dataset) - 1}, not {index}.")
    return index


class Cached:
    """A data set whose samples stay in memory once read, as long as there is room; 2000 scenes take about 600 MB.

    Args:
        dataset: Where they come from.
        most_bytes: Of pictures and masks together. What is read after that is read again each time.
    """

    def __init__(self, dataset: SegmentationSet, most_bytes: int) -> None:
        self._inner = dataset
        self._held: dict[int, Sample] = {}
        self._room = most_bytes
        self._one_at_a_time = threading.Lock()
        self.name, self.split = dataset.name, dataset.split
        self.classes, self.label_size = dataset.classes, dataset.label_size

    @property
    def palette(self) -> NDArray[np.uint8]:
        """K x 3 colours to show the classes with."""
        return self._inner.palette

    def __len__(self) -> int:
        return len(self._inner)

    def fill(self, progress: Progress) -> None:
        """Reads everything that there is room for, so that no later step has to wait for it."""
        missing = [index for index in range(len(self)) if index not in self._held]
        progress.start(f"Reading {self.name}/{self.split}", len(self), len(self) - len(missing))
        for index in missing:
            self.read(index)
            progress.advance()

    def read(self, index: int) -> Sample:
        """Reads a sample once; later calls give the same object, so its arrays cannot be written to."""
        held = self._held.get(index)
        if held is not None:
            return held
        sample = self._inner.read(index)
        sample.image.flags.writeable = False
        sample.mask.flags.writeable = False
        size = sample.image.nbytes + sample.mask.nbytes
        with self._one_at_a_time:  # several threads make batches
            if index not in self._held and size <= self._room:
                self._held[index] = sample
                self._room -= size
        return self._held.get(index, sample)


def cached(dataset: SegmentationSet, *, most_bytes: int = _ROOM) -> Cached:
    """Keeps the samples of a data set in memory, up to 2 GiB of them unless told otherwise."""
    return Cached(dataset, most_bytes)
