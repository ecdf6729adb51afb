"""What a cross table is made from: networks, what they cost on every device, and for which cost each was chosen."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mosegedge.errors import UsageError

Floats = NDArray[np.float64]
Which = Literal["predicted", "measured", "first", "second"]


@dataclass(frozen=True, kw_only=True)
class Network:
    """One network and its costs.

    Attributes:
        miou: With inherited weights.
        params: Parameters.
        flops: Multiply-adds.
        predicted_ms: By the profiles, by the name of the cost.
        halves_ms: Measured in the even and in the odd rounds.
    """

    miou: float
    params: int
    flops: int
    predicted_ms: Mapping[str, float]
    halves_ms: Mapping[str, Sequence[float]]

    def cost(self, name: str, which: Which) -> float:
        """A cost; FLOPs are the same however they are asked for."""
        if name == "flops":
            return float(self.flops)
        if which == "predicted":
            return self.predicted_ms[name]
        first, second = self.halves_ms[name]
        return {"measured": (first + second) / 2, "first": first, "second": second}[which]


@dataclass(frozen=True, kw_only=True)
class Winners:
    """The networks chosen for one cost above one floor, cheapest by prediction first.

    Attributes:
        floor: Least mIoU.
        goal: Name of the cost.
        codes: The networks.
    """

    floor: float
    goal: str
    codes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CrossRecord:
    """Everything that was found and measured.

    Attributes:
        facts: When, with what, and how much of it.
        titles: What each cost is called, FLOPs first.
        networks: By their code.
        winners: For every floor and cost.
    """

    facts: Mapping[str, Any]
    titles: Mapping[str, str]
    networks: Mapping[str, Network]
    winners: tuple[Winners, ...]

    @property
    def names(self) -> list[str]:
        """The costs."""
        return list(self.titles)

    @property
    def floors(self) -> list[float]:
        """The floors, ascending."""
        return sorted({one.floor for one in self.winners})

    def codes(self, floor: float, goal: str) -> tuple[str, ...]:
        """The networks chosen for a cost."""
        return next(one.codes for one in self.winners if (one.floor, one.goal) == (floor, goal))

    def mean_cost(self, floor: float, goal: str, name: str, which: Which) -> float:
        """Geometric mean of a cost over the networks chosen for another, or the same, cost."""
        costs = [self.networks[code].cost(name, which) for code in self.codes(floor, goal)]
        return float(np.exp(np.mean(np.log(costs))))

    def excess(self, which: Which) -> Floats:
        """Floors x chosen for x cost: by which share networks cost more than those chosen for that very cost."""
        names = self.names
        costs = np.array(
            [[[self.mean_cost(f, goal, name, which) for name in names] for goal in names] for f in self.floors]
        )
        own = np.diagonal(costs, axis1=1, axis2=2)
        return np.asarray(costs / own[:, None, :] - 1.0)

    def mean_excess(self, which: Which) -> Floats:
        """Chosen for x cost: `excess` over all floors, by the geometric mean of the ratios."""
        return np.asarray(np.exp(np.log1p(self.excess(which)).mean(axis=0)) - 1.0)

    def same(self, goal: str, name: str) -> bool:
        """Whether the networks chosen for two costs are the same above every floor."""
        return all(set(self.codes(floor, goal)) == set(self.codes(floor, name)) for floor in self.floors)

    def spread(self, *, of_mean: bool) -> Floats:
        """Half of the difference between the two halves of the rounds, of `mean_excess` or of `excess`."""
        first, second = ((self.mean_excess if of_mean else self.excess)(half) for half in ("first", "second"))
        return np.asarray(np.abs(first - second) / 2)

    def save(self, path: Path) -> None:
        """Writes it as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> CrossRecord:
        """Reads `save`'s file; raises UsageError where it is none."""
        try:
            found = json.loads(path.read_text())
            return cls(
                facts=found["facts"],
                titles=found["titles"],
                networks={code: Network(**network) for code, network in found["networks"].items()},
                winners=tuple(Winners(**{**one, "codes": tuple(one["codes"])}) for one in found["winners"]),
            )
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(
                f"{path} is no record of a cross table: {error}.", fix="Make one: python -m benchmarks.cross_table"
            ) from error
