"""The builder's networks are the ones that the closed-form counts describe."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mosegedge.networks.blocks import build_layer
from mosegedge.networks.subnet import SubNet
from mosegedge.space import SearchSpace, shipped_presets
from mosegedge.space.counting import flops_of, params_of


def counted(module: nn.Module, inputs: list[torch.Tensor]) -> tuple[int, int]:
    """Parameters and convolution multiply-adds of a module, seen by hooks while it runs."""
    flops = 0

    def hook(conv: nn.Conv2d, _inputs: object, output: torch.Tensor) -> None:
        nonlocal flops
        flops += conv.weight[0].numel() * output[0].numel()

    handles = [m.register_forward_hook(hook) for m in module.modules() if isinstance(m, nn.Conv2d)]
    module.eval()(*inputs)
    for handle in handles:
        handle.remove()
    return sum(parameter.numel() for parameter in module.parameters()), flops


@pytest.mark.parametrize("preset", shipped_presets())
def test_counts_equal_those_of_real_modules(preset: str, rng: np.random.Generator) -> None:
    space = SearchSpace.load(preset)
    codes = space.sample(12, rng)
    with torch.device("meta"):
        for row, architecture in zip(codes, space.decode(codes), strict=True):
            picture = torch.empty(1, 3, *space.input_size(architecture))
            expected = int(space.params(row[None])[0]), int(space.flops(row[None])[0])
            assert counted(SubNet(space, architecture), [picture]) == expected


@pytest.mark.parametrize("preset", shipped_presets())
def test_counts_of_every_kind_of_layer(preset: str) -> None:
    space = SearchSpace.load(preset)
    with torch.device("meta"):
        for spec in sorted(set(space.entries[:249]), key=lambda spec: spec.key):
            inputs = [torch.empty(shape) for shape in spec.input_shapes]
            assert counted(build_layer(spec), inputs) == (params_of(spec), flops_of(spec))


def test_module_paths_are_layer_names() -> None:
    space = SearchSpace.load("nano")
    with torch.device("meta"):
        modules = dict(SubNet(space, space.largest).named_modules())
    for layer in space.layers_of(space.largest):
        assert layer.name in modules
