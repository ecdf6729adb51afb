"""A network as it is trained: the SubNet plus the two auxiliary heads that deployment leaves out."""

from __future__ import annotations

from torch import Tensor, nn

from mosegedge.networks.blocks import ConvNorm
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace


class AuxiliaryHead(nn.Sequential):
    """3x3 to half the head width, then a classifier."""

    def __init__(self, heads: int, classes: int) -> None:
        super().__init__(ConvNorm(heads, heads // 2, 3), nn.Conv2d(heads // 2, classes, 1))


class TrainingNetwork(nn.Module):
    """SubNet with auxiliary heads on the two upsampled feature maps, as BiSeNet v1 has them.

    Args:
        space: The search space.
        architecture: Its code.
    """

    def __init__(self, space: SearchSpace, architecture: Architecture) -> None:
        super().__init__()
        heads = space.preset.decoder.heads
        self.subnet = SubNet(space, architecture)
        self.auxiliary16 = AuxiliaryHead(heads, space.classes)
        self.auxiliary32 = AuxiliaryHead(heads, space.classes)

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Takes N x 3 x H x W, N at least 2; returns logits at full, 1/8 and 1/16 size, the network's own first.

        Auxiliary logits stay at the size of their features: comparing them with labels resized to it costs a
        hundredth of bringing them to full size.
        """
        logits, up16, up32 = self.subnet.decode(picture)
        return logits, self.auxiliary16(up16), self.auxiliary32(up32)
