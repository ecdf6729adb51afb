"""How good a latency model is on networks that it was never fitted on, and what is said of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.profiling.sections import CertificateSection


@dataclass(frozen=True, kw_only=True)
class Bars:
    """What a certificate must reach for predictions to be used without a warning.

    Attributes:
        kendall_tau: Smallest rank correlation of predicted and measured latency over all scales.
        mape: Largest mean absolute relative error.
        coverage90: Smallest share of networks inside their 90 % interval; with 40 networks chance alone leaves a model
            with the right intervals below 0.8 in one case of sixty-five.
    """

    kendall_tau: float = 0.9
    mape: float = 0.1
    coverage90: float = 0.8


BARS = Bars()


def shortfalls(certificate: CertificateSection | None, bars: Bars = BARS) -> tuple[str, ...]:
    """What a certificate fails to reach, each in words with its value; empty where it is good enough."""
    if certificate is None:
        return ("no network judged it",)
    found = []
    if certificate.kendall_tau < bars.kendall_tau:
        found.append(f"Kendall tau {certificate.kendall_tau:.3f} is below {bars.kendall_tau:g}")
    if certificate.mape > bars.mape:
        found.append(f"predictions are {certificate.mape:.1%} off, more than {bars.mape:.0%}")
    if certificate.coverage90 is None:
        found.append("how often its 90 % interval holds is not known")
    elif certificate.coverage90 < bars.coverage90:
        found.append(
            f"its 90 % interval holds {certificate.coverage90:.0%} of networks, less than {bars.coverage90:.0%}"
        )
    return tuple(found)


def verdict(certificate: CertificateSection | None) -> str:
    """How good predictions are, at a glance."""
    if certificate is None:
        return "certificate: none, no network judged the model"
    repeats, coverage = certificate.repeatability_kendall_tau, certificate.coverage90
    holds = f", 90 % interval holds {coverage:.0%} of" if coverage is not None else ","
    return (
        f"certificate: tau {certificate.kendall_tau:.3f}"
        + (f" (repeats to {repeats:.3f})" if repeats is not None else "")
        + f", {certificate.mape:.1%} off, worst {certificate.worst:.1%}{holds} {certificate.networks} "
        f"{certificate.source} networks; FLOPs {certificate.flops_kendall_tau:.3f}{speed_in_words(certificate)}"
    )


def speed_in_words(certificate: CertificateSection) -> str:
    """How much slower or faster the device was in a check, and the error without that; empty where it is not known."""
    slowdown, mape, coverage = (
        certificate.slowdown,
        certificate.mape_at_this_speed,
        certificate.coverage90_at_this_speed,
    )
    if slowdown is None or mape is None or coverage is None:
        return ""
    change = f"{abs(slowdown - 1):.1%} {'slower' if slowdown >= 1 else 'faster'}"
    give_or_take = "" if certificate.slowdown_se is None else f" (give or take {certificate.slowdown_se:.1%})"
    return (
        f"; networks of the profile were {change}{give_or_take} when timed again, at that speed it is {mape:.1%} off "
        f"and its interval holds {coverage:.0%}"
    )
