"""Command line options that the benchmarks of search strategies share."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.strategy_curves import Record
from benchmarks.strategy_pictures import Panel
from benchmarks.strategy_tasks import Source, Task


def add_options(parser: argparse.ArgumentParser) -> None:
    """Oracle, seeds, processes and files."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--archive", type=Path, help="evaluated networks with latencies")
    source.add_argument("--pool", type=Path, help="evaluated networks of this project, latency from --profile")
    parser.add_argument("--profile", default="local/tiny-fp32")
    parser.add_argument("--profile-root", type=Path, default=Path("profiles"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--inner-generations", type=int, default=100, help="0: the configuration's; 100 give the same")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--journal", type=Path, help="keeps finished runs; the same command goes on after the last one")
    parser.add_argument("--output", type=Path, help="table and curves as JSON")
    parser.add_argument("--picture", type=Path, help="PNG")
    parser.add_argument(
        "--beside", type=Path, nargs="*", default=[], help="journals of other oracles, a panel each in the picture"
    )
    parser.add_argument("--lowest", type=float, default=85.0, help="per cent at which the picture begins")


def source_of(given: argparse.Namespace) -> Source:
    """The oracle that is asked for."""
    return Source(archive=given.archive, pool=given.pool, profile=given.profile, profile_root=given.profile_root)


def seeds_of(given: argparse.Namespace) -> range:
    """The seeds that are asked for."""
    return range(given.first_seed, given.first_seed + given.seeds)


def conditions_of(given: argparse.Namespace) -> str:
    """What has to be said under a table or a picture."""
    generations = given.inner_generations or "the configurations'"
    return f"mean and standard deviation of {given.seeds} seeds, inner searches of {generations} generations"


@contextmanager
def record_of(given: argparse.Namespace) -> Iterator[Record]:
    """The journal that is asked for, or one that goes when the command ends."""
    with tempfile.TemporaryDirectory() as folder:
        yield Record(given.journal or Path(folder) / "curves.jsonl")


def panels_beside(given: argparse.Namespace, tasks: Sequence[Task]) -> list[Panel]:
    """Panels of the journals of other oracles, with the runs of the same tasks that they hold."""
    records = [Record(path) for path in given.beside]
    return [
        Panel(record.known_world(), [curve for curve in record.curves() if any(map(curve.is_of, tasks))])
        for record in records
    ]
