"""Parameters, FLOPs and elements moved in closed form.

FLOPs are multiply-adds of convolutions only; parameters are convolution weights and biases plus two per
batch-norm channel. These are the rules under which the paper's baseline rows come out to the printed digit.

Elements moved are what a layer cannot do without: its weights as they are deployed (norms folded into a bias), its
inputs and its outputs, each once. What it keeps for itself between two of its convolutions is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from mosegedge.space.layers import BottleneckSpec, DecoderSpec, LayerSpec, StemSpec


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution: square kernel, output size in pixels; batch norm follows unless it has a bias."""

    in_channels: int
    out_channels: int
    kernel: int
    out_height: int
    out_width: int
    bias: bool = False

    @property
    def params(self) -> int:
        """Weights, and either the bias or the two batch-norm vectors."""
        extra = self.out_channels if self.bias else 2 * self.out_channels
        return self.in_channels * self.out_channels * self.kernel**2 + extra

    @property
    def deployed(self) -> int:
        """Weights and biases once the norm is folded in."""
        return self.in_channels * self.out_channels * self.kernel**2 + self.out_channels

    @property
    def flops(self) -> int:
        """Multiply-adds."""
        return self.in_channels * self.out_channels * self.kernel**2 * self.out_height * self.out_width


def convolutions(spec: LayerSpec) -> Iterator[Conv]:
    """All convolutions of a layer, auxiliary heads left out."""
    match spec:
        case StemSpec():
            return _stem(spec)
        case BottleneckSpec():
            return _bottleneck(spec)
        case DecoderSpec():
            return _decoder(spec)


def params_of(spec: LayerSpec) -> int:
    """Number of parameters of a layer."""
    return sum(conv.params for conv in convolutions(spec))


def flops_of(spec: LayerSpec) -> int:
    """Multiply-adds of a layer at batch 1."""
    return sum(conv.flops for conv in convolutions(spec))


def elements_moved_of(spec: LayerSpec) -> int:
    """Weights, inputs and outputs of a layer at batch 1, in elements."""
    weights = sum(conv.deployed for conv in convolutions(spec))
    return weights + sum(prod(shape) for shape in spec.input_shapes) + output_elements_of(spec)


def output_elements_of(spec: LayerSpec) -> int:
    """Elements that a layer gives to the next one, at batch 1."""
    match spec:
        case StemSpec():
            return spec.out_channels * (spec.height // 4) * (spec.width // 4)
        case BottleneckSpec():
            return spec.out_channels * (spec.height // spec.stride) * (spec.width // spec.stride)
        case DecoderSpec():
            return spec.classes * spec.height * spec.width


def _stem(spec: StemSpec) -> Iterator[Conv]:
    h, w, middle = spec.height // 2, spec.width // 2, spec.middle_channels
    yield Conv(3, middle, 3, h, w)
    if spec.residual:
        yield Conv(middle, middle, 3, h, w)
    yield Conv(middle, spec.out_channels, 3, h, w)


def _bottleneck(spec: BottleneckSpec) -> Iterator[Conv]:
    h, w = spec.height // spec.stride, spec.width // spec.stride
    yield Conv(spec.in_channels, spec.hidden_channels, 1, spec.height, spec.width)
    yield Conv(spec.hidden_channels, spec.hidden_channels, 3, h, w)
    yield Conv(spec.hidden_channels, spec.out_channels, 1, h, w)
    if spec.projection:
        yield Conv(spec.in_channels, spec.out_channels, 1, h, w)


def _decoder(spec: DecoderSpec) -> Iterator[Conv]:
    h, w, heads = spec.height, spec.width, spec.heads
    yield Conv(spec.c32, heads, 1, 1, 1)
    for channels, stride in ((spec.c32, 32), (spec.c16, 16)):
        yield Conv(channels, heads, 3, h // stride, w // stride)
        yield Conv(heads, heads, 1, 1, 1)
        yield Conv(heads, heads, 3, 2 * h // stride, 2 * w // stride)
    if spec.spatial:
        yield Conv(3, spec.spatial, 7, h // 2, w // 2)
        yield Conv(spec.spatial, spec.spatial, 3, h // 4, w // 4)
        yield Conv(spec.spatial, spec.spatial, 3, h // 8, w // 8)
    yield Conv(spec.spatial or spec.c8, heads, 1, h // 8, w // 8)
    yield Conv(2 * heads, spec.fusion, 1, h // 8, w // 8)
    yield Conv(spec.fusion, spec.fusion, 1, 1, 1)
    yield Conv(spec.fusion, spec.output, 3, h // 8, w // 8)
    classes = spec.classes * (64 if spec.upsampling == "shuffle" else 1)
    yield Conv(spec.output, classes, 1, h // 8, w // 8, bias=True)
