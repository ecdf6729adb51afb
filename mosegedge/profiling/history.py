"""How much the speed of a device changes between measurements, by what earlier ones found for the same networks.

The rounds of one measurement cover minutes. A machine that others share may be several per cent faster or slower an
hour later, which they cannot tell; earlier versions of a profile can, and checks of them by the networks that they
timed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from mosegedge.devices.inventory import Device
from mosegedge.devices.replies import DeviceDescription
from mosegedge.errors import ProfileError
from mosegedge.profiling.measurement import Statistic
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.same_device import as_profiled, require_same_device
from mosegedge.profiling.sections import NetworkEntry
from mosegedge.profiling.store import Series, load_profile

_FEWEST_NETWORKS = 8  # fewer say more of themselves than of the device


def measured_before(series: Series, device: Device, description: DeviceDescription) -> list[Profile]:
    """The versions of a series that were measured on what the device is now, in the same way, each measurement once.

    A check is one too where it tells how much slower the device was by then.

    Versions that were merged or carried over hold no measurement of one time, and a file that is damaged none at all.
    One that is too old to tell the design of its processor may be of another one, which is no change of speed.

    Args:
        series: Where the versions lie.
        device: With its runtime and settings of now.
        description: What its agent found now.
    """
    found: dict[tuple[float, tuple[tuple[str, float], ...]], Profile] = {}
    for version in series.versions:
        try:
            profile = load_profile(series.path(version))
            as_profiled(device, profile)
            require_same_device(profile, description)
        except ProfileError:
            continue
        untold = description.hardware.keys() - profile.device.hardware.keys()
        if not (profile.merged_from or profile.rebased_from or untold):
            found.setdefault((_slowdown(profile), tuple(_values_ms(profile.networks).items())), profile)
    return list(found.values())


def speed_sd_by(networks: Sequence[NetworkEntry], statistic: Statistic, earlier: Sequence[Profile]) -> float:
    """Relative standard deviation of the device's speed between this measurement and the earlier ones; 0 without any.

    Args:
        networks: Measured now.
        statistic: What their values are; medians are compared with a profile whose values are something else.
        earlier: Profiles of the same device.
    """
    changes = []
    for profile in earlier:
        values = _values_ms if profile.protocol.statistic == statistic else _medians_ms
        now_ms, then_ms = values(networks), values(profile.networks)
        common = sorted(now_ms.keys() & then_ms.keys())
        if len(common) >= _FEWEST_NETWORKS:
            change = float(np.median([np.log(now_ms[code] / then_ms[code]) for code in common]))
            changes.append(change - float(np.log(_slowdown(profile))))
    return float(np.sqrt(np.mean(np.square(changes)))) if changes else 0.0


def _slowdown(profile: Profile) -> float:
    """Of the time that a version tells of, against that of the networks that are in it."""
    return (profile.certificate and profile.certificate.slowdown) or 1.0


def _medians_ms(networks: Iterable[NetworkEntry]) -> Mapping[str, float]:
    return {entry.code: entry.median_ms for entry in networks if entry.role != "check"}


def _values_ms(networks: Iterable[NetworkEntry]) -> Mapping[str, float]:
    return {entry.code: entry.value_ms for entry in networks if entry.role != "check"}
