"""Weights that a training starts from: a whole supernet, or the encoder of one or of a pretraining."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from mosegedge.errors import CheckpointError
from mosegedge.files import sha256_of_file
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import PRETRAINED_FORMAT, SUPERNET_FORMAT, checkpoint_path, read_tensors

PRETRAINED_FILE = "encoder.safetensors"
ENCODER = "encoder."
_SUBNET = "subnet."
_WIDTHS = ("stem_width", "stage_widths", "width_multipliers", "expansion_ratios", "channel_multiple")


@dataclass(frozen=True, kw_only=True, eq=False)
class StartWeights:
    """Shared weights and statistics that networks begin with.

    Attributes:
        kind: What they are: the word under which headers name them.
        tensors: Those of the largest network, by their names in `TrainingNetwork.state_dict`.
        sha256: Digest of the file that they come from.
    """

    kind: Literal["supernet", "encoder"]
    tensors: dict[str, Tensor]
    sha256: str

    def copy_into(self, network: nn.Module) -> None:
        """Overwrites the tensors of a training network, the first entries of each; others stay as they are."""
        wanted = network.state_dict()
        with torch.no_grad():
            for name in wanted.keys() & self.tensors.keys():
                wanted[name].copy_(self.tensors[name][tuple(slice(size) for size in wanted[name].shape)])


def encoder_path(name: str) -> Path:
    """The file that a user means: as `checkpoint_path` says, or the run folder of a pretraining."""
    pretrained = Path(name) / PRETRAINED_FILE
    return pretrained if pretrained.is_file() else checkpoint_path(name)


def read_encoder(path: Path, space: SearchSpace) -> StartWeights:
    """Reads the encoder of a pretraining's or a supernet's checkpoint.

    Args:
        path: What `encoder_path` gives.
        space: Where it shall be used; input size, classes and decoder may differ from those of the file.

    Raises:
        CheckpointError: The file is missing or damaged, or its encoder is not that of the space.
    """
    tensors, info = read_tensors(path, PRETRAINED_FORMAT, SUPERNET_FORMAT)
    ours, theirs = space.preset, info.space.preset
    for name in _WIDTHS:
        if getattr(ours, name) != getattr(theirs, name):
            raise CheckpointError(
                f"The encoder in {path} is not that of space {space.name}: its {name} is {getattr(theirs, name)}.",
                known=f"Here it is {getattr(ours, name)}; the file was trained for space {info.space.name}.",
                fix="Pretrain the encoder of this space: mosegedge train --stage pretrain --space ... --output RUN",
            )
    full = {_SUBNET + name if name.startswith(ENCODER) else name: tensor for name, tensor in tensors.items()}
    encoder = {name: tensor for name, tensor in full.items() if name.startswith(_SUBNET + ENCODER)}
    return StartWeights(kind="encoder", tensors=encoder, sha256=sha256_of_file(path))


def read_supernet(path: Path, space: SearchSpace) -> StartWeights:
    """Reads all weights of a supernet of the same space.

    Raises:
        CheckpointError: The file is missing or damaged, of another space, or partly random: `read_encoder` takes what
            is not.
    """
    tensors, info = read_tensors(path, SUPERNET_FORMAT)
    if info.space.digest != space.digest:
        raise CheckpointError(
            f"{path} is of space {info.space.name}, not {space.name}.",
            fix="Leave --space out, or take its encoder alone: --encoder instead of --supernet.",
        )
    info.require_trained(path)
    return StartWeights(kind="supernet", tensors=tensors, sha256=sha256_of_file(path))
