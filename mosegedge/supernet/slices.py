"""Parts of shared weights as one network takes them, with gradients that flow into the shared ones.

Autograd's own slicing makes a gradient of the shared weight's full size, mostly zeros, for every network and every axis
that is cut. Here the gradient of a part is added to the same part of the shared weight's gradient, and nothing else is
touched.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def part_of(shared: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The first entries of a shared tensor along each axis.

    Args:
        shared: A parameter or a buffer.
        shape: Of the part.

    Returns:
        A view, or the tensor itself where nothing is cut off. A backward pass adds to `shared.grad`.
    """
    if shared.shape == shape:
        return shared
    where = tuple(slice(size) for size in shape)
    if not (shared.requires_grad and torch.is_grad_enabled()):
        return shared[where]
    part: Tensor = _Part.apply(shared, where)  # type: ignore[no-untyped-call]
    return part


class _Part(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, shared: Tensor, where: tuple[slice, ...]) -> Tensor:
        context.shared, context.where = shared, where
        return shared[where]

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[None, None]:
        shared: Tensor = context.shared
        if shared.grad is None:
            shared.grad = torch.zeros_like(shared)
        shared.grad[context.where].add_(gradients[0])
        return None, None
