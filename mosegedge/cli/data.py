"""`mosegedge data`: check a data set, show its pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.findings import About, about_layout, drawn_findings, findings_json, findings_text, write_samples
from mosegedge.cli.options import DATA_SETS
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.errors import DataError

_NameArgument = Annotated[str, typer.Argument(help=DATA_SETS)]
_RootOption = Annotated[
    Path | None, typer.Option("--root", "--data-root", help="Folder of the data set, where it needs one.")
]


def register(app: typer.Typer) -> None:
    """Adds the group to the root application."""
    group = typer.Typer(no_args_is_help=True, help="Check a data set, show its pictures.")
    group.command("check", epilog="Example: mosegedge data check cityscapes --root DIR --picture sheet.png")(check)
    group.command("show", epilog="Example: mosegedge data show scenes --output sheet.png")(show)
    app.add_typer(group, name="data", rich_help_panel="Train and search")


def check(
    name: _NameArgument,
    root: _RootOption = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="Read only the first pictures of each split.")] = None,
    picture: Annotated[Path | None, typer.Option(help="PNG file for some pictures with their masks laid over.")] = None,
    samples: Annotated[int, typer.Option(min=1, max=20, help="Pictures of each split in that file.")] = 4,
    as_json: JsonFlag = False,
) -> None:
    """Read every picture and mask of a data set, count the classes, and say everything that is wrong.

    Looks for pictures without labels and labels without pictures, files that cannot be read, sizes that differ, and
    label values that mean nothing. Ends with 5 where it finds one.
    """
    from mosegedge import data
    from mosegedge.data.census import take_census
    from mosegedge.data.check import check_split
    from mosegedge.data.parallel import spare_cores

    if name == "scenes":
        sets = [data.load(name, split, root) for split in data.SPLITS]
        with progress() as bar:
            found = [drawn_findings(dataset, take_census(dataset, bar, limit=pictures)) for dataset in sets]
        about = About(name=name, title="The scenes", described="Drawn, not read.", guide="", classes=sets[0].classes)
    else:
        layout, place = data.located(name, root)
        with progress() as bar:
            found = [
                check_split(layout, split, place, bar, workers=spare_cores(), limit=pictures) for split in data.SPLITS
            ]
        about = about_layout(layout)
    if picture is not None and not write_samples(name, root, [findings.split for findings in found], picture, samples):
        say(f"No picture could be read together with its labels, so {picture} was not written.")
        picture = None
    result = findings_json(about, found) | ({"picture": str(picture)} if picture is not None else {})
    emit(result, findings_text(about, found, picture), as_json=as_json)
    if any(findings.problems for findings in found):
        raise typer.Exit(DataError.exit_code)


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

    dataset = data.load(name, data.as_split(split), root)
    if first >= len(dataset):
        raise DataError(f"{name}/{split} has no picture {first}.", known=f"Its pictures are 0 to {len(dataset) - 1}.")
    indices = range(first, min(first + count, len(dataset)))
    save_png(contact_sheet(dataset, indices, columns=columns, blend=blend), output)
    result = {"file": str(output), "name": name, "split": split, "indices": list(indices)}
    emit(result, f"{len(indices)} pictures of {name}/{split} in {output}", as_json=as_json)
