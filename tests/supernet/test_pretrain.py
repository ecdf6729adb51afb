"""The encoder on pictures by class: views, exact resume, what it leaves to the segmentation."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from stopping import Losses, StopAt

from mosegedge.data import cached
from mosegedge.data.classified import ClassFolders, ClassStream
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError, DataError
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.classifier import ElasticClassifier, picture_size
from mosegedge.supernet.pretrain import pretrain_encoder
from mosegedge.supernet.ranks import Ranks
from mosegedge.supernet.schedule import PretrainConfig, TrainConfig
from mosegedge.supernet.start import encoder_path, read_encoder
from mosegedge.supernet.train import train_supernet

SPACE = SearchSpace.load("nano:96x192:19")
CONFIG = PretrainConfig(
    steps=4, batch_size=4, warmup_steps=1, crop=64, expansion_from=0.5, width_from=0.5, sort_channels=True
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> ClassFolders:
    """Bright and dark pictures of several shapes."""
    root, rng = tmp_path_factory.mktemp("classes"), np.random.default_rng(0)
    for name, low in (("bright", 160), ("dark", 0)):
        (root / "train" / name).mkdir(parents=True)
        for index, shape in enumerate(((40, 60, 3), (70, 50, 3), (64, 64, 3))):
            pixels = rng.integers(low, low + 90, shape, np.uint8)
            Image.fromarray(pixels).save(root / "train" / name / f"{index}.png")
    return ClassFolders.open(root)


def test_classes_are_the_folders_in_their_order(pictures: ClassFolders) -> None:
    assert pictures.classes == ("bright", "dark")
    assert pictures.labels == (0, 0, 0, 1, 1, 1)


def test_batches_depend_on_seed_and_step_and_every_process_makes_its_own_part(pictures: ClassFolders) -> None:
    def batches(start: int, rows: slice) -> list[torch.Tensor]:
        stream = ClassStream(pictures, size=32, batch_size=4, seed=1, start_step=start, rows=rows)
        with stream:
            return [next(stream).images for _ in range(3 - start)]

    whole = batches(0, slice(0, 4))
    assert whole[0].shape == (4, 3, 32, 32)
    assert torch.equal(batches(2, slice(0, 4))[0], whole[2])
    parts = [batches(0, slice(0, 2)), batches(0, slice(2, 4))]
    for step in range(3):
        assert torch.equal(torch.cat([part[step] for part in parts]), whole[step])


def test_all_workers_make_batches_at_once(pictures: ClassFolders, monkeypatch: pytest.MonkeyPatch) -> None:
    four, calls = threading.Barrier(4, timeout=10), itertools.count()

    def view(self: ClassFolders, index: int, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
        if next(calls) < 4:
            four.wait()  # in vain, were fewer than four views made at once
        return np.zeros((size, size, 3), np.uint8)

    monkeypatch.setattr(ClassFolders, "view", view)
    stream = ClassStream(pictures, size=8, batch_size=1, seed=1, start_step=0, rows=slice(0, 1), workers=4)
    with stream:
        assert [next(stream).step for _ in range(4)] == [0, 1, 2, 3]


@pytest.mark.parametrize("damaged", [b"no picture", b"\x89PNG\r\n\x1a\n" + bytes(4) + b"<>?!"], ids=["text", "chunk"])
def test_folders_that_are_no_classes_are_named(tmp_path: Path, damaged: bytes) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DataError, match="has 0 class folders"):
            ClassFolders.open(folder)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "picture.jpg").write_bytes(damaged)
    found = ClassFolders.open(tmp_path)
    stream = ClassStream(found, size=32, batch_size=2, seed=0, start_step=0, rows=slice(0, 2))
    with stream, pytest.raises(DataError, match="cannot be read as a picture"):
        next(stream)
    (tmp_path / "c").mkdir()
    with pytest.raises(DataError, match="c holds no picture"):
        ClassFolders.open(tmp_path)


def test_interrupted_training_ends_with_the_same_encoder_and_a_supernet_starts_from_it(
    pictures: ClassFolders, tmp_path: Path
) -> None:
    straight = pretrain_encoder(SPACE, pictures, tmp_path / "straight", config=CONFIG, progress=Silent())
    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        pretrain_encoder(SPACE, pictures, cut, config=CONFIG, progress=StopAt(3), checkpoint_steps=1)
    resumed = pretrain_encoder(SPACE, pictures, cut, config=CONFIG, progress=Silent())
    expected, found = load_file(straight), load_file(resumed)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name

    other = replace(pictures, classes=("dark", "bright"))
    with pytest.raises(CheckpointError, match="class 0 is 'bright' in it and 'dark' here"):
        pretrain_encoder(SPACE, other, cut, config=CONFIG, progress=Silent())

    start = read_encoder(encoder_path(str(cut)), SPACE)
    config = TrainConfig(steps=1, batch_size=2, learning_rate=1e-9, weight_decay=0.0)
    data = cached(SceneSet("train", 4))
    trained = load_file(train_supernet(SPACE, data, tmp_path / "run", config=config, progress=Silent(), start=start))
    kernels = [name for name in expected if name.startswith("encoder.") and name.endswith("conv.weight")]
    assert len(kernels) == len(
        [name for name in trained if name.startswith("subnet.encoder.") and "conv.weight" in name]
    )
    for name in kernels:
        torch.testing.assert_close(trained[f"subnet.{name}"], expected[name], rtol=1e-5, atol=1e-6)


def test_classes_are_learnt(pictures: ClassFolders, tmp_path: Path) -> None:
    watch = Losses()
    alone = {"depth_from": 1.0, "expansion_from": 1.0, "width_from": 1.0}
    config = replace(CONFIG, steps=25, crop=128, batch_size=6, learning_rate=0.15, label_smoothing=0.0, **alone)
    pretrain_encoder(SPACE, pictures, tmp_path, config=config, progress=watch)
    assert np.mean(watch.seen[-5:]) < 0.8 * np.mean(watch.seen[:2])


def test_smaller_encoders_are_slices_and_pictures_follow_the_scale() -> None:
    model = ElasticClassifier(SPACE, 2, torch.Generator().manual_seed(0), Ranks()).train()
    model(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)), SPACE.smallest).sum().backward()
    weight = model.network.classifier.weight
    assert weight.grad is not None
    used = weight.grad.abs().sum(dim=0) > 0
    width = SPACE.preset.stage_channels(3, 0)
    assert used[:width].any()
    assert not used[width:].any()
    assert [picture_size(SPACE, SPACE.uniform(scale, 1), 224)[0] for scale in range(5)] == [64, 128, 160, 192, 224]
