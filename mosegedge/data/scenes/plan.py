"""Draws the plan of a street at random: lanes, pavements, rows of houses, light."""

from __future__ import annotations

from mosegedge.data.labels import BUILDING, FENCE, SIDEWALK, TERRAIN, VEGETATION, WALL
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.camera import Camera
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.street import LANE_M, Light, Row, Segment, Side, Street


def plan_street(dice: Dice, height: int, width: int) -> Street:
    """Draws the plan of a street for a picture of a size in pixels."""
    camera = Camera(
        height=height,
        width=width,
        focal=width * dice.uniform(0.62, 1.0),
        horizon=height * dice.uniform(0.36, 0.53),
        centre=width * dice.uniform(0.38, 0.62),
        eye_m=dice.uniform(1.25, 2.1),
        bend=dice.uniform(-0.0025, 0.0025) if dice.chance(0.55) else 0.0,
    )
    rails = dice.chance(0.35)
    own, oncoming = dice.choice((1, 1, 2)), dice.choice((0, 1, 1, 1, 2))
    if rails:
        oncoming = max(oncoming, 1)
    lanes = [(LANE_M * k, 1) for k in range(own)] + [(-LANE_M * (k + 1), -1) for k in range(oncoming)]
    crossing = None
    if dice.chance(0.45):
        start = dice.uniform(12.0, 45.0)
        crossing = (start, start + dice.uniform(7.0, 14.0))
    end = dice.uniform(60.0, 150.0)
    character = dice.choice(("town", "town", "suburb", "park", "works"))
    sides = []
    for sign, edge in ((-1, LANE_M * (oncoming + 0.5)), (1, LANE_M * (own - 0.5))):
        if dice.chance(0.3):
            character = dice.choice(("town", "suburb", "park", "works"))
        sides.append(_plan_side(dice, sign, edge, character, crossing, end))
    return Street(
        camera=camera,
        light=_plan_light(dice),
        left=sides[0],
        right=sides[1],
        lanes=tuple(lanes),
        crossing=crossing,
        end=end,
        rails=rails,
        wet=dice.uniform(0.2, 0.7) if dice.chance(0.2) else 0.0,
    )


def _plan_light(dice: Dice) -> Light:
    clear = dice.chance(0.6)
    grey = dice.uniform(0.55, 1.0)
    if clear:
        low = colours.from_hue(dice.choice((dice.uniform(195.0, 220.0), dice.uniform(20.0, 50.0))), 0.18, grey)
        top = colours.from_hue(dice.uniform(200.0, 225.0), dice.uniform(0.25, 0.7), dice.uniform(0.45, 0.95))
    else:
        low = colours.from_hue(dice.choice((40.0, 210.0)), dice.uniform(0.0, 0.1), grey)
        top = colours.scaled(low, dice.uniform(0.75, 1.05))
    return Light(
        sun_side=dice.choice((-1, 1)),
        sun=dice.uniform(0.25, 0.7) if clear else dice.uniform(0.0, 0.12),
        slope=dice.uniform(0.2, 1.4),
        haze_m=dice.uniform(120.0, 500.0) if clear else dice.uniform(60.0, 250.0),
        sky_top=top,
        sky_low=low,
    )


def _plan_side(
    dice: Dice, sign: int, edge: float, character: str, crossing: tuple[float, float] | None, end: float
) -> Side:
    parked = 2.3 if dice.chance(0.55) else 0.0
    kerb = edge + parked
    strip = dice.uniform(0.8, 3.0) if dice.chance(0.35) else 0.0
    walk = kerb + strip + dice.uniform(1.4, 4.5)
    near_x = walk + (dice.uniform(0.0, 1.0) if character == "town" else dice.uniform(0.0, 5.0))
    far_x = near_x + dice.uniform(5.0, 18.0)
    near_mix, far_mix = _MIXES[character]
    gap = crossing or (0.0, 0.0)
    return Side(
        sign=sign,
        kerb=sign * kerb,
        strip=strip,
        walk=sign * walk,
        near=Row(x=sign * near_x, segments=_plan_row(dice, near_mix, gap, end)),
        far=Row(x=sign * far_x, segments=_plan_row(dice, far_mix, gap, end)),
        yard_label=SIDEWALK if character in ("town", "works") and dice.chance(0.7) else TERRAIN,
        trees=dice.uniform(0.0, 1.0) * {"town": 0.5, "suburb": 1.0, "park": 1.5, "works": 0.4}[character],
        parked=dice.uniform(0.3, 0.95) if parked else 0.0,
    )


_GAP = -1
_MIXES: dict[str, tuple[tuple[tuple[int, float], ...], tuple[tuple[int, float], ...]]] = {
    "town": (
        ((BUILDING, 0.72), (WALL, 0.08), (FENCE, 0.08), (_GAP, 0.12)),
        ((BUILDING, 0.7), (VEGETATION, 0.2), (_GAP, 0.1)),
    ),
    "suburb": (
        ((BUILDING, 0.12), (WALL, 0.27), (FENCE, 0.26), (VEGETATION, 0.18), (_GAP, 0.17)),
        ((BUILDING, 0.5), (VEGETATION, 0.25), (_GAP, 0.25)),
    ),
    "park": (
        ((WALL, 0.13), (FENCE, 0.3), (VEGETATION, 0.2), (_GAP, 0.37)),
        ((BUILDING, 0.08), (VEGETATION, 0.5), (_GAP, 0.42)),
    ),
    "works": (
        ((BUILDING, 0.25), (WALL, 0.35), (FENCE, 0.3), (_GAP, 0.1)),
        ((BUILDING, 0.65), (VEGETATION, 0.1), (_GAP, 0.25)),
    ),
}


def _plan_row(
    dice: Dice, mix: tuple[tuple[int, float], ...], crossing: tuple[float, float], end: float
) -> tuple[Segment, ...]:
    segments, z = [], 0.0
    while z < end:
        if crossing[0] - 2.0 <= z < crossing[1]:
            segments.append(_plan_segment(dice, _GAP, z, crossing[1]))
        else:
            stop = z + dice.uniform(7.0, 26.0)
            if z < crossing[0] - 2.0:
                stop = min(stop, crossing[0] - 2.0)
            segments.append(_plan_segment(dice, dice.weighted(mix), z, stop))
        z = segments[-1].end
    return tuple(segments)


def _plan_segment(dice: Dice, label: int, start: float, end: float) -> Segment:
    height = {
        BUILDING: lambda: dice.uniform(4.0, 9.0) if dice.chance(0.4) else dice.uniform(8.0, 24.0),
        WALL: lambda: dice.uniform(0.9, 3.2),
        FENCE: lambda: dice.uniform(0.8, 2.4),
        VEGETATION: lambda: dice.uniform(0.9, 3.0) if dice.chance(0.6) else dice.uniform(4.0, 10.0),
        _GAP: lambda: 0.0,
    }[label]()
    if label == VEGETATION:
        colour = colours.plant(dice)
    elif label == FENCE and dice.chance(0.5):
        colour = colours.paint(dice)
    else:
        colour = colours.mineral(dice)
    glass = colours.from_hue(210.0, dice.uniform(0.0, 0.3), dice.uniform(0.08, 0.45))
    return Segment(
        start=start,
        end=end,
        height=height,
        label=label,
        colour=colour,
        window=glass,
        pitch=(dice.uniform(1.6, 4.5), dice.uniform(2.7, 3.8)),
        share=(dice.uniform(0.25, 0.75), dice.uniform(0.3, 0.65)),
        base=dice.uniform(0.0, 3.5),
        rough=dice.uniform(0.05, 0.3),
    )
