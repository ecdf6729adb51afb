"""`mosegedge supernet`: weights of other programs, and what a checkpoint says about itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosegedge.cli.options import SpaceOption
from mosegedge.cli.output import JsonFlag, emit, say

if TYPE_CHECKING:
    from mosegedge.supernet.checkpoint import Imported, SupernetInfo

_MIB = 2**20


def register(app: typer.Typer) -> None:
    """Adds the group to the root application."""
    group = typer.Typer(no_args_is_help=True, help="Take public weights over; show what a supernet is.")
    group.command("show", epilog="Example: mosegedge supernet show demo")(show)
    group.command(
        "import-ofa",
        epilog="Example: mosegedge supernet import-ofa ofa_resnet50.pth --output runs/ofa --space mosegnas",
    )(import_weights)
    app.add_typer(group, name="supernet", rich_help_panel="Train and search")


def show(
    supernet: Annotated[
        str, typer.Argument(help="Checkpoint file, run folder, or `demo` for the shipped one.", metavar="FILE")
    ],
    as_json: JsonFlag = False,
) -> None:
    """Show a supernet's space and training and where its weights come from, with the size and digest of its file."""
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info

    path = checkpoint_path(supernet)
    result, lines = _described(path, supernet_info(path))
    emit(result, "\n".join(lines), as_json=as_json)


def import_weights(
    file: Annotated[Path, typer.Argument(help="State dictionary of ofa_resnet50, as torch.save wrote it.")],
    output: Annotated[Path, typer.Option(help="Run folder of the new supernet.")],
    space: SpaceOption = "mosegnas",
    seed: Annotated[int, typer.Option(min=0, help="Decides the weights of decoder and auxiliary heads.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Make a supernet whose encoder has the weights of the public once-for-all ofa_resnet50 checkpoint.

    The file is read as data and nothing in it is run. Decoder and auxiliary heads start with random weights, so the
    supernet is a start for a training; a search refuses it.
    """
    from mosegedge.space import SearchSpace
    from mosegedge.supernet.ofa import import_ofa

    path, info = import_ofa(file, output, SearchSpace.load(space), seed=seed)
    result, lines = _described(path, info)
    emit(result, "\n".join(lines), as_json=as_json)
    say("It has an encoder only so far; a training gives it the rest.")
    say(f"Next: mosegedge train --encoder {output} --space {space} --output runs/supernet")


def _described(path: Path, info: SupernetInfo) -> tuple[dict[str, Any], list[str]]:
    """Everything about a checkpoint, as an object and as lines."""
    from dataclasses import asdict

    from mosegedge.files import sha256_of_file

    size, digest = path.stat().st_size, sha256_of_file(path)
    result = {
        "supernet": str(path),
        "size_bytes": size,
        "sha256": digest,
        "space": info.space.name,
        "space_digest": info.space.digest,
        "data": info.data or None,
        "classes": list(info.classes) or None,
        "step": info.step,
        "training": info.training,
        "untrained": list(info.untrained),
        "imported": asdict(info.imported) if info.imported else None,
    }
    trained = f"on {info.data}, {info.step} steps" if info.data else "not yet"
    settings = ", ".join(f"{name} {value}" for name, value in sorted(info.training.items()))
    lines = [
        str(path),
        f"file        {size / _MIB:.1f} MiB, sha256 {digest}",
        f"space       {info.space.name}, digest {info.space.digest[:12]}",
        f"trained     {trained}",
    ]
    lines += [f"settings    {settings}"] if settings else []
    lines += [f"untrained   {', '.join(info.untrained)}: random weights"] if info.untrained else []
    return result, [*lines, *(_imported_lines(info.imported) if info.imported else [])]


def _imported_lines(imported: Imported) -> list[str]:
    size = f"{imported.size_bytes / _MIB:.1f} MiB, sha256 {imported.sha256}"
    return [
        f"imported    {imported.file} ({imported.layout}), {size}",
        f"mapped      {imported.mapped} tensors, all of the encoder; the rest drawn with seed {imported.seed}",
        *(f"left out    {name}: {why}" for name, why in imported.left_out.items()),
        *(f"differs     {subject}: {text}" for subject, text in imported.differences.items()),
    ]
