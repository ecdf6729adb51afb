"""Losses: hard pixels, auxiliary heads, soft labels, class weights."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from mosegedge.data.scenes import SceneSet
from mosegedge.supernet.loss import PixelLoss, class_weights, distillation_loss, resize_labels, segmentation_loss

WEIGHTS = torch.tensor([0.5, 1.0, 2.0, 1.5])


def some(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and labels, a quarter of which are not given."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 4, (2, 6, 8), generator=generator)
    labels[torch.rand(labels.shape, generator=generator) < 0.25] = 255
    return torch.randn(2, 4, 6, 8, generator=generator) * 3, labels


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), other=st.floats(0, 1))
def test_keeping_all_pixels_is_plain_cross_entropy(seed: int, other: float) -> None:
    logits, labels = some(seed)
    plain = F.cross_entropy(logits, labels, WEIGHTS, ignore_index=255)
    assert torch.equal(PixelLoss(weights=WEIGHTS, threshold=1.0, least=other)(logits, labels), plain)
    assert torch.equal(PixelLoss(weights=WEIGHTS, threshold=other, least=1.0)(logits, labels), plain)
    almost = PixelLoss(weights=WEIGHTS, threshold=math.nextafter(1, 0), least=0.0)(logits, labels)
    torch.testing.assert_close(almost, plain)


@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), threshold=st.floats(0.05, 0.95), least=st.floats(0, 0.9))
def test_pixels_count_whose_class_is_improbable_or_that_are_among_the_hardest(
    seed: int, threshold: float, least: float
) -> None:
    logits, labels = some(seed)
    given_ = labels != 255
    losses = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    hardest = losses[given_].sort(descending=True).values[: math.ceil(least * int(given_.sum()))]
    kept = given_ & ((losses >= -math.log(threshold)) | (losses >= (hardest[-1] if len(hardest) else math.inf)))
    expected = F.cross_entropy(logits, torch.where(kept, labels, 255), WEIGHTS, ignore_index=255)
    found = PixelLoss(weights=WEIGHTS, threshold=threshold, least=least)(logits, labels)
    torch.testing.assert_close(found, expected if kept.any() else torch.tensor(0.0))


@pytest.mark.parametrize("loss", [PixelLoss(weights=WEIGHTS), PixelLoss(weights=WEIGHTS, threshold=0.7, least=0.0)])
def test_a_batch_in_which_no_pixel_counts_changes_nothing(loss: PixelLoss) -> None:
    logits = torch.randn(2, 4, 6, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    found = loss(logits, torch.full((2, 6, 8), 255))
    found.backward()
    assert found.item() == 0
    assert not logits.grad.any()


def test_no_threshold_leaves_the_share_of_the_hardest() -> None:
    logits, labels = some(0)
    losses = F.cross_entropy(logits, labels, ignore_index=255, reduction="none")
    count = math.ceil(0.1 * int((labels != 255).sum()))
    found = PixelLoss(weights=torch.ones(4), threshold=0.0, least=0.1)(logits, labels)
    torch.testing.assert_close(found, losses.flatten().topk(count).values.mean())


def test_auxiliary_heads_are_compared_at_their_own_size() -> None:
    logits, labels = some(1)
    small = torch.randn(2, 4, 3, 4, generator=torch.Generator().manual_seed(2))
    loss = PixelLoss(weights=WEIGHTS)
    alone = loss(logits, labels)
    assert torch.equal(segmentation_loss((logits, small, small), labels, loss, 0.0), alone)
    expected = alone + 2 * 0.4 * loss(small, labels[:, 1::2, 1::2])
    torch.testing.assert_close(segmentation_loss((logits, small, small), labels, loss, 0.4), expected)


def test_rare_classes_weigh_more_by_a_bounded_factor() -> None:
    pictures = SceneSet("train", 6)
    weights = class_weights(pictures)
    counts = np.bincount(np.concatenate([pictures.read(i).mask.ravel() for i in range(6)]), minlength=256)[:19]
    assert weights[int(counts.argmax())] == weights.min()
    assert weights.max() / weights.min() <= np.log(2.02) / np.log(1.02)


def test_distillation_is_zero_for_equal_logits_and_sends_no_gradient_to_the_teacher() -> None:
    student = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    teacher = torch.randn(2, 5, 4, 4, generator=torch.Generator().manual_seed(1), requires_grad=True)
    assert distillation_loss(student.detach(), student).item() == pytest.approx(0, abs=1e-6)
    distillation_loss(student, teacher).backward()
    assert student.grad is not None
    assert teacher.grad is None


def test_labels_are_resized_by_nearest_only() -> None:
    labels = torch.randint(0, 19, (2, 64, 96), generator=torch.Generator().manual_seed(0))
    labels[0, :32] = 255
    small = resize_labels(labels, (8, 12))
    assert set(small.unique().tolist()) <= set(labels.unique().tolist())
    assert torch.equal(small, labels[:, 4::8, 4::8])
