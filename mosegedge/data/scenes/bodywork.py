"""How vehicles look: the shape and paint of one, and painters for its ends and sides.

All are painted from the same colours, all have windows, lights and wheels: the shape tells them apart. A painter gets
metres from the middle (ends) or from the rear (sides), and heights relative to the vehicle's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mosegedge.data.labels import BUS, CAR, TRAIN, TRUCK
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.camera import Mask
from mosegedge.data.scenes.canvas import Figure
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.noise import Floats

CAB_M = 1.9
"""Length of a truck's cab."""

_RUBBER = (0.06, 0.06, 0.07)


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


Painter = Callable[[Figure, Vehicle, Floats, Floats], None]


def end_painter(vehicle: Vehicle) -> Painter:
    """The painter of the end that looks at the camera."""
    return {CAR: _car_end, TRUCK: _truck_end, BUS: _coach_end, TRAIN: _coach_end}[vehicle.label]


def side_painter(vehicle: Vehicle) -> Painter:
    """The painter of a long side."""
    return {CAR: _car_side, TRUCK: _truck_side, BUS: _coach_side, TRAIN: _coach_side}[vehicle.label]


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


def cabin_end(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
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


def cabin_side(figure: Figure, car: Vehicle, along: Floats, height: Floats) -> None:
    """The windows along a car."""
    place, rise = along / np.float32(car.long), np.clip(height - car.belt, 0.0, 1.0)
    back, front = car.boot + 0.15 * (1.0 - car.boxy) * rise, 1.0 - car.bonnet - 0.35 * rise
    figure.add((height > car.belt - 0.05) & (place >= back) & (place <= front), car.body, car.label)
    window = (place > back + 0.05) & (place < front - 0.04) & (np.abs(place - 0.48) > 0.015)
    figure.add((height > car.belt + 0.05) & (height < 0.9) & window, car.glass, car.label)


def _truck_end(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    across = np.abs(along) / np.float32(truck.wide / 2)
    if truck.tail:
        load_end(figure, truck, along, height)
        figure.add((height > 0.26) & (np.abs(across - 0.02) < 0.03), colours.scaled(truck.body, 0.5), truck.label)
        figure.add((height > 0.16) & (height <= 0.24) & (across < 0.95), (0.12, 0.12, 0.12), truck.label)
        figure.add((height > 0.18) & (height < 0.23) & (across > 0.65) & (across < 0.95), truck.lamp, truck.label)
    else:
        figure.add((height > 0.1) & (height < 0.78) & (across < 0.97), truck.second, truck.label)
        figure.add((height > 0.45) & (height < 0.7) & (across < 0.85), truck.glass, truck.label)
        figure.add((height > 0.16) & (height < 0.22) & (across > 0.65) & (across < 0.92), truck.lamp, truck.label)
        figure.add((height > 0.26) & (height < 0.38) & (across < 0.5), colours.scaled(truck.second, 0.5), truck.label)
    _tyres(figure, truck, across, height, 0.18)


def load_end(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    """The end of a truck's load, behind the cab or at the rear."""
    figure.add((height > 0.24) & (along < 99.0), truck.body, truck.label)


def _truck_side(figure: Figure, truck: Vehicle, along: Floats, height: Floats) -> None:
    place, cab = along / np.float32(truck.long), np.float32(1.0 - CAB_M / truck.long)
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
