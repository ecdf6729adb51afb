"""Trees and bushes. Their trunks look like poles, and count as vegetation."""

from __future__ import annotations

import numpy as np

from mosegedge.data.labels import TERRAIN, VEGETATION
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.canvas import Canvas, Figure
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import crop
from mosegedge.data.scenes.street import Street


def paint_tree(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A tree with a ragged crown through which the background shows."""
    height = dice.uniform(3.5, 10.0)
    stem = height * dice.uniform(0.2, 0.45)
    trunk = dice.uniform(0.06, 0.2)
    wide = height * dice.uniform(0.22, 0.42)
    patch = street.camera.front((x - trunk, x + trunk), (0.0, stem * 1.2), z)
    if patch is not None:
        figure = Figure(patch)
        bark = colours.from_hue(dice.uniform(20.0, 60.0), dice.uniform(0.05, 0.35), dice.uniform(0.12, 0.45))
        figure.add(np.ones(patch.shape, np.bool_), bark, VEGETATION)
        canvas.paint(figure, light * (1.0 + 0.3 * crop("grain", patch.shape, dice)))
    canvas.shadow(street.camera, (x - wide, x + wide), (z - wide, z + wide), 0.15 + 0.6 * street.light.sun)
    _paint_crown(canvas, street, dice, x=(x - wide, x + wide), y=(stem, height), z=z, light=light, density=0.9)


def paint_bush(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A low bush."""
    wide, height = dice.uniform(0.4, 1.6), dice.uniform(0.5, 1.8)
    _paint_crown(canvas, street, dice, x=(x - wide, x + wide), y=(-0.3, height), z=z, light=light, density=1.3)


def paint_mound(canvas: Canvas, street: Street, dice: Dice, *, x: float, z: float, light: float) -> None:
    """A heap of grass or earth: terrain that rises in front of walls and houses."""
    wide, height = dice.uniform(1.5, 5.0), dice.uniform(0.3, 1.1)
    patch = street.camera.front((x - wide, x + wide), (0.0, height), z)
    if patch is None or canvas.hides(patch):
        return
    across = patch.across / np.float32(wide)
    figure = Figure(patch)
    figure.add(patch.up < height * (1.0 - across * across), colours.soil(dice), TERRAIN)
    canvas.paint(figure, light * (1.0 + 0.35 * crop("grass", patch.shape, dice)))


def _paint_crown(
    canvas: Canvas,
    street: Street,
    dice: Dice,
    *,
    x: tuple[float, float],
    y: tuple[float, float],
    z: float,
    light: float,
    density: float,
) -> None:
    patch = street.camera.front(x, y, z)
    if patch is None or canvas.hides(patch):
        return
    across = patch.across / np.float32((x[1] - x[0]) / 2)
    up = (patch.up - (y[0] + y[1]) / 2) / np.float32((y[1] - y[0]) / 2)
    texture = crop("leaves" if patch.shape[0] > 24 else "grass", patch.shape, dice)
    ragged = dice.uniform(0.35, 0.75)
    inside = across * across + up * up + ragged * texture < density - 0.1
    figure = Figure(patch)
    figure.add(inside, colours.plant(dice), VEGETATION)
    sun = 0.25 * street.light.sun * street.light.sun_side * across
    canvas.paint(figure, light * (0.85 + 0.25 * up + sun + 0.5 * crop("leaves", patch.shape, dice)))
