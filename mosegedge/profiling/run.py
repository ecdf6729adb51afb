"""profile_device: from a device and a search space to a profile on disk, as a list of steps."""

from __future__ import annotations

from pathlib import Path

from mosegedge.devices.inventory import Device
from mosegedge.profiling.collect import collect
from mosegedge.profiling.conclude import conclude
from mosegedge.profiling.cost_journal import CostJournal
from mosegedge.profiling.history import measured_before
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import ProfileSettings, make_plan
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.sensing import measure_costs, with_costs
from mosegedge.profiling.store import DEFAULT_ROOT, load_profile, save_profile, series_of
from mosegedge.progress import Progress, Silent
from mosegedge.space import SearchSpace


def profile_device(
    device: Device,
    space: SearchSpace,
    *,
    settings: ProfileSettings | None = None,
    root: Path = DEFAULT_ROOT,
    progress: Progress | None = None,
    command: str = "",
    restart: bool = False,
    accept_new_host_key: bool = False,
) -> Profile:
    """Measures a device and writes the next version of its profile.

    Interrupted in any way, the same call goes on where it was.

    Args:
        device: Where to measure.
        space: Whose layers and networks.
        settings: How much.
        root: Folder of all profiles.
        progress: Shown while it lasts.
        command: The command line, kept in the profile and shown to who finds it unfinished.
        restart: Set an unfinished measurement aside instead of going on with it.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Raises:
        AgentError: The agent failed for good.
        DeviceBusyError: Another run holds the device.
        ProfileError: An unfinished measurement is of another plan, or the result cannot be fitted.
    """
    plan = make_plan(space, device, settings or ProfileSettings())
    series = series_of(root, device=device.name, space=space, precision=device.precision, threads=device.threads)
    version = series.next_version
    journal = ProfileJournal(series.journal(version))
    if restart and journal.begin_record is not None:
        journal.set_aside()
        journal = ProfileJournal(series.journal(version))
    description = collect(plan, journal, progress or Silent(), command=command, accept_new_host_key=accept_new_host_key)
    profile = conclude(
        plan,
        journal,
        description,
        version=version,
        parent=series.latest,
        command=command,
        earlier=measured_before(series, device, description),
    )
    costs = CostJournal(series.costs(version), journal.run)
    measure_costs(plan, journal, costs, progress or Silent())
    return load_profile(save_profile(with_costs(profile, plan, costs), series))
