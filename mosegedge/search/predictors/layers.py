"""Fully connected networks as lists of tensors: one network, or several side by side in batched tensors."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import torch


def first_weights(widths: list[int], nets: int, rng: np.random.Generator) -> list[torch.Tensor]:
    """Weights and biases, uniform in +-1 / sqrt(fan-in); torch's global generator stays untouched.

    Args:
        widths: Of the inputs, the hidden layers and the outputs.
        nets: Number of networks side by side; 0 for one network without that dimension.
        rng: Source of the seed.
    """
    generator = torch.Generator().manual_seed(int(rng.integers(2**63)))
    weights = []
    for fan_in, fan_out in pairwise(widths):
        shapes = ((nets, fan_in, fan_out), (nets, 1, fan_out)) if nets else ((fan_in, fan_out), (fan_out,))
        for shape in shapes:
            values = (2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5
            weights.append(values.requires_grad_())
    return weights


def forward(weights: list[torch.Tensor], features: torch.Tensor) -> torch.Tensor:
    """Outputs of a network with ReLU between its layers.

    Args:
        weights: As `first_weights` gives them.
        features: N x D, or nets x N x D.
    """
    multiply = torch.addmm if features.ndim == 2 else torch.baddbmm
    hidden = features
    for layer in range(0, len(weights), 2):
        hidden = multiply(weights[layer + 1], hidden, weights[layer])
        if layer + 2 < len(weights):
            hidden = hidden.relu()
    return hidden
