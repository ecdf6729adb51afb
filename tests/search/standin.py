"""A stand-in for a device and a supernet: a latency law and an accuracy law over codes, both quick and exact."""

from __future__ import annotations

import numpy as np

from mosegedge.search.config import InnerSettings, Provenance, RankNetSettings, SearchConfig
from mosegedge.space import Architecture, SearchSpace

SPACE = SearchSpace.load("nano")
PROVENANCE = Provenance(profile="local/nano", profile_digest="p", supernet="s", supernet_digest="s", data="scenes")
QUICK = SearchConfig(
    initial=24,
    generations=3,
    evaluations=4,
    seed=7,
    ranknet=RankNetSettings(epochs=30, neurons=32),
    inner=InnerSettings(population=20, generations=15),
)


class Latency:
    """Latency in ms: a constant and a share of each layer's multiply-adds, plus a cost per layer."""

    def predict(self, codes):
        per_entry = SPACE.entry_flops / 2e7 + 0.05
        mean = 0.3 + SPACE.total(codes, per_entry)
        return mean, 0.02 * mean


def miou_of(codes):
    """Accuracy with diminishing returns, a liking for late stages and some interactions."""
    size = np.log(SPACE.flops(codes))
    depth = codes[:, [3, 9, 15, 23]] @ np.array([0.004, 0.006, 0.012, 0.01])
    width = codes[:, [2, 4, 10, 16, 24]] @ np.array([0.002, 0.004, 0.006, 0.01, 0.006])
    late = codes[:, 17:23].mean(axis=1) * codes[:, 16] * 0.003
    scale = np.array([0.0, 0.04, 0.07, 0.085, 0.08])[codes[:, 0]]
    return np.clip(0.2 + 0.01 * (size - 14) + depth + width + late + scale, 0, 1)


def evaluate(architecture: Architecture) -> float:
    """Accuracy of one network."""
    return float(miou_of(SPACE.encode([architecture]))[0])
