"""Whether a device is still the one that a profile was measured on, with the runtime and the settings of then."""

from __future__ import annotations

from dataclasses import replace

from mosegedge.devices.inventory import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import ProfileError
from mosegedge.profiling.fingerprint import difference
from mosegedge.profiling.profile import Profile


def as_profiled(device: Device, profile: Profile) -> Device:
    """The device with the threads and the opset of the profile.

    Raises:
        ProfileError: The inventory has another runtime, precision, clock or setting for it now.
    """
    stated = {
        "backend": (profile.device.backend, device.backend),
        "precision": (profile.protocol.precision, device.precision),
        "clock": (profile.protocol.clock, device.clock),
        "settings": (profile.device.settings, dict(device.settings)),
    }
    for name, (then, now) in stated.items():
        if then != now:
            raise _other_device(profile, f"{name}: {then} then, {now} now", can_rebase=name == "settings")
    return replace(device, threads=profile.protocol.threads, opset=profile.protocol.opset)


def require_same_device(profile: Profile, found: DeviceDescription) -> None:
    """Compares what an agent found with what the profile says of its device.

    Raises:
        ProfileError: They differ.
    """
    if changed := difference(profile.device.fingerprint, found.fingerprint):
        raise _other_device(profile, changed, can_rebase=True)


def _other_device(profile: Profile, changed: str, *, can_rebase: bool) -> ProfileError:
    rebase = f"carry the profile over: mosegedge profiles rebase {profile.name}; or " if can_rebase else ""
    return ProfileError(
        f"The device {profile.device.name} is not what {profile.name} was measured on: {changed}.",
        known="A certificate of other hardware or software says nothing about this profile.",
        fix=f"See what changed: mosegedge profiles stale {profile.name}; {rebase}measure again: mosegedge profile "
        f"--device {profile.device.name}",
    )
