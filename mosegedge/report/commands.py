"""Section: the commands that do it again."""

from __future__ import annotations

import shlex
from pathlib import Path

from mosegedge.report.html import Markup, paragraph, reading, section, tag
from mosegedge.report.run import Run


def commands_of(run: Run, device: str, data_root: Path | None = None) -> list[list[str]]:
    """The steps after the profile and the supernet, as argument lists."""
    manifest, settings = run.manifest, run.manifest.settings
    root = ["--data-root", str(data_root)] if data_root else []
    search = ["mosegedge", "search", "--space", manifest.space.name, "--supernet", manifest.supernet.path]
    search += ["--profile", manifest.profile.reference, "--data", manifest.data, *root]
    search += ["--initial", str(settings.initial), "--generations", str(settings.generations)]
    search += ["--evaluations", str(settings.evaluations), "--seed", str(settings.seed)]
    if settings.max_latency_ms is not None:
        search += ["--max-latency-ms", f"{settings.max_latency_ms:g}"]
    search += ["--output", "runs/again"]
    best = len(run.chosen)
    bundle = f"runs/again/bundles/network-{best}"
    export = ["mosegedge", "export", f"runs/again:{best}", "--supernet", manifest.supernet.path, "--device", device]
    return [
        search,
        [*export, *root, "--output", bundle],
        ["mosegedge", "verify", bundle, "--device", device, *root],
        ["mosegedge", "report", "runs/again", *root],
    ]


def commands_section(run: Run, device: str, data_root: Path | None) -> Markup:
    """The commands and what has to be the same."""
    manifest = run.manifest
    lines = "\n".join(shlex.join(command) for command in commands_of(run, device, data_root))
    made_with = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items()))
    return section(
        "commands",
        "How to do it again",
        reading(
            f"With seed {manifest.settings.seed}, this profile and this checkpoint the search evaluates the same "
            "networks in the same order."
        ),
        tag("pre", None, tag("code", None, lines)),
        paragraph(
            "Profile ", tag("code", None, manifest.profile.digest[:12]), ", checkpoint ",
            tag("code", None, manifest.supernet.digest[:12]), ", space ", tag("code", None, manifest.space.digest[:12]),
            f". Made with {made_with}. All settings are in run.json.",
        ),
    )  # fmt: skip
