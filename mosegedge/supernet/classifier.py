"""The encoder of a supernet as a classifier of whole pictures: what is pretrained before the segmentation."""

from __future__ import annotations

from fractions import Fraction

import torch
from torch import Tensor, nn

from mosegedge.networks.blocks import build_layer
from mosegedge.networks.subnet import Encoder
from mosegedge.networks.weights import build_with_weights
from mosegedge.space import Architecture, DecoderSpec, SearchSpace
from mosegedge.supernet.model import depths_of, tensor_shapes
from mosegedge.supernet.ranks import Ranks, with_common_norms
from mosegedge.supernet.slices import part_of
from mosegedge.supernet.slots import Slots
from mosegedge.supernet.start import ENCODER

CLASSIFIER = "classifier.weight"
_STRIDE = 32
_FIRST_SPREAD = 0.01


class Classifier(nn.Module):
    """Encoder, mean over all places, one linear layer.

    Args:
        space: The search space.
        architecture: Whose encoder.
        classes: Number of classes.
    """

    def __init__(self, space: SearchSpace, architecture: Architecture, classes: int) -> None:
        super().__init__()
        layers = {layer.name: layer.spec for layer in space.layers_of(architecture)}
        decoder = layers.pop("decoder")
        assert isinstance(decoder, DecoderSpec)
        self.encoder = Encoder({name.removeprefix(ENCODER): build_layer(spec) for name, spec in layers.items()})
        self.classifier = nn.Linear(decoder.c32, classes)

    def forward(self, picture: Tensor) -> Tensor:
        """Takes N x 3 x H x W, returns logits N x classes."""
        logits: Tensor = self.classifier(self.encoder(picture)[2].mean(dim=(2, 3)))
        return logits


class ElasticClassifier(nn.Module):
    """Shared weights of all encoders of a space, and of the linear layer behind them.

    Args:
        space: The search space.
        classes: Number of classes.
        generator: Source of the initial weights.
        ranks: The processes that train it together.
    """

    def __init__(self, space: SearchSpace, classes: int, generator: torch.Generator, ranks: Ranks) -> None:
        super().__init__()
        self.space, self.classes, self._ranks = space, classes, ranks
        self._skeletons: dict[tuple[int, ...], Slots] = {}
        self.network = build_with_weights(lambda: Classifier(space, space.largest, classes), generator)
        nn.init.normal_(self.network.classifier.weight, std=_FIRST_SPREAD, generator=generator)
        nn.init.zeros_(self.network.classifier.bias)
        self._own = Slots(self.network)

    def forward(self, picture: Tensor, architecture: Architecture) -> Tensor:
        """Runs one encoder with shared weights; its batch norms update the shared statistics.

        Args:
            picture: N x 3 x H x W.
            architecture: Whose encoder; its scale digit plays no role here.

        Returns:
            Logits N x classes.
        """
        shared = self._own.tensors()
        tensors = {"classifier.bias": shared["classifier.bias"]}
        for layer in self.space.layers_of(architecture):
            if isinstance(layer.spec, DecoderSpec):
                tensors[CLASSIFIER] = part_of(shared[CLASSIFIER], (self.classes, layer.spec.c32))
                continue
            for name, shape in tensor_shapes(layer.spec).items():
                path = f"{layer.name}.{name}"
                tensors[path] = part_of(shared[path], shape)
        logits: Tensor = self._skeleton(architecture).run(tensors, picture)
        return logits

    def _skeleton(self, architecture: Architecture) -> Slots:
        """A module without weights for each combination of depths, as in `Supernet`."""
        depths = depths_of(architecture)
        if depths not in self._skeletons:
            with torch.device("meta"):
                skeleton = Classifier(self.space, architecture, self.classes)
            with_common_norms(skeleton, self._ranks)
            self._skeletons[depths] = Slots(skeleton)
        return self._skeletons[depths].in_mode(training=self.training)


def picture_size(space: SearchSpace, architecture: Architecture, crop: int) -> tuple[int, int]:
    """Height and width of a classified picture at the network's scale: its share of the crop, a multiple of 32."""
    factor = Fraction(space.preset.scale_factors[architecture.scale])
    side = max(_STRIDE, int(crop * factor / _STRIDE + Fraction(1, 2)) * _STRIDE)
    return side, side
