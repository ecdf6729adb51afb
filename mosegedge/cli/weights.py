"""Where the weights of an exported network come from: a supernet, or a training of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mosegedge.cli.options import open_data
from mosegedge.cli.output import say
from mosegedge.errors import CheckpointError

if TYPE_CHECKING:
    from mosegedge.export.build import DeviceForms
    from mosegedge.export.bundle import Bundle, Prediction
    from mosegedge.space import Architecture
    from mosegedge.supernet.checkpoint import SupernetInfo
    from mosegedge.supernet.model import Supernet
    from mosegedge.supernet.network import TrainedNetwork


@dataclass(frozen=True, kw_only=True)
class Weights:
    """The weights of one network.

    Attributes:
        path: Their file.
        info: What it says about itself.
        architecture: The network.
        profile: That of the search which chose the network, if one did.
        source: The supernet, or the network itself.
    """

    path: Path
    info: SupernetInfo
    architecture: Architecture
    profile: str | None
    source: Supernet | TrainedNetwork

    def export(
        self, folder: Path, data_root: Path | None, *, opset: int, predicted: Prediction | None, target: DeviceForms
    ) -> Bundle:
        """Writes the bundle."""
        from mosegedge.export.inherit import export_inherited, export_trained
        from mosegedge.supernet.network import TrainedNetwork

        data, guide = self.info.data, open_data(self.info.data, "guide", data_root)
        self.info.require_classes(guide.classes, data, self.path)
        if isinstance(self.source, TrainedNetwork):
            return export_trained(
                folder, self.source, path=self.path, guide=guide, opset=opset, predicted=predicted, target=target
            )
        say(f"Re-estimating batch-norm statistics on {data} ...")
        return export_inherited(
            folder,
            self.architecture,
            supernet=self.source,
            supernet_path=self.path,
            train=open_data(data, "train", data_root),
            guide=guide,
            opset=opset,
            predicted=predicted,
            target=target,
        )


def weights_of(network: str, supernet: str | None) -> Weights:
    """Reads the weights of a network.

    Args:
        network: A code, `RUN:k`, or the run folder or file of a network that was trained on its own.
        supernet: Where weights are inherited from; by default that of the search for `RUN:k`, the shipped one for a
            code.

    Raises:
        CheckpointError: A file is missing, damaged or untrained, or no longer the one that the search used.
    """
    from mosegedge.cli.choice import network_and_profile, supernet_of
    from mosegedge.supernet.checkpoint import SHIPPED, checkpoint_path, load_supernet
    from mosegedge.supernet.network import load_network, network_path

    own = network_path(network)
    if own:
        trained = load_network(own)
        architecture = trained.subnet.architecture
        return Weights(path=own, info=trained.info, architecture=architecture, profile=None, source=trained)
    architecture, profile = network_and_profile(network)
    searched = supernet_of(network)
    path = checkpoint_path(supernet or (searched.path if searched else SHIPPED))
    source, info = load_supernet(path)
    info.require_trained(path)
    if searched:
        _compare(path, searched.digest, network, given=supernet is not None)
    return Weights(path=path, info=info, architecture=architecture, profile=profile, source=source)


def _compare(path: Path, digest: str, network: str, *, given: bool) -> None:
    """The scores by which a search chose a network are of one file; another is said, or refused if nobody named it."""
    from mosegedge.files import sha256_of_file

    if sha256_of_file(path) == digest:
        return
    if not given:
        raise CheckpointError(
            f"{path} is not the checkpoint that the search of {network} used.",
            known=f"That one had the digest {digest[:12]}; the file was changed since, as by a longer training.",
            fix=f"Restore it, or take these weights all the same: --supernet {path}",
        )
    say(f"Note: {path} is another supernet than that of the search which chose {network}.")
