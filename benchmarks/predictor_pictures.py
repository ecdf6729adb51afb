"""A picture like the paper's Fig. 9: tau against networks learned from, beside predicted and true accuracies.

Example:
    python -m benchmarks.predictor_pictures fig9.png table5.json --scatter benchmarks/data/pool_camvid.jsonl
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
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
_PICTURE_COLOURS = 128  # a palette makes the file a third as large


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
    from PIL import Image

    figure = Figure(figsize=(6.6 * max(2, len(tables)), 9.0), layout="constrained")
    (above,), (below,) = figure.subfigures(2, 1, squeeze=False, height_ratios=(1.75, 1))
    panels = above.subplots(1, len(tables), sharey=True, squeeze=False)[0]
    ends = [_curves(axes, table) for axes, table in zip(panels, tables, strict=True)]
    for axes, table, of_lines in zip(panels, tables, ends, strict=True):  # the limits are known now
        _names(axes, table, of_lines, room=60 * len(tables))
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
    drawn = BytesIO()
    figure.savefig(drawn, dpi=_PICTURE_DPI)
    Image.open(drawn).convert("RGB").quantize(_PICTURE_COLOURS).save(path, "PNG", optimize=True)


def _scatter(axes: Axes, found: Floats, true: Floats, title: str, colour: str) -> None:
    axes.scatter(found, true, s=9, color=colour, alpha=0.5, linewidths=0)
    ends = np.array([true.min(), true.max()])
    room = 0.05 * np.ptp(ends)
    axes.plot(ends, ends, color="black", linewidth=0.8, linestyle="--", zorder=0)
    axes.set_xlim(ends[0] - room, ends[1] + room)
    axes.set_ylim(ends[0] - room, ends[1] + room)
    axes.set_title(title, fontsize=_TEXT + 1)
    _plain(axes)


def _curves(axes: Axes, table: Table) -> dict[str, tuple[float, float]]:
    """Means with standard deviations; gives the right end of each line."""
    names, sizes, step = _names_sizes_and_step(table)
    ends = {}
    for number, name in enumerate(names):
        rows = [row for row in table.rows if row.predictor == name]
        aside = step * (number - len(names) / 2)  # bars beside each other can be told apart
        own = name in _COLOURS
        x, tau = [row.train + aside for row in rows], [row.mean["tau"] for row in rows]
        axes.errorbar(
            x,
            tau,
            yerr=[row.sd["tau"] for row in rows],
            color=_COLOURS.get(name, _OTHERS),
            linewidth=1.8 if own else 1.0,
            elinewidth=0.7,
            marker="o",
            markersize=3.5 if own else 2.5,
            zorder=3 if own else 2,
        )
        ends[name] = x[-1], tau[-1]
    axes.set_xticks(sizes)
    splits = " or ".join(map(str, sorted({row.repeats for row in table.rows})))
    axes.set_title(f"{table.title}, {splits} splits", fontsize=_TEXT + 2, loc="left")
    axes.set_xlabel("networks to learn from", fontsize=_TEXT + 1, loc="left")
    axes.set_ylabel("Kendall's tau on the others, mean and standard deviation", fontsize=_TEXT + 1)
    _plain(axes)
    return ends


def _names(axes: Axes, table: Table, ends: dict[str, tuple[float, float]], *, room: int) -> None:
    """Writes at the right which line is which."""
    _, sizes, step = _names_sizes_and_step(table)
    low, high = axes.get_ylim()
    at = sizes[-1] + 16 * step
    places = spread([tau for _, tau in ends.values()], _LABEL_HEIGHT * (high - low), high)
    for (name, (x, tau)), y in zip(ends.items(), places, strict=True):
        colour = _COLOURS.get(name, _OTHER_NAMES)
        axes.plot([x + step, at], [tau, y], color=colour, linewidth=0.5, alpha=0.8)
        axes.text(at + step, y, f"{tau:.3f}  {name}", color=colour, fontsize=_TEXT, va="center")
    axes.set_xlim(sizes[0] - 12 * step, sizes[-1] + room * step)
    axes.set_ylim(low, high)


def _names_sizes_and_step(table: Table) -> tuple[list[str], list[int], float]:
    names = list(dict.fromkeys(row.predictor for row in table.rows))
    sizes = sorted({row.train for row in table.rows})
    return names, sizes, max(sizes[-1] - sizes[0], 1) / 150


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
