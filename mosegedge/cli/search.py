"""`mosegedge search`, and what can be done with a finished one: `mosegedge search replay` and `verify`."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import typer

from mosegedge.cli import search_after
from mosegedge.cli.options import (
    DataRootOption,
    GuidePicturesOption,
    ProfileRootOption,
    SupernetOption,
    ThreadsOption,
    digits,
    open_data,
    require_space,
    set_threads,
)
from mosegedge.cli.output import JsonFlag, emit, progress, say
from mosegedge.cli.ranks import help_out, require_one_process
from mosegedge.cli.search_limits import limits_of
from mosegedge.cli.search_text import text_of
from mosegedge.errors import UsageError
from mosegedge.supernet.launch import member_from

if TYPE_CHECKING:
    from mosegedge.search.config import InnerMethod, PrescreenStrategy, SearchConfig
    from mosegedge.search.scoring import Scoring

Value = TypeVar("Value")

search_app = typer.Typer(invoke_without_command=True)


def register(app: typer.Typer) -> None:
    """Adds the commands to the root application."""
    search_app.callback(
        epilog="Example: mosegedge search --supernet demo --profile local/tiny-fp32 --output runs/search"
    )(search)
    search_after.register(search_app)
    app.add_typer(search_app, name="search", rich_help_panel="Train and search")


def search(
    context: typer.Context,
    profile: Annotated[
        list[str] | None,
        typer.Option(help="Profile of the device: a file, or local/tiny-fp32; once for each device. \\[required]"),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Run folder; a search found there goes on. \\[required]")] = None,
    supernet: SupernetOption = "demo",
    space: Annotated[str, typer.Option(help="Refuse a supernet of another space than this one.")] = "",
    data: Annotated[str, typer.Option(help="Data set that scores networks; the supernet's own by default.")] = "",
    data_root: DataRootOption = None,
    objectives: Annotated[
        str,
        typer.Option(
            help="What is traded off: two or more of miou, latency (on every profile), latency@DEVICE, flops, params, "
            "energy, memory."
        ),
    ] = "miou,latency",
    max_latency_ms: Annotated[
        list[str] | None,
        typer.Option(help="Evaluate no slower network: 30 on every profile, or DEVICE=30 on one; may be repeated."),
    ] = None,
    max_flops: Annotated[str | None, typer.Option(help="Multiply-adds at most, as 900M.")] = None,
    max_params: Annotated[str | None, typer.Option(help="Parameters at most, as 1.5M.")] = None,
    max_energy_mj: Annotated[
        list[str] | None, typer.Option(help="Energy of a picture at most, in mJ; or DEVICE=20.")
    ] = None,
    max_memory_mib: Annotated[list[str] | None, typer.Option(help="Memory at most, in MiB; or DEVICE=100.")] = None,
    min_miou: Annotated[float | None, typer.Option(help="Accuracy that a network must reach, in 0..1.")] = None,
    confidence: Annotated[
        float, typer.Option(help="Probability with which predicted costs keep to their limits; 0.5 compares means.")
    ] = 0.5,
    latency: Annotated[
        Literal["predicted", "measured"],
        typer.Option(help="Latency of evaluated networks: by the profile, or timed on the device itself."),
    ] = "predicted",
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
        str,
        typer.Option(
            help="Standard deviations added to predictions, in one generation, the next and so on, then again from the "
            "first (1,1,1,3; 0 where the predictor has none; paper: 0)."
        ),
    ] = "",
    explore_from: Annotated[
        int | None, typer.Option(help="Generation that these begin with; earlier ones add as many as it does (13).")
    ] = None,
    inner: Annotated[
        Literal["nsga2", "moead", "random"] | None, typer.Option(help="Search on predictions (nsga2; paper: nsga2).")
    ] = None,
    inner_generations: Annotated[int | None, typer.Option(help="Generations of it (100; paper: 1000).")] = None,
    initial: Annotated[int | None, typer.Option(help="Networks in the initial population (50; paper: 100).")] = None,
    sampling: Annotated[
        Literal["uniform", "leaning"] | None,
        typer.Option(help="How they are drawn: uniform digits, or half of them leaning to small or large (uniform)."),
    ] = None,
    generations: Annotated[
        int | None, typer.Option(help="Rounds of predict, search, pre-screen, evaluate (52; paper: 20).")
    ] = None,
    evaluations: Annotated[int | None, typer.Option(help="Networks evaluated in each of them (4; paper: 8).")] = None,
    scales: Annotated[str, typer.Option(help="Scale digits to search, as 0,2; all of the profile by default.")] = "",
    chosen: Annotated[int, typer.Option(help="Networks picked from the front.")] = 5,
    pick: Annotated[
        str, typer.Option(help="How: spread, trade-off, knee, or nearest to a target, as latency=30 or miou=0.5.")
    ] = "spread",
    guide_pictures: GuidePicturesOption = None,
    statistics_pictures: Annotated[int, typer.Option(help="Pictures for batch-norm statistics.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same archive.")] = 0,
    profile_root: ProfileRootOption = Path("profiles"),
    threads: ThreadsOption = 1,
    as_json: JsonFlag = False,
) -> None:
    """Search the best trade-offs between mIoU and latency, or other costs, for one device or several.

    By default with a Gaussian process and the networks that would add most hypervolume; --config paper is the method
    of the paper with its Table I. Stopped or killed, the same command goes on; the archive is the same. It is the same
    too where `torchrun --nproc-per-node 4 -m mosegedge search ..` shares the evaluations between processes.
    """
    member = member_from(os.environ)
    if context.invoked_subcommand is not None:
        require_one_process(member, f"search {context.invoked_subcommand}")
        return
    if not profile or output is None:
        raise UsageError(
            f"Missing option --{'output' if profile else 'profile'}.",
            fix="mosegedge search --profile local/tiny-fp32 --output runs/search; see mosegedge search --help.",
        )
    set_threads(threads)
    scoring = partial(_scoring, supernet, data, data_root, statistics_pictures, guide_pictures, member.beside)
    if member.rank:
        help_out(member, scoring)
        return
    from mosegedge.profiling.store import load_profile
    from mosegedge.search.config import configuration
    from mosegedge.search.targeted import search_for_device
    from mosegedge.search.targets import Target
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info

    first, *rest = (Target(profile=load_profile(name, root=profile_root), reference=name) for name in profile)
    path = checkpoint_path(supernet)
    info = supernet_info(path)
    info.require_trained(path)
    if space:
        require_space(space, data or info.data, info.space, data_root)
    everywhere, limits = limits_of(
        latency_ms=max_latency_ms,
        flops=max_flops,
        params=max_params,
        energy_mj=max_energy_mj,
        memory_mib=max_memory_mib,
        miou=min_miou,
    )
    method = _method(configuration(config), predictor, prescreen, exploration, inner, inner_generations)
    covered = set.intersection(*(set(target.profile.protocol.scales) for target in (first, *rest)))
    settings = replace(
        method,
        initial=_or(initial, method.initial),
        sampling=_or(sampling, method.sampling),
        generations=_or(generations, method.generations),
        evaluations=_or(evaluations, method.evaluations),
        seed=seed,
        objectives=tuple(name.strip() for name in objectives.split(",")),
        max_latency_ms=everywhere,
        limits=limits,
        confidence=confidence,
        latency=latency,
        scales=digits(scales) if scales else tuple(sorted(covered)),
        chosen=chosen,
        pick=pick,
        explore_from=_or(explore_from, method.explore_from),
    )
    with progress() as bar:
        result = search_for_device(
            first.profile, first.reference, scoring(), output, config=settings, progress=bar, others=rest, member=member
        )
    emit({"run": str(output), **result.to_json()}, text_of(result), as_json=as_json)
    say(f"Next: mosegedge report {output}; mosegedge export {output}:1 --supernet {supernet} --output bundle")


def _scoring(
    supernet: str,
    data: str,
    data_root: Path | None,
    statistics_pictures: int,
    guide_pictures: int | None,
    processes: int,
) -> Scoring:
    """How networks are scored; by the supernet's own data set where none is named."""
    from mosegedge.search.scoring import Scoring
    from mosegedge.supernet.checkpoint import checkpoint_path, supernet_info

    path = checkpoint_path(supernet)
    name = data or supernet_info(path).data
    return Scoring(
        supernet=path,
        train=open_data(name, "train", data_root),
        guide=open_data(name, "guide", data_root),
        statistics_pictures=statistics_pictures,
        guide_pictures=guide_pictures,
        processes=processes,
    )


def _method(
    base: SearchConfig,
    predictor: str | None,
    prescreen: PrescreenStrategy | None,
    exploration: str,
    inner: InnerMethod | None,
    inner_generations: int | None,
) -> SearchConfig:
    """A named configuration with the given parts in place of its own."""
    from mosegedge.search.accuracy import WITH_DEVIATIONS
    from mosegedge.search.exploration import NONE, parsed

    name = _or(predictor, base.predictor)
    usual = base.exploration if name in WITH_DEVIATIONS else NONE
    return replace(
        base,
        predictor=name,
        exploration=parsed(exploration) if exploration else usual,
        prescreen=replace(base.prescreen, strategy=_or(prescreen, base.prescreen.strategy)),
        inner=replace(
            base.inner,
            method=_or(inner, base.inner.method),
            generations=_or(inner_generations, base.inner.generations),
        ),
    )


def _or(given: Value | None, default: Value) -> Value:
    return default if given is None else given
