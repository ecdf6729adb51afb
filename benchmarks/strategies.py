"""Search strategies on an oracle: hypervolume by the number of evaluated networks, as in the paper's Fig. 10.

The oracle is fitted to networks that were really evaluated, see `benchmarks.oracle`. A strategy is a named
configuration (`default`, `paper`), or one with parts exchanged: `gp+hierarchical` is `default` with another
pre-screening and without optimism, `ranknet+hypervolume` also with another predictor; `gp+random` evaluates random ones
of the predicted front. `random`, `nsga2-8` and `nsga2-100` search without a predictor.

With --journal every finished run is kept, and the same command goes on after the last one.

Examples:
    python -m benchmarks.strategies --archive cityscapes.json --journal runs/cityscapes.jsonl --picture strategies.png
    python -m benchmarks.strategies --pool benchmarks/data/pool_camvid.jsonl --profile local/tiny-192x256-11-fp32
    python -m benchmarks.strategies --archive cityscapes.json --beside runs/camvid.jsonl --picture strategies.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict

from benchmarks.strategy_curves import json_of
from benchmarks.strategy_options import add_options, conditions_of, panels_beside, record_of, seeds_of, source_of
from benchmarks.strategy_pictures import Panel, draw_by_evaluations
from benchmarks.strategy_runs import curves_of
from benchmarks.strategy_tables import comparison, table_of
from benchmarks.strategy_tasks import WITHOUT_PREDICTOR, Task, strategy_of
from mosegedge.errors import MosegedgeError

PRESCREENING = "default,gp+hypervolume,gp+ehvi,gp+survival,gp+latency,gp+hierarchical,gp+random"
"""One predictor, pre-screening exchanged."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_options(parser)
    parser.add_argument("--strategies", default=PRESCREENING, help="names with commas")
    parser.add_argument("--budget", type=int, default=260, help="evaluations of each run")
    parser.add_argument("--initial", type=int, default=0, help="initial networks, where not the configuration's")
    given = parser.parse_args(arguments)
    names = [name.strip() for name in given.strategies.split(",") if name.strip()]
    tasks = [
        Task(
            strategy=name,
            seed=seed,
            budget=given.budget,
            initial=given.initial,
            inner_generations=given.inner_generations,
        )
        for name in names
        for seed in seeds_of(given)
    ]
    try:
        for name in names:
            if name not in WITHOUT_PREDICTOR:
                strategy_of(name)
        beside = panels_beside(given, tasks)
        with record_of(given) as record:
            world = record.world(source_of(given))
            curves = curves_of(tasks, source_of(given), record, given.jobs)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    print(f"{table_of(curves)}\n{conditions_of(given)}")
    versus = comparison(curves)
    for name, value in versus.items():
        print(f"{name}: {value}")
    if given.output:
        content = {"world": asdict(world), "conditions": conditions_of(given), "comparison": versus}
        given.output.write_text(json_of(content, curves))
    if given.picture:
        draw_by_evaluations([*beside, Panel(world, curves)], given.picture, given.lowest, conditions_of(given))


if __name__ == "__main__":
    main()
