"""build_report: reads what there is and writes one HTML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib import resources
from pathlib import Path

from mosegedge.errors import MosegedgeError, SpaceError
from mosegedge.files import sha256_of_file, write_atomic
from mosegedge.profiling.explain import Explanation, explain
from mosegedge.progress import Progress, Silent
from mosegedge.report.bundles import VerifiedBundle, read_bundles
from mosegedge.report.commands import commands_section
from mosegedge.report.front import front_section
from mosegedge.report.generations import generations_section
from mosegedge.report.header import header
from mosegedge.report.html import Markup, tag
from mosegedge.report.latency import latency_section
from mosegedge.report.latency_facts import LatencyFacts, facts_of, open_profile
from mosegedge.report.networks import networks_section
from mosegedge.report.pictures import pictures_section
from mosegedge.report.predictions import Predictions, open_source, predict
from mosegedge.report.run import Missing, Run, Sources, Training, read_run
from mosegedge.report.why import why_section
from mosegedge.space import SearchSpace

__all__ = ["Contents", "Report", "Sources", "build_report", "render"]

REPORT = "report.html"
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True, kw_only=True)
class Report:
    """What was written.

    Attributes:
        path: The page.
        left_out: What it could not show, and why.
    """

    path: Path
    left_out: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Contents:
    """Everything that the page shows.

    Attributes:
        run: The run folder.
        space: Its search space.
        facts: Its latency profile.
        others: Further profiles, by what they are called.
        explained: Where the time of the chosen networks goes.
        bundles: Exported and verified networks.
        predictions: Sample pictures.
        training: Of its supernet, None where the checkpoint could not be opened.
        sources: Where things are, for the commands.
        created: Date of the page.
    """

    run: Run
    space: SearchSpace | Missing
    facts: LatencyFacts | Missing
    others: Mapping[str, LatencyFacts | Missing]
    explained: tuple[Explanation, ...] | Missing
    bundles: tuple[VerifiedBundle, ...]
    predictions: Predictions | Missing
    training: Training | None
    sources: Sources
    created: date


def build_report(
    folder: Path,
    *,
    created: date,
    sources: Sources | None = None,
    pictures: int = 3,
    progress: Progress | None = None,
) -> Report:
    """Writes `report.html` into a run folder.

    Args:
        folder: Of the search, finished or not.
        created: Date that the page carries; the same run, sources and date give the same bytes.
        sources: Where checkpoint, profile and data are.
        pictures: Number of sample pictures; 0 leaves them out.
        progress: Told about the predictions.

    Raises:
        SearchError: The folder holds no run, or one of its files is damaged.
    """
    sources = sources or Sources()
    run = read_run(folder)
    space = _space(run, sources.space)
    facts, explained = _latency(run, space, sources)
    contents = Contents(
        run=run,
        space=space,
        facts=facts,
        others=_others(run, space, sources),
        explained=explained,
        bundles=read_bundles(folder),
        predictions=_predictions(run, sources, pictures, progress or Silent()),
        training=_training(run, sources),
        sources=sources,
        created=created,
    )
    path = folder / REPORT
    write_atomic(path, render(contents))
    parts = (contents.space, contents.facts, *contents.others.values(), contents.predictions)
    return Report(path=path, left_out=tuple(part.reason for part in parts if isinstance(part, Missing)))


def render(contents: Contents) -> str:
    """The page."""
    run, facts = contents.run, contents.facts
    reference = run.manifest.profile.reference
    device = facts.device if isinstance(facts, LatencyFacts) else reference.partition("/")[0]
    style = (resources.files("mosegedge.report") / "style.css").read_text()
    title = f"mosegedge: {run.manifest.space.name} on {' and '.join((device, *run.devices[1:]))}"
    head = tag(
        "head",
        None,
        tag("meta", {"charset": "utf-8"}),
        tag("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        tag("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}),
        tag("meta", {"name": "color-scheme", "content": "light dark"}),
        tag("title", None, title),
        tag("style", None, Markup(style)),
    )
    main = tag(
        "main",
        None,
        header(run, device, facts, contents.others, contents.created.isoformat()),
        front_section(run),
        latency_section(facts, contents.bundles, contents.others),
        generations_section(run),
        networks_section(contents.space, run.chosen),
        why_section(contents.explained),
        pictures_section(contents.predictions),
        commands_section(run, device, contents.sources, contents.training),
    )
    return "<!DOCTYPE html>\n" + tag("html", {"lang": "en"}, head, tag("body", None, main)) + "\n"


def _space(run: Run, name: str | None) -> SearchSpace | Missing:
    reference = run.manifest.space
    try:
        space = SearchSpace.load(name or reference.name)
    except SpaceError as error:
        return Missing(str(error))
    if space.digest != reference.digest:
        return Missing(
            f"The space {space.name} has the digest {space.digest[:12]} here, the search used {reference.digest[:12]}."
        )
    return space


def _latency(
    run: Run, space: SearchSpace | Missing, sources: Sources
) -> tuple[LatencyFacts | Missing, tuple[Explanation, ...] | Missing]:
    """What the profile says of itself, and of the chosen networks."""
    if isinstance(space, Missing):
        return space, space
    reference = run.manifest.profile
    try:
        profile = open_profile(sources.profile or reference.reference, reference.digest, sources.profile_root)
        facts = facts_of(profile, space)
    except (MosegedgeError, OSError) as error:
        return Missing(str(error)), Missing(str(error))
    try:
        model = profile.latency_model(space)
        return facts, tuple(explain(profile, model, candidate.architecture) for candidate in run.chosen)
    except MosegedgeError as error:
        return facts, Missing(str(error))


def _others(run: Run, space: SearchSpace | Missing, sources: Sources) -> dict[str, LatencyFacts | Missing]:
    """What further profiles of the search say of themselves."""
    found: dict[str, LatencyFacts | Missing] = {}
    for name, reference in run.manifest.other_profiles.items():
        if isinstance(space, Missing):
            found[name] = space
            continue
        try:
            profile = open_profile(reference.reference, reference.digest, sources.profile_root)
            found[name] = facts_of(profile, space)
        except (MosegedgeError, OSError) as error:
            found[name] = Missing(str(error))
    return found


def _predictions(run: Run, sources: Sources, pictures: int, progress: Progress) -> Predictions | Missing:
    if pictures == 0:
        return Missing("The report was made without them.")
    try:
        source = open_source(run.manifest, sources.supernet, sources.data_root)
        return predict(source, [candidate.architecture for candidate in run.chosen], pictures, progress)
    except (MosegedgeError, OSError) as error:
        return Missing(str(error))


def _training(run: Run, sources: Sources) -> Training | None:
    """How the supernet was trained; None where it is not at hand, which the pictures' section explains."""
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info

    path = checkpoint_path(sources.supernet or run.manifest.supernet.path)
    try:
        if sha256_of_file(path) != run.manifest.supernet.digest:
            return None
        info = supernet_info(path)
    except (MosegedgeError, OSError):
        return None
    return Training(space=info.space.name, data=info.data, settings=info.training)
