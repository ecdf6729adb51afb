"""Networks scored: what one evaluation gives, and candidates that carry it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from mosegedge.errors import MosegedgeError
from mosegedge.space import Architecture

if TYPE_CHECKING:
    from mosegedge.search.archive import Candidate

Evaluate = Callable[[Architecture], float]


@dataclass(frozen=True)
class Score:
    """What an evaluation gave.

    Attributes:
        miou: The accuracy; whether it is one, is not checked yet.
        failure: Why there is none.
    """

    miou: float | None = None
    failure: str | None = None


class Share(Protocol):
    """Has candidates evaluated, by whomever, and gives them back in the order in which they came."""

    def __call__(self, evaluate: Evaluate, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Evaluates; a candidate that failed already comes back as it is.

        Args:
            evaluate: Accuracy (mIoU in 0..1) of a network. A MosegedgeError that it raises is that network's failure.
            candidates: What is evaluated.
        """


def in_turn(evaluate: Evaluate, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
    """The share of a process that has no others: everything, one after the other."""
    for candidate in candidates:
        if candidate.failure is None:
            yield scored(candidate, score_of(evaluate, candidate.architecture))
        else:
            yield candidate


def score_of(evaluate: Evaluate, architecture: Architecture) -> Score:
    """The accuracy, or the failure that a MosegedgeError stands for."""
    try:
        return Score(miou=float(evaluate(architecture)))
    except MosegedgeError as error:
        return Score(failure=f"{type(error).__name__}: {error}")


def scored(candidate: Candidate, score: Score) -> Candidate:
    """The candidate with what its evaluation gave."""
    return checked(replace(candidate, miou=score.miou, failure=score.failure))


def checked(candidate: Candidate) -> Candidate:
    """A value that is no mIoU is a failure, not a score."""
    if candidate.miou is None:
        return candidate
    if 0.0 <= candidate.miou <= 1.0:
        return replace(candidate, miou=float(candidate.miou))
    return replace(candidate, miou=None, failure=f"The evaluation gave {candidate.miou}, which is no mIoU in 0..1.")
