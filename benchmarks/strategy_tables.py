"""Tables of search strategies: hypervolume by evaluations, evaluations to a level, and what the bars ask for."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.strategy_curves import Curve, by_strategy, mean_and_spread

LEVELS = (95.0, 98.0, 99.0)
"""Per cent of the ideal hypervolume, or of what `default` ends with."""

_MARKS = (100, 140, 180, 260)


def table_of(curves: Sequence[Curve]) -> str:
    """One line a strategy: hypervolume in per cent of the ideal, and evaluations needed to levels of it."""
    longest = max(curve.budget for curve in curves)
    marks = [mark for mark in _MARKS if mark < longest] + [longest]
    header = f"{'strategy':<24}{'seeds':>5} " + "".join(f"{f'HV % @{mark}':>14}" for mark in marks)
    lines = [header + "".join(f"{f'to {level:g} %':>12}" for level in LEVELS) + f"{'s/run':>8}"]
    for name, runs in by_strategy(curves).items():
        within = [mark for mark in marks if mark <= runs[0].budget]
        cells = [f"{mean:.1f} ({sd:.1f})" for mean, sd in zip(*mean_and_spread(runs, within), strict=True)]
        cells += ["-"] * (len(marks) - len(within))
        needed = [median_of([run.needed_for(level) for run in runs]) for level in LEVELS]
        lines.append(
            f"{name:<24}{len(runs):>5} "
            + "".join(f"{cell:>14}" for cell in cells)
            + "".join(f"{cell:>12}" for cell in needed)
            + f"{np.mean([run.seconds for run in runs]):>8.0f}"
        )
    return "\n".join(lines)


def comparison(curves: Sequence[Curve]) -> dict[str, float | int | None]:
    """How `default` fares against `paper`, by means over seeds; empty where one of them was not run."""
    found = by_strategy(curves)
    default, paper = found.get("default", []), found.get("paper", [])
    if not default or not paper:
        return {}
    budget = paper[0].budget
    goal = float(mean_and_spread(paper, [budget])[0][0])
    steps = default[0].evaluations
    mean = mean_and_spread(default, steps)[0]
    reached = next((step for step, value in zip(steps, mean, strict=True) if value >= goal), None)
    return {
        "paper_final_percent": round(goal, 2),
        "default_final_percent": round(float(mean[-1]), 2),
        "points_above": round(float(mean[-1]) - goal, 2),
        "evaluations_to_papers_final": reached,
        "share_of_budget": round(reached / budget, 3) if reached else None,
    }


def costs_of(curves: Sequence[Curve], final_percent: float) -> list[dict[str, Any]]:
    """Evaluations of each strategy to levels of a final hypervolume.

    Args:
        curves: Of all strategies.
        final_percent: The final hypervolume, in per cent of the ideal.

    Returns:
        A row a strategy: its name, runs and budget, the median to each level (none where fewer than half got there),
        and how many runs did.
    """
    rows = []
    for name, runs in by_strategy(curves).items():
        needed = {f"{level:g}": [run.needed_for(level / 100.0 * final_percent) for run in runs] for level in LEVELS}
        rows.append(
            {
                "strategy": name,
                "runs": len(runs),
                "budget": runs[0].budget,
                "median": {level: _median(values) for level, values in needed.items()},
                "reached": {level: sum(value is not None for value in values) for level, values in needed.items()},
                "text": {level: median_of(values) for level, values in needed.items()},
            }
        )
    return rows


def median_of(values: Sequence[int | None]) -> str:
    """The median, with how many got there where not all did; `-` where none and `> (k/n)` where fewer than half did."""
    reached = sum(value is not None for value in values)
    share = f"({reached}/{len(values)})"
    middle = _median(values)
    if middle is None:
        return f"> {share}" if reached else "-"
    return f"{middle}" + (f" {share}" if reached < len(values) else "")


def _median(values: Sequence[int | None]) -> int | None:
    """Of all, those that did not get there counting as the largest; none where the middle one did not."""
    padded = sorted(value if value is not None else sys.maxsize for value in values)
    middle = padded[(len(padded) - 1) // 2] if padded else sys.maxsize
    return None if middle == sys.maxsize else middle
