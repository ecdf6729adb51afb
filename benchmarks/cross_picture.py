"""A cross table as a picture: the mean over all floors as a matrix, and every floor by itself beside it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.cross_record import CrossRecord

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(record: CrossRecord, path: Path) -> None:
    """Writes the picture."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    count = len(record.names)
    figure = Figure(figsize=(7 + 2.1 * count, 4.8), layout="constrained")
    left, *others = figure.subplots(1, 1 + count, width_ratios=(3.4, *[1] * count))
    _matrix(left, record)
    for column, axes in enumerate(others):
        _floors(axes, record, column)
        axes.sharey(others[0])
        axes.tick_params(labelleft=column == 0)
    excess, spread = 100 * record.excess("measured"), 100 * record.spread(of_mean=False)
    low, high = float((excess - spread).min()), float((excess + spread).max())
    others[0].set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
    others[0].set_ylabel("above the networks chosen for it, %")
    handles = [
        Line2D([], [], marker="o", ls="", color=f"C{row}", label=title)
        for row, title in enumerate(record.titles.values())
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=count, title="networks chosen for", frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def _matrix(axes: Axes, record: CrossRecord) -> None:
    """Mean over the floors, with half the difference of two halves below each measured value."""
    excess, spread = 100 * record.mean_excess("measured"), 100 * record.spread(of_mean=True)
    most = float(np.abs(excess).max()) or 1.0
    axes.imshow(excess, cmap="RdBu_r", vmin=-1.4 * most, vmax=1.4 * most, aspect="auto")
    names = record.names
    for row, column in np.ndindex(excess.shape):
        text = f"{excess[row, column]:+.1f} %" + (f"\n± {spread[row, column]:.1f}" if column else "")
        if row == column:
            text = "best"
        elif record.same(names[row], names[column]):
            text = "the same\nnetworks"
        axes.text(column, row, text, ha="center", va="center")
    titles = [title.replace(" ", "\n") for title in record.titles.values()]
    axes.set_xticks(range(len(titles)), titles)
    axes.set_yticks(range(len(titles)), titles)
    floors = ", ".join(f"{floor:g}" for floor in record.floors)
    axes.set(xlabel="cost", ylabel="networks chosen for", title=f"mean over mIoU of at least {floors}")


def _floors(axes: Axes, record: CrossRecord, column: int) -> None:
    """One cost at every floor."""
    excess, spread = 100 * record.excess("measured"), 100 * record.spread(of_mean=False)
    names = record.names
    places = np.arange(len(record.floors))
    for row in range(len(names)):
        own = row == column
        axes.errorbar(
            places + 0.13 * (row - (len(names) - 1) / 2),
            excess[:, row, column],
            None if own else spread[:, row, column],
            fmt="s" if own else "o",
            color=f"C{row}",
            ms=5,
            capsize=2,
        )
    axes.axhline(0, color="0.6", lw=0.8, zorder=0)
    axes.set_xticks(places, [f"{floor:g}" for floor in record.floors])
    axes.set(title=list(record.titles.values())[column], xlabel="mIoU at least", xlim=(-0.5, len(places) - 0.5))
