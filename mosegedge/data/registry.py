"""Data sets by name, what a search space must know of them, and the space that fits one."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from mosegedge.data import camvid, cityscapes, cocostuff, folder, voc
from mosegedge.data.dataset import SPLITS, DataGeometry, SegmentationSet, Split
from mosegedge.data.layout import Layout
from mosegedge.data.places import locate
from mosegedge.errors import DataError, SpaceError
from mosegedge.space import SearchSpace

_STRIDE = 32
_SCENES = DataGeometry(classes=19, aspect=(1, 2))

_FILED = {layouts[0].data: layouts for layouts in (camvid.LAYOUTS, cityscapes.LAYOUTS, cocostuff.LAYOUTS, voc.LAYOUTS)}
"""Data sets whose classes are known before their folder is; a new one is a module of layouts and its place here."""


def names() -> tuple[str, ...]:
    """Names of the data sets."""
    return tuple(sorted([*_FILED, "folder", "scenes"]))


def load(name: str, split: Split, root: Path | None = None) -> SegmentationSet:
    """Opens a split of a data set.

    Args:
        name: `scenes`, `cityscapes`, `voc2012`, `cocostuff10k`, `camvid`, or `folder` for your own.
        split: `train`; `guide`, held out from it to lead a search; or `val`.
        root: The folder of a data set that is read from files.

    Raises:
        DataError: There is no such data set or split, or its files are not in their layout.

    Example:
        >>> load("scenes", "val").read(0).image.shape
        (192, 384, 3)
    """
    if name == "scenes":
        from mosegedge.data.scenes import SceneSet

        _refuse_root(root)
        return SceneSet(as_split(split))
    from mosegedge.data.filed import FiledSet

    layout, place = located(name, root)
    return FiledSet(layout, as_split(split), place)


def located(name: str, root: Path | None) -> tuple[Layout, Path]:
    """How a data set lies in a folder, and that folder.

    Raises:
        DataError: There is no such data set, it is not read from a folder, or the folder does not hold it.
    """
    _check_name(name)
    if name == "scenes":
        raise DataError("The scenes are drawn, not read from a folder.", known=f"Data sets: {', '.join(names())}.")
    if root is None:
        own = name == "folder"
        raise DataError(
            f"{'Your own data set' if own else _FILED[name][0].title} is read from a folder, and none was named.",
            known=folder.DESCRIBED if own else " Or: ".join(layout.described for layout in _FILED[name]),
            fix="Name the folder that holds it: --data-root DIR.",
        )
    return locate(folder.layouts(root) if name == "folder" else _FILED[name], root), root


def as_split(text: str) -> Split:
    """A split by its name.

    Raises:
        DataError: There is no such split.
    """
    for split in SPLITS:
        if split == text:
            return split
    raise DataError(f"There is no split {text!r}.", known=f"Splits: {', '.join(SPLITS)}.")


def geometry(name: str, root: Path | None = None) -> DataGeometry:
    """Classes and aspect ratio of a data set; only `folder` is looked at for them.

    Raises:
        DataError: There is no such data set, or it is `folder` and not in its layout.
    """
    _check_name(name)
    if name == "scenes":
        return _SCENES
    if name in _FILED:
        layout = _FILED[name][0]
        return DataGeometry(classes=len(layout.classes), aspect=layout.aspect)
    return folder.geometry(*located(name, root))


def space_for(preset: str, data: str, root: Path | None = None) -> SearchSpace:
    """The search space of a preset for the pictures and classes of a data set.

    The crop keeps the preset's height and takes the data set's aspect ratio, rounded to a multiple of 32. A preset
    with a crop of its own (`tiny:192x256:11`) is taken as it is.

    Raises:
        SpaceError: There is no such preset, or it names another number of classes than the data set has.

    Example:
        >>> space_for("tiny", "camvid").name
        'tiny:192x256:11'
    """
    wanted = geometry(data, root)
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


def _refuse_root(root: Path | None) -> None:
    if root is not None:
        raise DataError(f"The scenes are drawn, not read; --data-root {root} is of no use.", fix="Leave it out.")


def _check_name(name: str) -> None:
    if name not in names():
        close = get_close_matches(name, names(), n=1)
        raise DataError(
            f"There is no data set named {name!r}.",
            known=f"Data sets: {', '.join(names())}.",
            fix=f"Did you mean {close[0]!r}?" if close else "",
        )
