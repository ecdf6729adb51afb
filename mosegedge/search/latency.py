"""Latency as the search sees it: a model with `predict`, a limit, and networks that meet it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import InfeasibleError, ProfileError
from mosegedge.search.domain import CodeDomain
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]

_ROWS_AT_ONCE = 4096
_UNIFORM_ROUNDS = 25
_CHANGE_ROUNDS = 200
_STEPS_OF_DESCENT = 200


class LatencyModel(Protocol):
    """Latency of networks on one device; a profile makes one."""

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and standard deviation in ms of each of N codes."""


@dataclass(frozen=True)
class LatencyLimit:
    """A latency model together with the slowest latency that is allowed.

    Args:
        domain: The codes of the search.
        model: Latency of codes.
        limit_ms: The limit; infinity where there is none.
    """

    domain: CodeDomain
    model: LatencyModel
    limit_ms: float = float("inf")

    def mean_ms(self, codes: Codes) -> Floats:
        """Mean latencies."""
        return self.predict(codes)[0]

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Means and standard deviations.

        Raises:
            ProfileError: The model gives a value that is no latency.
        """
        mean, sd = self.model.predict(codes)
        wrong = ~(np.isfinite(mean) & (mean > 0) & np.isfinite(sd))
        if wrong.any():
            row = int(wrong.argmax())
            raise ProfileError(
                f"The profile predicts {mean[row]} +- {sd[row]} ms for {self.domain.text(codes[row])}.",
                known="A latency is a positive number.",
                fix="Measure the device again: mosegedge profile.",
            )
        return mean, sd

    def excess(self, codes: Codes) -> Floats:
        """By how much each code breaks the limit, relative to it; 0 or negative where it is met."""
        return self.mean_ms(codes) / self.limit_ms - 1.0

    def meets(self, codes: Codes) -> NDArray[np.bool_]:
        """Which codes are fast enough."""
        return self.mean_ms(codes) <= self.limit_ms

    def require_feasible(self, rng: np.random.Generator) -> Codes:
        """The fastest code that a descent finds, length D.

        Raises:
            InfeasibleError: Even that is too slow; the message says what can be attained.
        """
        code, latency_ms = self._fastest(rng)
        if latency_ms > self.limit_ms:
            raise InfeasibleError(
                f"No network has a latency of at most {self.limit_ms:g} ms on this profile.",
                known=f"The fastest of the searched scales takes {latency_ms:.4g} ms: {self.domain.text(code)}.",
                fix=f"Raise --max-latency-ms to {_rounded_up(latency_ms):g} or more, or profile smaller scales.",
            )
        return code

    def sample(self, count: int, rng: np.random.Generator) -> Codes:
        """Up to `count` different random codes that meet the limit.

        They are uniformly random as long as such codes are not too rare; the rest is made by random changes of codes
        that meet it.
        """
        found = self.domain.ends[:0]
        for _ in range(_UNIFORM_ROUNDS):
            if len(found) >= count:
                break
            found = self._with_new(found, self.domain.sample(_ROWS_AT_ONCE, rng))
        if len(found) < count:
            found = self._with_new(found, self.require_feasible(rng)[None])
        for _ in range(_CHANGE_ROUNDS):
            if len(found) >= count:
                break
            parents = found[rng.integers(len(found), size=_ROWS_AT_ONCE)]
            changed = np.where(rng.random(parents.shape) < 0.1, self.domain.draw(len(parents), rng), parents)
            found = self._with_new(found, self.domain.repair(changed, rng))
        return found[:count]

    def _with_new(self, found: Codes, drawn: Codes) -> Codes:
        """Adds the rows of `drawn` that meet the limit and are new, in their order."""
        together = np.concatenate([found, drawn[self.meets(drawn)]])
        return together[np.sort(np.unique(together, axis=0, return_index=True)[1])]

    def _fastest(self, rng: np.random.Generator) -> tuple[Codes, float]:
        """Steepest descent by single changes from the fastest of some random codes and the smallest one."""
        start = np.concatenate([self.domain.sample(_ROWS_AT_ONCE, rng), self.domain.ends[:1]])
        latency_ms = self.mean_ms(start)
        code, best = start[latency_ms.argmin()], float(latency_ms.min())
        for _ in range(_STEPS_OF_DESCENT):
            near = self.domain.neighbours(code)
            latency_ms = self.mean_ms(near)
            if latency_ms.min() >= best:
                break
            code, best = near[latency_ms.argmin()], float(latency_ms.min())
        return code, best


def _rounded_up(latency_ms: float) -> float:
    """Three significant digits, never below the value."""
    unit = 10.0 ** (np.floor(np.log10(latency_ms)) - 2)
    return float(np.ceil(latency_ms / unit) * unit)
