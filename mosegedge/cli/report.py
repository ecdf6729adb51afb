"""`mosegedge report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import DataRootOption, ThreadsOption, set_threads
from mosegedge.cli.output import JsonFlag, emit, progress, say


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "report",
        rich_help_panel="Train and search",
        epilog="Example: mosegedge report runs/search",
    )(report)


def report(
    run: Annotated[Path, typer.Argument(help="Run folder of a search, finished or not.")],
    space: Annotated[
        str | None, typer.Option(help="Space of the search, where it is a preset of yours: mine.toml:192x384:19.")
    ] = None,
    supernet: Annotated[
        str | None, typer.Option(help="Checkpoint of the search, where it is not where the run says.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="Profile of the search, where it is not where the run says.")
    ] = None,
    profile_root: Annotated[Path, typer.Option(help="Folder of all profiles.")] = Path("profiles"),
    data_root: DataRootOption = None,
    pictures: Annotated[int, typer.Option(min=0, help="Sample pictures; 0 leaves them out.")] = 3,
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Write RUN/report.html: one file without scripts that shows what a search found and how to do it again.

    What cannot be opened (profile, checkpoint, pictures) is left out, and the page says why.
    """
    from datetime import datetime

    from mosegedge.report.page import Sources, build_report

    if pictures:
        set_threads(threads)
    sources = Sources(space=space, supernet=supernet, profile=profile, profile_root=profile_root, data_root=data_root)
    today = datetime.now().astimezone().date()
    with progress() as bar:
        written = build_report(run, created=today, sources=sources, pictures=pictures, progress=bar)
    for reason in written.left_out:
        say(f"Left out: {reason}")
    emit({"report": str(written.path), "left_out": list(written.left_out)}, str(written.path), as_json=as_json)
