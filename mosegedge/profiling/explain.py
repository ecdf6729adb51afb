"""Why a network takes as long as it does: every layer against the roofline, and what one digit more or less costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.latency import LatencyModel, part_of
from mosegedge.profiling.roofline import ELEMENT_BYTES, Roofline
from mosegedge.space import Architecture, LayerSpec
from mosegedge.space.architecture import CODE_LENGTH, SCALE
from mosegedge.space.codes import Codes
from mosegedge.space.counting import elements_moved_of, flops_of
from mosegedge.space.neighbours import Neighbour, neighbours

if TYPE_CHECKING:
    from mosegedge.profiling.profile import Profile

Bound = Literal["compute", "memory", "launch"]
BETWEEN = "constant"
OVERFLOW = "overflow"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTime:
    """One layer of a network.

    Attributes:
        slot: Its place, as `encoder.stage3.2`.
        spec: What it is.
        latency_ms: What it costs inside the network, by the latency model.
        share: The same as a share of the whole network.
        isolated_ms: What it took on its own, None where it was not timed.
        multiply_adds: Of its convolutions.
        bytes_moved: Weights, inputs and outputs, each once.
        bound: What keeps it from being faster, None without a roofline. `launch`: at the roof it would take less than
            a model that computes nothing.
        roof_ms: The least time by the roofline, None without one.
    """

    slot: str
    spec: LayerSpec
    latency_ms: float
    share: float
    isolated_ms: float | None
    multiply_adds: int
    bytes_moved: int
    bound: Bound | None
    roof_ms: float | None

    @property
    def part(self) -> str:
        """Stem, stage or decoder that it belongs to."""
        return part_of(self.slot)

    @property
    def intensity(self) -> float:
        """Multiply-adds for every byte moved."""
        return self.multiply_adds / self.bytes_moved

    @property
    def efficiency(self) -> float | None:
        """The least time by the roofline, as a share of what it costs; above 1 where its data stayed in a cache."""
        return None if self.roof_ms is None or self.latency_ms <= 0 else self.roof_ms / self.latency_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitCost:
    """What one step of one digit costs.

    Attributes:
        neighbour: The network that results.
        delta_ms: Its latency less that of the network that is explained; None where the profile does not cover it.
    """

    neighbour: Neighbour
    delta_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """One digit with its two steps.

    Attributes:
        position: In the code.
        down: One less; None where that is no network.
        up: One more; None where that is no network.
    """

    position: int
    down: DigitCost | None
    up: DigitCost | None

    @property
    def effect_ms(self) -> float:
        """The larger of the two differences, 0 where the profile covers neither."""
        deltas = [cost.delta_ms for cost in (self.down, self.up) if cost is not None]
        return max((abs(delta) for delta in deltas if delta is not None), default=0.0)


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """Why a network takes as long as it does.

    Attributes:
        architecture: The network.
        latency_ms: Predicted.
        sd_ms: Standard deviation of the prediction.
        layers: In the order of execution.
        outside_ms: What belongs to no layer: `constant`, and `overflow` for weights that the caches cannot hold.
        roofline: What the device can do at best, None where it was not measured.
        steps: What one step of each digit costs; by position, the step down first.
    """

    architecture: Architecture
    latency_ms: float
    sd_ms: float
    layers: tuple[LayerTime, ...]
    outside_ms: dict[str, float]
    roofline: Roofline | None
    steps: tuple[DigitCost, ...]

    @cached_property
    def parts_ms(self) -> dict[str, float]:
        """Cost of stem, stages and decoder, then what belongs to none of them."""
        costs: dict[str, float] = {}
        for layer in self.layers:
            costs[layer.part] = costs.get(layer.part, 0.0) + layer.latency_ms
        return costs | self.outside_ms

    def efficiency_of(self, part: str) -> float | None:
        """The least time of a part by the roofline as a share of what it costs; None without a roofline."""
        roofs = [layer.roof_ms for layer in self.layers if layer.part == part]
        if not roofs or self.parts_ms[part] <= 0:
            return None
        return None if any(roof is None for roof in roofs) else sum(filter(None, roofs)) / self.parts_ms[part]

    def bound_by(self, bound: Bound) -> int:
        """Number of layers that this keeps from being faster."""
        return sum(layer.bound == bound for layer in self.layers)

    @property
    def digits(self) -> list[Digit]:
        """All digits of the code, the one with the largest effect first."""
        steps = {(cost.neighbour.position, cost.neighbour.step): cost for cost in self.steps}
        digits = [
            Digit(position=position, down=steps.get((position, -1)), up=steps.get((position, 1)))
            for position in range(CODE_LENGTH)
        ]
        return sorted(digits, key=lambda digit: -digit.effect_ms)

    @property
    def best_saving(self) -> DigitCost | None:
        """The single step that saves most; None where none saves anything."""
        saving = [(cost.delta_ms, cost) for cost in self.steps if cost.delta_ms is not None and cost.delta_ms < 0]
        return min(saving, key=lambda pair: pair[0])[1] if saving else None


def explain(profile: Profile, model: LatencyModel, architecture: Architecture) -> Explanation:
    """Takes the prediction of a network apart.

    Args:
        profile: Where the isolated latencies and the roofline are.
        model: Its latency model.
        architecture: The network.

    Raises:
        ProfileError: The profile does not cover the network.
    """
    space = model.space
    around = neighbours(architecture)
    codes = space.encode([architecture, *(neighbour.architecture for neighbour in around)])
    covered = _covered(model, codes)
    covered[0] = True  # or predicting it says what is missing
    means_ms = np.full(len(codes), np.nan)
    sds_ms = np.full(len(codes), np.nan)
    means_ms[covered], sds_ms[covered] = model.predict(codes[covered])
    whole_ms = float(means_ms[0])
    isolated_ms = {entry.key: entry.value_ms for entry in profile.entries}
    roofline = roofline_in(profile)
    layers = tuple(_layers(model, codes[0], whole_ms, isolated_ms, roofline, profile.protocol.precision))
    outside_ms = {part.name: part.latency_ms for part in model.parts(architecture) if part.name in (BETWEEN, OVERFLOW)}
    return Explanation(
        architecture=architecture,
        latency_ms=whole_ms,
        sd_ms=float(sds_ms[0]),
        layers=layers,
        outside_ms=outside_ms,
        roofline=roofline,
        steps=tuple(
            DigitCost(neighbour=neighbour, delta_ms=float(mean_ms) - whole_ms if known else None)
            for neighbour, mean_ms, known in zip(around, means_ms[1:], covered[1:], strict=True)
        ),
    )


def roofline_in(profile: Profile) -> Roofline | None:
    """The roofline of a profile's device, None where it was not measured."""
    section = profile.roofline
    if section is None:
        return None
    return Roofline(**section.model_dump())


def bytes_moved(spec: LayerSpec, precision: str) -> int:
    """Bytes of the weights, inputs and outputs of a layer, each once."""
    return elements_moved_of(spec) * ELEMENT_BYTES[precision]


def _covered(model: LatencyModel, codes: Codes) -> NDArray[np.bool_]:
    """Which networks the profile has every layer and the scale of."""
    table_ms = np.append(model.entry_ms, 0.0)
    gaps = np.isnan(table_ms[model.space.entries_of(codes)]).any(axis=1) | np.isnan(model.constant_ms[codes[:, SCALE]])
    return np.asarray(~gaps)


def _layers(
    model: LatencyModel,
    code: NDArray[np.int64],
    whole_ms: float,
    isolated_ms: dict[str, float],
    roofline: Roofline | None,
    precision: str,
) -> Iterator[LayerTime]:
    space = model.space
    for slot, entry in zip(space.slots, space.entries_of(code[None])[0], strict=True):
        if entry < 0:
            continue
        spec, latency_ms = space.entries[entry], float(model.entry_ms[entry])
        multiply_adds, moved = flops_of(spec), bytes_moved(spec, precision)
        bound, roof_ms = _judged(roofline, multiply_adds, moved)
        yield LayerTime(
            slot=slot,
            spec=spec,
            latency_ms=latency_ms,
            share=latency_ms / whole_ms,
            isolated_ms=isolated_ms.get(spec.key),
            multiply_adds=multiply_adds,
            bytes_moved=moved,
            bound=bound,
            roof_ms=roof_ms,
        )


def _judged(roofline: Roofline | None, multiply_adds: int, moved: int) -> tuple[Bound | None, float | None]:
    if roofline is None:
        return None, None
    compute_ms, memory_ms = roofline.compute_ms(multiply_adds), roofline.memory_ms(moved)
    roof_ms = max(compute_ms, memory_ms)
    if roof_ms < roofline.launch_ms:
        return "launch", roof_ms
    return ("compute" if compute_ms >= memory_ms else "memory"), roof_ms
