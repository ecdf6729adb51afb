"""How many standard deviations beyond its predictions a search hopes for, generation by generation.

Networks that the predictor knows little about look better that way, and in some generations much better: a search that
trusts its predictor alone may never see the best. The first generations widen the front anyway, so they can do without
looking far.
"""

from __future__ import annotations

import math

from mosegedge.errors import UsageError

Exploration = tuple[float, ...]
"""Standard deviations of one generation, the next and so on, and again from the first."""

USUAL: Exploration = (1.0, 1.0, 1.0, 3.0)
NONE: Exploration = (0.0,)


def deviations_in(exploration: Exploration, generation: int, *, explore_from: int) -> float:
    """Standard deviations that are added in a generation.

    Args:
        exploration: Of the generation `explore_from`, the next and so on.
        generation: Counted from 1.
        explore_from: All earlier generations are like this one.
    """
    return exploration[max(generation - explore_from, 0) % len(exploration)]


def text_of(exploration: Exploration) -> str:
    """As on the command line: `1,1,1,3`."""
    return ",".join(f"{deviations:g}" for deviations in exploration)


def parsed(text: str) -> Exploration:
    """Reads `text_of`'s form.

    Raises:
        UsageError: It is none.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(
            f"--exploration {text} cannot be read.", fix=f"Write numbers with commas: --exploration {text_of(USUAL)}"
        ) from None


def require_finite(exploration: Exploration) -> None:
    """Raises UsageError where a search cannot go by it."""
    if not isinstance(exploration, tuple):
        raise UsageError(f"exploration is {exploration!r}; it must be a tuple of numbers.", fix="exploration=(1.0,)")
    if not exploration or not all(0 <= deviations < math.inf for deviations in exploration):
        raise UsageError(
            f"exploration is {text_of(exploration) or 'empty'}; it must be one or more finite numbers of at least 0.",
            fix=f"--exploration {text_of(USUAL)}",
        )
