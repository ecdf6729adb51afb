"""A stand-in for a device and a supernet: a latency law and an accuracy law over codes, both quick and exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from mosegedge.search.config import PAPER, InnerSettings, Provenance, RankNetSettings
from mosegedge.space import Architecture, SearchSpace

SPACE = SearchSpace.load("nano")
PROVENANCE = Provenance(profile="local/nano", profile_digest="p", supernet="s", supernet_digest="s", data="scenes")
QUICK = replace(
    PAPER,
    initial=24,
    generations=3,
    evaluations=4,
    seed=7,
    ranknet=RankNetSettings(epochs=20, neurons=16),
    inner=InnerSettings(population=20, generations=15),
)


class Latency:
    """Latency in ms: a constant, a share of each layer's multiply-adds and a cost per layer."""

    def predict(self, codes):
        per_entry = SPACE.entry_flops / 2e7 + 0.05
        mean = 0.3 + SPACE.total(codes, per_entry)
        return mean, 0.02 * mean


class Linear:
    """A predictor that needs no training time: ridge regression on one-hot features."""

    def __init__(self, domain, config, rng):
        self._domain = domain

    def fit(self, codes, targets):
        x = self._domain.one_hot(codes).astype(float)
        self._mean = targets.mean()
        self._weights = np.linalg.solve(x.T @ x + np.eye(x.shape[1]), x.T @ (targets - self._mean))

    def predict(self, codes):
        return self._domain.one_hot(codes) @ self._weights + self._mean


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


def global_random_state() -> str:
    """The state of numpy's and torch's global generators."""
    return f"{np.random.get_state()} {torch.random.get_rng_state().tolist()}"  # noqa: NPY002
