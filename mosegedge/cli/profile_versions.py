"""`mosegedge profiles diff | merge | rebase | stale`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import RootOption
from mosegedge.cli.output import JsonFlag, emit
from mosegedge.cli.versions_text import diff_result, diff_text

FirstProfile = Annotated[str, typer.Argument(help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")]
SecondProfile = Annotated[str, typer.Argument(help="Another one of the same space.")]


def register(profiles_app: typer.Typer) -> None:
    """Adds these commands to the group `profiles`."""
    example = "Example: mosegedge profiles diff local/tiny-fp32/v1 local/tiny-fp32/v2"
    profiles_app.command("diff", epilog=example)(diff)


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
