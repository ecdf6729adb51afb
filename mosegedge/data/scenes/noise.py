"""Tileable noise, drawn once and then looked up: the textures of everything in a scene."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.scenes.dice import Dice

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]

SIDE = 256
_STREAM = 7_150_311
_OCTAVES = {
    "grain": ((1, 1.0), (2, 0.8)),
    "leaves": ((16, 0.8), (8, 1.0), (4, 0.8), (2, 0.5)),
    "grass": ((8, 0.4), (4, 0.7), (2, 1.0), (1, 0.8)),
    "stains": ((64, 1.0), (32, 0.8), (16, 0.5), (4, 0.3)),
    "clouds": ((128, 1.0), (64, 0.7), (32, 0.4), (16, 0.2), (8, 0.1)),
    "cells": ((1, 1.0),),
}


@lru_cache(maxsize=len(_OCTAVES))
def tile(name: str) -> Floats:
    """A SIDE x SIDE texture in about [-1, 1] that repeats without a seam."""
    dice = Dice(_STREAM, list(_OCTAVES).index(name))
    total = np.zeros((SIDE, SIDE))
    weight = 0.0
    for step, amplitude in _OCTAVES[name]:
        total += amplitude * _octave(dice, step)
        weight += amplitude * amplitude
    return np.asarray(np.clip(total / np.sqrt(weight), -1.0, 1.0), np.float32)


def _octave(dice: Dice, step: int) -> Floats:
    """Random values on a grid, smoothly interpolated between the grid points."""
    count = SIDE // step
    lattice = dice.uniforms(count, count) * 2.0 - 1.0
    if step == 1:
        return lattice
    place = (np.arange(SIDE) % step) / step
    blend = place * place * (3.0 - 2.0 * place)
    low = np.arange(SIDE) // step
    high = (low + 1) % count
    rows = lattice[low] * (1.0 - blend)[:, None] + lattice[high] * blend[:, None]
    return np.asarray(rows[:, low] * (1.0 - blend) + rows[:, high] * blend)


def look_up(name: str, across: Integers, up: Integers) -> Floats:
    """The texture at integer places; both indices wrap around."""
    mask = SIDE - 1
    return np.take(tile(name), (up & mask) * SIDE + (across & mask))


@lru_cache(maxsize=len(_OCTAVES))
def _wrapped(name: str) -> Floats:
    return np.tile(tile(name), (3, 4))


def crop(name: str, shape: tuple[int, int], dice: Dice) -> Floats:
    """A piece of the texture at a random place, at one texel a pixel; at most 512 x 768."""
    row, column = dice.integer(0, SIDE), dice.integer(0, SIDE)
    return _wrapped(name)[row : row + shape[0], column : column + shape[1]]
