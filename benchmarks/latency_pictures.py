"""A picture like the paper's Fig. 4: predicted against measured, beside FLOPs, and tau against networks measured."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.latency_record import Record
from benchmarks.latency_trials import REPEATED, Contender, case_of, split_of, tau_within_scale
from mosegedge.profiling.judge import kendall_tau
from mosegedge.space.architecture import SCALE

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]

_LINES = {"linear regression": "C1", "ours, networks": "C2", "ours, both": "C0"}
_LEVELS = {REPEATED: "0.2", "sum of layers": "C3", "FLOPs": "0.6"}


class Row(Protocol):
    """A row of the table, see `latency_model`."""

    name: str
    networks: int
    passes: int
    mean: dict[str, float]
    sd: dict[str, float]


def draw(record: Record, rows: Sequence[Any], path: Path, *, judges: int, seed: int, best: Contender) -> None:
    """Three panels: predicted against measured, FLOPs against measured, and tau within a scale against samples."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 4.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    judging, learning = split_of(record, seed, judges)
    predicted = best.predict(case_of(record, best, judging, learning))
    measured, scales = record.full.networks_ms[judging], record.codes[judging, SCALE]
    _scatter(left, predicted.mean, measured, scales)
    left.set_xlabel(f"predicted latency in ms ({best.name}, {best.networks} networks)")
    _scatter(middle, record.space.flops(record.codes[judging]) / 1e9, measured, scales)
    middle.set_xlabel("multiply-adds in billions")
    left.legend(title="scale digit", fontsize="small", loc="lower right")
    middle.legend(title="scale digit", fontsize="small", loc="lower right")
    _against_samples(right, rows)
    figure.savefig(path, dpi=120)


def _scatter(axes: Axes, values: Floats, measured_ms: Floats, scales: NDArray[np.int64]) -> None:
    """Networks with the line fitted to them and tau."""
    for scale in np.unique(scales):
        axes.scatter(values[scales == scale], measured_ms[scales == scale], s=14, color=f"C{scale}", label=str(scale))
    slope, constant = np.polyfit(values, measured_ms, 1)
    ends = np.array([values.min(), values.max()])
    axes.plot(ends, slope * ends + constant, color="red", linewidth=1)
    tau, within = kendall_tau(values, measured_ms), tau_within_scale(scales, values, measured_ms)
    axes.set_title(f"Kendall's tau {tau:.3f}, within a scale {within:.3f}", fontsize="medium")
    axes.set_ylabel("measured latency in ms")
    axes.grid(alpha=0.3)


def _against_samples(axes: Axes, rows: Sequence[Row]) -> None:
    for name, colour in _LINES.items():
        budgets = [row.passes for row in rows if row.name == name]
        for passes in sorted({min(budgets), max(budgets)}):
            found = [row for row in rows if row.name == name and row.passes == passes]
            layers = f" + layers, {passes} passes" if name == "ours, both" else ""
            axes.errorbar(
                [row.networks for row in found],
                [row.mean["tau_within_scale"] for row in found],
                yerr=[row.sd["tau_within_scale"] for row in found],
                color=colour,
                linestyle="-" if passes == max(budgets) else ":",
                marker=".",
                capsize=2,
                label=f"{name.replace(', both', ': networks')}{layers}",
            )
    for row in rows:
        if row.name in _LEVELS:
            axes.axhline(
                row.mean["tau_within_scale"], color=_LEVELS[row.name], linestyle="--", linewidth=1, label=row.name
            )
    axes.set_xscale("log")
    ticks = sorted({row.networks for row in rows if row.name in _LINES})
    axes.set_xticks(ticks, labels=list(map(str, ticks)), fontsize="small")
    axes.minorticks_off()
    axes.set_xlabel("networks measured")
    axes.set_ylabel("Kendall's tau within a scale")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="x-small", loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
