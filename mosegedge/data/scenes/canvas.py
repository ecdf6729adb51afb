"""The picture under construction, the camera that looks at it, and the flat figures that are painted into it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.labels import IGNORE, SKY
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.noise import Floats

Mask = NDArray[np.bool_]
FAR_M = 400.0


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole above a road that may bend; places are x to the right of the own lane, y up, z ahead, in metres.

    Attributes:
        height, width: Picture size in pixels.
        focal: Focal length in pixels.
        horizon: Row of the horizon.
        centre: Column of the direction of travel.
        eye_m: Height above the road.
        bend: The road at z lies `bend * z * z` metres beside the straight line.
    """

    height: int
    width: int
    focal: float
    horizon: float
    centre: float
    eye_m: float
    bend: float

    def row(self, y: float, z: float) -> float:
        """Row of a place."""
        return self.horizon + self.focal * (self.eye_m - y) / z

    def column(self, x: float, z: float) -> float:
        """Column of a place; x is measured from the (bent) lane."""
        return self.centre + self.focal * (x / z + self.bend * z)

    def front(self, x: tuple[float, float], y: tuple[float, float], z: float) -> Patch | None:
        """The pixels of an upright rectangle that faces the camera; None when out of the picture."""
        left, right = self.column(x[0], z), self.column(x[1], z)
        columns = _pixels(left, right, self.width)
        rows = _pixels(self.row(y[1], z), self.row(y[0], z), self.height)
        if columns is None or rows is None or z < 1.0:
            return None
        metre = z / self.focal
        middle = (left + right) / 2
        across = (np.arange(columns.start, columns.stop) + 0.5 - middle) * metre
        half = (x[1] - x[0]) / 2
        return Patch(
            rows,
            columns,
            np.clip(across, -half, half)[None].astype(np.float32),
            self._heights(rows, y, z),
            np.float32(z),
            metre,
        )

    def side(self, x: float, y: tuple[float, float], z: tuple[float, float]) -> Patch | None:
        """The pixels of an upright rectangle along the road; its `across` runs from 0 at z[0] to its far end."""
        first, last = self.column(x, z[0]), self.column(x, z[1])
        columns = _pixels(min(first, last), max(first, last), self.width)
        rows = _pixels(self.row(y[1], z[0]), self.row(y[0], z[0]), self.height)
        if columns is None or rows is None or z[0] < 1.0 or abs(first - last) < 0.7:
            return None
        place = (np.arange(columns.start, columns.stop) + 0.5 - first) / (last - first)
        inverse = 1.0 / z[0] + np.clip(place, 0.0, 1.0) * (1.0 / z[1] - 1.0 / z[0])
        depth = (1.0 / inverse)[None].astype(np.float32)
        up = self.eye_m - (np.arange(rows.start, rows.stop)[:, None] + 0.5 - self.horizon) * depth / self.focal
        return Patch(rows, columns, depth - np.float32(z[0]), up.astype(np.float32), depth)

    def _heights(self, rows: slice, y: tuple[float, float], z: float) -> Floats:
        up = self.eye_m - (np.arange(rows.start, rows.stop) + 0.5 - self.horizon) * (z / self.focal)
        return np.clip(up, y[0], y[1])[:, None].astype(np.float32)


@dataclass(frozen=True)
class Patch:
    """A rectangle of pixels and where each lies on the surface painted there.

    Attributes:
        rows, columns: Where in the picture.
        across: Metres along the surface, one row (from the middle for fronts, from the near end for sides).
        up: Metres above the ground, one column for fronts, an array for sides.
        depth: Distance from the camera in metres, a number or one row.
        pixel_m: Metres that a pixel of a front spans; 0 for sides.
    """

    rows: slice
    columns: slice
    across: Floats
    up: Floats
    depth: Floats | np.float32
    pixel_m: float = 0.0

    def cut(self, mask: Mask) -> tuple[Patch, Mask] | None:
        """The smallest part of an expanded patch that holds a mask, and the mask in it; None for an empty mask."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            return None
        up, left = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
        part = Patch(
            slice(self.rows.start + up.start, self.rows.start + up.stop),
            slice(self.columns.start + left.start, self.columns.start + left.stop),
            self.across[:, left],
            np.broadcast_to(self.up, self.shape)[up, left],
            self.depth[:, left] if isinstance(self.depth, np.ndarray) else self.depth,
            self.pixel_m,
        )
        return part, mask[up, left]

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start


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
        colour = np.array(self._colours, np.float32).T[:, self._part]
        factor = np.broadcast_to(np.asarray(shade, np.float32), self._part.shape)
        for part in self._glow:
            factor = np.where(self._part == part, np.float32(1.0), factor)
        colour *= factor
        return self._part > 0, colour, np.array(self._labels, np.uint8)[self._part]


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
        rows, columns = _pixels(top, bottom, camera.height), _pixels(min(edges), max(edges), camera.width)
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


def _pixels(low: float, high: float, count: int) -> slice | None:
    """The pixels whose centres lie between two places, at least one, cut to the picture."""
    if high <= 0.0 or low >= count:
        return None
    first = ceil(max(low, -1.0) - 0.5)
    last = ceil(min(high, count + 1.0) - 0.5)
    last = max(last, first + 1)
    first, last = max(first, 0), min(last, count)
    return slice(first, last) if last > first else None
