"""Which models the next round visits: until each is known well enough, and the most informative first.

Every model is timed in two rounds. A layer is left out from its fourth burst on once the 95 % interval of its value is
within 0.5 %, or within as much more as its share of the latency of a random network is smaller than that of a usual
layer, 2 % at most; a network from its eighth on, once it is within 1 %: where a runtime places buffers is luck of each
load, which the bursts of one load share, so these are of four loads. A round is the whole plan less those.

Under a budget the rounds after the second are short: those models that promise most for their time. What a model
promises is by how much one more burst lowers the variance of predicted networks. An entry whose cost has the variance
s^2 and that is n times in a network of latency T adds n^2 s^2 / T^2 to the relative variance of its prediction; what
counts is the mean of this over random networks, so that rare and cheap layers wait. Networks carry the constants of
the model, which are means over all of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mosegedge.profiling.journal import ProfileJournal
from mosegedge.profiling.measurement import Measurement, Statistic, choose_statistic
from mosegedge.profiling.plan import BURSTS_A_LOAD, MIN_PASSES, Item, Plan
from mosegedge.space import Architecture
from mosegedge.space.architecture import SCALE

LEAST_BEFORE_STOP = 4
LEAST_OF_NETWORKS = 4 * BURSTS_A_LOAD  # four loads
NETWORK_HALF_WIDTH, LAYER_HALF_WIDTH, WIDEST_HALF_WIDTH = 0.01, 0.005, 0.02
STOPPING = (
    f"once the 95 % interval is within {NETWORK_HALF_WIDTH:.1%} (networks, after {LEAST_OF_NETWORKS} bursts or more) "
    f"or {LAYER_HALF_WIDTH:.1%} (layers, after {LEAST_BEFORE_STOP}; up to {WIDEST_HALF_WIDTH:.0%} the less they add)"
)
_Z95 = 1.96
_SAMPLE = 512
_SHARE_OF_A_ROUND = 0.25
_FEWEST_IN_A_ROUND = 48


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a model so far: value, its standard error, bursts, and what one burst takes."""

    value_ms: float
    se_ms: float
    bursts: int
    burst_s: float

    @property
    def half_width(self) -> float:
        """Of the 95 % interval, relative to the value."""
        return _Z95 * self.se_ms / self.value_ms


def least_bursts(item: Item) -> int:
    """Bursts before a model can be known well enough."""
    return LEAST_OF_NETWORKS if isinstance(item.source, Architecture) else LEAST_BEFORE_STOP


class Schedule:
    """Chooses the models of each round from what the journal holds; the same journal gives the same choice."""

    def __init__(self, plan: Plan, journal: ProfileJournal) -> None:
        self._plan = plan
        self._journal = journal
        self._known: dict[str, Known] = {}
        self._statistic: Statistic = "quantile10"
        self._open: list[Item] = []

    def round(self) -> list[Item]:
        """Models that the next round visits once each; empty when nothing is left to do.

        Those that are behind, as after a window that was measured in vain, come alone and first.
        """
        candidates = [item for item in self._plan.items if item.key not in self._journal.failed]
        counts = {item.key: self._journal.visits(item.key) for item in candidates}
        least = min(counts.values(), default=0)
        self._open = candidates
        if least < MIN_PASSES:
            return [item for item in candidates if counts[item.key] == least]
        self._learn(candidates)
        gains = self.gains()
        allowed = allowed_half_widths(self._plan, gains)
        self._open = [
            item
            for item in candidates
            if counts[item.key] < self._plan.settings.passes and not self._is_narrow(item, allowed)
        ]
        if self._plan.settings.budget_s is None:
            behind = min((counts[item.key] for item in self._open), default=0)
            return [item for item in self._open if counts[item.key] == behind]
        ranked = sorted(self._open, key=lambda item: (-gains[item.key].per_second, item.key))
        return ranked[: max(_FEWEST_IN_A_ROUND, int(_SHARE_OF_A_ROUND * len(ranked)))]

    def left(self) -> int:
        """Bursts that are left at most, as of the latest round."""
        passes = self._plan.settings.passes
        return sum(max(0, passes - self._journal.visits(item.key)) for item in self._open)

    def gains(self) -> dict[str, Gain]:
        """What one more burst of each model promises, by key."""
        return informativeness(self._plan, self._known)

    def _learn(self, items: Sequence[Item]) -> None:
        clock = self._plan.device.clock
        measured: dict[str, Measurement] = {}
        for item in items:
            found = self._journal.measurement(item.key, clock=clock)
            if found is not None:
                measured[item.key] = found
        networks = [measured[item.key] for item in (*self._plan.fit, *self._plan.held_out) if item.key in measured]
        statistic = choose_statistic(networks) if networks else self._statistic
        if statistic != self._statistic:
            self._statistic = statistic
            self._known.clear()
        for key, measurement in measured.items():
            bursts = len(measurement.bursts_ns)
            if key not in self._known or self._known[key].bursts != bursts:
                self._known[key] = Known(
                    value_ms=measurement.value_ms(statistic),
                    se_ms=measurement.se_ms(statistic),
                    bursts=bursts,
                    burst_s=self._journal.windows.burst_s(key),
                )

    def _is_narrow(self, item: Item, allowed: Mapping[str, float]) -> bool:
        known = self._known[item.key]
        return known.bursts >= least_bursts(item) and known.half_width <= allowed[item.key]


@dataclass(frozen=True, slots=True)
class Gain:
    """What a model is worth.

    Attributes:
        share: Root mean square of its share of the latency of a random network; 1 for a network.
        variance: What its present error adds to the relative variance of a predicted network.
        per_second: How much of that one more burst removes, for each second that it takes.
    """

    share: float
    variance: float
    per_second: float


def allowed_half_widths(plan: Plan, gains: Mapping[str, Gain]) -> dict[str, float]:
    """Relative half-width of the interval at which a model is known well enough, for every model with a gain."""
    layers = [layer.key for layer in plan.layers if layer.key in gains]
    usual = float(np.mean([gains[key].share for key in layers])) if layers else 0.0
    allowed = {
        key: float(np.clip(LAYER_HALF_WIDTH * usual / gains[key].share, LAYER_HALF_WIDTH, WIDEST_HALF_WIDTH))
        if gains[key].share > 0
        else WIDEST_HALF_WIDTH
        for key in layers
    }
    return allowed | {key: NETWORK_HALF_WIDTH for key in gains if key not in allowed}


def informativeness(plan: Plan, known: Mapping[str, Known]) -> dict[str, Gain]:
    """Gain of every model of a plan of which something is known, by key."""
    squares = _squared_shares(plan, {item.key: known[item.key].value_ms for item in plan.layers if item.key in known})
    networks = [item.key for item in (*plan.fit, *plan.held_out) if item.key in known]
    found = {key: _gain(known[key], squares[key]) for key in squares}
    return found | {key: _gain(known[key], 1.0, among=len(networks)) for key in networks}


def _gain(known: Known, squared_share: float, *, among: int = 1) -> Gain:
    variance = squared_share * (known.se_ms / known.value_ms) ** 2 / among**2
    left = known.bursts / (known.bursts + 1)
    per_second = variance * (1 - left) / max(known.burst_s, 1e-9)
    return Gain(share=float(np.sqrt(squared_share)), variance=variance, per_second=per_second)


def _squared_shares(plan: Plan, values_ms: Mapping[str, float]) -> dict[str, float]:
    """Mean over random networks of (n v / T)^2 for every layer, with T the sum of the layers' values v."""
    space = plan.space
    codes = space.sample(_SAMPLE, np.random.default_rng(plan.settings.seed))
    codes[:, SCALE] = np.resize(plan.settings.scales, len(codes))
    places = {key: place for place, key in enumerate(values_ms)}
    costs = np.array([*values_ms.values(), 0.0])
    column_of = np.array([places.get(spec.key, len(places)) for spec in space.entries] + [len(places)])
    columns = column_of[space.entries_of(codes)]  # a slot without a layer has the row -1, the last one
    spent = np.zeros((len(codes), len(costs)))
    np.add.at(spent, (np.arange(len(codes))[:, None], columns), costs[columns])
    shares = spent / np.maximum(spent.sum(axis=1, keepdims=True), 1e-12)
    return dict(zip(values_ms, map(float, np.mean(shares**2, axis=0)), strict=False))
