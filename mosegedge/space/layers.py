"""What a network is made of: stem, bottleneck layers, decoder.

A layer specification holds everything that decides a layer's weights and its cost. Two equal specifications are the
same layer: they share one measurement, one ONNX file, one row of a profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

Upsampling = Literal["bilinear", "shuffle"]


@dataclass(frozen=True, slots=True, order=True)
class StemSpec:
    """3x3 stride-2 convolution, optional residual 3x3, 3x3 to the output width, 3x3 max pool with stride 2.

    Attributes:
        middle_channels: Width of the first and of the residual convolution.
        out_channels: Width handed to stage 1.
        residual: Whether the middle (residual) convolution is kept.
        height: Input height in pixels.
        width: Input width in pixels.
    """

    middle_channels: int
    out_channels: int
    residual: bool
    height: int
    width: int

    @property
    def key(self) -> str:
        """Canonical readable name, unique among all layers."""
        kept = "res" if self.residual else "plain"
        return f"stem {kept} c3-{self.middle_channels}-{self.out_channels} @{self.height}x{self.width}"

    @property
    def input_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shapes N x C x H x W of the inputs, batch 1."""
        return ((1, 3, self.height, self.width),)


@dataclass(frozen=True, slots=True, order=True)
class BottleneckSpec:
    """1x1, 3x3 (carrying the stride), 1x1 and a shortcut.

    Attributes:
        in_channels: Width of the input.
        hidden_channels: Width of the 3x3 convolution.
        out_channels: Width of the output.
        stride: 1, or 2 in the first layer of stages 2 to 4.
        projection: Whether the shortcut is average pool, 1x1 convolution and norm (first layers) or the identity.
        height: Input height.
        width: Input width.
    """

    in_channels: int
    hidden_channels: int
    out_channels: int
    stride: int
    projection: bool
    height: int
    width: int

    @property
    def key(self) -> str:
        """Canonical readable name, unique among all layers."""
        shortcut = "proj" if self.projection else "id"
        channels = f"c{self.in_channels}-{self.hidden_channels}-{self.out_channels}"
        return f"bottleneck {shortcut} {channels} s{self.stride} @{self.height}x{self.width}"

    @property
    def input_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shapes N x C x H x W of the inputs, batch 1."""
        return ((1, self.in_channels, self.height, self.width),)


@dataclass(frozen=True, slots=True, order=True)
class DecoderSpec:
    """Tail and BiSeNet heads: attention refinement at 1/32 and 1/16, spatial path, feature fusion, output.

    Attributes:
        c8: Width of the 1/8 features where the decoder reads them, 0 where the spatial path takes their place.
        c16: Width of the 1/16 features.
        c32: Width of the 1/32 features.
        heads: Width of the attention refinement modules.
        spatial: Width of the spatial path, 0 where there is none.
        fusion: Width of the feature fusion module.
        output: Width of the 3x3 convolution before the classifier.
        classes: Number of classes.
        upsampling: Way back to full size, `shuffle` or `bilinear`.
        height: Height of the picture (not of the feature maps).
        width: Width of the picture.
    """

    c8: int
    c16: int
    c32: int
    heads: int
    spatial: int
    fusion: int
    output: int
    classes: int
    upsampling: Upsampling
    height: int
    width: int

    @property
    def key(self) -> str:
        """Canonical readable name, unique among all layers."""
        features = f"c{self.c8}-{self.c16}-{self.c32}"
        widths = f"h{self.heads}-{self.spatial}-{self.fusion}-{self.output}"
        return f"decoder {self.upsampling} {features} {widths} k{self.classes} @{self.height}x{self.width}"

    @property
    def input_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """Shapes of the inputs: the picture (or the 1/8 features without a spatial path), then 1/16 and 1/32."""
        h, w = self.height, self.width
        first = (1, 3, h, w) if self.spatial else (1, self.c8, h // 8, w // 8)
        return (first, (1, self.c16, h // 16, w // 16), (1, self.c32, h // 32, w // 32))


LayerSpec = StemSpec | BottleneckSpec | DecoderSpec


class Layer(NamedTuple):
    """A specification at its place in a network; `name` is also the module path, as `encoder.stage3.2`."""

    name: str
    spec: LayerSpec
