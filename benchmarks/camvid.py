"""Real results on CamVid: finalists of a search against uniform networks and BiSeNets of the same latency.

All of them are trained by the `retrain` part of one recipe: same seeds, order of pictures, views and loss. They start
from random weights and train for the same steps; or, with --supernet, networks of the space start from the weights that
they inherit, and BiSeNets, which can inherit none, train for as many more steps as the supernet did. Each is scored on
`val` at the size of the labels, and timed on one device in turn with all others.

    choose   picks finalists by the search's own rule, beside each the most accurate network of uniform width of about
             its latency, and the widest BiSeNet with a ResNet-18 that is no slower on the device
    measure  times all of them, loaded anew every two rounds
    train    trains and scores them, the middle finalist and its company first; --only NAME trains one
    table    writes the record of those that are trained, prints it as Markdown and draws it
    all      one after the other
    show     prints and draws a record alone

Each step keeps what it finished in --output: what is there is not done again, and a training that was killed goes on
from its last checkpoint.

Example: python -m benchmarks.camvid all --search runs/search --data-root CamVid --output runs/results --steps 1500
         python -m benchmarks.camvid all --search runs/search --supernet runs/camvid --data-root CamVid \
             --output runs/inherited --json benchmarks/results/camvid_inherited.json
         python -m benchmarks.camvid show --json benchmarks/results/camvid.json --picture camvid.png
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks.camvid_networks import (
    STATISTIC,
    Contender,
    chosen_of,
    in_order,
    read_contenders,
    save_contenders,
    space_of,
    timed,
    with_bisenets,
)
from benchmarks.camvid_record import Record, Scores, record_of
from benchmarks.camvid_report import class_table, draw, draw_samples, how_trained, table
from benchmarks.camvid_training import SCORE, Comparison, scored, trained
from mosegedge.cli.output import progress
from mosegedge.data import cached, load
from mosegedge.data.prepared import PictureCache
from mosegedge.devices import Device, load_device, open_agent
from mosegedge.errors import MosegedgeError, UsageError
from mosegedge.files import write_atomic
from mosegedge.progress import Silent
from mosegedge.supernet.checkpoint import checkpoint_path
from mosegedge.supernet.evaluate import confusion_of, labels_of
from mosegedge.supernet.recipe import changed, load_recipe

_STEPS = ("choose", "measure", "train", "table", "all", "show")
_NETWORKS, _LATENCY = "networks.json", "latency.json"
_ROUNDS_CHOOSING = 8


def main() -> None:
    """Does the steps that are asked for."""
    parser = _parser()
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        _run(arguments)
    except MosegedgeError as error:
        parser.exit(error.exit_code, f"{error}\n")


def _run(arguments: argparse.Namespace) -> None:
    if arguments.step == "show":
        show(Record.read(arguments.json), arguments.picture)
        return
    if arguments.search is None or arguments.output is None:
        raise UsageError("The search or the run folder is not named.", fix="--search RUN --output RUN")
    recipe = load_recipe(arguments.recipe)
    comparison = Comparison(
        space=space_of(arguments.search),
        train=cached(load(recipe.data, "train", arguments.data_root)),
        guide=cached(load(recipe.data, "guide", arguments.data_root)),
        val=cached(load(recipe.data, "val", arguments.data_root)),
        output=arguments.output,
        config=changed(recipe.retrain, {"steps": arguments.steps}),
        recipe=recipe.name,
    )
    if arguments.supernet:
        comparison = comparison.inheriting(checkpoint_path(arguments.supernet))
    device = load_device(arguments.device)
    steps = _STEPS[:4] if arguments.step == "all" else (arguments.step,)
    if "choose" in steps:
        choose(comparison, arguments.search, arguments.finalists, device)
    if "measure" in steps:
        measure(comparison, device, arguments.rounds)
    if "train" in steps:
        order = in_order(read_contenders(comparison.output / _NETWORKS))
        for seed, one in itertools.product(range(arguments.seeds), order):
            if arguments.only in (None, one.name):
                with progress() as bar:
                    scored(comparison.of_seed(seed), one, bar)
    if "table" in steps:
        record = recorded(comparison, range(arguments.seeds))
        record.save(arguments.json)
        show(record, arguments.picture)
        if arguments.samples:
            samples(comparison, record, arguments.samples)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("step", choices=_STEPS)
    parser.add_argument("--search", type=Path, metavar="RUN", help="run folder of the search")
    parser.add_argument("--output", type=Path, metavar="RUN", help="run folder of this comparison")
    parser.add_argument("--supernet", metavar="RUN", help="networks of the space inherit from it")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="folder of the data set")
    parser.add_argument("--recipe", default="camvid", help="names the data set, and how every network is trained")
    parser.add_argument(
        "--steps", type=int, help="steps of every training, those of the supernet apart; the recipe's by default"
    )
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each network, all with the first seed first")
    parser.add_argument("--finalists", type=int, default=3)
    parser.add_argument("--device", default="local", help="where networks are timed")
    parser.add_argument("--rounds", type=int, default=40, help="how often all networks are timed")
    parser.add_argument("--only", metavar="NAME", help="train this one, as search-2, uniform-2 or bisenet-like-2")
    parser.add_argument("--json", type=Path, default=Path("benchmarks/results/camvid.json"), help="the record")
    parser.add_argument("--picture", type=Path, help="mIoU against latency, as .png or .svg")
    parser.add_argument("--samples", type=Path, help="pictures of val with what networks make of them, as .png")
    return parser


def choose(comparison: Comparison, search: Path, finalists: int, device: Device) -> None:
    """Writes which networks are compared, unless that is done."""
    path = comparison.output / _NETWORKS
    if not path.exists():
        space = comparison.space
        chosen = chosen_of(search, space, finalists)
        whole = with_bisenets(
            chosen, space, lambda models: timed(models, device, rounds=_ROUNDS_CHOOSING), device.opset
        )
        save_contenders(path, whole)


def measure(comparison: Comparison, device: Device, rounds: int) -> None:
    """Times all networks, unless that is done."""
    path, space = comparison.output / _LATENCY, comparison.space
    if path.exists():
        return
    models = {one.name: one.onnx(space, opset=device.opset) for one in read_contenders(comparison.output / _NETWORKS)}
    with open_agent(device) as agent:
        description = agent.describe()
    measured = timed(models, device, rounds=rounds)
    facts = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "device": description.hardware.get("cpu", device.name),
        "runtime": f"{device.backend} {description.vendor['runtime'].get(device.backend, '')}".strip(),
        "precision": device.precision,
        "threads": device.threads,
        "rounds": rounds,
        "statistic": STATISTIC,
    }
    networks = {
        name: {
            "latency_ms": round(found.value_ms(STATISTIC), 6),
            "halves_ms": [round(half, 6) for half in found.halves_ms(STATISTIC)],
        }
        for name, found in measured.items()
    }
    write_atomic(path, json.dumps({"facts": facts, "networks": networks}, indent=1) + "\n")


def recorded(comparison: Comparison, seeds: Sequence[int]) -> Record:
    """The record of all trainings that are finished; the others are named on stderr.

    Raises:
        UsageError: Nothing was measured yet, or nothing trained.
    """
    path = comparison.output / _LATENCY
    if not path.exists():
        raise UsageError(f"{path} is missing: nothing was timed yet.", fix="python -m benchmarks.camvid measure ...")
    measured, contenders = json.loads(path.read_text()), read_contenders(comparison.output / _NETWORKS)
    scores = {one.name: _scores(comparison, one, seeds) for one in contenders}
    done = {name: found for name, found in scores.items() if found.val}
    if not done:
        raise UsageError("No network is trained yet.", fix="python -m benchmarks.camvid train ...")
    config = comparison.config
    facts = {
        "data": comparison.val.name,
        "space": comparison.space.name,
        "pictures": {part.split: len(part) for part in (comparison.train, comparison.guide, comparison.val)},
        "recipe": comparison.recipe,
        "steps": config.steps,
        "supernet_steps": comparison.supernet_steps,
        "supernet_sha256": comparison.start.sha256 if comparison.start else None,
        "batch_size": config.batch_size,
        "torch": torch.__version__,
        **measured["facts"],
    }
    return record_of(
        contenders,
        done,
        {one.name: one.counts(comparison.space) for one in contenders},
        measured["networks"],
        classes=comparison.val.classes,
        facts=facts,
    )


def _scores(comparison: Comparison, one: Contender, seeds: Sequence[int]) -> Scores:
    """What is finished of a network's trainings."""
    val, guide = {}, {}
    pictures = PictureCache(comparison.guide, tuple(range(len(comparison.guide))))
    for seed in seeds:
        training = comparison.of_seed(seed)
        if not (training.folder(one) / SCORE).exists():
            sys.stderr.write(f"Not trained yet: {training.folder(one).name}\n")
            continue
        val[seed] = scored(training, one, Silent())
        guide[seed] = confusion_of(trained(training, one), pictures, one.size).miou
    return Scores(val=val, guide=guide)


def show(record: Record, picture: Path | None) -> None:
    """Prints the record as Markdown, and draws it where a file is named."""
    facts = record.facts
    print(
        f"{facts['data']}, {how_trained(facts)}; {facts['runtime']} {facts['precision']}, threads: {facts['threads']}, "
        f"{facts['device']}, {facts['rounds']} rounds, {facts['measured']}\n\n{table(record)}\n\n{class_table(record)}"
    )
    if picture:
        draw(record, picture)


def samples(comparison: Comparison, record: Record, path: Path, indices: Sequence[int] | None = None) -> None:
    """Draws some pictures of `val`, spread evenly over it, with what the middle finalist and its company see."""
    val, comparison = comparison.val, comparison.of_seed(0)
    ranks = sorted({entry.contender.rank for entry in record.entries})
    entries = [entry for entry in record.entries if entry.contender.rank == ranks[len(ranks) // 2]]
    networks = [(entry.contender, trained(comparison, entry.contender)) for entry in entries]
    rows = []
    for index in indices or np.linspace(0, len(val) - 1, 6).astype(int)[1:-1]:
        picture, sample = PictureCache(val, (int(index),)), val.read(int(index))
        guesses = [_guess(network, picture, one.size) for one, network in networks]
        rows.append((sample.image, sample.mask, guesses))
    titles = [f"{e.contender.kind}\n{e.latency_ms:.1f} ms, mIoU {e.miou:.3f}" for e in entries]
    colours: Mapping[str, Any] = dict(zip(val.classes, val.palette, strict=True))
    draw_samples(rows, titles, colours, path)


def _guess(network: nn.Module, picture: PictureCache, size: tuple[int, int]) -> Any:
    """Class numbers of one picture at the size of its labels."""
    (batch,) = picture.labelled(size)
    with torch.no_grad():
        return labels_of(network(batch.pictures)[0], batch.masks[0].shape, size)


if __name__ == "__main__":
    main()
