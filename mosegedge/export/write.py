"""Writes a bundle: ONNX checked against PyTorch, what the device made of it, and the facts."""

from __future__ import annotations

import errno
import io
import json
import platform
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.torch import save

from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import ExportError
from mosegedge.export.build import DeviceArtefact, DeviceBuilder, DeviceForms
from mosegedge.export.bundle import CARD, REPORT, Bundle
from mosegedge.export.manifest import (
    AGENT,
    GOLDEN_INPUT,
    GOLDEN_OUTPUT,
    MANIFEST,
    NETWORK,
    VERIFIER,
    WEIGHTS,
    BundleManifest,
    Prediction,
    read_manifest,
)
from mosegedge.export.migrations import FORMAT
from mosegedge.export.onnx import Picture, check_against_torch, difference_to_torch, onnx_from_subnet, torch_output
from mosegedge.files import sha256_of_bytes, write_atomic
from mosegedge.networks.subnet import SubNet
from mosegedge.space import SearchSpace


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
    target: DeviceForms | None = None,
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
        target: Device that the ONNX file has to suit; a `DeviceBuilder` also builds its own file. None for neither.

    Raises:
        ExportError: The file is not valid ONNX, has a form that the device does not take, or ONNX Runtime on the host
            does not agree with PyTorch.
        DeviceError: The device could not build it.
    """
    expected = torch_output(subnet, golden_input)
    lists = {"classes": classes, "mean": MEAN, "std": STD}
    facts = {"data": data, **{name: json.dumps(list(values), ensure_ascii=False) for name, values in lists.items()}}
    model = onnx_from_subnet(subnet, space, opset=opset, metadata=facts)
    model = target.suited(model) if target else model
    difference = check_against_torch(model, golden_input, expected)
    artefact = _built(target, model, golden_input, expected) if isinstance(target, DeviceBuilder) else None
    files = {
        NETWORK: model,
        WEIGHTS: save({name: tensor.contiguous() for name, tensor in subnet.state_dict().items()}),
        GOLDEN_INPUT: _npy(golden_input),
        GOLDEN_OUTPUT: _npy(expected),
    }
    if artefact:
        files |= {artefact.section.file: artefact.content, AGENT: artefact.agent, VERIFIER: _verifier()}
    manifest = BundleManifest(
        format=FORMAT,
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
        artefact=artefact.section if artefact else None,
        files_sha256={name: sha256_of_bytes(content) for name, content in files.items()},
    )
    _write(folder, files | {MANIFEST: (json.dumps(manifest.model_dump(), indent=2) + "\n").encode()})
    return Bundle(folder, manifest)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Replaces what is in the folder; the manifest is the last of the files."""
    name = ""
    try:
        _remove_old(folder)
        for name, content in files.items():
            write_atomic(folder / name, content)
    except OSError as error:
        size_mib = sum(map(len, files.values())) / 2**20
        way_out = "Free some space, or choose" if error.errno == errno.ENOSPC else "Choose"
        raise ExportError(
            f"{folder / name} cannot be written: {error.strerror}.",
            known=f"The bundle takes {size_mib:.1f} MiB.",
            fix=f"{way_out} another --output; then export again.",
        ) from error


def _built(builder: DeviceBuilder, model: bytes, golden_input: Picture, expected: Picture) -> DeviceArtefact:
    typed = builder.typed(model)
    if typed == model:
        return builder.build(model, model)
    # Not an error here: how much of it a network bears depends on its training, and the device is judged by `verify`.
    return builder.build(model, typed, difference=difference_to_torch(typed, golden_input, expected))


def _remove_old(folder: Path) -> None:
    """Removes what only an older bundle had; the manifest goes first, so that no kill leaves one without its files."""
    path, names = folder / MANIFEST, {REPORT, CARD}
    # A damaged manifest names nothing; the new one covers every file that counts.
    with suppress(ExportError, OSError):
        names |= set(read_manifest(path).content)
    for name in (MANIFEST, *sorted(names)):
        (folder / name).unlink(missing_ok=True)


def _verifier() -> bytes:
    """The program that checks a bundle on the device."""
    return (resources.files("mosegedge.export") / "standalone_verify.py").read_bytes()


def _npy(picture: Picture) -> bytes:
    stream = io.BytesIO()
    np.save(stream, picture, allow_pickle=False)
    return stream.getvalue()


def _versions() -> dict[str, str]:
    packages = ("mosegedge", "torch", "onnx", "onnxruntime", "numpy")
    return {name: version(name) for name in packages} | {"python": platform.python_version()}
