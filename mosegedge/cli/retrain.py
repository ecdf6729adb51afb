"""`mosegedge retrain`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosegedge.cli.options import DataRootOption, ThreadsOption, open_data, open_once, open_space, set_threads
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.plan import Plan, show_plan
from mosegedge.cli.scores_text import scores_text
from mosegedge.cli.training import (
    BatchSizeOption,
    DryRunFlag,
    EncoderOption,
    PrecisionOption,
    ProcessorOption,
    RateOption,
    SeedOption,
    StepsOption,
    encoder_of,
    required,
    shown,
    started,
)
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from mosegedge.data.scores import PartScores
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.network import TrainedNetwork
    from mosegedge.supernet.recipe import Recipe
    from mosegedge.supernet.start import StartWeights


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "retrain",
        rich_help_panel="Train and search",
        epilog="Example: mosegedge retrain runs/search:2 --supernet demo --output runs/network",
    )(retrain)


def retrain(
    network: Annotated[
        str, typer.Argument(help="A code, or RUN:k for the k-th chosen network of a search.", metavar="CODE|RUN:k")
    ],
    output: Annotated[Path | None, typer.Option(help="Run folder; a training found there goes on.")] = None,
    supernet: Annotated[
        str | None, typer.Option(help="Start from the weights inherited from this supernet, as in `export`.")
    ] = None,
    from_scratch: Annotated[bool, typer.Option("--from-scratch", help="Start from random weights.")] = False,
    encoder: EncoderOption = None,
    recipe: Annotated[
        str | None, typer.Option(help="All settings, as in `train`; by default that of the supernet's data set.")
    ] = None,
    space: Annotated[
        str | None, typer.Option(help="Search space; the supernet's, or else the recipe's, by default.")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="Data set; the supernet's, or else the recipe's, by default.")
    ] = None,
    data_root: DataRootOption = None,
    steps: StepsOption = None,
    batch_size: BatchSizeOption = None,
    learning_rate: RateOption = None,
    seed: SeedOption = None,
    precision: PrecisionOption = None,
    on: ProcessorOption = "auto",
    dry_run: DryRunFlag = False,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Train one network on its own after the search, and score it on the validation pictures.

    It starts from the weights that it inherits from a supernet, from random ones, or from random ones with a pretrained
    encoder. `mosegedge export` takes the run folder in the place of a code. A second start goes on from the last
    checkpoint; under torchrun, several processes share each batch.
    """
    from mosegedge.cli.choice import network_and_profile
    from mosegedge.supernet.network import load_network
    from mosegedge.supernet.recipe import changed
    from mosegedge.supernet.retrain import retrain_network
    from mosegedge.supernet.runnable import score_part

    given = sum((supernet is not None, from_scratch, encoder is not None))
    if given != 1:
        raise UsageError(
            f"It is {'said more than once' if given else 'not said'} which weights the network starts from.",
            fix="Give one of --supernet RUN, --encoder RUN and --from-scratch.",
        )
    set_threads(threads)
    architecture, _ = network_and_profile(network)
    task = _task(supernet, recipe=recipe, space=space, data=data, root=data_root)
    options = {
        "steps": steps,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "seed": seed,
        "precision": precision,
    }
    config = changed(task.recipe.retrain, options)
    if dry_run:
        show_plan(Plan(task.recipe.name, "retrain", task.space, task.data, config, on), data_root, as_json=as_json)
        return
    folder = required(output)
    with started(on) as place, shown(place) as bar:
        path = retrain_network(
            task.space,
            architecture,
            open_data(task.data, "train", data_root),
            folder,
            config=config,
            progress=bar,
            recipe=task.recipe.name,
            start=task.start or encoder_of(encoder, task.space),
            place=place,
        )
    if place.ranks.first:
        trained, pictures = load_network(path), open_once(task.data, "val", data_root)
        with progress() as bar:
            scores = score_part(trained.runnable(place.device), pictures, progress=bar)
        _tell(path, trained, scores, as_json=as_json)


@dataclass(frozen=True)
class _Task:
    recipe: Recipe
    space: SearchSpace
    data: str
    start: StartWeights | None


def _task(supernet: str | None, *, recipe: str | None, space: str | None, data: str | None, root: Path | None) -> _Task:
    """What is trained on which data; what the user left out follows from the supernet, or else from the recipe."""
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info
    from mosegedge.supernet.recipe import DEFAULT, load_recipe, shipped_recipes
    from mosegedge.supernet.start import read_supernet

    if supernet is None:
        chosen = load_recipe(recipe or DEFAULT)
        name = data or chosen.data
        return _Task(chosen, open_space(space or chosen.space, name, root), name, None)
    path = checkpoint_path(supernet)
    info = supernet_info(path)
    chosen = load_recipe(recipe or (info.data if info.data in shipped_recipes() else DEFAULT))
    name = data or info.data
    found = open_space(space, name, root) if space else info.space
    return _Task(chosen, found, name, read_supernet(path, found))


def _tell(path: Path, trained: TrainedNetwork, scores: PartScores, *, as_json: bool) -> None:
    subnet, info = trained.subnet, trained.info
    result = {
        "network": str(path),
        "code": subnet.architecture.slug,
        "space": info.space.name,
        "data": info.data,
        "val_miou": scores.matrix.miou,
        "val": scores.to_json(),
    }
    head = f"{subnet.architecture.slug} of {info.space.name}, {info.data}/val"
    emit(result, "\n".join([str(path), head, scores_text(scores)]), as_json=as_json)
    say(f"Next: mosegedge export {path.parent} --output runs/bundle")
