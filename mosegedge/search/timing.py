"""Latencies of whole networks measured on their device, in turn with one another.

Every few rounds the networks are loaded anew, as often as for a profile: where a runtime places weights and buffers
stays as it is until then and makes a difference of a few percent (`profiling/loading.py`).

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
from mosegedge.errors import ExportError, ModelRefusedError, MosegedgeError, SearchError
from mosegedge.files import Journal
from mosegedge.profiling.check_loop import network_file
from mosegedge.profiling.measurement import Measurement, Statistic
from mosegedge.profiling.plan import BURSTS_A_LOAD
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
        sd_ms: How far two halves of the measurement are apart, each from every second load.
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
        """Times a few networks in turn, loaded anew every few rounds, and records them."""
        sent = self._sent(agent, architectures, known)
        if sent:
            self.progress.say(f"Timing {len(sent)} networks on {self.device.name}.")
        loads: dict[Architecture, list[tuple[int, ...]]] = {architecture: [] for architecture in sent}
        preempted = dict.fromkeys(sent, 0)
        rng = np.random.default_rng(len(known))
        for first in range(0, self.rounds, BURSTS_A_LOAD):
            loaded = self._loaded(agent, sent, known)
            if not loaded:
                return
            rounds = min(BURSTS_A_LOAD, self.rounds - first)
            order = rng.permuted(np.tile(list(loaded), (rounds, 1)), axis=1).ravel()
            runs: dict[str, tuple[int, ...]] = dict.fromkeys(loaded, ())
            for burst in agent.time([str(model) for model in order], self.bursts):
                runs[burst.model] += tuple(burst.ns(self.device.clock))
                preempted[loaded[burst.model]] += sum(1 for count in burst.preempted if count)
            agent.unload(sorted(loaded))
            for model, architecture in loaded.items():
                loads[architecture].append(runs[model])
        for architecture in sent:
            # Runs of one load share its luck, so they stay together when the halves are compared.
            measurement = Measurement(str(architecture), tuple(loads[architecture]), preempted[architecture])
            one, other = measurement.halves_ms(self.statistic)
            timing = Timing(
                latency_ms=round(measurement.value_ms(self.statistic), _DIGITS),
                sd_ms=round(abs(one - other) / 2, _DIGITS),
            )
            self._record(known, architecture, timing)

    def _sent(
        self, agent: AgentClient, architectures: Sequence[Architecture], known: dict[Architecture, Timing]
    ) -> dict[Architecture, tuple[str, str]]:
        """Has networks on the device; returns their ids there and their formats. What it does not take is recorded."""
        description = agent.describe()
        sent: dict[Architecture, tuple[str, str]] = {}
        for architecture in architectures:
            try:
                model = network_file(agent, self.space, architecture, description)
            except (ExportError, ModelRefusedError) as error:
                self._refuse(known, architecture, error)
            else:
                sent[architecture] = (agent.send(model.content, model.model_format), model.model_format)
        return sent

    def _loaded(
        self, agent: AgentClient, sent: dict[Architecture, tuple[str, str]], known: dict[Architecture, Timing]
    ) -> dict[str, Architecture]:
        """Loads all that was sent; what the device refuses is recorded and taken out."""
        loaded: dict[str, Architecture] = {}
        for architecture, (model, model_format) in list(sent.items()):
            try:
                agent.load_sent(model, model_format)
            except ModelRefusedError as error:
                self._refuse(known, architecture, error)
                del sent[architecture]
            else:
                loaded[model] = architecture
        return loaded

    def _refuse(self, known: dict[Architecture, Timing], architecture: Architecture, error: MosegedgeError) -> None:
        self._record(known, architecture, Timing(failure=f"{type(error).__name__}: {error.what}"))

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
