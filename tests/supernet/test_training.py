"""Training: exact resume after interruption, gradual activation, schedule, refused settings."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from stopping import Losses, StopAt

from mosegedge.data import SegmentationSet, cached
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import CheckpointError, TrainingError, UsageError
from mosegedge.files import exclusive
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.space.architecture import DIGITS, SCALE, STAGES, STEM_DEPTH, STEM_WIDTH
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS
from mosegedge.supernet.activation import networks_of_step, openings, stages
from mosegedge.supernet.checkpoint import load_supernet, read_tensors, write_tensors
from mosegedge.supernet.schedule import TrainConfig
from mosegedge.supernet.state import STATE_FILE
from mosegedge.supernet.train import train_supernet

SPACE = SearchSpace.load("nano:96x192:19")
CONFIG = TrainConfig(steps=6, batch_size=2, warmup_steps=2, seed=3)


@pytest.fixture(scope="module")
def pictures() -> SegmentationSet:
    return cached(SceneSet("train", 6))


# With everything that a state has to hold. The training that is killed below is the plain one.
RICH = replace(
    CONFIG, schedule="cosine", ema=0.9, ohem_threshold=0.5, precision="bf16", expansion_from=0.3, width_from=0.6,
    sort_channels=True, channels_last=False, class_weights="none",
)  # fmt: skip


def test_interrupted_training_ends_with_the_same_weights(pictures: SegmentationSet, tmp_path: Path) -> None:
    straight = train_supernet(SPACE, pictures, tmp_path / "straight", config=RICH, progress=Silent())
    for stop in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            train_supernet(SPACE, pictures, tmp_path / "cut", config=RICH, progress=StopAt(stop), checkpoint_steps=2)
    resumed = train_supernet(SPACE, pictures, tmp_path / "cut", config=RICH, progress=Silent(), checkpoint_steps=2)
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
    info = load_supernet(tmp_path / "supernet.safetensors")[1]
    assert (info.step, info.training) == (6, asdict(CONFIG))


class Named:
    """A data set under another name, or with its classes in another order."""

    def __init__(self, inner: SegmentationSet, name: str = "other", *, swapped: bool = False) -> None:
        first, second, *rest = inner.classes
        self.inner, self.name = inner, name
        self.classes = (second, first, *rest) if swapped else inner.classes

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    def __len__(self) -> int:
        return len(self.inner)


def test_other_data_is_refused(pictures: SegmentationSet, tmp_path: Path) -> None:
    train_supernet(SPACE, pictures, tmp_path, config=replace(CONFIG, steps=1), progress=Silent())
    with pytest.raises(CheckpointError, match="data was scenes"):
        train_supernet(SPACE, Named(pictures), tmp_path, config=replace(CONFIG, steps=1), progress=Silent())


def test_classes_in_another_order_are_refused_where_the_file_knows_them(
    pictures: SegmentationSet, tmp_path: Path
) -> None:
    begun = replace(CONFIG, steps=1)
    supernet = train_supernet(SPACE, pictures, tmp_path, config=begun, progress=Silent())
    assert load_supernet(supernet)[1].classes == pictures.classes
    swapped = Named(pictures, "scenes", swapped=True)
    first, second = pictures.classes[:2]
    with pytest.raises(CheckpointError, match=f"class 0 is '{first}' in it and '{second}' here"):
        train_supernet(SPACE, swapped, tmp_path, config=begun, progress=Silent())
    kind = "mosegedge-training-1"
    tensors, info = read_tensors(tmp_path / STATE_FILE, kind)
    write_tensors(tmp_path / STATE_FILE, tensors, kind, replace(info, classes=()))  # as earlier versions did
    train_supernet(SPACE, swapped, tmp_path, config=begun, progress=Silent())


def test_second_training_in_one_folder_is_refused(pictures: SegmentationSet, tmp_path: Path) -> None:
    with exclusive(tmp_path, "training"), pytest.raises(UsageError, match="Another training"):
        train_supernet(SPACE, pictures, tmp_path, config=CONFIG, progress=Silent())


def test_diverged_training_says_so(pictures: SegmentationSet, tmp_path: Path) -> None:
    config = replace(CONFIG, auxiliary=1e300)  # more than a float32 holds
    with pytest.raises(TrainingError, match=r"diverged at step \d+.*--learning-rate"):
        train_supernet(SPACE, pictures, tmp_path, config=config, progress=Silent())


def test_training_learns(pictures: SegmentationSet, tmp_path: Path) -> None:
    watch = Losses()
    config = TrainConfig(steps=30, batch_size=4, warmup_steps=5, learning_rate=0.1)
    train_supernet(SPACE, pictures, tmp_path, config=config, progress=watch)
    assert np.mean(watch.seen[-5:]) < 0.95 * np.mean(watch.seen[:5])


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


def test_middle_choices_are_switched_on_before_the_smallest() -> None:
    config = TrainConfig(steps=1000, depth_from=0.1, expansion_from=0.3, width_from=0.5, gradual=0.1, random_networks=8)
    assert [(stage.first, stage.opened) for stage in stages(config)] == [
        (0, "the largest network alone"),
        (100, "middle depth"), (200, "smallest depth"),
        (300, "middle expansion"), (400, "smallest expansion"),
        (500, "middle width"), (600, "smallest width"),
    ]  # fmt: skip
    depths, widths = [stage.depth for stage in STAGES], [stage.width for stage in STAGES]
    firsts = [stage.expansions.start for stage in STAGES]
    for number, positions in enumerate((depths, firsts, widths)):
        for offset, lowest in ((0, 1), (100, 2)):
            first = 100 + 200 * number + 100 * (offset > 0)
            codes = SPACE.encode([n for s in range(first, first + 20) for n in networks_of_step(config, SPACE, s)])
            steps_down = SPACE.encode([SPACE.largest])[0, positions] - codes[:, positions]
            assert steps_down.max() == lowest
            assert networks_of_step(config, SPACE, first)[-1] != networks_of_step(config, SPACE, first - 1)[-1]


@given(steps=st.integers(1, 3000), share=st.floats(0, 1))
def test_a_choice_opens_at_the_first_step_at_which_its_share_is_done(steps: int, share: float) -> None:
    config = TrainConfig(steps=steps, depth_from=share, expansion_from=0, width_from=0)
    (first, again) = openings(config)["depth"]
    assert first == again
    assert first / steps >= share
    assert first == 0 or (first - 1) / steps < share


@pytest.mark.parametrize("seed", [0, 7])
def test_networks_of_the_default_stages_are_those_of_earlier_versions(seed: int) -> None:
    """Trainings that began before choices opened one after the other go on as they would have."""
    config = TrainConfig(steps=100, seed=seed)
    kinds = {"depth": 0.1, "expansion": 0.2, "width": 0.3}
    for step in range(0, 100, 3):
        rng = np.random.default_rng([seed, 1, step])
        codes = np.concatenate([UPPER_BOUNDS[None], SPACE.sample(1, rng), LOWER_BOUNDS[None]])
        closed = [any(kind in d.name and step / 100 < start for kind, start in kinds.items()) for d in DIGITS]
        codes = SPACE.repair(np.where(closed, UPPER_BOUNDS, codes), rng)
        codes[:, SCALE] = rng.integers(0, 5)
        assert networks_of_step(config, SPACE, step) == list(dict.fromkeys(SPACE.decode(codes)))


@pytest.mark.parametrize("change", [{"batch_size": 1}, {"steps": 0}, {"learning_rate": 0.0}, {"learning_rate": 50.0}])
def test_settings_that_cannot_work_are_refused(change: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        replace(CONFIG, **change)
