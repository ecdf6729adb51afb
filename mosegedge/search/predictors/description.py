"""What a predictor must know about a kind of codes: the digits of each position, and which of them are switched off."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError

Codes = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Switch:
    """A depth digit and the positions that it switches on, one after the other.

    Attributes:
        depth: Position of the depth digit.
        base: How many of `positions` are active at depth digit 0; a depth digit d switches on d more.
        positions: In the order in which they become active.
    """

    depth: int
    base: int
    positions: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class CodeDescription:
    """The codes of one search space: N x D arrays of small integers.

    A switched-off position holds no information. In canonical form its digit is 0, and two codes are the same network
    exactly when their canonical forms are equal. A depth digit is never switched off itself.

    Attributes:
        digits: The digits that each position can take where it is active, ascending.
        switches: Which positions a depth digit switches off.
        values: The number that each digit stands for (a ratio, a multiplier); the digit itself by default.
        groups: Positions that share one length scale in a kernel; by default those of a switch together, every other
            position alone.
        aggregates: Further features of canonical codes, N x A, such as the logarithm of FLOPs.

    Raises:
        UsageError: The parts do not fit together.

    Example:
        >>> stage = Switch(depth=0, base=1, positions=(1, 2, 3))
        >>> description = CodeDescription.of_choices([3, 2, 2, 2], switches=(stage,))
        >>> description.canonical(np.array([[0, 1, 1, 1]]))
        array([[0, 1, 0, 0]])
    """

    digits: tuple[tuple[int, ...], ...]
    switches: tuple[Switch, ...] = ()
    values: tuple[tuple[float, ...], ...] = ()
    groups: tuple[tuple[int, ...], ...] = ()
    aggregates: Callable[[Codes], Values] | None = None

    def __post_init__(self) -> None:
        if not self.digits:
            raise UsageError("A code has no position.", known="It has at least one.")
        for position, digits in enumerate(self.digits):
            if not digits or min(digits) < 0 or tuple(sorted(set(digits))) != digits:
                raise UsageError(
                    f"Position {position} of the codes can take the digits {list(digits)}.",
                    known="They are at least one, not negative, ascending, and each is there once.",
                )
        if self.values and [len(row) for row in self.values] != [len(row) for row in self.digits]:
            raise UsageError("The values of the digits are not as many as the digits.")
        every = list(range(self.length))
        if self.groups and sorted(position for group in self.groups for position in group) != every:
            raise UsageError(f"The groups {self.groups} do not hold every one of {self.length} positions once.")
        switched = [position for switch in self.switches for position in switch.positions]
        depths = {switch.depth for switch in self.switches}
        if not {*switched, *depths} <= set(every) or len(set(switched)) < len(switched):
            raise UsageError(f"The switches name a position twice, or one that a code of {self.length} does not have.")
        if depths & set(switched):
            raise UsageError(
                f"The depth digits at {sorted(depths & set(switched))} are switched themselves.",
                known="A depth digit counts in every code.",
                fix="Let one depth digit switch the positions, or leave these always active.",
            )
        if any(switch.base < 0 for switch in self.switches):
            raise UsageError(
                f"The bases of the switches are {[switch.base for switch in self.switches]}.",
                known="A base is how many positions are active at depth digit 0, so it is not negative.",
            )

    @classmethod
    def of_choices(
        cls,
        choices: Sequence[int],
        *,
        switches: tuple[Switch, ...] = (),
        values: tuple[tuple[float, ...], ...] = (),
        groups: tuple[tuple[int, ...], ...] = (),
        aggregates: Callable[[Codes], Values] | None = None,
    ) -> Self:
        """A description of codes whose digits count from 0; `choices` is how many there are at each position."""
        digits = tuple(tuple(range(count)) for count in choices)
        return cls(digits=digits, switches=switches, values=values, groups=groups, aggregates=aggregates)

    @property
    def length(self) -> int:
        """Number of positions."""
        return len(self.digits)

    @cached_property
    def kernel_groups(self) -> tuple[tuple[int, ...], ...]:
        """The groups, or what stands for them where none were given."""
        if self.groups:
            return self.groups
        switched = {position for switch in self.switches for position in switch.positions}
        alone = [(position,) for position in range(self.length) if position not in switched]
        return (*alone, *(switch.positions for switch in self.switches if switch.positions))

    def active(self, codes: Codes) -> NDArray[np.bool_]:
        """N x D: false at switched-off positions."""
        active = np.ones(codes.shape, dtype=bool)
        positions, depths, missing = self._switch_table
        active[:, positions] = codes[:, depths] >= missing
        return active

    def active_counts(self, codes: Codes) -> Codes:
        """N x switches: how many positions each of them switches on."""
        depths, bases, lengths = self._switch_sizes
        return np.asarray(np.minimum(np.maximum(codes.take(depths, axis=1) + bases, 0), lengths))

    def canonical(self, codes: Codes) -> Codes:
        """The codes with 0 at every switched-off position."""
        return np.where(self.active(codes), codes, 0)

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Codes with independent, uniformly random digits.

        A switched-off position becomes 0 where that is no digit of it; elsewhere it keeps its random digit.
        """
        table = np.stack([np.resize(digits, max(map(len, self.digits))) for digits in self.digits])
        counts = np.array([len(digits) for digits in self.digits])
        codes = table[np.arange(self.length), rng.integers(0, counts, size=(count, self.length))]
        return np.where(self.active(codes) | self.has_zero, codes, 0)

    @cached_property
    def has_zero(self) -> NDArray[np.bool_]:
        """Of each position whether 0 is one of its digits."""
        return np.array([digits[0] == 0 for digits in self.digits], dtype=bool)

    @cached_property
    def value_table(self) -> Values:
        """D x (highest digit + 1): what a digit at a position stands for; not a number where it is none of it."""
        table = np.full((self.length, 1 + max(max(digits) for digits in self.digits)), np.nan)
        for position, digits in enumerate(self.digits):
            table[position, list(digits)] = self.values[position] if self.values else digits
        return table

    def checked(self, codes: NDArray[np.integer]) -> Codes:
        """The codes as they are, if they are of this kind; digits at switched-off positions are not looked at.

        Raises:
            UsageError: They are not; the message names row, position and value.
        """
        codes = np.asarray(codes)
        if codes.ndim != 2 or codes.shape[1] != self.length or codes.dtype.kind not in "iu":
            raise UsageError(f"Codes are N x {self.length} integers; these are {codes.shape} of type {codes.dtype}.")
        rows: Codes = codes.astype(np.int64, copy=False)
        known, width = self._known_digits
        places = np.clip(rows, -1, width) + np.arange(1, known.size, width + 2)
        wrong = self.active(rows) & ~known.take(places)
        if wrong.any():
            row, position = (int(index) for index in np.argwhere(wrong)[0])
            raise UsageError(
                f"Position {position} of code {row} is {rows[row, position]}.",
                known=f"Its digits are {list(self.digits[position])}.",
            )
        return rows

    @cached_property
    def _switch_sizes(self) -> tuple[Codes, Codes, Codes]:
        """Of each switch: its depth digit, its base, and the number of its positions."""
        rows = [(switch.depth, switch.base, len(switch.positions)) for switch in self.switches]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2]

    @cached_property
    def _known_digits(self) -> tuple[NDArray[np.bool_], int]:
        """Of each position which digits it has, with one digit too low before and one too high after; their width."""
        table = ~np.isnan(self.value_table)
        return np.pad(table, ((0, 0), (1, 1))), table.shape[1]

    @cached_property
    def _switch_table(self) -> tuple[Codes, Codes, Codes]:
        """Of each switched position: itself, its depth digit, and the lowest value of that at which it is active."""
        rows = [
            (position, switch.depth, rank + 1 - switch.base)
            for switch in self.switches
            for rank, position in enumerate(switch.positions)
        ]
        columns = np.array(rows, dtype=np.int64).reshape(-1, 3)
        return columns[:, 0], columns[:, 1], columns[:, 2]
