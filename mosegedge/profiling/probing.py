"""Times the probes of the roofline, one burst of each in a round, so that they share its good and bad moments.

The first round finds out how large they have to be on this device; the ones after it repeat those. A device that
refuses a probe, or whose agent dies of one, goes without: a profile is worth as much without its roofline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mosegedge.devices.agent_client import AgentClient, BurstSettings
from mosegedge.devices.inventory import Device
from mosegedge.errors import AgentError, ConnectionLostError, DeviceBusyError, DeviceError, ExportError
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.measurement import Statistic
from mosegedge.profiling.models import ModelFile
from mosegedge.profiling.plan import Item
from mosegedge.profiling.probe_record import ProbeRecord
from mosegedge.profiling.roofline import EMPTY, LADDERS, LONG_ENOUGH_MS, ProbeSpec, Roofline, roofline_of

PROBE_BURST = BurstSettings(min_samples=2, max_samples=6, min_ns=10_000_000, max_warmup=3)
_ROUNDS = 8
_MOST_DEATHS = 2


class Prober:
    """One agent's share of the probes.

    Args:
        agent: The agent, which has the device.
        journal: The record to continue.
        clock: Whose time counts, `host` or `device`.
        build: Makes the file of a probe for this device.
    """

    def __init__(
        self, agent: AgentClient, journal: ProfileJournal, *, clock: str, build: Callable[[Item], ModelFile]
    ) -> None:
        self._agent = agent
        self._probes = journal.probes
        self._clock = clock
        self._build = build
        self._sent: dict[str, tuple[str, str]] = {}

    def visit(self, number: int) -> None:
        """Times every probe once, unless there are enough bursts, or the record has those of this round.

        Args:
            number: Of the round.
        """
        if self._probes.visits(EMPTY.key) >= _ROUNDS or self._probes.given_up:
            return
        for ladder in LADDERS:
            for spec in self._climb(ladder):
                if not self._probes.has(spec.key, number):
                    self._time(spec, number)

    def _climb(self, ladder: tuple[ProbeSpec, ...]) -> Iterator[ProbeSpec]:
        """The sizes to time: in the first round from the smallest on, in later ones the last that was timed there."""
        known = [spec for spec in ladder if self._time_ms(spec) is not None]
        if known and (self._is_long(known[-1]) or len(known) == len(ladder)):
            yield known[-1]
            return
        for spec in ladder:
            if spec.key in self._probes.refused:
                return
            yield spec
            if self._is_long(spec):
                return

    def _time_ms(self, spec: ProbeSpec) -> float | None:
        measurement = self._probes.measurement(spec.key, clock=self._clock)
        return measurement.value_ms("quantile10") if measurement else None

    def _is_long(self, spec: ProbeSpec) -> bool:
        return (self._time_ms(spec) or 0.0) >= LONG_ENOUGH_MS

    def _time(self, spec: ProbeSpec, number: int) -> None:
        try:
            model = self._sent.get(spec.key) or self._send(spec)
            self._agent.load_sent(*model)
            for burst in self._agent.time([model[0]], PROBE_BURST):
                self._probes.add_burst(spec.key, number, burst)
            self._agent.unload([model[0]])
        except (ConnectionLostError, DeviceBusyError):
            raise
        except AgentError as error:
            if self._agent.alive:
                self._probes.refuse(spec.key, error.what)
                return
            if self._probes.add_death(spec.key) >= _MOST_DEATHS:
                self._probes.give_up(f"the agent died {_MOST_DEATHS} times with {spec.key}: {error.what}")
            raise
        except (DeviceError, ExportError) as error:
            self._probes.refuse(spec.key, error.what)

    def _send(self, spec: ProbeSpec) -> tuple[str, str]:
        model = self._build(Item(spec.key, spec, spec.multiply_adds))
        self._sent[spec.key] = self._agent.send(model.content, model.model_format), model.model_format
        return self._sent[spec.key]


def measured_roofline(probes: ProbeRecord, device: Device, statistic: Statistic) -> Roofline | str:
    """The roofline that follows from a journal, or why there is none."""
    if probes.given_up:
        return probes.given_up
    times_ms = {}
    for spec in (spec for ladder in LADDERS for spec in ladder):
        measurement = probes.measurement(spec.key, clock=device.clock)
        if measurement is not None:
            times_ms[spec] = measurement.value_ms(statistic)
    found = roofline_of(times_ms, device.precision)
    if isinstance(found, str) and probes.refused:
        key, error = next(iter(probes.refused.items()))
        return f"{found}; {key} was refused: {error}"
    return found
