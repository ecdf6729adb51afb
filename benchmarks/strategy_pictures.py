"""Pictures of search strategies, a panel for each oracle: the paper's Fig. 10, and the cost of a search.

Example: draws what `strategies --output` and `search_cost --output` wrote.
    python -m benchmarks.strategy_pictures strategies.png benchmarks/results/strategies_*.json
    python -m benchmarks.strategy_pictures search_cost.png benchmarks/results/search_cost_*.json --by-cost
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.strategy_curves import Curve, World, by_strategy, mean_and_spread
from benchmarks.strategy_tasks import RANDOM
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DPI = 95
_COLOURS = {
    "default": "C0",
    "paper": "C3",
    "random": "0.5",
    "nsga2-8": "C2",
    "nsga2-100": "C1",
    "gp+hierarchical": "C8",
    "gp+random": "C9",
    "gp+survival": "C4",
    "gp+latency": "C5",
    "gp+ehvi": "C6",
}
_NAMES = {
    "default": "default: hypervolume at mean + 1, later at times 3 sd",
    "paper": "paper: RankNet, hierarchical, from 100 networks",
    "gp+hierarchical": "hierarchical (the paper's), with gp",
    "gp+random": "random of the predicted front",
    "random": "random networks",
    "nsga2-8": "NSGA-II, 8 a generation",
    "nsga2-100": "NSGA-II, 100 a generation",
}


@dataclass(frozen=True)
class Panel:
    """Curves on one oracle.

    Args:
        world: The oracle.
        curves: Of all strategies and seeds.
    """

    world: World
    curves: Sequence[Curve]

    @property
    def title(self) -> str:
        """The oracle in words."""
        return f"laws fitted to {self.world.oracle}"


def draw_by_evaluations(panels: Sequence[Panel], path: Path, lowest: float, conditions: str) -> None:
    """Mean hypervolume by evaluated networks, one standard deviation around it.

    The paper's Fig. 10 goes by generations; these are of different sizes here.

    Args:
        panels: One an oracle.
        path: A PNG.
        lowest: Where the axis of the hypervolume begins, in per cent of the ideal.
        conditions: Written below.
    """
    figure, axes = _panels(panels)
    for panel, place in zip(panels, axes, strict=True):
        _draw(panel, place, lowest)
    _finish(figure, axes, path, conditions)


def draw_by_cost(panels: Sequence[Panel], path: Path, lowest: float, conditions: str) -> None:
    """The same on a logarithmic axis, for searches of thousands of networks."""
    figure, axes = _panels(panels)
    for panel, place in zip(panels, axes, strict=True):
        _draw(panel, place, lowest)
        first = min((curve.evaluations[0] for curve in panel.curves if curve.strategy != RANDOM), default=1)
        place.set_xscale("log")
        place.set_xlim(left=0.9 * first)
    _finish(figure, axes, path, conditions)


def _draw(panel: Panel, place: Axes, lowest: float) -> None:
    for name, runs in by_strategy(panel.curves).items():
        steps = sorted({step for run in runs for step in run.evaluations})
        mean, spread = mean_and_spread(runs, steps)
        (line,) = place.plot(steps, mean, label=_legend(name), color=_COLOURS.get(name, "C7"))
        place.fill_between(steps, mean - spread, mean + spread, color=line.get_color(), alpha=0.15, lw=0)
    place.set(xlabel="evaluated networks", title=panel.title, ylim=(lowest, 100.2))


def _legend(name: str) -> str:
    return _NAMES.get(name, name.removeprefix("gp+"))


def _panels(panels: Sequence[Panel]) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2 * len(panels) + 0.4, 4.4), layout="constrained")
    return figure, list(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0])


def _finish(figure: Figure, axes: Sequence[Axes], path: Path, conditions: str) -> None:
    axes[0].set_ylabel("hypervolume, % of the best front's")
    for place in axes:
        place.grid(alpha=0.3)
    lines = {str(line.get_label()): line for place in axes for line in place.get_lines()}
    figure.legend(lines.values(), lines.keys(), fontsize="small", loc="outside upper center", ncols=len(axes) + 1)
    figure.supxlabel(conditions, fontsize="small")
    figure.savefig(path, dpi=_DPI)


def main(arguments: Sequence[str] | None = None) -> None:
    """Draws records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", type=Path, help="PNG")
    parser.add_argument("records", type=Path, nargs="+", help="JSON files, a panel each")
    parser.add_argument("--by-cost", action="store_true", help="evaluations on a logarithmic axis")
    parser.add_argument("--lowest", type=float, default=85.0, help="per cent at which the picture begins")
    given = parser.parse_args(arguments)
    draw = draw_by_cost if given.by_cost else draw_by_evaluations
    try:
        panels, conditions = zip(*map(_read, given.records), strict=True)
    except UsageError as error:
        parser.error(str(error))
    draw(panels, given.picture, given.lowest, conditions[0])


def _read(path: Path) -> tuple[Panel, str]:
    """The panel of a record, and what has to be said under it."""
    try:
        found = json.loads(path.read_bytes())
        return Panel(World(**found["world"]), [Curve(**curve) for curve in found["curves"]]), found["conditions"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{path} is no record of search strategies: {error!r}.",
            fix="Make one: python -m benchmarks.strategies ... --output FILE",
        ) from error


if __name__ == "__main__":
    main()
