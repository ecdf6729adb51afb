"""The description of this project's codes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from mosegedge.search.domain import Domain
from mosegedge.search.predictors.description import CodeDescription, Codes, Switch, Values
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import STAGES, STEM_WIDTH


@dataclass(frozen=True)
class SpaceCosts:
    """Logarithms of the multiply-adds of each encoder stage and of the whole network, and of its parameters.

    Args:
        space: Counts them.
    """

    space: SearchSpace

    def __call__(self, codes: Codes) -> Values:
        """N x 6."""
        entries = self.space.entries_of(codes)
        flops = np.append(self.space.entry_flops, 0)[entries].astype(np.float64)
        params = np.append(self.space.entry_params, 0)[entries].sum(axis=1)
        bounds = np.cumsum([1, *(stage.max_depth for stage in STAGES)])
        stages = [flops[:, start:stop].sum(axis=1) for start, stop in pairwise(bounds)]
        return np.asarray(np.log(np.stack([*stages, flops.sum(axis=1), params], axis=1)))


def describe(domain: Domain) -> CodeDescription:
    """The codes of a domain: depth digits switch expansion digits off, all else is always active.

    Example:
        >>> process = GaussianProcess(describe(Domain(SearchSpace.load("nano"))))
    """
    expansions = {position for stage in STAGES for position in stage.expansions}
    digits = [tuple(int(digit) for digit in allowed) for allowed in domain.choices]
    preset = domain.space.preset
    values: list[tuple[float, ...]] = [tuple(map(float, allowed)) for allowed in digits]
    for position in expansions:
        values[position] = tuple(preset.expansion_ratios)
    for position in (STEM_WIDTH, *(stage.width for stage in STAGES)):
        values[position] = tuple(preset.width_multipliers)
    return CodeDescription(
        digits=tuple(digits),
        switches=tuple(
            Switch(depth=stage.depth, base=stage.base_depth, positions=tuple(stage.expansions)) for stage in STAGES
        ),
        values=tuple(values),
        aggregates=SpaceCosts(domain.space),
    )
