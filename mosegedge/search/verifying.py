"""Networks of a finished search timed on their device: which of them stay on the front, and why others do not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mosegedge.errors import SearchError
from mosegedge.files import write_atomic
from mosegedge.search.archive import Candidate, front_of
from mosegedge.search.objectives import ACCURACY_AND_LATENCY, LATENCY
from mosegedge.search.pick import Pick
from mosegedge.search.result import keeps_to
from mosegedge.search.select import choose
from mosegedge.search.standing import Standing, standings
from mosegedge.search.stored import StoredRun
from mosegedge.search.timing import DeviceTimer

VERIFIED = "verified.json"


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What the device said.

    Attributes:
        device: Its name.
        standings: The networks with their measured latency, in the order of the front, and where they stand among one
            another.
    """

    device: str
    standings: tuple[Standing, ...]

    @property
    def kept(self) -> int:
        """How many are still on the front."""
        return sum(standing.on_front for standing in self.standings)

    def to_json(self) -> dict[str, Any]:
        """The content of `verified.json`."""
        return {"device": self.device, "networks": [standing.to_json() for standing in self.standings]}


def verify(run: StoredRun, timer: DeviceTimer, *, everything: bool = False) -> Verified:
    """Times the chosen networks, or the whole front, and writes `verified.json` into the run folder.

    Args:
        run: A finished search.
        timer: Of the device; its journal is removed once everything is measured.
        everything: Whether the whole front is timed.

    Raises:
        SearchError: The search has no front yet.
        DeviceError: The device cannot be reached, or another run holds it.
    """
    finalists = _finalists(run, everything=everything)
    timings = timer.timings([candidate.architecture for candidate in finalists])
    measured = [
        replace(
            candidate,
            measured_ms=timings[candidate.architecture].latency_ms or None,
            measured_sd_ms=timings[candidate.architecture].sd_ms,
            failure=timings[candidate.architecture].failure,
            miou=candidate.miou if timings[candidate.architecture].failure is None else None,
        )
        for candidate in finalists
    ]
    goals = run.config.goals if LATENCY in run.config.goals else ACCURACY_AND_LATENCY
    found = standings(measured, goals, run.limits, run.config.confidence)
    verified = Verified(device=timer.device.name, standings=tuple(found))
    write_atomic(run.folder / VERIFIED, json.dumps(verified.to_json(), indent=2) + "\n")
    timer.journal.unlink(missing_ok=True)
    return verified


def journal_of(folder: Path) -> Path:
    """Where a verification keeps what it has measured until it is finished."""
    return folder / "verifying.jsonl"


def _finalists(run: StoredRun, *, everything: bool) -> list[Candidate]:
    config = run.config
    within = [one for one in run.candidates if one.miou is not None and keeps_to(one, run.limits, config.confidence)]
    front = front_of(within, config.goals)
    if not front or not (run.folder / "front.json").is_file():
        raise SearchError(
            f"The search in {run.folder} is not finished: it has no front yet.",
            fix=f"Finish it: mosegedge search --output {run.folder} (with the settings that it was started with).",
        )
    if everything:
        return front
    return choose(front, config.chosen, pick=Pick.parse(config.pick), goals=config.goals)
