"""LatencyModel: the latency of any network of a space, with a standard deviation, for many networks at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError
from mosegedge.profiling.bayes import Posterior
from mosegedge.profiling.formula import Overflow
from mosegedge.space import Architecture, SearchSpace
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]


class Part(NamedTuple):
    """What one part of a network costs."""

    name: str
    latency_ms: float
    sd_ms: float


@dataclass(frozen=True, eq=False, kw_only=True)
class LatencyModel:
    """One cost per row of the look-up table, a constant per scale, and how far measurements lie around the sum.

    The variance of a network has three parts: how little is known of its layers, what no table explains, and that the
    device has another speed at another time, which all networks have in common.

    Attributes:
        space: The search space.
        name: The profile that it comes from, for messages.
        device: The device, for messages.
        entry_ms: Cost of each row of `space.entries` inside a network; NaN where the profile has none.
        overflow: What weights cost that the cache cannot hold, None where they cost nothing.
        constant_ms: What a network costs beyond its layers, by scale digit; NaN where the profile has none.
        relative_sd: Standard deviation of a measured network around what its layers add up to, as a share of it.
        speed_sd: Relative standard deviation of the device's speed between two measurements.
        posterior: How well the costs are known; None where they are taken as exact.
        failed: Layers that the device could not run, by key, with the reason.
    """

    space: SearchSpace
    name: str
    device: str
    entry_ms: Floats
    overflow: Overflow | None = None
    constant_ms: Floats
    relative_sd: float
    speed_sd: float = 0.0
    posterior: Posterior | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and standard deviation in milliseconds of every network.

        Args:
            codes: N x 29 canonical codes.

        Raises:
            ProfileError: A network needs a layer or a scale that the profile does not have; nothing is filled in.
        """
        mean_ms, model_sd_ms = self.predict_table(codes)
        return mean_ms, np.hypot(model_sd_ms, np.hypot(self.relative_sd, self.speed_sd) * mean_ms)

    @property
    def meanwhile(self) -> LatencyModel:
        """The model for networks that are measured together with those that it was fitted to, at the same speed."""
        return replace(self, speed_sd=0.0)

    def predict_table(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean, and the part of the standard deviation that is due to what is not known of the layers' costs.

        The rest is what a measured network differs from the sum of its costs, however well they are known.

        Args:
            codes: N x 29 canonical codes.

        Raises:
            ProfileError: A network needs a layer or a scale that the profile does not have; nothing is filled in.
        """
        codes = np.asarray(codes)
        entries = self.space.entries_of(codes)
        mean_ms = self._mean_ms(codes, entries)
        if self.posterior is None:
            return mean_ms, np.zeros(len(mean_ms))
        return mean_ms, np.sqrt(self.posterior.variance(entries, codes[:, SCALE]))

    def mean(self, codes: Codes) -> Floats:
        """The means of `predict` alone, in less time.

        Args:
            codes: N x 29 canonical codes.

        Raises:
            ProfileError: As by `predict`.
        """
        codes = np.asarray(codes)
        return self._mean_ms(codes, self.space.entries_of(codes))

    def _mean_ms(self, codes: Codes, entries: NDArray[np.int64]) -> Floats:
        layers_ms = self._padded.take(entries).sum(axis=1)
        mean_ms: Floats = layers_ms + self.constant_ms[codes[:, SCALE]] + self._overflow_ms(entries)
        if np.isnan(mean_ms).any():
            raise self._not_covered(codes)
        return mean_ms

    def predict_one(self, architecture: Architecture) -> tuple[float, float]:
        """Mean and standard deviation in milliseconds of one network."""
        mean_ms, sd_ms = self.predict(self.space.encode([architecture]))
        return float(mean_ms[0]), float(sd_ms[0])

    def parts(self, architecture: Architecture) -> list[Part]:
        """The latency by part: stem, stages 1 to 4, decoder, and what belongs to none of them.

        That is the constant, and `overflow` for weights that the cache cannot hold.

        The parts' variances sum to that of the whole, shared out by their latencies.
        """
        _, total_sd_ms = self.predict_one(architecture)
        costs: dict[str, float] = {}
        entries = self.space.entries_of(self.space.encode([architecture]))[0]
        for slot, entry in zip(self.space.slots, entries, strict=True):
            if entry >= 0:
                part = part_of(slot)
                costs[part] = costs.get(part, 0.0) + float(self.entry_ms[entry])
        costs["constant"] = float(self.constant_ms[architecture.scale])
        costs["overflow"] = float(self._overflow_ms(entries[None])[0])
        shares = {name: max(cost, 0.0) for name, cost in costs.items()}
        whole = sum(shares.values())
        return [Part(name, cost, total_sd_ms * (shares[name] / whole) ** 0.5) for name, cost in costs.items()]

    @cached_property
    def _padded(self) -> Floats:
        """The table with a zero at the end, where the -1 of a layer that is switched off points."""
        return np.append(self.entry_ms, 0.0)

    def _overflow_ms(self, entries: NDArray[np.int64]) -> Floats:
        if self.overflow is None:
            return np.zeros(len(entries))
        return self.overflow.cost_ms(self._padded_weights_million[entries].sum(axis=1))

    @cached_property
    def _padded_weights_million(self) -> Floats:
        return np.append(self.space.entry_params / 1e6, 0.0)

    def _not_covered(self, codes: Codes) -> ProfileError:
        entries = self.space.entries_of(codes)
        missing = np.unique(entries[(entries >= 0) & np.isnan(self._padded[entries])])
        scales = np.unique(codes[:, SCALE][np.isnan(self.constant_ms[codes[:, SCALE]])])
        covered = [scale for scale in range(len(self.constant_ms)) if not np.isnan(self.constant_ms[scale])]
        known = f"It covers {_scales(covered)}."
        keys = [self.space.entries[row].key for row in missing]
        refused = [key for key in keys if key in self.failed]
        if refused:
            known += f" The device could not run {refused[0]}: {self.failed[refused[0]]}"
        elif keys:
            known += f" First missing layer: {keys[0]}."
        needed = sorted({*covered, *scales.tolist()})
        return ProfileError(
            f"Profile {self.name} lacks {len(set(keys))} of the layers that these networks need"
            + (f", and {_scales(scales.tolist())}." if len(scales) else "."),
            known=known,
            fix="Measure them: mosegedge profile "
            f"--device {self.device} --space {self.space.name} --scales {','.join(map(str, needed))}",
        )


def part_of(slot: str) -> str:
    """Stem, stage or decoder that a slot belongs to."""
    return slot.removeprefix("encoder.").split(".")[0]


def _scales(digits: list[int]) -> str:
    return f"scale{'s' if len(digits) > 1 else ''} {', '.join(map(str, digits))}"
