"""Latencies of whole networks measured on their device, in turn with one another.

What is measured is kept in a journal and not measured again, so that a run that was killed goes on with it. A network
that the device refuses is a failure; a device that cannot be reached ends the run, which can be started again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np

from mosegedge.devices.agent_client import AgentClient, BurstSettings, open_agent
from mosegedge.devices.inventory import Device
from mosegedge.errors import ExportError, ModelRefusedError, SearchError
from mosegedge.files import Journal
from mosegedge.profiling.measurement import Measurement, Statistic
from mosegedge.profiling.models import file_for, network_onnx
from mosegedge.progress import Progress
from mosegedge.search.archive import Candidate
from mosegedge.space import Architecture, SearchSpace

TIMINGS = "timings.jsonl"
_DIGITS = 6
_ROUNDS = 20
_BURST = BurstSettings(min_samples=2, max_samples=4, min_ns=10_000_000, max_warmup=3)
_AT_ONCE = 16  # networks on the device at one time


class Timer(Protocol):
    """Gives candidates their measured latency, or a failure; in the order in which they came."""

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        """Measures."""


class Untimed:
    """Leaves the latency to the profile."""

    def __call__(self, candidates: Sequence[Candidate]) -> Iterable[Candidate]:
        """Nothing is measured."""
        return candidates


@dataclass(frozen=True, kw_only=True)
class Timing:
    """What the device took for one network.

    Attributes:
        latency_ms: By the statistic of the profile that it is compared with.
        sd_ms: How far two halves of the measurement are apart.
        failure: Why it was not measured.
    """

    latency_ms: float = 0.0
    sd_ms: float = 0.0
    failure: str | None = None


@dataclass(frozen=True, kw_only=True)
class DeviceTimer:
    """Times networks with random weights on a device.

    Attributes:
        device: Where.
        space: Of the networks.
        statistic: Which of all timed runs stands for a network, as the profile has it.
        journal: Of what was measured already.
        progress: Where it is.
        rounds: How often all networks are gone through, in random order; a burst each time.
        bursts: Length of a burst.
    """

    device: Device
    space: SearchSpace
    statistic: Statistic
    journal: Path
    progress: Progress
    rounds: int = _ROUNDS
    bursts: BurstSettings = _BURST

    def __call__(self, candidates: Sequence[Candidate]) -> Iterator[Candidate]:
        """Measures those that the journal lacks, then hands all on."""
        known = self.timings([candidate.architecture for candidate in candidates])
        for candidate in candidates:
            timing = known[candidate.architecture]
            if timing.failure is not None:
                yield replace(candidate, failure=timing.failure)
            else:
                yield replace(candidate, measured_ms=timing.latency_ms, measured_sd_ms=timing.sd_ms)

    def timings(self, architectures: Sequence[Architecture]) -> dict[Architecture, Timing]:
        """The latency of each network.

        Raises:
            DeviceError: The device cannot be reached, or another run holds it.
        """
        known = self._read()
        left = [architecture for architecture in architectures if architecture not in known]
        if left:
            with open_agent(self.device) as agent:
                for start in range(0, len(left), _AT_ONCE):
                    self._measure(agent, left[start : start + _AT_ONCE], known)
        return known

    def _measure(
        self, agent: AgentClient, architectures: Sequence[Architecture], known: dict[Architecture, Timing]
    ) -> None:
        """Times a few networks in turn and records them."""
        models: dict[Architecture, str] = {}
        for architecture in architectures:
            try:
                models[architecture] = _load(agent, self.device, self.space, architecture)
            except (ExportError, ModelRefusedError) as error:
                self._record(known, architecture, Timing(failure=f"{type(error).__name__}: {error.what}"))
        if not models:
            return
        self.progress.say(f"Timing {len(models)} networks on {self.device.name}.")
        order = np.random.default_rng(len(known)).permuted(np.tile(list(models.values()), (self.rounds, 1)), axis=1)
        runs: dict[str, list[tuple[int, ...]]] = {model: [] for model in models.values()}
        preempted = dict.fromkeys(runs, 0)
        for burst in agent.time([str(model) for model in order.ravel()], self.bursts):
            runs[burst.model].append(burst.ns(self.device.clock))
            preempted[burst.model] += sum(1 for count in burst.preempted if count)
        agent.unload(sorted(runs))
        for architecture, model in models.items():
            measurement = Measurement(model, tuple(runs[model]), preempted[model])
            first, second = measurement.halves_ms(self.statistic)
            timing = Timing(
                latency_ms=round(measurement.value_ms(self.statistic), _DIGITS),
                sd_ms=round(abs(first - second) / 2, _DIGITS),
            )
            self._record(known, architecture, timing)

    def _record(self, known: dict[Architecture, Timing], architecture: Architecture, timing: Timing) -> None:
        known[architecture] = timing
        record = {"code": str(architecture), "device": self.device.name, **vars(timing)}
        Journal(self.journal).append(record)

    def _read(self) -> dict[Architecture, Timing]:
        known = {}
        for number, record in enumerate(Journal(self.journal).read(), start=1):
            try:
                if record.get("device", self.device.name) != self.device.name:
                    continue  # An interrupted timing on another device.
                timing = Timing(
                    latency_ms=float(record["latency_ms"]), sd_ms=float(record["sd_ms"]), failure=record["failure"]
                )
                known[Architecture.parse(record["code"])] = timing
            except (AttributeError, KeyError, TypeError, ValueError) as error:
                raise SearchError(
                    f"Line {number} of {self.journal} is no timing: {error!r}.", fix="Remove the file to measure again."
                ) from error
        return known


def _load(agent: AgentClient, device: Device, space: SearchSpace, architecture: Architecture) -> str:
    """Builds a network for the device and loads it there; returns its id."""
    onnx = network_onnx(space, architecture, opset=device.opset)
    model = file_for(device, onnx, agent.describe())
    return agent.load(model.content, model.model_format)
