"""The camera that looks along a street, and the patches of pixels on which surfaces are painted."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

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
        columns = pixels_between(left, right, self.width)
        rows = pixels_between(self.row(y[1], z), self.row(y[0], z), self.height)
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
        columns = pixels_between(min(first, last), max(first, last), self.width)
        rows = pixels_between(self.row(y[1], z[0]), self.row(y[0], z[0]), self.height)
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


def pixels_between(low: float, high: float, count: int) -> slice | None:
    """The pixels whose centres lie between two places, at least one, cut to the picture."""
    if high <= 0.0 or low >= count:
        return None
    first = ceil(max(low, -1.0) - 0.5)
    last = ceil(min(high, count + 1.0) - 0.5)
    last = max(last, first + 1)
    first, last = max(first, 0), min(last, count)
    return slice(first, last) if last > first else None
