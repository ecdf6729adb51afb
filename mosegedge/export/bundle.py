"""A bundle: the folder that is deployed, with everything needed to check it where it runs.

network.onnx          the network
weights.safetensors   the same weights for PyTorch
golden_input.npy      one normalised picture, and
golden_output.npy     the logits that PyTorch gives for it
bundle.json           code, space, data set, normalisation, versions, digests, predicted latency
fps_card.txt, verify.json   written by `mosegedge verify`
"""

from __future__ import annotations

import io
import json
import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import ExportError, SpaceError
from mosegedge.export.onnx import Picture, check_against_torch, onnx_from_subnet, torch_output
from mosegedge.files import sha256_of_bytes, sha256_of_file, write_atomic
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.presets import Preset

MANIFEST = "bundle.json"
NETWORK, WEIGHTS = "network.onnx", "weights.safetensors"
GOLDEN_INPUT, GOLDEN_OUTPUT = "golden_input.npy", "golden_output.npy"
_FORMAT = "mosegedge-bundle-1"


class Prediction(BaseModel):
    """Latency that a profile predicts for the network."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    latency_ms: float
    sd_ms: float


class BundleManifest(BaseModel):
    """Content of bundle.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    code: str
    space: dict[str, Any]
    data: str
    classes: list[str]
    mean: list[float]
    std: list[float]
    opset: int
    supernet_sha256: str
    versions: dict[str, str]
    difference_to_torch: float
    predicted: Prediction | None
    files_sha256: dict[str, str]


@dataclass(frozen=True)
class Bundle:
    """An exported network on disk.

    Args:
        folder: Where it lies.
        manifest: What bundle.json says.
    """

    folder: Path
    manifest: BundleManifest

    @property
    def architecture(self) -> Architecture:
        """The network's code."""
        return Architecture.parse(self.manifest.code)

    @property
    def space(self) -> SearchSpace:
        """The space that the code belongs to."""
        return SearchSpace(Preset.from_json(self.manifest.space))

    @property
    def input_size(self) -> tuple[int, int]:
        """Height and width that the network takes."""
        return self.space.input_size(self.architecture)

    def onnx(self) -> bytes:
        """The network's ONNX file."""
        return (self.folder / NETWORK).read_bytes()

    def golden(self) -> tuple[Picture, Picture]:
        """The golden input 1 x 3 x H x W, and PyTorch's logits for it."""
        pictures = (np.load(self.folder / name, allow_pickle=False) for name in (GOLDEN_INPUT, GOLDEN_OUTPUT))
        given, expected = pictures
        return given, expected

    def subnet(self) -> SubNet:
        """The network in PyTorch, in evaluation mode."""
        with torch.device("meta"):
            subnet = SubNet(self.space, self.architecture)
        try:
            subnet.load_state_dict(load((self.folder / WEIGHTS).read_bytes()), assign=True)
        except (SafetensorError, RuntimeError) as error:
            raise ExportError(f"{self.folder / WEIGHTS} cannot be read: {error}.", fix="Export it again.") from error
        return subnet.eval()


def export_bundle(
    folder: Path,
    subnet: SubNet,
    space: SearchSpace,
    *,
    golden_input: Picture,
    classes: tuple[str, ...],
    data: str,
    supernet_sha256: str,
    opset: int,
    predicted: Prediction | None,
) -> Bundle:
    """Writes a bundle; bundle.json comes last, so a folder without it is an export that was cut short.

    Args:
        folder: Made if missing; an older bundle in it is replaced.
        subnet: Network with weights and statistics.
        space: Its space.
        golden_input: One normalised picture 1 x 3 x H x W.
        classes: Class names in the order of the logits.
        data: Name of the data set that it was trained on.
        supernet_sha256: Digest of the checkpoint that the weights came from.
        opset: 11 to 17.
        predicted: What a profile predicts, where one was given.

    Raises:
        ExportError: The file is not valid ONNX, or ONNX Runtime on the host does not agree with PyTorch.
    """
    expected = torch_output(subnet, golden_input)
    facts = {"classes": ",".join(classes), "mean": json.dumps(list(MEAN)), "std": json.dumps(list(STD)), "data": data}
    model = onnx_from_subnet(subnet, space, opset=opset, metadata=facts)
    difference = check_against_torch(model, golden_input, expected)
    files = {
        NETWORK: model,
        WEIGHTS: save({name: tensor.contiguous() for name, tensor in subnet.state_dict().items()}),
        GOLDEN_INPUT: _npy(golden_input),
        GOLDEN_OUTPUT: _npy(expected),
    }
    manifest = BundleManifest(
        format=_FORMAT,
        code=str(subnet.architecture),
        space=space.preset.to_json(),
        data=data,
        classes=list(classes),
        mean=list(MEAN),
        std=list(STD),
        opset=opset,
        supernet_sha256=supernet_sha256,
        versions=_versions(),
        difference_to_torch=difference,
        predicted=predicted,
        files_sha256={name: sha256_of_bytes(content) for name, content in files.items()},
    )
    (folder / MANIFEST).unlink(missing_ok=True)
    for name, content in files.items():
        write_atomic(folder / name, content)
    write_atomic(folder / MANIFEST, json.dumps(manifest.model_dump(), indent=2) + "\n")
    return Bundle(folder, manifest)


def load_bundle(folder: Path) -> Bundle:
    """Reads a bundle and checks the digest of every file.

    Raises:
        ExportError: The folder is no bundle, or a file was changed after the export.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ExportError(
            f"{folder} is no bundle: it has no {MANIFEST}.",
            fix="Export a network: mosegedge export CODE --supernet CKPT --output DIR",
        )
    try:
        manifest = BundleManifest.model_validate_json(path.read_bytes())
        bundle = Bundle(folder, manifest)
        bundle.space.layers_of(bundle.architecture)
    except (ValidationError, SpaceError) as error:
        raise ExportError(f"{path} cannot be read: {_first_line(error)}.", fix="Export the network again.") from error
    if manifest.format != _FORMAT:
        raise ExportError(f"{path} has the format {manifest.format!r}, this version reads {_FORMAT!r}.")
    for name, digest in manifest.files_sha256.items():
        if not (folder / name).is_file() or sha256_of_file(folder / name) != digest:
            raise ExportError(f"{folder / name} is missing or was changed after the export.", fix="Export it again.")
    return bundle


def _npy(picture: Picture) -> bytes:
    stream = io.BytesIO()
    np.save(stream, picture, allow_pickle=False)
    return stream.getvalue()


def _versions() -> dict[str, str]:
    packages = ("mosegedge", "torch", "onnx", "onnxruntime", "numpy")
    return {name: version(name) for name in packages} | {"python": platform.python_version()}


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n")[:2]).strip().rstrip(".")
