"""`mosegedge train`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosegedge.cli.options import (
    DataRootOption,
    GuidePicturesOption,
    ThreadsOption,
    open_data,
    open_space,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, say
from mosegedge.cli.plan import Plan, show_plan
from mosegedge.cli.training import (
    BatchSizeOption,
    DryRunFlag,
    EncoderOption,
    PrecisionOption,
    ProcessorOption,
    RateOption,
    RecipeOption,
    SeedOption,
    StepsOption,
    encoder_of,
    required,
    shown,
    started,
)
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from mosegedge.search.scoring import Scoring
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.place import Place
    from mosegedge.supernet.schedule import PretrainConfig


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "train",
        rich_help_panel="Train and search",
        epilog="Example: mosegedge train --space tiny --data scenes --output runs/supernet",
    )(train)


def train(
    output: Annotated[Path | None, typer.Option(help="Run folder; a training found there goes on.")] = None,
    recipe: RecipeOption = "scenes",
    stage: Annotated[str, typer.Option(help="segment, or pretrain for the encoder on pictures by class.")] = "segment",
    space: Annotated[
        str | None, typer.Option(help="Search space, as in other commands; the recipe's by default.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Data set; the recipe's by default.")] = None,
    data_root: DataRootOption = None,
    encoder: EncoderOption = None,
    steps: StepsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: RateOption = None,
    seed: SeedOption = None,
    precision: PrecisionOption = None,
    on: ProcessorOption = "auto",
    guide_pictures: GuidePicturesOption = None,
    dry_run: DryRunFlag = False,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Train a supernet whose sub-networks share weights.

    All settings come from a recipe; options change single ones. Stopped by Ctrl-C or killed, the same command goes on
    from the last checkpoint and ends with the same weights. Under torchrun, several processes share each batch. At the
    end three networks are scored as a search would score them, on the processor of the training.
    """
    from mosegedge.search.scoring import Scoring
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.checkpoint import SUPERNET_FILE
    from mosegedge.supernet.recipe import changed, load_recipe
    from mosegedge.supernet.schedule import PretrainConfig
    from mosegedge.supernet.train import train_supernet

    if stage not in ("segment", "pretrain"):
        raise UsageError(f"There is no stage {stage!r}.", fix="Choose --stage segment or --stage pretrain.")
    if stage == "pretrain" and encoder is not None:
        raise UsageError(
            f"A pretraining starts from random weights, not from --encoder {encoder}.",
            fix="Leave --encoder out, or train the supernet on it with --stage segment.",
        )
    set_threads(threads)
    chosen = load_recipe(recipe)
    options = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "precision": precision,
    }
    name = data or chosen.data
    if stage == "pretrain":
        search_space = SearchSpace.load(space or chosen.space)  # only its encoder matters, which no data set shapes
    else:
        search_space = open_space(space or chosen.space, name, data_root)
    config = changed(chosen.pretrain if stage == "pretrain" else chosen.segment, options)
    if dry_run:
        show_plan(Plan(chosen.name, stage, search_space, name, config, on), data_root, as_json=as_json)
        return
    folder = required(output)
    if isinstance(config, PretrainConfig):
        path, first = _pretrain(search_space, folder, config, chosen.name, data_root, on)
        if first:
            emit({"encoder": str(path)}, str(path), as_json=as_json)
            given = [f"--recipe {shlex.quote(recipe)}"] + ([f"--space {shlex.quote(space)}"] if space else [])
            say(f"Next: mosegedge train --encoder {folder} {' '.join(given)} --output runs/supernet")
        return
    scoring = Scoring(
        supernet=folder / SUPERNET_FILE,
        train=open_data(name, "train", data_root),
        guide=open_data(name, "guide", data_root),
        guide_pictures=guide_pictures,
    )
    with started(on) as place, shown(place) as bar:
        train_supernet(
            search_space,
            scoring.train,
            folder,
            config=config,
            progress=bar,
            recipe=chosen.name,
            start=encoder_of(encoder, search_space),
            place=place,
        )
    if place.ranks.first:
        _score(search_space, scoring, place, as_json=as_json)


def _pretrain(
    space: SearchSpace,
    folder: Path,
    config: PretrainConfig,
    recipe: str,
    data_root: Path | None,
    on: str,
) -> tuple[Path, bool]:
    """Pretrains an encoder; gives its file, and whether this process is the one that talks."""
    from mosegedge.data.classified import ClassFolders
    from mosegedge.supernet.pretrain import pretrain_encoder

    if data_root is None:
        raise UsageError(
            "Pretraining needs pictures sorted into one folder a class, and none are named.",
            fix="Name the folder that holds train/CLASS/NAME.jpg, as ImageNet is unpacked: --data-root DIR.",
        )
    pictures = ClassFolders.open(data_root)
    with started(on) as place, shown(place) as bar:
        path = pretrain_encoder(space, pictures, folder, config=config, progress=bar, recipe=recipe, place=place)
    return path, place.ranks.first


def _score(space: SearchSpace, scoring: Scoring, place: Place, *, as_json: bool) -> None:
    """Scores three networks with inherited weights."""
    from mosegedge.supernet.checkpoint import load_supernet

    pictures = min(len(scoring.guide), scoring.pictures["guide_pictures"])
    say(f"Scoring three networks with inherited weights on {pictures} pictures held out for the search ...")
    evaluator = scoring.evaluator(load_supernet(scoring.supernet)[0], device=place.device)
    networks = {"smallest": space.smallest, "middle": space.uniform(2, 1), "largest": space.largest}
    scores = {name: {"code": network.slug, "miou": evaluator(network)} for name, network in networks.items()}
    lines = [f"{name:9}{score['code']}  mIoU {score['miou']:.4f}" for name, score in scores.items()]
    result = {"supernet": str(scoring.supernet), "scores": scores, "guide_pictures": pictures}
    emit(result, "\n".join([str(scoring.supernet), *lines]), as_json=as_json)
