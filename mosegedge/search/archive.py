"""What was evaluated: candidates, the append-only archive of a run, fronts and their hypervolume."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import MosegedgeError, SearchError
from mosegedge.files import Journal
from mosegedge.space import Architecture

Floats = NDArray[np.float64]

_OPTIONAL_NUMBERS = ("predicted_miou", "miou")
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

    def to_json(self) -> dict[str, Any]:
        """The fields as a JSON object; the code in its text form."""
        record = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "architecture"}
        return {"code": str(self.architecture), **record}

    @classmethod
    def from_json(cls, record: dict[str, Any]) -> Candidate:
        """Reads `to_json`'s object; raises ArchitectureError, KeyError or TypeError where it is none."""
        if not isinstance(record, dict) or not isinstance(record["code"], str):
            raise TypeError("it is no object with a code")
        for name in _NUMBERS:
            absent = record[name] is None and name in _OPTIONAL_NUMBERS
            if not absent and (isinstance(record[name], bool) or not isinstance(record[name], int | float)):
                raise TypeError(f"{name} is {record[name]!r}, which is no number")
        values = {name: value for name, value in record.items() if name != "code"}
        return cls(architecture=Architecture.parse(record["code"]), **values)


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
            except (KeyError, TypeError, MosegedgeError) as error:
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


def objectives(candidates: Sequence[Candidate]) -> Floats:
    """N x 2 of evaluated candidates: latency in ms and minus mIoU, both to be minimised."""
    values = [(c.latency_ms, -c.miou) for c in candidates if c.miou is not None]
    return np.array(values, dtype=np.float64).reshape(-1, 2)


def nondominated(values: Floats) -> NDArray[np.bool_]:
    """Which rows no other row dominates (all columns minimised); of equal rows all are kept."""
    if not len(values):
        return np.zeros(0, dtype=bool)
    if values.shape[1] == 2:
        return _nondominated_pairs(values)
    better = (values[:, None] <= values[None]).all(axis=2) & (values[:, None] < values[None]).any(axis=2)
    return np.asarray(~better.any(axis=0))


def _nondominated_pairs(values: Floats) -> NDArray[np.bool_]:
    """One sweep in ascending order of the first column; equal first values are ordered by the second."""
    order = np.lexsort((values[:, 1], values[:, 0]))
    first, second = values[order].T
    best_before = np.concatenate([[np.inf], np.minimum.accumulate(second)[:-1]])
    repeats = np.concatenate([[False], (first[1:] == first[:-1]) & (second[1:] == second[:-1])])
    alive = second < best_before
    start = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(order))))
    kept = np.empty(len(order), dtype=bool)
    kept[order] = alive[start]
    return kept


def front_of(candidates: Iterable[Candidate]) -> list[Candidate]:
    """The non-dominated evaluated candidates, fastest first; of two with equal values the earlier one."""
    done = evaluated(candidates)
    values = objectives(done)
    keep = np.flatnonzero(nondominated(values))
    _, first = np.unique(values[keep], axis=0, return_index=True)
    kept = [done[int(keep[index])] for index in first]
    return sorted(kept, key=lambda candidate: candidate.latency_ms)


def hypervolume(values: Floats, reference: Floats) -> float:
    """Area that the rows dominate below the reference point, two columns, both minimised.

    Args:
        values: N x 2; rows beyond the reference add nothing.
        reference: The worst corner.
    """
    inside = values[(values < reference).all(axis=1)]
    inside = inside[nondominated(inside)]
    inside = inside[np.argsort(inside[:, 0])]
    widths = np.diff(np.append(inside[:, 0], reference[0]))
    return float((widths * (reference[1] - inside[:, 1])).sum())
