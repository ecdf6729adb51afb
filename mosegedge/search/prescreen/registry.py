"""Pre-screening strategies by name."""

from __future__ import annotations

from mosegedge.search.config import SearchConfig
from mosegedge.search.prescreen.hypervolume import ExpectedHypervolume, Hypervolume
from mosegedge.search.prescreen.pool import Prescreen
from mosegedge.search.prescreen.spread import Hierarchical, LatencySpread
from mosegedge.search.prescreen.survival import Survival


def make_prescreen(config: SearchConfig) -> Prescreen:
    """The strategy of a search's settings."""
    settings = config.prescreen
    if settings.strategy == "hierarchical":
        return Hierarchical(counts_front=settings.counts_front, solver=settings.solver)
    if settings.strategy == "latency":
        return LatencySpread(counts_front=settings.counts_front)
    if settings.strategy == "survival":
        return Survival()
    if settings.strategy == "ehvi":
        return ExpectedHypervolume()
    return Hypervolume()
