"""`mosegedge predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import RootOption
from mosegedge.cli.output import JsonFlag, emit, say


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    example = "Example: mosegedge predict 0-00-001100-001100-00111100-001100 --profile local/tiny-fp32"
    app.command("predict", rich_help_panel="Measure a device", epilog=example)(predict)


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
    from mosegedge.profiling.trust import trust_of
    from mosegedge.space import Architecture, SearchSpace

    found = load_profile(profile, root=output_root)
    model = found.latency_model(SearchSpace.load(space) if space else None)
    trust = trust_of(found, model.space)
    if trust.warning:
        say(trust.warning)
    architecture = Architecture.parse(code)
    mean_ms, sd_ms = model.predict_one(architecture)
    parts = model.parts(architecture)
    result = {
        "code": str(architecture),
        "profile": found.name,
        "latency_ms": mean_ms,
        "sd_ms": sd_ms,
        "shortfalls": list(trust.shortfalls),
        "parts": [part._asdict() for part in parts],
    }
    lines = [f"{part.name:<10} {part.latency_ms:8.3f} ms +- {part.sd_ms:.3f}" for part in parts if part.latency_ms]
    lines.append(f"{'total':<10} {mean_ms:8.3f} ms +- {sd_ms:.3f}  ({found.name})")
    emit(result, "\n".join(lines), as_json=as_json)
