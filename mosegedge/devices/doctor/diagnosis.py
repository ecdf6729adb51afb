"""Examines a device from its address to its clocks, and says of everything that is wrong what to do about it.

Nothing on the device is changed: the agent's own file is put into the cache folder, and the lock is held for a moment.

Example:
    >>> from mosegedge.devices.doctor.diagnosis import diagnose
    >>> from mosegedge.devices.inventory import find_definition
    >>> diagnose(find_definition("local").device).status  # doctest: +SKIP
    'ok'
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from mosegedge.devices.agent_client import AgentClient
from mosegedge.devices.connection import connect
from mosegedge.devices.doctor.agent import agent_checks
from mosegedge.devices.doctor.checks import COMMON_NAMES, Check, Status, failure
from mosegedge.devices.doctor.network import network_checks
from mosegedge.devices.doctor.probe import probe_checks
from mosegedge.devices.host_compiler import check_compiler
from mosegedge.devices.inventory import Device, check_device
from mosegedge.errors import DeviceError
from mosegedge.progress import Progress, Silent

__all__ = ["Check", "Diagnosis", "diagnose"]

_SSH_NAMES = ("address", "host key", "login")


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks of one device, in the order of what needs what.

    Attributes:
        device: Its name.
        checks: What was found.
    """

    device: str
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """The worst of all checks; what was skipped does not count."""
        found = {check.status for check in self.checks}
        return "failed" if "failed" in found else "warning" if "warning" in found else "ok"


def diagnose(device: Device, *, accept_new_host_key: bool = False, progress: Progress | None = None) -> Diagnosis:
    """Examines a device; a check that needs one that failed is skipped and says so.

    Args:
        device: Need not be complete: what is missing in devices.toml is found too.
        accept_new_host_key: Trust a device that was never met, and remember its host key.
        progress: Shown while it lasts.
    """
    shown = progress or Silent()
    planned = _planned(device)
    shown.start(f"Examining {device.name}", len(planned))
    found: list[Check] = []
    for check in _examine(device, accept_new_host_key=accept_new_host_key):
        found.append(check)
        shown.advance(1 if check.name in planned else 0, note=check.name)
    return Diagnosis(device.name, tuple(_completed(found, planned)))


def _planned(device: Device) -> list[str]:
    """Names of the checks that a sound device has, but for those of its backend."""
    network = _SSH_NAMES if device.connection == "ssh" else ()
    common = COMMON_NAMES if device.environment else [name for name in COMMON_NAMES if name != "environment"]
    return ["definition", *network, *common]


def _completed(found: list[Check], planned: list[str]) -> Iterator[Check]:
    """What was found, and what could not be looked at because of the last failure."""
    seen = {check.name for check in found}
    failures = [check.name for check in found if check.status == "failed"]
    # Nothing needs the last check, and what a backend or a compiler asks of its own is needed by nothing here.
    needed = [name for name in failures if name in planned[:-1]] or failures
    yield from found
    for name in planned:
        if name not in seen:
            yield Check(name, "skipped", f"needs what failed: {needed[-1]}")


def _examine(device: Device, *, accept_new_host_key: bool) -> Iterator[Check]:
    """Checks one after the other, until one fails that all others need."""
    try:
        check_device(device)
    except DeviceError as error:
        yield failure("definition", error, fix="Correct devices.toml.")
        return
    yield Check("definition", "ok", f"{device.backend}, {device.precision}, from {device.source}")
    yield from _compiler_here(device)
    if device.connection == "ssh":
        for check in network_checks(device, accept_new_host_key=accept_new_host_key):
            yield check
            if check.status == "failed":
                return
    with ExitStack() as stack:
        try:
            connection = stack.enter_context(connect(device, accept_new_host_key=accept_new_host_key))
        except DeviceError as error:
            yield failure("login" if device.connection == "ssh" else "connection", error, fix="Correct devices.toml.")
            return
        if device.connection == "ssh":
            yield Check("login", "ok", f"cache folder {connection.cache}")
        for check in probe_checks(device, connection):
            yield check
            if check.name in ("environment", "interpreter") and check.status == "failed":
                return
        try:
            agent = stack.enter_context(AgentClient(connection, device, client="mosegedge devices doctor"))
        except DeviceError as error:
            yield failure("agent", error, fix="Correct the interpreter, or free some disk space.")
            return
        yield from agent_checks(device, agent)


def _compiler_here(device: Device) -> Iterator[Check]:
    """The compiler on this machine, where the device needs one; that on the device is its backend's to check."""
    try:
        found = check_compiler(device)
    except DeviceError as error:
        yield failure("compiler", error, fix="Install it on this machine.")
        return
    if found:
        yield Check("compiler", "ok", found)
