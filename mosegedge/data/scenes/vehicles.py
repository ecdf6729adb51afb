"""Cars, vans, trucks, buses and trams as boxes of which the camera sees an end and a long side."""

from __future__ import annotations

import numpy as np

from mosegedge.data.labels import BUS, CAR, TRAIN, TRUCK
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.bodywork import (
    CAB_M,
    Painter,
    Vehicle,
    cabin_end,
    cabin_side,
    end_painter,
    load_end,
    side_painter,
)
from mosegedge.data.scenes.camera import Patch
from mosegedge.data.scenes.canvas import Canvas, Figure
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats, crop
from mosegedge.data.scenes.street import Street


def draw_vehicle(dice: Dice, label: int, *, tail: bool) -> Vehicle:
    """A random vehicle of a class."""
    van = label == CAR and dice.chance(0.18)
    wide, high, long = {
        CAR: (dice.uniform(1.65, 1.95), dice.uniform(1.35, 1.75), dice.uniform(3.6, 4.9)),
        TRUCK: (dice.uniform(2.0, 2.55), dice.uniform(2.3, 3.9), dice.uniform(5.5, 11.0)),
        BUS: (dice.uniform(2.3, 2.55), dice.uniform(2.7, 3.4), dice.uniform(8.5, 13.0)),
        TRAIN: (dice.uniform(2.3, 2.65), dice.uniform(3.1, 3.7), dice.uniform(18.0, 32.0)),
    }[label]
    if van:
        wide, high, long = dice.uniform(1.85, 2.05), dice.uniform(1.9, 2.5), dice.uniform(4.5, 5.8)
    body = colours.paint(dice)
    lamp = (0.75, 0.08, 0.06) if tail else (0.95, 0.93, 0.8)
    return Vehicle(
        label=label,
        wide=wide,
        high=high,
        long=long,
        body=body,
        second=colours.paint(dice) if dice.chance(0.6) else body,
        glass=colours.from_hue(210.0, dice.uniform(0.0, 0.35), dice.uniform(0.06, 0.5)),
        lamp=colours.scaled(lamp, dice.uniform(0.5, 1.0)),
        tail=tail,
        boxy=dice.uniform(0.75, 1.0) if van else dice.uniform(0.0, 0.5),
        bonnet=dice.uniform(0.05, 0.15) if van else dice.uniform(0.15, 0.3),
        boot=0.01 if van else dice.choice((0.02, 0.05, 0.15)),
    )


def paint_vehicle(
    canvas: Canvas, street: Street, dice: Dice, vehicle: Vehicle, *, x: float, z: float, light: float
) -> None:
    """Paints a vehicle that stands or drives along the road, its near end at z."""
    camera, half = street.camera, vehicle.wide / 2
    canvas.shadow(
        camera, (x - half - 0.25, x + half + 0.25), (z - 0.4, z + vehicle.long), 0.35 + 0.4 * street.light.sun
    )
    shade = dice.uniform(0.8, 1.1)
    _paint_side(canvas, street, dice, vehicle, side_painter(vehicle), x=x, half=half, z=z, light=light)
    if vehicle.label == CAR:
        narrow = half * (0.97 - 0.12 * (1.0 - vehicle.boxy))
        _paint_side(canvas, street, dice, vehicle, cabin_side, x=x, half=narrow, z=z, light=light)
        setback = (vehicle.boot if vehicle.tail else vehicle.bonnet + 0.06) * vehicle.long
        patch = camera.front((x - half, x + half), (0.35 * vehicle.high, vehicle.high), z + setback)
        if patch is not None:
            _finish(canvas, patch, vehicle, cabin_end, patch.across, dice, light * shade)
    if vehicle.label == TRUCK and not vehicle.tail:
        patch = camera.front((x - half, x + half), (0.0, vehicle.high), z + CAB_M)
        if patch is not None:
            _finish(canvas, patch, vehicle, load_end, patch.across, dice, light * shade)
    patch = camera.front((x - half, x + half), (0.0, vehicle.high), z)
    if patch is not None:
        _finish(canvas, patch, vehicle, end_painter(vehicle), patch.across, dice, light * shade)


def _paint_side(
    canvas: Canvas,
    street: Street,
    dice: Dice,
    vehicle: Vehicle,
    painter: Painter,
    *,
    x: float,
    half: float,
    z: float,
    light: float,
) -> None:
    """The long side that the camera sees, if it sees one; `half` is how far it is from the middle."""
    bent = street.camera.bend * z
    if (x - half) / z + bent > 0.0:
        seen, sunny = x - half, street.light.sun_side < 0
    elif (x + half) / z + bent < 0.0:
        seen, sunny = x + half, street.light.sun_side > 0
    else:
        return
    patch = street.camera.side(seen, (0.0, vehicle.high), (z, z + vehicle.long))
    if patch is not None:
        along = patch.across if vehicle.tail else np.float32(vehicle.long) - patch.across
        factor = 1.0 + street.light.sun * (0.2 if sunny else -0.4)
        _finish(canvas, patch, vehicle, painter, along, dice, light * factor)


def paint_crossing_vehicle(
    canvas: Canvas, street: Street, dice: Dice, vehicle: Vehicle, *, x: float, z: float, light: float
) -> None:
    """Paints a vehicle that drives across, its side to the camera."""
    half = vehicle.long / 2
    patch = street.camera.front((x - half, x + half), (0.0, vehicle.high), z)
    if patch is None:
        return
    canvas.shadow(street.camera, (x - half, x + half), (z - 0.3, z + 2.2), 0.35 + 0.4 * street.light.sun)
    along = np.float32(half) + (patch.across if vehicle.tail else -patch.across)
    _finish(canvas, patch, vehicle, side_painter(vehicle), along, dice, light)
    if vehicle.label == CAR:
        _finish(canvas, patch, vehicle, cabin_side, along, dice, light)


def _finish(
    canvas: Canvas, patch: Patch, vehicle: Vehicle, painter: Painter, along: Floats, dice: Dice, light: float
) -> None:
    """Runs a painter; `along` is metres from the middle (ends) or from the rear (sides), heights are relative."""
    if canvas.hides(patch):
        return
    figure = Figure(patch)
    height = patch.up / np.float32(vehicle.high)
    painter(figure, vehicle, along, height)
    canvas.paint(figure, light * (0.72 + 0.35 * height + dice.uniform(0.03, 0.14) * crop("stains", patch.shape, dice)))
