"""A data set that is read from files in one of its layouts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import Sample, Split, check_index
from mosegedge.data.decode import COPY_AGAIN, read_labels, read_picture
from mosegedge.data.labels import palette_of
from mosegedge.data.layout import HoldOut, Layout, Part, Values
from mosegedge.data.walk import Pair, walk
from mosegedge.errors import DataError


class FiledSet:
    """A split of a data set in files.

    Args:
        layout: How it lies on disk.
        split: Which part.
        root: Its folder.

    Raises:
        DataError: A picture has no labels or the other way round, or there is none at all.
    """

    def __init__(self, layout: Layout, split: Split, root: Path) -> None:
        self.name, self.split = layout.data, split
        self.classes, self.label_size = tuple(layout.classes), layout.size
        self._layout, self._pairs = layout, _complete(layout, split, root)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """K x 3 colours."""
        return palette_of(dict(self._layout.classes))

    @property
    def names(self) -> list[str]:
        """Names of the pictures, in the order of their indices."""
        return [pair.name for pair in self._pairs]

    def __len__(self) -> int:
        return len(self._pairs)

    def read(self, index: int) -> Sample:
        """Decodes a picture and its labels.

        Raises:
            DataError: A file is damaged or of another size, or holds a label without a meaning.
        """
        pair = self._pairs[check_index(self, index)]
        sample, strange = read_pair(pair, self._layout)
        if strange:
            raise DataError(
                f"{pair.labels} holds {strange_in_words(strange, self._layout.values)}.",
                known=self._layout.values.described,
                fix=COPY_AGAIN,
            )
        return sample


def read_pair(pair: Pair, layout: Layout) -> tuple[Sample, dict[int, int]]:
    """Decodes a picture and its labels.

    Returns:
        The sample, and the label values without a meaning with their numbers of pixels.

    Raises:
        DataError: A file is damaged or of another size.
    """
    image = read_picture(pair.picture)
    mask, strange = layout.values.mask_of(read_labels(pair.labels, layout.values))
    check_sizes(pair, layout, image.shape[:2], mask.shape)
    return Sample(image, mask), strange


def check_sizes(pair: Pair, layout: Layout, picture: tuple[int, ...], labels: tuple[int, ...]) -> None:
    """Raises DataError where a picture and its labels are of other sizes than the layout's, or than each other."""
    for path, found in ((pair.picture, picture), (pair.labels, labels)):
        if layout.size is not None and found != layout.size:
            raise DataError(
                f"{path} is {in_words(found)}.",
                known=f"{layout.title}'s files are {in_words(layout.size)} in this layout.",
                fix=COPY_AGAIN,
            )
    if picture != labels:
        raise DataError(
            f"{pair.labels} is {in_words(labels)}, its picture {pair.picture} is {in_words(picture)}.",
            known="Labels have the size of their picture.",
            fix=COPY_AGAIN,
        )


def in_words(shape: tuple[int, ...]) -> str:
    """Width and height of an array's shape as `2048x1024`."""
    return f"{shape[1]}x{shape[0]}"


def strange_in_words(strange: dict[int, int], values: Values, most: int = 5) -> str:
    """Label values without a meaning as a user would write them, with their pixels."""

    def written(value: int) -> Any:
        return (value >> 16, value >> 8 & 255, value & 255) if values.coloured else value

    shown = [f"{written(value)} ({strange[value]} pixels)" for value in sorted(strange)[:most]]
    more = f" and {len(strange) - most} more" if len(strange) > most else ""
    what = "colour" if values.coloured else "label"
    return f"the {what}{'s' if len(strange) > 1 else ''} {', '.join(shown)}{more}"


def _complete(layout: Layout, split: Split, root: Path) -> tuple[Pair, ...]:
    found = walk(layout, split, root)
    if found.missing:
        first = found.missing[0]
        frames = len(found.pairs) + len({file.name for file in found.missing})
        lacking = "labels" if first.what == "labels" else "a picture"
        alike = sum(file.what == first.what for file in found.missing)
        raise DataError(
            f"{alike} of the {frames} pictures of {layout.title}'s {split} lack {lacking}; the first is {first.name}, "
            f"expected at {first.expected}.",
            known=layout.described,
            fix=f"Copy the missing files, or remove their partners: mosegedge data check {layout.data} --root {root}",
        )
    if not found.pairs:
        raise DataError(
            f"{layout.title} in {root} holds no picture of {split}.",
            known=_looked_for(layout, split),
            fix=f"Look what it holds: mosegedge data check {layout.data} --root {root}",
        )
    return found.pairs


def _looked_for(layout: Layout, split: Split) -> str:
    if split == "guide" and isinstance(layout.guide, HoldOut):
        return f"The rule is: {layout.guide.described}."
    part = layout.guide if split == "guide" and isinstance(layout.guide, Part) else layout.train
    return f"Looked for {' and '.join((layout.val if split == 'val' else part).pictures)}. {layout.described}"
