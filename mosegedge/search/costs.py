"""What networks cost, for many of them at once: one model for each cost, and all of a search together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import ProfileError, UsageError
from mosegedge.search.domain import CodeDomain
from mosegedge.search.objectives import KINDS, LATENCY, Objective, Objectives, costs_among, objective
from mosegedge.space import SearchSpace
from mosegedge.space.codes import Codes

Floats = NDArray[np.float64]


class CostModel(Protocol):
    """A cost of networks, as their latency on one device; a profile makes such models."""

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """Mean and standard deviation for each of N codes."""


@runtime_checkable
class MeanModel(Protocol):
    """A cost model that has means without deviations, in less time; an inner search asks for means alone."""

    def mean(self, codes: Codes) -> Floats:
        """Mean for each of N codes."""


@dataclass(frozen=True)
class Counted:
    """A cost that is counted, not measured, and so known exactly.

    Args:
        count: N codes to N numbers.
    """

    count: Callable[[Codes], NDArray[np.int64]]

    def predict(self, codes: Codes) -> tuple[Floats, Floats]:
        """The numbers, without any spread."""
        return np.asarray(self.count(codes), dtype=np.float64), np.zeros(len(codes))


@dataclass(frozen=True)
class Cost:
    """One cost of networks.

    Args:
        objective: Its name, unit and direction.
        model: Its values.
    """

    objective: Objective
    model: CostModel

    def values(self, codes: Codes, text: Callable[[Codes], str]) -> tuple[Floats, Floats]:
        """Means and standard deviations.

        Args:
            codes: N x D.
            text: Writes a code for a message.

        Raises:
            ProfileError: The model gives a value that is none.
        """
        mean, sd = self.model.predict(codes)
        self._require_numbers(mean, sd, codes, text)
        return mean, sd

    def means(self, codes: Codes, text: Callable[[Codes], str]) -> Floats:
        """Means alone; arguments and errors are those of `values`."""
        if not isinstance(self.model, MeanModel):
            return self.values(codes, text)[0]
        mean = self.model.mean(codes)
        self._require_numbers(mean, np.zeros(len(mean)), codes, text)
        return mean

    def _require_numbers(self, mean: Floats, sd: Floats, codes: Codes, text: Callable[[Codes], str]) -> None:
        right = np.isfinite(mean) & (mean > 0) & np.isfinite(sd)
        if not right.all():
            row = int(right.argmin())
            raise ProfileError(
                f"The profile predicts {mean[row]} +- {sd[row]} {self.objective.unit} for {text(codes[row])}.",
                known=f"{self.objective.kind.title.capitalize()} is a positive number.",
                fix="Measure the device again: mosegedge profile.",
            )


@dataclass(frozen=True)
class Costs:
    """All costs that a search looks at, whether they are objectives, limited, or only recorded.

    Args:
        domain: The codes of the search.
        known: Each cost once; the first is the latency on the first profile.
    """

    domain: CodeDomain
    known: tuple[Cost, ...]

    def predict(self, name: str, codes: Codes) -> tuple[Floats, Floats]:
        """Means and standard deviations of the cost of this name."""
        return self._named(name).values(codes, self.domain.text)

    def means(self, names: Objectives, codes: Codes) -> Floats:
        """N x C means of some costs."""
        columns = [self._named(one.name).means(codes, self.domain.text) for one in names]
        return np.stack(columns, axis=1) if columns else np.zeros((len(codes), 0))

    @property
    def latencies(self) -> Objectives:
        """The latency on each profile."""
        return tuple(cost.objective for cost in self.known if cost.objective.kind == LATENCY.kind)

    @property
    def extra(self) -> Objectives:
        """Costs that have no field of their own in the archive."""
        own = (LATENCY.name, "flops", "params")
        return tuple(cost.objective for cost in self.known if cost.objective.name not in own)

    def require(self, names: Sequence[str]) -> None:
        """Raises UsageError where nothing predicts one of these costs."""
        for name in names:
            self._named(name)

    def _named(self, name: str) -> Cost:
        for cost in self.known:
            if cost.objective.name == name:
                return cost
        raise UsageError(
            f"Nothing in this search predicts {name!r}.",
            known=f"There are {', '.join(cost.objective.name for cost in self.known)}.",
            fix="Give the profile that it comes from: --profile A --profile B.",
        )


def costs_of(
    domain: CodeDomain, space: SearchSpace, latency: CostModel, others: Mapping[str, CostModel] | None = None
) -> Costs:
    """Latency on the first profile, what the space counts, and what other profiles and models give.

    Args:
        domain: The codes of the search.
        space: Counts FLOPs and parameters.
        latency: On the first profile.
        others: Further models by the name of their objective, as `latency@atlas` or `energy`.
    """
    counted = (Counted(space.flops), Counted(space.params))
    known = [Cost(LATENCY, latency)]
    known += [Cost(Objective(KINDS[name]), model) for name, model in zip(("flops", "params"), counted, strict=True)]
    known += [Cost(objective(name), model) for name, model in (others or {}).items()]
    return Costs(domain, tuple(known))


def minimised(goals: Objectives, costs: Floats, miou: Floats) -> Floats:
    """N x M objectives, all to be minimised: costs in their order, and minus mIoU last where it is one of them.

    Args:
        goals: What is traded off.
        costs: N x C means of `costs_among(goals)`.
        miou: Of N networks.
    """
    if len(costs_among(goals)) == len(goals):
        return costs
    return np.column_stack([costs, -miou])
