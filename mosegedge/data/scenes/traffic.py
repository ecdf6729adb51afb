"""What stands and moves on a street: where it is put, and in which order it is painted."""

from __future__ import annotations

from collections.abc import Callable

from mosegedge.data.labels import BUS, CAR, TRAIN, TRUCK
from mosegedge.data.scenes import furniture, people, plants
from mosegedge.data.scenes.canvas import Canvas
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.street import Side, Street
from mosegedge.data.scenes.vehicles import draw_vehicle, paint_crossing_vehicle, paint_vehicle

_FLEET = ((CAR, 0.7), (TRUCK, 0.17), (BUS, 0.13))
_NEAREST_M = 4.5


def paint_gardens(canvas: Canvas, street: Street, dice: Dice) -> None:
    """Trees and bushes behind the near rows, far ones first."""
    for side in (street.left, street.right):
        places = sorted((dice.uniform(5.0, street.end) for _ in range(int(side.trees * 7))), reverse=True)
        for z in places:
            x = side.near.x + side.sign * dice.uniform(0.8, max(1.0, abs(side.far.x - side.near.x) - 0.5))
            light = street.light_at(x, z)
            painter = dice.weighted(((plants.paint_tree, 0.7), (plants.paint_bush, 0.2), (plants.paint_mound, 0.1)))
            painter(canvas, street, dice, x=x, z=z, light=light)


def paint_street_life(canvas: Canvas, street: Street, dice: Dice) -> None:
    """Everything between the rows; the canvas keeps what is nearer, so the order only matters for shadows."""
    for side in (street.left, street.right):
        _line_side(canvas, street, side, dice)
    _fill_lanes(canvas, street, dice)
    for side in (street.left, street.right):
        _people_side(canvas, street, side, dice)
    if street.crossing:
        _cross(canvas, street, street.crossing, dice)


def _clear_of_crossing(street: Street, z: float) -> bool:
    return street.crossing is None or not street.crossing[0] - 1.0 < z < street.crossing[1] + 1.0


def _line_side(canvas: Canvas, street: Street, side: Side, dice: Dice) -> None:
    """Trees, poles, signs and lights along the kerb, then parked vehicles."""
    step, z = dice.uniform(6.0, 16.0), dice.uniform(_NEAREST_M, 14.0)
    while z < min(street.end, 90.0):
        if _clear_of_crossing(street, z):
            x = side.kerb + side.sign * dice.uniform(0.3, max(0.5, side.strip))
            painter = dice.weighted(_kerb_mix(side))
            if painter is not None:
                painter(canvas, street, dice, x=x, z=z, light=street.light_at(x, z))
        z += step * dice.uniform(0.5, 1.4)
    if street.crossing and dice.chance(0.75):
        x, z = side.kerb + side.sign * 0.5, street.crossing[0] - 1.2
        furniture.paint_lights(canvas, street, dice, x=x, z=z, light=street.light_at(x, z))
    z = dice.uniform(3.0, 12.0)
    while side.parked and z < min(street.end, 70.0):
        label = dice.weighted(((CAR, 0.9), (TRUCK, 0.1)))
        vehicle = draw_vehicle(dice, label, tail=(side.sign > 0) != dice.chance(0.1))
        x = side.kerb - side.sign * (vehicle.wide / 2 + 0.15)
        if dice.chance(side.parked) and _clear_of_crossing(street, z) and _clear_of_crossing(street, z + vehicle.long):
            paint_vehicle(canvas, street, dice, vehicle, x=x, z=z, light=street.light_at(x, z))
        z += vehicle.long + dice.uniform(0.6, 2.5)


def _kerb_mix(side: Side) -> tuple[tuple[Callable[..., None] | None, float], ...]:
    tree = min(0.4, 0.3 * side.trees)
    return (
        (furniture.paint_pole, 0.26),
        (furniture.paint_sign, 0.18),
        (furniture.paint_board, 0.04),
        (furniture.paint_lights, 0.04),
        (plants.paint_tree, tree),
        (None, 0.48 - tree),
    )


def _fill_lanes(canvas: Canvas, street: Street, dice: Dice) -> None:
    for middle, way in street.lanes:
        density = dice.uniform(0.0, 1.0)
        tram = street.rails and way < 0 and dice.chance(0.85)
        z = dice.uniform(9.0, 25.0) if middle == 0.0 else dice.uniform(4.0, 20.0)
        while z < min(street.end, 110.0):
            light = street.light_at(middle, z)
            gap = dice.uniform(3.0, 12.0) + 20.0 * (1.0 - density)
            if dice.chance(0.16):
                x = middle + dice.uniform(-0.3, 1.3)
                motor = dice.chance(0.5)
                people.paint_cycle(canvas, street, dice, x=x, z=z, light=light, motor=motor, ridden=True)
                z += 2.0 + gap
                continue
            vehicle = draw_vehicle(dice, TRAIN if tram else dice.weighted(_FLEET), tail=way > 0)
            tram = False
            if dice.chance(0.35 + 0.6 * density):
                paint_vehicle(canvas, street, dice, vehicle, x=middle + dice.uniform(-0.3, 0.3), z=z, light=light)
            z += vehicle.long + gap


def _people_side(canvas: Canvas, street: Street, side: Side, dice: Dice) -> None:
    """Groups on the pavement, and cycles that lean at the kerb."""
    inner, outer = side.kerb + side.sign * side.strip, side.walk
    for _ in range(dice.integer(0, 6)):
        z, x = dice.uniform(_NEAREST_M, 12.0) if dice.chance(0.25) else dice.uniform(8.0, 55.0), 0.0
        for _ in range(dice.choice((1, 1, 1, 2, 2, 3))):
            x = inner + (outer - inner) * dice.uniform(0.05, 0.95)
            z += dice.uniform(-0.4, 0.9)
            people.paint_person(canvas, street, dice, x=x, z=max(z, 3.0), light=street.light_at(x, z))
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        z, motor, ridden = dice.uniform(5.0, 35.0), dice.chance(0.45), dice.chance(0.25)
        for _ in range(1 if ridden else dice.choice((1, 2, 4))):
            x = inner + (outer - inner) * dice.uniform(0.0, 0.5)
            light = street.light_at(x, z)
            people.paint_cycle(canvas, street, dice, x=x, z=z, light=light, motor=motor, ridden=ridden)
            z += dice.uniform(0.4, 1.0)


def _cross(canvas: Canvas, street: Street, crossing: tuple[float, float], dice: Dice) -> None:
    """Vehicles that drive across, and people on the zebra."""
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        z = crossing[0] + (crossing[1] - crossing[0]) * dice.uniform(0.1, 0.7)
        vehicle = draw_vehicle(dice, dice.weighted(_FLEET), tail=dice.chance(0.5))
        x = dice.uniform(-14.0, 14.0)
        paint_crossing_vehicle(canvas, street, dice, vehicle, x=x, z=z, light=street.light_at(x, z))
    for _ in range(dice.choice((0, 0, 1, 2, 4))):
        x, z = dice.uniform(street.left.kerb, street.right.kerb), crossing[0] - dice.uniform(0.8, 3.2)
        if dice.chance(0.2):
            motor = dice.chance(0.2)
            people.paint_cycle(canvas, street, dice, x=x, z=z, light=street.light_at(x, z), motor=motor, ridden=True)
        else:
            people.paint_person(canvas, street, dice, x=x, z=z, light=street.light_at(x, z))
