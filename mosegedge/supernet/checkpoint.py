"""Supernet weights on disk: safetensors with the space and the training's facts in the header."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mosegedge.errors import CheckpointError, SpaceError
from mosegedge.files import canonical_json, write_atomic
from mosegedge.space import SearchSpace
from mosegedge.space.presets import Preset
from mosegedge.supernet.model import Supernet

SUPERNET_FILE = "supernet.safetensors"
SHIPPED = "demo"
SHIPPED_FILE = "tiny-scenes.safetensors"
SUPERNET_FORMAT = "mosegedge-supernet-1"
PRETRAINED_FORMAT = "mosegedge-pretrained-1"


@dataclass(frozen=True, kw_only=True)
class Imported:
    """A file of another program whose weights were taken over.

    Attributes:
        layout: Whose names and shapes it has: `ofa_resnet50`.
        file: Its name, without folders.
        sha256: Digest of its content.
        size_bytes: Its size.
        mapped: How many of its tensors were taken over.
        left_out: Those that have no place here, each with the reason.
        differences: What is done differently here, and what follows; by subject.
        seed: Decided the weights of all parts that the file does not have.
    """

    layout: str
    file: str
    sha256: str
    size_bytes: int
    mapped: int
    left_out: dict[str, str]
    differences: dict[str, str]
    seed: int


@dataclass(frozen=True, kw_only=True)
class SupernetInfo:
    """What a checkpoint says about itself.

    Attributes:
        space: The search space.
        data: Name of the data set that it was trained on; empty where there was none yet.
        step: Training steps done.
        training: The training configuration, as plain values.
        untrained: Parts whose weights are still random, as `decoder`.
        imported: The file that weights were taken over from, where another program trained them.
        classes: Names of the data set's classes in the order of the labels; empty where the file does not say.
    """

    space: SearchSpace
    data: str
    step: int
    training: dict[str, Any]
    untrained: tuple[str, ...] = ()
    imported: Imported | None = None
    classes: tuple[str, ...] = ()

    def require_classes(self, classes: Sequence[str], data: str, path: Path) -> None:
        """Refuses labels that mean something else than those of the training, as far as the file knows these.

        Args:
            classes: Names of the classes in the order of the labels.
            data: Name of their data set.
            path: The file, for the message.

        Raises:
            CheckpointError: The lists differ.
        """
        if difference := self.other_classes(classes):
            raise CheckpointError(
                f"{path} was trained on other classes than those of {data}: {difference}.",
                known="A label is the place of its class in the list, so names and order have to be the same.",
                fix="Name the data set that it was trained on, with --data and --data-root, or train on this one.",
            )

    def other_classes(self, classes: Sequence[str]) -> str:
        """What differs between the classes of the training and others; empty where nothing does or is known to."""
        if not self.classes or self.classes == tuple(classes):
            return ""
        if len(self.classes) != len(classes):
            return f"it has {len(self.classes)} of them, there are {len(classes)} here"
        place = next(
            place for place, (one, other) in enumerate(zip(self.classes, classes, strict=True)) if one != other
        )
        return f"class {place} is {self.classes[place]!r} in it and {classes[place]!r} here"

    def require_trained(self, path: Path) -> None:
        """Refuses weights that say nothing about how good a network is.

        Raises:
            CheckpointError: A part that every network has is still random.
        """
        if self.untrained:
            source = f"Its encoder comes from {self.imported.file}; " if self.imported else ""
            raise CheckpointError(
                f"{path} has random weights in its {' and '.join(self.untrained)}: no network of it can segment yet.",
                known=f"{source}mIoU or a mask would mean nothing.",
                fix=f"Train a supernet that starts from it: mosegedge train --encoder {path} --output RUN",
            )


def save_supernet(path: Path, supernet: Supernet, info: SupernetInfo, *, half: bool = False) -> None:
    """Writes the weights atomically.

    Args:
        path: The file.
        supernet: The weights.
        info: What is written into the header.
        half: Store convolution weights as float16; norms keep float32.
    """
    state = supernet.network.state_dict()
    write_tensors(path, with_half_convolutions(state) if half else state, SUPERNET_FORMAT, info)


def with_half_convolutions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same weights, those of convolutions as float16: half the size, and norms keep their statistics."""
    return {name: tensor.half() if tensor.dim() == 4 else tensor for name, tensor in state.items()}


def write_tensors(path: Path, tensors: dict[str, Tensor], kind: str, info: SupernetInfo) -> None:
    """Writes named tensors and their header atomically."""
    header = {
        "format": kind,
        "space": canonical_json(info.space.preset.to_json()),
        "space_digest": info.space.digest,
        "data": info.data,
        "step": str(info.step),
        "training": canonical_json(info.training),
    }
    if info.classes:
        header["classes"] = canonical_json(info.classes)
    if info.untrained:
        header["untrained"] = canonical_json(info.untrained)
    if info.imported:
        header["imported"] = canonical_json(asdict(info.imported))
    write_atomic(path, save({name: tensor.contiguous() for name, tensor in tensors.items()}, header))


def checkpoint_path(name: str) -> Path:
    """The file that a user means: `demo` for the shipped weights, a `.safetensors` file, or a training's run folder."""
    if name == SHIPPED:
        return Path(str(resources.files("mosegedge.supernet") / "weights" / SHIPPED_FILE))
    return Path(name) / SUPERNET_FILE if Path(name).is_dir() else Path(name)


def load_supernet(path: Path) -> tuple[Supernet, SupernetInfo]:
    """Reads a checkpoint.

    Args:
        path: What `checkpoint_path` gives.

    Raises:
        CheckpointError: The file is missing, damaged, or not a supernet.
    """
    tensors, info = read_tensors(path, SUPERNET_FORMAT)
    supernet = Supernet(info.space, torch.Generator())
    load_weights(supernet, tensors, path)
    return supernet.eval(), info


def supernet_info(path: Path) -> SupernetInfo:
    """What a checkpoint says about itself, without its weights."""
    return _read(path, SUPERNET_FORMAT, with_tensors=False)[1]


def load_weights(supernet: Supernet, tensors: dict[str, Tensor], path: Path) -> None:
    """Copies tensors into a supernet after checking that names and shapes are those of its space."""
    wanted = supernet.network.state_dict()
    wrong = sorted(wanted.keys() ^ tensors.keys()) or sorted(n for n in wanted if wanted[n].shape != tensors[n].shape)
    if wrong:
        raise CheckpointError(
            f"{path} does not hold the weights of space {supernet.space.name}: {wrong[0]} differs.",
            known=f"{len(wrong)} tensors are missing, extra or of another shape.",
            fix="Train a supernet for this space: mosegedge train --space ... --data ... --output RUN",
        )
    supernet.network.load_state_dict({name: tensors[name].to(wanted[name].dtype) for name in wanted})


def read_tensors(path: Path, *kinds: str) -> tuple[dict[str, Tensor], SupernetInfo]:
    """Reads named tensors and their header, and checks what kind of file it is."""
    return _read(path, *kinds, with_tensors=True)


def _read(path: Path, *kinds: str, with_tensors: bool) -> tuple[dict[str, Tensor], SupernetInfo]:
    if not path.is_file():
        raise CheckpointError(
            f"There is no checkpoint {path}.",
            fix="Train one: mosegedge train --output RUN. The shipped one is named 'demo'.",
        )
    try:
        with safe_open(path, framework="pt") as stream:
            header = stream.metadata() or {}
            if header.get("format") not in kinds:
                wanted = " or ".join(repr(kind) for kind in kinds)
                raise CheckpointError(f"{path} is of format {header.get('format')!r}, not {wanted}.")
            names = list(stream.keys()) if with_tensors else []
            tensors = {name: stream.get_tensor(name) for name in names}
        preset = Preset.from_json(json.loads(header["space"]))
        info = SupernetInfo(
            space=SearchSpace(preset),
            data=header["data"],
            step=int(header["step"]),
            training=json.loads(header["training"]),
            untrained=tuple(json.loads(header.get("untrained", "[]"))),
            imported=_imported(header.get("imported")),
            classes=TypeAdapter(tuple[str, ...]).validate_json(header.get("classes", "[]")),
        )
    except (SafetensorError, KeyError, ValueError, TypeError, SpaceError) as error:
        raise CheckpointError(
            f"{path} cannot be read as a checkpoint: {error}.", fix="Copy it again, or train anew."
        ) from error
    if info.space.digest != header["space_digest"]:
        raise CheckpointError(f"The space in the header of {path} does not match its digest.", fix="Copy it again.")
    return tensors, info


def _imported(text: str | None) -> Imported | None:
    return TypeAdapter(Imported).validate_json(text, strict=True) if text else None
