"""Torch modules of the layers: stem, bottleneck, decoder. Static shapes, forms that every target compiler takes.

The decoder follows the BiSeNet v1 heads. Pooled branches use adaptive average pooling, which exports as
GlobalAveragePool, and resizing uses constant factors, so that no shape arithmetic enters the exported graph.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mosegedge.space.layers import BottleneckSpec, DecoderSpec, LayerSpec, StemSpec


class ConvNorm(nn.Module):
    """Convolution without bias, batch norm, and ReLU unless switched off. Odd kernels keep the size at stride 1."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int = 1, *, stride: int = 1, relu: bool = True
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(out_channels)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        """Returns N x out_channels x H / stride x W / stride."""
        x = self.norm(self.conv(x))
        return F.relu(x) if self.relu else x


class Stem(nn.Module):
    """Picture to 1/4 size."""

    def __init__(self, spec: StemSpec) -> None:
        super().__init__()
        middle = spec.middle_channels
        self.conv1 = ConvNorm(3, middle, 3, stride=2)
        self.conv2 = ConvNorm(middle, middle, 3) if spec.residual else None
        self.conv3 = ConvNorm(middle, spec.out_channels, 3)
        self.pool = nn.MaxPool2d(3, 2, 1)

    def forward(self, picture: Tensor) -> Tensor:
        """Takes N x 3 x H x W, returns N x out_channels x H / 4 x W / 4."""
        x = self.conv1(picture)
        if self.conv2 is not None:
            x = x + self.conv2(x)
        pooled: Tensor = self.pool(self.conv3(x))
        return pooled


class Projection(nn.Module):
    """Shortcut of a stage's first layer: average pool (at stride 2), 1x1 convolution, norm."""

    def __init__(self, spec: BottleneckSpec) -> None:
        super().__init__()
        # Every size it meets is even, so no ceil_mode is needed: one attribute less for a compiler to trip over.
        self.pool = nn.AvgPool2d(2, 2, count_include_pad=False) if spec.stride == 2 else None
        self.conv = ConvNorm(spec.in_channels, spec.out_channels, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns what is added to the residual."""
        projected: Tensor = self.conv(x if self.pool is None else self.pool(x))
        return projected


class Bottleneck(nn.Module):
    """1x1, 3x3 with the stride, 1x1, shortcut, ReLU."""

    def __init__(self, spec: BottleneckSpec) -> None:
        super().__init__()
        self.conv1 = ConvNorm(spec.in_channels, spec.hidden_channels)
        self.conv2 = ConvNorm(spec.hidden_channels, spec.hidden_channels, 3, stride=spec.stride)
        self.conv3 = ConvNorm(spec.hidden_channels, spec.out_channels, relu=False)
        self.shortcut = Projection(spec) if spec.projection else None

    def forward(self, x: Tensor) -> Tensor:
        """Returns N x out_channels x H / stride x W / stride."""
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.conv3(self.conv2(self.conv1(x))) + shortcut)


class Refinement(nn.Module):
    """Attention refinement module: 3x3 to the head width, gated by its own pooled features."""

    def __init__(self, in_channels: int, heads: int) -> None:
        super().__init__()
        self.conv = ConvNorm(in_channels, heads, 3)
        self.gate = ConvNorm(heads, heads, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Returns N x heads x H x W."""
        x = self.conv(x)
        return x * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(x, 1)))


class DecoderOutput(NamedTuple):
    """Logits at full size, and the two 1/8 and 1/16 feature maps that auxiliary heads read in training."""

    logits: Tensor
    up16: Tensor
    up32: Tensor


class Decoder(nn.Module):
    """Tail and BiSeNet heads."""

    def __init__(self, spec: DecoderSpec) -> None:
        super().__init__()
        heads = spec.heads
        self.tail = ConvNorm(spec.c32, heads)
        self.refine32 = Refinement(spec.c32, heads)
        self.up32 = ConvNorm(heads, heads, 3)
        self.refine16 = Refinement(spec.c16, heads)
        self.up16 = ConvNorm(heads, heads, 3)
        if spec.spatial:
            self.detail = nn.Sequential(
                ConvNorm(3, spec.spatial, 7, stride=2),
                ConvNorm(spec.spatial, spec.spatial, 3, stride=2),
                ConvNorm(spec.spatial, spec.spatial, 3, stride=2),
                ConvNorm(spec.spatial, heads),
            )
        else:
            self.detail = nn.Sequential(ConvNorm(spec.c8, heads))
        self.fuse = ConvNorm(2 * heads, spec.fusion)
        self.gate = ConvNorm(spec.fusion, spec.fusion, relu=False)
        self.output = ConvNorm(spec.fusion, spec.output, 3)
        self.shuffle = spec.upsampling == "shuffle"
        self.classify = nn.Conv2d(spec.output, spec.classes * (64 if self.shuffle else 1), 1)

    def forward(self, first: Tensor, c16: Tensor, c32: Tensor) -> DecoderOutput:
        """Takes the picture (or the 1/8 features without a spatial path) and the 1/16 and 1/32 features."""
        up32 = self.up32(_double(self.refine32(c32) + self.tail(F.adaptive_avg_pool2d(c32, 1))))
        up16 = self.up16(_double(self.refine16(c16) + up32))
        fused = self.fuse(torch.cat((self.detail(first), up16), dim=1))
        fused = fused + fused * torch.sigmoid(self.gate(F.adaptive_avg_pool2d(fused, 1)))
        classes = self.classify(self.output(fused))
        if self.shuffle:
            logits = F.pixel_shuffle(classes, 8)
        else:
            logits = F.interpolate(classes, scale_factor=8.0, mode="bilinear", align_corners=False)
        return DecoderOutput(logits, up16, up32)


def build_layer(spec: LayerSpec) -> nn.Module:
    """The module of one layer, with random weights from torch's current generator."""
    match spec:
        case StemSpec():
            return Stem(spec)
        case BottleneckSpec():
            return Bottleneck(spec)
        case DecoderSpec():
            return Decoder(spec)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
