"""SubNet: the plain torch module of one architecture, built from the layers that the space names."""

from __future__ import annotations

from torch import Tensor, nn

from mosegedge.networks.blocks import DecoderOutput, build_layer
from mosegedge.space import Architecture, SearchSpace


class Encoder(nn.Module):
    """Stem and four stages; hands on the last features of stages 2, 3 and 4."""

    def __init__(self, layers: dict[str, nn.Module]) -> None:
        super().__init__()
        self.stem = layers.pop("stem")
        self.stage1, self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(module for name, module in layers.items() if name.startswith(f"stage{stage}.")))
            for stage in (1, 2, 3, 4)
        )

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Takes N x 3 x H x W, returns the features at 1/8, 1/16 and 1/32."""
        c8 = self.stage2(self.stage1(self.stem(picture)))
        c16 = self.stage3(c8)
        return c8, c16, self.stage4(c16)


class SubNet(nn.Module):
    """One network of a space.

    Module paths are the layer names of `SearchSpace.layers_of`, as `encoder.stage3.2.conv2`.

    Args:
        space: The search space.
        architecture: Its code.
    """

    def __init__(self, space: SearchSpace, architecture: Architecture) -> None:
        super().__init__()
        modules = {layer.name: build_layer(layer.spec) for layer in space.layers_of(architecture)}
        self.architecture = architecture
        self.reads_picture = bool(space.preset.decoder.spatial)
        self.decoder = modules.pop("decoder")
        self.encoder = Encoder({name.removeprefix("encoder."): module for name, module in modules.items()})

    def decode(self, picture: Tensor) -> DecoderOutput:
        """Logits together with the feature maps that auxiliary heads read."""
        c8, c16, c32 = self.encoder(picture)
        output: DecoderOutput = self.decoder(picture if self.reads_picture else c8, c16, c32)
        return output

    def forward(self, picture: Tensor) -> Tensor:
        """Takes N x 3 x H x W with sides that are multiples of 32, returns logits N x classes x H x W."""
        return self.decode(picture).logits
