"""Sky, the land behind everything, and the ground with its markings."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from mosegedge.data.labels import BUILDING, ROAD, SIDEWALK, TERRAIN, VEGETATION
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.camera import FAR_M, Mask
from mosegedge.data.scenes.canvas import Canvas, planes
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats, crop, look_up
from mosegedge.data.scenes.street import LANE_M, Side, Street

_ROAD_ZONE = 3
_ZONES = 7


def paint_sky(canvas: Canvas, street: Street, dice: Dice) -> None:
    """A gradient with clouds, and a strip of far trees or houses on the horizon."""
    camera, light = street.camera, street.light
    rows = min(camera.height, int(camera.horizon) + 2)
    low, top = planes(light.sky_low), planes(light.sky_top)
    place = (np.arange(rows) / rows).astype(np.float32)[:, None]
    sky = top + (low - top) * place
    if dice.chance(0.7):
        cover, edge = np.float32(dice.uniform(-0.3, 0.5)), np.float32(dice.uniform(1.0, 4.0))
        cloud = np.clip((crop("clouds", (rows, camera.width), dice) + cover) * edge, 0.0, 1.0)
        tint = planes(colours.from_hue(30.0, 0.03, dice.uniform(0.6, 1.0)))
        cloud *= np.float32(dice.uniform(0.3, 0.95))
        sky = sky + (tint - sky) * cloud
    canvas.colour[:, :rows] = sky
    for _ in range(dice.integer(0, 3)):
        _paint_land(canvas, street, dice, rows)


def _paint_land(canvas: Canvas, street: Street, dice: Dice, rows: int) -> None:
    camera = street.camera
    green = dice.chance(0.65)
    tall = dice.uniform(2.0, 18.0) * camera.focal / 250.0
    step = 1 if green else dice.integer(5, 24)
    outline = crop("stains" if green else "cells", (1, camera.width), dice)[0]
    heights = np.repeat(outline, step)[: camera.width] * np.float32(0.5) + np.float32(0.6)
    first = max(0, rows - int(1.2 * tall) - 2)
    up = (camera.horizon - (np.arange(first, rows)[:, None] + 0.5)).astype(np.float32)
    where = up < np.float32(tall) * np.maximum(heights, np.float32(0.0))
    colour = colours.plant(dice) if green else colours.mineral(dice)
    texture = 1.0 + np.float32(0.35) * crop("leaves" if green else "cells", where.shape, dice)
    np.copyto(canvas.colour[:, first:rows], planes(colour) * texture, where=where)
    np.copyto(canvas.label[first:rows], np.uint8(VEGETATION if green else BUILDING), where=where)
    np.copyto(canvas.depth[first:rows], np.float32(FAR_M), where=where)


def paint_ground(canvas: Canvas, street: Street, dice: Dice) -> None:
    """Road, pavements, verges and yards, with markings, stains, wet patches and the shadows of what stands beside."""
    camera = street.camera
    first = max(0, int(camera.horizon) + 1)
    drop = np.arange(first, camera.height)[:, None] + 0.5 - camera.horizon
    z = np.minimum(camera.focal * camera.eye_m / drop, FAR_M)
    x = (np.arange(camera.width) + 0.5 - camera.centre) * (z / camera.focal) - camera.bend * z * z
    x, z = x.astype(np.float32), z.astype(np.float32)
    zone = _zones(street, x, z).astype(np.intp)
    labels, base, rough, slabs = _materials(street, dice)
    across, ahead = (x * 24.0).astype(np.int32), (z * 24.0).astype(np.int32)
    near = 1.0 / (1.0 + z * np.float32(0.04))
    fine = look_up("grass", across + dice.integer(0, 256), ahead)
    stains = look_up("stains", (across >> 1) + dice.integer(0, 256), (ahead >> 2) + dice.integer(0, 256))
    tone = np.take(rough, zone) * near * fine + np.float32(dice.uniform(0.05, 0.22)) * stains
    tone += np.float32(1.0)
    tone -= np.take(slabs, zone) * near * _joints(x, z, dice.uniform(0.4, 1.2))
    tone -= np.float32(dice.uniform(0.0, 0.35)) * _kerbs(street, x)
    colour = np.take(base.T, zone, axis=1)
    colour *= tone
    _mark(colour, street, x, z, stains, dice)
    if street.wet:
        mirror = np.clip(stains * np.float32(3.0) + np.float32(street.wet), 0.0, 0.75) * (zone == _ROAD_ZONE)
        colour += (planes(street.light.sky_low) - colour) * mirror
    colour *= street.light_on(x, z)
    canvas.colour[:, first:] = colour
    canvas.label[first:] = np.take(labels, zone)
    canvas.depth[first:] = z


def _zones(street: Street, x: Floats, z: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    zone = np.zeros(x.shape, np.uint8)
    for edge in (
        street.left.walk,
        street.left.kerb - street.left.strip,
        street.left.kerb,
        street.right.kerb,
        street.right.kerb + street.right.strip,
        street.right.walk,
    ):
        zone += x > np.float32(edge)
    if street.crossing:
        inside = (z > street.crossing[0]) & (z < street.crossing[1])
        zone[np.broadcast_to(inside, x.shape)] = _ROAD_ZONE
    return zone


def _materials(
    street: Street, dice: Dice
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.uint8]], Floats, Floats, Floats]:
    road = colours.asphalt(dice)
    walk = colours.mixed(colours.mineral(dice, 0.3, 0.65), road, dice.uniform(0.0, 0.75))
    yard, verge = colours.soil(dice), colours.soil(dice)

    def outer(side: Side) -> tuple[int, colours.Colour]:
        return side.yard_label, yard if side.yard_label == TERRAIN else colours.mixed(walk, road, 0.3)

    table = [
        outer(street.left),
        (SIDEWALK, walk),
        (TERRAIN, verge),
        (ROAD, road),
        (TERRAIN, verge),
        (SIDEWALK, walk),
        outer(street.right),
    ]
    labels = np.array([label for label, _ in table], np.uint8)
    base = np.array([colour for _, colour in table], np.float32)
    paved, earth = dice.uniform(0.03, 0.16), dice.uniform(0.15, 0.5)
    rough = np.where(labels == TERRAIN, earth, paved).astype(np.float32)
    slabs = np.where(labels == SIDEWALK, dice.uniform(0.0, 0.25), 0.0).astype(np.float32)
    return labels, base, rough, slabs


def _joints(x: Floats, z: Floats, size: float) -> Mask:
    u, v = x / np.float32(size), z / np.float32(size)
    return np.asarray((u - np.floor(u) < 0.08) | (v - np.floor(v) < 0.08))


def _kerbs(street: Street, x: Floats) -> Mask:
    left, right = np.float32(street.left.kerb), np.float32(street.right.kerb)
    return np.asarray((np.abs(x - left) < 0.12) | (np.abs(x - right) < 0.12))


def _mark(colour: Floats, street: Street, x: Floats, z: Floats, stains: Floats, dice: Dice) -> None:
    """Lane lines, the edges of the parking bays, a zebra before a crossing, rails; all of them worn in places."""
    strength = dice.uniform(0.15, 0.9)
    period, worn = dice.uniform(5.0, 12.0), dice.uniform(-0.4, 0.3)
    phase = z / np.float32(period)
    dashed = phase - np.floor(phase) < 0.45
    marks = np.zeros(x.shape, np.bool_)
    middles = sorted(middle for middle, _ in street.lanes)
    for left, right in pairwise(middles):
        line = np.abs(x - np.float32((left + right) / 2)) < 0.08
        marks |= line if left < 0.0 <= right and dice.chance(0.5) else line & dashed
    if dice.chance(0.5):
        marks |= (np.abs(x - np.float32(middles[-1] + LANE_M / 2)) < 0.07) | (
            np.abs(x - np.float32(middles[0] - LANE_M / 2)) < 0.07
        )
    if street.crossing:
        before = street.crossing[0]
        marks &= (z < before - 4.0) | (z > street.crossing[1])
        stripe = x / np.float32(1.0)
        inside = (x > street.left.kerb) & (x < street.right.kerb)
        marks |= inside & (z > before - 3.5) & (z < before - 0.7) & (stripe - np.floor(stripe) < 0.5)
    marks &= stains > worn - 0.35
    white = np.array(colours.from_hue(45.0, dice.choice((0.03, 0.03, 0.5)), 0.85), np.float32)[:, None]
    colour[:, marks] = colour[:, marks] * np.float32(1.0 - strength) + white * np.float32(strength)
    if street.rails:
        for middle, way in street.lanes:
            if way < 0:
                rail = np.abs(np.abs(x - np.float32(middle)) - np.float32(0.72)) < 0.07
                colour[:, rail] *= np.float32(0.55)
