"""`mosegedge profiles list | show | check`, and the group that holds the other commands on profiles."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mosegedge.cli import profile_versions
from mosegedge.cli.devices import AcceptNewHostKey
from mosegedge.cli.options import ProfileRootOption, open_device, seconds
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.profile_text import certificate_text, one_line, profile_text, summary
from mosegedge.profiling.certificate import verdict

MEASURE_MORE = "Measure again with more --networks and --passes: mosegedge profile"

profiles_app = typer.Typer(
    no_args_is_help=True, help="Profiles on disk: list, show, check, compare, merge, carry over."
)


def register(app: typer.Typer) -> None:
    """Adds the group of commands to the root application."""
    profile_versions.register(profiles_app)
    app.add_typer(profiles_app, name="profiles", rich_help_panel="Measure a device")


@profiles_app.command("list", epilog="Example: mosegedge profiles list")
def list_profiles(profile_root: ProfileRootOption = Path("profiles"), as_json: JsonFlag = False) -> None:
    """Lists the profiles on disk."""
    from mosegedge.errors import ProfileError
    from mosegedge.profiling import list_profiles, load_profile

    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for path in list_profiles(profile_root):
        name = str(path.relative_to(profile_root).with_suffix(""))
        try:
            found = load_profile(path)
        except ProfileError as error:
            rows.append({"name": name, "problem": str(error)})
            lines.append(f"{name}: {error}")
        else:
            rows.append({"name": name, **summary(found)})
            lines.append(f"{name}: {one_line(found)}")
    emit({"profiles": rows}, "\n".join(lines) or f"There is no profile in {profile_root}.", as_json=as_json)


@profiles_app.command("show", epilog="Example: mosegedge profiles show local/tiny-fp32")
def show_profile(
    name: Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")],
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Shows what a profile holds and how good it is."""
    from mosegedge.profiling import load_profile

    found = load_profile(name, root=profile_root)
    emit(summary(found), profile_text(found), as_json=as_json)


@profiles_app.command("check", epilog="Example: mosegedge profiles check local/tiny-fp32")
def check(
    name: Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")],
    networks: Annotated[int, typer.Option(help="Fresh networks, over all scales of the profile.")] = 60,
    rounds: Annotated[int, typer.Option(help="How often each is timed at most.")] = 16,
    budget: Annotated[str, typer.Option(help="Begin no round that ends later than this, as 90s or 10m.")] = "5m",
    seed: Annotated[int | None, typer.Option(min=0, help="Draws the networks; a new one each time by default.")] = None,
    space: Annotated[str, typer.Option("--space", help="The space, where it is not a shipped preset.")] = "",
    require: Annotated[bool, typer.Option("--require", help="Exit with 4 below a bar.")] = False,
    profile_root: ProfileRootOption = Path("profiles"),
    restart: Annotated[bool, typer.Option("--restart", help="Set an unfinished check aside.")] = False,
    accept_new_host_key: AcceptNewHostKey = False,
    as_json: JsonFlag = False,
) -> None:
    """Measures networks that a profile has never seen on its device, and writes its next version with the result.

    Eight networks of the profile are timed beside them: they tell how much slower or faster the device has become.
    Stopped or killed, the same command goes on where it was. A certificate below a bar is a warning.
    """
    from mosegedge.errors import ProfileError
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.check import CheckSettings, check_profile
    from mosegedge.profiling.trust import trust_of
    from mosegedge.space import SearchSpace

    found = load_profile(name, root=profile_root)
    loaded = SearchSpace.load(space or found.space.name)
    settings = CheckSettings(networks=networks, rounds=rounds, budget_s=seconds(budget), seed=seed)
    with progress() as bar:
        checked = check_profile(
            name,
            open_device(found.device.name),
            settings=settings,
            space=loaded,
            root=profile_root,
            progress=bar,
            command=shlex.join(["mosegedge", *sys.argv[1:]]),
            restart=restart,
            accept_new_host_key=accept_new_host_key,
        )
    trust = trust_of(checked, loaded)
    say(f"Wrote {checked.name}; before, {verdict(found.certificate)}")
    emit(
        {**summary(checked), "parent": found.name, "shortfalls": list(trust.shortfalls)},
        f"{certificate_text(checked.certificate)}{verdict(checked.certificate)}",
        as_json=as_json,
    )
    if trust.shortfalls and require:
        raise ProfileError(f"{checked.name} is below the bar: {'; '.join(trust.shortfalls)}.", fix=MEASURE_MORE)
    if trust.warning:
        say(trust.warning)
