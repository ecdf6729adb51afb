"""`mosegedge train`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import (
    DataOption,
    DataRootOption,
    SpaceOption,
    ThreadsOption,
    open_data,
    open_space,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, progress, say


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "train",
        rich_help_panel="Train and search",
        epilog="Example: mosegedge train --space tiny --data scenes --output runs/supernet",
    )(train)


def train(
    output: Annotated[Path, typer.Option(help="Run folder; a training found there goes on.")],
    space: SpaceOption = "tiny",
    data: DataOption = "scenes",
    data_root: DataRootOption = None,
    steps: Annotated[int, typer.Option(help="Training steps.")] = 3000,
    batch_size: Annotated[int, typer.Option(help="Pictures a step.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="At the start of the poly schedule.")] = 0.15,
    seed: Annotated[int, typer.Option(min=0, help="Decides weights, pictures and networks.")] = 0,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Train a supernet whose sub-networks share weights.

    Stopped by Ctrl-C or killed, the same command goes on from the last checkpoint and ends with the same weights.
    """
    from mosegedge.supernet.checkpoint import load_supernet
    from mosegedge.supernet.evaluate import InheritedEvaluator
    from mosegedge.supernet.schedule import TrainConfig
    from mosegedge.supernet.train import train_supernet

    set_threads(threads)
    config = TrainConfig(steps=steps, batch_size=batch_size, learning_rate=learning_rate, seed=seed)
    search_space = open_space(space, data, data_root)
    pictures = open_data(data, "train", data_root)
    with progress() as bar:
        path = train_supernet(search_space, pictures, output, config=config, progress=bar)
    say("Scoring three networks with inherited weights on the pictures held out for the search ...")
    evaluator = InheritedEvaluator(load_supernet(path)[0], pictures, open_data(data, "guide", data_root))
    networks = {
        "smallest": search_space.smallest,
        "middle": search_space.uniform(2, 1),
        "largest": search_space.largest,
    }
    scores = {name: {"code": network.slug, "miou": evaluator(network)} for name, network in networks.items()}
    lines = [f"{name:9}{score['code']}  mIoU {score['miou']:.4f}" for name, score in scores.items()]
    emit({"supernet": str(path), "scores": scores}, "\n".join([str(path), *lines]), as_json=as_json)
