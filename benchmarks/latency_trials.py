"""Latency models judged on networks that they did not see, from one journal, again and again with other networks.

A budget is simulated: the model gets only the first bursts of each layer and of some networks, and is charged for the
seconds inside them and for what went by around them, as a share of what the whole journal took.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency_record import Record, Timings
from mosegedge.profiling.bayes import Networks, Prior, Table, condition
from mosegedge.profiling.fit import assumed_prior, fit_prior
from mosegedge.profiling.formula import FLOPS, SUM
from mosegedge.profiling.judge import SDS_OF_90, kendall_tau
from mosegedge.profiling.latency import LatencyModel
from mosegedge.space.architecture import SCALE
from mosegedge.space.codes import Codes
from mosegedge.space.space import SCALES

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
REPEATED = "half against half"
MEASURES = ("tau", "tau_within_scale", "mape", "coverage90", "minutes")

_WEIGHT_OF_FLOPS = 5.0  # beside 145 digits: it is penalized less
_PENALTIES = np.logspace(-4, 4, 25)


class Prediction(NamedTuple):
    """Of the networks that judge.

    Attributes:
        mean: Milliseconds, or something that orders networks.
        sd_ms: Standard deviation; None where a model has none.
        is_time: Whether `mean` is in milliseconds.
        minutes: What measuring for it took.
        measured_ms: What it is compared with; None for the whole measurement.
    """

    mean: Floats
    sd_ms: Floats | None
    is_time: bool
    minutes: float
    measured_ms: Floats | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """One model at one budget on one split.

    Attributes:
        record: All that was measured.
        timings: What the model may know of it.
        learning: Networks to learn from.
        judging: Networks to predict.
    """

    record: Record
    timings: Timings
    learning: Ints
    judging: Ints

    @property
    def codes(self) -> Codes:
        """Networks to predict."""
        return self.record.codes[self.judging]

    @property
    def networks(self) -> Networks:
        """Networks to learn from."""
        rows, timings = self.learning, self.timings
        return Networks(self.record.codes[rows], timings.networks_ms[rows], timings.networks_se_ms[rows])

    @property
    def networks_minutes(self) -> float:
        """What measuring these took."""
        return float(self.timings.network_minutes[self.learning].sum())


@dataclass(frozen=True)
class Contender:
    """A latency model at one budget.

    Attributes:
        name: Of the model.
        networks: Whole networks that it learns from.
        passes: Bursts of each model that it gets at most; 0 where it needs none.
        predict: Makes it and predicts.
    """

    name: str
    networks: int
    passes: int
    predict: Callable[[Case], Prediction] = field(compare=False)


def contenders(sizes: Sequence[int], fits: Sequence[int], passes: Sequence[int]) -> Iterator[Contender]:
    """All models of the table.

    Args:
        sizes: Numbers of networks for regressions on networks alone.
        fits: Numbers of networks for models of layers and networks.
        passes: Bursts of each model; the last is what single budgets have.
    """
    most = max(passes)
    yield Contender(REPEATED, 0, 0, _half)
    yield Contender("FLOPs", 0, 0, _flops)
    yield Contender("parameters", 0, 0, _parameters)
    yield Contender("sum of layers", 0, most, _sum)
    yield Contender("sum + constant", max(fits), most, _sum_and_constant)
    for size in sizes:
        yield Contender("linear regression", size, most, _linear)
    for size in sizes:
        yield Contender("ours, networks", size, most, _ours_networks)
    for count in passes:
        yield Contender("ours, layers", 0, count, _ours_layers)
        for size in fits:
            yield Contender("ours, both", size, count, _ours_both)


def score(record: Record, contender: Contender, seed: int, judges: int) -> dict[str, float]:
    """How well one model does on one split, which is the same for all models: measures that it has, by name."""
    judging, learning = split_of(record, seed, judges)
    found = contender.predict(case_of(record, contender, judging, learning))
    measured = record.full.networks_ms[judging] if found.measured_ms is None else found.measured_ms
    scales = record.codes[judging, SCALE]
    scores = {
        "tau": kendall_tau(found.mean, measured),
        "tau_within_scale": tau_within_scale(scales, found.mean, measured),
        "minutes": found.minutes,
    }
    if found.is_time:
        scores["mape"] = float(np.mean(np.abs(found.mean / measured - 1)))
    if found.sd_ms is not None:
        scores["coverage90"] = float(np.mean(np.abs(found.mean - measured) <= SDS_OF_90 * found.sd_ms))
    return scores


def case_of(record: Record, contender: Contender, judging: Ints, learning: Ints) -> Case:
    """What a model gets of a split."""
    timings = record.by_passes[contender.passes] if contender.passes else record.full
    return Case(record, timings, learning[: contender.networks], judging)


def split_of(record: Record, seed: int, judges: int) -> tuple[Ints, Ints]:
    """Networks that judge, drawn at random, and those to learn from, the scales in turn."""
    order = np.random.default_rng(seed)
    judging = order.permutation(np.flatnonzero(record.drawn))[:judges]
    return judging, _in_turns(record, order.permutation(np.setdiff1d(np.arange(len(record.codes)), judging)))


def _in_turns(record: Record, rows: Ints) -> Ints:
    """The same networks, the scales in turn."""
    scales = record.codes[rows, SCALE]
    turns = np.zeros(len(rows), dtype=int)
    for scale in np.unique(scales):
        turns[scales == scale] = np.arange(np.sum(scales == scale))
    ordered: Ints = rows[np.argsort(turns, kind="stable")]
    return ordered


def tau_within_scale(scales: Ints, first: Floats, second: Floats) -> float:
    """Mean over scales of Kendall's tau among networks of one scale."""
    return float(np.mean([kendall_tau(first[scales == scale], second[scales == scale]) for scale in np.unique(scales)]))


def _half(case: Case) -> Prediction:
    first, second = (half[case.judging] for half in case.record.halves)
    return Prediction(first, None, True, 0.0, measured_ms=second)


def _flops(case: Case) -> Prediction:
    return Prediction(case.record.space.flops(case.codes).astype(float), None, False, 0.0)


def _parameters(case: Case) -> Prediction:
    return Prediction(case.record.space.params(case.codes).astype(float), None, False, 0.0)


def _sum(case: Case) -> Prediction:
    mean = case.record.space.total(case.codes, case.timings.table.entry_ms)
    return Prediction(mean, None, True, case.timings.layers_minutes)


def _sum_and_constant(case: Case) -> Prediction:
    """One constant a scale, the mean difference of networks of that scale."""
    learning = case.networks
    off_ms = learning.measured_ms - case.record.space.total(learning.codes, case.timings.table.entry_ms)
    scales = learning.codes[:, SCALE]
    constants_ms = np.zeros(SCALES)
    for scale in np.unique(scales):
        constants_ms[scale] = off_ms[scales == scale].mean()
    mean = _sum(case).mean + constants_ms[case.codes[:, SCALE]]
    return Prediction(mean, None, True, case.timings.layers_minutes + case.networks_minutes)


def _linear(case: Case) -> Prediction:
    """Ridge regression of the logarithm on one-hot digits and the logarithm of FLOPs, penalty by leaving one out."""
    features, target = _features(case.record), np.log(case.networks.measured_ms)
    centre = features[case.learning].mean(axis=0)
    left, values, right = np.linalg.svd(features[case.learning] - centre, full_matrices=False)
    projected = left.T @ (target - target.mean())
    errors, found = [], []
    for penalty in _PENALTIES:
        shrink = values**2 / (values**2 + penalty)
        leverage = np.square(left) @ shrink + 1 / len(target)
        residuals = (target - target.mean() - left @ (shrink * projected)) / np.maximum(1 - leverage, 1e-9)
        errors.append(float(np.sqrt(np.mean(residuals**2))))
        found.append(right.T @ (values / (values**2 + penalty) * projected))
    best = int(np.argmin(errors))
    mean = np.exp(target.mean() + (features[case.judging] - centre) @ found[best])
    return Prediction(mean, errors[best] * mean, True, case.networks_minutes)


def _features(record: Record) -> Floats:
    digits = [record.codes[:, place] == value for place in range(record.codes.shape[1]) for value in range(SCALES)]
    flops = np.log(record.space.flops(record.codes).astype(float))
    return np.column_stack([*digits, _WEIGHT_OF_FLOPS * (flops - flops.mean()) / flops.std()]).astype(float)


def _ours_layers(case: Case) -> Prediction:
    prior = assumed_prior(np.unique(case.record.codes[:, SCALE]).tolist())
    nothing = Networks(case.record.codes[:0], np.zeros(0), np.zeros(0))
    return _predicted(case, case.timings.table, nothing, prior, case.timings.layers_minutes)


def _ours_both(case: Case) -> Prediction:
    prior = fit_prior(case.record.space, case.timings.table, case.networks, base=SUM)
    minutes = case.timings.layers_minutes + case.networks_minutes
    return _predicted(case, case.timings.table, case.networks, prior, minutes)


def _ours_networks(case: Case) -> Prediction:
    rows = len(case.record.space.entries)
    nothing = Table(np.full(rows, np.nan), np.zeros(rows))
    prior = fit_prior(case.record.space, nothing, case.networks, base=FLOPS)
    return _predicted(case, nothing, case.networks, prior, case.networks_minutes)


def _predicted(case: Case, table: Table, networks: Networks, prior: Prior, minutes: float) -> Prediction:
    posterior = condition(case.record.space, prior, table, networks)
    model = LatencyModel(
        space=case.record.space,
        name="benchmark",
        device="benchmark",
        entry_ms=posterior.entry_ms,
        overflow=prior.formula.overflow,
        constant_ms=posterior.constant_ms,
        relative_sd=prior.network_sd,
        posterior=posterior,
    )
    mean, sd = model.predict(case.codes)
    return Prediction(mean, sd, True, minutes)
