"""Networks of a profile that are timed again beside fresh ones: they tell how fast the device is by now.

A machine that others share may be several per cent faster or slower an hour after it was profiled. That moves all
networks together, and is no mistake of the model; the anchors tell the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from mosegedge.profiling.profile import Profile

ANCHORS = 8
_FEWEST = 5


def anchors_of(profile: Profile) -> list[str]:
    """Codes of some networks that were measured together with the layers, from the fastest to the slowest."""
    measured = sorted((entry.value_ms, entry.code) for entry in profile.networks if entry.role != "check")
    places = np.unique(np.linspace(0, len(measured) - 1, min(ANCHORS, len(measured))).round().astype(int))
    return [measured[place][1] for place in places]


def slowdown_by(profile: Profile, now_ms: Mapping[str, float]) -> float | None:
    """Latencies of now over those in the profile, the median of its anchors; None where fewer than 5 were timed."""
    then_ms = {entry.code: entry.value_ms for entry in profile.networks if entry.role != "check"}
    changes = [np.log(latency_ms / then_ms[code]) for code, latency_ms in now_ms.items()]
    return float(np.exp(np.median(changes))) if len(changes) >= _FEWEST else None
