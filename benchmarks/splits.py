"""Random splits of evaluated networks: a predictor learns from one part and orders the other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, pearsonr, spearmanr

from benchmarks.archives import Floats, load
from benchmarks.contenders import LOG_FLOPS, contender

Indices = NDArray[np.int64]

PREDICTED_ROWS = 10_000
MEASURES = ("tau", "spearman", "pearson", "error", "fit_s", "predict_ms")


@dataclass(frozen=True, kw_only=True)
class Task:
    """One predictor on one split; a split has the same rows for every predictor.

    Attributes:
        source: Path of the evaluated networks.
        predictor: Name of the contender.
        train: Number of rows to learn from.
        test: Most rows to order; 0 for all others.
        repeat: Number of the split.
        seed: Of all splits.
    """

    source: Path
    predictor: str
    train: int
    test: int
    repeat: int
    seed: int


@dataclass(frozen=True, kw_only=True)
class Score:
    """How well it went.

    Attributes:
        task: What was done.
        rows: Number of rows that were ordered.
        tau: Kendall's rank correlation of predictions and accuracies; 0 where all predictions are equal.
        spearman: Spearman's.
        pearson: Pearson's.
        error: Mean absolute error of the predictions, in the unit of the accuracies.
        fit_s: CPU time of the fit; every predictor computes on one thread.
        predict_ms: CPU time of predicting 10,000 random codes.
    """

    task: Task
    rows: int
    tau: float
    spearman: float
    pearson: float
    error: float
    fit_s: float
    predict_ms: float


@dataclass(frozen=True, kw_only=True)
class Row:
    """A line of the table: mean and standard deviation over the splits of each measure.

    Attributes:
        predictor: Name.
        train: Number of rows to learn from.
        test: Number of rows that were ordered.
        repeats: Number of splits.
        mean: Of each measure.
        sd: Of each measure.
    """

    predictor: str
    train: int
    test: int
    repeats: int
    mean: dict[str, float]
    sd: dict[str, float]


def scored(tasks: Sequence[Task], jobs: int) -> Iterator[Score]:
    """Does the tasks in some order, in this process or in several."""
    if jobs == 1:
        for task in tasks:
            yield _score(task)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        for future in as_completed([workers.submit(_score, task) for task in tasks]):
            yield future.result()


def with_progress(scores: Iterable[Score], total: int) -> Iterator[Score]:
    """The same scores; a counter goes to stderr."""
    for number, score in enumerate(scores, start=1):
        sys.stderr.write(f"\r{number} of {total}: {score.task.predictor}, {score.task.train} rows".ljust(78))
        yield score
    sys.stderr.write("\n")


def rows_of(scores: Sequence[Score], predictors: Sequence[str], sizes: Sequence[int]) -> list[Row]:
    """One line for each size and predictor, sizes first."""
    table = []
    for train in sizes:
        for predictor in predictors:
            same = [score for score in scores if (score.task.predictor, score.task.train) == (predictor, train)]
            values = {name: np.array([getattr(score, name) for score in same]) for name in MEASURES}
            table.append(
                Row(
                    predictor=predictor,
                    train=train,
                    test=same[0].rows,
                    repeats=len(same),
                    mean={name: round(float(column.mean()), 6) for name, column in values.items()},
                    sd={
                        name: round(float(column.std(ddof=1)), 6) if len(same) > 1 else 0.0
                        for name, column in values.items()
                    },
                )
            )
    return table


_loaded = cache(load)  # a process reads a source once, however many of its tasks it does


@cache
def _warm_up(source: Path, predictor: str) -> None:
    """The first fit of a process loads libraries; its time is not the predictor's."""
    data = _loaded(source)
    contender(predictor, data, np.random.default_rng(0)).fit(data.codes[:8], data.miou[:8])


def _score(task: Task) -> Score:
    data = _loaded(task.source)
    _warm_up(task.source, task.predictor)
    train, test, rng = _split(task, len(data.codes))
    predictor = contender(task.predictor, data, rng)
    started = time.process_time()
    predictor.fit(data.codes[train], data.miou[train])
    fit_s = time.process_time() - started
    many = data.codes[test] if task.predictor == LOG_FLOPS else data.description.sample(PREDICTED_ROWS, rng)
    started = time.process_time()
    predictor.predict(many)
    predict_ms = (time.process_time() - started) * 1e3
    found, expected = predictor.predict(data.codes[test]), data.miou[test]
    tau, spearman, pearson = _correlations(found, expected)
    return Score(
        task=task,
        rows=len(test),
        tau=tau,
        spearman=spearman,
        pearson=pearson,
        error=float(np.abs(found - expected).mean()),
        fit_s=fit_s,
        predict_ms=predict_ms,
    )


def prediction_of(task: Task) -> tuple[Floats, Floats, float]:
    """What the task's predictor says of the networks that it orders, their accuracies, and tau."""
    data = _loaded(task.source)
    train, test, rng = _split(task, len(data.codes))
    predictor = contender(task.predictor, data, rng)
    predictor.fit(data.codes[train], data.miou[train])
    found, expected = predictor.predict(data.codes[test]), data.miou[test]
    return found, expected, _correlations(found, expected)[0]


def _split(task: Task, rows: int) -> tuple[Indices, Indices, np.random.Generator]:
    """Rows to learn from, rows to order, and the generator that goes on to the predictor."""
    rng = np.random.default_rng([task.seed, task.train, task.repeat])
    order = rng.permutation(rows)
    return order[: task.train], order[task.train :][: task.test or None], rng


def _correlations(found: Floats, expected: Floats) -> tuple[float, float, float]:
    """Predictors that say the same of all networks order nothing: 0."""
    if not np.ptp(found) or not np.ptp(expected):
        return 0.0, 0.0, 0.0
    rank, order, value = kendalltau(found, expected), spearmanr(found, expected), pearsonr(found, expected)
    return float(rank.statistic), float(order.statistic), float(value.statistic)
