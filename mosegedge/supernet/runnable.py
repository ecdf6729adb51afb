"""A network that can be run on pictures, whatever runs it, and its scores on one part of a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

import torch

from mosegedge.data.averaging import Looks, Predict, mean_probabilities
from mosegedge.data.dataset import Sample, SegmentationSet
from mosegedge.data.parallel import in_order, spare_cores
from mosegedge.data.prepared import BATCH
from mosegedge.data.scores import PartScores
from mosegedge.data.transforms import to_batch
from mosegedge.errors import UsageError
from mosegedge.networks.subnet import SubNet
from mosegedge.progress import Progress
from mosegedge.space import Architecture, SearchSpace
from mosegedge.supernet.evaluate import InheritedEvaluator, Masks, in_whole_batches, labels_of
from mosegedge.supernet.model import Supernet


@dataclass(frozen=True, kw_only=True)
class Runnable:
    """A network with its weights in place.

    Attributes:
        predict: Batch of normalised pictures to logits.
        size: Height and width of its input.
        classes: Number of classes that it tells apart.
        at_once: Pictures in a batch.
        any_size: Whether inputs of other sizes can be run too; not so in an exported file.
        statistics_pictures: Training pictures that its batch-norm statistics were re-estimated on, if they were.
    """

    predict: Predict
    size: tuple[int, int]
    classes: int
    at_once: int = 1
    any_size: bool = True
    statistics_pictures: int | None = None

    def require_looks(self, looks: Looks) -> None:
        """Raises UsageError where pictures cannot be looked at in these sizes."""
        if not self.any_size and set(looks.scales) != {1.0}:
            raise UsageError(
                f"An exported file has one input size, {self.size[1]}x{self.size[0]}.",
                known=f"Scales {', '.join(f'{scale:g}' for scale in looks.scales)} need others.",
                fix="Use --scales 1, or score the network that was exported, by its run folder or code.",
            )

    def require_classes(self, dataset: SegmentationSet) -> None:
        """Raises UsageError where a data set has another number of classes."""
        if self.classes != len(dataset.classes):
            raise UsageError(
                f"{dataset.name} has {len(dataset.classes)} classes, the network tells {self.classes} apart.",
                fix="Leave --data out, and it is scored on the data set that it was trained on.",
            )


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture and what a network made of it.

    Attributes:
        index: In the data set.
        sample: The picture with its true labels.
        prediction: H x W class numbers, at the size of the labels.
    """

    index: int
    sample: Sample
    prediction: Masks


def runnable_of(subnet: SubNet, space: SearchSpace, device: torch.device, *, at_once: int = 1) -> Runnable:
    """A network of PyTorch, in evaluation mode.

    Args:
        subnet: With weights and statistics.
        space: Its space.
        device: Where it is run; it is moved there.
        at_once: Pictures in a batch; few fit into memory at their full size.
    """
    placed = subnet.to(device)
    return Runnable(
        predict=lambda batch: placed(batch.to(device)),
        size=space.input_size(subnet.architecture),
        classes=space.classes,
        at_once=at_once,
    )


def inheriting(
    supernet: Supernet,
    architecture: Architecture,
    *,
    train: SegmentationSet,
    dataset: SegmentationSet,
    statistics_pictures: int,
    device: torch.device,
) -> Runnable:
    """A network with the weights that it inherits, as a search evaluates it: the same statistics, the same batches.

    Args:
        supernet: The shared weights.
        architecture: The network.
        train: Training pictures, for batch-norm statistics.
        dataset: What it will be scored on.
        statistics_pictures: How many training pictures, in whole batches; a search takes 64 unless told otherwise.
        device: Where it is run.

    Raises:
        UsageError: The data set has other classes than the supernet.
    """
    evaluator = InheritedEvaluator(supernet, train, dataset, statistics_pictures=statistics_pictures, guide_pictures=1)
    runnable = runnable_of(evaluator.subnet(architecture), supernet.space, device, at_once=BATCH)
    return replace(runnable, statistics_pictures=in_whole_batches(statistics_pictures, train))


def score_part(
    network: Runnable,
    dataset: SegmentationSet,
    *,
    progress: Progress,
    looks: Looks | None = None,
    boundary_share: float | None = None,
    indices: Sequence[int] | None = None,
) -> PartScores:
    """Scores a network, predictions brought to label size first; the same numbers every time.

    Args:
        network: The network.
        dataset: Pictures without augmentation.
        progress: Told about every picture.
        looks: How often it looks at a picture; once by default.
        boundary_share: Also counts Boundary IoU in bands of this width, in diagonals.
        indices: Which pictures; all by default.

    Raises:
        UsageError: Classes or sizes do not suit the network.
        DataError: A file of the data set is damaged.
    """
    looks, indices = looks or Looks(), range(len(dataset)) if indices is None else indices
    scores = PartScores(dataset.classes, boundary_share=boundary_share)
    progress.start(f"Scoring on {dataset.name}/{dataset.split}", len(indices))
    for one in labelled(network, dataset, indices, looks):
        scores.update(one.sample, one.prediction)
        progress.advance(note=f"mIoU {scores.matrix.miou:.4f}")
    return scores


def labelled(
    network: Runnable, dataset: SegmentationSet, indices: Sequence[int], looks: Looks | None = None
) -> Iterator[Labelled]:
    """What a network makes of some pictures, in their order; several are decoded ahead.

    Raises:
        UsageError: Classes or sizes do not suit the network.
        DataError: A file of the data set is damaged.
    """
    looks = looks or Looks()
    network.require_classes(dataset)
    network.require_looks(looks)
    read, numbers = in_order(dataset.read, indices, workers=spare_cores()), iter(indices)
    while samples := list(islice(read, network.at_once if looks.once else 1)):
        for sample, prediction in zip(samples, _predictions(network, samples, looks), strict=True):
            yield Labelled(next(numbers), sample, prediction)


def _predictions(network: Runnable, samples: Sequence[Sample], looks: Looks) -> list[Masks]:
    with torch.no_grad():
        if looks.once:
            batch = network.predict(to_batch(samples, network.size))
            return [
                labels_of(logits, sample.mask.shape, network.size)
                for logits, sample in zip(batch, samples, strict=True)
            ]
        means = [mean_probabilities(network.predict, sample, network.size, looks) for sample in samples]
        return [mean.argmax(dim=0).to(torch.uint8).cpu().numpy() for mean in means]
