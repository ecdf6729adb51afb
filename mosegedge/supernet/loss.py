"""Losses of one network: cross-entropy over the hardest pixels, auxiliary heads, soft labels of the largest network."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mosegedge.data.dataset import SegmentationSet
from mosegedge.supernet.ranks import Ranks

IGNORE = 255
_PICTURES_COUNTED = 100


def class_weights(dataset: SegmentationSet) -> Tensor:
    """Weight of each class, 1 / log(1.02 + share of pixels): rare classes count more, by a bounded factor.

    The rule is that of ENet (Paszke et al. 2016, section 4.2), scaled to a pixel average of 1.
    """
    counts = np.zeros(len(dataset.classes))
    for index in np.linspace(0, len(dataset) - 1, min(_PICTURES_COUNTED, len(dataset))).astype(int):
        mask = dataset.read(int(index)).mask
        counts += np.bincount(mask[mask != IGNORE], minlength=len(counts))
    share = counts / max(1.0, counts.sum())
    weights = 1 / np.log(1.02 + share)
    return torch.tensor(weights / (weights * share).sum(), dtype=torch.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class PixelLoss:
    """Weighted mean cross-entropy over the labelled pixels, or over the hardest of them.

    With several processes the mean is that over the pixels of all of them. The pixels that are never left out are then
    the hardest ones of each process.

    Attributes:
        weights: Weight of each class.
        threshold: Pixels whose right class has a higher probability than this are left out (online hard example
            mining, Shrivastava et al. 2016); 1 keeps all.
        least: Share of the labelled pixels, the hardest ones, that is never left out.
        ranks: The processes that the pixels of a step are spread over.
    """

    weights: Tensor
    threshold: float = 1.0
    least: float = 0.0625
    ranks: Ranks = Ranks()  # noqa: RUF009 - frozen

    def __call__(self, logits: Tensor, labels: Tensor) -> Tensor:
        """The loss of logits N x classes x H x W against labels N x H x W, 255 where there is none.

        It is 0 where no pixel counts.
        """
        if self.threshold >= 1 or self.least >= 1:
            kept = labels
        else:
            kept = torch.where(self._hard(logits.detach(), labels), labels, IGNORE)
        if self.ranks.count == 1 and not (kept != IGNORE).any():
            return logits.sum() * 0
        if self.ranks.count == 1:
            return F.cross_entropy(logits, kept, self.weights, ignore_index=IGNORE)
        loss = F.cross_entropy(logits, kept, self.weights, ignore_index=IGNORE, reduction="sum")
        counted = self.ranks.total(self.weights[kept[kept != IGNORE]].sum())
        return loss * self.ranks.count / counted.clamp(min=torch.finfo(counted.dtype).tiny)

    def _hard(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Where the labelled pixels are that count."""
        labelled = labels != IGNORE
        losses = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none")
        count = math.ceil(self.least * int(labelled.sum()))
        bound = torch.tensor(math.inf if self.threshold <= 0 else -math.log(self.threshold), device=losses.device)
        if count:
            # Losses are no smaller than 0, so that pixels without a label are never among the hardest.
            hardest = torch.where(labelled, losses, -1.0).flatten().topk(count).values[-1]
            bound = torch.minimum(bound, hardest)
        return labelled & (losses >= bound)


def segmentation_loss(outputs: tuple[Tensor, ...], labels: Tensor, pixel_loss: PixelLoss, auxiliary: float) -> Tensor:
    """Loss of the logits at full size plus that of the auxiliary heads at their own size.

    Args:
        outputs: Logits of the network, and of its auxiliary heads.
        labels: N x H x W class indices, 255 where there is no label.
        pixel_loss: Of one of them.
        auxiliary: Weight of each auxiliary head.
    """
    logits, *others = outputs
    loss = pixel_loss(logits, labels)
    for other in others:
        small = resize_labels(labels, (other.shape[2], other.shape[3]))
        loss = loss + auxiliary * pixel_loss(other, small)
    return loss


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of pixel distributions, mean over pixels; the teacher gets no gradient."""
    divergence = F.kl_div(
        F.log_softmax(student, dim=1), F.log_softmax(teacher.detach(), dim=1), reduction="sum", log_target=True
    )
    return divergence / (student.numel() // student.shape[1])


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest-neighbour labels at another size, N x h x w."""
    if labels.shape[1:] == size:
        return labels
    return F.interpolate(labels[:, None].to(torch.uint8), size=size, mode="nearest-exact")[:, 0].long()
