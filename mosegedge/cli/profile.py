"""`mosegedge profile`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mosegedge.cli.completion import device_names
from mosegedge.cli.devices import AcceptNewHostKey
from mosegedge.cli.options import DataRootOption, ProfileRootOption, SpaceOption, open_space, say_mistakes, seconds
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.profile_text import plan_result, plan_text, profile_text, summary
from mosegedge.errors import MosegedgeError, UsageError

if TYPE_CHECKING:
    from mosegedge.devices import Device
    from mosegedge.profiling.plan import ProfileSettings
    from mosegedge.progress import Progress
    from mosegedge.space import SearchSpace


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    example = "Example: mosegedge profile --device local --space tiny"
    app.command("profile", rich_help_panel="Measure a device", epilog=example)(profile)


def profile(
    device: Annotated[
        str,
        typer.Option(help="Name of a device, or several as a,b,c: side by side.", autocompletion=device_names),
    ] = "local",
    space: SpaceOption = "tiny",
    data: Annotated[
        str, typer.Option("--data", help="Take crop and number of classes from this data set, as camvid.")
    ] = "",
    data_root: DataRootOption = None,
    scales: Annotated[str, typer.Option(help="Scale digits to cover, as 0,2.")] = "0,1,2,3,4",
    networks: Annotated[int, typer.Option(help="Whole networks; half of them, at most 60, only judge the model.")] = 80,
    method: Annotated[
        Literal["layers", "networks", "both"],
        typer.Option(help="What the model is made of: every layer, random networks, or both."),
    ] = "both",
    passes: Annotated[int, typer.Option(help="How often every model is visited at most.")] = 24,
    budget: Annotated[str, typer.Option(help="Stop after this time, as 90s or 10m.")] = "",
    threads: Annotated[int, typer.Option(min=0, help="Threads inside one operator; 0 for the device's own.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Decides the networks and the order.")] = 0,
    energy: Annotated[
        bool | None,
        typer.Option(
            "--energy/--no-energy", help="Energy of networks and layers; by default networks, if it is counted."
        ),
    ] = None,
    memory: Annotated[bool, typer.Option("--memory/--no-memory", help="Memory of some networks.")] = True,
    profile_root: ProfileRootOption = Path("profiles"),
    accept_new_host_key: AcceptNewHostKey = False,
    restart: Annotated[bool, typer.Option("--restart", help="Set an unfinished measurement aside.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and touch nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measures every layer a space needs, and some whole networks, on a device; writes a profile.

    Interrupted by Ctrl-C or in any other way, the same command goes on where it was.
    """
    from dataclasses import replace

    from mosegedge.devices import load_device
    from mosegedge.profiling import ProfileSettings, make_plan
    from mosegedge.space import SearchSpace

    chosen = [load_device(name) for name in _names(device)]
    say_mistakes()
    chosen = [replace(one, threads=threads) for one in chosen] if threads else chosen
    settings = ProfileSettings(
        scales=_digits(scales),
        networks=networks,
        passes=passes,
        budget_s=seconds(budget) if budget else None,
        seed=seed,
        method=method,
        energy=energy,
        memory=memory,
    )
    loaded = open_space(space, data, data_root) if data else SearchSpace.load(space)
    if dry_run:
        from mosegedge.profiling.estimate import estimate

        plans = [make_plan(loaded, one, settings) for one in chosen]
        found = [(plan, estimate(plan, root=profile_root)) for plan in plans]
        rows = [plan_result(*pair) for pair in found]
        text = "\n\n".join(plan_text(*pair) for pair in found)
        emit(rows[0] if len(rows) == 1 else {"plans": rows}, text, as_json=as_json)
        return
    measure = _profile_one if len(chosen) == 1 else _profile_several
    measure(
        chosen,
        loaded,
        settings=settings,
        root=profile_root,
        restart=restart,
        accept_new_host_key=accept_new_host_key,
        as_json=as_json,
    )


def _profile_one(
    devices: list[Device],
    space: SearchSpace,
    *,
    settings: ProfileSettings,
    root: Path,
    restart: bool,
    accept_new_host_key: bool,
    as_json: bool,
) -> None:
    from mosegedge.profiling import profile_device

    with progress() as bar:
        found = profile_device(
            devices[0],
            space,
            settings=settings,
            root=root,
            progress=bar,
            command=_command(),
            restart=restart,
            accept_new_host_key=accept_new_host_key,
        )
    path = root / f"{found.name}.json"
    say(f"Wrote {path}")
    emit({"path": str(path), **summary(found)}, profile_text(found), as_json=as_json)


def _profile_several(
    devices: list[Device],
    space: SearchSpace,
    *,
    settings: ProfileSettings,
    root: Path,
    restart: bool,
    accept_new_host_key: bool,
    as_json: bool,
) -> None:
    """Prints what was measured, then what was not; ends with the exit code of the first that failed."""
    from mosegedge.profiling.several import profile_devices

    with _progress_of_devices() as progress_of:
        outcomes = profile_devices(
            devices,
            space,
            settings=settings,
            root=root,
            progress_of=progress_of,
            command=_command(),
            restart=restart,
            accept_new_host_key=accept_new_host_key,
        )
    rows: list[dict[str, Any]] = []
    for outcome in outcomes:
        name = outcome.device.name
        if outcome.profile is not None:
            path = root / f"{outcome.profile.name}.json"
            say(f"Wrote {path}")
            rows.append({"target": name, "path": str(path), **summary(outcome.profile)})
        else:
            rows.append({"target": name, "failure": str(outcome.error), "exit_code": _exit_code(outcome.error)})
    text = "\n\n".join(profile_text(outcome.profile) for outcome in outcomes if outcome.profile is not None)
    if text or as_json:
        emit({"profiles": rows}, text, as_json=as_json)
    failed = [row for row in rows if "failure" in row]
    for row in failed:
        say(f"mosegedge: {row['target']}: {row['failure']}")
    if failed:
        again = _command(only=",".join(row["target"] for row in failed))
        say(f"{len(failed)} of {len(rows)} devices failed; what was measured is kept. Go on with: {again}")
        raise typer.Exit(failed[0]["exit_code"])


@contextmanager
def _progress_of_devices() -> Iterator[Callable[[str], Progress]]:
    """A live line a device on a terminal, lines that begin with its name elsewhere."""
    from mosegedge.cli.bars import DeviceBars, LineProgress

    if sys.stderr.isatty():
        with DeviceBars() as bars:
            yield bars.of
    else:
        yield lambda name: LineProgress(f"{name}: ")


def _exit_code(error: Exception | None) -> int:
    return error.exit_code if isinstance(error, MosegedgeError) else MosegedgeError.exit_code


def _command(only: str = "") -> str:
    """The command line as it was typed, or with other devices."""
    words = ["mosegedge", *sys.argv[1:]]
    if only:
        for place, word in enumerate(words):
            if word == "--device":
                words[place + 1] = only
            elif word.startswith("--device="):
                words[place] = f"--device={only}"
    return shlex.join(words)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if not all(names) or len(set(names)) < len(names):
        raise UsageError(f"--device {text} names a device twice, or leaves one out.", fix="--device local,openvino")
    return names


def _digits(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(digit) for digit in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scales {text} cannot be read.", fix="Write digits with commas, as --scales 0,2") from error
