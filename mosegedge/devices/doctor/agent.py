"""What the agent says of its device: versions, the backend's own checks, clocks, load, who else is there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mosegedge.devices.agent_client import PROTOCOL_VERSION, AgentClient
from mosegedge.devices.agent_costs import energy_of
from mosegedge.devices.doctor.checks import COMMON_NAMES, Check, failure, line_to_write
from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceBusyError, DeviceError

if TYPE_CHECKING:
    from mosegedge.devices.replies import DeviceDescription

_BUSY_SHARE = 0.5
_STEADY_GOVERNOR = "performance"
_NO_RUNTIME = "Install it there, or name the interpreter or the environment script that has it in devices.toml."
_UNTOLD = "The backend does not tell."


def agent_checks(device: Device, agent: AgentClient) -> Iterator[Check]:
    """Everything that only a running agent knows."""
    yield Check("agent", "ok", f"speaks protocol {PROTOCOL_VERSION}, process {agent.pid}")
    try:
        description = agent.describe()
    except DeviceError as error:
        yield failure("runtime", error, fix=_NO_RUNTIME)
        yield from _own_checks(device, agent, told=error)
        yield _lock(agent)
        return
    yield _runtime(description)
    yield from _own_checks(device, agent, told=None)
    yield _precision(device, description.vendor)
    yield _opset(device, description.vendor)
    yield _clock(device, description.vendor)
    yield _speed(description.conditions)
    yield _load(description)
    yield _energy(agent)
    yield _lock(agent)


def _runtime(description: DeviceDescription) -> Check:
    vendor = description.vendor
    versions = ", ".join(f"{name} {version}" for name, version in vendor.get("runtime", {}).items())
    parts = [versions or "no version told", str(vendor.get("accelerator") or description.hardware.get("cpu", ""))]
    if vendor.get("origin") == "simulated":
        parts.append("its times are computed, a search for a real device refuses them")
    return Check("runtime", "ok", "; ".join(part for part in parts if part))


def _own_checks(device: Device, agent: AgentClient, *, told: DeviceError | None) -> Iterator[Check]:
    """The checks of the backend itself; where it cannot even be loaded, that was told already."""
    if not agent.alive:
        return
    try:
        for found in agent.checks():
            # The same question may be asked more strictly there.
            name = f"{device.backend} {found.name}" if found.name in COMMON_NAMES else found.name
            yield Check(name, found.status, found.found, found.fix)
    except DeviceError as error:
        if told is None:
            yield failure("backend", error, fix="Report this to the authors of the backend.")


def _precision(device: Device, vendor: Mapping[str, Any]) -> Check:
    offered = vendor.get("precisions")
    if not offered:
        return Check("precision", "skipped", _UNTOLD)
    if device.precision not in offered:
        fix = line_to_write(device, f'precision = "{offered[0]}"')
        return Check("precision", "failed", f"{device.precision} is not among {', '.join(offered)}.", fix)
    return Check("precision", "ok", f"{device.precision} of {', '.join(offered)}")


def _opset(device: Device, vendor: Mapping[str, Any]) -> Check:
    ceiling = vendor.get("opset")
    if not ceiling:
        return Check("opset", "skipped", _UNTOLD)
    if device.opset > ceiling:
        found = f"Opset {device.opset} is asked for, {ceiling} is the highest that is taken."
        return Check("opset", "failed", found, line_to_write(device, f"opset = {ceiling}"))
    return Check("opset", "ok", f"{device.opset}, of at most {ceiling}")


def _clock(device: Device, vendor: Mapping[str, Any]) -> Check:
    offered = vendor.get("clock")
    if not offered:
        return Check("clock", "skipped", _UNTOLD)
    if device.clock == "device" and offered != "device":
        found = "The device's own clock is to count, but this backend has none."
        return Check("clock", "failed", found, line_to_write(device, 'clock = "host"'))
    return Check("clock", "ok", f"that of the {device.clock} counts")


def _speed(conditions: Mapping[str, Any]) -> Check:
    """Whether clocks stay where they are while something is timed."""
    governor = conditions.get("governor")
    parts = [f"governor {governor}"] if governor else []
    reasons = conditions.get("throttled")
    if reasons:
        found = ", ".join([*parts, f"throttled: {', '.join(map(str, reasons))}"])
        return Check("speed", "warning", found, "Cool the device, or give it the power that it asks for.")
    if governor and governor != _STEADY_GOVERNOR:
        fix = "Hold its clocks: sudo cpupower frequency-set -g performance"
        return Check("speed", "warning", f"{', '.join(parts)}: clocks follow the load", fix)
    return Check("speed", "ok", ", ".join(parts)) if parts else Check("speed", "skipped", "The system does not tell.")


def _load(description: DeviceDescription) -> Check:
    load, cores = description.conditions.get("load_1m"), description.hardware.get("cores", 1)
    if load is None:
        return Check("load", "skipped", "The system does not tell.")
    found = f"{load:.1f} programs at work on {cores} cores, {description.conditions.get('scheduling')} scheduling"
    if load > cores * _BUSY_SHARE:
        return Check("load", "warning", found, "End other programs there while you measure.")
    return Check("load", "ok", found)


def _energy(agent: AgentClient) -> Check:
    """Whether and how finely energy is counted; a device without a sensor lacks nothing else."""
    try:
        told = energy_of(agent)
    except DeviceError as error:
        return Check("energy", "skipped", f"not measured: {error.what}")
    if told.sensor is None or told.reason:
        return Check("energy", "skipped", f"not measured: {told.reason}")
    sensor = told.sensor
    rest = f", {told.rest_w[0]:.3g} W at rest" if told.rest_w else ""
    found = f"{sensor.name}: steps of {sensor.step_mj:.3g} mJ every {sensor.step_ms:.3g} ms{rest}"
    return Check("energy", "ok", f"{found}; {sensor.burst_ms / 1e3:.2g} s a model")


def _lock(agent: AgentClient) -> Check:
    """Tries the lock; it is free again when this agent ends, a moment later."""
    if not agent.alive:
        return Check("users", "skipped", "The agent has ended.")
    try:
        agent.lock()
    except DeviceBusyError as error:
        return failure("users", error, fix="Wait until that run is done.")
    except DeviceError as error:
        return failure("users", error, fix="Remove the lock file, or make it writable.")
    return Check("users", "ok", "no other run holds it")
