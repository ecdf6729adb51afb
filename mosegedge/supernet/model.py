"""The elastic supernet: one set of weights that every network of a space takes its own from.

The weights are those of the space's largest network. A smaller network takes the first `n` output and first `m` input
channels of each kernel, the first `n` entries of each batch norm, and drops the last layers of a stage. Because module
paths are the same in both, this is one slice from the origin per tensor (`Supernet.inherited`), and training,
evaluation and extraction all go through it.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor, nn

from mosegedge.networks.blocks import build_layer
from mosegedge.networks.subnet import SubNet
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights
from mosegedge.space import Architecture, LayerSpec, SearchSpace
from mosegedge.space.architecture import STAGES, STEM_DEPTH
from mosegedge.supernet.ranks import Ranks, with_common_norms
from mosegedge.supernet.slices import part_of
from mosegedge.supernet.slots import Slots

_SUBNET = "subnet."


class Supernet(nn.Module):
    """Shared weights of all networks of a space.

    Args:
        space: The search space.
        generator: Source of the initial weights.
        ranks: The processes that train it together; their batches share the statistics of batch norms.
    """

    def __init__(self, space: SearchSpace, generator: torch.Generator, ranks: Ranks | None = None) -> None:
        super().__init__()
        self._ranks = ranks or Ranks()
        self.space = space
        self.network = build_with_weights(lambda: TrainingNetwork(space, space.largest), generator)
        self._own = Slots(self.network)
        self._skeletons: dict[tuple[int, ...], Slots] = {}

    def inherited(self, architecture: Architecture) -> dict[str, Tensor]:
        """Views of the shared tensors that the network takes, by their names in `SubNet.state_dict`."""
        parts = self._parts(self._own.tensors(), architecture)
        return {name.removeprefix(_SUBNET): part for name, part in parts.items()}

    def forward(self, picture: Tensor, architecture: Architecture) -> tuple[Tensor, Tensor, Tensor]:
        """Runs one network with shared weights; in training mode its batch norms update the shared statistics.

        Args:
            picture: N x 3 x H x W at any size whose sides are multiples of 32.
            architecture: The network; its scale digit plays no role here.

        Returns:
            Logits of the network at full size, and of the auxiliary heads at 1/8 and 1/16.
        """
        shared = self._own.tensors()
        tensors = self._parts(shared, architecture)
        tensors |= {name: tensor for name, tensor in shared.items() if not name.startswith(_SUBNET)}
        outputs: tuple[Tensor, Tensor, Tensor] = self._skeleton(architecture).run(tensors, picture)
        return outputs

    def extract(self, architecture: Architecture) -> SubNet:
        """A plain network with its own copy of the inherited weights, in evaluation mode."""
        with torch.device("meta"):
            subnet = SubNet(self.space, architecture)
        copies = {name: view.detach().clone() for name, view in self.inherited(architecture).items()}
        subnet.load_state_dict(copies, assign=True)
        return subnet.eval().requires_grad_(requires_grad=True)

    def _parts(self, shared: dict[str, Tensor], architecture: Architecture) -> dict[str, Tensor]:
        """What the network takes of the shared tensors, by their names in `TrainingNetwork.state_dict`."""
        parts: dict[str, Tensor] = {}
        for layer in self.space.layers_of(architecture):
            for name, shape in tensor_shapes(layer.spec).items():
                path = f"{_SUBNET}{layer.name}.{name}"
                parts[path] = part_of(shared[path], shape)
        return parts

    def _skeleton(self, architecture: Architecture) -> Slots:
        """A module without weights: modules do not look at widths, so one per combination of depths serves all."""
        depths = depths_of(architecture)
        if depths not in self._skeletons:
            with torch.device("meta"):
                skeleton = TrainingNetwork(self.space, architecture)
            with_common_norms(skeleton, self._ranks)
            self._skeletons[depths] = Slots(skeleton)
        return self._skeletons[depths].in_mode(training=self.training)


def depths_of(architecture: Architecture) -> tuple[int, ...]:
    """The digits that say which layers there are."""
    return (architecture.digits[STEM_DEPTH], *(architecture.digits[stage.depth] for stage in STAGES))


@cache
def tensor_shapes(spec: LayerSpec) -> dict[str, tuple[int, ...]]:
    """Shapes of a layer's parameters and buffers by name."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in build_layer(spec).state_dict().items()}
