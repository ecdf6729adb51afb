"""How well predictors of accuracy order networks that they have not seen (the paper's Tables V and VI, its Fig. 9).

Table V compares predictors, each at several numbers of networks to learn from; Table VI builds RankNet up, one
component at a time, from a plain network on digits to the ensemble. Beside them: log FLOPs, which learn nothing.
With `--speed` the predictors are timed instead.

The networks come from a run folder of `mosegedge search` (those with an accuracy), from a pool of `benchmarks.pool`, or
from an archive of residual networks, see `benchmarks.archives`.

Examples:
    python -m benchmarks.predictors runs/search --repeats 9
    python -m benchmarks.predictors benchmarks/data/pool_camvid.jsonl --test 400 --journal runs/pool.jsonl
    python -m benchmarks.predictors cityscapes.json --journal runs/table5.jsonl --picture fig9.png
    python -m benchmarks.predictors cityscapes.json --table VI --output table6.json
    python -m benchmarks.predictors cityscapes.json --speed --repeats 9
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.archives import Evaluations, load
from benchmarks.contenders import COMPARISON, DEVELOPMENT, named
from benchmarks.kept import KeptScores
from benchmarks.predictor_pictures import Table, draw
from benchmarks.predictor_speed import Speed, speed_text, speeds
from benchmarks.splits import Row, Task, rows_of, scored, with_progress
from mosegedge.errors import MosegedgeError, UsageError

SIZES = (50, 100, 200, 300)
DEVELOPMENT_ROWS = 100
FEWEST_TEST_ROWS = 20


def text_of(table: Sequence[Row]) -> str:
    """A Markdown table for each number of networks to learn from."""
    parts = []
    for train in sorted({row.train for row in table}):
        rows = [row for row in table if row.train == train]
        parts += [
            f"{train} networks to learn from, {rows[0].test} to order, {rows[0].repeats} splits:",
            "",
            "| predictor | Kendall's tau | Spearman | Pearson | error | fit, s | 10,000 predictions, ms |",
            "|---|---|---|---|---|---|---|",
        ]
        parts += [f"| {row.predictor} | {' | '.join(_cells(row))} |" for row in rows]
        parts.append("")
    return "\n".join(parts).rstrip()


def _cells(row: Row) -> list[str]:
    cells = [f"{row.mean[name]:.3f} ({row.sd[name]:.3f})" for name in ("tau", "spearman", "pearson")]
    cells.append(f"{row.mean['error']:.4f}")
    return [*cells, f"{row.mean['fit_s']:.2f} ({row.sd['fit_s']:.2f})", f"{row.mean['predict_ms']:.0f}"]


def _sizes(text: str, rows: int, table: str) -> list[int]:
    usual = (DEVELOPMENT_ROWS,) if table == "VI" else SIZES
    try:
        sizes = [int(size) for size in text.split(",")] if text else [n for n in usual if n + FEWEST_TEST_ROWS <= rows]
    except ValueError as error:
        raise UsageError(f"--sizes {text} cannot be read.", fix="Write numbers with commas: --sizes 20,30") from error
    if not sizes or min(sizes) < 5 or max(sizes) > rows - 2:
        known = f"{rows} networks have an accuracy; a split needs 5 to learn from and 2 to order."
        raise UsageError(f"Training sizes {sizes} cannot be used.", known=known, fix="Give others: --sizes 20,30")
    return sizes


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="run folder, pool, or archive of residual networks")
    parser.add_argument("--table", choices=("V", "VI"), default="V")
    parser.add_argument("--predictors", default="", help="of Table V, with commas; all by default")
    parser.add_argument("--sizes", default="", help="networks to learn from, as 50,100")
    parser.add_argument("--test", type=int, default=0, help="most networks to order; all others by default")
    parser.add_argument("--repeats", type=int, default=31, help="random splits of each size; rounds of --speed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--speed", action="store_true", help="time a fit to all networks and 10,000 predictions")
    parser.add_argument("--journal", type=Path, help="keep finished splits here; the same command goes on after a stop")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of the table")
    parser.add_argument("--output", type=Path, help="write the table as JSON")
    parser.add_argument("--picture", type=Path, help="draw Table V, a PNG")
    return parser


def _table(given: argparse.Namespace, data: Evaluations) -> list[Row]:
    sizes = _sizes(given.sizes, len(data.codes), given.table)
    names = named(given.predictors) if given.predictors else (DEVELOPMENT if given.table == "VI" else COMPARISON)
    tasks = [
        Task(source=given.source, predictor=name, train=size, test=given.test, repeat=repeat, seed=given.seed)
        for repeat in range(max(1, given.repeats))
        for size in sizes
        for name in names
    ]
    kept = KeptScores(given.journal, data) if given.journal else None
    scores, rest = kept.of(tasks) if kept else ([], tasks)
    for score in with_progress(scored(rest, max(1, given.jobs)), len(rest)):
        scores.append(score)
        if kept:
            kept.add(score)
    return rows_of(scores, names, sizes)


def _draw(given: argparse.Namespace, title: str, rows: list[Row]) -> None:
    train = min({row.train for row in rows}, key=lambda size: abs(size - DEVELOPMENT_ROWS))
    split = Task(source=given.source, predictor="", train=train, test=given.test, repeat=0, seed=given.seed)
    draw([Table(title, rows)], given.picture, split)


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints the table."""
    parser = _parser()
    given = parser.parse_args(arguments)
    found: list[Speed] | list[Row]
    try:
        data = load(given.source)
        title = f"{given.source.stem}: {len(data.codes)} networks"
        if given.speed:
            names = named(given.predictors) if given.predictors else COMPARISON
            found = timed = speeds(data, names, rounds=max(1, given.repeats), seed=given.seed)
            text = speed_text(timed)
        else:
            found = rows = _table(given, data)
            text = text_of(rows)
            if given.picture:
                _draw(given, title, rows)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    kind = "speed" if given.speed else given.table
    record = {"table": kind, "title": title, "seed": given.seed, "rows": [asdict(row) for row in found]}
    as_json = json.dumps(record, indent=1)
    if given.output:
        given.output.write_text(as_json + "\n")
    print(as_json if given.as_json else text)


if __name__ == "__main__":
    main()
