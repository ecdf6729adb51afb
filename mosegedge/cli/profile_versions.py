"""`mosegedge profiles diff | merge | rebase | stale`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.carried_text import merge_result, merge_text, rebase_result, rebase_text
from mosegedge.cli.completion import device_names
from mosegedge.cli.devices import AcceptNewHostKey
from mosegedge.cli.options import ProfileRootOption, open_device
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.versions_text import diff_result, diff_text
from mosegedge.errors import DeviceError, ProfileError

FirstProfile = Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")]
SecondProfile = Annotated[str, typer.Argument(help="Another one of the same space.")]


def register(profiles_app: typer.Typer) -> None:
    """Adds these commands to the group `profiles`."""
    example = "Example: mosegedge profiles diff local/tiny-fp32/v1 local/tiny-fp32/v2"
    profiles_app.command("diff", epilog=example)(diff)
    example = "Example: mosegedge profiles merge local/tiny-fp32/v1 local/tiny-fp32/v2"
    profiles_app.command("merge", epilog=example)(merge)
    example = "Example: mosegedge profiles rebase local/tiny-fp32 --device local"
    profiles_app.command("rebase", epilog=example)(rebase)
    profiles_app.command("stale", epilog="Example: mosegedge profiles stale local/tiny-fp32")(stale)


def diff(
    before: FirstProfile,
    after: SecondProfile,
    everything: Annotated[bool, typer.Option("--all", help="Print every entry, not only the largest changes.")] = False,
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Compares two profiles entry by entry, tests each difference, and names the likely cause.

    A star marks an entry that differs by more than chance: of all stars, one in twenty may be a false alarm. Ends with
    0 whether they differ or not.
    """
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.cause import likely_cause, provenance_apart
    from mosegedge.profiling.compare import compare_layers, compare_networks

    first, second = (load_profile(name, root=profile_root) for name in (before, after))
    layers, networks = compare_layers(first, second), compare_networks(first, second)
    apart = provenance_apart(first, second)
    cause = likely_cause(layers if layers.rows else networks, apart)
    result = diff_result(first, second, layers, networks, apart, cause)
    emit(result, diff_text(result, layers, networks, everything=everything), as_json=as_json)


def merge(
    first: FirstProfile,
    second: Annotated[str, typer.Argument(help="Another one of the same device, space and protocol.")],
    space: Annotated[str, typer.Option("--space", help="The space, where it is not a shipped preset.")] = "",
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Makes one profile of two measurements of a device: the next version of the first one's series.

    Nothing is measured. Layers and networks that both have are averaged by their errors; the model is fitted anew, and
    judged on networks that neither was fitted to.
    """
    from mosegedge.profiling.merge import merge_profiles
    from mosegedge.space import SearchSpace

    merged = merge_profiles(
        first, second, space=SearchSpace.load(space) if space else None, root=profile_root, command=_command()
    )
    say(f"Wrote {merged.profile.name}")
    emit(merge_result(merged), merge_text(merged), as_json=as_json)


def rebase(
    name: FirstProfile,
    device: Annotated[
        str,
        typer.Option(help="The device as it is now; by default that of the profile.", autocompletion=device_names),
    ] = "",
    entries: Annotated[int, typer.Option(help="Layers that are measured again, of every kind.")] = 24,
    networks: Annotated[int, typer.Option(help="Whole networks that are measured again.")] = 12,
    passes: Annotated[int, typer.Option(help="How often each is timed at most.")] = 24,
    space: Annotated[str, typer.Option("--space", help="The space, where it is not a shipped preset.")] = "",
    profile_root: ProfileRootOption = Path("profiles"),
    restart: Annotated[bool, typer.Option("--restart", help="Set an unfinished measurement aside.")] = False,
    accept_new_host_key: AcceptNewHostKey = False,
    as_json: JsonFlag = False,
) -> None:
    """Carries a profile over to a device with another runtime, by measuring a few layers and networks.

    Where all kinds of layers changed by one factor, the next version holds what was measured and the rest times that
    factor. Else nothing is written, and the command ends with 4. Stopped or killed, it goes on where it was.
    """
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.rebase import rebase_profile, require_holds
    from mosegedge.profiling.rebase_plan import RebaseSettings
    from mosegedge.space import SearchSpace

    found = open_device(device or load_profile(name, root=profile_root).device.name)
    settings = RebaseSettings(entries=entries, networks=networks, passes=passes)
    with progress() as bar:
        rebased = rebase_profile(
            name,
            found,
            settings=settings,
            space=SearchSpace.load(space) if space else None,
            root=profile_root,
            progress=bar,
            command=_command(),
            restart=restart,
            accept_new_host_key=accept_new_host_key,
        )
    if rebased.profile is not None:
        say(f"Wrote {rebased.profile.name}")
    emit(rebase_result(rebased), rebase_text(rebased), as_json=as_json)
    require_holds(rebased, found)


def stale(
    names: Annotated[
        list[str] | None, typer.Argument(help="Files or names; by default the latest version of every series.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Ask this device; without names, about the profiles of it.", autocompletion=device_names),
    ] = "",
    profile_root: ProfileRootOption = Path("profiles"),
    accept_new_host_key: AcceptNewHostKey = False,
    as_json: JsonFlag = False,
) -> None:
    """Tells whether the devices of profiles are still what they were when they were measured.

    Nothing is timed. Ends with 0 where all are, with 4 where a profile is stale, and with 3 where none is but a device
    did not answer.
    """
    from dataclasses import asdict

    from mosegedge.profiling import load_profile
    from mosegedge.profiling.stale import freshness
    from mosegedge.profiling.store import latest_profiles

    if names:
        paths: list[str | Path] = list(names)
    else:
        paths = [path for path in latest_profiles(profile_root) if device in ("", path.parent.parent.name)]
    profiles = [load_profile(path, root=profile_root) for path in paths]
    found = freshness(profiles, device=open_device(device) if device else None, accept_new_host_key=accept_new_host_key)
    lines = "\n".join(map(str, found)) or f"There is no profile in {profile_root}."
    emit({"profiles": [{**asdict(one)} for one in found]}, lines, as_json=as_json)
    states = {one.state for one in found}
    if "unreachable" in states:
        say("Why a device is not reachable: mosegedge devices doctor NAME. To ask another: --device NAME.")
    if states - {"ok"}:
        raise typer.Exit(ProfileError.exit_code if "stale" in states else DeviceError.exit_code)


def _command() -> str:
    """The command line as it was typed."""
    return shlex.join(["mosegedge", *sys.argv[1:]])
