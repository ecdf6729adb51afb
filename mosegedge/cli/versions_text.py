"""What is printed about two profiles, and about profiles and the devices as they are now."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mosegedge.profiling.cause import Difference
    from mosegedge.profiling.compare import Change, Changes
    from mosegedge.profiling.profile import Profile

_FEW = 10


def diff_result(
    before: Profile, after: Profile, layers: Changes, networks: Changes, apart: list[Difference], cause: str
) -> dict[str, Any]:
    """Everything that two profiles differ in."""
    return {
        "before": before.name,
        "after": after.name,
        "cause": cause,
        "provenance": [{"group": one.group, **asdict(one.fact)} for one in apart],
        "layers": _changes_result(layers),
        "networks": _changes_result(networks),
    }


def diff_text(result: dict[str, Any], layers: Changes, networks: Changes, *, everything: bool) -> str:
    """The same in words: the summary first, then the entries that changed most."""
    lines = [f"{result['before']} -> {result['after']}", *_summary("layers", layers), *_summary("networks", networks)]
    lines.append(result["cause"])
    lines.append("provenance" if result["provenance"] else "provenance  no difference")
    lines += [f"  {one['group']:<18} {one['place']}: {one['before']} -> {one['after']}" for one in result["provenance"]]
    if layers.rows:
        lines.append("by kind")
        lines += [
            f"  {(part.median_ratio or 1) - 1:+7.1%}  {part.different:4} of {len(part.rows):4} differ  {kind}"
            for kind, part in layers.by_kind().items()
        ]
    for title, changes in (("layers", layers), ("networks", networks)):
        shown = changes.rows if everything else changes.rows[:_FEW]
        if shown:
            of = "" if len(shown) == len(changes.rows) else f", the {len(shown)} that changed most (all: --all)"
            lines += [f"{title}{of}", "  change  beyond  in errors       q    before     after ms"]
            lines += [_row(row) for row in shown]
    return "\n".join(lines)


def _changes_result(changes: Changes) -> dict[str, Any]:
    return {
        "common": len(changes.rows),
        "median_ratio": changes.median_ratio,
        "different": changes.different,
        "beyond_common_factor": changes.standing_out,
        "only_before": list(changes.only_before),
        "only_after": list(changes.only_after),
        "entries": [{**asdict(row), "differs": row.differs} for row in changes.rows],
    }


def _summary(title: str, changes: Changes) -> list[str]:
    lines = []
    if changes.rows:
        lines.append(
            f"{title:<10}  {changes.different} of {len(changes.rows)} differ, {changes.standing_out} beyond the common "
            f"factor {changes.median_ratio or 1:.4f}; largest {changes.rows[0].relative:+.1%}"
        )
    else:
        lines.append(f"{title:<10}  none in common")
    if changes.only_before or changes.only_after:
        lines.append(f"{'':<10}  {len(changes.only_before)} only before, {len(changes.only_after)} only after")
    return lines


def _row(row: Change) -> str:
    mark = "*" if row.differs else " "
    return (
        f"{mark} {row.relative:+6.1%}  {row.beyond:+6.1%}  {row.errors:+9.1f}  {row.q:6.4f}  {row.before_ms:8.4f}  "
        f"{row.after_ms:8.4f}  {row.key}"
    )
