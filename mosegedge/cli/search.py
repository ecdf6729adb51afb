"""`mosegedge search`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from mosegedge.cli.options import (
    DataRootOption,
    ProfileRootOption,
    SupernetOption,
    ThreadsOption,
    digits,
    open_data,
    require_space,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, progress, say

if TYPE_CHECKING:
    from mosegedge.search.config import InnerMethod, PrescreenStrategy, SearchConfig
    from mosegedge.search.loop import SearchResult

Value = TypeVar("Value")


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command(
        "search",
        rich_help_panel="Train and search",
        epilog="Example: mosegedge search --supernet demo --profile local/tiny-fp32 --output runs/search",
    )(search)


def search(
    profile: Annotated[str, typer.Option(help="Profile of the device: a file, or local/tiny-fp32.")],
    output: Annotated[Path, typer.Option(help="Run folder; a search found there goes on.")],
    supernet: SupernetOption = "demo",
    space: Annotated[str, typer.Option(help="Refuse a supernet of another space than this one.")] = "",
    data: Annotated[str, typer.Option(help="Data set that scores networks; the supernet's own by default.")] = "",
    data_root: DataRootOption = None,
    max_latency_ms: Annotated[float | None, typer.Option(help="Evaluate no slower network.")] = None,
    config: Annotated[
        Literal["default", "paper"], typer.Option(help="Where the method below and the sizes have their defaults from.")
    ] = "default",
    predictor: Annotated[
        str | None,
        typer.Option(help="Of accuracy: gp, ranknet, ranknet-paper, kriging, .. (gp; paper: ranknet-paper)."),
    ] = None,
    prescreen: Annotated[
        Literal["hypervolume", "ehvi", "hierarchical", "latency", "survival"] | None,
        typer.Option(help="Which candidates are evaluated (hypervolume; paper: hierarchical)."),
    ] = None,
    exploration: Annotated[
        float | None,
        typer.Option(help="Standard deviations added to predictions (1; 0 where the predictor has none; paper: 0)."),
    ] = None,
    inner: Annotated[
        Literal["nsga2", "moead", "random"] | None, typer.Option(help="Search on predictions (nsga2; paper: nsga2).")
    ] = None,
    inner_generations: Annotated[int | None, typer.Option(help="Generations of it (100; paper: 1000).")] = None,
    initial: Annotated[int | None, typer.Option(help="Networks in the initial population (50; paper: 100).")] = None,
    generations: Annotated[
        int | None, typer.Option(help="Rounds of predict, search, pre-screen, evaluate (26; paper: 20).")
    ] = None,
    evaluations: Annotated[int | None, typer.Option(help="Networks evaluated in each of them (8; paper: 8).")] = None,
    scales: Annotated[str, typer.Option(help="Scale digits to search, as 0,2; all of the profile by default.")] = "",
    chosen: Annotated[int, typer.Option(help="Networks picked from the front.")] = 5,
    guide_pictures: Annotated[int | None, typer.Option(help="Pictures to score on; all by default.")] = None,
    statistics_pictures: Annotated[int, typer.Option(help="Pictures for batch-norm statistics.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same archive.")] = 0,
    profile_root: ProfileRootOption = Path("profiles"),
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Search the best trade-offs between mIoU and latency for one device.

    By default with a Gaussian process and the networks that would add most hypervolume; --config paper is the method
    of the paper with its Table I. Stopped or killed, the same command goes on; the archive is the same.
    """
    from mosegedge.profiling.store import load_profile
    from mosegedge.search.config import configuration
    from mosegedge.search.targeted import Scoring, search_for_device
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info

    set_threads(threads)
    found = load_profile(profile, root=profile_root)
    path = checkpoint_path(supernet)
    info = supernet_info(path)
    data = data or info.data
    if space:
        require_space(space, data, info.space)
    method = _method(configuration(config), predictor, prescreen, exploration, inner, inner_generations)
    settings = replace(
        method,
        initial=_or(initial, method.initial),
        generations=_or(generations, method.generations),
        evaluations=_or(evaluations, method.evaluations),
        seed=seed,
        max_latency_ms=max_latency_ms,
        scales=digits(scales) if scales else tuple(sorted(found.protocol.scales)),
        chosen=chosen,
    )
    scoring = Scoring(
        supernet=path,
        train=open_data(data, "train", data_root),
        guide=open_data(data, "guide", data_root),
        statistics_pictures=statistics_pictures,
        guide_pictures=guide_pictures,
    )
    with progress() as bar:
        result = search_for_device(found, profile, scoring, output, config=settings, progress=bar)
    emit({"run": str(output), **result.to_json()}, text_of(result), as_json=as_json)
    say(f"Next: mosegedge report {output}; mosegedge export {output}:1 --supernet {supernet} --output bundle")


def _method(
    base: SearchConfig,
    predictor: str | None,
    prescreen: PrescreenStrategy | None,
    exploration: float | None,
    inner: InnerMethod | None,
    inner_generations: int | None,
) -> SearchConfig:
    """A named configuration with the given parts in place of its own."""
    from mosegedge.search.accuracy import WITH_DEVIATIONS

    name = _or(predictor, base.predictor)
    return replace(
        base,
        predictor=name,
        exploration=_or(exploration, base.exploration if name in WITH_DEVIATIONS else 0.0),
        prescreen=replace(base.prescreen, strategy=_or(prescreen, base.prescreen.strategy)),
        inner=replace(
            base.inner,
            method=_or(inner, base.inner.method),
            generations=_or(inner_generations, base.inner.generations),
        ),
    )


def _or(given: Value | None, default: Value) -> Value:
    return default if given is None else given


def text_of(result: SearchResult) -> str:
    """The chosen networks as a table: number, code, mIoU, latency."""
    rows = [f"{'k':<3}{'code':<36}{'mIoU':>8}{'latency':>18}"]
    rows += [
        f"{k:<3}{candidate.architecture.slug:<36}{candidate.miou or 0:>8.4f}"
        f"{candidate.latency_ms:>10.2f} +- {candidate.latency_sd_ms:.2f} ms"
        for k, candidate in enumerate(result.chosen, start=1)
    ]
    return "\n".join(rows)
