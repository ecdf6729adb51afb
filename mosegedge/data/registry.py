"""Data sets by name, what a search space must know of them, and the space that fits one."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Protocol

from mosegedge.data.dataset import SPLITS, DataGeometry, SegmentationSet, Split
from mosegedge.errors import DataError, SpaceError
from mosegedge.space import SearchSpace

_STRIDE = 32


class _Factory(Protocol):
    def __call__(self, split: Split, root: Path | None) -> SegmentationSet: ...


@dataclass(frozen=True)
class _Entry:
    geometry: DataGeometry
    make: _Factory


def _scenes(split: Split, root: Path | None) -> SegmentationSet:
    from mosegedge.data.scenes import SceneSet

    if root is not None:
        raise DataError(f"The scenes are drawn, not read; --data-root {root} is of no use.", fix="Leave it out.")
    return SceneSet(split)


def _camvid(split: Split, root: Path | None) -> SegmentationSet:
    from mosegedge.data.camvid import CamVid

    if root is None:
        raise DataError(
            "CamVid is read from a folder, and none was named.",
            known="It must hold train, trainannot, val and valannot (SegNet layout, 480x360, labels 0 to 11).",
            fix="Name it: --data camvid --data-root DIR.",
        )
    return CamVid(split, root)


_REGISTRY = {
    "camvid": _Entry(DataGeometry(classes=11, aspect=(3, 4)), _camvid),
    "scenes": _Entry(DataGeometry(classes=19, aspect=(1, 2)), _scenes),
}


def names() -> tuple[str, ...]:
    """Names of the data sets."""
    return tuple(sorted(_REGISTRY))


def load(name: str, split: Split, root: Path | None = None) -> SegmentationSet:
    """Opens a split of a data set.

    Args:
        name: `scenes` or `camvid`.
        split: `train`; `guide`, held out from it to lead a search; or `val`.
        root: The folder of a data set that is read from files.

    Raises:
        DataError: There is no such data set or split, or its files are not in their layout.

    Example:
        >>> load("scenes", "val").read(0).image.shape
        (192, 384, 3)
    """
    return _entry(name).make(as_split(split), root)


def as_split(text: str) -> Split:
    """A split by its name.

    Raises:
        DataError: There is no such split.
    """
    for split in SPLITS:
        if split == text:
            return split
    raise DataError(f"There is no split {text!r}.", known=f"Splits: {', '.join(SPLITS)}.")


def geometry(name: str) -> DataGeometry:
    """Classes and aspect ratio of a data set, without opening it."""
    return _entry(name).geometry


def space_for(preset: str, data: str) -> SearchSpace:
    """The search space of a preset for the pictures and classes of a data set.

    The crop keeps the preset's height and takes the data set's aspect ratio, rounded to a multiple of 32. A preset
    with a crop of its own (`tiny:192x256:11`) is taken as it is.

    Raises:
        SpaceError: There is no such preset, or it names another number of classes than the data set has.

    Example:
        >>> space_for("tiny", "camvid").name
        'tiny:192x256:11'
    """
    wanted = geometry(data)
    space = SearchSpace.load(preset)
    if ":" in preset:
        if space.classes != wanted.classes:
            raise SpaceError(
                f"The space {preset!r} has {space.classes} classes, {data} has {wanted.classes}.",
                fix=f"Write {preset.split(':')[0]}, and the crop and classes follow from the data.",
            )
        return space
    height = space.preset.crop[0]
    rise, run = wanted.aspect
    width = max(_STRIDE, (2 * height * run + rise * _STRIDE) // (2 * rise * _STRIDE) * _STRIDE)
    return SearchSpace.load(preset, crop=(height, width), classes=wanted.classes)


def _entry(name: str) -> _Entry:
    if name not in _REGISTRY:
        close = get_close_matches(name, _REGISTRY, n=1)
        raise DataError(
            f"There is no data set named {name!r}.",
            known=f"Data sets: {', '.join(names())}.",
            fix=f"Did you mean {close[0]!r}?" if close else "",
        )
    return _REGISTRY[name]
