"""What was evaluated: candidates, the append-only archive of a run, and fronts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import MosegedgeError, SearchError
from mosegedge.files import Journal
from mosegedge.search.costs import minimised
from mosegedge.search.dominance import nondominated
from mosegedge.search.objectives import ACCURACY_AND_LATENCY, LATENCY, Objective, Objectives, costs_among
from mosegedge.space import Architecture

Floats = NDArray[np.float64]

_OPTIONAL_NUMBERS = ("predicted_miou", "miou")
_LEFT_OUT_IF_EMPTY = ("costs", "measured_ms", "measured_sd_ms")
_NUMBERS = ("generation", "latency_ms", "latency_sd_ms", "params", "flops", *_OPTIONAL_NUMBERS)


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One network on its way through the search.

    Attributes:
        architecture: Its code.
        generation: 0 for the initial population, -1 for a baseline.
        reason: Why it was chosen: `lower bound`, `upper bound`, `random`, `baseline`, or by what a pre-screening
            strategy preferred it, as `hypervolume`.
        latency_ms: From the profile.
        latency_sd_ms: Standard deviation that the profile gives for it.
        params: Number of parameters.
        flops: Multiply-adds.
        predicted_miou: What the predictor expected before the evaluation; absent in the initial population.
        miou: Accuracy with inherited weights, absent until it is evaluated and where that failed.
        failure: Why the evaluation failed.
        costs: Mean and standard deviation of costs that have no field here, by the name of their objective.
        measured_ms: Latency as it was measured on the device, in a search that measures it.
        measured_sd_ms: How far two halves of that measurement were apart.
    """

    architecture: Architecture
    generation: int
    reason: str
    latency_ms: float
    latency_sd_ms: float
    params: int
    flops: int
    predicted_miou: float | None = None
    miou: float | None = None
    failure: str | None = None
    costs: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    measured_ms: float | None = None
    measured_sd_ms: float | None = None

    def cost(self, goal: Objective) -> float:
        """What it costs: its mean, or the latency that was measured.

        Raises:
            SearchError: The archive does not say.
        """
        if goal == LATENCY:
            return self.latency_ms if self.measured_ms is None else self.measured_ms
        if goal.name in ("flops", "params"):
            return float(self.flops if goal.name == "flops" else self.params)
        return self._recorded(goal)[0]

    def spread(self, goal: Objective) -> float:
        """Standard deviation of `cost`."""
        if goal == LATENCY:
            return self.latency_sd_ms if self.measured_ms is None else self.measured_sd_ms or 0.0
        return 0.0 if goal.name in ("flops", "params") else self._recorded(goal)[1]

    def _recorded(self, goal: Objective) -> tuple[float, float]:
        if goal.name not in self.costs:
            raise SearchError(
                f"{self.architecture} was archived without its {goal.name}.",
                known=f"It has latency, flops, params{''.join(f', {name}' for name in self.costs)}.",
                fix="Score the archive anew: mosegedge search replay RUN --profile PROFILE --output NEW",
            )
        return self.costs[goal.name]

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; the code in its text form."""
        record = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "architecture"}
        record["costs"] = {name: list(values) for name, values in self.costs.items()}
        record = {name: value for name, value in record.items() if value or name not in _LEFT_OUT_IF_EMPTY}
        return {"code": str(self.architecture), **record}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Candidate:
        """Reads `to_json`'s object; raises ArchitectureError, KeyError or TypeError where it is none."""
        if not isinstance(record, dict) or not isinstance(record["code"], str):
            raise TypeError("it is no object with a code")
        for name in _NUMBERS:
            if record[name] is not None or name not in _OPTIONAL_NUMBERS:
                _require_number(name, record[name])
        for name in ("measured_ms", "measured_sd_ms"):
            _require_number(name, record.get(name, 0.0))
        values = {name: value for name, value in record.items() if name not in ("code", "costs")}
        costs = {name: _pair(name, pair) for name, pair in dict(record.get("costs", {})).items()}
        return cls(architecture=Architecture.parse(record["code"]), costs=costs, **values)


def _require_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} is {value!r}, which is no number")


def _pair(name: str, value: Any) -> tuple[float, float]:
    if not isinstance(value, list) or len(value) != 2:
        raise TypeError(f"{name} is {value!r}, which is no pair of numbers")
    for number in value:
        _require_number(name, number)
    return float(value[0]), float(value[1])


class Archive:
    """Evaluated candidates in the order of their evaluation, in memory and in an append-only file.

    Args:
        path: The file; what is in it already is read.

    Raises:
        SearchError: A line of the file is no candidate.
    """

    def __init__(self, path: Path) -> None:
        self._journal = Journal(path)
        self._candidates: list[Candidate] = []
        self._known: set[Architecture] = set()
        for number, record in enumerate(self._journal.read(), start=1):
            try:
                self._remember(Candidate.from_json(record))
            except (KeyError, TypeError, ValueError, MosegedgeError) as error:
                raise SearchError(
                    f"Line {number} of {path} is no evaluated network: {error}.",
                    known="Only the search writes to this file.",
                    fix="Restore it from a copy, or start again with another --output.",
                ) from error

    def append(self, candidate: Candidate) -> None:
        """Adds an evaluated (or failed) candidate; it is on disk when this returns.

        Raises:
            SearchError: It has neither a result nor a failure, or is in the archive already.
        """
        self._remember(candidate)
        self._journal.append(candidate.to_json())

    def _remember(self, candidate: Candidate) -> None:
        if (candidate.miou is None) == (candidate.failure is None):
            raise SearchError(f"{candidate.architecture} has neither or both of an accuracy and a failure")
        if candidate.architecture in self._known:
            raise SearchError(f"{candidate.architecture} was evaluated already")
        self._known.add(candidate.architecture)
        self._candidates.append(candidate)

    def __len__(self) -> int:
        return len(self._candidates)

    def __contains__(self, architecture: Architecture) -> bool:
        return architecture in self._known

    @property
    def candidates(self) -> tuple[Candidate, ...]:
        """All candidates, failed ones among them."""
        return tuple(self._candidates)

    def before(self, generation: int) -> list[Candidate]:
        """Candidates of earlier generations."""
        return [candidate for candidate in self._candidates if candidate.generation < generation]

    def of(self, generation: int) -> list[Candidate]:
        """Candidates of one generation."""
        return [candidate for candidate in self._candidates if candidate.generation == generation]


def evaluated(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Those with an accuracy."""
    return [candidate for candidate in candidates if candidate.miou is not None]


def objectives(candidates: Sequence[Candidate], goals: Objectives = ACCURACY_AND_LATENCY) -> Floats:
    """N x M of evaluated candidates, all to be minimised: costs in their order, and minus mIoU last."""
    done = evaluated(candidates)
    costs = costs_among(goals)
    values = np.array([[one.cost(goal) for goal in costs] for one in done], dtype=np.float64).reshape(-1, len(costs))
    return minimised(goals, values, np.array([one.miou for one in done], dtype=np.float64))


def front_of(candidates: Iterable[Candidate], goals: Objectives = ACCURACY_AND_LATENCY) -> list[Candidate]:
    """The non-dominated evaluated candidates, lowest first cost first; of two with equal values the earlier one."""
    done = evaluated(candidates)
    values = objectives(done, goals)
    keep = np.flatnonzero(nondominated(values))
    _, first = np.unique(values[keep], axis=0, return_index=True)
    kept = keep[first]
    return [done[int(row)] for row in kept[np.argsort(values[kept, 0], kind="stable")]]
