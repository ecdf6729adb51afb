"""Evaluation with inherited weights, and checkpoints on disk."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mosegedge.data import cached
from mosegedge.data.averaging import at_label_size
from mosegedge.data.prepared import PictureCache
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError, UsageError
from mosegedge.networks.subnet import SubNet
from mosegedge.space import SearchSpace
from mosegedge.supernet import evaluate
from mosegedge.supernet.checkpoint import SupernetInfo, load_supernet, save_supernet
from mosegedge.supernet.evaluate import InheritedEvaluator, confusion_of, labels_of, likeliest, spread_indices
from mosegedge.supernet.model import Supernet

SPACE = SearchSpace.load("nano:96x192:19")


@pytest.fixture(scope="module")
def evaluator() -> InheritedEvaluator:
    supernet = Supernet(SPACE, torch.Generator().manual_seed(0))
    train, guide = cached(SceneSet("train", 16)), cached(SceneSet("guide", 5))
    return InheritedEvaluator(supernet, train, guide, statistics_pictures=16)


def test_score_is_a_miou_and_repeats_exactly(evaluator: InheritedEvaluator, rng: np.random.Generator) -> None:
    for architecture in SPACE.decode(SPACE.sample(3, rng)):
        score = evaluator(architecture)
        assert 0 <= score <= 1
        assert evaluator(architecture) == score


def test_score_does_not_depend_on_what_was_scored_before(evaluator: InheritedEvaluator) -> None:
    alone = evaluator(SPACE.smallest)
    evaluator(SPACE.largest)
    assert evaluator(SPACE.smallest) == alone


def test_score_does_not_depend_on_the_memory_for_pictures(evaluator: InheritedEvaluator) -> None:
    guide, train = SceneSet("guide", 5), SceneSet("train", 16)
    without = InheritedEvaluator(evaluator.supernet, train, guide, statistics_pictures=16, most_bytes=0)
    assert np.array_equal(without.confusion(SPACE.smallest).counts, evaluator.confusion(SPACE.smallest).counts)


def test_networks_and_pictures_are_where_they_shall_run(monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere, seen = torch.device("meta"), []  # which computes shapes alone, and refuses what lies anywhere else

    def statistics(subnet: SubNet, batches: Iterable[torch.Tensor]) -> None:
        seen.extend(tensor.device for tensor in (*subnet.state_dict().values(), *batches))

    def labels(logits: torch.Tensor, shape: tuple[int, ...], _size: tuple[int, int]) -> NDArray[np.uint8]:
        seen.append(logits.device)
        return np.zeros(shape, np.uint8)

    monkeypatch.setattr(evaluate, "reestimate_statistics", statistics)
    monkeypatch.setattr(evaluate, "labels_of", labels)
    supernet = Supernet(SPACE, torch.Generator().manual_seed(0))
    InheritedEvaluator(supernet, SceneSet("train", 8), SceneSet("guide", 2), device=elsewhere)(SPACE.smallest)
    assert len(seen) > 3
    assert set(seen) == {elsewhere}


def test_every_labelled_pixel_is_counted_at_label_size(evaluator: InheritedEvaluator) -> None:
    guide = SceneSet("guide", 5)
    labelled = sum(int((guide.read(index).mask != 255).sum()) for index in range(5))
    assert evaluator.confusion(SPACE.smallest).counts.sum() == labelled


def test_perfect_prediction_scores_one() -> None:
    guide = SceneSet("guide", 3)
    pictures = PictureCache(guide, (0, 1, 2))
    held = np.stack(next(pictures.labelled((64, 128))).masks)
    masks = torch.from_numpy(np.where(held == 255, 0, held)).long()
    logits = torch.nn.functional.one_hot(masks, 19).permute(0, 3, 1, 2).float()
    assert confusion_of(lambda _batch: logits, pictures, (64, 128)).miou == 1.0


def test_logits_are_brought_to_label_size_before_the_largest_is_taken() -> None:
    logits = torch.randn(3, 8, 8, generator=torch.Generator().manual_seed(0))
    labels = labels_of(logits, (16, 16), (32, 32))
    grown = torch.nn.functional.interpolate(logits[None], size=(16, 16), mode="bilinear", align_corners=False)
    assert np.array_equal(labels, grown[0].argmax(dim=0).numpy())
    assert labels.dtype == np.uint8


def test_data_with_other_classes_is_refused() -> None:
    supernet = Supernet(SearchSpace.load("nano:96x192:11"), torch.Generator())
    with pytest.raises(UsageError, match="19 classes, the supernet has 11"):
        InheritedEvaluator(supernet, SceneSet("train", 8), SceneSet("guide", 2))


def test_indices_are_spread_over_the_data_set() -> None:
    assert spread_indices(SceneSet("guide", 10), 4) == (0, 3, 6, 9)
    assert spread_indices(SceneSet("guide", 3), 8) == (0, 1, 2)


def some_checkpoint(folder: Path, *, half: bool = False) -> tuple[Path, Supernet]:
    supernet = Supernet(SPACE, torch.Generator().manual_seed(1))
    info = SupernetInfo(space=SPACE, data="scenes", step=7, training={"seed": 1})
    save_supernet(folder / "net.safetensors", supernet, info, half=half)
    return folder / "net.safetensors", supernet


@pytest.mark.parametrize("half", [False, True])
def test_checkpoint_round_trips(tmp_path: Path, half: bool) -> None:
    path, supernet = some_checkpoint(tmp_path, half=half)
    loaded, info = load_supernet(path)
    assert (info.space, info.data, info.step, info.training) == (SPACE, "scenes", 7, {"seed": 1})
    for name, tensor in supernet.state_dict().items():
        torch.testing.assert_close(
            loaded.state_dict()[name], tensor, rtol=1e-3 if half else 0, atol=1e-4 if half else 0
        )


def test_damaged_checkpoints_are_refused_without_a_traceback(tmp_path: Path) -> None:
    path, _ = some_checkpoint(tmp_path)
    content = path.read_bytes()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_supernet(tmp_path / "none.safetensors")
    for damaged in (b"", content[:100], content[:-10], b"\0" * 64, content.replace(b'"space":"{', b'"space":"[')):
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError):
            load_supernet(path)


def test_checkpoint_of_another_space_is_named_as_such(tmp_path: Path) -> None:
    path, _ = some_checkpoint(tmp_path)
    path.write_bytes(path.read_bytes().replace(b'\\"classes\\":19', b'\\"classes\\":18'))
    with pytest.raises(CheckpointError, match="does not match its digest"):
        load_supernet(path)


@pytest.mark.parametrize(("shape", "size"), [((90, 120), (96, 128)), ((64, 96), (32, 48)), ((37, 53), (32, 64))])
@pytest.mark.parametrize("at_once", [1, 30_000, 1 << 21])
def test_labels_are_those_of_all_classes_resized_together(
    shape: tuple[int, int], size: tuple[int, int], at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "_AT_ONCE", at_once)
    generator = torch.Generator().manual_seed(0)
    for height, width in ((8, 12), size, shape):
        logits = torch.randint(-3, 3, (7, height, width), generator=generator).float()
        together = at_label_size(logits[None], shape, size)[0].numpy().argmax(axis=0)
        assert (labels_of(logits, shape, size) == together).all()


def test_the_likeliest_class_is_the_first_with_the_largest_score(rng: np.random.Generator) -> None:
    scores = rng.integers(-3, 4, size=(171, 20, 30)).astype(np.float32)  # many are equal
    assert (likeliest(scores) == scores.argmax(axis=0)).all()
    assert (likeliest(scores[:, :7, :5]) == scores[:, :7, :5].argmax(axis=0)).all()
    assert not likeliest(np.full((3, 2, 2), np.nan, np.float32)).any()
