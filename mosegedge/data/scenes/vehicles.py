"""Cars, vans, trucks, buses and trams as boxes of which the camera sees an end and a long side.

All are painted from the same colours, all have windows, lights and wheels: the shape tells them apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mosegedge.data.labels import BUS, CAR, TRAIN, TRUCK
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.canvas import Canvas, Figure, Mask, Patch
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats, crop
from mosegedge.data.scenes.street import Street

_RUBBER = (0.06, 0.06, 0.07)
_CAB_M = 1.9


@dataclass(frozen=True, kw_only=True)
class Vehicle:
    """Shape and paint of one vehicle; `tail` is True when its rear looks at the camera."""

    label: int
    wide: float
    high: float
    long: float
    body: Colour
    second: Colour
    glass: Colour
    lamp: Colour
    tail: bool
    boxy: float
    bonnet: float
    boot: float

    @property
    def belt(self) -> float:
        """Relative height at which the windows of a car begin."""
        return 0.56 - 0.05 * self.boxy


_Painter = Callable[[Figure, Vehicle, Floats, Floats], None]


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
    _paint_side(canvas, street, dice, vehicle, _side(vehicle), x=x, half=half, z=z, light=light)
    if vehicle.label == CAR:
        narrow = half * (0.97 - 0.12 * (1.0 - vehicle.boxy))
        _paint_side(canvas, street, dice, vehicle, _cabin_side, x=x, half=narrow, z=z, light=light)
        setback = (vehicle.boot if vehicle.tail else vehicle.bonnet + 0.06) * vehicle.long
        patch = camera.front((x - half, x + half), (0.35 * vehicle.high, vehicle.high), z + setback)
        if patch is not None:
            _finish(canvas, patch, vehicle, _cabin_end, patch.across, dice, light * shade)
    if vehicle.label == TRUCK and not vehicle.tail:
        patch = camera.front((x - half, x + half), (0.0, vehicle.high), z + _CAB_M)
        if patch is not None:
            _finish(canvas, patch, vehicle, _load_end, patch.across, dice, light * shade)
    patch = camera.front((x - half, x + half), (0.0, vehicle.high), z)
    if patch is not None:
        _finish(canvas, patch, vehicle, _end(vehicle), patch.across, dice, light * shade)


def _paint_side(
    canvas: Canvas,
    street: Street,
    dice: Dice,
    vehicle: Vehicle,
    painter: _Painter,
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
    _finish(canvas, patch, vehicle, _side(vehicle), along, dice, light)
    if vehicle.label == CAR:
        _finish(canvas, patch, vehicle, _cabin_side, along, dice, light)


def _end(vehicle: Vehicle) -> _Painter:
    return {CAR: _car_end, TRUCK: _truck_end, BUS: _coach_end, TRAIN: _coach_end}[vehicle.label]


def _side(vehicle: Vehicle) -> _Painter:
    return {CAR: _car_side, TRUCK: _truck_side, BUS: _coach_side, TRAIN: _coach_side}[vehicle.label]


def _finish(
    canvas: Canvas, patch: Patch, vehicle: Vehicle, painter: _Painter, along: Floats, dice: Dice, light: float
) -> None:
    """Runs a painter; `along` is metres from the middle (ends) or from the rear (sides), heights are relative."""
    if canvas.hides(patch):
        return
    figure = Figure(patch)
    height = patch.up / np.float32(vehicle.high)
    painter(figure, vehicle, along, height)
    canvas.paint(figure, light * (0.72 + 0.35 * height + dice.uniform(0.03, 0.14) * crop("stains", patch.shape, dice)))


def _wheels(
    figure: Figure, vehicle: Vehicle, along: Floats, height: Floats, places: tuple[float, ...], radius: float
) -> None:
    up = height * np.float32(vehicle.high) - np.float32(radius)
    for place in places:
        away = (along - np.float32(place)) ** 2 + up * up
        figure.add(away < radius * radius, _RUBBER, vehicle.label)
        figure.add(away < 0.3 * radius * radius, (0.4, 0.4, 0.42), vehicle.label)


def _tyres(figure: Figure, vehicle: Vehicle, across: Floats, height: Floats, top: float) -> None:
    figure.add((height < top) & (np.abs(across - 0.77) < 0.14), _RUBBER, vehicle.label)


def _car_end(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
    across = np.abs(along) / np.float32(car.wide / 2)
    figure.add((height > 0.14) & (height < car.belt), car.body, car.label)
    figure.add((height > 0.12) & (height < 0.22) & (across < 0.97), colours.scaled(car.body, 0.35), car.label)
    figure.add((height > 0.38) & (height < 0.5) & (across > 0.68) & (across < 0.97), car.lamp, car.label)
    figure.add((height > 0.26) & (height < 0.34) & (across < 0.25), (0.8, 0.8, 0.72), car.label)
    _tyres(figure, car, across, height, 0.16)


def _cabin_end(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
    """The window at one end of a car, above the bonnet or boot."""
    across = np.abs(along) / np.float32(car.wide / 2)
    narrow = (0.97 - (1.0 - car.boxy) * 0.5 * np.clip(height - car.belt, 0.0, 1.0)).astype(np.float32)
    figure.add(across < narrow, car.body, car.label)
    figure.add((height > car.belt + 0.05) & (height < 0.93) & (across < narrow - 0.1), car.glass, car.label)


def _car_side(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
    place = along / np.float32(car.long)
    figure.add(
        np.broadcast_to(place < 2.0, figure.patch.shape) & (height > 0.16) & (height < car.belt), car.body, car.label
    )
    figure.add((height > 0.4) & (height < 0.5) & (place < 0.03), (0.7, 0.1, 0.08), car.label)
    _wheels(figure, car, along, height, (car.long * 0.19, car.long * 0.81), 0.32)


def _cabin_side(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
    place, rise = along / np.float32(car.long), np.clip(height - car.belt, 0.0, 1.0)
    back, front = car.boot + 0.15 * (1.0 - car.boxy) * rise, 1.0 - car.bonnet - 0.35 * rise
    figure.add((height > car.belt - 0.05) & (place >= back) & (place <= front), car.body, car.label)
    window = (place > back + 0.05) & (place < front - 0.04) & (np.abs(place - 0.48) > 0.015)
    figure.add((height > car.belt + 0.05) & (height < 0.9) & window, car.glass, car.label)


def _truck_end(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    across = np.abs(along) / np.float32(truck.wide / 2)
    if truck.tail:
        _load_end(figure, truck, along, height)
        figure.add((height > 0.26) & (np.abs(across - 0.02) < 0.03), colours.scaled(truck.body, 0.5), truck.label)
        figure.add((height > 0.16) & (height <= 0.24) & (across < 0.95), (0.12, 0.12, 0.12), truck.label)
        figure.add((height > 0.18) & (height < 0.23) & (across > 0.65) & (across < 0.95), truck.lamp, truck.label)
    else:
        figure.add((height > 0.1) & (height < 0.78) & (across < 0.97), truck.second, truck.label)
        figure.add((height > 0.45) & (height < 0.7) & (across < 0.85), truck.glass, truck.label)
        figure.add((height > 0.16) & (height < 0.22) & (across > 0.65) & (across < 0.92), truck.lamp, truck.label)
        figure.add((height > 0.26) & (height < 0.38) & (across < 0.5), colours.scaled(truck.second, 0.5), truck.label)
    _tyres(figure, truck, across, height, 0.18)


def _load_end(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    figure.add((height > 0.24) & (along < 99.0), truck.body, truck.label)


def _truck_side(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    place, cab = along / np.float32(truck.long), np.float32(1.0 - _CAB_M / truck.long)
    load: Mask = (place < cab - 0.005) & (height > 0.27)
    figure.add(load, truck.body, truck.label)
    if truck.second != truck.body:
        figure.add(load & (np.abs(height - 0.6) < 0.1) & (place > 0.15) & (place < 0.65), truck.second, truck.label)
    figure.add((place >= cab) & (height > 0.12) & (height < 0.78), truck.second, truck.label)
    figure.add((place > cab + 0.05) & (place < 0.96) & (height > 0.45) & (height < 0.7), truck.glass, truck.label)
    figure.add((height > 0.17) & (height <= 0.27) & (place < cab), (0.13, 0.13, 0.13), truck.label)
    _wheels(figure, truck, along, height, (truck.long * 0.15, truck.long * 0.27, truck.long - 1.1), 0.46)


def _coach_end(figure: Figure, coach: Vehicle, along: Floats, height: Floats) -> None:
    across = np.abs(along) / np.float32(coach.wide / 2)
    tram = coach.label == TRAIN
    outline = (height > (0.05 if tram else 0.1)) & (height < 0.98) & (across < 1.1)
    figure.add(outline, coach.body, coach.label)
    figure.add(outline & (height < 0.35), coach.second, coach.label)
    low = 0.55 if coach.tail and not tram else 0.4
    figure.add((height > low) & (height < 0.8) & (across < (0.7 if tram else 0.9)), coach.glass, coach.label)
    figure.add((height > 0.85) & (height < 0.93) & (across < 0.5), (0.85, 0.6, 0.1), coach.label)
    figure.add((height > 0.2) & (height < 0.27) & (across > 0.6) & (across < 0.9), coach.lamp, coach.label)
    if not tram:
        _tyres(figure, coach, across, height, 0.14)


def _coach_side(figure: Figure, coach: Vehicle, along: Floats, height: Floats) -> None:
    tram = coach.label == TRAIN
    whole = np.broadcast_to(along > -1.0, figure.patch.shape)
    figure.add(whole & (height > (0.05 if tram else 0.12)) & (height < 0.97), coach.body, coach.label)
    figure.add(whole & (height > (0.05 if tram else 0.12)) & (height < 0.35), coach.second, coach.label)
    bay = along / np.float32(1.45)
    figure.add((height > 0.42) & (height < 0.78) & (bay - np.floor(bay) > 0.1), coach.glass, coach.label)
    door = along / np.float32(coach.long / (4.0 if tram else 2.5))
    figure.add(
        (height > 0.14) & (height < 0.78) & (np.abs(door - np.floor(door) - 0.5) < 0.07), coach.glass, coach.label
    )
    if tram:
        joint = along / np.float32(coach.long / 3.0)
        figure.add(whole & (height > 0.08) & (joint - np.floor(joint) < 0.03), (0.1, 0.1, 0.1), coach.label)
    else:
        _wheels(figure, coach, along, height, (coach.long * 0.25, coach.long * 0.78), 0.45)
