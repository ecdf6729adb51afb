"""Poles, traffic lights and traffic signs: few pixels each, three classes out of nineteen."""

from __future__ import annotations

import numpy as np

from mosegedge.data.labels import LIGHT, POLE, SIGN
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.camera import Mask
from mosegedge.data.scenes.canvas import Canvas, Figure
from mosegedge.data.scenes.colours import Colour
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import crop
from mosegedge.data.scenes.street import Street


def paint_pole(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A lamp post, sometimes with a sign or an arm over the road."""
    height, half = dice.uniform(2.5, 8.5), dice.uniform(0.05, 0.14)
    colour = colours.metal(dice)
    _bar(canvas, street, dice, (x - half, x + half), (0.0, height), z, colour, light)
    if height > 5.0 and dice.chance(0.6):
        reach = -dice.uniform(0.6, 2.2) if x > 0 else dice.uniform(0.6, 2.2)
        _bar(canvas, street, dice, (min(x, x + reach), max(x, x + reach)), (height - 0.12, height), z, colour, light)
    if dice.chance(0.15):
        _face(canvas, street, dice, x=x, y=dice.uniform(2.0, 2.8), z=z - 0.1, light=light)


def paint_sign(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """One to three traffic signs on a pole."""
    height = dice.uniform(2.0, 3.0)
    _bar(canvas, street, dice, (x - 0.05, x + 0.05), (0.0, height + 0.3), z, colours.metal(dice), light)
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        _face(canvas, street, dice, x=x, y=height, z=z - 0.1, light=light)
        height -= 0.75


def paint_board(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A large direction board on two poles."""
    half, low, high = dice.uniform(0.8, 2.2), dice.uniform(1.2, 2.6), dice.uniform(0.8, 1.8)
    for leg in (-0.7 * half, 0.7 * half):
        _bar(canvas, street, dice, (x + leg - 0.06, x + leg + 0.06), (0.0, low + high), z, colours.metal(dice), light)
    patch = street.camera.front((x - half, x + half), (low, low + high), z - 0.1)
    if patch is None:
        return
    figure = Figure(patch)
    ground = colours.from_hue(dice.choice((215.0, 140.0, 48.0)), dice.uniform(0.4, 0.9), dice.uniform(0.3, 0.8))
    figure.add(np.ones(patch.shape, np.bool_), (0.85, 0.85, 0.85), SIGN)
    inside: Mask = (np.abs(patch.across) < half - 0.08) & (np.abs(patch.up - low - high / 2) < high / 2 - 0.08)
    figure.add(inside, ground, SIGN)
    text = crop("cells", patch.shape, dice) > 0.45
    figure.add(inside & text & (np.abs(patch.up - low - high / 2) < high * 0.3), (0.9, 0.9, 0.9), SIGN)
    canvas.paint(figure, light)


def paint_lights(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A traffic light beside the road, often with a second one on an arm above it."""
    colour = colours.metal(dice)
    overhead = dice.chance(0.45)
    height = 5.6 if overhead else dice.uniform(2.6, 3.4)
    _bar(canvas, street, dice, (x - 0.08, x + 0.08), (0.0, height), z, colour, light)
    _lamp(canvas, street, dice, x=x, y=2.3 if overhead else height - 0.9, z=z - 0.15, light=light)
    if overhead:
        reach = dice.uniform(2.0, 4.5) * (-1.0 if x > 0 else 1.0)
        _bar(canvas, street, dice, (min(x, x + reach), max(x, x + reach)), (5.45, 5.6), z, colour, light)
        _lamp(canvas, street, dice, x=x + reach, y=4.75, z=z - 0.15, light=light)


def _bar(
    canvas: Canvas,
    street: Street,
    dice: Dice,
    x: tuple[float, float],
    y: tuple[float, float],
    z: float,
    colour: Colour,
    light: float,
) -> None:
    patch = street.camera.front(x, y, z)
    if patch is None:
        return
    figure = Figure(patch)
    figure.add(np.ones(patch.shape, np.bool_), colour, POLE)
    canvas.paint(figure, light * (1.0 + 0.15 * crop("grain", patch.shape, dice)))


def _face(canvas: Canvas, street: Street, dice: Dice, *, x: float, y: float, z: float, light: float) -> None:
    """The plate of one sign; one in four shows its grey back."""
    half = dice.uniform(0.28, 0.48)
    patch = street.camera.front((x - half, x + half), (y - half, y + half), z)
    if patch is None:
        return
    across, up = patch.across / np.float32(half), (patch.up - np.float32(y)) / np.float32(half)
    shape = dice.choice(("disc", "disc", "triangle", "square", "diamond"))
    size = {
        "disc": np.sqrt(across * across + up * up),
        "triangle": np.maximum(-up, np.abs(across) + (up + 1.0) * 0.5),
        "square": np.maximum(np.abs(across), np.abs(up)),
        "diamond": np.abs(across) + np.abs(up),
    }[shape]
    figure = Figure(patch)
    if dice.chance(0.25):
        figure.add(size <= 1.0, colours.metal(dice), SIGN)
    else:
        rim = colours.from_hue(dice.choice((0.0, 0.0, 215.0, 45.0)), dice.uniform(0.6, 0.9), dice.uniform(0.4, 0.85))
        core = dice.choice(((0.85, 0.85, 0.83), (0.85, 0.85, 0.83), rim, (0.85, 0.65, 0.1)))
        figure.add(size <= 1.0, rim, SIGN)
        figure.add(size < 0.72, core, SIGN)
        figure.add((size < 0.5) & (crop("cells", patch.shape, dice) > 0.4), (0.08, 0.08, 0.1), SIGN)
    canvas.paint(figure, light * dice.uniform(0.8, 1.1))


def _lamp(canvas: Canvas, street: Street, dice: Dice, *, x: float, y: float, z: float, light: float) -> None:
    """The case of a traffic light, 0.9 m high, with one of its three lamps lit unless we see the back."""
    patch = street.camera.front((x - 0.18, x + 0.18), (y, y + 0.9), z)
    if patch is None:
        return
    figure = Figure(patch)
    case = colours.from_hue(dice.choice((60.0, 210.0)), dice.uniform(0.0, 0.3), dice.uniform(0.04, 0.25))
    figure.add(np.ones(patch.shape, np.bool_), case, LIGHT)
    if dice.chance(0.7):
        which, glow = dice.choice(((0.75, (1.0, 0.15, 0.1)), (0.45, (1.0, 0.65, 0.1)), (0.15, (0.15, 0.95, 0.5))))
        away_x, away_y = patch.across, patch.up - np.float32(y + which)
        figure.add(away_x * away_x + away_y * away_y < 0.014, glow, LIGHT, glows=True)
    canvas.paint(figure, light)
