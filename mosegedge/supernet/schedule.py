"""What is trained at which step: learning rate, input scale, and the networks that share the step.

Digits are switched on gradually, largest first, as once-for-all does (paper, section IV-C): at first only the largest
network is trained, then depths, then expansions, then widths may shrink. Everything is a function of seed and step, so
a resumed training meets the same networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mosegedge.errors import UsageError
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import DIGITS, SCALE
from mosegedge.space.codes import LOWER_BOUNDS, UPPER_BOUNDS, Codes

_ARCHITECTURES = 1  # distinguishes this stream of random numbers from those that order and augment pictures


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training of a supernet.

    Momentum, decay, batch size and the poly schedule are the paper's (section IV-C); its learning rate of 0.01 is for
    weights that were pretrained on ImageNet, from random weights a larger one is needed.

    Attributes:
        steps: Number of steps.
        batch_size: Pictures a step.
        learning_rate: At the start of the schedule, after the warm-up.
        warmup_steps: Steps over which the learning rate rises from zero.
        momentum: Of SGD.
        weight_decay: Of SGD, on convolution weights.
        power: Of the poly schedule.
        random_networks: Networks drawn a step beside the largest and the smallest.
        distillation: Weight of the largest network's soft labels in the loss of the others.
        auxiliary: Weight of the auxiliary heads' losses.
        depth_from: Share of the steps after which depths may shrink.
        expansion_from: The same for expansions.
        width_from: The same for widths.
        gradient_norm: Gradients are clipped to this norm.
        seed: Decides weights, pictures and networks.
    """

    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 0.15
    warmup_steps: int = 100
    momentum: float = 0.9
    weight_decay: float = 1e-5
    power: float = 0.9
    random_networks: int = 1
    distillation: float = 1.0
    auxiliary: float = 0.5
    depth_from: float = 0.1
    expansion_from: float = 0.2
    width_from: float = 0.3
    gradient_norm: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"A training of {self.steps} steps is none.", fix="--steps 3000")
        if self.batch_size < 2:
            raise UsageError(
                f"Batch size {self.batch_size} cannot be trained.",
                known="Batch norm sees one value per channel behind the global pooling, so it needs two pictures.",
                fix="--batch-size 8",
            )
        if not 0 < self.learning_rate < 10:
            raise UsageError(f"A learning rate of {self.learning_rate} cannot work.", fix="--learning-rate 0.05")


def learning_rate(config: TrainConfig, step: int) -> float:
    """Poly schedule with a linear warm-up: lr (1 - step / steps)^power."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    return warm * config.learning_rate * float((1 - step / config.steps) ** config.power)


def networks_of_step(config: TrainConfig, space: SearchSpace, step: int) -> list[Architecture]:
    """The networks trained at one step: largest, random ones, smallest; all at one input scale.

    In the first phase this is the largest network alone.
    """
    rng = np.random.default_rng([config.seed, _ARCHITECTURES, step])
    codes = np.concatenate([UPPER_BOUNDS[None], space.sample(config.random_networks, rng), LOWER_BOUNDS[None]])
    codes = space.repair(_fix_inactive(config, step, codes), rng)
    codes[:, SCALE] = rng.integers(0, 5)
    return list(dict.fromkeys(space.decode(codes)))


def _fix_inactive(config: TrainConfig, step: int, codes: Codes) -> Codes:
    """Sets every digit that is not switched on yet to its upper bound."""
    done = step / config.steps
    starts = {"depth": config.depth_from, "expansion": config.expansion_from, "width": config.width_from}
    fixed = np.array([any(word in digit.name and done < start for word, start in starts.items()) for digit in DIGITS])
    return np.where(fixed, UPPER_BOUNDS, codes)
