"""Losses of one network: weighted cross-entropy, auxiliary heads, distillation from the largest network."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from mosegedge.data.dataset import SegmentationSet

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


def segmentation_loss(
    outputs: tuple[Tensor, Tensor, Tensor], labels: Tensor, weights: Tensor, auxiliary: float
) -> Tensor:
    """Cross-entropy of the logits at full size plus that of the auxiliary heads at their own size.

    Args:
        outputs: Logits of the network and of the two auxiliary heads.
        labels: N x H x W class indices, 255 where there is no label.
        weights: Weight of each class.
        auxiliary: Weight of each auxiliary head.
    """
    logits, *others = outputs
    loss = F.cross_entropy(logits, labels, weights, ignore_index=IGNORE)
    for other in others:
        small = resize_labels(labels, (other.shape[2], other.shape[3]))
        loss = loss + auxiliary * F.cross_entropy(other, small, weights, ignore_index=IGNORE)
    return loss


def distillation_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Kullback-Leibler divergence of pixel distributions, mean over pixels; the teacher gets no gradient."""
    divergence = F.kl_div(
        F.log_softmax(student, dim=1), F.log_softmax(teacher.detach(), dim=1), reduction="sum", log_target=True
    )
    return divergence / (student.shape[0] * student.shape[2] * student.shape[3])


def resize_labels(labels: Tensor, size: tuple[int, int]) -> Tensor:
    """Nearest-neighbour labels at another size, N x h x w."""
    if labels.shape[1:] == size:
        return labels
    return F.interpolate(labels[:, None].to(torch.uint8), size=size, mode="nearest-exact")[:, 0].long()
