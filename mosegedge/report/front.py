"""Section: every evaluated network, the front, and what uniform-width networks reach."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mosegedge.report.chart import WIDE, Legend, chart, figure, flag, frame, mark, staircase
from mosegedge.report.fronts import further_fronts, verified_part
from mosegedge.report.html import Markup, beside, details, number, paragraph, reading, section, signed, table
from mosegedge.report.run import Run
from mosegedge.report.volumes import volumes_table
from mosegedge.search.archive import Candidate, evaluated, front_of
from mosegedge.search.objectives import KINDS, LATENCY, costs_among

_SHADES = 4


def front_section(run: Run) -> Markup:
    """The picture of the search."""
    parts = [_figure(run), _chosen_table(run)]
    return section(
        "front",
        "The front",
        reading(_reading(run)),
        beside(parts[0], parts[1], volumes_table(run)),
        *further_fronts(run),
        *verified_part(run),
        details(
            f"All {len(run.front)} networks of the front and {len(run.baselines)} baselines",
            _table("The front, fastest first", run.front),
            _table("Networks of uniform width", run.baselines),
        ),
        *_failures(run),
    )


def shade_of(generation: int, last: int) -> str:
    """Class of a mark: `initial`, or `g0` (early) to `g3` (late)."""
    if generation <= 0:
        return "initial"
    return f"g{round((generation - 1) / max(last - 1, 1) * (_SHADES - 1))}"


def hover(candidate: Candidate) -> str:
    """Code, accuracy, latency: what a mark says when the pointer rests on it."""
    place = {-1: "baseline", 0: "initial population"}.get(candidate.generation, f"generation {candidate.generation}")
    miou = f"mIoU {candidate.miou:.4f}" if candidate.miou is not None else "no accuracy"
    return f"{candidate.architecture}\n{miou} at {candidate.latency_ms:.2f} ms\n{place}, {candidate.reason}"


def gains(run: Run) -> list[float]:
    """For each baseline that no other baseline dominates: mIoU of the best network that is no slower, minus its own."""
    found = []
    for baseline in front_of(run.baselines):
        within = [c.miou for c in run.front if c.latency_ms <= baseline.latency_ms and c.miou is not None]
        if within and baseline.miou is not None:
            found.append(max(within) - baseline.miou)
    return found


def faster_than_front(run: Run) -> int:
    """Number of such baselines that are faster than every network of the front, so that nothing stands against them."""
    return sum(baseline.latency_ms < run.front[0].latency_ms for baseline in front_of(run.baselines))


def _figure(run: Run) -> Markup:
    done, uniform = evaluated(run.candidates), evaluated(run.baselines)
    shown = [*done, *uniform]
    axes = frame(
        WIDE,
        [candidate.cost(LATENCY) for candidate in shown],
        [_miou(candidate) for candidate in shown],
        x_label=run.title(LATENCY).replace(", ms", " by the profile, ms"),
        y_label="mIoU, inherited weights",
    )
    last = max(candidate.generation for candidate in done)
    marks = [staircase(axes, [_point(candidate) for candidate in run.front], "front-line")]
    marks += [mark(axes, "dot", _point(c), f"point {shade_of(c.generation, last)}", hover(c)) for c in done]
    marks += [mark(axes, "diamond", _point(c), "baseline", hover(c)) for c in uniform]
    marks += [flag(axes, _point(c), str(k), f"chosen network {k}\n{hover(c)}") for k, c in enumerate(run.chosen, 1)]
    legend: Legend = [("dot", "point initial", f"initial population ({sum(c.generation == 0 for c in done)})")]
    if last > 0:
        searched = sum(c.generation > 0 for c in done)
        legend += [("dot", "point g0", f"search ({searched}), generation 1")]
    if last > 1:
        legend += [("dot", "point g3", f"to generation {last}")]
    legend += [("line", "front-line", "front")]
    if uniform:
        legend += [("diamond", "baseline", f"uniform width ({len(uniform)})")]
    legend += [("dot", "ring", "chosen")]
    label = f"Accuracy against latency of {len(done)} evaluated networks and {len(uniform)} baselines, with the front."
    return figure(chart(axes, label, *marks), legend)


def _reading(run: Run) -> str:
    fastest, best = run.front[0], run.front[-1]
    place = f" on {run.devices[0]}" if len(run.devices) > 1 else ""
    text = (
        f"The front of {len(run.front)} networks{place} goes from mIoU {_miou(fastest):.3f} at "
        f"{fastest.latency_ms:.2f} ms to {_miou(best):.3f} at {best.latency_ms:.2f} ms"
    )
    found, faster = gains(run), faster_than_front(run)
    if not found:
        return text + "; no baseline can be compared with it."
    ahead = sum(gain > 0 for gain in found)
    mean = float(np.mean(found))
    return text + (
        f"; at equal latency or less it is ahead of the best uniform-width networks in {ahead} of {len(found)} cases, "
        f"with a mean difference of {signed(mean)} mIoU."
        + (f" {faster} of uniform width {'are' if faster > 1 else 'is'} faster than all of it." if faster else "")
    )


def _chosen_table(run: Run) -> Markup:
    """Columns of every cost that was traded off or counted, latency on the first device first."""
    further = [goal for goal in costs_among(run.goals) if goal.label or goal.kind in (KINDS["energy"], KINDS["memory"])]
    rows = (
        (
            str(k),
            number(c.latency_ms),
            *(number(c.cost(goal)) for goal in further),
            number(_miou(c), 4),
            number(c.params / 1e6),
            number(c.flops / 1e6, 0),
        )
        for k, c in enumerate(run.chosen, start=1)
    )
    first = f"ms on {run.devices[0]}" if len(run.devices) > 1 else "ms"
    titles = [f"ms on {goal.label}" if goal.kind == LATENCY.kind else run.title(goal) for goal in further]
    return table("Chosen networks", ("k", first, *titles, "mIoU", "M params", "M FLOPs"), rows)


def _table(caption: str, candidates: Sequence[Candidate]) -> Markup:
    rows = (
        (
            str(c.architecture),
            number(c.latency_ms),
            number(c.latency_sd_ms),
            number(c.miou, 4) if c.miou is not None else f"failed: {c.failure}",
            number(c.params / 1e6),
            number(c.flops / 1e6, 0),
            c.reason,
            str(max(c.generation, 0)),
        )
        for c in candidates
    )
    return table(caption, ("code", "ms", "\u00b1 ms", "mIoU", "M params", "M FLOPs", "chosen for", "generation"), rows)


def _failures(run: Run) -> list[Markup]:
    failed = [candidate for candidate in (*run.candidates, *run.baselines) if candidate.failure is not None]
    if not failed:
        return [paragraph("No evaluation failed.")]
    count = f"{len(failed)} evaluation{'s' if len(failed) > 1 else ''} failed; they have no place in the figure."
    rows = ((str(c.architecture), str(c.failure)) for c in failed)
    return [paragraph(count), details("Failures", table("Failed evaluations", ("code", "failure"), rows))]


def _point(candidate: Candidate) -> tuple[float, float]:
    return candidate.cost(LATENCY), _miou(candidate)


def _miou(candidate: Candidate) -> float:
    if candidate.miou is None:
        raise ValueError(f"{candidate.architecture} has no accuracy")
    return candidate.miou
