"""What the page shows of a latency profile: whole networks, predicted and measured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mosegedge.errors import ProfileError
from mosegedge.profiling.judge import Agreement, agreement, kendall_tau
from mosegedge.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from pathlib import Path

    from mosegedge.profiling.profile import Profile
    from mosegedge.profiling.sections import CertificateSection

_STATISTICS = {"median": "median", "quantile10": "10 % quantile"}


@dataclass(frozen=True, kw_only=True)
class MeasuredNetwork:
    """A whole network that the profile timed.

    Attributes:
        architecture: Its code.
        held_out: Whether the latency model was judged on it; otherwise it was fitted to it.
        measured_ms: On the device.
        predicted_ms: By the latency model.
        flops: Multiply-adds.
    """

    architecture: Architecture
    held_out: bool
    measured_ms: float
    predicted_ms: float
    flops: int


@dataclass(frozen=True, kw_only=True)
class LatencyFacts:
    """What a profile says about itself.

    Attributes:
        device: Name of the device.
        hardware: What it is, in a few words.
        statistic: Which of all timed runs of a model stands for it: `quantile10` or `median`.
        protocol: How it was timed, in a few words.
        origin: `measured` or `simulated`.
        networks: Whole networks.
        certificate: How good predictions are, as the profile states it; None where nothing judged them.
        repeatability_tau: Two halves of the same measurement: a model can hardly be better.
    """

    device: str
    hardware: str
    statistic: str
    protocol: str
    origin: str
    networks: tuple[MeasuredNetwork, ...]
    certificate: CertificateSection | None
    repeatability_tau: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Predicted against measured for a group of networks, with the order by FLOPs beside it."""

    networks: int
    by_profile: Agreement
    flops_tau: float


def compare(networks: list[MeasuredNetwork]) -> Comparison:
    """How well the model and FLOPs order two or more networks."""
    measured = np.array([network.measured_ms for network in networks])
    return Comparison(
        networks=len(networks),
        by_profile=agreement(np.array([network.predicted_ms for network in networks]), measured),
        flops_tau=kendall_tau(np.array([float(network.flops) for network in networks]), measured),
    )


def open_profile(reference: str, digest: str, root: Path) -> Profile:
    """Opens the profile that a search used.

    Args:
        reference: As `load_profile` takes it.
        digest: What the run says that the profile's digest is.
        root: Folder of the profiles.

    Raises:
        ProfileError: There is none, or it is another one.
    """
    from mosegedge.profiling.store import load_profile

    profile = load_profile(reference, root=root)
    if profile.digest != digest:
        raise ProfileError(
            f"The profile {reference} has the digest {(profile.digest or 'none')[:12]}, the search used {digest[:12]}.",
            fix="Name the profile of the search: mosegedge report RUN --profile FILE",
        )
    return profile


def facts_of(profile: Profile, space: SearchSpace) -> LatencyFacts:
    """What the page shows of a profile."""
    codes = space.encode([Architecture.parse(entry.code) for entry in profile.networks])
    predicted_ms = profile.latency_model(space).predict(codes)[0] if len(codes) else np.zeros(0)
    networks = tuple(
        MeasuredNetwork(
            architecture=Architecture.parse(entry.code),
            held_out=entry.role != "fit",
            measured_ms=entry.value_ms,
            predicted_ms=float(predicted),
            flops=int(flops),
        )
        for entry, predicted, flops in zip(profile.networks, predicted_ms, space.flops(codes), strict=True)
    )
    protocol = profile.protocol
    return LatencyFacts(
        device=profile.device.name,
        hardware=str(profile.device.hardware.get("cpu") or profile.device.backend),
        statistic=protocol.statistic,
        protocol=f"{_STATISTICS[protocol.statistic]} of all timed runs, {protocol.precision}, batch {protocol.batch}, "
        f"{protocol.threads} thread{'s' if protocol.threads > 1 else ''}, copying of pictures not included",
        origin=profile.origin,
        networks=networks,
        certificate=profile.certificate,
        repeatability_tau=profile.repeatability.networks_kendall_tau,
    )
