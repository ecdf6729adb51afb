"""An exported ONNX file, run by ONNX Runtime on this machine's processor as a board would run it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import torch
from onnxruntime.capi import onnxruntime_pybind11_state as runtime
from torch import Tensor

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.transforms import MEAN, STD
from mosegedge.errors import ExportError, UsageError
from mosegedge.export.bundle import load_bundle
from mosegedge.export.manifest import NETWORK, first_line
from mosegedge.files import sha256_of_bytes
from mosegedge.supernet.runnable import Runnable

_FACTS = ("code", "space", "data", "classes", "mean", "std")
_REFUSALS = (
    runtime.Fail,
    runtime.InvalidArgument,
    runtime.InvalidGraph,
    runtime.InvalidProtobuf,
    runtime.NotImplemented,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class OnnxNetwork:
    """An ONNX file that `mosegedge export` wrote, loaded.

    Attributes:
        path: The file.
        sha256: Its digest.
        code: The network.
        space: Name of its space.
        data: Name of the data set that it was trained on.
        classes: Class names, in the order of its outputs.
        session: What runs it.
    """

    path: Path
    sha256: str
    code: str
    space: str
    data: str
    classes: tuple[str, ...]
    session: onnxruntime.InferenceSession

    def runnable(self, dataset: SegmentationSet) -> Runnable:
        """The network ready to be scored on a data set.

        Raises:
            UsageError: The data set has other classes, or names them in another order.
        """
        _, _, height, width = self.session.get_inputs()[0].shape
        classes = self.session.get_outputs()[0].shape[1]
        found = Runnable(predict=self._run, size=(height, width), classes=classes, any_size=False)
        found.require_classes(dataset)
        if self.classes != tuple(dataset.classes):
            raise UsageError(
                f"{dataset.name} has other classes than {self.path}.",
                known=f"The file was exported for {', '.join(self.classes)}.",
                fix=f"Score it on --data {self.data}.",
            )
        return found

    def _run(self, batch: Tensor) -> Tensor:
        (logits,) = self.session.run(None, {self.session.get_inputs()[0].name: batch.numpy()})
        return torch.from_numpy(logits)


def onnx_of_bundle(folder: Path) -> tuple[Path, str]:
    """The file of a bundle that can be run here.

    Returns:
        Its path, and what there is to say about the choice, or nothing.

    Raises:
        ExportError: The folder is no bundle, or a file in it was changed.
    """
    bundle = load_bundle(folder)
    artefact = bundle.manifest.artefact
    if artefact is None or artefact.format == "onnx":
        return folder / bundle.deployed_file, ""
    note = f"{artefact.file} runs on {artefact.device} alone; scored here is {NETWORK}, from which it was built."
    return folder / NETWORK, note


def read_onnx(path: Path, *, threads: int) -> OnnxNetwork:
    """Loads an exported file.

    Args:
        path: The file.
        threads: Threads inside one operator.

    Raises:
        ExportError: It is missing, damaged or of another program, or ONNX Runtime does not run it here.
    """
    if not path.is_file():
        raise ExportError(f"There is no file {path}.", fix="Export a network: mosegedge export CODE --output DIR")
    content = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except _REFUSALS as error:
        raise ExportError(f"ONNX Runtime does not run {path} here: {first_line(error)}.") from error
    facts = dict(session.get_modelmeta().custom_metadata_map)
    missing = [name for name in _FACTS if name not in facts]
    if missing:
        raise ExportError(
            f"{path} does not say its {missing[0]}.",
            known="Files that mosegedge export writes say how pictures are normalised and what the classes are.",
            fix="Name such a file, or the folder of its bundle.",
        )
    if (facts["mean"], facts["std"]) != (json.dumps(list(MEAN)), json.dumps(list(STD))):
        raise ExportError(
            f"{path} takes pictures normalised with {facts['mean']} and {facts['std']}.",
            known=f"This version normalises with {list(MEAN)} and {list(STD)}.",
            fix="Export the network again.",
        )
    return OnnxNetwork(
        path=path,
        sha256=sha256_of_bytes(content),
        code=facts["code"],
        space=facts["space"],
        data=facts["data"],
        classes=_classes(path, facts["classes"]),
        session=session,
    )


def _classes(path: Path, text: str) -> tuple[str, ...]:
    """The class names that a file gives: a JSON list, or names with commas between them as files had before."""
    if not text.startswith("["):
        return tuple(text.split(","))
    try:
        names = json.loads(text)
    except (ValueError, RecursionError):
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ExportError(
            f"The classes that {path} gives cannot be read: {text[:60]}.", fix="Export the network again."
        )
    return tuple(names)
