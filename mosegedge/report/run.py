"""Reads a run folder: what was asked for, what was evaluated, what was chosen."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mosegedge.errors import MosegedgeError, SearchError
from mosegedge.files import Journal
from mosegedge.report.records import Generation, Manifest
from mosegedge.search.archive import Archive, Candidate, evaluated, front_of
from mosegedge.search.limits import Limit, all_limits
from mosegedge.search.manifest import read_manifest
from mosegedge.search.objectives import LATENCY, Objective, Objectives, objectives_of
from mosegedge.search.result import keeps_to
from mosegedge.search.select import choose

_RESTORE = "Restore the file from a copy, or search again with another --output."
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Missing:
    """Something outside the run folder that could not be opened, and why; the page says so in its place."""

    reason: str


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where things outside the run folder are, where it is not where the run says.

    Attributes:
        space: Search space by name, or the file of a user's preset with crop and classes: `mine.toml:192x384:19`.
        supernet: Checkpoint, as on the command line.
        profile: Profile, as on the command line.
        profile_root: Folder of the profiles.
        data_root: Folder of the data set, where it needs one.
    """

    space: str | None = None
    supernet: str | None = None
    profile: str | None = None
    profile_root: Path = Path("profiles")
    data_root: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Training:
    """How the supernet was trained, as its checkpoint says: space, data set, settings."""

    space: str
    data: str
    settings: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Run:
    """Everything in a run folder.

    Attributes:
        folder: Where it lies.
        manifest: What it was started with.
        settings: All settings of the search, as they are in `run.json`.
        candidates: Evaluated networks and failures, in their order.
        baselines: Networks of uniform width.
        generations: One record for each finished generation.
        front: Non-dominated in mIoU and latency on the first device among those that keep to the limits, fastest first.
        chosen: The networks picked from the front, fastest first.
        finished: Whether the search came to its end; otherwise the choice is made here from what there is.
    """

    folder: Path
    manifest: Manifest
    settings: dict[str, Any]
    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...]
    generations: tuple[Generation, ...]
    front: tuple[Candidate, ...]
    chosen: tuple[Candidate, ...]
    finished: bool

    @property
    def devices(self) -> tuple[str, ...]:
        """What the profiles are called, the first one of the search first."""
        first = self.manifest.profile
        return (first.label or first.reference.partition("/")[0], *self.manifest.other_profiles)

    @property
    def goals(self) -> Objectives:
        """What the search traded off."""
        return objectives_of(self.manifest.settings.objectives)

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Every limit of the search."""
        return _limits(self.manifest)

    @property
    def within(self) -> list[Candidate]:
        """The evaluated networks that keep to the limits; all of them where none does."""
        return _within(self.manifest, self.candidates)

    def title(self, goal: Objective) -> str:
        """A quantity as people read it; where there are several devices, with the one that it is of."""
        return (goal.named(self.devices[0]) if len(self.devices) > 1 else goal).title

    @property
    def failed(self) -> int:
        """Number of failed evaluations, baselines left out."""
        return len(self.candidates) - len(evaluated(self.candidates))


def read_run(folder: Path) -> Run:
    """Reads a run folder, of a finished search or of one that was interrupted.

    Raises:
        SearchError: There is no run, nothing was evaluated yet, or a file is damaged; the message names it.
    """
    record = read_manifest(folder)
    manifest = parse(Manifest, record, folder / "run.json")
    candidates = _candidates(folder / "archive.jsonl")
    front = tuple(front_of(_within(manifest, candidates)))
    if not front:
        raise SearchError(
            f"No network of {folder} has an accuracy yet ({len(candidates)} were tried).",
            known=f"The first failure: {candidates[0].failure}" if candidates else "",
            fix=f"Let the search go on: mosegedge search --output {folder}",
        )
    path = folder / "generations.jsonl"
    lines = Journal(path).read()
    finished = (folder / "front.json").is_file()
    return Run(
        folder=folder,
        manifest=manifest,
        settings=record["settings"],
        candidates=candidates,
        baselines=_candidates(folder / "baselines.jsonl"),
        generations=tuple(parse(Generation, line, path) for line in lines),
        front=front,
        chosen=_chosen(folder / "front.json") if finished else tuple(choose(front, manifest.settings.chosen)),
        finished=finished,
    )


def parse(model: type[Model], record: Any, path: Path) -> Model:
    """Reads a record of a file; the error names the file and the field."""
    try:
        return model.model_validate(record)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "a record"
        raise SearchError(f"{path} is damaged: {place}: {first['msg']}.", fix=_RESTORE) from error


def read_json(path: Path) -> Any:
    """The content of a JSON file."""
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise SearchError(f"{path} is damaged: {error}.", fix=_RESTORE) from error


def _limits(manifest: Manifest) -> tuple[Limit, ...]:
    latencies = [LATENCY, *(Objective(LATENCY.kind, label) for label in manifest.other_profiles)]
    given = [Limit(objective=limit.objective, bound=limit.bound) for limit in manifest.settings.limits]
    return all_limits(manifest.settings.max_latency_ms, given, latencies)


def _within(manifest: Manifest, candidates: Sequence[Candidate]) -> list[Candidate]:
    done, limits = evaluated(candidates), _limits(manifest)
    return [one for one in done if keeps_to(one, limits, manifest.settings.confidence)] or done


def _candidates(path: Path) -> tuple[Candidate, ...]:
    try:
        candidates = Archive(path).candidates
    except AttributeError as error:
        raise SearchError(f"{path} is damaged: {error}.", fix=_RESTORE) from error
    for candidate in candidates:
        _require_numbers(candidate, path)
    return candidates


def _require_numbers(candidate: Candidate, path: Path) -> None:
    """JSON says nothing about the type of a field, and a wrong one would only show in the middle of a drawing."""
    needed = (candidate.latency_ms, candidate.latency_sd_ms, candidate.params, candidate.flops, candidate.generation)
    optional = (candidate.miou, candidate.predicted_miou)
    for value in (*needed, *(value for value in optional if value is not None)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise SearchError(f"{path} is damaged: {candidate.architecture} holds {value!r}.", fix=_RESTORE)


def _chosen(path: Path) -> tuple[Candidate, ...]:
    content = read_json(path)
    try:
        records = [{name: value for name, value in record.items() if name != "k"} for record in content["chosen"]]
        chosen = tuple(Candidate.from_json(record) for record in records)
    except (KeyError, TypeError, AttributeError, MosegedgeError) as error:
        raise SearchError(f"{path} is damaged: {error!r}.", fix=_RESTORE) from error
    for candidate in chosen:
        _require_numbers(candidate, path)
        if candidate.miou is None:
            raise SearchError(f"{path} is damaged: {candidate.architecture} has no accuracy.", fix=_RESTORE)
    return chosen
