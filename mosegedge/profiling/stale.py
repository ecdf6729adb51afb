"""Whether the devices of stored profiles are still what they were when they were measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from mosegedge.devices.agent_client import open_agent
from mosegedge.devices.inventory import Device, load_device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import DeviceError
from mosegedge.profiling.fingerprint import Fact, differences
from mosegedge.profiling.profile import Profile

State = Literal["ok", "stale", "unreachable"]


@dataclass(frozen=True, slots=True)
class Freshness:
    """What became of the device of one profile.

    Attributes:
        profile: Name of the profile.
        state: `ok` where the device tells the same of itself, `stale` where it does not, `unreachable` where it tells
            nothing.
        facts: What it tells otherwise.
        problem: Why it could not be asked; empty where it could.
        known: What more is known of that, and what to do.
    """

    profile: str
    state: State
    facts: tuple[Fact, ...] = ()
    problem: str = ""
    known: str = ""

    def __str__(self) -> str:
        said = self.problem or "; ".join(map(str, self.facts))
        return f"{self.profile}: {self.state}" + (f": {said}" if said else "")


def freshness(
    profiles: Sequence[Profile], *, device: Device | None = None, accept_new_host_key: bool = False
) -> list[Freshness]:
    """Asks every device once what it is now; nothing is timed and nothing is changed.

    Args:
        profiles: Whose devices.
        device: Ask this device instead of those that the profiles name.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Returns:
        One answer a profile, in their order.
    """
    asked: dict[tuple[str, int, str], DeviceDescription | DeviceError] = {}
    found = []
    for profile in profiles:
        name = device.name if device else profile.device.name
        place = (name, profile.protocol.threads, profile.protocol.precision)
        if place not in asked:
            asked[place] = _ask(profile, device, accept_new_host_key)
        answer = asked[place]
        if isinstance(answer, DeviceError):
            found.append(
                Freshness(
                    profile.name, "unreachable", problem=answer.what, known=f"{answer.known} {answer.fix}".strip()
                )
            )
        else:
            facts = changes_of(profile, answer)
            found.append(Freshness(profile.name, "stale" if facts else "ok", facts))
    return found


def changes_of(profile: Profile, now: DeviceDescription) -> tuple[Fact, ...]:
    """What a device tells of itself otherwise than it did when the profile was measured."""
    device = profile.device
    then = {"backend": device.backend, **device.fingerprint}
    return tuple(differences(then, {"backend": now.backend, **now.fingerprint}))


def _ask(profile: Profile, device: Device | None, accept_new_host_key: bool) -> DeviceDescription | DeviceError:
    """The description, or why there is none."""
    try:
        wanted = device or load_device(profile.device.name)
        as_then = replace(wanted, threads=profile.protocol.threads, precision=profile.protocol.precision)
        with open_agent(as_then, accept_new_host_key=accept_new_host_key) as agent:
            return agent.describe()
    except DeviceError as error:
        return error
