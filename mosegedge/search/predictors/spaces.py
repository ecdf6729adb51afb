"""The description of this project's codes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
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
        flops, params, sums = self._tables
        of_layers = np.take(flops, entries)
        totals = of_layers @ sums  # exact: sums of integers below 2^53
        totals[:, -1] = np.take(params, entries).sum(axis=1)
        return np.log(totals, out=totals)

    @cached_property
    def _tables(self) -> tuple[Values, Values, Values]:
        """Multiply-adds and parameters of each entry, 0 at the end for -1; and slots x 6: what is summed up."""
        flops = np.append(self.space.entry_flops, 0).astype(np.float64)
        params = np.append(self.space.entry_params, 0).astype(np.float64)
        sums = np.zeros((len(self.space.slots), len(STAGES) + 2))
        bounds = np.cumsum([1, *(stage.max_depth for stage in STAGES)])
        for stage, (start, stop) in enumerate(pairwise(bounds)):
            sums[start:stop, stage] = 1
        sums[:, len(STAGES)] = 1
        return flops, params, sums


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
