"""Section: what each generation brought, and how well the predictor knew it beforehand."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mosegedge.report.chart import PANEL, Legend, Shape, chart, figure, frame, mark, path
from mosegedge.report.html import Markup, beside, missing, number, reading, section, table, tag
from mosegedge.report.records import Generation
from mosegedge.report.run import Run
from mosegedge.report.volumes import volume_unit, volumes

Series = tuple[str, str, Shape, list[tuple[int, float]]]

_TITLE = "By generation"
_TITLES = {"gp": "GP", "ranknet": "RankNet", "ranknet-paper": "RankNet"}


def generations_section(run: Run) -> Markup:
    """Hypervolume and rank correlation over the generations."""
    if not run.generations:
        return section("generations", _TITLE, missing("No generation is finished yet."))
    panels = tag("div", {"class": "panels"}, _volume_figure(run), *_tau_figure(run))
    return section("generations", _TITLE, reading(_reading(run)), beside(panels, _table(run)))


def _volume_figure(run: Run) -> Markup:
    points = [(record.generation, record.hypervolume) for record in run.generations]
    both = volumes(run)
    uniform = both[1] if both and run.baselines else None
    axes = frame(
        PANEL,
        [number_ for number_, _ in points],
        [value for _, value in points] + ([uniform] if uniform is not None else []),
        x_label="generation",
        y_label=f"hypervolume, {volume_unit(run)}",
        whole_x=True,
    )
    marks = [path(axes, points, "series-a")]
    marks += [mark(axes, "dot", point, "mark-a", f"generation {point[0]}: {point[1]:.4f}") for point in points]
    legend: Legend = [("dot", "mark-a", "front")]
    if uniform is not None:
        marks.append(path(axes, [(axes.x.low, uniform), (axes.x.high, uniform)], "identity"))
        legend.append(("line", "identity", "uniform width"))
    return figure(chart(axes, f"Hypervolume of the front after each of {len(points)} generations.", *marks), legend)


def _tau_figure(run: Run) -> list[Markup]:
    series = _series(run)
    points = [point for *_, found in series for point in found]
    if not points:
        return []
    axes = frame(
        PANEL,
        [record.generation for record in run.generations],
        [value for _, value in points] + [0.0, 1.0],
        x_label="generation",
        y_label="Kendall's tau",
        whole_x=True,
    )
    marks = []
    for words, letter, shape, found in series:
        marks.append(path(axes, found, f"series-{letter}"))
        hovers = (f"{words}, generation {point[0]}: {point[1]:.3f}" for point in found)
        marks += [mark(axes, shape, p, f"mark-{letter}", text) for p, text in zip(found, hovers, strict=True)]
    legend: Legend = [(shape, f"mark-{letter}", words) for words, letter, shape, _ in series]
    return [figure(chart(axes, "Rank correlation of accuracy predictions by generation.", *marks), legend)]


def _title(run: Run) -> str:
    """What the page calls the run's predictor."""
    return _TITLES.get(run.manifest.settings.predictor, run.manifest.settings.predictor)


def _series(run: Run) -> list[Series]:
    """Name, class letter, mark and points of each predictor that has any."""
    generations = run.generations
    everything: list[Series] = [
        (f"{_title(run)}, held out", "a", "dot", [(g.generation, t) for g, t in _held_out(generations, "predictor")]),
        ("LightGBM, held out", "b", "diamond", [(g.generation, t) for g, t in _held_out(generations, "lightgbm")]),
        ("log FLOPs, held out", "d", "dot", [(g.generation, t) for g, t in _held_out(generations, "log_flops")]),
        (
            f"{_title(run)}, latest evaluations",
            "c",
            "square",
            [(g.generation, g.new_tau.predictor) for g in generations if g.new_tau.predictor is not None],
        ),
    ]
    return [entry for entry in everything if entry[3]]


def _held_out(generations: Sequence[Generation], name: str) -> list[tuple[Generation, float]]:
    values = ((record, getattr(record.held_out_tau, name)) for record in generations)
    return [(record, value) for record, value in values if value is not None]


def _reading(run: Run) -> str:
    generations = run.generations
    first, last = generations[0], generations[-1]
    if len(generations) == 1:
        return f"The initial population alone has a hypervolume of {first.hypervolume:.4g}."
    gain = last.hypervolume / first.hypervolume - 1 if first.hypervolume > 0 else 0.0
    text = f"{len(generations) - 1} generations changed the hypervolume by {gain:+.1%}"
    judged = [record.held_out_tau for record in generations if record.held_out_tau.predictor is not None]
    if not judged:
        return text + "; no part of the archive was held out to judge the predictor."
    # Means of the same generations only: a predictor may be judged in fewer of them.
    both = [tau for tau in judged if tau.lightgbm is not None] or judged
    taus = [f"{_title(run)}'s tau is {_mean(tau.predictor for tau in both)}"]
    if any(tau.lightgbm is not None for tau in both):
        taus.append(f"LightGBM's {_mean(tau.lightgbm for tau in both)}")
    if all(tau.log_flops is not None for tau in both):
        taus.append(f"that of FLOPs {_mean(tau.log_flops for tau in both)}")
    over = f"in {len(both)} generation{'s' if len(both) > 1 else ''}"
    return text + f"; on held-out networks {', '.join(taus)} on average {over}."


def _mean(taus: Iterable[float | None]) -> str:
    known = [tau for tau in taus if tau is not None]
    return f"{sum(known) / len(known):.2f}".replace("-", "\u2212")


def _table(run: Run) -> Markup:
    rows = (
        (
            str(record.generation),
            str(record.evaluated),
            str(record.failed),
            str(record.front),
            number(record.hypervolume, 4),
            _tau(record.held_out_tau.predictor),
            _tau(record.held_out_tau.lightgbm),
            _tau(record.held_out_tau.log_flops),
            _tau(record.new_tau.predictor),
        )
        for record in run.generations
    )
    columns = (
        "gen.", "evaluated", "failed", "front", "hypervolume", f"{_title(run)} held out", "LightGBM held out",
        "log FLOPs held out", f"{_title(run)} latest",
    )  # fmt: skip
    return table("By generation; the last four columns are Kendall's tau", columns, rows)


def _tau(value: float | None) -> str:
    return "\u2013" if value is None else f"{value:.3f}".replace("-", "\u2212")
