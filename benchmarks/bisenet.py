"""BiSeNet with a ResNet-18 at any width: the hand-made network that searched ones are compared with.

After Yu et al., "BiSeNet: Bilateral Segmentation Network for Real-time Semantic Segmentation" (2018): a context path of
ResNet-18 with attention refinement at 1/16 and 1/32 and a pooled tail, a spatial path of three convolutions of stride
2, a feature fusion module, and two auxiliary heads on the context path. Everything behind the ResNet is the decoder
that searched networks have, at BiSeNet's own widths: encoder and widths are what differs.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mosegedge.networks.blocks import ConvNorm, Decoder, DecoderOutput
from mosegedge.networks.training import AuxiliaryHead
from mosegedge.space.layers import DecoderSpec

_STAGES = (64, 128, 256, 512)
_HEADS, _SPATIAL, _FUSION, _OUTPUT = 128, 64, 256, 256
_BLOCKS = 2  # residual blocks a stage, as ResNet-18 has them
_BLOCK = 16  # runtimes compute so many channels at once, and fewer save hardly anything


class BiSeNet(nn.Module):
    """The network as it is deployed.

    Args:
        width: Every number of channels is this share of the original's, rounded to the nearest multiple of 16.
        classes: Number of classes.
        size: Height and width of the pictures, multiples of 32.
    """

    def __init__(self, width: float, classes: int, size: tuple[int, int]) -> None:
        super().__init__()
        stem, *widths = (_rounded(width * channels) for channels in (_STAGES[0], *_STAGES))
        self.stem = nn.Sequential(ConvNorm(3, stem, 7, stride=2), nn.MaxPool2d(3, 2, 1))
        incoming = (stem, *widths)
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            _stage(incoming[stage], widths[stage], stride=2 if stage else 1) for stage in range(4)
        )
        heads, spatial, fusion, output = (
            _rounded(width * channels) for channels in (_HEADS, _SPATIAL, _FUSION, _OUTPUT)
        )
        self.heads, self.classes = heads, classes
        self.decoder = Decoder(
            DecoderSpec(
                c8=0,
                c16=widths[2],
                c32=widths[3],
                heads=heads,
                spatial=spatial,
                fusion=fusion,
                output=output,
                classes=classes,
                upsampling="bilinear",
                height=size[0],
                width=size[1],
            )
        )

    def decode(self, picture: Tensor) -> DecoderOutput:
        """Logits together with the feature maps that auxiliary heads read."""
        c16 = self.stage3(self.stage2(self.stage1(self.stem(picture))))
        output: DecoderOutput = self.decoder(picture, c16, self.stage4(c16))
        return output

    def forward(self, picture: Tensor) -> Tensor:
        """Takes N x 3 x H x W, returns logits N x classes x H x W."""
        return self.decode(picture).logits


class TrainingBiSeNet(nn.Module):
    """BiSeNet with the two auxiliary heads that only training has.

    Args:
        width: As in `BiSeNet`.
        classes: Number of classes.
        size: Height and width of the pictures.
    """

    def __init__(self, width: float, classes: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.subnet = BiSeNet(width, classes, size)
        self.auxiliary16 = AuxiliaryHead(self.subnet.heads, classes)
        self.auxiliary32 = AuxiliaryHead(self.subnet.heads, classes)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Takes N x 3 x H x W, N at least 2; returns logits at full, 1/8 and 1/16 size, the network's own first."""
        logits, up16, up32 = self.subnet.decode(picture)
        return logits, self.auxiliary16(up16), self.auxiliary32(up32)


class _Residual(nn.Module):
    """Two 3x3 convolutions and a shortcut."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(in_channels, out_channels, 3, stride=stride)
        self.conv2 = ConvNorm(out_channels, out_channels, 3, relu=False)
        same = stride == 1 and in_channels == out_channels
        self.shortcut = None if same else ConvNorm(in_channels, out_channels, stride=stride, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        shortcut = x if self.shortcut is None else self.shortcut(x)
        return F.relu(self.conv2(self.conv1(x)) + shortcut)


def _rounded(channels: float) -> int:
    return max(1, int(channels / _BLOCK + 0.5)) * _BLOCK


def _stage(in_channels: int, out_channels: int, *, stride: int) -> nn.Sequential:
    first = _Residual(in_channels, out_channels, stride)
    return nn.Sequential(first, *(_Residual(out_channels, out_channels, 1) for _ in range(_BLOCKS - 1)))


def multiply_adds(network: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds of all convolutions for one picture: what `SearchSpace.flops` counts.

    Args:
        network: With parameters on any device, `meta` among them.
        size: Height and width of the picture.
    """
    total = 0

    def count(module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += module.weight[0].numel() * output[0].numel()

    handles = [module.register_forward_hook(count) for module in network.modules() if isinstance(module, nn.Conv2d)]
    place = next(network.parameters()).device
    with torch.no_grad():
        network.eval()(torch.zeros(1, 3, *size, device=place))
    for handle in handles:
        handle.remove()
    return total
