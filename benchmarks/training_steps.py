"""Training steps of the same networks: inside a supernet, and each on its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from benchmarks.interleaved import Work
from mosegedge.networks.training import TrainingNetwork
from mosegedge.networks.weights import build_with_weights
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.supernet.fitting import Fitter
from mosegedge.supernet.loss import IGNORE, PixelLoss, distillation_loss, segmentation_loss
from mosegedge.supernet.model import Supernet
from mosegedge.supernet.place import Place
from mosegedge.supernet.sandwich import Outputs, sandwich_losses
from mosegedge.supernet.schedule import TrainConfig
from mosegedge.supernet.start import StartWeights

LARGEST, SMALLEST = "largest", "smallest"
SUPERNET, STATIC = "supernet", "static"
SOFT_LABELS = Work("soft labels of two networks", STATIC)
_UNLABELLED = 0.05
_SAME = 1e-4


@dataclass(frozen=True, kw_only=True, eq=False)
class Ground:
    """What all steps have in common.

    Attributes:
        space: The search space.
        codes: The networks by name, all at one input scale; the largest and the smallest among them.
        config: The training.
        place: Where it computes.
        pictures: N x 3 x H x W.
        labels: N x H x W.
    """

    space: SearchSpace
    codes: dict[str, Architecture]
    config: TrainConfig
    place: Place
    pictures: Tensor
    labels: Tensor

    def loss_of(self, outputs: Outputs) -> Tensor:
        """The loss of one network against the labels."""
        pixel_loss = PixelLoss(weights=self.place.put(torch.ones(self.space.classes)))
        return segmentation_loss(outputs, self.labels, pixel_loss, self.config.auxiliary)

    @property
    def sandwiches(self) -> dict[str, list[str]]:
        """Names of the networks of whole steps of the supernet: the largest, one that was drawn, the smallest."""
        drawn = [name for name in self.codes if name not in (LARGEST, SMALLEST)]
        return {f"{LARGEST}, {name}, {SMALLEST}": [LARGEST, name, SMALLEST] for name in drawn}


def ground(
    space: SearchSpace, place: Place, *, networks: int, scale: int, batch_size: int, ema: float, seed: int
) -> Ground:
    """Draws networks, and a batch of noise with labels.

    Args:
        space: The search space.
        place: Where it computes.
        networks: How many are drawn at random.
        scale: Digit of the input scale.
        batch_size: Pictures a step.
        ema: Decay of the moving average of the weights; 0 for none.
        seed: Decides networks, weights and pictures.
    """
    rng = np.random.default_rng(seed)
    ends = np.array([space.largest.digits, space.smallest.digits])
    codes = np.concatenate([ends, space.sample(networks, rng)])
    codes[:, SCALE] = scale
    names = [LARGEST, SMALLEST, *(f"random {number + 1}" for number in range(networks))]
    size = space.preset.scaled_size(scale)
    pictures = torch.from_numpy(rng.normal(size=(batch_size, 3, *size)).astype(np.float32))
    labels = rng.integers(space.classes, size=(batch_size, *size))
    labels[rng.random(labels.shape) < _UNLABELLED] = IGNORE
    return Ground(
        space=space,
        codes=dict(zip(names, space.decode(codes), strict=True)),
        # A rate that changes the weights little: all rounds train about the same network.
        config=TrainConfig(batch_size=batch_size, learning_rate=1e-3, warmup_steps=0, ema=ema, seed=seed),
        place=place,
        pictures=place.put(pictures).contiguous(memory_format=torch.channels_last),
        labels=place.put(torch.from_numpy(labels)),
    )


def elastic_supernet(common: Ground) -> Supernet:
    """The supernet, ready to be trained."""
    supernet = Supernet(common.space, torch.Generator().manual_seed(common.config.seed)).train()
    return common.place.hold(supernet, channels_last=common.config.channels_last)


def static_network(common: Ground, name: str, supernet: Supernet | None = None) -> TrainingNetwork:
    """A network of its own, with the weights that it inherits from a supernet, or with random ones."""
    generator = torch.Generator().manual_seed(common.config.seed)
    network = build_with_weights(lambda: TrainingNetwork(common.space, common.codes[name]), generator).train()
    if supernet:
        StartWeights(kind="supernet", tensors=supernet.network.state_dict(), sha256="").copy_into(network)
    return common.place.hold(network, channels_last=common.config.channels_last)


def elastic_step(
    common: Ground, supernet: Supernet, fitter: Fitter, names: Sequence[str]
) -> Callable[[], dict[str, float]]:
    """A step of the supernet over one or more networks, as `mosegedge train` takes it."""
    networks = [common.codes[name] for name in names]

    def step() -> dict[str, float]:
        fitter.begin(0)
        losses = sandwich_losses(
            networks, lambda network: supernet(common.pictures, network), common.loss_of, fitter, common.config
        )
        fitter.finish(0)
        return losses

    return step


def static_step(common: Ground, network: TrainingNetwork) -> Callable[[], float]:
    """A step of one network, as `mosegedge retrain` takes it."""
    fitter = Fitter(network, common.config, common.place)

    def step() -> float:
        fitter.begin(0)
        with common.place.autocast(common.config.precision):
            outputs = network(common.pictures)
        loss = common.loss_of(tuple(output.float() for output in outputs))
        fitter.backward(loss)
        fitter.finish(0)
        return float(loss.detach())

    return step


def step_works(common: Ground) -> dict[Work, Callable[[], object]]:
    """Every network in both ways, whole steps of the supernet, and what soft labels cost in one of these."""
    supernet = elastic_supernet(common)
    fitter = Fitter(supernet.network, common.config, common.place)
    works: dict[Work, Callable[[], object]] = {}
    for name in common.codes:
        network = static_network(common, name, supernet)
        require_same(common, supernet, network, name)
        works[Work(name, STATIC)] = static_step(common, network)
        works[Work(name, SUPERNET)] = elastic_step(common, supernet, fitter, [name])
    for name, names in common.sandwiches.items():
        works[Work(name, SUPERNET)] = elastic_step(common, supernet, fitter, names)
    works[SOFT_LABELS] = soft_labels(common)
    return works


def soft_labels(common: Ground) -> Callable[[], None]:
    """Forward and backward pass of the loss with which two networks learn from the largest one."""
    size = (len(common.labels), common.space.classes, *common.labels.shape[1:])
    teacher = common.place.put(torch.randn(size, generator=torch.Generator().manual_seed(common.config.seed)))
    student = teacher.flip(0).requires_grad_()

    def step() -> None:
        for _ in range(2):
            student.grad = None
            distillation_loss(student, teacher).backward()  # type: ignore[no-untyped-call]

    return step


def require_same(common: Ground, supernet: Supernet, network: TrainingNetwork, name: str) -> None:
    """Both ways must compute the same, or comparing their times would mean nothing."""
    with torch.no_grad():
        own = float(common.loss_of(network(common.pictures)))
        shared = float(common.loss_of(supernet(common.pictures, common.codes[name])))
    assert abs(own - shared) <= _SAME * abs(own), f"{name}: a loss of {own} on its own, {shared} in the supernet"
