"""`mosegedge profiles diff | merge | rebase | stale`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.completion import device_names
from mosegedge.cli.devices import AcceptNewHostKey
from mosegedge.cli.options import RootOption
from mosegedge.cli.output import JsonFlag, emit
from mosegedge.cli.versions_text import diff_result, diff_text
from mosegedge.errors import DeviceError, ProfileError

FirstProfile = Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")]
SecondProfile = Annotated[str, typer.Argument(help="Another one of the same space.")]


def register(profiles_app: typer.Typer) -> None:
    """Adds these commands to the group `profiles`."""
    example = "Example: mosegedge profiles diff local/tiny-fp32/v1 local/tiny-fp32/v2"
    profiles_app.command("diff", epilog=example)(diff)
    profiles_app.command("stale", epilog="Example: mosegedge profiles stale local/tiny-fp32")(stale)


def diff(
    before: FirstProfile,
    after: SecondProfile,
    everything: Annotated[bool, typer.Option("--all", help="Print every entry, not only the largest changes.")] = False,
    output_root: RootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Compares two profiles entry by entry, tests each difference, and names the likely cause.

    A star marks an entry that differs by more than chance: of all stars, one in twenty may be a false alarm. Ends with
    0 whether they differ or not.
    """
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.cause import likely_cause, provenance_apart
    from mosegedge.profiling.compare import compare_layers, compare_networks

    first, second = (load_profile(name, root=output_root) for name in (before, after))
    layers, networks = compare_layers(first, second), compare_networks(first, second)
    apart = provenance_apart(first, second)
    cause = likely_cause(layers if layers.rows else networks, apart)
    result = diff_result(first, second, layers, networks, apart, cause)
    emit(result, diff_text(result, layers, networks, everything=everything), as_json=as_json)


def stale(
    names: Annotated[
        list[str] | None, typer.Argument(help="Files or names; by default the latest version of every series.")
    ] = None,
    device: Annotated[
        str,
        typer.Option(help="Ask this device; without names, about the profiles of it.", autocompletion=device_names),
    ] = "",
    output_root: RootOption = Path("profiles"),
    accept_new_host_key: AcceptNewHostKey = False,
    as_json: JsonFlag = False,
) -> None:
    """Tells whether the devices of profiles are still what they were when they were measured.

    Nothing is timed. Ends with 0 where all are, with 4 where a profile is stale, and with 3 where none is but a device
    did not answer.
    """
    from dataclasses import asdict

    from mosegedge.devices import load_device
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.stale import freshness
    from mosegedge.profiling.store import latest_profiles

    if names:
        paths: list[str | Path] = list(names)
    else:
        paths = [path for path in latest_profiles(output_root) if device in ("", path.parent.parent.name)]
    profiles = [load_profile(path, root=output_root) for path in paths]
    found = freshness(profiles, device=load_device(device) if device else None, accept_new_host_key=accept_new_host_key)
    lines = "\n".join(map(str, found)) or f"There is no profile in {output_root}."
    emit({"profiles": [{**asdict(one)} for one in found]}, lines, as_json=as_json)
    states = {one.state for one in found}
    if states - {"ok"}:
        raise typer.Exit(ProfileError.exit_code if "stale" in states else DeviceError.exit_code)
