"""What a street is made of: its rows, its sides, its light. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mosegedge.data.scenes.camera import Camera
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.noise import Floats

LANE_M = 3.3
_SHADOWS_M = 160


@dataclass(frozen=True, kw_only=True)
class Light:
    """Sun and air.

    Attributes:
        sun_side: +1 when the sun stands on the right, -1 on the left.
        sun: Contrast between lit and shaded surfaces, 0 (overcast) to about 0.7.
        slope: Length of a shadow on the ground for each metre of height.
        haze_m: Distance at which half of the colour is the air's.
        sky_top, sky_low: Colours of the sky.
    """

    sun_side: int
    sun: float
    slope: float
    haze_m: float
    sky_top: Colour
    sky_low: Colour


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A stretch of one side's row: a building, a wall, a fence, a hedge; height 0 is a gap."""

    start: float
    end: float
    height: float
    label: int
    colour: Colour
    window: Colour
    pitch: tuple[float, float]
    share: tuple[float, float]
    base: float
    rough: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """Segments one after the other in a plane along the road at `x`."""

    x: float
    segments: tuple[Segment, ...]


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side of the road, from the kerb outwards; distances are x places, their sign tells the side."""

    sign: int
    kerb: float
    strip: float
    walk: float
    near: Row
    far: Row
    yard_label: int
    trees: float
    parked: float

    @cached_property
    def heights(self) -> Floats:
        """Height of the near row at 0, 1, 2, ... metres ahead."""
        ends = np.array([segment.end for segment in self.near.segments])
        tops = np.array([*(segment.height for segment in self.near.segments), 0.0], np.float32)
        return tops[np.searchsorted(ends, np.arange(_SHADOWS_M), side="right")]


@dataclass(frozen=True, kw_only=True)
class Street:
    """Everything that does not move."""

    camera: Camera
    light: Light
    left: Side
    right: Side
    lanes: tuple[tuple[float, int], ...]
    crossing: tuple[float, float] | None
    end: float
    rails: bool
    wet: float

    def light_on(self, x: Floats, z: Floats) -> Floats:
        """How bright places on the ground are: darker where the row on the sunny side throws its shadow."""
        side = self.right if self.light.sun_side > 0 else self.left
        reach = side.heights[np.clip(z, 0.0, _SHADOWS_M - 1.0).astype(np.int32)] * np.float32(self.light.slope)
        shaded = (side.near.x - x) * side.sign < reach
        return np.where(shaded, np.float32(1.0 - self.light.sun), np.float32(1.0 + 0.3 * self.light.sun))

    def light_at(self, x: float, z: float) -> float:
        """How bright one place is."""
        side = self.right if self.light.sun_side > 0 else self.left
        reach = float(side.heights[int(min(max(z, 0.0), _SHADOWS_M - 1.0))]) * self.light.slope
        shaded = (side.near.x - x) * side.sign < reach
        return 1.0 - self.light.sun if shaded else 1.0 + 0.3 * self.light.sun
