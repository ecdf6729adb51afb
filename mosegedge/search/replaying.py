"""A finished search seen from another device: its archive with the costs that another profile gives.

Accuracy does not depend on the device, so nothing is evaluated. The result is a run folder like any other, which says
where it came from; a search does not go on in it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mosegedge.errors import UsageError
from mosegedge.files import Journal, canonical_json, write_atomic
from mosegedge.search.archive import Candidate
from mosegedge.search.carrying import Replaced, carried_over
from mosegedge.search.config import SearchConfig
from mosegedge.search.costs import Costs, costs_of
from mosegedge.search.domain import Domain
from mosegedge.search.limits import all_limits
from mosegedge.search.objectives import LATENCY
from mosegedge.search.records import generation_record
from mosegedge.search.result import SearchResult, result_of
from mosegedge.search.standing import Standing, standings
from mosegedge.search.stored import StoredRun
from mosegedge.search.targets import Targets
from mosegedge.space import SearchSpace
from mosegedge.space.codes import encode

_DIGITS = 6


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What changed.

    Attributes:
        folder: The new run folder.
        result: Its front.
        entered: Networks that are on the front here and were not there, lowest first cost first.
        left: Networks that were on the front there, and why they are not here.
        entered_because: Why the former were not on the front there, in their order.
        replaced: Settings of the search that do not hold here.
    """

    folder: Path
    result: SearchResult
    entered: tuple[Candidate, ...]
    entered_because: tuple[str, ...]
    left: tuple[Standing, ...]
    replaced: tuple[Replaced, ...]

    def to_json(self) -> dict[str, Any]:
        """The content of `replay.json`."""
        entered = zip(self.entered, self.entered_because, strict=True)
        return {
            "entered": [{**one.to_json(), "reason_there": reason} for one, reason in entered],
            "left": [standing.to_json() for standing in self.left],
            "replaced": [one.to_json() for one in self.replaced],
        }


def replay(
    run: StoredRun,
    targets: Targets,
    output: Path,
    *,
    space: SearchSpace,
    max_latency_ms: float | None = None,
    pick: str = "",
) -> Replay:
    """Scores an archive anew and writes it as a run folder.

    Args:
        run: The archive.
        targets: One device.
        output: The new folder.
        space: Of the run.
        max_latency_ms: Limit there; that of the run was meant for its own device.
        pick: How networks are picked; as in the run by default, or else by `spread`, which the result then says.

    Raises:
        UsageError: The folder is not new, or networks are to be picked by what is not known there.
        ProfileError: The profile does not cover a network of the archive, or not what the run traded off.
        InfeasibleError: No network keeps to the limit.
    """
    if output.exists() and any(output.iterdir()):
        raise UsageError(f"{output} is not empty.", fix="Name a new folder with --output.")
    device = targets.labels[0]
    config, replaced = carried_over(run.config, device, max_latency_ms=max_latency_ms, pick=pick)
    costs = costs_of(Domain(space), space, targets.latency(0, space), targets.models(config, space))
    candidates, baselines = (rescored(found, costs) for found in (run.candidates, run.baselines))
    result = result_of(config, candidates, baselines, costs.latencies, device=device)
    before = standings(run.candidates, run.config.goals, run.limits, run.config.confidence)
    limits = all_limits(config.max_latency_ms, config.limits, costs.latencies)
    there = {standing.candidate.architecture: standing for standing in before}
    now = standings(candidates, config.goals, limits, config.confidence)
    entered = [one for one in result.front if not there[one.architecture].on_front]
    changed = Replay(
        folder=output,
        result=result,
        entered=tuple(entered),
        entered_because=tuple(there[one.architecture].reason for one in entered),
        left=tuple(one for one in now if there[one.candidate.architecture].on_front and not one.on_front),
        replaced=replaced,
    )
    _write(run, changed, targets, config, candidates, space)
    return changed


def rescored(candidates: Sequence[Candidate], costs: Costs) -> list[Candidate]:
    """The same networks with other costs; accuracies and failures stay."""
    if not candidates:
        return []
    codes = encode([candidate.architecture for candidate in candidates])
    mean, sd = costs.predict(LATENCY.name, codes)
    extra = {goal.name: costs.predict(goal.name, codes) for goal in costs.extra}
    return [
        replace(
            candidate,
            latency_ms=round(float(mean[row]), _DIGITS),
            latency_sd_ms=round(float(sd[row]), _DIGITS),
            costs={
                name: (round(float(means[row]), _DIGITS), round(float(sds[row]), _DIGITS))
                for name, (means, sds) in extra.items()
            },
            measured_ms=None,
            measured_sd_ms=None,
        )
        for row, candidate in enumerate(candidates)
    ]


def _write(
    run: StoredRun,
    changed: Replay,
    targets: Targets,
    config: SearchConfig,
    candidates: Sequence[Candidate],
    space: SearchSpace,
) -> None:
    target, output = targets.targets[0], changed.folder
    manifest = {
        **run.manifest,
        "profile": {
            "reference": target.reference,
            "digest": target.profile.digest or "",
            "label": targets.labels[0],
        },
        "other_profiles": {},
        "trust": {trust.profile: trust.to_json() for trust in targets.trusts(space) if trust.shortfalls},
        "settings": config.to_json(),
        "replayed": {"run": str(run.folder), "profile": run.manifest["profile"]},
    }
    lines = Journal(run.folder / "generations.jsonl").read()
    generations = [
        {**line, **generation_record(number, [c for c in candidates if c.generation <= number], config.goals)}
        for number, line in enumerate(lines)
    ]
    write_atomic(output / "archive.jsonl", _lines([candidate.to_json() for candidate in candidates]))
    write_atomic(output / "baselines.jsonl", _lines([one.to_json() for one in changed.result.baselines]))
    write_atomic(output / "generations.jsonl", _lines(generations))
    write_atomic(output / "front.json", json.dumps(changed.result.to_json(), indent=2) + "\n")
    write_atomic(output / "replay.json", json.dumps(changed.to_json(), indent=2) + "\n")
    write_atomic(output / "run.json", json.dumps(manifest, indent=2, sort_keys=True) + "\n")


def _lines(records: Sequence[dict[str, Any]]) -> str:
    return "".join(f"{canonical_json(record)}\n" for record in records)
