"""What a generation left behind: its line in `generations.jsonl`, and results in a few words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import SearchError
from mosegedge.search.archive import Candidate, evaluated, front_of, objectives
from mosegedge.search.dominance import hypervolume
from mosegedge.search.fidelity import kendall_tau
from mosegedge.search.objectives import ACCURACY_AND_LATENCY, LATENCY, Objectives

Floats = NDArray[np.float64]

JUDGED = 32
"""The latest networks whose predictions are compared with what came out."""

_DIGITS = 6


def note_of(candidate: Candidate) -> str:
    """A result in a few words, for a progress bar."""
    if candidate.miou is None:
        return f"failed: {candidate.failure}"
    return f"mIoU {candidate.miou:.4f} at {candidate.cost(LATENCY):.2f} ms"


def require_a_success(past: Sequence[Candidate]) -> None:
    """Raises SearchError where nothing could be evaluated."""
    if not evaluated(past):
        raise SearchError(
            f"All {len(past)} evaluations failed.",
            known=f"The first failure: {past[0].failure}" if past else "",
            fix="Remove the cause and start again with another --output.",
        )


def reference_of(initial: Sequence[Candidate], goals: Objectives = ACCURACY_AND_LATENCY) -> Floats:
    """The worst corner of the initial population: the point that hypervolumes of a run are measured from."""
    return np.asarray(objectives(initial, goals).max(axis=0))


def front_hypervolume(
    candidates: Sequence[Candidate], initial: Sequence[Candidate], goals: Objectives = ACCURACY_AND_LATENCY
) -> float:
    """Hypervolume of evaluated candidates, as ms times mIoU, in the product of the objectives' units."""
    return round(hypervolume(objectives(candidates, goals), reference_of(initial, goals)), _DIGITS)


def generation_record(
    generation: int, past: Sequence[Candidate], goals: Objectives = ACCURACY_AND_LATENCY
) -> dict[str, Any]:
    """What the results say about a finished generation.

    Args:
        generation: Its number.
        past: Everything evaluated up to its end.
        goals: What the search trades off.

    Raises:
        SearchError: Nothing could be evaluated so far.
    """
    require_a_success(past)
    new = [candidate for candidate in past if candidate.generation == generation]
    initial = [candidate for candidate in past if candidate.generation == 0]
    done = evaluated(new)
    reference = reference_of(initial)
    front = front_of(past, goals)
    return {
        "generation": generation,
        "evaluated": len(done),
        "failed": len(new) - len(done),
        "front": len(front),
        "best_miou": max(candidate.miou for candidate in front if candidate.miou is not None),
        "hypervolume": front_hypervolume(front, initial, goals),
        "reference": {"latency_ms": float(reference[0]), "miou": -float(reference[1])},
        "new_tau": _tau_of_predictions(past),
    }


def _tau_of_predictions(past: Sequence[Candidate]) -> dict[str, float | int | None]:
    """How well the latest networks were ordered before they were evaluated; a generation alone has too few to tell."""
    judged = [c for c in evaluated(past) if c.predicted_miou is not None][-JUDGED:]
    miou = np.array([c.miou for c in judged], dtype=float)
    predicted = np.array([c.predicted_miou for c in judged], dtype=float)
    latency_ms = np.array([c.cost(LATENCY) for c in judged], dtype=float)
    return {
        "networks": len(judged),
        "predictor": kendall_tau(predicted, miou),
        "latency": kendall_tau(latency_ms, miou),
    }
