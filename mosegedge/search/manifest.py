"""`run.json`: what a run was started with, and the refusal to go on with anything else."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import Any

from mosegedge.errors import SearchError, UsageError
from mosegedge.files import write_atomic
from mosegedge.progress import Progress
from mosegedge.search.config import Provenance, SearchConfig
from mosegedge.space import SearchSpace

SCHEMA = 6
_PACKAGES = ("mosegedge", "numpy", "scipy", "torch", "lightgbm", "scikit-learn", "pymoo")
_FREE_TO_DIFFER = ("versions", "profile.reference", "profile.label", "supernet.path")


def manifest_of(space: SearchSpace, config: SearchConfig, provenance: Provenance) -> dict[str, Any]:
    """The content of `run.json`."""
    record = {
        "schema": SCHEMA,
        "space": {"name": space.name, "digest": space.digest},
        **provenance.to_json(),
        "settings": config.to_json(),
        "versions": {name: metadata.version(name) for name in _PACKAGES},
    }
    return dict(json.loads(json.dumps(record)))


def upgraded(record: dict[str, Any]) -> dict[str, Any]:
    """A manifest in today's form."""
    for schema in range(int(record["schema"]), SCHEMA):
        record = _MIGRATIONS[schema](record)
    return record


def _with_choices(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 1 did not say which predictor, pre-screening and inner search were used: there was only the paper's."""
    settings = record["settings"]
    inner = {"method": "nsga2", "from_archive": 0.5, **settings["inner"]}
    prescreen = {"strategy": "hierarchical", "counts_front": True, "solver": "genetic"}
    parts = {"predictor": "ranknet-paper", "exploration": 0.0, "prescreen": prescreen}
    return {**record, "schema": 2, "settings": {**settings, **parts, "inner": inner}}


def _with_objectives(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 2 had mIoU and the latency on one profile as objectives, and means alone were compared with the limit.

    Where it does not speak of trust every profile was taken at its word.
    """
    new = {
        "objectives": ["miou", "latency"],
        "limits": [],
        "confidence": 0.5,
        "latency": "predicted",
        "pick": "spread",
    }
    profile = {"label": "", **record["profile"]}
    settings = {**record["settings"], **new}
    return {"trust": {}, **record, "schema": 3, "profile": profile, "other_profiles": {}, "settings": settings}


def _with_sampling(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 3 always began with networks of uniform digits."""
    return {**record, "schema": 4, "settings": {**record["settings"], "sampling": "uniform"}}


def _with_explorations(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 4 explored as far in every generation."""
    settings = record["settings"]
    return {**record, "schema": 5, "settings": {**settings, "exploration": [settings["exploration"]]}}


def _with_explore_from(record: dict[str, Any]) -> dict[str, Any]:
    """Schema 5 explored from the first generation on.

    Where every generation explores as far the start means nothing, and the usual one lets the same command go on.
    """
    settings = record["settings"]
    start = 1 if len(set(settings["exploration"])) > 1 else SearchConfig.explore_from
    return {**record, "schema": 6, "settings": {**settings, "explore_from": start}}


_MIGRATIONS = {1: _with_choices, 2: _with_objectives, 3: _with_sampling, 4: _with_explorations, 5: _with_explore_from}


def start_or_resume(folder: Path, manifest: dict[str, Any], progress: Progress) -> None:
    """Writes `run.json` into a new run folder, or checks that the one there says the same.

    Raises:
        UsageError: The folder holds a run with other settings; the message names the first that differs.
        SearchError: `run.json` is damaged, or there are results without it.
    """
    path = folder / "run.json"
    if not path.exists():
        if (folder / "archive.jsonl").exists():
            raise SearchError(
                f"{folder} holds an archive.jsonl but no run.json, so it is unknown what made it.",
                fix="Choose another --output.",
            )
        write_atomic(path, json.dumps(manifest, indent=2, sort_keys=True) + "\n")
        return
    before = read_manifest(folder)
    old, new = _flat(before), _flat(manifest)
    for name in sorted(set(old) | set(new)):
        if not _may_differ(name) and old.get(name) != new.get(name):
            raise UsageError(
                f"{folder} holds a run with {name} = {_shown(old.get(name))}; this one has {_shown(new.get(name))}.",
                known="A run goes on only with what it was started with.",
                fix="Give the same settings, or another --output.",
            )
    if old.get("versions") != new["versions"]:
        progress.say(
            f"{folder} was started with other package versions; from here on results may differ from its seed's."
        )


def read_manifest(folder: Path) -> dict[str, Any]:
    """Reads `run.json` of a run folder; an older form of it comes in today's, see `upgraded`.

    Raises:
        SearchError: There is none, or it is damaged.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise SearchError(f"{folder} holds no run.json.", fix="Name the --output folder of a search.")
    try:
        record = json.loads(path.read_bytes())
    except ValueError as error:
        raise SearchError(f"{path} is damaged: {error}.", fix="Restore it, or choose another --output.") from error
    if not isinstance(record, dict) or record.get("schema") not in range(1, SCHEMA + 1):
        raise SearchError(f"{path} is no manifest of schema 1 to {SCHEMA}.", fix="Choose another --output.")
    try:
        return upgraded(record)
    except (KeyError, TypeError) as error:
        raise SearchError(
            f"{path} is damaged: it lacks {error}.", fix="Restore it, or choose another --output."
        ) from error


def _may_differ(name: str) -> bool:
    """References say where something lies; what it is, its digest says."""
    return name.startswith(_FREE_TO_DIFFER) or (name.startswith("other_profiles.") and name.endswith(".reference"))


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested fields by their dotted names; `versions` stays whole."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict) and name != "versions":
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _shown(value: Any) -> str:
    return "nothing" if value is None else json.dumps(value)
