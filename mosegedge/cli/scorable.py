"""What `mosegedge evaluate` can score: inherited weights, a network with its own, an exported file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mosegedge.cli.options import open_data
from mosegedge.cli.output import say
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    import torch

    from mosegedge.cli.weights import Weights
    from mosegedge.data.dataset import SegmentationSet
    from mosegedge.export.deployed import OnnxNetwork
    from mosegedge.supernet.runnable import Runnable

_BUNDLE, _SEARCH, _ONNX, _WEIGHTS = "bundle.json", "run.json", ".onnx", ".safetensors"


@dataclass(frozen=True, kw_only=True)
class Scorable:
    """A network whose file was read, before any data set is opened.

    Attributes:
        kind: Where its weights come from.
        path: Their file.
        sha256: Its digest.
        code: The network.
        space: Name of its space.
        data: Name of the data set that it was trained on.
        source: The weights, or the loaded file.
    """

    kind: Literal["inherited", "trained", "onnx"]
    path: Path
    sha256: str
    code: str
    space: str
    data: str
    source: Weights | OnnxNetwork

    @property
    def described(self) -> str:
        """Where its weights come from, in words."""
        words = {"inherited": "inherited from", "trained": "its own, in", "onnx": "run by ONNX Runtime, in"}
        return f"{words[self.kind]} {self.path}"

    def facts(self) -> dict[str, Any]:
        """What it is, as plain values."""
        return {
            "kind": self.kind,
            "weights": str(self.path),
            "sha256": self.sha256,
            "code": self.code,
            "space": self.space,
        }

    def runnable(
        self, dataset: SegmentationSet, data_root: Path | None, device: torch.device, statistics_pictures: int
    ) -> Runnable:
        """The network ready to be scored on a data set.

        Raises:
            CheckpointError: It was trained on other classes, as far as its file knows them.
        """
        from mosegedge.export.deployed import OnnxNetwork
        from mosegedge.supernet.evaluate import in_whole_batches
        from mosegedge.supernet.network import TrainedNetwork
        from mosegedge.supernet.runnable import inheriting

        if isinstance(self.source, OnnxNetwork):
            return self.source.runnable(dataset)
        self.source.info.require_classes(dataset.classes, dataset.name, self.path)
        weights = self.source.source
        if isinstance(weights, TrainedNetwork):
            return weights.runnable(device)
        train = open_data(dataset.name, "train", data_root)
        count = in_whole_batches(statistics_pictures, train)
        say(f"Re-estimating batch-norm statistics on {count} pictures of {dataset.name}/train ...")
        return inheriting(
            weights,
            self.source.architecture,
            train=train,
            dataset=dataset,
            statistics_pictures=statistics_pictures,
            device=device,
        )


def scorable(network: str, supernet: str | None, *, on: str, threads: int) -> Scorable:
    """Reads what a user names.

    Args:
        network: A code, `RUN:k`, the run folder or file of a retrained network, a bundle, or an ONNX file.
        supernet: Where the weights of a code are inherited from; see `weights_of` for the default.
        on: The processor that the user wants.
        threads: Threads of ONNX Runtime.

    Raises:
        UsageError: It is nothing of that, or more than one of it, or an option does not suit it.
        CheckpointError: A file of weights is missing, damaged, or of another kind.
        ExportError: An exported file is missing, damaged, or cannot be run here.
    """
    from mosegedge.cli.weights import weights_of
    from mosegedge.files import sha256_of_file
    from mosegedge.supernet.network import TrainedNetwork, load_network

    path = Path(network)
    _require_one_network(path)
    own = path.is_dir() or path.suffix in (_ONNX, _WEIGHTS)
    if own and supernet is not None:
        raise UsageError(
            f"{network} has weights of its own, so there is nothing to inherit from {supernet}.",
            fix="Leave --supernet out, or name a network by its code.",
        )
    if path.suffix == _ONNX or (path / _BUNDLE).is_file():
        return _exported(path, on=on, threads=threads)
    if path.suffix == _WEIGHTS and not path.is_file():
        load_network(path)  # says that there is none
    weights = weights_of(network, supernet)
    return Scorable(
        kind="trained" if isinstance(weights.source, TrainedNetwork) else "inherited",
        path=weights.path,
        sha256=sha256_of_file(weights.path),
        code=weights.architecture.slug,
        space=weights.info.space.name,
        data=weights.info.data,
        source=weights,
    )


def _require_one_network(path: Path) -> None:
    """A folder must hold a retrained network or a bundle, and not both."""
    from mosegedge.supernet.network import NETWORK_FILE

    if not path.is_dir():
        return
    held = [name for name in (NETWORK_FILE, _BUNDLE) if (path / name).is_file()]
    if not held and (path / _SEARCH).is_file():
        raise UsageError(
            f"{path} is the run folder of a search, which chose several networks.",
            fix=f"Name one by its number: mosegedge evaluate {path}:1",
        )
    if not held:
        raise UsageError(
            f"{path} holds no network: there is neither {NETWORK_FILE} nor {_BUNDLE}.",
            known="The first is what `mosegedge retrain` writes, the second what `mosegedge export` writes.",
            fix=f"A network of a supernet there is named by its code: mosegedge evaluate CODE --supernet {path}",
        )
    if len(held) > 1:
        raise UsageError(
            f"{path} holds both a retrained network and a bundle.",
            fix=f"Name one: {path / NETWORK_FILE}, or the .onnx file.",
        )


def _exported(path: Path, *, on: str, threads: int) -> Scorable:
    from mosegedge.export.deployed import onnx_of_bundle, read_onnx
    from mosegedge.space import Architecture

    if on == "cuda":
        raise UsageError("An exported file is run by ONNX Runtime on the CPU.", fix="Use --on cpu, or leave it out.")
    if path.is_dir():
        path, note = onnx_of_bundle(path)
        if note:
            say(note)
    found = read_onnx(path, threads=threads)
    return Scorable(
        kind="onnx",
        path=path,
        sha256=found.sha256,
        code=Architecture.parse(found.code).slug,
        space=found.space,
        data=found.data,
        source=found,
    )
