"""From weights to a bundle: those that a network inherits from a supernet, or its own after a training."""

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
from mosegedge.supernet.network import TrainedNetwork


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


def export_trained(
    folder: Path,
    network: TrainedNetwork,
    *,
    path: Path,
    guide: SegmentationSet,
    opset: int,
    predicted: Prediction | None,
    target: DeviceForms | None = None,
) -> Bundle:
    """Exports a network that was trained on its own, with the weights and statistics that it ended with.

    Args:
        folder: Of the bundle.
        network: The network.
        path: Its file, for the digest.
        guide: Its first picture becomes the golden input.
        opset: 11 to 17.
        predicted: What a profile predicts, where one was given.
        target: Device that the ONNX file has to suit; a `DeviceBuilder` also builds its own file. None for neither.
    """
    space = network.info.space
    return export_bundle(
        folder,
        network.subnet,
        space,
        golden_input=to_batch([guide.read(0)], space.input_size(network.subnet.architecture)).numpy(),
        classes=guide.classes,
        data=network.info.data,
        supernet_sha256=sha256_of_file(path),
        opset=opset,
        predicted=predicted,
        target=target,
    )
