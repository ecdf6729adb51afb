"""Codes as arrays: the same 29 digits for many networks at once, N x 29 integers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ArchitectureError
from mosegedge.space.architecture import CODE_LENGTH, DIGITS, STAGES, Architecture

Codes = NDArray[np.int64]

LOWER_BOUNDS: Codes = np.array([digit.low if "expansion" not in digit.name else 1 for digit in DIGITS])
UPPER_BOUNDS: Codes = np.array([digit.high for digit in DIGITS])
ONE_HOT_LENGTH = sum(digit.high - digit.low + 1 for digit in DIGITS)


def encode(architectures: list[Architecture]) -> Codes:
    """Stacks architectures to an N x 29 array."""
    return np.array([architecture.digits for architecture in architectures], dtype=np.int64).reshape(-1, CODE_LENGTH)


def decode(codes: Codes) -> list[Architecture]:
    """The architectures of an N x 29 array of canonical codes (or of one code of length 29).

    Raises:
        ArchitectureError: A row is no canonical code; the message names position, value and range.
    """
    return [Architecture(tuple(int(digit) for digit in row)) for row in np.atleast_2d(codes)]


def active_layers(codes: Codes) -> NDArray[np.bool_]:
    """N x 29: true at the expansion digits of active layers."""
    active = np.zeros(codes.shape, dtype=bool)
    for stage in STAGES:
        layers = np.arange(stage.max_depth)
        active[:, stage.expansions.start : stage.expansions.stop] = layers < stage.base_depth + codes[:, [stage.depth]]
    return active


def repair(codes: Codes, rng: np.random.Generator) -> Codes:
    """Canonical form: digits of inactive layers become 0, missing ones of active layers are drawn from 1..3.

    Args:
        codes: N x 29, every digit inside its bounds (expansion digits may be 0 anywhere).
        rng: Source of the drawn digits.
    """
    drawn = rng.integers(1, 4, size=codes.shape)
    expansion = np.zeros(CODE_LENGTH, dtype=bool)
    for stage in STAGES:
        expansion[stage.expansions.start : stage.expansions.stop] = True
    active = active_layers(codes)
    filled = np.where(active & (codes == 0), drawn, codes)
    return np.where(expansion & ~active, 0, filled)


def sample(count: int, rng: np.random.Generator) -> Codes:
    """Codes with uniformly random digits, in canonical form; rows may repeat."""
    return repair(rng.integers(LOWER_BOUNDS, UPPER_BOUNDS + 1, size=(count, CODE_LENGTH)), rng)


def check(codes: Codes) -> None:
    """Raises ArchitectureError at the first row that is no canonical code."""
    codes = np.asarray(codes)
    if codes.ndim != 2 or codes.shape[1] != CODE_LENGTH:
        raise ArchitectureError(f"Codes have the shape N x {CODE_LENGTH}, this array has {codes.shape}.")
    active = active_layers(codes)
    low = np.array([digit.low if "expansion" not in digit.name else 0 for digit in DIGITS])
    wrong = (codes < low) | (codes > UPPER_BOUNDS) | (active & (codes < 1))
    inactive = ~active & (UPPER_BOUNDS == 3)
    wrong |= inactive & (codes != 0)
    if wrong.any():
        decode(codes[int(np.argmax(wrong.any(axis=1)))])


def one_hot(codes: Codes) -> NDArray[np.float32]:
    """N x 96 one-hot form: three columns for expansion digits that are always active, four for the others."""
    columns = [codes[:, [i]] == np.arange(digit.low, digit.high + 1) for i, digit in enumerate(DIGITS)]
    return np.concatenate(columns, axis=1).astype(np.float32)
