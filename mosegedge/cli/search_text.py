"""What the commands around a search print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.search.archive import Candidate
    from mosegedge.search.result import SearchResult


def text_of(result: SearchResult) -> str:
    """The chosen networks as a table: number, code, mIoU, latency, and what else was traded off."""
    from mosegedge.search.objectives import LATENCY, costs_among

    others = [goal for goal in costs_among(result.goals) if goal != LATENCY]
    header = f"{'k':<3}{'code':<36}{'mIoU':>8}{'latency':>18}"
    rows = [header + "".join(f"{goal.title:>{_width(goal.title)}}" for goal in others)]
    for k, candidate in enumerate(result.chosen, start=1):
        row = f"{k:<3}{candidate.architecture.slug:<36}{candidate.miou or 0:>8.4f}{_latency(candidate)}"
        cells = (f"{goal.shown(candidate.cost(goal)):>{_width(goal.title)}}" for goal in others)
        rows.append(row + "".join(cells))
    for name, front in result.fronts.items():
        rows.append(f"front of {name} against mIoU: {len(front)} networks")
    if result.fronts:
        rows.append(f"front of all objectives: {len(result.front)} networks")
    return "\n".join(rows)


def _latency(candidate: Candidate) -> str:
    from mosegedge.search.objectives import LATENCY

    return f"{candidate.cost(LATENCY):>10.2f} +- {candidate.spread(LATENCY):.2f} ms"


def _width(title: str) -> int:
    return max(len(title), 8) + 2
