"""Latency of a whole network on its device: by the host's clock and by the device's, and what went on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mosegedge.devices import AgentClient
from mosegedge.devices.agent_client import BurstSettings
from mosegedge.errors import AgentError
from mosegedge.export.manifest import Prediction
from mosegedge.progress import Progress

_ROUNDS = 3
"""The conditions are read before, between and after them: what throttled in a round shows at its end."""

_BURSTS_PER_ROUND = 10
_BURST = BurstSettings(min_samples=10, max_samples=20, min_ns=50_000_000)


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Measured latency of a network.

    Attributes:
        median_ms: Median of all timed runs.
        p95_ms: 95 % quantile.
        low_ms: 10 % quantile, the statistic of profiles that were measured on a noisy host.
        samples: Number of timed runs.
    """

    median_ms: float
    p95_ms: float
    low_ms: float
    samples: int

    def comparable_ms(self, predicted: Prediction | None) -> float | None:
        """The latency by the statistic of the profile that predicted it."""
        if predicted is None:
            return None
        return self.median_ms if predicted.statistic == "median" else self.low_ms


@dataclass(frozen=True, kw_only=True)
class Timing:
    """All that was timed.

    Attributes:
        host: By the host's clock, with the launch.
        device: By the device's own clock, where it has one.
        clock: Which of the two counts.
        conditions: Clocks, temperature, throttling and load: before, between and after the rounds.
    """

    host: Latency
    device: Latency | None
    clock: str
    conditions: tuple[dict[str, Any], ...]

    @property
    def counted(self) -> Latency:
        """The latency by the clock that counts."""
        return self.device if self.clock == "device" and self.device else self.host

    @property
    def throttled(self) -> tuple[str, ...]:
        """Why the device was slower than it can be; empty where it was not, or does not tell."""
        reasons = (str(reason) for found in self.conditions for reason in found.get("throttled") or ())
        return tuple(dict.fromkeys(reasons))


def measured(agent: AgentClient, model: str, progress: Progress) -> Timing:
    """Times a loaded model.

    Raises:
        AgentError: The device's clock is to count, and it gave no times.
        DeviceBusyError: Another run holds the device.
    """
    clock = agent.device.clock
    progress.start("timing", _ROUNDS * _BURSTS_PER_ROUND)
    conditions = [agent.conditions()]
    host_ns: list[int] = []
    device_ns: list[int] = []
    for _ in range(_ROUNDS):
        for burst in agent.time([model] * _BURSTS_PER_ROUND, _BURST):
            host_ns += burst.samples_ns
            device_ns += burst.device_ns
            progress.advance(note=f"{np.median(burst.ns(clock) or burst.samples_ns) / 1e6:.2f} ms")
        conditions.append(agent.conditions())
    if clock == "device" and len(device_ns) != len(host_ns):
        raise AgentError(
            f"{agent.device.name} is set to the device's clock, which gave {len(device_ns)} of {len(host_ns)} times.",
            fix='Set clock = "host" for it in devices.toml.',
        )
    by_device = _latency(device_ns) if device_ns else None
    return Timing(host=_latency(host_ns), device=by_device, clock=clock, conditions=tuple(conditions))


def _latency(samples_ns: Sequence[int]) -> Latency:
    samples_ms = np.array(samples_ns) / 1e6
    return Latency(
        median_ms=float(np.median(samples_ms)),
        p95_ms=float(np.quantile(samples_ms, 0.95)),
        low_ms=float(np.quantile(samples_ms, 0.1)),
        samples=len(samples_ms),
    )
