"""Part of the front's section: the front of each further objective, and what the device said of the chosen networks."""

from __future__ import annotations

from mosegedge.report.chart import PANEL, Legend, chart, figure, flag, frame, mark, staircase
from mosegedge.report.html import Markup, details, number, paragraph, table, tag
from mosegedge.report.run import Run, read_json
from mosegedge.search.archive import Candidate, evaluated, front_of
from mosegedge.search.objectives import LATENCY, MIOU, Objective, Objectives, costs_among

_VERIFIED = "verified.json"


def further_fronts(run: Run) -> list[Markup]:
    """A figure for each cost beside latency, mIoU against it, and the front of all objectives; nothing for the pair."""
    goals = run.goals
    others = [goal for goal in costs_among(goals) if goal != LATENCY]
    if not others:
        return []
    panels = tag("div", {"class": "panels"}, *(_panel(run, goal) for goal in others))
    common = front_of(run.candidates, goals)
    fronts = [(goal, front_of(run.candidates, (MIOU, goal))) for goal in costs_among(goals)]
    sizes = ", ".join(f"{len(front)} on that of {run.title(goal).split(',')[0]}" for goal, front in fronts)
    words = f"{len(common)} networks are on the front of all objectives together; against mIoU alone {sizes}."
    return [panels, paragraph(words), details("The front of all objectives", _table(run, common, goals))]


def verified_part(run: Run) -> list[Markup]:
    """What `mosegedge search verify` found, where it was run."""
    path = run.folder / _VERIFIED
    if not path.is_file():
        return []
    content = read_json(path)
    rows = [_verified_row(k, record) for k, record in enumerate(content.get("networks", ()), start=1)]
    kept = sum(row[-1] == "" for row in rows)
    words = f"Timed on {content.get('device', 'the device')}, {kept} of {len(rows)} networks stay on the front."
    columns = ("k", "code", "predicted ms", "measured ms", "off the front because")
    return [paragraph(words), table("Networks timed on the device", columns, rows)]


def _panel(run: Run, goal: Objective) -> Markup:
    done = [one for one in evaluated(run.candidates) if one.miou is not None]
    front = front_of(done, (MIOU, goal))
    points = [_point(one, goal) for one in done]
    title = run.title(goal)
    axes = frame(
        PANEL, [x for x, _ in points], [y for _, y in points], x_label=title, y_label="mIoU, inherited weights"
    )
    marks = [staircase(axes, [_point(one, goal) for one in front], "front-line")]
    marks += [mark(axes, "dot", _point(one, goal), "point g3", _hover(one, goal)) for one in done]
    marks += [flag(axes, _point(one, goal), str(k), _hover(one, goal)) for k, one in enumerate(run.chosen, start=1)]
    legend: Legend = [("dot", "point g3", f"evaluated ({len(done)})"), ("line", "front-line", f"front ({len(front)})")]
    legend += [("dot", "ring", "chosen")]
    return figure(chart(axes, f"Accuracy against {title} of {len(done)} networks, with the front.", *marks), legend)


def _table(run: Run, candidates: list[Candidate], goals: Objectives) -> Markup:
    costs = costs_among(goals)
    rows = (
        (
            str(one.architecture),
            number(one.miou or 0.0, 4),
            *(number(one.cost(goal) / goal.kind.scale) for goal in costs),
        )
        for one in candidates
    )
    return table("All objectives", ("code", "mIoU", *(run.title(goal) for goal in costs)), rows)


def _hover(candidate: Candidate, goal: Objective) -> str:
    return f"{candidate.architecture}\n{goal.shown(candidate.cost(goal))}"


def _point(candidate: Candidate, goal: Objective) -> tuple[float, float]:
    return candidate.cost(goal) / goal.kind.scale, candidate.miou or 0.0


def _verified_row(k: int, record: dict[str, object]) -> tuple[str, ...]:
    measured = record.get("measured_ms")
    return (
        str(k),
        str(record.get("code", "")),
        number(float(str(record.get("latency_ms", "nan")))),
        number(float(str(measured))) if measured else "failed",
        str(record.get("reason", "")),
    )
