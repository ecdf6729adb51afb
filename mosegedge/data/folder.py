"""Your own data set: pictures, index masks, and a list of the classes."""

from __future__ import annotations

from pathlib import Path

from mosegedge.data.dataset import DataGeometry
from mosegedge.data.guide import spread
from mosegedge.data.labels import IGNORE, bit_colours
from mosegedge.data.layout import Colour, Layout, Part, Values
from mosegedge.data.walk import walk
from mosegedge.errors import DataError

CLASS_LIST = "classes.txt"
_MOST_CLASSES = 250
_ENDINGS = ("png", "jpg", "jpeg")
_GUIDE = 200

DESCRIBED = (
    f"{CLASS_LIST} with a class name a line in the order of the labels, a colour R G B after it if you like; pictures "
    "images/train/NAME.png or .jpg, index masks labels/train/NAME.png of the same size, 255 for ignored pixels; val "
    "likewise, and guide too if you divide yourself."
)


def layouts(root: Path) -> tuple[Layout, ...]:
    """The layout of a folder, with the classes that its list names.

    Raises:
        DataError: The list cannot be read.
    """
    classes = _classes(root / CLASS_LIST) if (root / CLASS_LIST).is_file() else {}
    own_guide = (root / "images" / "guide").is_dir()
    return (
        Layout(
            data="folder",
            title="The data set",
            described=DESCRIBED,
            landmarks=(CLASS_LIST, "images/train", "labels/train", "images/val", "labels/val"),
            train=_part("train"),
            val=_part("val"),
            guide=_part("guide") if own_guide else spread(_GUIDE),
            classes=classes,
            values=Values(
                described=f"Labels are the lines of {CLASS_LIST}, from 0 to {len(classes) - 1}, and 255 for ignored.",
                classes={number: number for number in range(len(classes))} | {IGNORE: IGNORE},
            ),
            aspect=(1, 1),
        ),
    )


def geometry(layout: Layout, root: Path) -> DataGeometry:
    """Number of classes, and the shape of the first training picture, which a network's input then has."""
    from mosegedge.data.decode import read_picture

    pairs = walk(layout, "train", root).pairs
    if not pairs:
        raise DataError(f"{root} holds no training picture with labels.", known=layout.described)
    height, width = read_picture(pairs[0].picture).shape[:2]
    return DataGeometry(classes=len(layout.classes), aspect=(height, width))


def _part(name: str) -> Part:
    return Part(
        pictures=tuple(f"images/{name}/{{name}}.{ending}" for ending in _ENDINGS),
        labels=(f"labels/{name}/{{name}}.png",),
    )


def _classes(file: Path) -> dict[str, Colour]:
    try:
        lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise DataError(f"{file} is no text in UTF-8: {error}.", known=DESCRIBED) from error
    lines = [line for line in lines if line and not line.startswith("#")]
    if not 2 <= len(lines) <= _MOST_CLASSES:
        raise DataError(f"{file} names {len(lines)} classes.", known=f"There can be 2 to {_MOST_CLASSES}.")
    classes = {}
    for line, usual in zip(lines, bit_colours(len(lines) + 1)[1:], strict=True):
        name, colour = _entry(line, file) or (line, usual)
        if name in classes:
            raise DataError(f"{file} names the class {name!r} twice.", known=DESCRIBED)
        classes[name] = colour
    return classes


def _entry(line: str, file: Path) -> tuple[str, Colour] | None:
    """Name and colour of a line that has both."""
    words = line.split()
    if len(words) < 4 or not all(word.isdigit() for word in words[-3:]):
        return None
    red, green, blue = (int(word) for word in words[-3:])
    if max(red, green, blue) > 255:
        raise DataError(f"{file} gives {line!r} a colour beyond 255.", known=DESCRIBED)
    return " ".join(words[:-3]), (red, green, blue)
