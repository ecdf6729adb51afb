"""How good a network is: batch-norm statistics re-estimated, then mIoU over a data set at label size."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mosegedge.data.averaging import at_label_size
from mosegedge.data.dataset import SegmentationSet
from mosegedge.data.metrics import ConfusionMatrix
from mosegedge.data.prepared import BATCH, PictureCache
from mosegedge.data.room import Room, usual_bytes
from mosegedge.errors import UsageError
from mosegedge.networks.subnet import SubNet
from mosegedge.space import Architecture
from mosegedge.supernet.model import Supernet

Masks = NDArray[np.uint8]

_AT_ONCE = 1 << 21
"""Scores that are resized together, 8 MiB of them."""


def spread_indices(dataset: SegmentationSet, count: int) -> tuple[int, ...]:
    """`count` indices spread evenly over a data set (all of them where it has fewer)."""
    count = min(count, len(dataset))
    return tuple(int(index) for index in np.linspace(0, len(dataset) - 1, count).round())


def in_whole_batches(wanted: int, dataset: SegmentationSet) -> int:
    """How many pictures statistics are re-estimated on: whole batches, which all weigh alike, where there is one."""
    return max(min(wanted, len(dataset)) // BATCH * BATCH, min(BATCH, len(dataset)))


def reestimate_statistics(subnet: nn.Module, batches: Iterable[Tensor]) -> None:
    """Replaces the batch-norm statistics by the plain average over the given batches.

    Statistics inherited from a supernet were gathered by many networks at once and fit none of them. The average
    weighs all batches alike, so their order does not matter.

    Args:
        subnet: Changed in place; left in evaluation mode.
        batches: Training pictures without augmentation, at the network's input size, all of one batch size.
    """
    norms = [module for module in subnet.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the cumulative average
    subnet.train()
    with torch.no_grad():
        for batch in batches:
            subnet(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    subnet.eval()


def confusion_of(predict: Callable[[Tensor], Tensor], pictures: PictureCache, size: tuple[int, int]) -> ConfusionMatrix:
    """Confusion matrix of a network over a data set, predictions brought to label size first.

    Args:
        predict: Batch of pictures to logits.
        pictures: The data.
        size: Input height and width of the network.
    """
    matrix = ConfusionMatrix(len(pictures.dataset.classes))
    with torch.no_grad():
        for batch in pictures.labelled(size):
            for logits, mask in zip(predict(batch.pictures), batch.masks, strict=True):
                matrix.update(labels_of(logits, mask.shape, size), mask)
    return matrix


def labels_of(logits: Tensor, shape: tuple[int, ...], size: tuple[int, int]) -> Masks:
    """Class indices of one picture at the size of its labels.

    Args:
        logits: K x h x w.
        shape: Height and width of the picture's labels.
        size: Input height and width that the picture was brought to.
    """
    logits = logits.detach()
    if logits.device.type == "cpu":
        # Few classes at once: all of them at the size of a large picture leave the cache before they are compared.
        step = max(1, _AT_ONCE // (shape[0] * shape[1]))
        parts = (logits[None, start : start + step] for start in range(0, len(logits), step))
        return likeliest(plane for part in parts for plane in at_label_size(part, shape, size)[0].numpy())
    labels: Masks = at_label_size(logits[None], shape, size)[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
    return labels


def likeliest(scores: Iterable[NDArray[np.float32]]) -> Masks:
    """The class with the largest score at every place, the first of equals; many times as fast as `argmax` on a CPU.

    Args:
        scores: H x W of each class, at most 256 of them.
    """
    planes = iter(scores)
    best = next(planes).copy()
    labels = np.zeros(best.shape, np.uint8)
    for number, plane in enumerate(planes, start=1):
        better = plane > best
        np.maximum(best, plane, out=best)
        # Numbers rise, so a class that is better than all before it also has the largest number.
        np.maximum(labels, better.view(np.uint8) * np.uint8(number), out=labels)
    return labels


class InheritedEvaluator:
    """Scores architectures with weights inherited from a supernet (paper, Algorithm 2).

    Pictures stay in memory between networks, as far as there is room for them.

    Args:
        supernet: The shared weights; they are moved to the device.
        train: Training pictures, for batch-norm statistics; never augmented here.
        guide: Held-out pictures that guide the search.
        statistics_pictures: How many training pictures the statistics are re-estimated on, see `in_whole_batches`.
        guide_pictures: How many pictures the score is computed on; None for all.
        device: Where networks run; the CPU by default.
        most_bytes: Memory for pictures; by default `usual_bytes`. The scores are the same.
    """

    def __init__(
        self,
        supernet: Supernet,
        train: SegmentationSet,
        guide: SegmentationSet,
        *,
        statistics_pictures: int = 64,
        guide_pictures: int | None = None,
        device: torch.device | None = None,
        most_bytes: int | None = None,
    ) -> None:
        if guide.classes != train.classes or len(guide.classes) != supernet.space.classes:
            raise UsageError(
                f"{guide.name} has {len(guide.classes)} classes, the supernet has {supernet.space.classes}.",
                fix="Use the data set that the supernet was trained on.",
            )
        self._device = device or torch.device("cpu")
        self.supernet = supernet.to(self._device)
        room = Room(usual_bytes() if most_bytes is None else most_bytes)
        self._train = PictureCache(train, spread_indices(train, in_whole_batches(statistics_pictures, train)), room)
        self._guide = PictureCache(guide, spread_indices(guide, guide_pictures or len(guide)), room)

    def subnet(self, architecture: Architecture) -> SubNet:
        """The network with inherited weights and its own batch-norm statistics, ready to run or export."""
        subnet = self.supernet.extract(architecture)
        batches = self._train.batches(self.supernet.space.input_size(architecture))
        reestimate_statistics(subnet, (batch.to(self._device) for batch in batches))
        return subnet

    def confusion(self, architecture: Architecture) -> ConfusionMatrix:
        """Confusion matrix over the guide pictures."""
        subnet, size = self.subnet(architecture), self.supernet.space.input_size(architecture)
        return confusion_of(lambda batch: subnet(batch.to(self._device)), self._guide, size)

    def __call__(self, architecture: Architecture) -> float:
        """The mIoU, 0 to 1."""
        return self.confusion(architecture).miou
