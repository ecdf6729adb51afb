"""How networks are picked from the final front: settings of `mosegedge.search.select`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from mosegedge.errors import UsageError
from mosegedge.search.objectives import Objective, objective

WAYS = ("spread", "trade-off", "knee", "nearest")


@dataclass(frozen=True)
class Pick:
    """One way to pick.

    Args:
        way: `spread` takes the most accurate network, high trade-offs and what lies between them; `trade-off` the
            points where every move costs most, by pymoo; `knee` the networks around the largest trade-off; `nearest`
            those next to a target.
        target: What `nearest` goes by.
        value: The target's value.
    """

    way: str
    target: Objective | None = None
    value: float = math.nan

    @classmethod
    def parse(cls, text: str) -> Self:
        """Reads `spread`, `trade-off`, `knee`, or a target as `latency=30`.

        Raises:
            UsageError: It is none of them.
        """
        name, equals, value = text.partition("=")
        if not equals and text in WAYS[:3]:
            return cls(text)
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not equals or not math.isfinite(number):
            raise UsageError(
                f"Networks cannot be picked by {text!r}.",
                known=f"Ways: {', '.join(WAYS[:3])}, or nearest to a target, as latency=30 or miou=0.5.",
                fix="--pick spread",
            )
        return cls("nearest", objective(name), number)


def require_held(pick: Pick, asked: Sequence[str], *, kinds_alone: bool) -> None:
    """Makes sure that networks can be picked by what the archive will hold.

    It holds every latency and what the space counts, of other costs those that somebody asked for.

    Args:
        pick: How networks are picked.
        asked: Names of objectives and limited costs.
        kinds_alone: Whether labels may differ, as before it is known which of them the first profile has.

    Raises:
        UsageError: They cannot.
    """
    target = pick.target
    if target is None or target.kind.name not in ("energy", "memory") or target.name in asked:
        return
    if kinds_alone and any(objective(name).kind == target.kind for name in asked):
        return
    raise UsageError(
        f"Networks cannot be picked by {target.name}: it is neither an objective nor limited.",
        known=f"This search looks at {', '.join(asked)}.",
        fix=f"Add it: --objectives {','.join((*asked, target.name))}",
    )
