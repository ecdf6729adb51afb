"""A run folder read back: what was asked for and everything that was evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mosegedge.errors import SearchError, UsageError
from mosegedge.search.archive import Archive, Candidate, evaluated
from mosegedge.search.config import SearchConfig
from mosegedge.search.limits import Limit, all_limits
from mosegedge.search.manifest import read_manifest
from mosegedge.search.objectives import LATENCY, Objective
from mosegedge.space import SearchSpace


@dataclass(frozen=True, kw_only=True)
class StoredRun:
    """A run folder.

    Attributes:
        folder: Where it lies.
        manifest: `run.json` in today's form.
        config: Its settings.
        candidates: Evaluated networks and failures, in their order.
        baselines: Networks of uniform width.
    """

    folder: Path
    manifest: dict[str, Any]
    config: SearchConfig
    candidates: tuple[Candidate, ...]
    baselines: tuple[Candidate, ...]

    @property
    def limits(self) -> tuple[Limit, ...]:
        """Every limit of the search."""
        latencies = [LATENCY, *(Objective(LATENCY.kind, label) for label in self.manifest["other_profiles"])]
        return all_limits(self.config.max_latency_ms, self.config.limits, latencies)

    def space(self, name: str | None = None) -> SearchSpace:
        """Its search space.

        Args:
            name: Where it is a preset of the user's.

        Raises:
            UsageError: It is another one than that of the run.
        """
        reference = self.manifest["space"]
        space = SearchSpace.load(name or reference["name"])
        if space.digest != reference["digest"]:
            raise UsageError(
                f"The space {space.name} has the digest {space.digest[:12]}, the run {reference['digest'][:12]}.",
                fix="Name that of the run with --space.",
            )
        return space


def read_stored(folder: Path) -> StoredRun:
    """Reads a run folder, of a finished search or of one that was interrupted.

    Raises:
        SearchError: There is no run, nothing in it has an accuracy, or a file is damaged.
    """
    manifest = read_manifest(folder)
    try:
        config = SearchConfig.from_json(manifest["settings"])
    except (KeyError, TypeError) as error:
        raise SearchError(f"{folder / 'run.json'} is damaged: {error!r}.", fix="Restore it from a copy.") from error
    run = StoredRun(
        folder=folder,
        manifest=manifest,
        config=config,
        candidates=Archive(folder / "archive.jsonl").candidates,
        baselines=Archive(folder / "baselines.jsonl").candidates,
    )
    if not evaluated(run.candidates):
        raise SearchError(
            f"No network of {folder} has an accuracy yet.",
            fix=f"Let the search go on with the command that began it: mosegedge search --profile "
            f"{manifest['profile']['reference']} --output {folder} ...",
        )
    return run
