"""What the commands around a search print."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mosegedge.search.archive import Candidate
    from mosegedge.search.result import SearchResult


def text_of(result: SearchResult) -> str:
    """The chosen networks as a table: number, code, mIoU, latency, and what else was traded off.

    Where there are several devices, columns of the first one name it like those of the others.
    """
    from mosegedge.search.objectives import LATENCY, costs_among

    costs = costs_among(result.goals)
    first = result.device if any(goal.label for goal in costs) else ""
    others = [(goal, goal.named(first).title) for goal in costs if goal != LATENCY]
    latency = LATENCY.named(first).words
    header = f"{'k':<3}{'code':<36}{'mIoU':>8}{latency:>{_latency_width(latency)}}"
    rows = [header + "".join(f"{title:>{_width(title)}}" for _, title in others)]
    for k, candidate in enumerate(result.chosen, start=1):
        row = f"{k:<3}{candidate.architecture.slug:<36}{candidate.miou or 0:>8.4f}"
        row += f"{_latency(candidate):>{_latency_width(latency)}}"
        rows.append(row + "".join(f"{goal.shown(candidate.cost(goal)):>{_width(title)}}" for goal, title in others))
    if result.fronts:
        sizes = [(goal.named(result.device).words, len(result.fronts[goal.name])) for goal in costs]
        rows += [f"front of {words} against mIoU: {size} networks" for words, size in sizes]
        rows.append(f"front of all objectives: {len(result.front)} networks")
    return "\n".join(rows)


def _latency(candidate: Candidate) -> str:
    from mosegedge.search.objectives import LATENCY

    return f"{candidate.cost(LATENCY):.2f} +- {candidate.spread(LATENCY):.2f} ms"


def _latency_width(title: str) -> int:
    return max(len(title) + 2, 22)


def _width(title: str) -> int:
    return max(len(title), 8) + 2
