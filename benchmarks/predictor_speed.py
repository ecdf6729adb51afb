"""How long predictors take by the clock on the wall: fitted to a whole archive, asked for 10,000 networks.

All predictors are timed once a round, round after round, so that a disturbance does not hit one of them alone; other
work only adds time, so the value is a low quantile of the rounds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.archives import Evaluations
from benchmarks.contenders import LOG_FLOPS, contender
from benchmarks.splits import PREDICTED_ROWS

_QUANTILE = 0.1


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Times of one predictor, each the 10 % quantile over the rounds and the median.

    Attributes:
        predictor: Name.
        rows: Networks that it was fitted to.
        rounds: How often.
        fit_s: Of the fit.
        median_fit_s: Of the fit.
        predict_ms: Of 10,000 predictions, encoding in it.
        median_predict_ms: Of 10,000 predictions.
    """

    predictor: str
    rows: int
    rounds: int
    fit_s: float
    median_fit_s: float
    predict_ms: float
    median_predict_ms: float


def speeds(data: Evaluations, names: Sequence[str], *, rounds: int, seed: int) -> list[Speed]:
    """Times the predictors; log FLOPs, which know no other networks than the archive's, are left out."""
    names = [name for name in names if name != LOG_FLOPS]
    for name in names:  # the first fit of a process loads libraries
        contender(name, data, np.random.default_rng(seed)).fit(data.codes[:8], data.miou[:8])
    many = data.description.sample(PREDICTED_ROWS, np.random.default_rng(seed))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for number in range(rounds):
        sys.stderr.write(f"\rround {number + 1} of {rounds}")
        for name in names:
            predictor = contender(name, data, np.random.default_rng([seed, number]))
            started = time.perf_counter()
            predictor.fit(data.codes, data.miou)
            fitted = time.perf_counter()
            predictor.predict(many)
            times[name].append((fitted - started, 1e3 * (time.perf_counter() - fitted)))
    sys.stderr.write("\n")
    return [_speed(name, len(data.codes), np.array(times[name])) for name in names]


def speed_text(found: Sequence[Speed]) -> str:
    """A Markdown table."""
    lines = [
        f"Fitted to {found[0].rows} networks in {found[0].rounds} rounds; 10 % quantile (median) by the wall clock:",
        "",
        "| predictor | fit, s | 10,000 predictions, ms |",
        "|---|---|---|",
    ]
    for one in found:
        predict = f"{one.predict_ms:.0f} ({one.median_predict_ms:.0f})"
        lines.append(f"| {one.predictor} | {one.fit_s:.3f} ({one.median_fit_s:.3f}) | {predict} |")
    return "\n".join(lines)


def _speed(name: str, rows: int, times: np.ndarray[tuple[int, int], np.dtype[np.float64]]) -> Speed:
    low, median = np.quantile(times, _QUANTILE, axis=0), np.median(times, axis=0)
    return Speed(
        predictor=name,
        rows=rows,
        rounds=len(times),
        fit_s=round(float(low[0]), 4),
        median_fit_s=round(float(median[0]), 4),
        predict_ms=round(float(low[1]), 2),
        median_predict_ms=round(float(median[1]), 2),
    )
