"""check_profile: measures networks that a profile has never seen, and writes its next version with the result."""

from __future__ import annotations

import secrets
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mosegedge.devices.agent_client import AgentClient, new_run
from mosegedge.devices.host_compiler import check_compiler
from mosegedge.devices.inventory import Device
from mosegedge.devices.suiting import require_suitable
from mosegedge.errors import ProfileError, UsageError
from mosegedge.profiling.anchors import anchors_of
from mosegedge.profiling.check_loop import MIN_ROUNDS, CheckLoop
from mosegedge.profiling.check_record import CheckRecord
from mosegedge.profiling.check_result import checked_profile
from mosegedge.profiling.fresh import FEWEST, fresh_networks
from mosegedge.profiling.losses import outlasting_losses
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.same_device import as_profiled, require_same_device
from mosegedge.profiling.store import DEFAULT_ROOT, Series, load_profile, profile_path, save_profile
from mosegedge.progress import Progress, Silent
from mosegedge.space import Architecture, SearchSpace

_WAIT_FOR_LOCK_S = 10
_SEEDS = 10**9


@dataclass(frozen=True, kw_only=True)
class CheckSettings:
    """How much is measured.

    Attributes:
        networks: Fresh networks, over all scales of the profile.
        rounds: How often each is timed at most.
        budget_s: No round is begun that would end later than this, though there are 2 in any case.
        seed: Draws the networks and the order; None for one that nobody has used.
    """

    networks: int = 60
    rounds: int = 16
    budget_s: float = 300.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("networks", FEWEST), ("rounds", MIN_ROUNDS), ("seed", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; a check needs at least {least}.", fix=f"--{name} {least}")
        if not self.budget_s > 0:
            raise UsageError(f"A budget of {self.budget_s} s is no time.", fix="--budget 90s")


def check_profile(
    reference: str | Path,
    device: Device,
    *,
    settings: CheckSettings | None = None,
    space: SearchSpace | None = None,
    root: Path = DEFAULT_ROOT,
    progress: Progress | None = None,
    command: str = "",
    restart: bool = False,
    accept_new_host_key: bool = False,
) -> Profile:
    """Judges a profile on networks that it has never seen, and tells the device's speed by 8 that it has.

    An agent that is lost is waited for as in a measurement, and a network that takes it down again and again is left
    out. Interrupted in any way, the same call goes on where it was.

    Args:
        reference: The profile, as `load_profile` takes it.
        device: The device that it is of, as the inventory has it.
        settings: How much is measured.
        space: The profile's space; by default it is loaded by its name.
        root: Folder of all profiles.
        progress: Shown while it lasts.
        command: The command line, kept in the new version.
        restart: Set an unfinished check aside instead of going on with it.
        accept_new_host_key: Trust a device whose host key is not known yet, and remember the key.

    Returns:
        The next version of the profile: the same measurements and model, the fresh networks with the role `check` (in
        place of those of an earlier check), and a certificate from them.

    Raises:
        ProfileError: The device is not the one that was profiled, or an unfinished check has other settings.
        DeviceError: The device cannot be reached or used.
    """
    settings, progress = settings or CheckSettings(), progress or Silent()
    path = profile_path(reference, root=root)
    profile = load_profile(path)
    space = space or SearchSpace.load(profile.space.name)
    model = profile.latency_model(space)
    series = Series(path.parent)
    record = CheckRecord(series.folder / f"v{profile.version}.check.jsonl")
    if restart and record.begin is not None:
        record.set_aside()
        record = CheckRecord(record.path)
    series.require_no_open_measurement()
    _begin(record, profile, space, settings, command)
    if not record.ended:
        _measure(record, as_profiled(device, profile), profile, space, progress, accept_new_host_key)
    checked = checked_profile(profile, model, record, version=series.next_version, command=command)
    written = save_profile(checked, series)
    record.path.rename(series.journal(checked.version))
    return load_profile(written)


def _begin(record: CheckRecord, profile: Profile, space: SearchSpace, settings: CheckSettings, command: str) -> None:
    """Draws the networks, or makes sure that an earlier run with the same settings did."""
    asked: dict[str, Any] = {"profile": profile.digest, **asdict(settings)}
    if record.begin is None:
        seed = secrets.randbelow(_SEEDS) if settings.seed is None else settings.seed
        networks = fresh_networks(profile, space, settings.networks, np.random.default_rng(seed))
        codes = [str(network) for network in networks]
        record.add(
            "begin",
            **{**asked, "seed": seed},
            codes=codes,
            anchors=list(anchors_of(profile.networks)),
            command=command,
            run=new_run(),
        )
        return
    for name, value in asked.items():
        if record.begin.get(name) != value and not (name == "seed" and value is None):
            raise ProfileError(
                f"{record.path} is a check that was not finished, with {name} = {record.begin.get(name)}; this one has "
                f"{value}.",
                known=f"It was begun by: {record.begin.get('command') or 'a call of check_profile'}.",
                fix="Finish that one with its own command, or set it aside with --restart.",
            )


def _measure(
    record: CheckRecord,
    device: Device,
    profile: Profile,
    space: SearchSpace,
    progress: Progress,
    accept_new_host_key: bool,
) -> None:
    begin = record.begin or {}
    networks = [Architecture.parse(code) for code in (*begin["codes"], *begin.get("anchors", []))]

    def work(agent: AgentClient) -> None:
        agent.lock(wait_s=_WAIT_FOR_LOCK_S)
        description = agent.describe()
        require_same_device(profile, description)
        require_suitable(device, description, opset=device.opset)
        check_compiler(device)
        loop = CheckLoop(agent, space, networks, record, progress)
        loop.send(description)
        loop.measure(begin["rounds"], begin["budget_s"], begin["seed"])

    outlasting_losses(
        device,
        record,
        progress,
        work,
        settled=lambda: record.bursts + len(record.models) + len(record.failed),
        run=begin["run"],
        accept_new_host_key=accept_new_host_key,
    )
