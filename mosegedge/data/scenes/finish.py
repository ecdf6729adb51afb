"""From colours of surfaces to a photograph: air, exposure, colour cast, lens, sensor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.labels import IGNORE, SKY
from mosegedge.data.scenes import colours
from mosegedge.data.scenes.canvas import Canvas, planes
from mosegedge.data.scenes.dice import Dice
from mosegedge.data.scenes.noise import Floats
from mosegedge.data.scenes.street import Light


def add_bonnet(canvas: Canvas, dice: Dice) -> None:
    """The front of the own car at the lower edge of some pictures; no class is given to it."""
    if not dice.chance(0.35):
        return
    height, width = canvas.label.shape
    rise, middle = dice.uniform(4.0, 14.0), dice.uniform(0.4, 0.6) * width
    across = (np.arange(width) + 0.5 - middle) / (width * dice.uniform(0.55, 0.8))
    top = height - rise * (1.0 - across * across)
    hood = np.arange(height)[:, None] + 0.5 > top
    paint = planes(colours.scaled(colours.paint(dice), 0.6))
    np.copyto(canvas.colour, paint, where=hood)
    np.copyto(canvas.label, np.uint8(IGNORE), where=hood)
    np.copyto(canvas.depth, np.float32(1.0), where=hood)


def photograph(canvas: Canvas, light: Light, dice: Dice) -> NDArray[np.uint8]:
    """The 8-bit picture of a canvas."""
    picture = _through_air(canvas, light)
    height, width = canvas.label.shape
    exposure = dice.uniform(0.3, 0.75) if dice.chance(0.25) else dice.uniform(0.7, 1.35)
    cast = planes((dice.uniform(0.88, 1.12), dice.uniform(0.88, 1.12), dice.uniform(0.88, 1.12)))
    rows = (np.arange(height, dtype=np.float32)[:, None] / height - 0.5) ** 2
    columns = (np.arange(width, dtype=np.float32)[None] / width - 0.5) ** 2
    corners = 1.0 - np.float32(dice.uniform(0.0, 0.7)) * (rows + columns)
    picture *= cast * np.float32(exposure)
    picture *= corners
    _tone(picture, dice.uniform(0.05, 0.5))
    picture = _blur(picture, dice.uniform(0.05, 0.28))
    if dice.chance(0.2):
        picture = _blur(picture, 0.3)
    strength = dice.uniform(1.0, 5.0) if dice.chance(0.7) else dice.uniform(5.0, 12.0)
    grain = np.add(dice.octets(3, height, width), dice.octets(3, height, width), dtype=np.int16)
    picture *= np.float32(255.0)
    picture += (grain - np.int16(255)) * np.float32(strength / 104.0)
    np.rint(picture, out=picture)
    np.clip(picture, 0.0, 255.0, out=picture)
    return np.ascontiguousarray(picture.astype(np.uint8).transpose(1, 2, 0))


def _through_air(canvas: Canvas, light: Light) -> Floats:
    """Far things take the colour of the air; the sky itself stays."""
    clear = np.float32(light.haze_m) / (canvas.depth + np.float32(light.haze_m))
    np.copyto(clear, np.float32(1.0), where=canvas.label == SKY)
    air = planes(light.sky_low) * np.float32(0.9)
    picture = canvas.colour - air
    picture *= clear
    picture += air
    return picture


def _tone(picture: Floats, shoulder: float) -> None:
    """Soft highlights, in place: brighter parts are compressed."""
    np.maximum(picture, 0.0, out=picture)
    below = picture * np.float32(shoulder)
    below += np.float32(1.0)
    picture *= np.float32(0.97 * (1.0 + shoulder))
    picture /= below


def _blur(picture: Floats, share: float) -> Floats:
    """A 3 x 3 blur; `share` is the weight of each direct neighbour in one direction."""
    side, middle = np.float32(share), np.float32(1.0 - 2.0 * share)
    for axis in (1, 2):
        first, last = (
            picture[:, :1] if axis == 1 else picture[:, :, :1],
            picture[:, -1:] if axis == 1 else picture[:, :, -1:],
        )
        grown = np.concatenate([first, picture, last], axis=axis)
        around = grown[:, :-2] + grown[:, 2:] if axis == 1 else grown[:, :, :-2] + grown[:, :, 2:]
        around *= side
        picture *= middle
        picture += around
    return picture
