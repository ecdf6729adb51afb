"""Training: exact resume after interruption, gradual activation, schedule, refused settings."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mosegedge.data import SegmentationSet, cached
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError, TrainingError, UsageError
from mosegedge.files import exclusive
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import SCALE, STAGES, STEM_DEPTH, STEM_WIDTH
from mosegedge.supernet.checkpoint import load_supernet
from mosegedge.supernet.loss import class_weights, distillation_loss, resize_labels
from mosegedge.supernet.schedule import TrainConfig, learning_rate, networks_of_step
from mosegedge.supernet.train import STATE_FILE, train_supernet

SPACE = SearchSpace.load("nano:96x192:19")
CONFIG = TrainConfig(steps=6, batch_size=2, warmup_steps=2, seed=3)


@pytest.fixture(scope="module")
def pictures() -> SegmentationSet:
    return cached(SceneSet("train", 6))


class StopAt(Silent):
    """Raises KeyboardInterrupt after some steps, as Ctrl-C does."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.left -= steps
        if self.left == 0:
            raise KeyboardInterrupt


def test_interrupted_training_ends_with_the_same_weights(pictures: SegmentationSet, tmp_path: Path) -> None:
    straight = train_supernet(SPACE, pictures, tmp_path / "straight", config=CONFIG, progress=Silent())
    for stop in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            train_supernet(SPACE, pictures, tmp_path / "cut", config=CONFIG, progress=StopAt(stop), checkpoint_steps=2)
    resumed = train_supernet(SPACE, pictures, tmp_path / "cut", config=CONFIG, progress=Silent(), checkpoint_steps=2)
    expected, found = load_file(straight), load_file(resumed)
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


KILLED_TRAINING = """
import sys; from pathlib import Path
import torch; torch.set_num_threads(1)
from mosegedge.data.scenes import SceneSet
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.schedule import TrainConfig
from mosegedge.supernet.train import train_supernet
config = TrainConfig(steps=8, batch_size=2, warmup_steps=2, seed=3)
train_supernet(SearchSpace.load("nano:96x192:19"), SceneSet("train", 6), Path(sys.argv[1]), config=config,
               progress=Silent(), checkpoint_steps=2)
"""


def test_killed_training_ends_with_the_same_weights(pictures: SegmentationSet, tmp_path: Path) -> None:
    config = replace(CONFIG, steps=8)
    process = subprocess.Popen([sys.executable, "-c", KILLED_TRAINING, str(tmp_path / "cut")])
    while not (tmp_path / "cut" / STATE_FILE).exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "cut/supernet.safetensors").exists()
    straight, resumed = (
        train_supernet(SPACE, pictures, tmp_path / name, config=config, progress=Silent())
        for name in ("straight", "cut")
    )
    expected, found = load_file(straight), load_file(resumed)
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())


def test_other_settings_are_refused_and_nothing_is_lost(pictures: SegmentationSet, tmp_path: Path) -> None:
    train_supernet(SPACE, pictures, tmp_path, config=CONFIG, progress=Silent())
    before = (tmp_path / STATE_FILE).read_bytes()
    with pytest.raises(CheckpointError, match=r"seed was 3.*--output"):
        train_supernet(SPACE, pictures, tmp_path, config=replace(CONFIG, seed=4), progress=Silent())
    with pytest.raises(CheckpointError, match="space was nano:96x192:19"):
        train_supernet(SearchSpace.load("nano"), pictures, tmp_path, config=CONFIG, progress=Silent())
    assert (tmp_path / STATE_FILE).read_bytes() == before
    assert load_supernet(tmp_path / "supernet.safetensors")[1].step == 6


class Named:
    """A data set under another name."""

    def __init__(self, inner: SegmentationSet) -> None:
        self.inner, self.name = inner, "other"

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)


def test_other_data_is_refused(pictures: SegmentationSet, tmp_path: Path) -> None:
    train_supernet(SPACE, pictures, tmp_path, config=replace(CONFIG, steps=1), progress=Silent())
    with pytest.raises(CheckpointError, match="data was scenes"):
        train_supernet(SPACE, Named(pictures), tmp_path, config=replace(CONFIG, steps=1), progress=Silent())


def test_second_training_in_one_folder_is_refused(pictures: SegmentationSet, tmp_path: Path) -> None:
    with exclusive(tmp_path, "training"), pytest.raises(UsageError, match="Another training"):
        train_supernet(SPACE, pictures, tmp_path, config=CONFIG, progress=Silent())


def test_diverged_training_says_so(pictures: SegmentationSet, tmp_path: Path) -> None:
    config = replace(CONFIG, auxiliary=1e300)  # more than a float32 holds
    with pytest.raises(TrainingError, match=r"diverged at step \d+.*--learning-rate"):
        train_supernet(SPACE, pictures, tmp_path, config=config, progress=Silent())


def test_training_learns(pictures: SegmentationSet, tmp_path: Path) -> None:
    losses: list[float] = []

    class Watch(Silent):
        def advance(self, steps: int = 1, note: str = "") -> None:
            losses.append(float(note.split()[-1]))

    config = TrainConfig(steps=30, batch_size=4, warmup_steps=5, learning_rate=0.1)
    train_supernet(SPACE, pictures, tmp_path, config=config, progress=Watch())
    assert np.mean(losses[-5:]) < 0.95 * np.mean(losses[:5])


def test_global_generators_are_left_alone(pictures: SegmentationSet, tmp_path: Path) -> None:
    torch.manual_seed(5)
    states = torch.random.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    train_supernet(SPACE, pictures, tmp_path, config=replace(CONFIG, steps=2), progress=Silent())
    assert torch.equal(torch.random.get_rng_state(), states[0])
    assert np.array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002


def test_digits_are_switched_on_one_kind_after_the_other() -> None:
    config = TrainConfig(steps=1000, depth_from=0.1, expansion_from=0.2, width_from=0.3, random_networks=3)
    depths = [STEM_DEPTH, *(stage.depth for stage in STAGES)]
    widths = [STEM_WIDTH, *(stage.width for stage in STAGES)]
    first_layers = [stage.expansions.start for stage in STAGES]

    def smaller(step: int, positions: list[int]) -> bool:
        codes = SPACE.encode([n for s in range(step, step + 20) for n in networks_of_step(config, SPACE, s)])
        return bool((codes[:, positions] < SPACE.encode([SPACE.largest])[0, positions]).any())

    for step, expected in ((0, (False, False, False)), (110, (True, False, False)), (210, (True, True, False)),
                           (310, (True, True, True))):  # fmt: skip
        assert (smaller(step, depths), smaller(step, first_layers), smaller(step, widths)) == expected


def test_networks_of_a_step_share_its_scale_and_hold_both_ends() -> None:
    config = TrainConfig(steps=100, seed=1)
    scales = set()
    for step in range(40, 100):
        networks = networks_of_step(config, SPACE, step)
        assert networks == networks_of_step(config, SPACE, step)
        scales |= {network.digits[SCALE] for network in networks}
        assert len({network.digits[SCALE] for network in networks}) == 1
        assert networks[0].digits[1:] == SPACE.largest.digits[1:]
        assert networks[-1].digits[1:] == SPACE.smallest.digits[1:]
    assert scales == set(range(5))


def test_learning_rate_is_poly_with_warm_up() -> None:
    config = TrainConfig(steps=1000, learning_rate=0.2, warmup_steps=10, power=0.9)
    assert learning_rate(config, 0) == pytest.approx(0.02)
    assert learning_rate(config, 500) == pytest.approx(0.2 * 0.5**0.9)
    assert learning_rate(config, 999) == pytest.approx(0.2 * 0.001**0.9)


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"steps": 0}, {"learning_rate": 0.0}, {"learning_rate": 50.0}])
def test_settings_that_cannot_work_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(CONFIG, **change)


def test_rare_classes_weigh_more_by_a_bounded_factor(pictures: SegmentationSet) -> None:
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
