"""Part of the front's section: what the front and networks of uniform width dominate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mosegedge.report.html import Markup, number, paragraph, table
from mosegedge.report.run import Run
from mosegedge.search.archive import front_of, objectives
from mosegedge.search.dominance import hypervolume
from mosegedge.search.objectives import MIOU, costs_among
from mosegedge.search.records import reference_of

Floats = NDArray[np.float64]


def volumes(run: Run) -> tuple[float, float] | None:
    """Hypervolume of the front of all objectives and of the baselines, from the worst corner of the initial population.

    Returns:
        None before the first generation is finished: the corner is not known then.
    """
    if not run.generations:
        return None
    corner = _corner(run)
    of_front, of_uniform = (
        hypervolume(objectives(front_of(found, run.goals), run.goals), corner) for found in (run.within, run.baselines)
    )
    return of_front, of_uniform


def volume_unit(run: Run) -> str:
    """The product of the objectives' units, as they are counted: FLOPs and parameters singly."""
    costs = [goal.kind.title if goal.kind.scale > 1 else goal.unit for goal in costs_among(run.goals)]
    return " \u00d7 ".join([*costs, *([MIOU.title] if MIOU in run.goals else [])])


def volumes_table(run: Run) -> Markup:
    """Both, and where they are measured from."""
    both = volumes(run)
    if both is None:
        return paragraph("The hypervolume is known once the initial population is evaluated.")
    rows = [("front", number(both[0], 4)), ("uniform width", number(both[1], 4))]
    if both[1] > 0:
        rows.append(("ratio", number(both[0] / both[1], 3)))
    values = dict(zip((*costs_among(run.goals), MIOU), np.abs(_corner(run)), strict=False))
    places = [
        f"mIoU {value:.3f}" if goal == MIOU else f"{goal.shown(value)}{f' on {goal.label}' if goal.label else ''}"
        for goal, value in values.items()
    ]
    caption = f"Hypervolume, {volume_unit(run)}, from {', '.join(places[:-1])} and {places[-1]}"
    return table(caption, ("of", "value"), rows)


def _corner(run: Run) -> Floats:
    return reference_of([candidate for candidate in run.candidates if candidate.generation == 0], run.goals)
