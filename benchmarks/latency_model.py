"""What latency models are worth for the time that they take to measure (the paper's Fig. 4, and Fig. 11 left).

`collect` measures the layers of a space and many whole networks into one journal; the same command goes on with it.
`table` works on such a journal alone: again and again it sets networks aside for judging, gives each model the first
passes of the layers and of some other networks, and judges all models on the same networks, which none of them saw.

Examples:
    python -m benchmarks.latency_model collect runs/latency/tiny.jsonl --networks 480 --passes 8
    python -m benchmarks.latency_model table runs/latency/tiny.jsonl --picture latency_model.svg --output table.json
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.latency_pictures import draw
from benchmarks.latency_record import Record, read
from benchmarks.latency_trials import MEASURES, contenders, score
from mosegedge.cli.bars import LineProgress
from mosegedge.devices import load_device
from mosegedge.errors import MosegedgeError
from mosegedge.profiling.collect import collect
from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.plan import Plan, ProfileSettings, make_plan
from mosegedge.space import SearchSpace

BUDGETS = (
    "Budgets are simulated from one long measurement: a model gets the first bursts of the layers and of so many of "
    "the networks; minutes are those in and around these bursts, without building."
)


def plan_of(given: argparse.Namespace) -> Plan:
    """What is measured: half of the networks of all sizes, half drawn at random."""
    settings = ProfileSettings(networks=given.networks, passes=given.passes, seed=given.seed)
    return make_plan(SearchSpace.load(given.space), load_device(given.device), settings)


def measure(given: argparse.Namespace) -> None:
    """Measures what the journal lacks."""
    given.journal.parent.mkdir(parents=True, exist_ok=True)
    command = shlex.join(["python", "-m", "benchmarks.latency_model", *sys.argv[1:]])
    collect(plan_of(given), ProfileJournal(given.journal), LineProgress(), command=command)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One model at one budget: mean and standard deviation over splits of each measure that it has."""

    name: str
    networks: int
    passes: int
    mean: dict[str, float]
    sd: dict[str, float]


def print_table(given: argparse.Namespace) -> None:
    """Judges all models on the same networks, split after split."""
    passes = sorted({*given.budgets, given.passes})
    record = read(plan_of(given), ProfileJournal(given.journal), passes)
    progress = LineProgress()
    found = list(contenders(given.sizes, given.fits, passes))
    progress.start("Judging", len(found) * given.repeats)
    rows = []
    for contender in found:
        scores = []
        for repeat in range(given.repeats):
            scores.append(score(record, contender, given.seed + repeat, given.judges))
            progress.advance()
        mean, sd = (
            {name: float(reduce([one[name] for one in scores])) for name in MEASURES if name in scores[0]}
            for reduce in (np.mean, np.std)
        )
        rows.append(Row(name=contender.name, networks=contender.networks, passes=contender.passes, mean=mean, sd=sd))
    result = {
        "space": record.space.name,
        "measured": len(record.codes),
        "judges": given.judges,
        "repeats": given.repeats,
        "seed": given.seed,
        "budgets": BUDGETS,
        "rows": [asdict(row) for row in rows],
    }
    if given.output:
        given.output.write_text(json.dumps(result, indent=2) + "\n")
    if given.picture:
        draw(record, rows, given.picture, judges=given.judges, seed=given.seed, best=found[-1])
    print(json.dumps(result, indent=2) if given.as_json else text_of(rows, record, given))


def text_of(rows: Sequence[Row], record: Record, given: argparse.Namespace) -> str:
    """A Markdown table."""
    lines = [
        f"{record.space.name}, {len(record.codes)} networks; {given.judges} judge, drawn anew {given.repeats} times.",
        BUDGETS,
        "",
        "| model | networks | passes | minutes | Kendall's tau | tau within a scale | MAPE | in the 90 % interval |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [row.name, str(row.networks or "-"), str(row.passes or "-")]
        cells.append(f"{row.mean['minutes']:.1f}" if row.passes else "-")
        cells += [f"{row.mean[name]:.3f} ({row.sd[name]:.3f})" for name in ("tau", "tau_within_scale")]
        cells += [
            f"{row.mean[name]:.1%} ({row.sd[name]:.1%})" if name in row.mean else "-" for name in ("mape", "coverage90")
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("journal", type=Path)
    common.add_argument("--space", default="tiny")
    common.add_argument("--device", default="local")
    common.add_argument("--networks", type=int, default=480, help="whole networks")
    common.add_argument("--seed", type=int, default=0, help="decides which networks")
    common.add_argument("--passes", type=int, default=8, help="how often each model is timed at most")
    measuring = steps.add_parser("collect", parents=[common], help="measure, or go on measuring")
    measuring.set_defaults(run=measure)
    judging = steps.add_parser("table", parents=[common], help="compare models, offline")
    judging.add_argument("--judges", type=int, default=80, help="networks that judge")
    judging.add_argument("--repeats", type=int, default=10, help="splits")
    judging.add_argument("--sizes", type=_numbers, default=[25, 50, 100, 200, 400], help="of regressions on networks")
    judging.add_argument("--fits", type=_numbers, default=[20, 40, 80, 160], help="networks beside layers")
    judging.add_argument("--budgets", type=_numbers, default=[2, 4], help="passes, beside --passes")
    judging.add_argument("--json", action="store_true", dest="as_json", help="print JSON instead of the table")
    judging.add_argument("--output", type=Path, metavar="FILE", help="write the table as JSON")
    judging.add_argument("--picture", type=Path, metavar="FILE", help="draw it, as SVG or PNG")
    judging.set_defaults(run=print_table)
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures, or prints the table."""
    parser = _parser()
    given = parser.parse_args(arguments)
    try:
        given.run(given)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")
    except KeyboardInterrupt:
        parser.exit(130, "Stopped; the same command goes on.\n")


if __name__ == "__main__":
    main()
