"""A search for one device or several: their profiles, a supernet and a data set put together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mosegedge.devices.inventory import Device
from mosegedge.profiling.profile import Profile
from mosegedge.progress import Progress
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.search.loop import Search
from mosegedge.search.ranks.sharing import shared_among
from mosegedge.search.result import SearchResult
from mosegedge.search.scoring import Scoring
from mosegedge.search.targets import Target, Targets, device_of
from mosegedge.search.timing import TIMINGS, DeviceTimer
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import load_supernet
from mosegedge.supernet.launch import ALONE, Member


def search_for_device(
    profile: Profile,
    reference: str,
    scoring: Scoring,
    folder: Path,
    *,
    config: SearchConfig,
    progress: Progress,
    others: Sequence[Target] = (),
    device: Device | None = None,
    member: Member = ALONE,
) -> SearchResult:
    """Searches the trade-offs between mIoU and the costs on one or more profiled devices.

    Args:
        profile: Of the device and of the supernet's space.
        reference: What the user calls the profile; kept in the run's manifest.
        scoring: How networks are scored.
        folder: Run folder; a search found there goes on.
        config: The settings; `latency` among the objectives and limits means that on every profile.
        progress: Where it is.
        others: Profiles of further devices.
        device: Where latencies are measured, if they are; by its name that of the profile.
        member: This process among those that evaluate, as their first; see `mosegedge.search.ranks`.

    Raises:
        CheckpointError: The supernet's decoder was never trained, or it was trained on other classes.
        ProfileError: A profile was simulated, is of another space than the supernet, or lacks what is an objective.
        UsageError: A scale is to be searched that a profile does not cover.
        RankLostError: Another of several processes was lost; the archive is kept.
    """
    supernet, info = load_supernet(scoring.supernet)
    info.require_trained(scoring.supernet)
    scoring.require_classes(info)
    targets = Targets((Target(profile=profile, reference=reference), *others))
    targets.require_usable(config)
    config = targets.resolved(config)
    trusts = targets.trusts(supernet.space)
    for text in (text for trust in trusts for text in (trust.warning, trust.margin) if text):
        progress.say(text)
    latency = targets.latency(0, supernet.space)
    timer = _timer(profile, device, supernet.space, folder, progress) if config.latency == "measured" else None
    facts = scoring.facts()
    provenance = Provenance(
        profile=reference,
        profile_digest=profile.digest or "",
        label=targets.labels[0],
        other_profiles=targets.digests,
        supernet=str(scoring.supernet),
        supernet_digest=facts["supernet"],
        data=facts["data"],
        evaluation=scoring.pictures,
        trust={trust.profile: trust.to_json() for trust in trusts if trust.shortfalls},
    )
    models = targets.models(config, supernet.space)
    # What it refuses is refused before other processes and pictures are waited for.
    search = Search(supernet.space, latency, config, folder, provenance, progress=progress, others=models)
    with shared_among(member, facts, folder, progress) as share:
        return search.run(scoring.evaluator(supernet), timer, share)


def _timer(
    profile: Profile, device: Device | None, space: SearchSpace, folder: Path, progress: Progress
) -> DeviceTimer:
    """Times networks where the profile was measured."""
    return DeviceTimer(
        device=device_of(profile, device),
        space=space,
        statistic=profile.protocol.statistic,
        journal=folder / TIMINGS,
        progress=progress,
    )
