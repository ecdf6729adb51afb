"""Networks that differ in one digit, and what has to follow it.

The depth digit of a stage switches expansion digits on and off, so a step of it changes those too: a layer that goes
leaves a 0, and a layer that comes takes the expansion of the layer before it. Nothing is drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mosegedge.space.architecture import CODE_LENGTH, STAGES, Architecture, StageDigits, allowed_range


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A network one step away.

    Attributes:
        position: Of the digit that is changed.
        step: 1 up, -1 down.
        architecture: The changed network.
        follows: Positions of expansion digits that had to change with it.
    """

    position: int
    step: int
    architecture: Architecture
    follows: tuple[int, ...] = ()


def neighbours(architecture: Architecture) -> tuple[Neighbour, ...]:
    """Every network that is one step of one digit away, by position, the step down first."""
    return tuple(_neighbours(architecture.digits))


def _neighbours(digits: tuple[int, ...]) -> Iterator[Neighbour]:
    stages = {stage.depth: stage for stage in STAGES}
    for position in range(CODE_LENGTH):
        low, high, _ = allowed_range(digits, position)
        for step in (-1, 1):
            if not low <= digits[position] + step <= high:
                continue
            changed = list(digits)
            changed[position] += step
            follows = _follow(changed, stages[position]) if position in stages else ()
            yield Neighbour(position, step, Architecture(tuple(changed)), follows)


def _follow(digits: list[int], stage: StageDigits) -> tuple[int, ...]:
    """Makes the expansion digits of a stage fit its depth digit; returns the positions that changed."""
    before = list(digits)
    active = stage.base_depth + digits[stage.depth]
    for layer, position in enumerate(stage.expansions):
        if layer >= active:
            digits[position] = 0
        elif digits[position] == 0:
            digits[position] = digits[position - 1]
    return tuple(position for position in stage.expansions if digits[position] != before[position])
