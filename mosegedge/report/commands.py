"""Section: the commands that do it again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mosegedge.report.html import Markup, join, paragraph, reading, section, tag
from mosegedge.report.records import Settings
from mosegedge.report.run import Run, Sources, Training
from mosegedge.search.config import CONFIGURATIONS, SearchConfig
from mosegedge.search.exploration import text_of
from mosegedge.search.limits import option_of
from mosegedge.search.objectives import ACCURACY_AND_LATENCY, objective

_AGAIN = "runs/again"
_LINE = 96
_MEANS_ALONE = 0.5
_SETTABLE = frozenset(
    {
        "initial", "sampling", "generations", "evaluations", "seed", "objectives", "max_latency_ms", "limits",
        "confidence", "latency", "scales", "chosen", "pick", "predictor", "exploration", "explore_from",
        "prescreen.strategy", "inner.method", "inner.generations",
    }
)  # fmt: skip


def commands_of(run: Run, device: str, sources: Sources, training: Training | None) -> list[list[str]]:
    """The steps as argument lists; the supernet's training is the first where its checkpoint could be read."""
    manifest = run.manifest
    data_root = ["--data-root", str(sources.data_root)] if sources.data_root else []
    root = ["--profile-root", str(sources.profile_root)] if sources.profile_root != Path("profiles") else []
    supernet = ["--supernet", sources.supernet or manifest.supernet.path]
    profile = ["--profile", sources.profile or manifest.profile.reference]
    for other in manifest.other_profiles.values():
        profile += ["--profile", other.reference]
    profile += root
    best = f"{_AGAIN}/bundles/network-{len(run.chosen)}"
    train = ["mosegedge", "train", *_training(training), *data_root, "--output", "runs/supernet"] if training else []
    search = ["mosegedge", "search", *profile, *supernet, "--data", manifest.data, *data_root, *_settings(run)]
    export = ["mosegedge", "export", f"{_AGAIN}:{len(run.chosen)}", *supernet, "--device", device, *root, *data_root]
    commands = [
        train,
        [*search, "--output", _AGAIN],
        [*export, "--output", best],
        ["mosegedge", "verify", best, "--device", device, *data_root],
        ["mosegedge", "report", _AGAIN, *root, *data_root],
    ]
    return [command for command in commands if command]


def other_settings(run: Run) -> list[str]:
    """Settings that differ from the named configuration and that no option sets, as `name = value`."""
    return _others(run, CONFIGURATIONS[_nearest(run)])


def folded(command: Sequence[str]) -> str:
    """A command for a shell, on several lines where it is long; an option stays with its value."""
    words = [shlex.quote(word) for word in command]
    lines, line = [], ""
    for index, word in enumerate(words):
        with_value = f"{word} {words[index + 1]}" if word.startswith("-") and index + 1 < len(words) else word
        if line and len(line) + len(with_value) > _LINE:
            lines.append(line)
            line = "   "
        line = f"{line} {word}" if line else word
    return " \\\n".join([*lines, line])


def commands_section(run: Run, device: str, sources: Sources, training: Training | None) -> Markup:
    """The commands, and what has to be the same for the same result."""
    manifest = run.manifest
    lines = "\n".join(folded(command) for command in commands_of(run, device, sources, training))
    made_with = ", ".join(f"{name} {version}" for name, version in sorted(manifest.versions.items()))
    return section(
        "commands",
        "How to do it again",
        reading(
            f"With seed {manifest.settings.seed} and the same profile, checkpoint and package versions the search "
            "evaluates the same networks in the same order."
        ),
        tag("pre", None, tag("code", None, lines)),
        *_caution(run),
        paragraph("Profile ", _digest(manifest.profile.digest), f" ({manifest.profile.reference}), checkpoint ",
                  _digest(manifest.supernet.digest), ", space ", _digest(manifest.space.digest), "."),
        paragraph(f"Made with {made_with}. All settings are in run.json."),
    )  # fmt: skip


def _caution(run: Run) -> list[Markup]:
    others = other_settings(run)
    if not others:
        return []
    text = "The run was started from Python with settings that the command line has no option for: "
    return [paragraph(text, *(join([tag("code", None, setting), " "]) for setting in others))]


def _nearest(run: Run) -> str:
    """The named configuration that leaves the fewest settings without an option."""
    return min(CONFIGURATIONS, key=lambda name: len(_others(run, CONFIGURATIONS[name])))


def _others(run: Run, config: SearchConfig) -> list[str]:
    given, defaults = _flat(run.settings), _flat(config.to_json())
    names = sorted(name for name in given if name not in _SETTABLE and given[name] != defaults.get(name))
    return [f"{name} = {given[name]}" for name in names]


def _settings(run: Run) -> list[str]:
    settings, evaluation = run.manifest.settings, run.manifest.evaluation
    options = ["--config", _nearest(run), "--predictor", settings.predictor]
    explored = text_of(tuple(settings.exploration))
    options += ["--prescreen", settings.prescreen.strategy, "--exploration", explored]
    options += ["--explore-from", str(settings.explore_from)]
    options += [
        "--inner",
        settings.inner.method,
        "--initial",
        str(settings.initial),
        "--sampling",
        settings.sampling,
        "--generations",
        str(settings.generations),
    ]
    options += ["--evaluations", str(settings.evaluations), "--chosen", str(settings.chosen)]
    options += ["--inner-generations", str(settings.inner.generations)]
    options += ["--scales", ",".join(str(scale) for scale in settings.scales), "--seed", str(settings.seed)]
    if settings.max_latency_ms is not None:
        options += ["--max-latency-ms", f"{settings.max_latency_ms:g}"]
    options += _goals(settings)
    for name in ("guide_pictures", "statistics_pictures"):
        if name in evaluation:
            options += [f"--{name.replace('_', '-')}", str(evaluation[name])]
    return options


def _goals(settings: Settings) -> list[str]:
    """Objectives, limits and the way of picking, where they are not the usual ones."""
    options = []
    if settings.objectives != [goal.name for goal in ACCURACY_AND_LATENCY]:
        options += ["--objectives", ",".join(settings.objectives)]
    for limit in settings.limits:
        found = objective(limit.objective)
        options += [option_of(found), f"{f'{found.label}=' if found.label else ''}{limit.bound:g}"]
    if settings.confidence > _MEANS_ALONE:
        options += ["--confidence", f"{settings.confidence:g}"]
    if settings.latency != "predicted":
        options += ["--latency", settings.latency]
    if settings.pick != "spread":
        options += ["--pick", settings.pick]
    return options


def _training(training: Training) -> list[str]:
    options = ["--space", training.space, "--data", training.data]
    for name in ("steps", "batch_size", "learning_rate", "seed"):
        if name in training.settings:
            options += [f"--{name.replace('_', '-')}", str(training.settings[name])]
    return options


def _digest(text: str) -> Markup:
    return tag("code", None, text[:12])


def _flat(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
