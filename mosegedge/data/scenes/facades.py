"""The rows of buildings, walls, fences and hedges along both sides."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mosegedge.data.labels import BUILDING, FENCE, VEGETATION
from mosegedge.data.scenes.camera import Camera, Mask, Patch
from mosegedge.data.scenes.canvas import Canvas
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats, Integers, look_up
from mosegedge.data.scenes.street import Row, Segment, Street

_DEEP_M = 12.0


def paint_row(canvas: Canvas, street: Street, row: Row, dice: Dice) -> None:
    """Paints the ends of a row that look at the camera, then its long faces."""
    sign = 1 if row.x > 0 else -1
    light = street.light
    along = 1.0 + light.sun * (0.35 if sign != light.sun_side else -0.75)
    facing = 1.0 + light.sun * dice.uniform(-0.7, 0.35)
    before = 0.0
    for segment in row.segments:
        if segment.height > before and segment.start > 3.0:
            _paint_end(canvas, street.camera, row.x, segment, facing, dice)
        before = segment.height
    patch = _plane(street.camera, row)
    if patch is not None:
        _paint_faces(canvas, patch, row.segments, along, dice)


def paint_street_end(canvas: Canvas, street: Street, dice: Dice) -> None:
    """What closes the view, in some streets: a house front or trees across the road."""
    if not dice.chance(0.45):
        return
    source = dice.choice((street.left.far, street.right.far, street.left.near))
    segment = source.segments[-1]
    if segment.height < 2.0:
        return
    patch = street.camera.front((-60.0, 60.0), (0.0, segment.height), street.end + 5.0)
    if patch is not None:
        _paint_faces(canvas, patch, (segment,), 1.0 + street.light.sun * dice.uniform(-0.7, 0.3), dice)


def _paint_end(canvas: Canvas, camera: Camera, x: float, segment: Segment, light: float, dice: Dice) -> None:
    deep = _DEEP_M if segment.label == BUILDING else 0.4
    edges = (x, x + deep) if x > 0 else (x - deep, x)
    patch = camera.front(edges, (0.0, segment.height), segment.start)
    if patch is not None:
        _paint_faces(canvas, patch, (segment,), light, dice)


def _plane(camera: Camera, row: Row) -> Patch | None:
    """The part of the picture in which the plane of a row can be seen.

    A column c looks at the distance z with c = focal * (x / z + bend * z); the nearer root counts.
    """
    sign = 1.0 if row.x > 0 else -1.0
    column = sign * (np.arange(camera.width) + 0.5 - camera.centre)
    inside = column * column - 4.0 * camera.focal * camera.focal * camera.bend * row.x
    root = column + np.sqrt(np.maximum(inside, 0.0))
    depth = 2.0 * camera.focal * abs(row.x) / np.maximum(root, 1e-6)
    seen = np.flatnonzero((inside >= 0.0) & (root > 1e-6) & (depth < row.segments[-1].end) & (depth > 0.5))
    if not len(seen):
        return None
    columns = slice(int(seen[0]), int(seen[-1]) + 1)
    far = np.where((inside >= 0.0) & (depth < row.segments[-1].end), depth, 1e6)[columns][None]
    rows = slice(0, camera.height)
    up = camera.eye_m - (np.arange(camera.height)[:, None] + 0.5 - camera.horizon) * (far / camera.focal)
    return Patch(rows, columns, far.astype(np.float32), up.astype(np.float32), far.astype(np.float32))


def _paint_faces(canvas: Canvas, patch: Patch, segments: tuple[Segment, ...], light: float, dice: Dice) -> None:
    """Colours of all segments at once, only where they can be seen."""
    shift = dice.integer(0, 256)
    which = _segment_of_column(patch, segments)
    visible = (patch.up < _outline(patch, segments, which, shift)) & (patch.up > 0.0)
    visible = visible & (patch.depth < canvas.depth[patch.rows, patch.columns])
    part = patch.cut(visible)
    if part is None:
        return
    patch, visible = part
    faces = _Faces(patch, segments, _segment_of_column(patch, segments), shift)
    colour = faces.surface()
    if faces.any(BUILDING):
        _add_windows(colour, faces, dice)
    colour *= np.float32(light)
    label = np.broadcast_to(faces.label, patch.shape)
    if faces.any(FENCE):
        fence = label == FENCE
        np.copyto(canvas.label[patch.rows, patch.columns], np.uint8(FENCE), where=visible & fence)
        visible = visible & (~fence | _bars(faces, dice))
    canvas.put(patch, visible, colour, label)


def _segment_of_column(patch: Patch, segments: tuple[Segment, ...]) -> Integers:
    if len(segments) == 1:
        return np.zeros(1, np.int64)
    ends = np.array([segment.end for segment in segments], np.float32)
    return np.asarray(np.minimum(np.searchsorted(ends, patch.across[0], side="right"), len(segments) - 1))


def _outline(patch: Patch, segments: tuple[Segment, ...], which: Integers, shift: int) -> Floats:
    """Height of the row in each column; that of plants is uneven."""
    height = np.array([segment.height for segment in segments], np.float32)[which][None]
    green = np.array([segment.label == VEGETATION for segment in segments])[which][None]
    if not green.any():
        return height
    uneven = 1.0 + 0.35 * look_up("stains", _texels(patch.across) + shift, np.array(shift))
    return np.where(green, height * uneven, height)


def _texels(metres: Floats) -> Integers:
    return (np.clip(metres, -500.0, 500.0) * np.float32(20.0)).astype(np.int32)


class _Faces:
    """A visible part of a row; every number of its segments becomes one row of values, one for each column."""

    def __init__(self, patch: Patch, segments: tuple[Segment, ...], which: Integers, shift: int) -> None:
        self.patch, self._segments, self._which, self._shift = patch, segments, which, shift
        self.label = np.array([max(segment.label, 0) for segment in segments], np.uint8)[which][None]
        self.height = np.maximum(_outline(patch, segments, which, shift), np.float32(0.1))

    def any(self, label: int) -> bool:
        """Whether a class occurs."""
        return bool((self.label == label).any())

    def number(self, of: Callable[[Segment], float]) -> Floats:
        """A number of the segment in each column."""
        return np.array([of(segment) for segment in self._segments], np.float32)[self._which][None]

    def colour(self, of: Callable[[Segment], Colour]) -> Floats:
        """A colour of the segment in each column."""
        return np.array([of(segment) for segment in self._segments], np.float32).T[:, None, self._which]

    def surface(self) -> Floats:
        """Colours with the texture of stone, or of leaves."""
        patch, shift = self.patch, self._shift
        u, v = _texels(patch.across), _texels(patch.up)
        near = np.float32(0.4) / (1.0 + patch.depth * np.float32(0.03))
        plain = look_up("stains", u + shift, v) * np.float32(0.6) + look_up("grain", u, v + shift) * near
        tone = 1.0 + self.number(lambda segment: segment.rough) * plain
        if self.any(VEGETATION):
            leaves = 1.0 + np.float32(0.75) * look_up("leaves", (u >> 1) + shift, v >> 1)
            shaded = leaves * (np.float32(0.6) + np.float32(0.4) * patch.up / self.height)
            tone = np.where(self.label == VEGETATION, shaded, tone)
        return self.colour(lambda segment: segment.colour) * tone


def _bars(faces: _Faces, dice: Dice) -> Mask:
    """Where a fence has material: pickets, boards, or mesh, with rails."""
    pitch, share = dice.uniform(0.12, 0.6), dice.choice((0.3, 0.5, 0.8, 1.0))
    place = faces.patch.across / np.float32(pitch)
    relative = faces.patch.up / faces.height
    rails = (np.abs(relative - 0.9) < 0.06) | (np.abs(relative - 0.25) < 0.06)
    return np.asarray(rails | (place - np.floor(place) < share))


def _add_windows(colour: Floats, faces: _Faces, dice: Dice) -> None:
    """Windows on a grid, each a bit different; a darker band under the roof and often another ground floor."""
    patch = faces.patch
    base = faces.number(lambda segment: segment.base)
    u = patch.across / faces.number(lambda segment: segment.pitch[0])
    v = (patch.up - base) / faces.number(lambda segment: segment.pitch[1])
    cell_u, cell_v = np.floor(u), np.floor(v)
    wide = faces.number(lambda segment: segment.share[0] / 2)
    high = faces.number(lambda segment: segment.share[1] / 2)
    house = faces.label == BUILDING
    glass = (np.abs(u - cell_u - np.float32(0.5)) < wide) & house
    glass = (np.abs(v - cell_v - np.float32(0.5)) < high) & glass & (v >= 0.0)
    glass &= patch.up < faces.height - np.float32(0.6)
    column, floor = np.clip(cell_u, -999.0, 999.0).astype(np.int32), np.clip(cell_v, 0.0, 99.0).astype(np.int32)
    pane = 1.0 + np.float32(0.7) * look_up("cells", column * 7, floor * 13)
    np.copyto(colour, faces.colour(lambda segment: segment.window) * pane, where=glass)
    roof = house & (patch.up > faces.height - np.float32(dice.uniform(0.3, 1.2)))
    shop = house & (patch.up < base * np.float32(0.8))
    bands = np.where(shop, np.float32(dice.uniform(0.5, 1.2)), np.float32(1.0))
    colour *= np.where(roof, np.float32(dice.uniform(0.5, 1.1)), bands)
