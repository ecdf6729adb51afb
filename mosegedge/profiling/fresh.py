"""Networks that a profile has never seen, for judging its latency model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mosegedge.errors import ProfileError
from mosegedge.profiling.profile import Profile
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE

FEWEST = 5
_DRAWS = 40
_ROWS = 256


def fresh_networks(
    profile: Profile, space: SearchSpace, count: int, rng: np.random.Generator
) -> Sequence[Architecture]:
    """Random networks at the profile's scales in turn, none of which it has measured.

    Networks with a layer that the profile lacks are left out: it does not predict them.

    Args:
        profile: The profile.
        space: Its space.
        count: How many; fewer come where the space has no more of them.
        rng: Draws them.

    Raises:
        ProfileError: There are fewer than 5.
    """
    known = {entry.key for entry in profile.entries}
    seen = {Architecture.parse(entry.code) for entry in profile.networks}
    scales = sorted(profile.protocol.scales)
    found: list[Architecture] = []
    for _ in range(_DRAWS):
        for network in space.decode(space.sample(_ROWS, rng)):
            if len(found) == count:
                return found
            digits = list(network.digits)
            digits[SCALE] = scales[len(found) % len(scales)]
            drawn = Architecture(tuple(digits))
            if drawn in seen:
                continue
            seen.add(drawn)
            if not known or all(layer.spec.key in known for layer in space.layers_of(drawn)):
                found.append(drawn)
    if len(found) < FEWEST:
        raise ProfileError(
            f"Only {len(found)} networks of {space.name} are new to {profile.name} and have all of their layers in it.",
            known=f"It has measured {len(profile.networks)} networks and {len(known)} layers, {len(profile.failed)} "
            f"layers failed. A check needs {FEWEST} networks.",
            fix=f"Measure again: mosegedge profile --device {profile.device.name} --space {space.name}",
        )
    return found
