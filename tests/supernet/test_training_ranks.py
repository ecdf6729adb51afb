"""Several processes train what one would: equal curves, and nothing lost when one of them is killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import freezing
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from stopping import Losses

from mosegedge.data import cached
from mosegedge.data.classified import ClassFolders
from mosegedge.data.scenes import SceneSet
from mosegedge.errors import TrainingError, UsageError
from mosegedge.progress import Silent
from mosegedge.space import SearchSpace
from mosegedge.supernet.activation import networks_of_step
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.loss import PixelLoss, segmentation_loss
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.place import Place
from mosegedge.supernet.pretrain import pretrain_encoder
from mosegedge.supernet.ranks import PATIENCE, Ranks, joined
from mosegedge.supernet.retrain import retrain_network
from mosegedge.supernet.sandwich import sandwich_losses
from mosegedge.supernet.schedule import PretrainConfig, RetrainConfig, TrainConfig
from mosegedge.supernet.train import train_supernet

SPACE = SearchSpace.load("nano:96x192:19")
TRAIN = TrainConfig(
    steps=4, batch_size=4, learning_rate=1e-4, warmup_steps=0, depth_from=0, expansion_from=0.3, width_from=0.5,
    sort_channels=True, ema=0.5,
)  # fmt: skip
RETRAIN = RetrainConfig(steps=2, batch_size=2, learning_rate=1e-4, class_weights="bounded")
PRETRAIN = PretrainConfig(steps=2, batch_size=4, learning_rate=1e-4, warmup_steps=0, crop=64)
_KILLED_AT = 3
# Sums in another order, which random weights and few pictures amplify; double precision is held to more below.
_CLOSE = 0.02


class Killed(Silent):
    """The process kills itself after some steps."""

    def __init__(self) -> None:
        self.left = _KILLED_AT

    def advance(self, steps: int = 1, note: str = "") -> None:
        self.left -= steps
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def train_all(folder: Path, place: Place) -> tuple[dict[str, list[float]], Losses]:
    """Pretrains and retrains, and trains a supernet in which the second process, if there is one, is killed."""
    pretrained, retrained, trained = Losses(), Losses(), Losses()
    pictures, data = ClassFolders.open(folder.parent / "classes"), cached(SceneSet("train", 4))
    pretrain_encoder(SPACE, pictures, folder / "encoder", config=PRETRAIN, progress=pretrained, place=place)
    retrain_network(SPACE, SPACE.smallest, data, folder / "network", config=RETRAIN, progress=retrained, place=place)
    losses = {"encoder": pretrained.seen, "network": retrained.seen}
    (folder / f"losses-{place.ranks.rank}.json").write_text(json.dumps(losses))
    watch = Killed() if place.ranks.rank == 1 else trained
    try:
        train_supernet(SPACE, data, folder / "supernet", config=TRAIN, progress=watch, place=place, checkpoint_steps=2)
    except TrainingError as error:
        (folder / "error.txt").write_text(str(error))
        (folder / "supernet.json").write_text(json.dumps(trained.seen))
    return losses, trained


def main() -> None:
    torch.set_num_threads(1)
    with joined(torch.device("cpu")) as ranks:
        train_all(Path(sys.argv[1]), Place(ranks=ranks))


def launched(rank: int, port: int) -> dict[str, str]:
    """What torchrun says to a process."""
    own = {"RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank), "MASTER_PORT": str(port)}
    return own | {"MASTER_ADDR": "127.0.0.1"}


def start(rank: int, folder: Path, port: int) -> subprocess.Popen[bytes]:
    """A process as torchrun starts it."""
    environment = os.environ | launched(rank, port)
    return subprocess.Popen([sys.executable, __file__, str(folder)], env=environment, stderr=subprocess.PIPE)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_two_processes_train_what_one_does_and_one_goes_on_after_a_kill(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "classes" / name).mkdir(parents=True)
        for index in range(3):
            Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(
                tmp_path / "classes" / name / f"{index}.png"
            )
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    port = free_port()
    processes = [start(rank, tmp_path / "two", port) for rank in range(2)]
    alone, curve = train_all(tmp_path / "one", Place())
    ends = [process.communicate()[1].decode() for process in processes]
    assert processes[1].returncode == -signal.SIGKILL, ends

    for rank in range(2):
        together = json.loads((tmp_path / f"two/losses-{rank}.json").read_text())
        for name, losses in alone.items():
            assert together[name] == pytest.approx(losses, abs=_CLOSE), name
    assert "Another process of the training is gone" in (tmp_path / "two/error.txt").read_text()
    assert json.loads((tmp_path / "two/supernet.json").read_text()) == pytest.approx(
        curve.seen[:_KILLED_AT], abs=_CLOSE
    )

    resumed = Losses()
    data = cached(SceneSet("train", 4))
    train_supernet(SPACE, data, tmp_path / "two/supernet", config=TRAIN, progress=resumed, checkpoint_steps=2)
    # The checkpoint before the kill is that of two steps.
    assert len(resumed.seen) == 2
    assert resumed.seen[0] == pytest.approx(curve.seen[2], abs=_CLOSE)
    for file in ("encoder/encoder", "network/network", "supernet/supernet"):
        expected, found = (load_file(tmp_path / name / f"{file}.safetensors") for name in ("one", "two"))
        assert {name: tensor.shape for name, tensor in expected.items()} == {n: t.shape for n, t in found.items()}


def test_a_process_that_freezes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the patience of a training, as long as two processes that do nothing need to meet."""
    port = free_port()
    command = [sys.executable, freezing.__file__]
    with subprocess.Popen(command, env=os.environ | launched(1, port), stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        try:
            assert other.stdout.readline() == b"ready\n"
            for name, value in launched(0, port).items():
                monkeypatch.setenv(name, value)
            with joined(torch.device("cpu"), patience=timedelta(seconds=1.5)) as ranks:
                assert float(ranks.total(torch.ones(1))) == 2
                with pytest.raises(TrainingError, match="Another process of the training does not answer") as lost:
                    ranks.total(torch.ones(1))
        finally:
            other.kill()
    assert (lost.value.exit_code, "last checkpoint" in lost.value.known) == (11, True)
    assert timedelta(minutes=1) < PATIENCE < timedelta(minutes=10)


class Threads:
    """Sums over two threads in the place of two processes."""

    def __init__(self) -> None:
        self.barrier, self.own, self.held = threading.Barrier(2, timeout=20), threading.local(), [torch.empty(0)] * 2

    def add_up(self, tensor: torch.Tensor) -> None:
        self.held[self.own.rank] = tensor.clone()
        self.barrier.wait()
        total = self.held[0] + self.held[1]
        self.barrier.wait()
        tensor.copy_(total)

    def run(self, work: Callable[[Ranks], None]) -> None:
        """Does a piece of work in both."""
        both = [threading.Thread(target=self._start, args=(work, Ranks(rank, 2))) for rank in range(2)]
        for thread in both:
            thread.start()
        for thread in both:
            thread.join()

    def _start(self, work: Callable[[Ranks], None], ranks: Ranks) -> None:
        self.own.rank = ranks.rank
        work(ranks)


def test_two_processes_take_the_steps_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision, where sums in another order are no excuse."""
    threads = Threads()
    monkeypatch.setattr("mosegedge.supernet.ranks._add_up", threads.add_up)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(4, 3, 64, 64, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 19, (4, 64, 64), generator=generator)
    labels[1:, 20:] = 255  # the second process has fewer
    weights = torch.rand(19, generator=generator)
    config = replace(TRAIN, steps=3, learning_rate=0.05)
    curves: dict[Ranks, list[float]] = {}
    statistics: dict[Ranks, dict[str, torch.Tensor]] = {}

    def train(ranks: Ranks) -> None:
        place = Place(ranks=ranks)
        supernet = Supernet(SPACE, torch.Generator().manual_seed(0), ranks).double().train()
        fitter = Fitter(supernet.network, config, place)
        pixel_loss = PixelLoss(weights=weights, ranks=ranks)
        curve = curves[ranks] = []
        for step in range(config.steps):
            fitter.begin(step)
            losses = sandwich_losses(
                networks_of_step(config, SPACE, step),
                lambda network: supernet(place.rows(pictures), network),
                lambda outputs: segmentation_loss(outputs, place.rows(labels), pixel_loss, 0.5),
                fitter,
                config,
            )
            fitter.finish(step)
            curve += losses.values()
        statistics[ranks] = dict(supernet.network.named_buffers())

    train(Ranks())
    threads.run(train)
    for rank in range(2):
        assert curves[Ranks(rank, 2)] == pytest.approx(curves[Ranks()], rel=3e-4)
        for name, tensor in statistics[Ranks()].items():
            bound = 1e-3 * float(tensor.abs().max()) + 1e-6
            torch.testing.assert_close(statistics[Ranks(rank, 2)][name], tensor, rtol=0, atol=bound, msg=name)


def test_a_batch_that_cannot_be_split_evenly_is_refused() -> None:
    assert Ranks(1, 4).require_even(8) == 2
    with pytest.raises(UsageError, match=r"10 pictures cannot be split over 4 processes.*--batch-size 12"):
        Ranks(1, 4).require_even(10)


def test_losses_of_processes_with_unequal_labels_average_to_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = torch.Generator().manual_seed(0)
    logits, labels = torch.randn(4, 3, 5, 5, generator=generator), torch.randint(0, 3, (4, 5, 5), generator=generator)
    labels[2:, 1:] = 255  # the second process has few labels, and of its own mean these would count too much
    weights = torch.tensor([1.0, 2.0, 0.5])
    whole = PixelLoss(weights=weights)(logits, labels)
    sums = [weights[part[part != 255]].sum() for part in labels.split(2)]
    monkeypatch.setattr(Ranks, "total", lambda self, value: sum(sums))
    parts = [
        PixelLoss(weights=weights, ranks=Ranks(rank, 2))(
            logits[2 * rank : 2 * rank + 2], labels[2 * rank : 2 * rank + 2]
        )
        for rank in range(2)
    ]
    torch.testing.assert_close((parts[0] + parts[1]) / 2, whole)


def test_one_process_needs_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_arguments: object, **_options: object) -> NoReturn:
        raise AssertionError

    monkeypatch.delenv("WORLD_SIZE", raising=False)
    monkeypatch.setattr(torch.distributed, "init_process_group", never)
    with joined(torch.device("cpu")) as ranks:
        assert ranks == Ranks(0, 1) == replace(ranks)


if __name__ == "__main__":
    main()
