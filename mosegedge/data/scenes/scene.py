"""One scene from its number, and the data set made of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import Sample, Split, check_index
from mosegedge.data.labels import CITYSCAPES, palette_of
from mosegedge.data.scenes import backdrop, facades, finish, traffic
from mosegedge.data.scenes.canvas import Canvas
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.plan import plan_street

HEIGHT, WIDTH = 192, 384
_STREAM = 20_250_611
_FIRST: dict[Split, int] = {"val": 0, "guide": 1_000_000, "train": 2_000_000}
_SIZES: dict[Split, int] = {"val": 300, "guide": 200, "train": 2000}


def draw_scene(number: int) -> Sample:
    """The scene of a number, 192 x 384."""
    dice = Dice(_STREAM, number)
    street = plan_street(dice, HEIGHT, WIDTH)
    canvas = Canvas(HEIGHT, WIDTH)
    backdrop.paint_sky(canvas, street, dice)
    backdrop.paint_ground(canvas, street, dice)
    facades.paint_street_end(canvas, street, dice)
    for side in (street.left, street.right):
        facades.paint_row(canvas, street, side.far, dice)
    traffic.paint_gardens(canvas, street, dice)
    for side in (street.left, street.right):
        facades.paint_row(canvas, street, side.near, dice)
    traffic.paint_street_life(canvas, street, dice)
    finish.add_bonnet(canvas, dice)
    return Sample(finish.photograph(canvas, street.light, dice), canvas.label)


class SceneSet:
    """A split of the scenes, drawn when asked for.

    Args:
        split: `train` (2000 pictures), `guide` (200) or `val` (300); their numbers never overlap.
        size: Another number of pictures; `train` has a million.
    """

    name = "scenes"
    classes = tuple(CITYSCAPES)
    label_size = (HEIGHT, WIDTH)

    def __init__(self, split: Split, size: int | None = None) -> None:
        self.split = split
        self._size = min(_SIZES[split] if size is None else size, 1_000_000)

    @property
    def palette(self) -> NDArray[np.uint8]:
        """19 x 3 colours."""
        return palette_of(CITYSCAPES)

    def number(self, index: int) -> int:
        """The number of the scene at an index."""
        return _FIRST[self.split] + check_index(self, index)

    def __len__(self) -> int:
        return self._size

    def read(self, index: int) -> Sample:
        """Draws a picture and its mask."""
        return draw_scene(self.number(index))
