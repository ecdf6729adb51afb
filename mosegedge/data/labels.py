"""Class lists and the colours that show them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

IGNORE = 255
"""Label of pixels that no class is given to; left out of training and of every score."""

CITYSCAPES: dict[str, tuple[int, int, int]] = {
    "road": (128, 64, 128),
    "sidewalk": (244, 35, 232),
    "building": (70, 70, 70),
    "wall": (102, 102, 156),
    "fence": (190, 153, 153),
    "pole": (153, 153, 153),
    "traffic light": (250, 170, 30),
    "traffic sign": (220, 220, 0),
    "vegetation": (107, 142, 35),
    "terrain": (152, 251, 152),
    "sky": (70, 130, 180),
    "person": (220, 20, 60),
    "rider": (255, 0, 0),
    "car": (0, 0, 142),
    "truck": (0, 0, 70),
    "bus": (0, 60, 100),
    "train": (0, 80, 100),
    "motorcycle": (0, 0, 230),
    "bicycle": (119, 11, 32),
}
"""The 19 classes that Cityscapes scores, in its order, with its colours."""

(
    ROAD, SIDEWALK, BUILDING, WALL, FENCE, POLE, LIGHT, SIGN, VEGETATION, TERRAIN,
    SKY, PERSON, RIDER, CAR, TRUCK, BUS, TRAIN, MOTORCYCLE, BICYCLE,
) = range(19)  # fmt: skip

CAMVID: dict[str, tuple[int, int, int]] = {
    "sky": (128, 128, 128),
    "building": (128, 0, 0),
    "pole": (192, 192, 128),
    "road": (128, 64, 128),
    "pavement": (60, 40, 222),
    "tree": (128, 128, 0),
    "sign": (192, 128, 128),
    "fence": (64, 64, 128),
    "car": (64, 0, 128),
    "pedestrian": (64, 64, 0),
    "bicyclist": (0, 128, 192),
}
"""The 11 classes of CamVid in the order of the SegNet label files, with its colours."""


def bit_colours(count: int) -> list[tuple[int, int, int]]:
    """Colours that differ, by the rule of PASCAL VOC: three bits of the number at a time go to red, green and blue.

    The first is black, as the background of VOC is.
    """

    def channel(number: int, first: int) -> int:
        return sum((number >> (3 * place + first) & 1) << (7 - place) for place in range(3))

    return [(channel(number, 0), channel(number, 1), channel(number, 2)) for number in range(count)]


def palette_of(classes: dict[str, tuple[int, int, int]]) -> NDArray[np.uint8]:
    """K x 3 colours of a class list."""
    return np.array(list(classes.values()), np.uint8)


def colorize(mask: NDArray[np.integer[Any]], palette: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture of a mask: each class in its colour, ignored pixels black.

    Args:
        mask: H x W class numbers; anything outside the palette counts as ignored.
        palette: K x 3 colours.
    """
    padded = np.vstack([palette, np.zeros((1, 3), np.uint8)])
    known = (mask >= 0) & (mask < len(palette))
    return np.asarray(padded[np.where(known, mask, len(palette))], np.uint8)


def overlay(
    image: NDArray[np.uint8],
    mask: NDArray[np.integer[Any]],
    palette: NDArray[np.uint8],
    *,
    strength: float = 0.5,
) -> NDArray[np.uint8]:
    """A picture with its mask laid over it; ignored pixels keep the picture's colour."""
    known = ((mask >= 0) & (mask < len(palette)))[..., None]
    blend = image * (1.0 - strength) + colorize(mask, palette) * strength
    return np.where(known, np.rint(blend), image).astype(np.uint8)
