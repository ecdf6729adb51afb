"""What runs of search strategies reached, kept in a journal so that an interrupted comparison goes on."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.strategy_tasks import Source, Task, oracle_of
from mosegedge.errors import UsageError
from mosegedge.files import Journal, sha256_of_file
from mosegedge.profiling.store import load_profile

Floats = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What a run reached.

    Attributes:
        strategy: Its name.
        seed: Its seed.
        budget: Evaluations that it might have used.
        settings: Digest of its other settings.
        evaluations: Number of networks evaluated at the end of each generation.
        percent: Hypervolume then, in per cent of the ideal front's.
        reasons: How many networks were chosen for which reason.
        seconds: How long it took.
    """

    strategy: str
    seed: int
    budget: int
    settings: str
    evaluations: list[int]
    percent: list[float]
    reasons: dict[str, int]
    seconds: float

    def at(self, evaluations: int) -> float:
        """What had been reached after so many evaluations."""
        done = bisect_right(self.evaluations, evaluations)
        return self.percent[done - 1] if done else 0.0

    def needed_for(self, percent: float) -> int | None:
        """Evaluations until then."""
        return next((e for e, p in zip(self.evaluations, self.percent, strict=True) if p >= percent), None)

    def rises(self) -> dict[str, Any]:
        """Its fields, with the steps that raised the hypervolume and the last one alone; it is as high between them."""
        last = len(self.percent) - 1
        kept = [step for step in range(last + 1) if step in (0, last) or self.percent[step] > self.percent[step - 1]]
        steps = {name: [getattr(self, name)[step] for step in kept] for name in ("evaluations", "percent")}
        return {**asdict(self), **steps}

    def is_of(self, task: Task) -> bool:
        """Whether the task has been run with this."""
        mine = (self.strategy, self.seed, self.budget, self.settings)
        return mine == (task.strategy, task.seed, task.budget, task.settings)


@dataclass(frozen=True, kw_only=True)
class World:
    """The oracle that curves were made on.

    Attributes:
        oracle: Name of the file that it was fitted to.
        digest: SHA-256 of that file.
        profile: Profile of the latencies with the beginning of its digest; empty where the file holds them.
        ideal: Hypervolume of the best front that was found on it.
    """

    oracle: str
    digest: str
    profile: str
    ideal: float


class Record:
    """A journal of curves on one oracle: a line for the oracle, then one for each finished run.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)

    def world(self, source: Source) -> World:
        """The oracle of this file; its ideal front is searched where the file is new.

        Raises:
            UsageError: The file holds curves on another one.
        """
        path = source.archive or source.pool
        if path is None or not path.is_file():
            raise UsageError(f"The oracle {path} cannot be read.", fix="Give --archive, or --pool and --profile.")
        asked = (path.stem, sha256_of_file(path), "" if source.archive else _profile_of(source))
        lines = self._journal.read()
        if not lines:
            oracle, digest, profile = asked
            world = World(oracle=oracle, digest=digest, profile=profile, ideal=oracle_of(source).ideal)
            self._journal.append(asdict(world))
            return world
        known = self.known_world()
        if (known.oracle, known.digest, known.profile) != asked:
            raise UsageError(
                f"{self._journal.path} holds runs on {known.oracle} {known.profile}, {known.digest[:12]}.",
                known=f"Asked for is {asked[0]} {asked[2]}, {asked[1][:12]}.",
                fix="Choose another --journal.",
            )
        return known

    def known_world(self) -> World:
        """The oracle that the file speaks of.

        Raises:
            UsageError: It speaks of none.
        """
        lines = self._journal.read()
        try:
            return World(**lines[0])
        except (IndexError, TypeError) as error:
            raise UsageError(f"{self._journal.path} holds no runs of strategies.", fix="Make them first.") from error

    def curves(self) -> list[Curve]:
        """All finished runs, oldest first."""
        return [Curve(**line) for line in self._journal.read()[1:]]

    def append(self, curve: Curve) -> None:
        """Adds a finished run."""
        self._journal.append(asdict(curve))


def _profile_of(source: Source) -> str:
    found = load_profile(source.profile, root=source.profile_root)
    return f"{found.name} {(found.digest or '')[:12]}"


def mean_and_spread(runs: Sequence[Curve], steps: Iterable[int]) -> tuple[Floats, Floats]:
    """Mean over runs and standard deviation between them, in per cent, at numbers of evaluations."""
    values = np.array([[run.at(step) for run in runs] for step in steps])
    spread = values.std(axis=1, ddof=1) if len(runs) > 1 else np.zeros(len(values))
    return values.mean(axis=1), spread


def by_strategy(curves: Sequence[Curve]) -> dict[str, list[Curve]]:
    """Curves of each strategy, in the order in which strategies first come."""
    names = dict.fromkeys(curve.strategy for curve in curves)
    return {name: [curve for curve in curves if curve.strategy == name] for name in names}


def json_of(content: Mapping[str, Any], curves: Sequence[Curve]) -> str:
    """What a comparison found, with its curves, a line each."""
    lines = ",\n  ".join(json.dumps(curve.rises()) for curve in curves)
    text = json.dumps({**content, "curves": []}, indent=1)
    return text.replace('"curves": []', f'"curves": [\n  {lines}\n ]') + "\n"
