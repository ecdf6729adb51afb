"""Energy and memory of models, measured after all times are: nothing here runs while something is timed.

Energy is measured of all whole networks where the device counts it, in bursts of 0.1 s or ten steps of the counter; of
layers too, and with a sensor of power, only where somebody asks for it. Memory is measured of some networks, each in a
process of its own. What cannot be measured is a reason in the profile and no failure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.agent_costs import energy_of, memory_of
from mosegedge.devices.connection import connect
from mosegedge.devices.replies import EnergySensor
from mosegedge.errors import AgentError
from mosegedge.profiling.cost_journal import CostJournal
from mosegedge.profiling.cost_models import Cost, cost_section
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import Item, Plan, network_key
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sections import CostSection, CostsSection
from mosegedge.progress import Progress
from mosegedge.space import Architecture

MEMORY_NETWORKS_FIT, MEMORY_NETWORKS_HELD_OUT = 16, 8
_CHUNK = 8
_WAIT_FOR_LOCK_S = 10
_CHEAP_BURST_MS = 1500.0
_NOT_ASKED = "nobody asked for it"
_DIGITS = 6


def measure_costs(plan: Plan, journal: ProfileJournal, costs: CostJournal, progress: Progress) -> None:
    """Measures what the settings of the plan ask for and is not on record.

    Args:
        plan: What was timed, and where.
        journal: The times; models on the device are named there.
        costs: The record to continue.
        progress: Shown while it lasts.

    Raises:
        ConnectionLostError: The device was lost; the same call goes on where it was.
        DeviceBusyError: Another run holds the device.
    """
    if plan.settings.energy is False:
        costs.stop("energy", _NOT_ASKED)
    if not plan.settings.memory:
        costs.stop("memory", _NOT_ASKED)
    if {"energy", "memory"} <= set(costs.stopped):
        return
    with connect(plan.device) as connection, AgentClient(connection, plan.device, run=journal.run) as agent:
        agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        sensing = _Sensing(agent, plan, journal, costs, progress)
        for cost, measure in (("energy", sensing.energy), ("memory", sensing.memory)):
            if cost not in costs.stopped:
                try:
                    measure()
                except AgentError as error:
                    costs.stop("energy" if cost == "energy" else "memory", error.what)
                    if not agent.alive:
                        if "memory" not in costs.stopped:
                            costs.stop("memory", f"the agent died while {cost} was measured")
                        return


def with_costs(profile: Profile, plan: Plan, costs: CostJournal) -> Profile:
    """The profile with what was measured besides time: columns, how, and the error of the models."""
    energy, memory = costs.values["energy"], costs.values["memory"]

    def columns(key: str) -> dict[str, float | None]:
        found = {"energy_mj": energy.get(key), "memory_mib": memory.get(key)}
        return {name: None if value is None else round(value, _DIGITS) for name, value in found.items()}

    entries = [entry.model_copy(update=columns(entry.key)) for entry in profile.entries]
    networks = [
        entry.model_copy(update=columns(network_key(Architecture.parse(entry.code)))) for entry in profile.networks
    ]
    latency = profile.latency_model(plan.space)

    def section(cost: Cost, idle_w: float | None) -> CostSection:
        plain = CostSection(measured=bool(costs.values[cost]), words=costs.words(cost), idle_w=idle_w)
        return cost_section(cost, plain, latency, networks)

    sections = CostsSection(energy=section("energy", costs.idle_w), memory=section("memory", None))
    return profile.model_copy(update={"entries": entries, "networks": networks, "costs": sections})


@dataclass(frozen=True)
class _Sensing:
    agent: AgentClient
    plan: Plan
    journal: ProfileJournal
    costs: CostJournal
    progress: Progress

    def energy(self) -> None:
        """Readings of networks, and of layers where somebody asked."""
        found = energy_of(self.agent)
        if found.sensor is None or found.reason:
            self.costs.stop("energy", found.reason)
            return
        asked = self.plan.settings.energy is True
        if not asked and not _is_cheap(found.sensor):
            words = f"{found.sensor.name} takes {found.sensor.burst_ms / 1e3:.0f} s a model; --energy measures with it"
            self.costs.stop("energy", words)
            return
        self.costs.add_sensor(_words(found.sensor))
        self.costs.add_rest(found.rest_w)
        layers = self.plan.layers if asked else ()
        todo = self._open("energy", (*self.plan.fit, *self.plan.held_out, *layers))
        self.progress.start("Measuring energy", len(todo))
        for start in range(0, len(todo), _CHUNK):
            if not self._read(todo[start : start + _CHUNK]):
                return

    def memory(self) -> None:
        """Some networks, the smallest and the largest of each scale first."""
        chosen = (*self.plan.fit[:MEMORY_NETWORKS_FIT], *self.plan.held_out[:MEMORY_NETWORKS_HELD_OUT])
        todo = self._open("memory", chosen)
        for place, item in enumerate(todo):
            found = memory_of(self.agent, self.journal.models[item.key], self.journal.formats[item.key])
            if found.mib is None:
                self.costs.stop("memory", found.reason)
                return
            if place == 0:
                self.progress.start("Measuring memory", len(todo))
            self.costs.add_memory(item.key, found.mib, found.how)
            self.progress.advance(note=f"{item.key} {found.mib:.0f} MiB")

    def _open(self, cost: Cost, items: Sequence[Item]) -> list[Item]:
        done = self.costs.values[cost]
        ran = [item for item in items if item.key in self.journal.models and item.key not in self.journal.failed]
        return [item for item in ran if item.key not in done]

    def _read(self, items: Sequence[Item]) -> bool:
        """Reads the energy of a few models; False when the sensor is lost."""
        models = [self.journal.models[item.key] for item in items]
        for item in items:
            self.agent.load_sent(self.journal.models[item.key], self.journal.formats[item.key])
        found = energy_of(self.agent, models)
        self.agent.unload(sorted(set(models)))
        for item, reading in zip(items, found.readings, strict=False):
            self.costs.add_energy(item.key, reading)
            self.progress.advance(note=f"{item.key} {reading.energy_mj:.3g} mJ")
        self.costs.add_rest(found.rest_w)
        if found.sensor is None or found.reason:
            self.costs.stop("energy", found.reason)
        return "energy" not in self.costs.stopped


def _is_cheap(sensor: EnergySensor) -> bool:
    return sensor.counts and sensor.burst_ms <= _CHEAP_BURST_MS


def _words(sensor: EnergySensor) -> str:
    way = "counter" if sensor.counts else "power added up by a thread"
    return (
        f"{sensor.name} ({way}), which moves every {sensor.step_ms:.3g} ms; runs of {sensor.burst_ms / 1e3:.2g} s, "
        "gross: the power without work is included"
    )
