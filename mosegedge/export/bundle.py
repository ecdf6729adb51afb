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
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load, save

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import ArchitectureError, ExportError, SpaceError
from mosegedge.export.onnx import Picture, check_against_torch, onnx_from_subnet, torch_output
from mosegedge.files import sha256_of_bytes, sha256_of_file, write_atomic
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.presets import Preset

MANIFEST = "bundle.json"
NETWORK, WEIGHTS = "network.onnx", "weights.safetensors"
GOLDEN_INPUT, GOLDEN_OUTPUT = "golden_input.npy", "golden_output.npy"
REPORT, CARD = "verify.json", "fps_card.txt"
_CONTENT = (NETWORK, WEIGHTS, GOLDEN_INPUT, GOLDEN_OUTPUT)
_FORMAT = "mosegedge-bundle-1"
_AGAIN = "Export the network again."

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[Finite, Field(gt=0)]
Triple = Annotated[list[Finite], Field(min_length=3, max_length=3)]


class Prediction(BaseModel):
    """Latency that a profile predicts for the network.

    Attributes:
        profile: Its name.
        statistic: Which of all timed runs of a network stands for it in that profile.
        latency_ms: Predicted.
        sd_ms: Standard deviation of the prediction.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    profile: str
    statistic: Literal["median", "quantile10"]
    latency_ms: Positive
    sd_ms: Annotated[Finite, Field(ge=0)]


class BundleManifest(BaseModel):
    """Content of bundle.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: str
    code: str
    space: dict[str, Any]
    data: str
    classes: list[str]
    mean: Triple
    std: Triple
    opset: int
    supernet_sha256: str
    versions: dict[str, str]
    difference_to_torch: Finite
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
        """The golden input 1 x 3 x H x W, and PyTorch's logits for it.

        Raises:
            ExportError: They are not arrays that suit the network.
        """
        return self._picture(GOLDEN_INPUT, 3), self._picture(GOLDEN_OUTPUT, self.space.classes)

    def subnet(self) -> SubNet:
        """The network in PyTorch, in evaluation mode.

        Raises:
            ExportError: The weights are damaged, or those of another network.
        """
        path = self.folder / WEIGHTS
        with torch.device("meta"):
            subnet = SubNet(self.space, self.architecture)
        kinds = {name: tensor.dtype for name, tensor in subnet.state_dict().items()}
        try:
            weights = load(path.read_bytes())
            subnet.load_state_dict(weights, assign=True)
        except (SafetensorError, RuntimeError) as error:
            raise ExportError(f"{path} cannot be read: {_first_line(error)}.", fix=_AGAIN) from error
        strange = next((name for name, tensor in weights.items() if tensor.dtype != kinds[name]), None)
        if strange is not None:
            raise ExportError(f"{path} holds {strange} as {weights[strange].dtype}, not {kinds[strange]}.", fix=_AGAIN)
        return subnet.eval()

    def _picture(self, name: str, channels: int) -> Picture:
        path, shape = self.folder / name, (1, channels, *self.input_size)
        try:
            picture = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ExportError(f"{path} cannot be read: {_first_line(error)}.", fix=_AGAIN) from error
        if not isinstance(picture, np.ndarray) or picture.dtype != np.float32 or picture.shape != shape:
            found = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else "an archive"
            raise ExportError(f"{path} holds {found}; the network needs float32 {shape}.", fix=_AGAIN)
        return picture


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
        folder: Made if missing; an older bundle in it is replaced, and its verification removed.
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
    for name in (MANIFEST, REPORT, CARD):
        (folder / name).unlink(missing_ok=True)
    for name, content in files.items():
        write_atomic(folder / name, content)
    write_atomic(folder / MANIFEST, json.dumps(manifest.model_dump(), indent=2) + "\n")
    return Bundle(folder, manifest)


def load_bundle(folder: Path) -> Bundle:
    """Reads a bundle and checks the digests of its files.

    Raises:
        ExportError: The folder is no bundle, or a file was changed after the export.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise ExportError(
            f"{folder} is no bundle: it has no {MANIFEST}.",
            fix="Export a network: mosegedge export CODE --supernet CKPT --output DIR",
        )
    manifest = _manifest(path)
    bundle = Bundle(folder, manifest)
    try:
        bundle.space.layers_of(bundle.architecture)
    except (ArchitectureError, SpaceError) as error:
        raise ExportError(f"{path} cannot be used: {error.what}", known=error.known, fix=_AGAIN) from error
    if len(manifest.classes) != bundle.space.classes:
        raise ExportError(f"{path} names {len(manifest.classes)} classes, its space has {bundle.space.classes}.")
    if set(manifest.files_sha256) != set(_CONTENT):
        found = ", ".join(sorted(manifest.files_sha256)) or "none"
        raise ExportError(f"{path} has the digests of {found}.", known=f"Needed: {', '.join(_CONTENT)}.", fix=_AGAIN)
    for name in _CONTENT:
        if not (folder / name).is_file() or sha256_of_file(folder / name) != manifest.files_sha256[name]:
            raise ExportError(f"{folder / name} is missing or was changed after the export.", fix=_AGAIN)
    return bundle


def _manifest(path: Path) -> BundleManifest:
    try:
        record = json.loads(path.read_bytes())
        # The format first: the fields of another one would be judged by the wrong rules.
        if isinstance(record, dict) and record.get("format") != _FORMAT:
            raise ExportError(f"{path} has the format {record.get('format')!r}, this version reads {_FORMAT!r}.")
        return BundleManifest.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "its content"
        raise ExportError(f"{path} cannot be read: {place}: {first['msg']}.", fix=_AGAIN) from error
    except (ValueError, RecursionError) as error:
        raise ExportError(f"{path} cannot be read: {_first_line(error)}.", fix=_AGAIN) from error


def _npy(picture: Picture) -> bytes:
    stream = io.BytesIO()
    np.save(stream, picture, allow_pickle=False)
    return stream.getvalue()


def _versions() -> dict[str, str]:
    packages = ("mosegedge", "torch", "onnx", "onnxruntime", "numpy")
    return {name: version(name) for name in packages} | {"python": platform.python_version()}


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split("\n")[:2]).strip().rstrip(".")
