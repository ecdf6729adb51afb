"""One finished network on disk: safetensors with its code, its space and its training in the header."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from mosegedge.errors import ArchitectureError, CheckpointError
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture
from mosegedge.supernet.checkpoint import SupernetInfo, read_tensors, with_half_convolutions, write_tensors
from mosegedge.supernet.runnable import Runnable, runnable_of

NETWORK_FILE = "network.safetensors"
CODE = "code"
_FORMAT = "mosegedge-network-1"


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A network with weights and statistics of its own.

    Attributes:
        subnet: In evaluation mode.
        info: What its file says of itself.
    """

    subnet: SubNet
    info: SupernetInfo

    def runnable(self, device: torch.device) -> Runnable:
        """The network ready to be scored, one picture at a time."""
        return runnable_of(self.subnet, self.info.space, device)


def network_path(text: str) -> Path | None:
    """The file that a user means: a `network.safetensors`, or the run folder that holds one; None for anything else."""
    path = Path(text)
    file = path / NETWORK_FILE if path.is_dir() else path
    return file if file.name.endswith(".safetensors") and file.is_file() else None


def save_network(path: Path, subnet: SubNet, info: SupernetInfo, *, half: bool = False) -> None:
    """Writes a network atomically; the code is added to the header's facts.

    Args:
        path: The file.
        subnet: The network.
        info: What is written into the header.
        half: Store convolution weights as float16; norms keep float32.
    """
    state = dict(subnet.state_dict())
    with_code = replace(info, training=info.training | {CODE: str(subnet.architecture)})
    write_tensors(path, with_half_convolutions(state) if half else state, _FORMAT, with_code)


def load_network(path: Path) -> TrainedNetwork:
    """Reads a network.

    Raises:
        CheckpointError: The file is missing, damaged, or holds something else.
    """
    tensors, info = read_tensors(path, _FORMAT)
    try:
        architecture = Architecture.parse(str(info.training.get(CODE)))
    except ArchitectureError as error:
        raise CheckpointError(f"{path} names no network: {error.what}", fix="Copy it again, or retrain.") from error
    with torch.device("meta"):
        subnet = SubNet(info.space, architecture)
    wanted = subnet.state_dict()
    wrong = sorted(wanted.keys() ^ tensors.keys()) or sorted(n for n in wanted if wanted[n].shape != tensors[n].shape)
    if wrong:
        raise CheckpointError(f"{path} does not hold the network it names: {wrong[0]} differs.", fix="Copy it again.")
    subnet.load_state_dict({name: tensors[name].to(wanted[name].dtype) for name in wanted}, assign=True)
    return TrainedNetwork(subnet.eval().requires_grad_(requires_grad=True), info)
