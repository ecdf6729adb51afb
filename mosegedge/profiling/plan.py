"""What will be measured: every distinct layer of the chosen scales, and whole networks for fitting and for judging."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mosegedge.devices.agent_client import BurstSettings
from mosegedge.devices.backends import BUILD_TIMEOUT
from mosegedge.devices.inventory import Device
from mosegedge.errors import UsageError
from mosegedge.files import canonical_json, sha256_of_bytes
from mosegedge.profiling.choosing import fitting_networks, judging_networks
from mosegedge.profiling.fit import METHODS, Method
from mosegedge.profiling.roofline import ProbeSpec
from mosegedge.space import Architecture, LayerSpec, SearchSpace
from mosegedge.space.counting import flops_of
from mosegedge.space.space import SCALES

MIN_PASSES = 2
BATCH_BURSTS = 48  # between two questions whether the device was throttled
BURSTS_A_WINDOW = 8  # between two visits of a sentinel
BURSTS_A_LOAD = 2  # of a network until it is loaded anew
_SENTINELS = 4
_MOST_JUDGING = 60

# A model that runs for long is warm after one run, and one run of it is a long sample.
_LONG_NS = 150_000_000
LAYER_BURST = BurstSettings(min_samples=3, max_samples=10, min_ns=4_000_000, max_warmup=8, most_ns=_LONG_NS)
NETWORK_BURST = BurstSettings(min_samples=3, max_samples=40, min_ns=80_000_000, max_warmup=4, most_ns=_LONG_NS)


@dataclass(frozen=True, kw_only=True)
class ProfileSettings:
    """How much is measured.

    Attributes:
        scales: Scale digits that the profile covers.
        networks: Whole networks; half of them, at most 60, only judge the latency model, the others fit it.
        passes: How often a model is timed at most; fewer times where it is known well enough before. At least 2.
        budget_s: Stop after this much time, though never before every model was timed twice; None for no limit.
        seed: Decides the networks and the order.
        method: What is measured for the latency model: every `layers`, whole `networks`, or `both`. Networks that
            judge it are measured in any case.
        energy: True for whole networks and layers, with whichever sensor there is; False for none; None for whole
            networks where the device counts energy.
        memory: Whether some networks are loaded once more to see how much memory they need.
    """

    scales: tuple[int, ...] = tuple(range(SCALES))
    networks: int = 80
    passes: int = 24
    budget_s: float | None = None
    seed: int = 0
    method: Method = "both"
    energy: bool | None = None
    memory: bool = True

    def __post_init__(self) -> None:
        allowed = range(SCALES)
        if not self.scales or len(set(self.scales)) < len(self.scales) or not set(self.scales) <= set(allowed):
            raise UsageError(
                f"The scales {', '.join(map(str, self.scales)) or '(none)'} cannot be profiled.",
                known=f"Scale digits go from 0 to {SCALES - 1}, each once.",
                fix="--scales 0,2",
            )
        if self.networks < self.fewest_networks:
            raise UsageError(
                f"{self.networks} whole networks are too few for {len(self.scales)} scales.",
                known="The smallest and the largest network of each scale fit the model, as many others judge it.",
                fix=f"--networks {self.fewest_networks}",
            )
        if self.method not in METHODS:
            raise UsageError(
                f"There is no method {self.method!r}.",
                known=f"A latency model is made of {', '.join(METHODS)}.",
                fix="--method both",
            )
        if self.passes < MIN_PASSES:
            raise UsageError(
                f"{self.passes} passes are too few.",
                known="The spread of a measurement shows only between passes.",
                fix=f"--passes {MIN_PASSES}",
            )
        if self.budget_s is not None and self.budget_s <= 0:
            raise UsageError(f"A budget of {self.budget_s} s is no time.", fix="--budget 90s")

    @property
    def judging(self) -> int:
        """Number of networks that only judge the model."""
        return min(self.networks // 2, _MOST_JUDGING)

    @property
    def fitting(self) -> int:
        """Number of networks that fit the model."""
        return 0 if self.method == "layers" else self.networks - self.judging

    @property
    def fewest_networks(self) -> int:
        """Smallest number of networks that can fit and judge a model of these scales."""
        return max(8, 4 * len(self.scales))


@dataclass(frozen=True, slots=True)
class Item:
    """One model to be timed.

    Attributes:
        key: Canonical name, unique in the plan.
        source: The layer, the network, or the probe of the roofline.
        flops: Multiply-adds.
    """

    key: str
    source: LayerSpec | Architecture | ProbeSpec
    flops: int

    @property
    def settings(self) -> BurstSettings:
        """Length of its bursts."""
        return NETWORK_BURST if isinstance(self.source, Architecture) else LAYER_BURST


@dataclass(frozen=True)
class Plan:
    """Everything that a profile needs to have measured.

    Attributes:
        space: The search space.
        device: Where it is measured.
        settings: How much of it.
        layers: Distinct layers of the chosen scales, by key; none where only networks are measured.
        fit: Networks that the latency model is fitted to.
        held_out: Networks that it is judged on, and never fitted to.
        positions: Rows of the look-up table that the layers fill; equal layers share one measurement.
    """

    space: SearchSpace
    device: Device
    settings: ProfileSettings
    layers: tuple[Item, ...]
    fit: tuple[Item, ...]
    held_out: tuple[Item, ...]
    positions: int

    @cached_property
    def items(self) -> tuple[Item, ...]:
        """All models."""
        return (*self.layers, *self.fit, *self.held_out)

    @property
    def bursts_a_pass(self) -> int:
        """Number of bursts of one pass."""
        return len(self.items)

    @cached_property
    def sentinels(self) -> tuple[Item, ...]:
        """A few layers of middle size, timed every few bursts: smaller ones are mostly overhead.

        None where no layer is measured.
        """
        ordered = sorted(self.layers, key=lambda item: (item.flops, item.key))
        places = np.linspace(len(ordered) // 4, 3 * len(ordered) // 4, num=min(_SENTINELS, len(ordered)))
        return tuple(ordered[int(place)] for place in places)

    @cached_property
    def digest(self) -> str:
        """What has to be equal for two runs to belong to the same profile; the number of passes may differ."""
        identity = {
            "space": self.space.digest,
            "backend": self.device.backend,
            "threads": self.device.threads,
            "precision": self.device.precision,
            "clock": self.device.clock,
            "settings": {name: value for name, value in self.device.settings.items() if name != BUILD_TIMEOUT},
            "opset": self.device.opset,
            "items": [item.key for item in self.items],
            "seed": self.settings.seed,
            "method": self.settings.method,
        }
        return sha256_of_bytes(canonical_json(identity).encode())


def make_plan(space: SearchSpace, device: Device, settings: ProfileSettings) -> Plan:
    """Chooses layers and networks; the same arguments give the same plan."""
    size = len(space.entries) // SCALES
    scales_with_layers = () if settings.method == "networks" else settings.scales
    rows = [space.entries[scale * size + row] for scale in scales_with_layers for row in range(size)]
    specs = sorted(set(rows), key=lambda spec: spec.key)
    layers = tuple(Item(spec.key, spec, flops_of(spec)) for spec in specs)
    for_fit, for_judging = np.random.default_rng(settings.seed).spawn(2)
    scales = settings.scales
    fit = fitting_networks(space, scales=scales, count=settings.fitting, rng=for_fit)
    held_out = judging_networks(space, scales=scales, count=settings.judging, taken=fit, rng=for_judging)
    return Plan(space, device, settings, layers, _networks(space, fit), _networks(space, held_out), len(rows))


def network_key(architecture: Architecture) -> str:
    """Name of a whole network in journals."""
    return f"network {architecture}"


def _networks(space: SearchSpace, architectures: Iterable[Architecture]) -> tuple[Item, ...]:
    chosen = list(architectures)
    flops = space.flops(space.encode(chosen))
    return tuple(Item(network_key(network), network, int(count)) for network, count in zip(chosen, flops, strict=True))
