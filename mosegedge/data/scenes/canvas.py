"""The picture under construction, and the flat figures that are painted into it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.labels import IGNORE, SKY
from mosegedge.data.scenes.camera import FAR_M, Camera, Mask, Patch, pixels_between
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.noise import Floats


class Figure:
    """What is drawn on a patch: parts laid over each other, each with a colour and a class."""

    def __init__(self, patch: Patch) -> None:
        self.patch = patch
        self._part = np.zeros(patch.shape, np.uint8)
        self._colours: list[Colour] = [(0.0, 0.0, 0.0)]
        self._labels = [IGNORE]
        self._glow: list[int] = []

    def add(self, where: Mask, colour: Colour, label: int, *, glows: bool = False) -> None:
        """Lays a part over what is there; a part that glows is not shaded."""
        if glows:
            self._glow.append(len(self._labels))
        np.copyto(self._part, np.uint8(len(self._labels)), where=where)
        self._colours.append(colour)
        self._labels.append(label)

    def painted(self, shade: Floats | float) -> tuple[Mask, Floats, NDArray[np.uint8]]:
        """Where the figure is, its colours (3 x h x w) times a shade, its classes."""
        part = self._part.astype(np.intp)
        colour = np.take(np.array(self._colours, np.float32).T, part, axis=1)
        factor = np.asarray(shade, np.float32)
        for number in self._glow:
            factor = np.where(part == number, np.float32(1.0), factor)
        colour *= factor
        return self._part > 0, colour, np.take(np.array(self._labels, np.uint8), part)


class Canvas:
    """Colour (3 x H x W), class and distance of every pixel; nearer things hide farther ones."""

    def __init__(self, height: int, width: int) -> None:
        self.colour = np.zeros((3, height, width), np.float32)
        self.label = np.full((height, width), SKY, np.uint8)
        self.depth = np.full((height, width), FAR_M * 10, np.float32)

    def hides(self, patch: Patch) -> bool:
        """Whether nearer things cover all of a patch."""
        return not (patch.depth < self.depth[patch.rows, patch.columns]).any()

    def paint(self, figure: Figure, shade: Floats | float) -> None:
        """Puts a figure into the picture where nothing nearer is.

        Args:
            figure: What to paint.
            shade: Brightness, a number or an array that broadcasts to the patch.
        """
        self.put(figure.patch, *figure.painted(shade))

    def put(self, patch: Patch, mask: Mask, colour: Floats, label: NDArray[np.uint8]) -> None:
        """Puts colours and classes of a patch into the picture where the mask holds and nothing nearer is."""
        rows, columns = patch.rows, patch.columns
        visible = mask & (patch.depth < self.depth[rows, columns])
        np.copyto(self.colour[:, rows, columns], colour, where=visible)
        np.copyto(self.label[rows, columns], label, where=visible)
        np.copyto(self.depth[rows, columns], patch.depth, where=visible)

    def shadow(self, camera: Camera, x: tuple[float, float], z: tuple[float, float], darkness: float) -> None:
        """Darkens an ellipse on the ground around the rectangle x, z."""
        top, bottom = camera.row(0.0, z[1]), camera.row(0.0, max(z[0], 1.0))
        edges = [camera.column(side, max(at, 1.0)) for side in x for at in z]
        rows, columns = pixels_between(top, bottom, camera.height), pixels_between(min(edges), max(edges), camera.width)
        if rows is None or columns is None:
            return
        drop = np.arange(rows.start, rows.stop)[:, None] + 0.5 - camera.horizon
        depth = (camera.focal * camera.eye_m / np.maximum(drop, 0.5)).astype(np.float32)
        across = (np.arange(columns.start, columns.stop) + 0.5 - camera.centre).astype(np.float32)
        across = across * (depth / np.float32(camera.focal)) - np.float32(camera.bend) * depth * depth
        away_x = (across - np.float32((x[0] + x[1]) / 2)) * np.float32(2.0 / (x[1] - x[0]))
        away_z = (depth - np.float32((z[0] + z[1]) / 2)) * np.float32(2.0 / (z[1] - z[0]))
        inside = (np.float32(1.2) - away_z * away_z - away_x * away_x) * np.float32(2.0 * darkness)
        inside = np.minimum(np.maximum(inside, np.float32(0.0)), np.float32(darkness))
        inside *= np.abs(self.depth[rows, columns] - depth) < np.float32(0.5) + np.float32(0.05) * depth
        self.colour[:, rows, columns] *= np.float32(1.0) - inside


def planes(colour: Colour) -> Floats:
    """A colour as 3 x 1 x 1, to be broadcast over pixels."""
    return np.array(colour, np.float32)[:, None, None]
