"""A search for one device or several: their profiles, a supernet and a data set put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mosegedge.data import SegmentationSet
from mosegedge.devices.inventory import Device
from mosegedge.errors import UsageError
from mosegedge.files import sha256_of_file
from mosegedge.profiling.profile import Profile
from mosegedge.progress import Progress
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.search.loop import Search
from mosegedge.search.result import SearchResult
from mosegedge.search.targets import Target, Targets, device_of
from mosegedge.search.timing import TIMINGS, DeviceTimer
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import load_supernet
from mosegedge.supernet.evaluate import InheritedEvaluator


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How networks are scored.

    Attributes:
        supernet: Checkpoint whose weights they inherit.
        train: Training pictures, for batch-norm statistics.
        guide: Held-out pictures, for mIoU.
        statistics_pictures: How many of the former; at least 8, a batch.
        guide_pictures: How many of the latter; None for all.

    Raises:
        UsageError: Too few pictures are asked for.
    """

    supernet: Path
    train: SegmentationSet
    guide: SegmentationSet
    statistics_pictures: int = 64
    guide_pictures: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("statistics_pictures", 8), ("guide_pictures", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UsageError(f"{name} is {value}; it must be at least {least}.")


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

    Raises:
        CheckpointError: The supernet's decoder was never trained.
        ProfileError: A profile was simulated, is of another space than the supernet, or lacks what is an objective.
        UsageError: A scale is to be searched that a profile does not cover.
    """
    supernet, info = load_supernet(scoring.supernet)
    info.require_trained(scoring.supernet)
    targets = Targets((Target(profile=profile, reference=reference), *others))
    targets.require_usable(config)
    config = targets.resolved(config)
    trusts = targets.trusts(supernet.space)
    for text in (text for trust in trusts for text in (trust.warning, trust.margin) if text):
        progress.say(text)
    latency = targets.latency(0, supernet.space)
    timer = _timer(profile, device, supernet.space, folder, progress) if config.latency == "measured" else None
    evaluator = InheritedEvaluator(
        supernet,
        scoring.train,
        scoring.guide,
        statistics_pictures=scoring.statistics_pictures,
        guide_pictures=scoring.guide_pictures,
    )
    provenance = Provenance(
        profile=reference,
        profile_digest=profile.digest or "",
        label=targets.labels[0],
        other_profiles=targets.digests,
        supernet=str(scoring.supernet),
        supernet_digest=sha256_of_file(scoring.supernet),
        data=scoring.guide.name,
        evaluation={
            "statistics_pictures": scoring.statistics_pictures,
            "guide_pictures": scoring.guide_pictures or len(scoring.guide),
        },
        trust={trust.profile: trust.to_json() for trust in trusts if trust.shortfalls},
    )
    models = targets.models(config, supernet.space)
    search = Search(supernet.space, latency, config, folder, provenance, progress=progress, others=models)
    return search.run(evaluator, timer)


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
