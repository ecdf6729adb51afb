"""Runs a few chosen networks on pictures that neither training nor search has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.data.dataset import Sample, SegmentationSet
from mosegedge.errors import CheckpointError
from mosegedge.progress import Progress
from mosegedge.report.records import Manifest
from mosegedge.space import Architecture

if TYPE_CHECKING:
    from mosegedge.supernet.model import Supernet

Masks = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class PictureSource:
    """What predictions are made from.

    Attributes:
        supernet: Shared weights.
        train: Training pictures, for batch-norm statistics.
        shown: Pictures to show.
        statistics_pictures: How many training pictures the statistics are estimated on; None for the usual number.
    """

    supernet: Supernet
    train: SegmentationSet
    shown: SegmentationSet
    statistics_pictures: int | None = None


@dataclass(frozen=True, kw_only=True)
class ShownPicture:
    """A picture, its labels, and what each network makes of it.

    Attributes:
        index: In its data set.
        sample: The picture with its labels.
        masks: Predictions at label size, one for each network.
        accuracies: Share of the labelled pixels that are right, one for each network.
    """

    index: int
    sample: Sample
    masks: tuple[Masks, ...]
    accuracies: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Predictions:
    """What the pictures section shows.

    Attributes:
        data: Name and part of the data set.
        classes: Class names.
        palette: K x 3 colours.
        networks: Numbers of the networks among the chosen ones, counted from 1.
        pictures: The pictures.
    """

    data: str
    classes: tuple[str, ...]
    palette: NDArray[np.uint8]
    networks: tuple[int, ...]
    pictures: tuple[ShownPicture, ...]


def open_source(manifest: Manifest, supernet: str | None, data_root: Path | None) -> PictureSource:
    """Opens what the search used.

    Args:
        manifest: Of the run.
        supernet: Where the checkpoint is now; as the run names it by default.
        data_root: Folder of the data set, where it needs one.

    Raises:
        CheckpointError: The checkpoint is missing, damaged, another one than the search used, or of other classes.
        DataError: The data set cannot be opened.
    """
    from mosegedge import data
    from mosegedge.files import sha256_of_file
    from mosegedge.supernet.checkpoint import checkpoint_path, load_supernet

    path = checkpoint_path(supernet or manifest.supernet.path)
    weights, info = load_supernet(path)
    digest = sha256_of_file(path)
    if digest != manifest.supernet.digest:
        raise CheckpointError(
            f"{path} has the digest {digest[:12]}, the search used {manifest.supernet.digest[:12]}.",
            known="Other weights would give other pictures than the networks that were scored.",
            fix="Name the checkpoint of the search: mosegedge report RUN --supernet FILE",
        )
    statistics = manifest.evaluation.get("statistics_pictures")
    shown = data.load(manifest.data, "val", data_root)
    info.require_classes(shown.classes, shown.name, path)
    return PictureSource(
        supernet=weights,
        train=data.load(manifest.data, "train", data_root),
        shown=shown,
        statistics_pictures=int(statistics) if statistics is not None else None,
    )


def few_of(count: int) -> tuple[int, ...]:
    """Smallest, middle and largest of `count` chosen networks, counted from 1."""
    return tuple(sorted({1, (count + 1) // 2, count})) if count else ()


def predict(source: PictureSource, chosen: Sequence[Architecture], pictures: int, progress: Progress) -> Predictions:
    """Predictions of the smallest, the middle and the largest chosen network.

    Args:
        source: Weights and pictures.
        chosen: The chosen networks, fastest first.
        pictures: How many pictures are shown, spread evenly over the data set.
        progress: Told about every network.
    """
    from mosegedge.data.transforms import to_batch
    from mosegedge.supernet.evaluate import InheritedEvaluator, labels_of, spread_indices

    shown = source.shown
    indices = spread_indices(shown, pictures)
    samples = [shown.read(index) for index in indices]
    evaluator = InheritedEvaluator(
        source.supernet, source.train, shown, statistics_pictures=source.statistics_pictures or 64, guide_pictures=1
    )
    networks = few_of(len(chosen))
    masks: list[list[Masks]] = [[] for _ in samples]
    progress.start("predicting pictures", len(networks))
    for k in networks:
        subnet = evaluator.subnet(chosen[k - 1])
        size = source.supernet.space.input_size(chosen[k - 1])
        for place, sample in enumerate(samples):
            logits = subnet(to_batch([sample], size)).detach()
            masks[place].append(labels_of(logits[0], sample.mask.shape, size))
        progress.advance(note=f"network {k}")
    found = (
        ShownPicture(
            index=index,
            sample=sample,
            masks=tuple(predicted),
            accuracies=tuple(accuracy(mask, sample.mask, len(shown.classes)) for mask in predicted),
        )
        for index, sample, predicted in zip(indices, samples, masks, strict=True)
    )
    return Predictions(
        data=f"{shown.name}, {shown.split}",
        classes=shown.classes,
        palette=shown.palette,
        networks=networks,
        pictures=tuple(found),
    )


def accuracy(mask: NDArray[np.integer[Any]], truth: NDArray[np.integer[Any]], classes: int) -> float:
    """Share of the labelled pixels that are right; 0 where none is labelled."""
    labelled = truth < classes
    return float((mask == truth)[labelled].mean()) if labelled.any() else 0.0
