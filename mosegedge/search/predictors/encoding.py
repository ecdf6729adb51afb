"""Features of codes, derived from their description alone and computed for all rows at once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError
from mosegedge.search.predictors.description import CodeDescription, Codes, Values

Columns = NDArray[np.int64]
Active = NDArray[np.bool_]


@dataclass(frozen=True)
class Encoder:
    """Turns codes into features.

    The masked one-hot form has no 1 in the columns of a switched-off position, so that equal networks have equal
    features. The aggregates of a code are

    - for each switch the number of active positions and the mean value of the active ones,
    - the value of every position that neither is switched nor switches others,
    - what the description's own function gives.

    Args:
        description: Of the codes.
    """

    description: CodeDescription

    @cached_property
    def columns(self) -> int:
        """Number of columns of the masked one-hot form."""
        return sum(len(digits) for digits in self.description.digits)

    @cached_property
    def groups(self) -> list[Columns]:
        """One-hot columns of each kernel group."""
        positions = np.repeat(np.arange(self.description.length), [len(digits) for digits in self.description.digits])
        return [np.flatnonzero(np.isin(positions, group)) for group in self.description.kernel_groups]

    def one_hot(self, codes: Codes) -> Values:
        """Masked one-hot form."""
        return self._masked_one_hot(codes, self.description.active(codes))

    def plain_one_hot(self, codes: Codes) -> Values:
        """One-hot form of the digits as they stand, zero padding with columns of its own, nothing masked."""
        positions, digits = self._plain_columns
        return np.asarray(codes[:, positions] == digits, dtype=np.float64)

    def numbers(self, codes: Codes) -> Values:
        """The value of each position; 0 where it is switched off."""
        return self._masked_numbers(codes, self.description.active(codes))

    def aggregates(self, codes: Codes) -> Values:
        """The aggregates, N x A."""
        return self._aggregates_of(codes, self.description.active(codes))

    def features(self, codes: Codes) -> Values:
        """Masked one-hot columns, then the aggregates."""
        active = self.description.active(codes)
        return np.concatenate([self._masked_one_hot(codes, active), self._aggregates_of(codes, active)], axis=1)

    def _masked_one_hot(self, codes: Codes, active: Active) -> Values:
        positions, digits = self._masked_columns
        return np.asarray(np.where(active, codes, -1).take(positions, axis=1) == digits, dtype=np.float64)

    def _masked_numbers(self, codes: Codes, active: Active) -> Values:
        table = self._numbers
        places = np.where(active, codes, table.shape[1] - 1)
        places += np.arange(0, table.size, table.shape[1])
        return table.take(places)

    def _aggregates_of(self, codes: Codes, active: Active) -> Values:
        description = self.description
        numbers = self._masked_numbers(codes, active)
        counts = description.active_counts(codes)
        sums = [numbers.take(switch.positions, axis=1).sum(axis=1) for switch in description.switches]
        means = np.stack(sums, axis=1) / np.maximum(counts, 1) if sums else np.zeros((len(codes), 0))
        of_switches = np.stack([counts, means], axis=2).reshape(len(codes), 2 * counts.shape[1])
        parts = [of_switches, numbers[:, self._alone]]
        if description.aggregates is not None:
            further = np.asarray(description.aggregates(np.where(active, codes, 0)), dtype=np.float64)
            if further.ndim != 2 or len(further) != len(codes) or not np.isfinite(further).all():
                raise UsageError(
                    f"The aggregates of {len(codes)} codes have the shape {further.shape} or are not all finite.",
                    known="They are one row of finite numbers a code.",
                )
            parts.append(further)
        return np.concatenate(parts, axis=1)

    @cached_property
    def _alone(self) -> list[int]:
        used = {position for switch in self.description.switches for position in (switch.depth, *switch.positions)}
        return [position for position in range(self.description.length) if position not in used]

    @cached_property
    def _numbers(self) -> Values:
        """What a digit at a position stands for, and 0 in a last column for positions that are switched off."""
        return np.pad(self.description.value_table, ((0, 0), (0, 1)))

    @cached_property
    def _masked_columns(self) -> tuple[Columns, Columns]:
        """Position and digit of each column of `one_hot`."""
        table = np.argwhere(~np.isnan(self.description.value_table))
        return table[:, 0], table[:, 1]

    @cached_property
    def _plain_columns(self) -> tuple[Columns, Columns]:
        """Position and digit of each column of `plain_one_hot`."""
        description = self.description
        padded = {position for switch in description.switches for position in switch.positions[switch.base :]}
        pairs = [
            (position, digit)
            for position, digits in enumerate(description.digits)
            for digit in ((0, *digits) if position in padded and digits[0] > 0 else digits)
        ]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return table[:, 0], table[:, 1]


@dataclass(frozen=True)
class Scaler:
    """Maps columns to mean 0 and standard deviation 1; columns that do not vary but by rounding become 0.

    Args:
        mean: Of each column.
        sd: Of each column; where it does not vary, its largest value, or 1 if that is smaller.
    """

    mean: Values
    sd: Values

    @classmethod
    def of(cls, features: Values) -> Self:
        """A scaler for these rows."""
        mean, sd = features.mean(axis=0), features.std(axis=0)
        most = np.abs(features).max(axis=0)
        # A column that is constant here may vary elsewhere; its size is the only unit that is known for it.
        return cls(mean, np.where(sd > 1e-9 * most, sd, np.maximum(1.0, most)))

    def __call__(self, features: Values) -> Values:
        """Standardised features."""
        return (features - self.mean) / self.sd
