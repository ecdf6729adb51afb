"""Networks of a profile that are timed again beside fresh ones: they tell how fast the device is by now.

A machine that others share may be several per cent faster or slower an hour after it was profiled. That moves all
networks together, and is no mistake of the model; the anchors tell the two apart. Whatever else makes all networks
differ by one factor from the profile looks the same, which is why the errors with it are told as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mosegedge.profiling.sections import NetworkEntry

ANCHORS = 8
FEWEST_ANCHORS = 5
_MEDIAN_OVER_MEAN = 1.2533
"""Standard error of a median over that of a mean, of normal values."""


@dataclass(frozen=True, kw_only=True)
class Slowdown:
    """Latencies of now over those in the profile.

    Attributes:
        ratio: Their median.
        relative_se: Its standard error, relative.
    """

    ratio: float
    relative_se: float


def anchors_of(networks: Sequence[NetworkEntry], count: int = ANCHORS) -> Sequence[str]:
    """Codes of some networks of a profile that are not of a check, from the fastest to the slowest."""
    measured = sorted((latency_ms, code) for code, latency_ms in _then_ms(networks).items())
    places = np.unique(np.linspace(0, len(measured) - 1, min(count, len(measured))).round().astype(int))
    return [measured[place][1] for place in places]


def slowdown_by(networks: Sequence[NetworkEntry], now_ms: Mapping[str, float]) -> Slowdown | None:
    """How much slower the device is than the networks of its profile say, by some of them; None by fewer than 5."""
    if len(now_ms) < FEWEST_ANCHORS:
        return None
    then_ms = _then_ms(networks)
    changes = np.log([latency_ms / then_ms[code] for code, latency_ms in now_ms.items()])
    se = _MEDIAN_OVER_MEAN * changes.std(ddof=1) / np.sqrt(len(changes))
    return Slowdown(ratio=float(np.exp(np.median(changes))), relative_se=float(se))


def _then_ms(networks: Sequence[NetworkEntry]) -> Mapping[str, float]:
    return {entry.code: entry.value_ms for entry in networks if entry.role != "check"}
