"""Networks scored on a part of a data set: as a search scores them, and with more looks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from mosegedge.data import IGNORE, Sample, SegmentationSet, cached
from mosegedge.data.averaging import Looks
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import UsageError
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.evaluate import InheritedEvaluator
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.runnable import Runnable, inheriting, labelled, score_part

SPACE = SearchSpace.load("nano:96x192:19")


@pytest.fixture(scope="module")
def pictures() -> SegmentationSet:
    return cached(SceneSet("guide", 9))


def brightness(batch: Tensor) -> Tensor:
    """Class 0 where a pixel is dark, class 1 where it is bright."""
    return torch.cat([-batch.mean(dim=1, keepdim=True), batch.mean(dim=1, keepdim=True)], dim=1)


class Halves:
    """Pictures whose upper half is bright, of sizes of their own."""

    name, split, classes, label_size = "halves", "val", ("dark", "bright"), None
    palette = np.zeros((2, 3), np.uint8)

    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Sample:
        mask = np.zeros((40 + 20 * index, 60), np.uint8)
        mask[: len(mask) // 2] = 1
        return Sample(np.repeat(mask[..., None] * 255, 3, axis=2), np.where(np.arange(60) < 5, IGNORE, mask))


def test_inherited_weights_are_scored_as_a_search_scores_them(
    pictures: SegmentationSet, rng: np.random.Generator
) -> None:
    supernet, train = Supernet(SPACE, torch.Generator().manual_seed(0)), cached(SceneSet("train", 8))
    evaluator = InheritedEvaluator(supernet, train, pictures, statistics_pictures=8)
    (architecture,) = SPACE.decode(SPACE.sample(1, rng))
    network = inheriting(
        supernet, architecture,
        train=train, dataset=pictures, statistics_pictures=8, device=torch.device("cpu"),
    )  # fmt: skip
    scores = score_part(network, pictures, progress=Silent())
    assert np.array_equal(scores.matrix.counts, evaluator.confusion(architecture).counts)


@pytest.mark.parametrize("looks", [Looks(), Looks(scales=(0.5, 1.0, 1.5), flip=True)])
def test_pictures_are_scored_at_their_own_sizes_in_their_order(looks: Looks) -> None:
    network = Runnable(predict=brightness, size=(64, 64), classes=2)
    found = list(labelled(network, Halves(), (2, 0, 1), looks))
    assert [one.index for one in found] == [2, 0, 1]
    assert [one.prediction.shape for one in found] == [(80, 60), (40, 60), (60, 60)]
    scores = score_part(network, Halves(), progress=Silent(), looks=looks, boundary_share=0.02)
    assert scores.matrix.counts.sum() == sum(int((one.sample.mask != IGNORE).sum()) for one in found)
    assert scores.matrix.miou > 0.9
    assert scores.boundaries is not None
    assert scores.boundaries.miou > 0.6


def test_only_the_pictures_that_were_asked_for_are_scored() -> None:
    network = Runnable(predict=brightness, size=(64, 64), classes=2, at_once=2)
    some = score_part(network, Halves(), progress=Silent(), indices=(1,))
    assert (some.pictures, some.matrix.counts.sum()) == (1, 60 * 55)


def test_another_number_of_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="halves has 2 classes, the network tells 5 apart"):
        score_part(Runnable(predict=brightness, size=(64, 64), classes=5), Halves(), progress=Silent())


def test_a_file_with_one_input_size_is_not_run_in_another() -> None:
    network = Runnable(predict=brightness, size=(64, 96), classes=2, any_size=False)
    with pytest.raises(UsageError, match=r"one input size, 96x64.*Scales 1, 1.5"):
        score_part(network, Halves(), progress=Silent(), looks=Looks(scales=(1.0, 1.5)))
    assert score_part(network, Halves(), progress=Silent(), looks=Looks(flip=True)).pictures == 3
