"""Which codes a search may use: a space, optionally restricted to some of its input scales."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS, Codes, decode, encode

ALL_SCALES = (0, 1, 2, 3, 4)
_WIDTHS = 3


class CodeDomain(Protocol):
    """Codes that can be searched: N x D arrays of digits, one canonical code for each network."""

    @property
    def ends(self) -> Codes:
        """2 x D: every digit at its lowest, every digit at its highest allowed value."""

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical codes with uniformly random digits; rows may repeat."""

    def sample_leaning(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical codes whose digits lean towards small or large, each code's to its own degree; rows may repeat."""

    def draw(self, count: int, rng: np.random.Generator) -> Codes:
        """Independent random digits, not yet in canonical form."""

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Canonical form of codes whose digits are inside their bounds."""

    def neighbours(self, code: Codes) -> Codes:
        """All canonical codes that differ from one code (length D) by one decision."""

    def text(self, code: Codes) -> str:
        """A code as people read it."""


@dataclass(frozen=True)
class Domain:
    """The codes of a space whose scale digit is one of `scales`.

    Args:
        space: The search space.
        scales: Allowed scale digits, ascending; a profile may cover only some.

    Raises:
        UsageError: `scales` is empty, not ascending, or holds a digit that the space does not have.
    """

    space: SearchSpace
    scales: tuple[int, ...] = ALL_SCALES

    def __post_init__(self) -> None:
        if not self.scales or tuple(sorted(set(self.scales) & set(ALL_SCALES))) != self.scales:
            raise UsageError(
                f"The scales {list(self.scales)} cannot be searched.",
                known="Scale digits are 0, 1, 2, 3 and 4; they are given in ascending order, each once.",
            )

    @cached_property
    def choices(self) -> tuple[NDArray[np.int64], ...]:
        """Allowed values of each position where it is active."""
        ranges = [np.arange(low, high + 1) for low, high in zip(LOWER_BOUNDS, UPPER_BOUNDS, strict=True)]
        ranges[SCALE] = np.array(self.scales)
        return tuple(ranges)

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical codes with uniformly random digits; rows may repeat."""
        return self.repair(self.draw(count, rng), rng)

    def sample_leaning(self, count: int, rng: np.random.Generator) -> Codes:
        """Canonical codes whose digits lean towards small or large, each code's to its own degree; rows may repeat.

        The scale stays uniformly random: it decides latency more than all other digits together, so that small
        networks at large scales would be missing otherwise.
        """
        table, counts = self._table
        picks = rng.binomial(counts - 1, rng.random((count, 1)), size=(count, len(counts)))
        picks[:, SCALE] = rng.integers(counts[SCALE], size=count)
        return self.repair(table[np.arange(len(counts)), picks], rng)

    def draw(self, count: int, rng: np.random.Generator) -> Codes:
        """N x 29 independent random digits, not yet in canonical form."""
        table, counts = self._table
        picks = rng.integers(0, counts, size=(count, len(counts)))
        return table[np.arange(len(counts)), picks]

    @cached_property
    def _table(self) -> tuple[Codes, Codes]:
        """The choices as a rectangle, and how many of each row count."""
        counts = np.array([len(values) for values in self.choices])
        return np.stack([np.resize(values, counts.max()) for values in self.choices]), counts

    def one_hot(self, codes: Codes) -> NDArray[np.float32]:
        """N x 96 one-hot form of the space, also where scales are left out."""
        return self.space.one_hot(codes)

    def repair(self, codes: Codes, rng: np.random.Generator) -> Codes:
        """Canonical form of codes whose digits are inside their bounds."""
        return self.space.repair(codes, rng)

    def text(self, code: Codes) -> str:
        """The code in its text form."""
        return str(decode(code)[0])

    @property
    def ends(self) -> Codes:
        """The codes of the smallest and the largest network."""
        return encode([self.smallest, self.largest])

    @property
    def smallest(self) -> Architecture:
        """Every digit at its lowest allowed value."""
        return self._at_scale(self.space.smallest, self.scales[0])

    @property
    def largest(self) -> Architecture:
        """Every digit at its highest allowed value."""
        return self._at_scale(self.space.largest, self.scales[-1])

    def baselines(self) -> list[Architecture]:
        """Networks of uniform width at every allowed scale, smallest first."""
        return [self.space.uniform(scale, width) for scale in self.scales for width in range(_WIDTHS)]

    def neighbours(self, code: Codes) -> Codes:
        """All canonical codes that differ from one code (length 29) by one decision.

        A layer that a longer stage switches on gets each possible expansion digit; a change that only touches a
        switched-off layer is left out.
        """
        rows = []
        for position, values in enumerate(self.choices):
            for value in values[values != code[position]]:
                row = code.copy()
                row[position] = value
                rows.append(row)
        changed = np.array(rows).reshape(-1, len(code))
        filled = np.concatenate([_with_missing(self.space, changed, digit) for digit in (1, 2, 3)])
        unique = np.unique(filled, axis=0)
        return np.asarray(unique[(unique != code).any(axis=1)])

    @staticmethod
    def _at_scale(architecture: Architecture, scale: int) -> Architecture:
        digits = list(architecture.digits)
        digits[SCALE] = scale
        return replace(architecture, digits=tuple(digits))


def _with_missing(space: SearchSpace, codes: Codes, digit: int) -> Codes:
    """Canonical form in which layers that became active all have the same expansion digit."""
    expansion = (LOWER_BOUNDS == 1) & (UPPER_BOUNDS == 3)
    filled = np.where(expansion & (codes == 0), digit, codes)
    return space.repair(filled, np.random.default_rng(0))
