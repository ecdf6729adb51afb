"""A picture like the paper's Fig. 9: tau against networks learned from, beside predicted and true accuracies.

Example:
    python -m benchmarks.predictor_pictures fig9.png table5.json --scatter benchmarks/data/pool_camvid.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.archives import Floats
from benchmarks.splits import Row, Task, prediction_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLOURS = {
    "gp": "#0b62a4",
    "ranknet": "#d1495b",
    "ranknet-paper": "#2e8b57",
    "ranknet-paper, no synthetic data": "#c98500",
    "lightgbm-defaults": "#8e5ea2",
    "log FLOPs": "#222222",
}
_OTHERS = "#9a9a9a"
_OTHER_NAMES = "#6a6a6a"
_SCATTERED = ("gp", "ranknet-paper", "lightgbm-defaults", "log FLOPs")
_MOST_SCATTERED = len(_SCATTERED)
_TEXT = 8
_LABEL_HEIGHT = 0.034
_PICTURE_DPI = 100


@dataclass(frozen=True)
class Table:
    """Scores of one archive.

    Attributes:
        title: Of its panel.
        rows: For each size and predictor.
    """

    title: str
    rows: list[Row]


def read_table(path: Path) -> Table:
    """What `benchmarks.predictors --output` wrote."""
    record = json.loads(path.read_bytes())
    return Table(record["title"], [Row(**row) for row in record["rows"]])


def draw(tables: Sequence[Table], path: Path, scattered: Task) -> None:
    """A panel with curves for each table; below, one split of an archive as scatter plots.

    Args:
        tables: Of one archive each.
        path: A PNG.
        scattered: The split; its predictor plays no part.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.6 * max(2, len(tables)), 9.0), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1.75, 1))
    for axes, table in zip(above.subplots(1, len(tables), squeeze=False)[0], tables, strict=True):
        _curves(axes, table)
    measured = {row.predictor for table in tables for row in table.rows}
    names = [name for name in _SCATTERED if name in measured] or sorted(measured)[:_MOST_SCATTERED]
    for axes, name in zip(
        below.subplots(1, len(names), sharex=True, sharey=True, squeeze=False)[0], names, strict=True
    ):
        found, true, tau = prediction_of(replace(scattered, predictor=name))
        _scatter(axes, found, true, f"{name}, tau {tau:.3f}", _COLOURS.get(name, _OTHERS))
    below.supxlabel(
        f"mIoU predicted from {scattered.train} networks ({scattered.source.stem}, one split)", fontsize=_TEXT + 1
    )
    below.supylabel(f"true mIoU of {len(true)} others", fontsize=_TEXT + 1)
    figure.savefig(path, dpi=_PICTURE_DPI, pil_kwargs={"optimize": True})


def _scatter(axes: Axes, found: Floats, true: Floats, title: str, colour: str) -> None:
    axes.scatter(found, true, s=9, color=colour, alpha=0.5, linewidths=0)
    ends = np.array([true.min(), true.max()])
    room = 0.05 * np.ptp(ends)
    axes.plot(ends, ends, color="black", linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xlim(ends[0] - room, ends[1] + room)
    axes.set_ylim(ends[0] - room, ends[1] + room)
    axes.set_title(title, fontsize=_TEXT + 1)
    _plain(axes)


def _curves(axes: Axes, table: Table) -> None:
    """Means with standard deviations; each line has its name at its right end."""
    names = list(dict.fromkeys(row.predictor for row in table.rows))
    sizes = sorted({row.train for row in table.rows})
    step = max(sizes[-1] - sizes[0], 1) / 150
    ends = []
    for number, name in enumerate(names):
        rows = [row for row in table.rows if row.predictor == name]
        aside = step * (number - len(names) / 2)  # bars beside each other can be told apart
        own = name in _COLOURS
        axes.errorbar(
            [row.train + aside for row in rows],
            [row.mean["tau"] for row in rows],
            yerr=[row.sd["tau"] for row in rows],
            color=_COLOURS.get(name, _OTHERS),
            linewidth=1.8 if own else 1.0,
            elinewidth=0.7,
            marker="o",
            markersize=3.5 if own else 2.5,
            zorder=3 if own else 2,
        )
        ends.append((rows[-1].mean["tau"], name, rows[-1].train + aside))
    low, high = axes.get_ylim()
    places = spread([end[0] for end in ends], _LABEL_HEIGHT * (high - low), high)
    for (tau, name, x), y in zip(ends, places, strict=True):
        colour, at = _COLOURS.get(name, _OTHER_NAMES), sizes[-1] + 16 * step
        axes.plot([x + step, at], [tau, y], color=colour, linewidth=0.5, alpha=0.8)
        axes.text(at + step, y, f"{tau:.3f}  {name}", color=colour, fontsize=_TEXT, va="center")
    axes.set_xlim(sizes[0] - 12 * step, sizes[-1] + 84 * step)
    axes.set_xticks(sizes)
    axes.set_title(table.title, fontsize=_TEXT + 2, loc="left")
    axes.set_xlabel("networks to learn from", fontsize=_TEXT + 1, loc="left")
    repeats = sorted({row.repeats for row in table.rows})
    splits = " or ".join(map(str, repeats))
    axes.set_ylabel(f"Kendall's tau on the others, mean and sd of {splits} splits", fontsize=_TEXT + 1)
    _plain(axes)


def spread(places: Sequence[float], least: float, highest: float) -> list[float]:
    """Places moved as far apart as labels need, in their order and below a highest one.

    Args:
        places: Where the labels would be.
        least: Distance that two labels need.
        highest: None may stand above it.
    """
    order = np.argsort(places, kind="stable")[::-1]
    wanted = np.array(places)[order] + least * np.arange(len(places))
    # With the distances taken out it is the closest falling sequence: neighbours in the wrong order share their mean.
    pools: list[tuple[float, int]] = []
    for value in wanted:
        mean, count = float(value), 1
        while pools and pools[-1][0] < mean:
            other, members = pools.pop()
            mean, count = (mean * count + other * members) / (count + members), count + members
        pools.append((mean, count))
    level = np.concatenate([np.full(count, mean) for mean, count in pools])
    moved = np.empty(len(places))
    moved[order] = np.minimum(level, highest) - least * np.arange(len(places))
    return [float(value) for value in moved]


def _plain(axes: Axes) -> None:
    axes.grid(color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=_TEXT, length=2)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="a PNG")
    parser.add_argument("tables", type=Path, nargs="+", help="Table V of an archive each, as --output wrote it")
    parser.add_argument("--scatter", type=Path, required=True, help="the archive of the scatter plots")
    parser.add_argument("--train", type=int, default=100, help="networks to learn from in the scatter plots")
    parser.add_argument("--test", type=int, default=400, help="most networks in the scatter plots")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    split = Task(source=given.scatter, predictor="", train=given.train, test=given.test, repeat=0, seed=given.seed)
    draw([read_table(path) for path in given.tables], given.picture, split)


if __name__ == "__main__":
    main()
