"""`mosegedge search replay` and `mosegedge search verify`: what can be done with a finished search."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mosegedge.cli.options import ProfileRootOption, open_device
from mosegedge.cli.output import JsonFlag, emit, progress, say

if TYPE_CHECKING:
    from mosegedge.search.replaying import Replay
    from mosegedge.search.standing import Standing
    from mosegedge.search.verifying import Verified

RunArgument = Annotated[Path, typer.Argument(help="Run folder of a finished search.")]
SpaceOfRunOption = Annotated[
    str | None, typer.Option(help="Space of the search, where it is a preset of yours: mine.toml:192x384:19.")
]


def register(group: typer.Typer) -> None:
    """Adds the commands to the group of the search."""
    group.command(
        "replay",
        epilog="Example: mosegedge search replay runs/search --profile atlas/tiny-fp16 --output runs/atlas",
    )(replay)
    group.command("verify", epilog="Example: mosegedge search verify runs/search --all")(verify)


def replay(
    run: RunArgument,
    profile: Annotated[str, typer.Option(help="Profile of the other device: a file, or atlas/tiny-fp16.")],
    output: Annotated[Path, typer.Option(help="Run folder that is written; it must be new.")],
    max_latency_ms: Annotated[
        float | None, typer.Option(help="Limit on that device; the search's own limits on its device do not count.")
    ] = None,
    pick: Annotated[
        str, typer.Option(help="How networks are picked, see mosegedge search; as in the search by default.")
    ] = "",
    space: SpaceOfRunOption = None,
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Score a finished search for another device, in seconds: nothing is evaluated or measured again.

    Writes a run folder with the front for that device, and says which networks enter the front and which leave it, and
    which settings of the search mean nothing there.
    """
    from mosegedge.cli.search_text import text_of
    from mosegedge.profiling.store import load_profile
    from mosegedge.search.replaying import replay as replay_run
    from mosegedge.search.stored import read_stored
    from mosegedge.search.targets import Target, Targets

    stored = read_stored(run)
    targets = Targets((Target(profile=load_profile(profile, root=profile_root), reference=profile),))
    targets.require_usable(stored.config)
    loaded = stored.space(space)
    for trust in targets.trusts(loaded):
        for text in filter(None, (trust.warning, trust.margin)):
            say(text)
    changed = replay_run(stored, targets, output, space=loaded, max_latency_ms=max_latency_ms, pick=pick)
    for one in changed.replaced:
        say(one.text())
    lines = [text_of(changed.result), *_changes(changed)]
    result = {"run": str(output), **changed.result.to_json(), **changed.to_json()}
    emit(result, "\n".join(lines), as_json=as_json)
    say(f"Next: mosegedge report {output}; mosegedge export {output}:1 --output bundle")


def verify(
    run: RunArgument,
    device: Annotated[str, typer.Option(help="The device; that of the search's profile by default.")] = "",
    everything: Annotated[
        bool, typer.Option("--all", help="Time the whole front, not only the chosen networks.")
    ] = False,
    space: SpaceOfRunOption = None,
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Time the networks that a search chose on their device, and say which fall off the front, and why.

    They are timed in turn, with random weights; `mosegedge export` and `mosegedge verify` check one with its own.
    """
    from mosegedge.profiling.store import load_profile
    from mosegedge.search.stored import read_stored
    from mosegedge.search.targets import device_of
    from mosegedge.search.timing import DeviceTimer
    from mosegedge.search.verifying import journal_of
    from mosegedge.search.verifying import verify as verify_run

    stored = read_stored(run)
    profile = load_profile(str(stored.manifest["profile"]["reference"]), root=profile_root)
    with progress() as bar:
        timer = DeviceTimer(
            device=device_of(profile, open_device(device) if device else None),
            space=stored.space(space),
            statistic=profile.protocol.statistic,
            journal=journal_of(run),
            progress=bar,
        )
        verified = verify_run(stored, timer, everything=everything)
    emit({"run": str(run), **verified.to_json()}, _verified(verified), as_json=as_json)


def _changes(changed: Replay) -> list[str]:
    return [
        f"{len(changed.entered)} enter the front, {len(changed.left)} leave it",
        *(f"+ {one.architecture.slug}  mIoU {one.miou:.4f} at {one.latency_ms:.2f} ms" for one in changed.entered),
        *(f"- {one.candidate.architecture.slug}  {one.reason}" for one in changed.left),
    ]


def _verified(verified: Verified) -> str:
    lines = [f"{verified.kept} of {len(verified.standings)} stay on the front of {verified.device}"]
    lines.append(f"{'k':<3}{'code':<36}{'mIoU':>8}{'predicted':>18}{'measured':>12}")
    return "\n".join([*lines, *(_row(k, standing) for k, standing in enumerate(verified.standings, start=1))])


def _row(k: int, standing: Standing) -> str:
    one = standing.candidate
    measured = "failed" if one.measured_ms is None else f"{one.measured_ms:.2f} ms"
    miou = "" if one.miou is None else f"{one.miou:.4f}"
    row = f"{k:<3}{one.architecture.slug:<36}{miou:>8}{one.latency_ms:>10.2f} +- {one.latency_sd_ms:.2f} ms"
    return f"{row}{measured:>12}" + (f"\n   off the front: {standing.reason}" if standing.reason else "")
