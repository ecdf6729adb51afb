"""Settings of a training, and its learning rate at every step.

Everything that a training does at a step is a function of its settings and the step, so a resumed one goes on exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

from mosegedge.errors import UsageError

Precision = Literal["fp32", "bf16", "fp16"]
"""Number format of a forward pass; weights, their averages, gradients and losses are fp32 in all of them."""


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How weights are fitted, whatever network they belong to.

    Attributes:
        steps: Number of steps.
        batch_size: Pictures a step, over all processes together.
        learning_rate: At the start of the schedule, after the warm-up.
        schedule: How the learning rate falls to zero: `poly` or `cosine`.
        power: Of the poly schedule.
        warmup_steps: Steps over which the learning rate rises from zero.
        momentum: Of SGD.
        weight_decay: Of SGD, on convolution weights.
        gradient_norm: Gradients are clipped to this norm; 0 clips nothing.
        ema: Decay of the moving average of the weights that the training ends with; 0 ends with the last weights.
        precision: Number format of forward passes.
        channels_last: Memory layout of pictures and kernels; faster on most machines.
        seed: Decides weights, pictures and networks.
    """

    steps: int = 3000
    batch_size: int = 8
    learning_rate: float = 0.15
    schedule: Literal["poly", "cosine"] = "poly"
    power: float = 0.9
    warmup_steps: int = 100
    momentum: float = 0.9
    weight_decay: float = 1e-5
    gradient_norm: float = 5.0
    ema: float = 0.0
    precision: Precision = "fp32"
    channels_last: bool = True
    seed: int = 0

    # Recipes are read strictly: an unknown name, or a number given as text, is an error.
    __pydantic_config__: ClassVar = {"extra": "forbid", "strict": True}

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
        _one_of("schedule", self.schedule, ("poly", "cosine"))
        _one_of("precision", self.precision, get_args(Precision))
        for name in ("momentum", "ema"):
            _inside(name, getattr(self, name), 0, 1, open_above=True)
        for name in ("power", "warmup_steps", "weight_decay", "gradient_norm", "seed"):
            _inside(name, getattr(self, name), 0, math.inf)


@dataclass(frozen=True, kw_only=True)
class PixelConfig(FitConfig):
    """A training on labelled pixels.

    Attributes:
        auxiliary: Weight of the auxiliary heads' losses; they are only there while training.
        class_weights: `bounded` weighs rare classes more, `none` all alike.
        ohem_threshold: Pixels whose right class has a higher probability than this are left out; 1 keeps all.
        ohem_least: Share of the pixels, the hardest ones, that is never left out.
    """

    auxiliary: float = 0.5
    class_weights: Literal["bounded", "none"] = "bounded"
    ohem_threshold: float = 1.0
    ohem_least: float = 0.0625

    def __post_init__(self) -> None:
        super().__post_init__()
        _one_of("class_weights", self.class_weights, ("bounded", "none"))
        for name in ("ohem_threshold", "ohem_least"):
            _inside(name, getattr(self, name), 0, 1)
        _inside("auxiliary", self.auxiliary, 0, math.inf)


@dataclass(frozen=True, kw_only=True)
class SandwichConfig(FitConfig):
    """A training of networks that share their weights.

    Attributes:
        random_networks: Networks drawn a step beside the largest and the smallest.
        distillation: Weight of the largest network's soft labels in the loss of the others.
        depth_from: Share of the steps after which depths may shrink.
        expansion_from: The same for expansions.
        width_from: The same for widths.
        gradual: Share of the steps by which the smallest choice of each kind follows the middle one.
        sort_channels: Before expansions or widths may shrink for the first time, bring the channels that the following
            layers weigh most to the front, where every network takes its own from.
    """

    random_networks: int = 1
    distillation: float = 1.0
    depth_from: float = 0.1
    expansion_from: float = 0.2
    width_from: float = 0.3
    gradual: float = 0.0
    sort_channels: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("depth_from", "expansion_from", "width_from", "gradual"):
            _inside(name, getattr(self, name), 0, 1)
        for name in ("random_networks", "distillation"):
            _inside(name, getattr(self, name), 0, math.inf)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(PixelConfig, SandwichConfig):
    """One training of a supernet.

    Momentum, decay, batch size and the poly schedule are the paper's (section IV-D); its learning rate of 0.01 is for
    weights that were pretrained on ImageNet, from random weights a larger one is needed.
    """


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(PixelConfig):
    """The training of one network after the search; the defaults are the paper's (section IV-D) where it gives them.

    Attributes:
        compile: Have PyTorch compile the network. A supernet has no such setting: every network of it has shapes of
            its own and would be compiled anew.
    """

    steps: int = 40_000
    learning_rate: float = 0.01
    warmup_steps: int = 0
    class_weights: Literal["bounded", "none"] = "none"
    compile: bool = False


@dataclass(frozen=True, kw_only=True)
class PretrainConfig(SandwichConfig):
    """The training of a supernet's encoder to name what whole pictures show.

    Attributes:
        crop: Height and width of the pictures at the largest input scale; a multiple of 32.
        label_smoothing: Share of the labels that is spread over all classes.
    """

    learning_rate: float = 0.1
    schedule: Literal["poly", "cosine"] = "cosine"
    crop: int = 224
    label_smoothing: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        _inside("label_smoothing", self.label_smoothing, 0, 1, open_above=True)
        if self.crop < 64 or self.crop % 32:
            raise UsageError(f"crop is {self.crop}.", known="It is a multiple of 32, 64 at least.", fix="crop = 224")


def learning_rate(config: FitConfig, step: int) -> float:
    """Linear warm-up times lr (1 - step / steps)^power, or lr (1 + cos(pi step / steps)) / 2."""
    warm = min(1.0, (step + 1) / max(1, config.warmup_steps))
    done = step / config.steps
    if config.schedule == "cosine":
        return warm * config.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return warm * config.learning_rate * float((1 - done) ** config.power)


def _inside(name: str, value: float, low: float, high: float, *, open_above: bool = False) -> None:
    if not low <= value <= high or (open_above and value == high):
        bound = f"from {low:g} to " + (f"less than {high:g}" if open_above else f"{high:g}")
        allowed = f"{low:g} or more" if math.isinf(high) else bound
        raise UsageError(f"{name} is {value:g}.", known=f"It can be {allowed}.", fix="Change it in the recipe.")


def _one_of(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UsageError(f"{name} is {value!r}.", known=f"It can be {' or '.join(choices)}.", fix="Change it.")
