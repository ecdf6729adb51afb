"""A bundle: the folder that is deployed, with everything needed to check it where it runs.

network.onnx          the network
network.engine, .om   what the device's own compiler made of it: the file that is measured and deployed; absent where
                      the device runs network.onnx itself (network.fp16.onnx where its precision is in the file)
weights.safetensors   the same weights for PyTorch
golden_input.npy      one normalised picture, and
golden_output.npy     the logits that PyTorch gives for it
agent.pyz, verify.py  for the device: checks the file there without mosegedge; absent in a bundle of ONNX alone
bundle.json           code, space, data set, normalisation, versions, digests, predicted latency, the built file
fps_card.txt, verify.json   written by `mosegedge verify`
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load

from mosegedge.errors import ArchitectureError, ExportError, SpaceError
from mosegedge.export.manifest import (
    AGAIN,
    GOLDEN_INPUT,
    GOLDEN_OUTPUT,
    MANIFEST,
    NETWORK,
    WEIGHTS,
    ArtefactSection,
    BundleManifest,
    Prediction,
    first_line,
    read_manifest,
)
from mosegedge.export.onnx import Picture
from mosegedge.files import sha256_of_file
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.presets import Preset

__all__ = ["CARD", "REPORT", "ArtefactSection", "Bundle", "BundleManifest", "Prediction", "load_bundle"]

REPORT, CARD = "verify.json", "fps_card.txt"


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

    @property
    def deployed_file(self) -> str:
        """Name of the file that a device runs."""
        return self.manifest.artefact.file if self.manifest.artefact else NETWORK

    def deployed(self) -> tuple[bytes, str, str]:
        """The file that a device runs: content, format and SHA-256; the ONNX file where nothing was built from it."""
        artefact = self.manifest.artefact
        if artefact is None:
            return self.onnx(), "onnx", self.manifest.files_sha256[NETWORK]
        return (self.folder / artefact.file).read_bytes(), artefact.format, artefact.sha256

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
            raise ExportError(f"{path} cannot be read: {first_line(error)}.", fix=AGAIN) from error
        strange = next((name for name, tensor in weights.items() if tensor.dtype != kinds[name]), None)
        if strange is not None:
            raise ExportError(f"{path} holds {strange} as {weights[strange].dtype}, not {kinds[strange]}.", fix=AGAIN)
        return subnet.eval()

    def _picture(self, name: str, channels: int) -> Picture:
        path, shape = self.folder / name, (1, channels, *self.input_size)
        try:
            picture = np.load(path, allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ExportError(f"{path} cannot be read: {first_line(error)}.", fix=AGAIN) from error
        if not isinstance(picture, np.ndarray) or picture.dtype != np.float32 or picture.shape != shape:
            found = f"{picture.dtype} {picture.shape}" if isinstance(picture, np.ndarray) else "an archive"
            raise ExportError(f"{path} holds {found}; the network needs float32 {shape}.", fix=AGAIN)
        return picture


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
    manifest = read_manifest(path)
    bundle = Bundle(folder, manifest)
    try:
        bundle.space.layers_of(bundle.architecture)
    except (ArchitectureError, SpaceError) as error:
        raise ExportError(f"{path} cannot be used: {error.what}", known=error.known, fix=AGAIN) from error
    if len(manifest.classes) != bundle.space.classes:
        raise ExportError(f"{path} names {len(manifest.classes)} classes, its space has {bundle.space.classes}.")
    for name in manifest.content:
        if not (folder / name).is_file() or sha256_of_file(folder / name) != manifest.files_sha256[name]:
            raise ExportError(f"{folder / name} is missing or was changed after the export.", fix=AGAIN)
    return bundle
