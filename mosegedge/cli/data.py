"""`mosegedge data`: check a data set, show its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosegedge.cli.output import JsonFlag, emit, progress

if TYPE_CHECKING:
    from mosegedge.data.census import Census
    from mosegedge.data.dataset import SegmentationSet

_NameArgument = Annotated[str, typer.Argument(help="Data set: scenes, camvid.")]
_RootOption = Annotated[
    Path | None, typer.Option("--root", "--data-root", help="Folder of the data set, where it needs one.")
]


def register(app: typer.Typer) -> None:
    """Adds the group to the root application."""
    group = typer.Typer(no_args_is_help=True, help="Check a data set, show its pictures.")
    group.command("check", epilog="Example: mosegedge data check camvid --root CamVid")(check)
    group.command("show", epilog="Example: mosegedge data show scenes --output sheet.png")(show)
    app.add_typer(group, name="data", rich_help_panel="Train and search")


def check(
    name: _NameArgument,
    root: _RootOption = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Read only the first pictures of each split.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Read every picture and mask of a data set and count the classes; a wrong file is named."""
    from mosegedge import data
    from mosegedge.data.census import take_census

    sets = [data.load(name, split, root) for split in data.SPLITS]
    with progress() as bar:
        counted = [(dataset, take_census(dataset, bar, limit=pictures)) for dataset in sets]
    result = {dataset.split: _as_json(dataset, census) for dataset, census in counted}
    emit({"name": name, "splits": result}, _as_table(counted), as_json=as_json)


def show(
    name: _NameArgument,
    output: Annotated[Path, typer.Option(help="PNG file to write.")],
    root: _RootOption = None,
    split: Annotated[str, typer.Option(help="train, guide or val.")] = "guide",
    first: Annotated[int, typer.Option(min=0, help="Index of the first picture.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=200, help="Number of pictures.")] = 12,
    columns: Annotated[int, typer.Option(min=1, max=8, help="Pictures beside each other.")] = 2,
    blend: Annotated[bool, typer.Option("--blend", help="Lay the masks over the pictures.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Write a contact sheet of pictures with their masks."""
    from mosegedge import data
    from mosegedge.data.sheet import contact_sheet, save_png
    from mosegedge.errors import DataError

    dataset = data.load(name, data.as_split(split), root)
    if first >= len(dataset):
        raise DataError(f"{name}/{split} has no picture {first}.", known=f"Its pictures are 0 to {len(dataset) - 1}.")
    indices = range(first, min(first + count, len(dataset)))
    save_png(contact_sheet(dataset, indices, columns=columns, blend=blend), output)
    result = {"file": str(output), "name": name, "split": split, "indices": list(indices)}
    emit(result, f"{len(indices)} pictures of {name}/{split} in {output}", as_json=as_json)


def _as_json(dataset: SegmentationSet, census: Census) -> dict[str, Any]:
    return {
        "pictures": census.pictures,
        "size": list(dataset.label_size),
        "ignored_pixels": census.ignored,
        "classes": {
            label: {"pixel_share": float(share), "pictures": int(appearances)}
            for label, share, appearances in zip(dataset.classes, census.shares, census.appearances, strict=True)
        },
    }


def _as_table(counted: list[tuple[SegmentationSet, Census]]) -> str:
    head = "".join(f"{f'{dataset.split} ({census.pictures})':>20}" for dataset, census in counted)
    lines = [f"{'class':<14}{head}"]
    for number, label in enumerate(counted[0][0].classes):
        cells = "".join(
            f"{census.shares[number]:>10.2%}{f'in {census.appearances[number]}':>10}" for _, census in counted
        )
        lines.append(f"{label:<14}{cells}")
    return "\n".join([*lines, "Every file is in order. Shares are of the labelled pixels."])
