"""Random weights from an explicit generator; torch's global one is never touched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def build_with_weights(build: Callable[[], _Module], generator: torch.Generator) -> _Module:
    """Builds a module and draws its weights: He initialisation (fan out), batch norms start as the identity.

    Args:
        build: Makes the module.
        generator: Source of the convolution weights.
    """
    with torch.device("meta"):
        module = build()
    module.to_empty(device="cpu")
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, mode="fan_out", nonlinearity="relu", generator=generator)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            part.reset_parameters()
    return module


def generator_of(text: str) -> torch.Generator:
    """A generator whose seed is a digest of a text: the same weights for the same name everywhere."""
    return torch.Generator().manual_seed(int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big"))
