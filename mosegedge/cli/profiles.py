"""`mosegedge profiles list | show`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mosegedge.cli import profile_versions
from mosegedge.cli.options import RootOption
from mosegedge.cli.output import JsonFlag, emit
from mosegedge.cli.profile_text import one_line, profile_text, summary

profiles_app = typer.Typer(no_args_is_help=True, help="Profiles on disk: list them, show one, compare two.")


def register(app: typer.Typer) -> None:
    """Adds the group of commands to the root application."""
    profile_versions.register(profiles_app)
    app.add_typer(profiles_app, name="profiles", rich_help_panel="Measure a device")


@profiles_app.command("list", epilog="Example: mosegedge profiles list")
def list_profiles(output_root: RootOption = Path("profiles"), as_json: JsonFlag = False) -> None:
    """Lists the profiles on disk."""
    from mosegedge.errors import ProfileError
    from mosegedge.profiling import list_profiles, load_profile

    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for path in list_profiles(output_root):
        name = str(path.relative_to(output_root).with_suffix(""))
        try:
            found = load_profile(path)
        except ProfileError as error:
            rows.append({"name": name, "problem": str(error)})
            lines.append(f"{name}: {error}")
        else:
            rows.append({"name": name, **summary(found)})
            lines.append(f"{name}: {one_line(found)}")
    emit({"profiles": rows}, "\n".join(lines) or f"There is no profile in {output_root}.", as_json=as_json)


@profiles_app.command("show", epilog="Example: mosegedge profiles show local/tiny-fp32")
def show_profile(
    name: Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")],
    output_root: RootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Shows what a profile holds and how good it is."""
    from mosegedge.profiling import load_profile

    found = load_profile(name, root=output_root)
    emit(summary(found), profile_text(found), as_json=as_json)
