"""A stand-in for the once-for-all package's elastic ResNet: the same parameter names and shapes, written anew.

That the names are the package's is shown by `ofa_resnet50.json`, which was made with the package itself by
`python -m benchmarks.ofa_import --golden`; that features are, by the same module without that option.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import STAGES, STEM_DEPTH, STEM_WIDTH


class Kernel(nn.Module):
    """A convolution of which the first channels are used."""

    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, bias=False)

    def forward(self, x: Tensor, width: int) -> Tensor:
        weight = self.conv.weight[:width, : x.shape[1]]
        return F.conv2d(x, weight, stride=self.conv.stride, padding=weight.shape[-1] // 2)


class Norm(nn.Module):
    """A batch norm of which the first entries are used."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        n = x.shape[1]
        tensors = (self.bn.running_mean, self.bn.running_var, self.bn.weight, self.bn.bias)
        return F.batch_norm(x, *(tensor[:n] for tensor in tensors), training=False, eps=self.bn.eps)


class Unit(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = Kernel(inputs, outputs, size, stride)
        self.bn = Norm(outputs)

    def forward(self, x: Tensor, width: int) -> Tensor:
        return self.bn(self.conv(x, width))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = Unit(width, width, 3)

    def forward(self, x: Tensor, width: int) -> Tensor:
        return x + F.relu(self.conv(x, width))


class Block(nn.Module):
    def __init__(self, inputs: int, hidden: int, outputs: int, stride: int, *, first: bool) -> None:
        super().__init__()
        self.stride = stride
        self.conv1, self.conv2 = Unit(inputs, hidden), Unit(hidden, hidden, 3, stride)
        self.conv3 = Unit(hidden, outputs)
        if first:
            self.downsample = Unit(inputs, outputs)

    def forward(self, x: Tensor, hidden: int, width: int) -> Tensor:
        shortcut = x
        if hasattr(self, "downsample"):
            shortcut = self.downsample(F.avg_pool2d(x, self.stride, self.stride, ceil_mode=True), width)
        y = F.relu(self.conv2(F.relu(self.conv1(x, hidden)), hidden))
        return F.relu(self.conv3(y, width) + shortcut)


class Classifier(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.linear = nn.Module()
        self.linear.linear = nn.Linear(inputs, 1000)


class StandIn(nn.Module):
    """Elastic widths and depths over the numbers of a space's largest network."""

    def __init__(self, space: SearchSpace) -> None:
        super().__init__()
        self.preset = preset = space.preset
        middle, width = preset.stem_middle_channels(2), preset.stem_channels(2)
        self.input_stem = nn.ModuleList([Unit(3, middle, 3, 2), Residual(middle), Unit(middle, width, 3)])
        blocks = []
        for stage, digits in enumerate(STAGES):
            outputs, hidden = preset.stage_channels(stage, 2), preset.hidden_channels(stage, 2, 2)
            for layer in range(digits.max_depth):
                stride = 2 if stage and layer == 0 else 1
                blocks.append(Block(width if layer == 0 else outputs, hidden, outputs, stride, first=layer == 0))
            width = outputs
        self.blocks = nn.ModuleList(blocks)
        self.classifier = Classifier(width)

    def features(self, x: Tensor, code: Architecture) -> list[Tensor]:
        """Features after the stem and after each stage."""
        preset, digits = self.preset, code.digits
        middle = preset.stem_middle_channels(digits[STEM_WIDTH])
        x = F.relu(self.input_stem[0](x, middle))
        if digits[STEM_DEPTH]:
            x = self.input_stem[1](x, middle)
        x = F.max_pool2d(F.relu(self.input_stem[2](x, preset.stem_channels(digits[STEM_WIDTH]))), 3, 2, 1)
        features, start = [x], 0
        for stage, places in enumerate(STAGES):
            chosen = digits[places.width]
            width = preset.stage_channels(stage, chosen)
            for layer in range(code.depth_of(stage)):
                ratio = digits[places.expansions[layer]] - 1
                x = self.blocks[start + layer](x, preset.hidden_channels(stage, chosen, ratio), width)
            start += places.max_depth
            features.append(x)
        return features


def stand_in(space: SearchSpace, seed: int = 0) -> StandIn:
    """Random weights; random statistics and norms, none of them the identity."""
    generator = torch.Generator().manual_seed(seed)
    network = StandIn(space)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, generator=generator)
            elif isinstance(module, nn.BatchNorm2d):
                for tensor, low, high in (
                    (module.weight, 0.5, 1.0), (module.bias, -0.2, 0.2),
                    (module.running_mean, -0.2, 0.2), (module.running_var, 0.8, 1.6),
                ):  # fmt: skip
                    tensor.uniform_(low, high, generator=generator)
    return network.eval()


def write(folder: Path, state: object, *, legacy: bool = False, name: str = "ofa.pth") -> Path:
    """A file as `torch.save` writes it today, or before PyTorch 1.6."""
    torch.save(state, folder / name, _use_new_zipfile_serialization=not legacy)
    return folder / name


def planes(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(1, 3, 1, 1)
