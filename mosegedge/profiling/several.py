"""profile_devices: several devices side by side, a thread each; the work is on the devices.

Those that share a machine take turns, since two that time at once spoil each other's numbers. This machine comes last:
its processor builds the models of all others.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from mosegedge.devices.inventory import Device
from mosegedge.errors import DeviceBusyError, MosegedgeError, UsageError
from mosegedge.profiling.plan import ProfileSettings
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.run import profile_device
from mosegedge.profiling.store import DEFAULT_ROOT
from mosegedge.progress import Progress, Silent
from mosegedge.space import SearchSpace

_STOP_S = 10.0
_LISTEN_S = 0.5
_HERE = "local"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one device: a profile, or the error that ended its measurement.

    Attributes:
        device: The device.
        profile: What was measured.
        error: Why it was not; what was measured until then is kept, a call with this device goes on from there.
    """

    device: Device
    profile: Profile | None = None
    error: MosegedgeError | OSError | None = None


def profile_devices(
    devices: Sequence[Device],
    space: SearchSpace,
    *,
    settings: ProfileSettings | None = None,
    root: Path = DEFAULT_ROOT,
    progress_of: Callable[[str], Progress] | None = None,
    command: str = "",
    restart: bool = False,
    accept_new_host_key: bool = False,
) -> list[Outcome]:
    """Measures several devices and writes the next version of each one's profile.

    One that fails does not stop the others. Interrupted in any way, a call with those that were not finished goes on
    where it was; one that was finished would be measured again.

    Args:
        devices: Where to measure.
        space: Whose layers and networks.
        settings: How much.
        root: Folder of all profiles.
        progress_of: What shows the progress of a device, by its name; called before the threads start.
        command: The command line, kept in the profiles.
        restart: Set unfinished measurements aside instead of going on with them.
        accept_new_host_key: Trust devices whose host key is not known yet, and remember the keys.

    Returns:
        One outcome a device, in their order.

    Raises:
        UsageError: A device is named twice.
        KeyboardInterrupt: Ctrl-C; every device has been stopped, and all that was measured is kept.
    """
    names = [device.name for device in devices]
    if len(set(names)) < len(names):
        raise UsageError(f"The devices {', '.join(names)} hold one of them twice.", fix="Name each of them once.")
    stop = threading.Event()
    shown = {name: _Stoppable(progress_of(name) if progress_of else Silent(), stop) for name in names}

    def one(device: Device) -> Outcome:
        progress = shown[device.name]
        try:
            profile = profile_device(
                device,
                space,
                settings=settings,
                root=root,
                progress=progress,
                command=command,
                restart=restart,
                accept_new_host_key=accept_new_host_key,
            )
        except (MosegedgeError, OSError) as error:
            progress.say(f"ended: {error.what if isinstance(error, MosegedgeError) else error}")
            return Outcome(device, error=error)
        return Outcome(device, profile)

    outcomes: dict[str, Outcome] = {}
    try:
        for phase in _phases(devices):
            _announce(phase, shown)
            _side_by_side(phase, one, outcomes, stop)
        for device in devices:
            # Two names may lead to one machine in ways that only its lock knows.
            if len(devices) > 1 and isinstance(outcomes[device.name].error, DeviceBusyError):
                shown[device.name].say("was busy; once more, now that the others are done")
                _side_by_side([[device]], one, outcomes, stop)
    except KeyboardInterrupt:
        for name, outcome in outcomes.items():
            if outcome.profile is not None:
                shown[name].say("was finished before; leave it out to go on with the others")
        raise
    return [outcomes[name] for name in names]


class _Stoppable:
    """Hands progress on, and stops its thread at the next step after Ctrl-C: every step is on disk by then."""

    def __init__(self, progress: Progress, stop: threading.Event) -> None:
        self._progress = progress
        self._stop = stop
        self._stopped = False

    def start(self, what: str, total: int, done: int = 0) -> None:
        """Begins a piece of work."""
        self._check()
        self._progress.start(what, total, done)

    def advance(self, steps: int = 1, note: str = "") -> None:
        """Counts finished steps."""
        self._progress.advance(steps, note)
        self._check()

    def say(self, text: str) -> None:
        """One line."""
        self._progress.say(text)
        self._check()

    def _check(self) -> None:
        if self._stop.is_set() and not self._stopped:
            self._stopped = True
            raise KeyboardInterrupt


def _phases(devices: Sequence[Device]) -> list[list[list[Device]]]:
    """What is done one after the other: groups side by side, in each group devices that take turns."""
    elsewhere = [device for device in devices if device.connection != _HERE]
    here = [device for device in devices if device.connection == _HERE]
    groups: list[list[Device]] = []
    for device in elsewhere:
        same = [group for group in groups if any(_places(device) & _places(other) for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([*(other for group in same for other in group), device])
    return [phase for phase in (groups, [here] if here else []) if phase]


def _places(device: Device) -> set[str]:
    """Where a device may be; one without an address is a place of its own."""
    addresses = {part.strip().lower() for part in device.address.split(",") if part.strip()}
    return {f"{device.connection} {address} {device.port}" for address in addresses} or {device.name}


def _announce(phase: list[list[Device]], shown: dict[str, _Stoppable]) -> None:
    names = {device.name for group in phase for device in group}
    for group in phase:
        for before, device in pairwise(group):
            shown[device.name].say(f"waits for {before.name}: they share one machine")
        if group[0].connection == _HERE and len(names) < len(shown):
            shown[group[0].name].say("begins now: this machine built the models of the others until here")


def _side_by_side(
    groups: list[list[Device]], one: Callable[[Device], Outcome], outcomes: dict[str, Outcome], stop: threading.Event
) -> None:
    """Runs every group in a thread of its own, and waits for all of them."""
    unexpected: list[Exception] = []
    # Not Thread.join: one that Ctrl-C interrupts may take a thread for ended that still runs.
    ends = [threading.Event() for _ in groups]

    def take_turns(group: list[Device], end: threading.Event) -> None:
        try:
            for device in group:
                if not stop.is_set():
                    outcomes[device.name] = one(device)
        except KeyboardInterrupt:
            pass  # that of `_Stoppable`: the main thread knows
        except Exception as error:
            # A mistake in this program: no thread may swallow it, so the main thread raises it again.
            unexpected.append(error)
        finally:
            end.set()

    try:
        for group, end in zip(groups, ends, strict=True):
            # Daemons: a device that does not answer must not keep the program from ending after Ctrl-C.
            threading.Thread(target=take_turns, args=(group, end), daemon=True).start()
        for end in ends:
            # In short steps: a signal does not wake the main thread where the system gave it to another one.
            while not end.wait(_LISTEN_S):
                pass
    except KeyboardInterrupt:
        stop.set()
        last = time.monotonic() + _STOP_S
        for end in ends:
            end.wait(max(0.0, last - time.monotonic()))
        raise
    if unexpected:
        raise unexpected[0]
