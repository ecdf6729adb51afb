"""`mosegedge demo`: from this machine to a deployable network in a few minutes, telling what it does."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from mosegedge.cli.options import open_data, set_threads
from mosegedge.cli.output import JsonFlag, emit, progress, say

_SPACE, _DATA = "tiny", "scenes"
_SCALES = (0, 2)
_PROFILE_SECONDS = 90.0
_NETWORKS = 24
_PASSES = 8
_GUIDE_PICTURES = 48
_STATISTICS_PICTURES = 32
_PICTURES_VERIFIED = 12


def register(app: typer.Typer) -> None:
    """Adds the command to the root application."""
    app.command("demo", rich_help_panel="Start here", epilog="Example: mosegedge demo")(demo)


def demo(
    output: Annotated[Path | None, typer.Option(help="Folder; by default a new one under runs/.")] = None,
    train: Annotated[bool, typer.Option("--train", help="Train a supernet first, for some minutes more.")] = False,
    steps: Annotated[int, typer.Option(help="Training steps with --train.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Of the search.")] = 0,
    as_json: JsonFlag = False,
) -> None:
    """Profile this machine, search a network for it, export it, verify it, and draw the report.

    Everything is measured in this run, with fewer scales, networks and evaluations than a real search takes.
    """
    started = time.monotonic()
    folder = output or Path("runs") / f"demo-{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    set_threads(1)
    say("mosegedge finds the most accurate segmentation network that meets a frame budget on your board.")
    say(f"This demo does it for the CPU at hand. Everything goes to {folder}\n")
    supernet = _supernet(folder, steps=steps if train else 0)
    profile = _profile(folder)
    run = _search(folder, profile, supernet, seed)
    bundle, card = _export_and_verify(run, profile, folder, supernet)
    page = _report(run, folder)
    minutes = (time.monotonic() - started) / 60
    say(f"\nDone in {minutes:.1f} minutes. {card}")
    paths = {"profile": f"{folder}/profiles/{profile}.json", "bundle": str(bundle), "report": str(page)}
    text = "\n".join(f"{name:8} {path}" for name, path in paths.items())
    emit({**paths, "fps_card": card, "minutes": round(minutes, 2)}, text, as_json=as_json)
    say("Open the report in a browser. A real search: mosegedge profile, then mosegedge search (see --help).")


def _supernet(folder: Path, *, steps: int) -> str:
    from mosegedge.cli.options import open_space
    from mosegedge.supernet.checkpoint import SHIPPED
    from mosegedge.supernet.schedule import TrainConfig
    from mosegedge.supernet.train import train_supernet

    if not steps:
        say("1/5 Supernet: the shipped weights (space tiny, trained on procedural street scenes).")
        return SHIPPED
    say(f"1/5 Supernet: training one for {steps} steps; every network of the space takes its weights from it.")
    with progress() as bar:
        config = TrainConfig(steps=steps, warmup_steps=min(100, steps // 4))
        path = train_supernet(
            open_space(_SPACE, _DATA), open_data(_DATA, "train", None), folder / "supernet", config=config, progress=bar
        )
    return str(path)


def _profile(folder: Path) -> str:
    from mosegedge.devices import load_device
    from mosegedge.profiling import ProfileSettings, profile_device
    from mosegedge.profiling.certificate import verdict
    from mosegedge.space import SearchSpace

    say("2/5 Profile: an agent times every layer of two input scales, and some whole networks, on this machine.")
    settings = ProfileSettings(scales=_SCALES, networks=_NETWORKS, passes=_PASSES, budget_s=_PROFILE_SECONDS)
    with progress() as bar:
        profile = profile_device(
            load_device("local"),
            SearchSpace.load(_SPACE),
            settings=settings,
            root=folder / "profiles",
            progress=bar,
            command="mosegedge demo",
        )
    say(f"    {len(profile.entries)} layers; {verdict(profile.certificate)}.")
    return profile.name


def _search(folder: Path, profile: str, supernet: str, seed: int) -> Path:
    from mosegedge.cli.search_text import text_of
    from mosegedge.profiling import load_profile
    from mosegedge.search.config import InnerSettings, SearchConfig
    from mosegedge.search.scoring import Scoring
    from mosegedge.search.targeted import search_for_device
    from mosegedge.supernet.checkpoint import checkpoint_path

    say("3/5 Search: a predictor learns mIoU, the profile gives latency, NSGA-II proposes, inherited weights decide.")
    config = SearchConfig(
        initial=24,
        generations=4,
        evaluations=4,
        seed=seed,
        scales=_SCALES,
        chosen=3,
        inner=InnerSettings(population=60, generations=100),
    )
    scoring = Scoring(
        supernet=checkpoint_path(supernet),
        train=open_data(_DATA, "train", None),
        guide=open_data(_DATA, "guide", None),
        statistics_pictures=_STATISTICS_PICTURES,
        guide_pictures=_GUIDE_PICTURES,
    )
    run = folder / "search"
    found = load_profile(profile, root=folder / "profiles")
    with progress() as bar:
        result = search_for_device(found, profile, scoring, run, config=config, progress=bar)
    say(text_of(result))
    return run


def _export_and_verify(run: Path, profile: str, folder: Path, supernet: str) -> tuple[Path, str]:
    from mosegedge.cli.choice import network_and_profile
    from mosegedge.devices import load_device
    from mosegedge.export.inherit import export_inherited
    from mosegedge.export.predict import predicted_latency
    from mosegedge.export.verify import verify_bundle
    from mosegedge.supernet.checkpoint import checkpoint_path, load_supernet

    say("4/5 Export and verify: the second network as ONNX, run by the agent, compared with PyTorch.")
    architecture, _ = network_and_profile(f"{run}:2")
    path = checkpoint_path(supernet)
    weights, info = load_supernet(path)
    bundle = export_inherited(
        run / "bundles" / architecture.slug,
        architecture,
        supernet=weights,
        supernet_path=path,
        train=open_data(info.data, "train", None),
        guide=open_data(info.data, "guide", None),
        opset=17,
        predicted=predicted_latency(profile, weights.space, architecture, root=folder / "profiles"),
    )
    val = open_data(info.data, "val", None)
    with progress() as bar:
        report = verify_bundle(
            bundle, load_device("local"), val, pictures=_PICTURES_VERIFIED, agreement=0.999, progress=bar
        )
    say(f"    masks agree with PyTorch in {report.agreement:.3%} of the pixels")
    report.require_passed(bundle.folder)
    return bundle.folder, report.fps_card


def _report(run: Path, folder: Path) -> Path:
    from mosegedge.report.page import Sources, build_report

    say("5/5 Report: the front, latency predicted and measured, the chosen networks, sample pictures.")
    with progress() as bar:
        sources = Sources(profile_root=folder / "profiles")
        written = build_report(run, created=datetime.now().astimezone().date(), sources=sources, progress=bar)
    for reason in written.left_out:
        say(f"    left out: {reason}")
    return written.path
