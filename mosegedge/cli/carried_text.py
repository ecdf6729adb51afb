"""What is printed about profiles that were made of others: merged, or carried over to a device that has changed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mosegedge.profiling.certificate import verdict

if TYPE_CHECKING:
    from mosegedge.profiling.combine import Union
    from mosegedge.profiling.merge import Merged
    from mosegedge.profiling.profile import Profile
    from mosegedge.profiling.rebase import Rebased

_FEW = 5


def merge_result(merged: Merged) -> dict[str, Any]:
    """What a merged profile is made of."""
    found = merged.profile
    return {
        "name": found.name,
        "merged_from": [source.profile for source in found.merged_from or ()],
        "scales": found.protocol.scales,
        "layers": asdict(merged.layers),
        "networks": asdict(merged.networks),
        "roles": {role: sum(one.role == role for one in found.networks) for role in ("fit", "held-out", "check")},
        "certificate": found.certificate.model_dump(mode="json") if found.certificate else None,
    }


def merge_text(merged: Merged) -> str:
    """The same in words."""
    result = merge_result(merged)
    first, second = result["merged_from"]
    roles = ", ".join(f"{count} {role}" for role, count in result["roles"].items())
    return "\n".join(
        [
            f"{first} + {second} -> {result['name']}",
            *_union("layers", merged.layers, first, second),
            *_union("networks", merged.networks, first, second),
            f"roles     {roles}",
            verdict(merged.profile.certificate),
        ]
    )


def rebase_result(rebased: Rebased) -> dict[str, Any]:
    """What a few measurements said of a profile, and what became of it."""
    profile = rebased.profile
    return {
        "before": rebased.before.name,
        "name": profile.name if profile else None,
        "holds": profile is not None,
        "changes": list(rebased.changes),
        "problems": rebased.verdict.problems,
        **asdict(rebased.verdict),
        "rebased_from": profile.rebased_from.model_dump() if profile and profile.rebased_from else None,
        "certificate": profile.certificate.model_dump(mode="json") if profile and profile.certificate else None,
    }


def rebase_text(rebased: Rebased) -> str:
    """The same in words."""
    found, profile = rebased.verdict, rebased.profile
    lines = [
        f"{rebased.before.name} -> {profile.name if profile else 'nothing was written'}",
        *(f"device    {change}" for change in rebased.changes or ("as it was",)),
        f"factor    {found.factor:.4f}, known within {found.factor_se:.4f}; spread around it {found.spread:.2%}",
    ]
    lines += [
        f"{'' if number else 'layers':<8}{' ' if kind.holds else '*'} {kind.beyond:+6.1%} beyond it, of {kind.layers}  "
        f"{kind.kind}"
        for number, kind in enumerate(found.kinds)
    ]
    lines.append(
        f"networks  {found.networks} measured, {found.networks_mape:.1%} off their prediction "
        f"(allowed {found.networks_allowed:.1%})"
    )
    if profile:
        lines += [origin_text(profile).rstrip("\n"), verdict(profile.certificate)]
    return "\n".join(lines)


def origin_text(found: Profile) -> str:
    """Which profiles the numbers of one came from, in lines; empty for a measurement of its own."""
    text = ""
    if found.merged_from:
        text += f"merged      {' + '.join(source.profile for source in found.merged_from)}\n"
    if rebased := found.rebased_from:
        text += (
            f"rebased     {rebased.layers_measured} layers and {rebased.networks_measured} networks measured again, "
            f"{rebased.layers_carried} and {rebased.networks_carried} from {rebased.source.profile} times "
            f"{rebased.factor:.4f}\n"
        )
    return text


def _union(title: str, union: Union, first: str, second: str) -> list[str]:
    counts = (
        f"{union.first} of {first}, {union.second} of {second}, {union.averaged} averaged, "
        f"{union.better} the better of both, {union.same} the same in both"
    )
    lines = [f"{title:<9} {counts}"]
    if union.apart:
        shown = ", ".join(union.apart[:_FEW])
        more = f" and {len(union.apart) - _FEW} more" if len(union.apart) > _FEW else ""
        lines.append(f"{'':<9} {len(union.apart)} more than 3 % apart, graded C: {shown}{more}")
    return lines
