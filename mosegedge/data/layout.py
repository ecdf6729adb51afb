"""How a data set lies on disk, as plain data: which files are pictures and labels, and what label values mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import Split
from mosegedge.data.labels import IGNORE

Colour = tuple[int, int, int]

_UNKNOWN = 254
"""Marks, inside this module, pixels whose value has no meaning; no data set has so many classes."""


@dataclass(frozen=True, kw_only=True)
class NameList:
    """Names of pictures in text files, one a line.

    Attributes:
        include: Files below the root whose names count, all of them together.
        exclude: Files whose names are taken out again.
    """

    include: tuple[str, ...]
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """Where the pictures of a part of a data set and their labels lie.

    Attributes:
        pictures: Paths below the root with `{name}` for the name of a picture, which may hold folders; a picture lies
            at one of them.
        labels: The same for labels; where several exist for a name, the first counts.
        lists: Where the names are listed; the first whose files all exist counts. Without any, every file that a path
            of `pictures` or `labels` fits belongs to the part.
        belongs: Whether a name is of this part, where several parts share their folders.
    """

    pictures: tuple[str, ...]
    labels: tuple[str, ...]
    lists: tuple[NameList, ...] = ()
    belongs: Callable[[str], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class HoldOut:
    """A fixed rule by which pictures of the training part are held out to guide a search.

    Attributes:
        described: The rule in words.
        choose: Names of the whole training part, sorted, to the names that are held out.
    """

    described: str
    choose: Callable[[Sequence[str]], frozenset[str]]


@dataclass(frozen=True, kw_only=True)
class Values:
    """What the values in label files mean.

    Attributes:
        described: The values in words.
        classes: Class number of each value, 255 where it stands for no class. A colour is the value
            red * 65536 + green * 256 + blue.
        coloured: Whether label pictures are read as colours; else as the index that each pixel holds.
        mat_field: Where a .mat file holds the label map: a variable, and fields inside it.
    """

    described: str
    classes: Mapping[int, int]
    coloured: bool = False
    mat_field: tuple[str, ...] = ()

    def mask_of(self, raw: NDArray[np.integer[Any]]) -> tuple[NDArray[np.uint8], dict[int, int]]:
        """Class numbers of a label map.

        Args:
            raw: H x W values of a label file.

        Returns:
            H x W class numbers, 255 where there is none; and the values without a meaning, which became 255 too, with
            their numbers of pixels.
        """
        mask = self._looked_up(raw) if self.coloured else self._indexed(raw)
        strange = mask == _UNKNOWN
        if not strange.any():
            return mask, {}
        values, counts = np.unique(raw[strange], return_counts=True)
        mask[strange] = IGNORE
        return mask, dict(zip(values.tolist(), counts.tolist(), strict=True))

    def _indexed(self, raw: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        if raw.dtype == np.uint8:
            return np.asarray(self._table[raw])
        inside = (raw >= 0) & (raw < len(self._table))
        return np.where(inside, self._table[np.where(inside, raw, 0)], np.uint8(_UNKNOWN))

    def _looked_up(self, raw: NDArray[np.integer[Any]]) -> NDArray[np.uint8]:
        values, classes = self._sorted
        places = np.minimum(np.searchsorted(values, raw), len(values) - 1)
        return np.where(values[places] == raw, classes[places], np.uint8(_UNKNOWN))

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        table = np.full(256, _UNKNOWN, np.uint8)
        table[list(self.classes)] = list(self.classes.values())
        return table

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        values = np.array(sorted(self.classes), np.int64)
        return values, np.array([self.classes[int(value)] for value in values], np.uint8)


@dataclass(frozen=True, kw_only=True)
class Layout:
    """A data set on disk.

    Attributes:
        data: The name it has here.
        title: The name it has elsewhere.
        described: Its folders and files in two sentences.
        landmarks: Folders and files below the root by which it is known; `*` stands for any name.
        train: Training pictures.
        val: Pictures for reports.
        guide: Pictures that guide a search: their own folders, or a rule that holds them out of `train`.
        classes: Class names in the order of their numbers, with colours to show them in.
        values: What label values mean.
        aspect: Height and width, as a ratio, of the input that a network for this data gets.
        size: Height and width of every picture; None where they differ.
        counts: Pictures of each split of the complete data set, as far as that is known.
    """

    data: str
    title: str
    described: str
    landmarks: tuple[str, ...]
    train: Part
    val: Part
    guide: Part | HoldOut
    classes: Mapping[str, Colour]
    values: Values
    aspect: tuple[int, int]
    size: tuple[int, int] | None = None
    counts: Mapping[Split, int] = field(default_factory=dict)


def packed(colour: Colour) -> int:
    """A colour as one number, as `Values` takes it."""
    red, green, blue = colour
    return red << 16 | green << 8 | blue
