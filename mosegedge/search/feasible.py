"""Networks that keep to the limits: which do, some at random, and what can be attained where none does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import InfeasibleError
from mosegedge.search.costs import Costs
from mosegedge.search.limits import Limit, option_of
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]
Draw = Callable[[int, np.random.Generator], Codes]

_ROWS_AT_ONCE = 4096
_UNIFORM_ROUNDS = 25
_CHANGE_ROUNDS = 200
_STEPS_OF_DESCENT = 200


@dataclass(frozen=True, kw_only=True)
class Feasible:
    """The limits of a search, those on mIoU left out: it is known only once a network is evaluated.

    Attributes:
        costs: What networks cost.
        limits: Limits on costs.
        deviations: Standard deviations that are added to a mean before it is compared with its limit.
    """

    costs: Costs
    limits: tuple[Limit, ...] = ()
    deviations: float = 0.0

    def excess(self, codes: Codes) -> Floats:
        """By how much each code breaks the limit that it breaks most, relative to it; 0 or less where all are met."""
        shares = [self._worst(limit, codes) / limit.bound for limit in self.limits]
        return np.asarray(np.max(shares, axis=0) - 1.0) if shares else np.full(len(codes), -1.0)

    def meets(self, codes: Codes) -> NDArray[np.bool_]:
        """Which codes keep to all limits."""
        met = np.ones(len(codes), dtype=bool)
        for limit in self.limits:
            met &= self._worst(limit, codes) <= limit.bound
        return met

    def require_feasible(self, rng: np.random.Generator) -> Codes:
        """A code, length D, that keeps to all limits.

        Raises:
            InfeasibleError: A descent finds none; the message says what can be attained.
        """
        start = self._start(rng)
        for cost in self.costs.known:
            self.costs.predict(cost.objective.name, start)
        code = self._descent(start, self.limits)
        if self.meets(code[None])[0]:
            return code
        for limit in self.limits:
            nearest = self._descent(start, (limit,))
            if self._worst(limit, nearest[None])[0] > limit.bound:
                raise self._out_of_reach(limit, nearest)
        raise self._not_together(code)

    def sample(self, count: int, rng: np.random.Generator, *, draw: Draw | None = None) -> Codes:
        """Up to `count` different random codes that keep to all limits.

        They are drawn as they are asked for as long as such codes are not too rare; the rest is made by random changes
        of codes that do.

        Args:
            count: Number of codes.
            rng: Source of everything random.
            draw: Draws codes, uniformly random ones by default.
        """
        domain = self.costs.domain
        found = domain.ends[:0]
        for _ in range(_UNIFORM_ROUNDS):
            if len(found) >= count:
                break
            found = self._with_new(found, (draw or domain.sample)(_ROWS_AT_ONCE, rng))
        if len(found) < count:
            found = self._with_new(found, self.require_feasible(rng)[None])
        for _ in range(_CHANGE_ROUNDS):
            if len(found) >= count:
                break
            parents = found[rng.integers(len(found), size=_ROWS_AT_ONCE)]
            changed = np.where(rng.random(parents.shape) < 0.1, domain.draw(len(parents), rng), parents)
            found = self._with_new(found, domain.repair(changed, rng))
        return found[:count]

    def _worst(self, limit: Limit, codes: Codes) -> Floats:
        """What a code costs at the confidence that is asked for."""
        mean, sd = self.costs.predict(limit.objective, codes)
        return mean + self.deviations * sd if self.deviations else mean

    def _with_new(self, found: Codes, drawn: Codes) -> Codes:
        """Adds the rows of `drawn` that keep to the limits and are new, in their order."""
        together = np.concatenate([found, drawn[self.meets(drawn)]])
        return together[np.sort(np.unique(together, axis=0, return_index=True)[1])]

    def _start(self, rng: np.random.Generator) -> Codes:
        domain = self.costs.domain
        return np.concatenate([domain.sample(_ROWS_AT_ONCE, rng), domain.ends[:1]])

    def _descent(self, start: Codes, limits: tuple[Limit, ...]) -> Codes:
        """Steepest descent by single changes of what breaks the limits most, from the best of some codes."""
        only = Feasible(costs=self.costs, limits=limits, deviations=self.deviations)
        excess = only.excess(start)
        code, best = start[excess.argmin()], float(excess.min())
        for _ in range(_STEPS_OF_DESCENT if limits else 0):
            near = self.costs.domain.neighbours(code)
            excess = only.excess(near)
            if excess.min() >= best:
                break
            code, best = near[excess.argmin()], float(excess.min())
        return np.asarray(code)

    def _out_of_reach(self, limit: Limit, nearest: Codes) -> InfeasibleError:
        found = limit.of
        mean, sd = (float(value[0]) for value in self.costs.predict(limit.objective, nearest[None]))
        spread = f" +- {sd / found.kind.scale:.2g}" if sd else ""
        value = f"{mean / found.kind.scale:.4g}{spread} {found.unit}".rstrip()
        least = _rounded_up(mean + self.deviations * sd)
        given = f"{found.label}={least:g}" if found.label else f"{least:g}"
        confidence = " with this confidence" if self.deviations else ""
        best = "fastest network" if found.kind.name == "latency" else f"network with the least {found.kind.title}"
        verb = "takes" if found.kind.name == "latency" else "has"
        return InfeasibleError(
            f"No network keeps to {limit.text()}{confidence}.",
            known=f"The {best} of the searched scales {verb} {value}: {self.costs.domain.text(nearest)}.",
            fix=f"Raise {option_of(found)} to {given} or more, or allow smaller scales.",
        )

    def _not_together(self, code: Codes) -> InfeasibleError:
        values = []
        for limit in self.limits:
            mean, _ = self.costs.predict(limit.objective, code[None])
            values.append(f"{limit.of.title.split(',')[0]} {limit.of.shown(float(mean[0]))}")
        return InfeasibleError(
            f"Each of these limits can be met, but no network was found that meets all: "
            f"{'; '.join(limit.text() for limit in self.limits)}.",
            known=f"The nearest has {', '.join(values)}: {self.costs.domain.text(code)}.",
            fix="Raise one of them.",
        )


def _rounded_up(value: float) -> float:
    """Three significant digits, never below the value."""
    unit = 10.0 ** (np.floor(np.log10(value)) - 2)
    return float(np.ceil(value / unit) * unit)
