"""The weights of the latency model: what is unknown about a network's layers, and which networks share it.

A weight is one distinct layer in one part (stem, stage, decoder) at one scale. Rows of the table whose layers are
equal are the same computation and were measured once, so they have one weight: whole networks tell more about each.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes
from mosegedge.space.space import SCALES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Weights:
    """Which rows of the look-up table have a weight in common.

    Attributes:
        of_entry: Weight of each row; the weights of a scale are neighbours, scale by scale.
        first_entry: A row of each weight.
        part: Part of the network at its scale that each weight belongs to, a number from 0 on.
        starts: First weight of each scale, and at the end the number of weights.
    """

    of_entry: Ints
    first_entry: Ints
    part: Ints
    starts: Ints

    @cached_property
    def _padded(self) -> Ints:
        """`of_entry` with one more weight at the end, where the -1 of a layer that is switched off points."""
        return np.append(self.of_entry, len(self.part))

    def of_scale(self, scale: int) -> slice:
        """The weights of one scale."""
        return slice(int(self.starts[scale]), int(self.starts[scale + 1]))

    def parts_of(self, scale: int) -> Floats:
        """One column a part, with 1 where a weight of the scale belongs to it."""
        part = self.part[self.of_scale(scale)]
        found: Floats = (part[:, None] == np.unique(part)).astype(float)
        return found

    def counts(self, entries: Ints, scale: int) -> Floats:
        """How often networks of one scale contain each weight of the scale.

        Args:
            entries: Rows of their layers, N x slots, -1 where a layer is switched off.
            scale: The scale of them all.

        Returns:
            N x weights of the scale.
        """
        columns = self.of_scale(scale)
        width = columns.stop - columns.start + 1  # the last column counts what is switched off
        places = np.minimum(self._padded[entries] - columns.start, width - 1)
        places += np.arange(0, len(entries) * width, width)[:, None]
        counted = np.bincount(places.ravel(), minlength=len(entries) * width).reshape(len(entries), width)
        found: Floats = counted[:, :-1].astype(float)
        return found


def weights_of(space: SearchSpace) -> Weights:
    """The weights of a space."""
    scale = np.repeat(np.arange(SCALES), len(space.entries) // SCALES)
    part = scale * (int(space.entry_parts.max()) + 1) + space.entry_parts
    number: dict[tuple[int, str], int] = {}
    of_entry = np.array(
        [
            number.setdefault((place, spec.key), len(number))
            for place, spec in zip(part.tolist(), space.entries, strict=True)
        ]
    )
    first = np.unique(of_entry, return_index=True)[1]
    starts = np.searchsorted(scale[first], np.arange(SCALES + 1))
    return Weights(of_entry, first, part[first], starts)


def rows_by_scale(scales: Ints) -> list[tuple[int, Ints]]:
    """Scales that occur, each with the places where."""
    return [(int(scale), np.flatnonzero(scales == scale)) for scale in np.unique(scales)]


def counts_of(space: SearchSpace, weights: Weights, codes: Codes) -> Floats:
    """How often each of N networks contains each weight of all scales, N x weights."""
    found = np.zeros((len(codes), len(weights.part)))
    entries = space.entries_of(codes)
    for scale, rows in rows_by_scale(codes[:, 0]):
        found[rows, weights.of_scale(scale)] = weights.counts(entries[rows], scale)
    return found
