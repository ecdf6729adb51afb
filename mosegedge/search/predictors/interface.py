"""The interface of predictors, and what all of ours have in common: checks of what they are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol, Self, runtime_checkable

import numpy as np

from mosegedge.errors import SearchError
from mosegedge.search.predictors.description import CodeDescription, Codes, Values
from mosegedge.search.predictors.encoding import Encoder

_FEWEST_ROWS = 5
_LARGEST_TARGET = 1e100  # their squares must be numbers still


class Predictor(Protocol):
    """Learns the accuracy of networks from their codes."""

    def fit(self, codes: Codes, y: Values) -> object:
        """Learns from evaluated networks."""

    def predict(self, codes: Codes) -> Values:
        """Accuracy of networks, in the unit of the targets."""


@runtime_checkable
class UncertainPredictor(Protocol):
    """A predictor that also knows how sure it is."""

    def fit(self, codes: Codes, y: Values) -> object:
        """Learns from evaluated networks."""

    def predict(self, codes: Codes) -> Values:
        """Accuracy of networks, in the unit of the targets."""

    def predict_with_std(self, codes: Codes) -> tuple[Values, Values]:
        """Accuracies and their standard deviations, both in the unit of the targets."""


class CodePredictor(ABC):
    """A predictor over described codes; a subclass writes `_fit` and `_predict`, which may trust their arguments.

    Args:
        description: Of the codes.
    """

    name: str

    def __init__(self, description: CodeDescription) -> None:
        self.description = description
        self._encoder = Encoder(description)
        self._fitted = False

    def fit(self, codes: Codes, y: Values) -> Self:
        """Learns from N codes and their N accuracies; whatever an earlier call learned is forgotten.

        Raises:
            SearchError: There are too few rows to learn from, or a target is no finite number below 1e100.
            UsageError: The codes are not of the described kind.
        """
        codes, y = self.description.checked(codes), np.asarray(y, dtype=np.float64)
        if len(codes) < _FEWEST_ROWS:
            raise SearchError(
                f"The predictor {self.name} was given {len(codes)} evaluated networks.",
                known=f"It needs at least {_FEWEST_ROWS}.",
                fix="Start the search with a larger --initial.",
            )
        if y.shape != (len(codes),) or not np.isfinite(y).all() or np.abs(y).max() > _LARGEST_TARGET:
            raise SearchError(
                f"The predictor {self.name} was given {len(codes)} codes and targets of the shape {y.shape}"
                f"{_first_wrong(y)}.",
                known=f"It learns from one finite number a code, of at most {_LARGEST_TARGET:.0e}.",
                fix="Leave failed networks out, and give accuracies as shares or per cent.",
            )
        self._fit(codes, y)
        self._fitted = True
        return self

    def predict(self, codes: Codes) -> Values:
        """Accuracies of N codes, in the unit of the targets that `fit` was given.

        Raises:
            SearchError: `fit` has not been called.
            UsageError: The codes are not of the described kind.
        """
        return self._predict(self._askable(codes))

    def _askable(self, codes: Codes) -> Codes:
        self._require_fitted()
        return self.description.checked(codes)

    def _require_fitted(self) -> None:
        if not self._fitted:
            raise SearchError(f"The predictor {self.name} was asked for a prediction before it was fitted.")

    @abstractmethod
    def _fit(self, codes: Codes, y: Values) -> None: ...

    @abstractmethod
    def _predict(self, codes: Codes) -> Values: ...


def _first_wrong(y: Values) -> str:
    wrong = ~(np.abs(y) <= _LARGEST_TARGET)
    return f"; number {np.flatnonzero(wrong)[0]} is {y[wrong][0]}" if y.ndim == 1 and wrong.any() else ""
