"""What `train` and `retrain` share: their options, where they compute, what they show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosegedge.cli.output import progress
from mosegedge.errors import UsageError
from mosegedge.progress import Progress, Silent

if TYPE_CHECKING:
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.place import Place
    from mosegedge.supernet.start import StartWeights

RecipeOption = Annotated[
    str, typer.Option(help="All settings: scenes, camvid, cityscapes, voc2012, cocostuff10k, or a file of your own.")
]
StepsOption = Annotated[int | None, typer.Option(help="Training steps; the recipe's by default.")]
BatchSizeOption = Annotated[
    int | None, typer.Option(help="Pictures a step, over all processes; the recipe's by default.")
]
RateOption = Annotated[
    float | None, typer.Option(help="Learning rate at the start of the schedule; the recipe's by default.")
]
SeedOption = Annotated[int | None, typer.Option(min=0, help="Decides weights, pictures and networks.")]
PrecisionOption = Annotated[
    str | None, typer.Option(help="Number format: fp32, bf16 or fp16; the recipe's by default.")
]
ProcessorOption = Annotated[str, typer.Option(help="Where to compute: cpu, cuda, or auto for a GPU if there is one.")]
EncoderOption = Annotated[
    str | None, typer.Option(help="Start from this encoder: a run folder or checkpoint of a training.")
]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Print what would be trained, and stop.")]


def required(output: Path | None) -> Path:
    """The run folder, which only a dry run can do without."""
    if output is None:
        raise UsageError("No run folder is named.", fix="Name one: --output runs/NAME, or only look: --dry-run.")
    return output


@contextmanager
def started(on: str) -> Iterator[Place]:
    """The processor, and the processes of torchrun where it started this one."""
    from mosegedge.supernet.place import Place, device_named
    from mosegedge.supernet.ranks import joined

    device = device_named(on)
    with joined(device) as ranks:
        yield Place(device=device, ranks=ranks)


@contextmanager
def shown(place: Place) -> Iterator[Progress]:
    """Progress on the terminal, by the first process alone."""
    if not place.ranks.first:
        yield Silent()
        return
    with progress() as bar:
        yield bar


def encoder_of(name: str | None, space: SearchSpace) -> StartWeights | None:
    """The encoder that `--encoder` names."""
    from mosegedge.supernet.start import encoder_path, read_encoder

    return read_encoder(encoder_path(name), space) if name else None
