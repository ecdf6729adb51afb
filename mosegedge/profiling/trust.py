"""How far a search may rely on a profile: what its certificate lacks, and how much wider its intervals must be.

The rule: a profile whose certificate reaches all bars is taken at its word. Below a bar, its standard deviations are
multiplied by the factor with which the 90 % interval would have held 90 % of the networks that judged it: each of them
was measured some number of standard deviations away from its prediction, and the factor is the 90 % point of these
numbers (for n networks the ceil(0.9 (n + 1))-th smallest, the largest where there are too few) over the 1.645 that a
normal distribution has there, never less than 1. Where no network judged the model, the factor is 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.profiling.certificate import BARS, Bars, shortfalls
from mosegedge.profiling.judge import SDS_OF_90
from mosegedge.space import Architecture, SearchSpace

if TYPE_CHECKING:
    from mosegedge.profiling.profile import Profile
    from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_UNJUDGED_FACTOR = 2.0
_DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Trust:
    """How far a profile's predictions can be relied on.

    Attributes:
        profile: Name of the profile.
        shortfalls: What its certificate does not reach, in words; empty where it reaches all bars.
        sd_factor: What its standard deviations are to be multiplied by; at least 1.
    """

    profile: str
    shortfalls: tuple[str, ...] = ()
    sd_factor: float = 1.0

    def to_json(self) -> dict[str, Any]:
        """The fields but the name."""
        return {"shortfalls": list(self.shortfalls), "sd_factor": self.sd_factor}

    @property
    def warning(self) -> str:
        """One sentence for the user; empty where there is nothing to warn of."""
        if not self.shortfalls:
            return ""
        return (
            f"The profile {self.profile} is below the bar: {'; '.join(self.shortfalls)}. "
            f"Check it: mosegedge profiles check {self.profile}; or measure again with more --networks and --passes."
        )

    @property
    def margin(self) -> str:
        """What a search makes of it, in words; empty where it takes the profile at its word."""
        if self.sd_factor == 1:
            return ""
        return f"Standard deviations of {self.profile} are taken {self.sd_factor:g} times as large."


class Predictor(Protocol):
    """Latency of networks on one device."""

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and standard deviation in ms of each of N codes."""

    def mean(self, codes: Codes) -> Floats:
        """The mean alone."""


@dataclass(frozen=True)
class WidenedModel:
    """A latency model with larger standard deviations.

    Attributes:
        model: The model.
        sd_factor: How much larger they are.
    """

    model: Predictor
    sd_factor: float

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and widened standard deviation in ms of each of N codes."""
        mean_ms, sd_ms = self.model.predict(codes)
        return mean_ms, sd_ms * self.sd_factor

    def mean(self, codes: Codes) -> Floats:
        """Mean in ms of each of N codes."""
        return self.model.mean(codes)


def trust_of(profile: Profile, space: SearchSpace | None = None, *, bars: Bars = BARS) -> Trust:
    """Judges a profile by its certificate.

    Args:
        profile: The profile.
        space: Its space; by default it is loaded by its name.
        bars: What the certificate must reach.
    """
    found = shortfalls(profile.certificate, bars)
    if not found:
        return Trust(profile=profile.name)
    space = space or SearchSpace.load(profile.space.name)
    return Trust(profile=profile.name, shortfalls=found, sd_factor=_factor(profile, space))


def widened(model: Predictor, trust: Trust) -> Predictor:
    """The model with the standard deviations that it deserves."""
    return WidenedModel(model, trust.sd_factor) if trust.sd_factor > 1 else model


def interval_factor(errors_in_sds: Floats) -> float:
    """By what the standard deviations must be multiplied so that the 90 % interval holds 90 %; at least 1.

    Args:
        errors_in_sds: Of each judging network, |measured - predicted| over the standard deviation; not empty.
    """
    ordered = np.sort(errors_in_sds)
    rank = min(math.ceil(0.9 * (len(ordered) + 1)), len(ordered))
    return max(1.0, float(ordered[rank - 1]) / SDS_OF_90)


def _factor(profile: Profile, space: SearchSpace) -> float:
    if profile.certificate is None:
        return _UNJUDGED_FACTOR
    judging = [entry for entry in profile.networks if entry.role == profile.certificate.source]
    if not judging:
        return _UNJUDGED_FACTOR
    codes = space.encode([Architecture.parse(entry.code) for entry in judging])
    model = profile.latency_model(space)
    mean_ms, sd_ms = (model.meanwhile if profile.certificate.source == "held-out" else model).predict(codes)
    off_ms = np.abs(np.array([entry.value_ms for entry in judging]) - mean_ms)
    floor_ms = np.finfo(float).tiny
    return round(interval_factor(off_ms / np.maximum(sd_ms, floor_ms)), _DIGITS)
