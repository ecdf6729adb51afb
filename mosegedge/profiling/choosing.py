"""Which whole networks are measured: those that fit the latency model, and those that judge it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mosegedge.profiling.informative import informative_networks
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE


def fitting_networks(
    space: SearchSpace, *, scales: Sequence[int], count: int, rng: np.random.Generator
) -> list[Architecture]:
    """The smallest and the largest network of every scale, and those that teach most beside them; or none at all.

    Args:
        space: The search space.
        scales: Scale digits.
        count: 0, or at least two a scale.
        rng: Decides what there is to choose from.
    """
    if not count:
        return []
    ends = [_at_scale(end, scale) for scale in scales for end in (space.smallest, space.largest)]
    codes = space.encode(ends)
    more = informative_networks(space, scales=scales, count=count - len(ends), taken=codes, rng=rng)
    return [*ends, *space.decode(more)]


def judging_networks(
    space: SearchSpace, *, scales: Sequence[int], count: int, taken: Sequence[Architecture], rng: np.random.Generator
) -> list[Architecture]:
    """Random networks, the scales in turn; whatever the model is fitted to, they are a sample of the space.

    Args:
        space: The search space.
        scales: Scale digits.
        count: How many.
        taken: Networks that must not be among them.
        rng: Decides them.
    """
    chosen: list[Architecture] = []
    for index, network in enumerate(space.decode(space.sample(count, rng))):
        found = _at_scale(network, scales[index % len(scales)])
        while found in chosen or found in taken:
            found = _at_scale(space.decode(space.sample(1, rng))[0], found.scale)
        chosen.append(found)
    return chosen


def _at_scale(architecture: Architecture, scale: int) -> Architecture:
    digits = list(architecture.digits)
    digits[SCALE] = scale
    return Architecture(tuple(digits))
