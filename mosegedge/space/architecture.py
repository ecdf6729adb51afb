"""The 29 digits that name one network, and their text form.

The layout of the digits is that of the paper (section III-B): one for the input scale, two for the stem, six for
each stage and eight for stage 3, zero-padded where a stage is not at full depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from mosegedge.errors import ArchitectureError


@dataclass(frozen=True, slots=True)
class StageDigits:
    """Where the digits of one encoder stage stand in the code.

    Attributes:
        depth: Index of the depth digit; the width digit follows it.
        base_depth: Number of layers at depth digit 0.
        max_depth: Number of layers at depth digit 2, which is also the number of expansion digits.
    """

    depth: int
    base_depth: int
    max_depth: int

    @property
    def width(self) -> int:
        """Index of the width digit."""
        return self.depth + 1

    @property
    def expansions(self) -> range:
        """Indices of the expansion digits, one a layer."""
        return range(self.depth + 2, self.depth + 2 + self.max_depth)


@dataclass(frozen=True, slots=True)
class Digit:
    """Name and allowed values of one position of the code, before zero padding is looked at."""

    name: str
    low: int
    high: int


SCALE, STEM_DEPTH, STEM_WIDTH = 0, 1, 2
STAGES = (StageDigits(3, 2, 4), StageDigits(9, 2, 4), StageDigits(15, 4, 6), StageDigits(23, 2, 4))
CODE_LENGTH = 29
GROUP_LENGTHS = (1, 2, 6, 6, 8, 6)


def _digits() -> tuple[Digit, ...]:
    digits = [Digit("scale", 0, 4), Digit("stem depth", 0, 1), Digit("stem width", 0, 2)]
    for number, stage in enumerate(STAGES, start=1):
        digits += [Digit(f"stage {number} depth", 0, 2), Digit(f"stage {number} width", 0, 2)]
        for layer in range(1, stage.max_depth + 1):
            low = 1 if layer <= stage.base_depth else 0
            digits.append(Digit(f"stage {number} expansion of layer {layer}", low, 3))
    return tuple(digits)


DIGITS = _digits()


@dataclass(frozen=True, slots=False)
class Architecture:
    """One network of a search space: 29 digits in canonical, zero-padded form.

    Two architectures are equal exactly when they are the same network.

    Args:
        digits: The code. `Architecture.parse` reads its text form.

    Raises:
        ArchitectureError: A digit is outside its range, a layer that is switched off has an expansion digit other
            than 0, or an active layer has 0.

    Example:
        >>> str(Architecture.parse("0-00-001100-001100-00111100-001100"))
        '0 00 001100 001100 00111100 001100'
    """

    digits: tuple[int, ...]

    def __post_init__(self) -> None:
        if len(self.digits) != CODE_LENGTH:
            raise ArchitectureError(
                f"A code has {CODE_LENGTH} digits, this one has {len(self.digits)}.",
                fix="Write it as '0 00 001100 001100 00111100 001100', with blanks or '-' between the groups.",
            )
        for position, value in enumerate(self.digits):
            low, high, reason = allowed_range(self.digits, position)
            if not low <= value <= high:
                allowed = str(low) if low == high else f"{low}..{high}"
                raise ArchitectureError(
                    f"Position {position} ({DIGITS[position].name}) of the code is {value}; allowed here: {allowed}.",
                    known=reason,
                )

    @classmethod
    def parse(cls, text: str) -> Architecture:
        """Reads the text form; blanks and `-` between digits are optional.

        Raises:
            ArchitectureError: The text holds anything else, or is no valid code.
        """
        compact = text.replace(" ", "").replace("-", "")
        strange = [character for character in compact if character not in "0123456789"]
        if strange:
            raise ArchitectureError(
                f"The code {text!r} holds {strange[0]!r}, which is no digit.",
                fix="Write it as '0 00 001100 001100 00111100 001100', with blanks or '-' between the groups.",
            )
        return cls(tuple(int(character) for character in compact))

    def __str__(self) -> str:
        return " ".join(self._groups)

    @property
    def slug(self) -> str:
        """Text form without blanks, for file names and command lines."""
        return "-".join(self._groups)

    @cached_property
    def _groups(self) -> tuple[str, ...]:
        groups, start = [], 0
        for length in GROUP_LENGTHS:
            groups.append("".join(str(digit) for digit in self.digits[start : start + length]))
            start += length
        return tuple(groups)

    @property
    def scale(self) -> int:
        """The scale digit, 0 (smallest input) to 4."""
        return self.digits[SCALE]

    def depth_of(self, stage: int) -> int:
        """Number of active layers of a stage, counted from 0."""
        return STAGES[stage].base_depth + self.digits[STAGES[stage].depth]


def allowed_range(digits: tuple[int, ...], position: int) -> tuple[int, int, str]:
    """Range of one digit given the depth digits, and the reason where it is narrower than usual."""
    for number, stage in enumerate(STAGES, start=1):
        if position in stage.expansions:
            layer = position - stage.expansions.start + 1
            depth = digits[stage.depth]
            if layer <= stage.base_depth + depth:
                return 1, 3, f"Layer {layer} of stage {number} is active at depth digit {depth}."
            return 0, 0, f"Layer {layer} of stage {number} is switched off at depth digit {depth}."
    return DIGITS[position].low, DIGITS[position].high, ""
