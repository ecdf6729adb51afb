"""`mosegedge profile | predict | profiles list, show`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mosegedge.cli.options import DeviceOption, SpaceOption, open_space
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.errors import UsageError

if TYPE_CHECKING:
    from mosegedge.profiling.plan import Plan
    from mosegedge.profiling.profile import Profile

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}

RootOption = Annotated[Path, typer.Option("--output-root", help="Folder of all profiles.")]

profiles_app = typer.Typer(no_args_is_help=True, help="Profiles on disk: list them, show one.")


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    group = "Measure a device"
    example = "Example: mosegedge profile --device local --space tiny"
    app.command("profile", rich_help_panel=group, epilog=example)(profile)
    example = "Example: mosegedge predict 0-00-001100-001100-00111100-001100 --profile local/tiny-fp32"
    app.command("predict", rich_help_panel=group, epilog=example)(predict)
    app.add_typer(profiles_app, name="profiles", rich_help_panel=group)


def profile(
    device: DeviceOption = "local",
    space: SpaceOption = "tiny",
    data: Annotated[
        str, typer.Option("--data", help="Take crop and number of classes from this data set, as camvid.")
    ] = "",
    scales: Annotated[str, typer.Option(help="Scale digits to cover, as 0,2.")] = "0,1,2,3,4",
    networks: Annotated[int, typer.Option(help="Whole networks; half fit the model, half judge it.")] = 80,
    passes: Annotated[int, typer.Option(help="How often every model is visited.")] = 24,
    budget: Annotated[str, typer.Option(help="Stop after this time, as 90s or 10m.")] = "",
    threads: Annotated[int, typer.Option(min=0, help="Threads inside one operator; 0 for the device's own.")] = 0,
    seed: Annotated[int, typer.Option(min=0, help="Decides the networks and the order.")] = 0,
    output_root: RootOption = Path("profiles"),
    restart: Annotated[bool, typer.Option("--restart", help="Set an unfinished measurement aside.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and touch nothing.")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Measures every layer a space needs, and some whole networks, on a device; writes a profile.

    Interrupted by Ctrl-C or in any other way, the same command goes on where it was.
    """
    from dataclasses import replace

    from mosegedge.devices import load_device
    from mosegedge.profiling import ProfileSettings, make_plan, profile_device
    from mosegedge.space import SearchSpace

    chosen = load_device(device)
    chosen = replace(chosen, threads=threads) if threads else chosen
    settings = ProfileSettings(
        scales=_digits(scales),
        networks=networks,
        passes=passes,
        budget_s=_seconds(budget) if budget else None,
        seed=seed,
    )
    loaded = open_space(space, data) if data else SearchSpace.load(space)
    if dry_run:
        plan = make_plan(loaded, chosen, settings)
        emit(_plan_result(plan), _plan_text(plan), as_json=as_json)
        return
    command = shlex.join(["mosegedge", *sys.argv[1:]])
    with progress() as bar:
        finished = profile_device(
            chosen, loaded, settings=settings, root=output_root, progress=bar, command=command, restart=restart
        )
    path = output_root / f"{finished.name}.json"
    say(f"Wrote {path}")
    emit({"path": str(path), **_summary(finished)}, _profile_text(finished), as_json=as_json)


def predict(
    code: Annotated[str, typer.Argument(help="A network: 29 digits, with '-' or blanks between groups.")],
    profile: Annotated[
        str, typer.Option("--profile", help="A file, or a name: local/tiny-fp32 or local/tiny-fp32/v1.")
    ],
    space: Annotated[str, typer.Option("--space", help="The space, where it is not a shipped preset.")] = "",
    output_root: RootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Predicts the latency of a network on a device, in total and by part."""
    from mosegedge.profiling import load_profile
    from mosegedge.space import Architecture, SearchSpace

    found = load_profile(profile, root=output_root)
    model = found.latency_model(SearchSpace.load(space) if space else None)
    architecture = Architecture.parse(code)
    mean_ms, sd_ms = model.predict_one(architecture)
    parts = model.parts(architecture)
    result = {
        "code": str(architecture),
        "profile": found.name,
        "latency_ms": mean_ms,
        "sd_ms": sd_ms,
        "parts": [part._asdict() for part in parts],
    }
    lines = [f"{part.name:<10} {part.latency_ms:8.3f} ms +- {part.sd_ms:.3f}" for part in parts if part.latency_ms]
    lines.append(f"{'total':<10} {mean_ms:8.3f} ms +- {sd_ms:.3f}  ({found.name})")
    emit(result, "\n".join(lines), as_json=as_json)


@profiles_app.command("list", epilog="Example: mosegedge profiles list")
def list_profiles(output_root: RootOption = Path("profiles"), as_json: JsonFlag = False) -> None:
    """Lists the profiles on disk."""
    from mosegedge.errors import ProfileError
    from mosegedge.profiling import list_profiles, load_profile

    rows: list[dict[str, Any]] = []
    for path in list_profiles(output_root):
        name = str(path.relative_to(output_root).with_suffix(""))
        try:
            rows.append({"name": name, **_summary(load_profile(path))})
        except ProfileError as error:
            rows.append({"name": name, "problem": str(error)})
    lines = [
        f"{row['name']}: {row['problem']}" if "problem" in row else f"{row['name']}: {_one_line(row)}" for row in rows
    ]
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
    emit(_summary(found), _profile_text(found), as_json=as_json)


def _digits(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(digit) for digit in text.split(","))
    except ValueError as error:
        raise UsageError(f"--scales {text} cannot be read.", fix="Write digits with commas, as --scales 0,2") from error


def _seconds(text: str) -> float:
    unit = _SECONDS.get(text[-1:], 1.0)
    try:
        return float(text.rstrip("smh")) * unit
    except ValueError as error:
        raise UsageError(f"--budget {text} is no time.", fix="Write it as 90s, 10m or 1h.") from error


def _plan_result(plan: Plan) -> dict[str, Any]:
    return {
        "space": plan.space.name,
        "device": plan.device.name,
        "threads": plan.device.threads,
        "scales": list(plan.settings.scales),
        "entries": plan.positions,
        "distinct_layers": len(plan.layers),
        "fit_networks": len(plan.fit),
        "held_out_networks": len(plan.held_out),
        "passes": plan.settings.passes,
        "bursts": plan.settings.passes * plan.bursts_a_pass,
        "estimated_minutes": round(plan.estimate_s / 60, 1),
    }


def _plan_text(plan: Plan) -> str:
    scales = ", ".join(map(str, plan.settings.scales))
    return (
        f"{plan.space.name} on {plan.device.name}, {plan.device.threads} thread(s), scales {scales}\n"
        f"{plan.positions} entries of the table, {len(plan.layers)} distinct layers\n"
        f"{len(plan.fit)} whole networks to fit the model, {len(plan.held_out)} to judge it\n"
        f"{plan.settings.passes} passes, {plan.settings.passes * plan.bursts_a_pass} bursts\n"
        f"about {plan.estimate_s / 60:.1f} minutes; nothing was touched"
    )


def _summary(found: Profile) -> dict[str, Any]:
    grades: list[str] = [entry.grade for entry in found.entries]
    return {
        "name": found.name,
        "created": found.created.isoformat(),
        "space": found.space.name,
        "scales": found.protocol.scales,
        "device": {"cpu": found.device.hardware.get("cpu"), **found.device.vendor.get("runtime", {})},
        "threads": found.protocol.threads,
        "statistic": found.protocol.statistic,
        "passes": found.protocol.passes,
        "entries": len(found.entries),
        "grades": {grade: grades.count(grade) for grade in "ABC"},
        "failed": len(found.failed),
        "networks": len(found.networks),
        "model": found.model.model_dump(),
        "error": found.error.model_dump(),
        "repeatability": found.repeatability.model_dump(),
    }


def _one_line(row: dict[str, Any]) -> str:
    error = row["error"]
    return (
        f"{row['created'][:10]}, {row['entries']} layers, scales {','.join(map(str, row['scales']))}, "
        f"held-out tau {error['kendall_tau']:.3f}, MAPE {error['mape']:.1%}"
    )


def _profile_text(found: Profile) -> str:
    row, error, repeat = _summary(found), found.error, found.repeatability
    by_scale, flops_by_scale = (
        ", ".join(f"{scale}: {tau:.3f}" for scale, tau in taus.items())
        for taus in (error.by_scale_kendall_tau, error.by_scale_flops_kendall_tau)
    )
    terms = ", ".join(f"{value:.4g} * {name}" for name, value in found.model.coefficients.items())
    beyond = found.model.overflow
    terms += f", {beyond.ms_per_million:.4g} * weights_million beyond {beyond.held_million:.3g}" if beyond else ""
    constants = ", ".join(f"{scale}: {value:.3f}" for scale, value in found.model.constants_ms.items())
    return (
        f"{found.name}  {row['created']}\n"
        f"device      {row['device']}, {found.protocol.threads} thread(s), {found.protocol.precision}\n"
        f"layers      {row['entries']} at scales {row['scales']}, grades {row['grades']}, failed {row['failed']}\n"
        f"networks    {row['networks']}, of which {error.networks} held out\n"
        f"value       {found.protocol.statistic} of {found.protocol.passes} passes\n"
        f"model       {terms}; constant by scale {constants} ms; sd {found.model.relative_sd:.1%}\n"
        f"held out    Kendall tau {error.kendall_tau:.3f} (by scale {by_scale}), Spearman {error.spearman:.3f}, "
        f"MAPE {error.mape:.2%}, bias {error.bias:+.2%}, worst {error.worst:.1%}\n"
        f"beside it   tau of FLOPs {error.flops_kendall_tau:.3f} (by scale {flops_by_scale}),\n"
        f"            of parameters {error.params_kendall_tau:.3f}, "
        f"of the plain sum {error.sum_of_layers_kendall_tau:.3f} (MAPE {error.sum_of_layers_mape:.2%})\n"
        f"repeats to  tau {repeat.networks_kendall_tau:.3f}, MAPE {repeat.networks_mape:.2%}, "
        f"layers {repeat.layers_mape:.2%}; drift {repeat.drift:.1%}"
    )
