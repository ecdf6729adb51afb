"""Which networks share a step, and when the kinds of choices are switched on.

Digits are switched on gradually, largest first, as once-for-all does (paper, section IV-C): at first only the largest
network is trained, then depths, then expansions, then widths may shrink, the middle choice of each before the smallest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import DIGITS, SCALE
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS, Codes
from mosegedge.supernet.schedule import SandwichConfig

Kind = Literal["depth", "expansion", "width"]
_ARCHITECTURES = 1  # distinguishes this stream of random numbers from those that order and augment pictures


@dataclass(frozen=True)
class Stage:
    """A part of a training in which the same choices are open.

    Attributes:
        first: Its first step.
        opened: What is new in it.
    """

    first: int
    opened: str


def openings(config: SandwichConfig) -> dict[Kind, tuple[int, int]]:
    """For each kind of digits the first step of its middle choice, and of its smallest one."""
    starts: dict[Kind, float] = {
        "depth": config.depth_from,
        "expansion": config.expansion_from,
        "width": config.width_from,
    }
    return {kind: (_first(config, start), _first(config, start + config.gradual)) for kind, start in starts.items()}


def stages(config: SandwichConfig) -> list[Stage]:
    """The parts of a training in their order."""
    opened: dict[int, list[str]] = {0: []}
    for kind, (middle, smallest) in openings(config).items():
        for step, choices in ((middle, "middle "), (smallest, "smallest ")):
            opened.setdefault(step, []).append(kind if middle == smallest else choices + kind)
    named = {step: ", ".join(dict.fromkeys(names)) or "the largest network alone" for step, names in opened.items()}
    return [Stage(step, named[step]) for step in sorted(named) if step < config.steps]


def sorted_kinds(config: SandwichConfig, step: int) -> frozenset[Kind]:
    """Channels that are sorted before a step: of the kinds that it opens.

    Hidden channels also depend on the width, so they are sorted as soon as either opens, and never again: networks
    were trained on their order since.
    """
    if not config.sort_channels:
        return frozenset()
    first = {kind: steps[0] for kind, steps in openings(config).items()}
    due: dict[Kind, int] = {"expansion": min(first["expansion"], first["width"]), "width": first["width"]}
    return frozenset(kind for kind, at in due.items() if at == step)


def networks_of_step(config: SandwichConfig, space: SearchSpace, step: int) -> list[Architecture]:
    """The networks trained at one step: largest, random ones, smallest; all at one input scale.

    In the first phase this is the largest network alone.
    """
    rng = np.random.default_rng([config.seed, _ARCHITECTURES, step])
    codes = np.concatenate([UPPER_BOUNDS[None], space.sample(config.random_networks, rng), LOWER_BOUNDS[None]])
    codes = space.repair(np.maximum(codes, _lowest(config, step)), rng)
    codes[:, SCALE] = rng.integers(0, 5)
    return list(dict.fromkeys(space.decode(codes)))


def _lowest(config: SandwichConfig, step: int) -> Codes:
    """The lowest value that each digit may have; where all are open 0, as a layer that is switched off must keep it."""
    lowest = np.zeros_like(UPPER_BOUNDS)
    for kind, (middle, smallest) in openings(config).items():
        digits = np.array([kind in digit.name for digit in DIGITS])
        if step < middle:
            lowest[digits] = UPPER_BOUNDS[digits]
        elif step < smallest:
            lowest[digits] = UPPER_BOUNDS[digits] - 1
    return lowest


def _first(config: SandwichConfig, share: float) -> int:
    """The first step at which a share of all steps is done."""
    near = math.ceil(share * config.steps)  # the product may be rounded to either side
    return next(step for step in (near - 1, near, near + 1) if step >= 0 and step / config.steps >= share)
