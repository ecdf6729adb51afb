"""A search for one device: its profile, a supernet and a data set put together."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mosegedge.data import SegmentationSet
from mosegedge.errors import ProfileError, UsageError
from mosegedge.files import sha256_of_file
from mosegedge.profiling.profile import Profile
from mosegedge.profiling.trust import trust_of, widened
from mosegedge.progress import Progress
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.search.loop import Search, SearchResult
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
    profile: Profile, reference: str, scoring: Scoring, folder: Path, *, config: SearchConfig, progress: Progress
) -> SearchResult:
    """Searches the trade-offs between mIoU and the latency on the profiled device.

    Args:
        profile: Of the device and of the supernet's space.
        reference: What the user calls the profile; kept in the run's manifest.
        scoring: How networks are scored.
        folder: Run folder; a search found there goes on.
        config: The settings.
        progress: Where it is.

    Raises:
        ProfileError: The profile was simulated, or is of another space than the supernet.
        UsageError: A scale is to be searched that the profile does not cover.
    """
    supernet, _info = load_supernet(scoring.supernet)
    if profile.origin != "measured":
        raise ProfileError(
            f"The profile {reference} is {profile.origin}; a search needs a measured one.",
            fix="Measure a device: mosegedge profile --device local",
        )
    trust = trust_of(profile, supernet.space)
    for text in filter(None, (trust.warning, trust.margin)):
        progress.say(text)
    latency = widened(profile.latency_model(supernet.space), trust)
    uncovered = sorted(set(config.scales) - set(profile.protocol.scales))
    if uncovered:
        covered = ",".join(str(scale) for scale in profile.protocol.scales)
        raise UsageError(
            f"The profile {reference} does not cover scale digit {uncovered[0]}.",
            known=f"It covers {covered}.",
            fix=f"Search those: --scales {covered}; or profile the others.",
        )
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
        supernet=str(scoring.supernet),
        supernet_digest=sha256_of_file(scoring.supernet),
        data=scoring.guide.name,
        evaluation={
            "statistics_pictures": scoring.statistics_pictures,
            "guide_pictures": scoring.guide_pictures or len(scoring.guide),
        },
        trust={trust.profile: trust.to_json()} if trust.shortfalls else {},
    )
    return Search(supernet.space, latency, config, folder, provenance, progress=progress).run(evaluator)
