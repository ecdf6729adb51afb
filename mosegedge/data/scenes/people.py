"""Persons, riders, bicycles and motorcycles. Above the hips a rider looks like any person."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mosegedge.data.labels import BICYCLE, MOTORCYCLE, PERSON, RIDER
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.camera import Mask, Patch
from mosegedge.data.scenes.canvas import Canvas, Figure
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats, crop
from mosegedge.data.scenes.street import Street


@dataclass(frozen=True, kw_only=True)
class Body:
    """Size and clothes of a human; lengths follow from the height."""

    height: float
    stout: float
    coat: Colour
    legs: Colour
    skin: Colour
    hair: Colour
    stride: float


def draw_body(dice: Dice) -> Body:
    """A random human."""
    return Body(
        height=dice.uniform(1.05, 1.45) if dice.chance(0.15) else dice.uniform(1.55, 1.92),
        stout=dice.uniform(0.85, 1.25),
        coat=colours.paint(dice),
        legs=colours.scaled(colours.paint(dice), dice.uniform(0.4, 1.0)),
        skin=colours.skin(dice),
        hair=colours.from_hue(30.0, dice.uniform(0.1, 0.6), dice.uniform(0.05, 0.5)),
        stride=dice.uniform(0.0, 0.16),
    )


def paint_person(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """Someone on foot."""
    body = draw_body(dice)
    half = 0.24 * body.height * body.stout
    patch = street.camera.front((x - half, x + half), (0.0, body.height), z)
    if patch is None or canvas.hides(patch):
        return
    canvas.shadow(street.camera, (x - half, x + half), (z - 0.3, z + 0.4), 0.3 + 0.4 * street.light.sun)
    figure = Figure(patch)
    across, up = patch.across / np.float32(body.height), patch.up / np.float32(body.height)
    spread = np.float32(body.stride) * (0.5 - up)
    for leg in (-1.0, 1.0):
        at = leg * (0.05 + spread)
        half_leg = max(0.05 * body.stout, 0.5 * patch.pixel_m / body.height)
        figure.add((up < 0.52) & (np.abs(across - at) < half_leg), body.legs, PERSON)
    _upper(figure, body, across, up, hips=0.46, label=PERSON, head=body.hair)
    if dice.chance(0.25):
        side = dice.choice((-0.17, 0.17))
        figure.add((np.abs(across - side) < 0.06) & (np.abs(up - 0.38) < 0.09), colours.paint(dice), PERSON)
    _finish(canvas, figure, dice, light)


def paint_cycle(
    canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float, motor: bool, ridden: bool
) -> None:
    """A bicycle or motorcycle, with its rider or parked, seen from behind, in front, or from the side."""
    body = draw_body(dice) if ridden else None
    sideways = dice.chance(0.35 if ridden else 0.6)
    length = dice.uniform(1.9, 2.2) if motor else dice.uniform(1.6, 1.85)
    half = length / 2 if sideways else 0.42
    high = 1.05 + (0.62 * body.height - 0.1 if body else 0.0)
    patch = street.camera.front((x - half, x + half), (0.0, high), z)
    if patch is None or canvas.hides(patch):
        return
    canvas.shadow(street.camera, (x - half, x + half), (z - 0.3, z + 0.7), 0.3 + 0.4 * street.light.sun)
    figure = Figure(patch)
    colour = colours.paint(dice)
    machine = _motorcycle if motor else _bicycle
    flip = np.float32(dice.choice((-1.0, 1.0)))
    if body is None:
        machine(figure, patch, patch.across * flip, colour, length, sideways=sideways)
    else:
        if sideways:
            machine(figure, patch, patch.across * flip, colour, length, sideways=True)
            _rider(
                figure,
                body,
                patch,
                patch.across * flip,
                lean=dice.uniform(0.1, 0.45),
                helmet=colour if motor else body.hair,
            )
        else:
            _rider(figure, body, patch, patch.across, lean=0.0, helmet=colour if motor else body.hair)
            machine(figure, patch, patch.across, colour, length, sideways=False)
    _finish(canvas, figure, dice, light)


def _upper(figure: Figure, body: Body, across: Floats, up: Floats, *, hips: float, label: int, head: Colour) -> None:
    """Trunk, arms and head; heights are relative to the body's."""
    taper = (0.105 + 0.05 * np.clip((up - hips) / (0.84 - hips), 0.0, 1.0)) * body.stout
    figure.add((up >= hips) & (up < 0.84) & (np.abs(across) < taper), body.coat, label)
    arm = np.abs(np.abs(across) - 0.165 * body.stout) < 0.03
    figure.add(arm & (up > hips) & (up < 0.81), colours.scaled(body.coat, 0.85), label)
    figure.add((np.abs(across) < 0.035) & (up > 0.82) & (up < 0.88), body.skin, label)
    round_head: Mask = (across / 0.062) ** 2 + ((up - 0.925) / 0.075) ** 2 < 1.0
    figure.add(round_head, body.skin, label)
    figure.add(round_head & (up > 0.94), head, label)


def _rider(figure: Figure, body: Body, patch: Patch, across: Floats, *, lean: float, helmet: Colour) -> None:
    """A human on a saddle 0.9 m high; legs go down to the pedals."""
    seat = 0.9
    up = (patch.up - np.float32(seat)) / np.float32(body.height)
    sideways = lean > 0.0
    tilted = across / np.float32(body.height) - np.float32(lean) * np.maximum(up, np.float32(-0.05))
    if sideways:
        leg = np.abs(tilted - 0.05 - 0.35 * np.minimum(-up, 0.2)) < 0.055
        figure.add(leg & (up < 0.03) & (up > -0.4), body.legs, RIDER)
    else:
        figure.add((np.abs(np.abs(tilted) - 0.085) < 0.05) & (up < 0.03) & (up > -0.4), body.legs, RIDER)
    _upper(figure, body, tilted, up + np.float32(0.46), hips=0.44, label=RIDER, head=helmet)


def _ring(patch: Patch, across: Floats, place: float, radius: float, thick: float) -> Mask:
    away = (across - np.float32(place)) ** 2 + (patch.up - np.float32(radius)) ** 2
    inner = max(radius - max(thick, patch.pixel_m), 0.0)
    return (away < radius * radius) & (away > inner * inner)


def _line(across: Floats, up: Floats, start: tuple[float, float], end: tuple[float, float], thick: float) -> Mask:
    """Pixels near the straight line between two places."""
    run, rise = end[0] - start[0], end[1] - start[1]
    share = ((across - np.float32(start[0])) * run + (up - np.float32(start[1])) * rise) / (run * run + rise * rise)
    share = np.clip(share, 0.0, 1.0)
    away_x, away_y = across - (start[0] + share * run), up - (start[1] + share * rise)
    return np.asarray(away_x * away_x + away_y * away_y < thick * thick)


def _bicycle(figure: Figure, patch: Patch, across: Floats, colour: Colour, length: float, *, sideways: bool) -> None:
    dark, thin = (0.08, 0.08, 0.09), 0.55 * patch.pixel_m
    if not sideways:
        figure.add((np.abs(across) < max(0.05, thin)) & (patch.up < 0.68), dark, BICYCLE)
        figure.add(
            (np.abs(across) < 0.3) & (np.abs(patch.up - 0.98) < max(0.05, thin)), colours.scaled(colour, 0.7), BICYCLE
        )
        figure.add((np.abs(across) < 0.045) & (patch.up > 0.4) & (patch.up < 1.0), colour, BICYCLE)
        return
    radius = 0.34
    front, back = length / 2 - radius, radius - length / 2
    for place in (front, back):
        figure.add(_ring(patch, across, place, radius, 0.06), dark, BICYCLE)
    for start, end in (
        ((back, radius), (-0.08, 0.3)),
        ((-0.08, 0.3), (front - 0.15, 0.8)),
        ((-0.08, 0.3), (back + 0.2, 0.9)),
        ((back + 0.2, 0.75), (front - 0.15, 0.8)),
        ((front, radius), (front - 0.18, 1.0)),
    ):
        figure.add(_line(across, patch.up, start, end, max(0.035, thin)), colour, BICYCLE)


def _motorcycle(figure: Figure, patch: Patch, across: Floats, colour: Colour, length: float, *, sideways: bool) -> None:
    dark = (0.07, 0.07, 0.08)
    if not sideways:
        figure.add((np.abs(across) < 0.1) & (patch.up < 0.62), dark, MOTORCYCLE)
        figure.add((np.abs(across) < 0.22) & (patch.up > 0.4) & (patch.up < 0.92), colour, MOTORCYCLE)
        figure.add((np.abs(across) < 0.38) & (np.abs(patch.up - 0.98) < 0.06), dark, MOTORCYCLE)
        figure.add((np.abs(across) < 0.09) & (np.abs(patch.up - 0.78) < 0.07), (0.9, 0.85, 0.7), MOTORCYCLE)
        return
    radius = 0.31
    front, back = length / 2 - radius, radius - length / 2
    for place in (front, back):
        figure.add(_ring(patch, across, place, radius, 0.2), dark, MOTORCYCLE)
    figure.add((np.abs(across) < 0.38) & (patch.up > 0.3) & (patch.up < 0.72), colours.scaled(colour, 0.5), MOTORCYCLE)
    figure.add((across > back - 0.1) & (across < 0.3) & (np.abs(patch.up - 0.78) < 0.1), colour, MOTORCYCLE)
    figure.add(_line(across, patch.up, (front, radius), (front - 0.35, 1.0), 0.07), colour, MOTORCYCLE)


def _finish(canvas: Canvas, figure: Figure, dice: Dice, light: float) -> None:
    canvas.paint(figure, light * (1.0 + 0.18 * crop("grain", figure.patch.shape, dice)))
