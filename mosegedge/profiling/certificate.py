"""How good a latency model is on networks that it was never fitted on: what is said of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.profiling.sections import CertificateSection


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
        f"{certificate.source} networks; FLOPs {certificate.flops_kendall_tau:.3f}"
    )
