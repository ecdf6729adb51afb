"""The networks that a search starts from."""

from __future__ import annotations

import numpy as np

from mosegedge.search.config import SearchConfig
from mosegedge.search.feasible import Feasible
from mosegedge.space.codes import Codes


def initial_codes(feasible: Feasible, config: SearchConfig, rng: np.random.Generator) -> tuple[Codes, list[str]]:
    """The bounds of the space that meet the limits, then random networks, all different.

    With `uniform` sampling these have independent digits. Many such digits add up to networks of nearly equal size,
    while the front reaches from the smallest networks to the largest; with `leaning` sampling the digits of every
    second network lean towards small or large, each to its own degree.

    Args:
        feasible: The codes that may be used.
        config: Number of networks, and how they are drawn.
        rng: Source of everything random.

    Returns:
        Up to `config.initial` codes, and why each is there: `lower bound`, `upper bound`, `random` or `leaning`.
    """
    domain, count = feasible.costs.domain, config.initial + 2
    meets = feasible.meets(domain.ends)
    codes = [domain.ends[meets]]
    reasons = [name for name, met in zip(("lower bound", "upper bound"), meets, strict=True) if met]
    uniform = feasible.sample(count, rng)
    if config.sampling == "leaning":
        leaning = feasible.sample(count, rng, draw=domain.sample_leaning)
        both = min(len(uniform), len(leaning))
        codes.append(np.stack([leaning[:both], uniform[:both]], axis=1).reshape(2 * both, -1))
        reasons += ["leaning", "random"] * both
    codes.append(uniform)
    reasons += ["random"] * len(uniform)
    drawn = np.concatenate(codes)
    kept = np.sort(np.unique(drawn, axis=0, return_index=True)[1])[: config.initial]
    return drawn[kept], [reasons[row] for row in kept]
