"""What a predictor saves: evaluations until a search has 95, 98 and 99 % of what `default` ends with.

`default` and `paper` search with a predictor; random search and NSGA-II (a population of 100, with 8 and with 100 new
networks a generation) evaluate whatever they come to and get far more evaluations. All run on an oracle that is fitted
to networks that were really evaluated, see `benchmarks.strategies`, whose journals can be used here as well.

Example:
    python -m benchmarks.search_cost --archive cityscapes.json --journal runs/cityscapes.jsonl --output cost.json
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.strategy_curves import json_of
from benchmarks.strategy_options import add_options, conditions_of, panels_beside, record_of, seeds_of, source_of
from benchmarks.strategy_pictures import Panel, draw_by_cost
from benchmarks.strategy_runs import curves_of
from benchmarks.strategy_tables import LEVELS, costs_of
from benchmarks.strategy_tasks import WITHOUT_PREDICTOR, Task
from mosegedge.errors import MosegedgeError

_WITH_PREDICTOR = ("default", "paper")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--budget", type=int, default=260, help="evaluations of a search with a predictor")
    parser.add_argument("--direct-budget", type=int, default=5000, help="evaluations of a search without one")
    given = parser.parse_args(arguments)
    tasks = [
        Task(strategy=name, seed=seed, budget=given.budget, inner_generations=given.inner_generations)
        for name in _WITH_PREDICTOR
        for seed in seeds_of(given)
    ]
    tasks += [
        Task(strategy=name, seed=seed, budget=given.direct_budget)
        for name in reversed(WITHOUT_PREDICTOR)
        for seed in seeds_of(given)
    ]
    try:
        beside = panels_beside(given, tasks)
        with record_of(given) as record:
            world = record.world(source_of(given))
            curves = curves_of(tasks, source_of(given), record, given.jobs)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    final = float(np.mean([curve.percent[-1] for curve in curves if curve.strategy == _WITH_PREDICTOR[0]]))
    costs = costs_of(curves, final)
    print(f"default ends with {final:.2f} % of the best hypervolume; median evaluations to shares of that:")
    print(f"{_text(costs)}\n\n{conditions_of(given)}")
    if given.output:
        content = {"world": asdict(world), "conditions": conditions_of(given), "final_percent": final, "costs": costs}
        given.output.write_text(json_of(content, curves))
    if given.picture:
        draw_by_cost([*beside, Panel(world, curves)], given.picture, given.lowest, conditions_of(given))


def _text(costs: Sequence[dict[str, Any]]) -> str:
    """A Markdown table."""
    levels = [f"{level:g}" for level in LEVELS]
    lines = ["| strategy | runs | evaluations | " + " | ".join(f"to {level} %" for level in levels) + " |"]
    lines.append("|---|---|---|" + "---|" * len(levels))
    for row in costs:
        needed = " | ".join(row["text"][level] for level in levels)
        lines.append(f"| `{row['strategy']}` | {row['runs']} | {row['budget']} | {needed} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
