"""rebase_profile: carries a profile over to a device that has changed, if a few measurements say that it holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mosegedge.devices.inventory import Device
from mosegedge.errors import ProfileError
from mosegedge.profiling.collect import collect
from mosegedge.profiling.conclude import measurements_of
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.rebase_plan import RebaseSettings, rebase_plan
from mosegedge.profiling.rebase_verdict import Verdict
from mosegedge.profiling.rebased import Remeasured, rebased_profile
from mosegedge.profiling.stale import changes_of
from mosegedge.profiling.store import DEFAULT_ROOT, Series, load_profile, profile_path, save_profile, series_of
from mosegedge.progress import Progress, Silent
from mosegedge.space import SearchSpace


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebased:
    """What became of a profile.

    Attributes:
        before: The profile.
        profile: Its next version; None where it does not hold any more, and nothing was written.
        verdict: Why.
        changes: What the device tells of itself otherwise than before.
    """

    before: Profile
    profile: Profile | None
    verdict: Verdict
    changes: tuple[str, ...]


def rebase_profile(
    reference: str | Path,
    device: Device,
    *,
    settings: RebaseSettings | None = None,
    space: SearchSpace | None = None,
    root: Path = DEFAULT_ROOT,
    progress: Progress | None = None,
    command: str = "",
    restart: bool = False,
    accept_new_host_key: bool = False,
) -> Rebased:
    """Measures a few layers and networks of a profile on a device, and carries the rest over where it still holds.

    Interrupted in any way, the same call goes on where it was.

    Args:
        reference: The profile, as `load_profile` takes it.
        device: The device as it is now.
        settings: How much is measured again.
        space: The profile's space; by default it is loaded by its name.
        root: Folder of all profiles.
        progress: Shown while it lasts.
        command: The command line, kept in the new version and shown to who finds it unfinished.
        restart: Set an unfinished measurement aside instead of going on with it.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Raises:
        DeviceError: The device cannot be reached or used.
        ProfileError: It is used in another way than then, too little can be measured, or an unfinished measurement is
            another one.
    """
    path = profile_path(reference, root=root)
    before = load_profile(path)
    space = space or SearchSpace.load(before.space.name)
    before.latency_model(space)  # of this space, and with a model that can be computed
    device = _as_then(device, before)
    plan = rebase_plan(before, space, device, settings or RebaseSettings())
    series = _series(path, before, device, space, root)
    series.require_no_open_measurement()
    journal = ProfileJournal(series.folder / f"v{before.version}.rebase.jsonl")
    if restart and journal.begin_record is not None:
        journal.set_aside()
        journal = ProfileJournal(journal.path)
    description = collect(plan, journal, progress or Silent(), command=command, accept_new_host_key=accept_new_host_key)
    changes = tuple(map(str, changes_of(before, description)))
    if description.vendor.get("origin", "measured") != before.origin:
        raise ProfileError(
            f"{before.name} is {before.origin}, and numbers of {device.name} are not.",
            known="A table with some of both would be neither.",
            fix=_measure_again(before, device),
        )
    raw = measurements_of(plan, journal)
    if not any(item.key in raw for item in plan.held_out):
        journal.set_aside()
        raise ProfileError(
            f"None of {len(plan.held_out)} networks of {before.name} runs on {device.name}.",
            known=next(iter(journal.failed.values()), ""),
            fix=f"See what the device lacks: mosegedge devices doctor {device.name}",
        )
    found = Remeasured.of(before, plan, journal, raw)
    verdict = found.verdict
    if verdict.problems:
        journal.set_aside()
        return Rebased(before=before, profile=None, verdict=verdict, changes=changes)
    version = series.next_version
    parent = before.version if series.folder == path.parent else series.latest
    profile = rebased_profile(
        found, verdict, description, version=version, parent=parent, changes=changes, command=command
    )
    written = save_profile(profile, series)
    journal.path.rename(series.journal(version))
    return Rebased(before=before, profile=load_profile(written), verdict=verdict, changes=changes)


def require_holds(rebased: Rebased, device: Device) -> None:
    """Raises ProfileError where a profile does not hold any more, with the command for a full measurement."""
    if rebased.profile is None:
        problems = "; ".join(rebased.verdict.problems)
        raise ProfileError(
            f"{rebased.before.name} does not hold on {device.name} as it is now: {problems}.",
            known="Nothing was written; what was measured was set aside.",
            fix=_measure_again(rebased.before, device),
        )


def _as_then(device: Device, profile: Profile) -> Device:
    """The device with the threads and the opset of the profile.

    Raises:
        ProfileError: Its backend, precision or clock are not those of the profile.
    """
    stated = {
        "backend": (profile.device.backend, device.backend),
        "precision": (profile.protocol.precision, device.precision),
        "clock": (profile.protocol.clock, device.clock),
    }
    for name, (then, now) in stated.items():
        if then != now:
            raise ProfileError(
                f"{profile.name} cannot be carried over to {device.name}: {name}: {then} then, {now} now.",
                known="Another backend, precision or clock is another measurement.",
                fix=f"Measure it: mosegedge profile --device {device.name} --space {profile.space.name}; or set {name} "
                "back in devices.toml.",
            )
    return replace(device, threads=profile.protocol.threads, opset=profile.protocol.opset)


def _series(path: Path, profile: Profile, device: Device, space: SearchSpace, root: Path) -> Series:
    """The profile's own series, or that of another device."""
    if device.name == profile.device.name:
        return Series(path.parent)
    return series_of(root, device=device.name, space=space, precision=device.precision, threads=device.threads)


def _measure_again(profile: Profile, device: Device) -> str:
    scales = ",".join(map(str, sorted(profile.protocol.scales)))
    return (
        f"Measure again: mosegedge profile --device {device.name} --space {profile.space.name} --scales {scales} "
        f"--threads {profile.protocol.threads}"
    )
