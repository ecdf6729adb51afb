"""Networks of the same accuracy chosen for FLOPs and for each of several devices, and what each costs on all of them.

Like the paper's Table VIII, with several networks for each cost and several floors of accuracy, so that no single
network decides. `search` goes on from a pool of evaluated networks and looks for cheaper ones by each cost above each
floor; `measure` times the cheapest by prediction on every device, in turn; `table` shows what was measured.

    python -m benchmarks.cross_table search runs/cross --supernet runs/camvid --data-root CamVid \
        --pool benchmarks/data/pool_camvid.jsonl --profile A --profile B --profile C
    python -m benchmarks.cross_table measure runs/cross --output cross_table.json
    python -m benchmarks.cross_table table cross_table.json --picture cross_table.png
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from benchmarks.cross_measure import halves_of, titles_of
from benchmarks.cross_picture import draw
from benchmarks.cross_record import CrossRecord, Network, Winners
from benchmarks.cross_search import ARCHIVE, CrossSearch, pool_of, search_of
from benchmarks.cross_text import text_of
from mosegedge.data import cached, load
from mosegedge.errors import MosegedgeError, UsageError
from mosegedge.files import canonical_json, sha256_of_file, write_atomic
from mosegedge.profiling.store import load_profile
from mosegedge.search.archive import Archive, Candidate
from mosegedge.search.config import CONFIGURATIONS
from mosegedge.search.replaying import rescored
from mosegedge.search.targets import Target, Targets
from mosegedge.space import SearchSpace
from mosegedge.supernet.checkpoint import checkpoint_path, load_supernet, supernet_info
from mosegedge.supernet.evaluate import InheritedEvaluator

_SETTINGS = "cross.json"


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs one of the three steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(required=True)
    _add_search(steps.add_parser("search", help="looks for networks; stopped, the same command goes on"))
    measure = steps.add_parser("measure", help="times what was found")
    measure.add_argument("folder", type=Path)
    measure.add_argument("--rounds", type=int, default=40)
    measure.add_argument("--output", type=Path, required=True, help="JSON")
    measure.set_defaults(step=_measure)
    table = steps.add_parser("table", help="prints what was measured")
    table.add_argument("record", type=Path)
    table.add_argument("--picture", type=Path, help="PNG or SVG")
    table.set_defaults(step=_table)
    given = parser.parse_args(arguments)
    try:
        given.step(given)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")


def _add_search(search: argparse.ArgumentParser) -> None:
    search.add_argument("folder", type=Path)
    search.add_argument("--supernet", required=True)
    search.add_argument("--data-root", type=Path)
    search.add_argument("--pool", type=Path, required=True)
    search.add_argument("--profile", action="append", required=True, help="once for each device")
    search.add_argument("--profile-root", type=Path, default=Path("profiles"))
    search.add_argument("--floors", default="0.4,0.42,0.43", help="least mIoU")
    search.add_argument("--count", type=int, default=3, help="networks for each floor and cost")
    search.add_argument("--rounds", type=int, default=2, help="turns of each floor and cost")
    search.add_argument("--evaluations", type=int, default=4, help="networks evaluated in a turn")
    search.add_argument("--seed", type=int, default=0)
    search.set_defaults(step=_search)


def _search(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    settings = {
        "profiles": given.profile,
        "profile_root": str(given.profile_root),
        "supernet_sha256": sha256_of_file(checkpoint_path(given.supernet)),
        "space": supernet_info(checkpoint_path(given.supernet)).space.name,
        "pool": str(given.pool),
        "floors": sorted(float(floor) for floor in given.floors.split(",")),
        "count": given.count,
        "evaluations": given.evaluations,
        "seed": given.seed,
    }
    path = given.folder / _SETTINGS
    if path.exists() and json.loads(path.read_text()) != settings:
        raise UsageError(f"{given.folder} holds a search with other settings.", fix="Name another folder.")
    search, _, pool = _opened(settings)
    given.folder.mkdir(parents=True, exist_ok=True)
    write_atomic(path, canonical_json(settings) + "\n")
    supernet, info = load_supernet(checkpoint_path(given.supernet))
    train, guide = (cached(load(info.data, split, given.data_root)) for split in ("train", "guide"))
    found = search.run(pool, given.folder, InheritedEvaluator(supernet, train, guide), given.rounds)
    for aim in search.aims:
        best = search.cheapest(found, aim)
        print(
            f"mIoU {aim.floor:g}  {aim.goal.name:<24} " + "  ".join(aim.goal.shown(one.cost(aim.goal)) for one in best)
        )


def _measure(given: argparse.Namespace) -> None:
    torch.set_num_threads(1)
    try:
        settings = json.loads((given.folder / _SETTINGS).read_text())
    except OSError as error:
        raise UsageError(f"{given.folder} holds no search: {error.strerror}.", fix="Search first.") from error
    search, targets, pool = _opened(settings)
    # A profile may have a newer version than the search had; accuracies hold in any case.
    found = [*pool, *rescored(Archive(given.folder / ARCHIVE).candidates, search.costs)]
    chosen = {(aim.floor, aim.goal.name): search.cheapest(found, aim) for aim in search.aims}
    for (floor, _), networks in chosen.items():
        if len(networks) < search.count:
            raise UsageError(
                f"{len(networks)} evaluated networks have an mIoU of at least {floor:g}; {search.count} are compared.",
                fix="Search for more rounds, or with lower --floors.",
            )
    candidates = {str(one.architecture): one for networks in chosen.values() for one in networks}
    architectures = [one.architecture for one in candidates.values()]
    halves = halves_of(targets, search, architectures, given.rounds)
    record = CrossRecord(
        facts={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            **settings,
            "profile_digests": [target.profile.digest for target in targets.targets],
            "networks_of_pool": len(pool),
            "evaluated": len(found) - len(pool),
            "rounds": given.rounds,
        },
        titles=titles_of(targets, search),
        networks={
            code: _network(search, one, {name: values[row] for name, values in halves.items()})
            for row, (code, one) in enumerate(candidates.items())
        },
        winners=tuple(
            Winners(floor=floor, goal=goal, codes=tuple(str(one.architecture) for one in networks))
            for (floor, goal), networks in chosen.items()
        ),
    )
    record.save(given.output)
    print(text_of(record))


def _table(given: argparse.Namespace) -> None:
    record = CrossRecord.read(given.record)
    print(text_of(record))
    if given.picture:
        draw(record, given.picture)


def _opened(settings: dict[str, Any]) -> tuple[CrossSearch, Targets, list[Candidate]]:
    """The search, its devices and the pool, as a folder's settings name them."""
    root = Path(settings["profile_root"])
    profiles = [Target(profile=load_profile(name, root=root), reference=name) for name in settings["profiles"]]
    scales = set.intersection(*(set(target.profile.protocol.scales) for target in profiles))
    config = replace(
        CONFIGURATIONS["default"],
        evaluations=settings["evaluations"],
        exploration=(1.0,),  # all aims of a round alike, or the devices would not be searched for equally
        seed=settings["seed"],
        scales=tuple(sorted(scales)),
        held_out=0.0,
    )
    targets = Targets(tuple(profiles))
    space = SearchSpace.load(settings["space"])
    search = search_of(targets, space, config, floors=tuple(settings["floors"]), count=settings["count"])
    return search, targets, pool_of(Path(settings["pool"]), search, settings["supernet_sha256"])


def _network(search: CrossSearch, found: Candidate, halves_ms: dict[str, list[float]]) -> Network:
    latencies = search.costs.latencies
    return Network(
        miou=found.miou or 0.0,
        params=found.params,
        flops=found.flops,
        predicted_ms={goal.name: found.cost(goal) for goal in latencies},
        halves_ms=halves_ms,
    )


if __name__ == "__main__":
    main()
