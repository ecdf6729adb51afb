"""What a profile says about a network, as a bundle keeps it."""

from __future__ import annotations

from pathlib import Path

from mosegedge.export.bundle import Prediction
from mosegedge.profiling.store import load_profile
from mosegedge.space import Architecture, SearchSpace


def profiled_device(reference: str, *, root: Path) -> str:
    """Name of the device that a profile was measured on."""
    return load_profile(reference, root=root).device.name


def predicted_latency(reference: str, space: SearchSpace, architecture: Architecture, *, root: Path) -> Prediction:
    """Latency and standard deviation that a profile predicts.

    Args:
        reference: Of the profile, as `local/tiny-fp32`.
        space: The network's space.
        architecture: The network.
        root: Folder of all profiles.

    Raises:
        ProfileError: There is no such profile, it is of another space, or does not cover the network's scale.
    """
    profile = load_profile(reference, root=root)
    mean, sd = profile.latency_model(space).predict(space.encode([architecture]))
    return Prediction(
        profile=reference,
        statistic=profile.protocol.statistic,
        latency_ms=float(mean[0]),
        sd_ms=float(sd[0]),
    )
