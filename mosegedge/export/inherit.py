"""From a supernet and a code to a bundle."""

from __future__ import annotations

from pathlib import Path

from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.transforms import to_batch
from mosegedge.export.build import DeviceForms
from mosegedge.export.bundle import Bundle, Prediction
from mosegedge.export.write import export_bundle
from mosegedge.files import sha256_of_file
from mosegedge.space import Architecture
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet


def export_inherited(
    folder: Path,
    architecture: Architecture,
    *,
    supernet: Supernet,
    supernet_path: Path,
    train: SegmentationSet,
    guide: SegmentationSet,
    opset: int,
    predicted: Prediction | None,
    target: DeviceForms | None = None,
) -> Bundle:
    """Exports one network with the weights and statistics that a search scored it with.

    Args:
        folder: Of the bundle.
        architecture: The network.
        supernet: Shared weights.
        supernet_path: The checkpoint they came from, for its digest.
        train: Pictures that batch-norm statistics are re-estimated on.
        guide: Its first picture becomes the golden input.
        opset: 11 to 17.
        predicted: What a profile predicts, where one was given.
        target: Device that the ONNX file has to suit; a `DeviceBuilder` also builds its own file. None for neither.
    """
    space = supernet.space
    subnet = InheritedEvaluator(supernet, train, guide, guide_pictures=1).subnet(architecture)
    return export_bundle(
        folder,
        subnet,
        space,
        golden_input=to_batch([guide.read(0)], space.input_size(architecture)).numpy(),
        classes=guide.classes,
        data=guide.name,
        supernet_sha256=sha256_of_file(supernet_path),
        opset=opset,
        predicted=predicted,
        target=target,
    )
