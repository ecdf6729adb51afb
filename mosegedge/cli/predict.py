"""`mosegedge predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import ProfileRootOption
from mosegedge.cli.output import JsonFlag, emit, say
from mosegedge.errors import UsageError
from mosegedge.files import write_atomic


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
    why: Annotated[
        bool, typer.Option("--explain", help="Why it takes so long: every layer, and what one digit costs.")
    ] = False,
    picture: Annotated[Path | None, typer.Option("--picture", help="Write the explanation as an SVG file.")] = None,
    profile_root: ProfileRootOption = Path("profiles"),
    as_json: JsonFlag = False,
) -> None:
    """Predicts the latency of a network on a device, in total and by part.

    With --explain: the share of every layer, whether memory, arithmetic or the launch bounds it, and what each digit
    costs.
    """
    from mosegedge.profiling import load_profile
    from mosegedge.profiling.trust import trust_of
    from mosegedge.space import Architecture, SearchSpace

    if picture is not None and picture.suffix != ".svg":
        raise UsageError(f"The picture {picture} cannot be written.", known="It is an SVG file.", fix="Name it *.svg.")
    found = load_profile(profile, root=profile_root)
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
    text = "\n".join(lines)
    if why or picture is not None:
        from mosegedge.cli.explain_text import explain_result, explain_text
        from mosegedge.profiling.explain import explain

        explanation = explain(found, model, architecture)
        result |= explain_result(explanation)
        text += "\n\n" + explain_text(explanation)
        if picture is not None:
            from mosegedge.report.explanation_file import explanation_svg

            write_atomic(picture, explanation_svg(explanation, found.name))
            result["picture"] = str(picture)
            say(f"Wrote {picture}")
    emit(result, text, as_json=as_json)
